"""PostgreSQL and MariaDB as they are: rows come, change, go and come late, servers die, and the landing zone agrees.

The judge is the database itself: after each landing the newest versions in the landing zone are its rows.
"""

from __future__ import annotations

import datetime as dt
import gc
import os
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlalchemy as sa
from database_servers import MARIADB, POSTGRES, MariaDb, Postgres, Server

from dagster_project.sources import sql_connector
from dagster_project.sources.database import Database
from dagster_project.sources.landing import Landed, current_loads, raw_select_sql
from dagster_project.sources.sql_connector import SqlDatabase, SqlTable
from dagster_project.sources.tables import SourceError, SourceTable

# of a connection that died, PyMySQL's cursor complains when it is collected
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
NIGHT = dt.datetime(2026, 1, 5, 2, tzinfo=dt.UTC)
ORDERS = (
    "create table orders (id int primary key, amount decimal(12, 2), note varchar(40), updated_at timestamp(6) null)"
)


@pytest.fixture(scope="module", params=["postgresql", "mariadb"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    kind, is_there = (Postgres, POSTGRES) if request.param == "postgresql" else (MariaDb, MARIADB)
    if not is_there:
        pytest.skip(f"the programs of {request.param} are not installed; .ci/run installs Debian's")
    running = kind()
    try:
        running.create().start()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHOP_DATABASE", running.url)
            yield running
    finally:
        running.stop()


class Shop:
    """A connector to the server's tables, and the nights it lands."""

    def __init__(self, server: Server, root: Path, **feed: Any) -> None:
        self.server, self.landing = server, root / "landing"
        self.table = SourceTable("shop", "orders", root / "inbox/shop/orders", "*.parquet", "parquet", ("id",))
        self.connector = SqlDatabase(
            tables=[self.table],
            database=Database("shop", "SHOP_DATABASE", timeout_seconds=5),
            feeds={"orders": SqlTable(**{"relation": "orders", "key": ("id",), "cursor": "updated_at"} | feed)},
            slice_rows=3,
            pause=lambda _: None,
        )
        self.night = NIGHT
        server.execute("drop table if exists orders")

    def land(self) -> Landed:
        self.night += dt.timedelta(days=1)
        return self.connector.land(self.table, self.landing, self.night)

    def versions(self, known_at: dt.datetime | None = None) -> list[tuple[Any, ...]]:
        """The newest version of each row that is not deleted, as id, amount, note."""
        with duckdb.connect() as con:
            return con.execute(
                f"select id, amount, note from ({raw_select_sql(self.table, self.landing, known_at)}) qualify "
                "row_number() over (partition by id order by _loaded_at desc, _file desc, _row_number desc) = 1 "
                "and not _is_deleted order by cast(id as integer)"
            ).fetchall()

    def rows(self) -> list[tuple[Any, ...]]:
        """The same as the database has it."""
        return [
            (str(key), None if amount is None else str(amount), note)
            for key, amount, note in self.server.execute("select id, amount, note from orders order by id")
        ]

    def agrees(self) -> bool:
        assert self.versions() == self.rows()
        return True


@pytest.fixture(autouse=True)
def _collected() -> Iterator[None]:
    """Such a cursor is collected here, and not amid the work of another."""
    yield
    gc.collect()


@pytest.fixture
def shop(server: Server, tmp_path: Path) -> Shop:
    opened = Shop(server, tmp_path)
    server.execute(
        ORDERS,
        "insert into orders values (1, 19.90, 'a', '2025-01-31 13:45:00.123456'), "
        "(2, 5, null, '2025-01-31 13:45:00.5'), (3, 6, 'no cursor', null), "
        "(4, 7, 'ü 評 😀', '2025-02-01 10:00:00'), (5, -1, '', '2025-02-01 10:00:00'), "
        "(6, 0, 'x', '2025-02-01 10:00:00'), (7, null, ' ', '2025-02-01 10:00:00'), (8, 1, 'z', '2025-02-01 11:00:00')",
    )
    return opened


def test_a_full_load_is_every_row_and_again_is_nothing(shop: Shop) -> None:
    assert shop.land().rows_new == 8
    assert shop.agrees()
    again = shop.land()
    assert (again.files_new, again.rows_new, again.rows) == (0, 0, 8)


def test_what_changed_is_a_new_version_and_the_old_one_stays(shop: Shop) -> None:
    shop.land()
    before, known_at = shop.rows(), shop.night
    shop.server.execute(
        "update orders set amount = 8, updated_at = '2025-02-02' where id = 1",
        "insert into orders values (9, 9, 'new', '2025-02-03')",
        "update orders set note = 'still none' where id = 3",
    )
    assert shop.land().rows_new == 3
    assert shop.agrees()
    assert shop.versions(known_at) == before


def test_a_deleted_row_is_a_tombstone_and_comes_back_when_it_is_inserted_again(shop: Shop) -> None:
    shop.land()
    shop.server.execute("delete from orders where id in (1, 3)")
    assert shop.land().rows_new == 2
    assert shop.agrees()
    assert shop.land().rows_new == 0
    shop.server.execute("insert into orders values (1, 19.90, 'a', '2025-01-31 13:45:00.123456')")
    assert shop.land().rows_new == 1
    assert shop.agrees()


def test_a_row_committed_behind_the_cursor_is_found_by_its_key(shop: Shop) -> None:
    shop.land()
    shop.server.execute("insert into orders values (20, 2, 'late', '2020-01-01')")
    assert shop.land().rows_new == 1
    assert shop.agrees()


def test_a_change_within_the_overlap_is_found(shop: Shop) -> None:
    """A transaction that was open while the last night read: its time of change is earlier than what was read."""
    shop.land()
    shop.server.execute("update orders set amount = 50, updated_at = '2025-02-01 10:30:00' where id = 2")
    assert shop.land().rows_new == 1
    assert shop.agrees()


def test_a_column_that_comes_goes_or_changes_its_type_is_told(shop: Shop) -> None:
    shop.land()
    shop.server.execute(
        "alter table orders add column coupon varchar(10)",
        "update orders set coupon = 'SPRING', updated_at = '2025-02-05' where id = 8",
    )
    assert [change.text for change in shop.land().changes] == ["column 'coupon' is new"]
    shop.server.execute("alter table orders drop column coupon")
    changing = "alter column amount type" if isinstance(shop.server, Postgres) else "modify amount"
    shop.server.execute(
        f"alter table orders {changing} decimal(14, 4)",
        "update orders set amount = 1.2345, updated_at = '2025-02-06' where id = 8",
    )
    told = [change.text for change in shop.land().changes]
    assert "column 'coupon' is missing" in told
    assert any(text.startswith("column 'amount' was ") and "14, 4" in text for text in told)
    assert [row for row in shop.versions() if row[0] == "8"] == [("8", "1.2345", "z")]


@pytest.mark.parametrize(("before_slice", "landed"), [(1, 0), (2, 3), (3, 6)])
def test_a_server_killed_in_the_middle_is_gone_on_with_where_it_was(
    before_slice: int, landed: int, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server dies before the nth slice and stays down; the next night reads what is left, and nothing twice."""
    rows_of, asked = sql_connector.rows_of, []

    def dying(*arguments: Any) -> Any:
        asked.append(arguments)
        if len(asked) == before_slice:
            shop.server.kill()
        return rows_of(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(sql_connector, "rows_of", dying)
        with pytest.raises(SourceError, match=r"shop: the database did not answer in 5 attempts \(.*reading goes on"):
            shop.land()
    assert sum(load.rows for load in current_loads(shop.table, shop.landing)) == landed
    shop.server.start()
    assert shop.land().rows_new == 8 - landed
    assert shop.agrees()


def test_a_server_that_comes_back_within_the_attempts_is_waited_for(shop: Shop) -> None:
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            shop.server.start()

    shop.server.kill()
    shop.connector = replace(shop.connector, pause=wait)
    assert shop.land().rows_new == 8
    assert pauses == [2.0, 4.0, 8.0]


def test_a_connection_that_dies_while_rows_come_is_read_anew(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, server: Server
) -> None:
    """The server is killed while a slice is on its way, and is back for the next attempt."""
    from dagster_project.sources import database_tables, postgres_copy

    monkeypatch.setattr(database_tables, "CHUNK_ROWS", 500)
    monkeypatch.setattr(postgres_copy, "BLOCK_BYTES", 40_000)
    monkeypatch.setattr(postgres_copy, "_PIPE_BYTES", 1_000)
    wide = "x" * 40
    insert = "insert into orders select g, 1, '{}', '2025-03-01' from {}"
    numbers = (
        "generate_series(100, 60000) g" if isinstance(server, Postgres) else "(select seq as g from seq_100_to_60000) s"
    )
    server.execute(insert.format(wide, numbers))
    rows_of, has_died = sql_connector.rows_of, threading.Event()

    def dying(*arguments: Any) -> Iterator[Any]:
        for number, batch in enumerate(rows_of(*arguments)):
            if number == 5 and not has_died.is_set():
                has_died.set()
                server.kill()
                server.start()
            yield batch

    monkeypatch.setattr(sql_connector, "rows_of", dying)
    shop.connector = replace(shop.connector, slice_rows=100_000)
    assert shop.land().rows_new == 8 + 59_901
    assert has_died.is_set()
    assert shop.agrees()


def test_too_many_rows_gone_at_once_stop_the_landing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_connector, "FEWEST_SUSPICIOUS", 1)
    shop.land()
    shop.server.execute("delete from orders where id < 5")
    with pytest.raises(
        SourceError, match=r"shop\.orders: 4 of 8 known rows are gone from table 'orders', more than the"
    ):
        shop.land()
    assert len(shop.versions()) == 8
    shop.connector = replace(
        shop.connector, feeds={"orders": SqlTable("orders", ("id",), "updated_at", maximum_deleted_share=0.6)}
    )
    assert shop.land().rows_new == 4
    assert shop.agrees()


def test_a_table_without_a_cursor_is_compared_whole(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, cursor=None)
    server.execute(ORDERS, "insert into orders values (1, 1, 'a', null), (2, 2, 'b', null), (3, 3, null, null)")
    assert shop.land().rows_new == 3
    server.execute("update orders set note = null where id = 2", "delete from orders where id = 1",
                   "insert into orders values (4, 4, 'd', null)")  # fmt: skip
    assert shop.land().rows_new == 3
    assert shop.agrees()
    assert shop.land().rows_new == 0


def test_a_table_without_a_key_is_landed_whole_and_its_last_state_counts(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, key=(), cursor=None)
    shop.table = replace(shop.table, is_snapshot=True)
    shop.connector = replace(shop.connector, tables=[shop.table])
    server.execute("create table orders (id int, amount decimal(4, 1), note varchar(9))",
                   "insert into orders values (1, 1, 'a'), (1, 1, 'a'), (2, 2, null)")  # fmt: skip
    assert shop.land().rows == 3
    assert shop.land().files_new == 0
    server.execute("delete from orders where id = 1")
    assert shop.land().rows == 1


def test_an_empty_table_is_an_empty_feed(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path)
    server.execute(ORDERS)
    assert shop.land().rows == 0
    assert shop.versions() == []
    server.execute("insert into orders values (1, 1, 'a', '2025-01-01')")
    assert shop.land().rows_new == 1
    assert shop.agrees()


def test_keys_of_several_columns_and_a_number_as_cursor(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, key=("shop_id", "id"), cursor="revision", overlap=2)
    server.execute(
        "create table orders (shop_id varchar(5), id int, amount decimal(12, 2), note varchar(9), revision bigint, "
        "primary key (shop_id, id))",
        "insert into orders values ('b', 1, 1, 'a', 9), ('a', 1, 1, 'b', 10), ('a', 2, 1, 'c', 10), "
        "('A', 3, 1, 'd', 100)",
    )
    assert shop.land().rows_new == 4
    server.execute("update orders set amount = 7, revision = 101 where id = 2",
                   "update orders set amount = 8, revision = 98 where id = 1 and shop_id = 'b'")  # fmt: skip
    assert shop.land().rows_new == 2
    assert shop.land().rows_new == 0


HOSTILE: dict[type[Server], tuple[str, str, dict[str, str | None]]] = {
    Postgres: (
        "n numeric, r real, d double precision, ts timestamp, tz timestamptz, day date, j jsonb, a int[], u uuid, "
        "b bytea, bo bool, iv interval, mo money, e text",
        "12345678901234567890.12345678901234567890, 1.1, 0.1, 'infinity', '12025-01-31 13:45:00+02', '0044-03-15 BC', "
        "'{\"a\": 1.10}', '{1,2}', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '\\x00ff', true, '1 day 2 hours', 12.5, 'ü'",
        {"n": "12345678901234567890.12345678901234567890", "r": "1.1", "d": "0.1", "ts": "infinity",
         "tz": "12025-01-31 11:45:00+00", "day": "0044-03-15 BC", "j": '{"a": 1.10}', "a": "{1,2}",
         "u": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "b": "\\x00ff", "bo": "true", "iv": "P1DT2H", "mo": "$12.50",
         "e": "ü"},
    ),
    MariaDb: (
        "n decimal(40, 20), f float, d double, ts timestamp null, dtm datetime(6), day date, tm time, y year, j json, "
        "b blob, bo bool, bt bit(8), "
        "e enum('a', 'b'), s set('x', 'y'), big bigint unsigned, t text character set latin1",
        "12345678901234567890.12345678901234567890, 1.1, 0.1, '2025-01-31 13:45:00', '0000-00-00', '0000-00-00', "
        "'-25:00:01', 2025, '{\"a\": 1.10}', x'00ff', true, b'101', 'a', 'x,y', 18446744073709551615, 'ü'",
        {"n": "12345678901234567890.12345678901234567890", "f": "1.1", "d": "0.1", "ts": "2025-01-31 13:45:00+00:00",
         "dtm": "0000-00-00 00:00:00.000000",
         "day": "0000-00-00", "tm": "-25:00:01", "y": "2025", "j": '{"a": 1.10}',
         "b": "0x00FF", "bo": "1", "bt": "0x5", "e": "a", "s": "x,y", "big": "18446744073709551615", "t": "ü"},
    ),
}  # fmt: skip


def test_values_arrive_as_the_database_writes_them(server: Server, tmp_path: Path) -> None:
    columns, values, expected = HOSTILE[type(server)]
    shop = Shop(server, tmp_path, cursor=None)
    server.execute(f"create table orders (id int primary key, {columns})")
    strictness = [] if isinstance(server, Postgres) else ["set sql_mode = ''"]
    server.execute(*strictness, f"insert into orders values (1, {values})", "insert into orders (id) values (2)")
    shop.land()
    with duckdb.connect() as con:
        found = con.execute(f"select * from ({raw_select_sql(shop.table, shop.landing)}) order by id")
        names = [column[0] for column in found.description or ()]
        first, second = (dict(zip(names, row, strict=True)) for row in found.fetchall())
    assert {name: first[name] for name in expected} == expected
    assert all(second[name] is None for name in expected)
    assert shop.land().rows_new == 0


def test_texts_and_names_that_a_stream_must_quote_arrive_whole(server: Server, tmp_path: Path) -> None:
    shop = Shop(server, tmp_path, cursor=None)
    texts = ["", None, " ", "\\.", "\\N", 'a "quoted", one', "two\nlines", "three\r\nlines\n", "\t;|'", "評 😀", "null"]
    engine = sa.create_engine(server.url)
    columns = [sa.Column(name, sa.Text()) for name in ("50%(id)s", "a b", "ä;,")]
    table = sa.Table("orders", sa.MetaData(), sa.Column("id", sa.Integer(), primary_key=True), *columns)
    table.create(engine)
    with engine.begin() as con:
        con.execute(sa.insert(table), [{"id": id_, "a b": text, "ä;,": text} for id_, text in enumerate(texts, 1)])
    engine.dispose()
    assert shop.land().rows_new == len(texts)
    landed = raw_select_sql(shop.table, shop.landing)
    with duckdb.connect() as con:
        found = con.execute(f'select "50%(id)s", "a b", "ä;," from ({landed}) order by id::int').fetchall()
    assert found == [(None, text, text) for text in texts]
    assert shop.land().rows_new == 0


def test_a_row_too_long_for_the_stream_is_told(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_project.sources import postgres_copy

    if not isinstance(shop.server, Postgres):
        pytest.skip("only PostgreSQL's rows come as a stream of text")
    monkeypatch.setattr(postgres_copy, "BLOCK_BYTES", 15)
    with pytest.raises(SourceError, match=r"a row is longer than 15 bytes.*show the table through a view"):
        shop.land()


@pytest.mark.parametrize(
    ("feed", "message"),
    [
        ({"relation": "orderz"}, "shop.orders: the database has no table 'orderz', or this user may not see it"),
        (
            {"key": ("order_id",)},
            "shop.orders: table 'orders' has no column 'order_id', which the settings name as key or",
        ),
        ({"cursor": "note"}, "shop.orders: cursor 'note' is of type VARCHAR(40)"),
    ],
)
def test_settings_that_do_not_fit_the_database_are_told(feed: dict[str, Any], message: str, shop: Shop) -> None:
    defaults = {"relation": "orders", "key": ("id",), "cursor": "updated_at"}
    shop.connector = replace(shop.connector, feeds={"orders": SqlTable(**defaults | feed)})
    with pytest.raises(SourceError) as caught:
        shop.connector.examine()
    assert message in str(caught.value)


def test_a_required_column_that_is_missing_is_told(shop: Shop) -> None:
    table = replace(shop.table, columns=("id", "total"))
    with pytest.raises(SourceError, match=r"table 'orders' lacks column\(s\) 'total'; found 'id', 'amount', 'note'"):
        shop.connector.land(table, shop.landing, NIGHT)


def test_no_message_holds_the_password(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    url = os.environ["SHOP_DATABASE"]
    messages = []
    for address in (url.replace(f":{shop.server.port}/", ":1/"), url.replace("/shop", "/secret-word"), "secret-word"):
        monkeypatch.setenv("SHOP_DATABASE", address)
        with pytest.raises(SourceError) as caught:
            shop.connector.examine()
        messages.append(str(caught.value))
    monkeypatch.delenv("SHOP_DATABASE")
    with pytest.raises(SourceError, match="needs the variable SHOP_DATABASE, which is not set") as caught:
        shop.connector.examine()
    assert not any("secret-word" in message for message in messages)
    assert "what SHOP_DATABASE holds is not a database's address" in messages[2]
