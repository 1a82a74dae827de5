"""A shop read from PostgreSQL while its rows change, go and come back, against a dump of the same tables as files."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
import yaml
from corner_shop import MAY_BE_EMPTY, NIGHT, CornerShop
from database_servers import POSTGRES, Postgres

from dagster_project.settings import DEFAULT_CONFIG
from dagster_project.sources.configured import connectors
from dagster_project.sources.simulated_shop import Dirt, ShopPlan, simulate

TABLES: dict[str, Any] = yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8"))["sources"]["demo"]["tables"]
KEYS = {
    "customers": ["customer_id"],
    "products": ["product_id"],
    "orders": ["order_id"],
    "order_lines": ["line_id"],  # staging names a line by its order and number
    "refunds": ["refund_id"],
    "exchange_rates": ["rate_date", "currency"],
    "points_ledger": ["event_id"],
    "subscription_events": ["subscription_id", "event_number"],
    "survey_answers": ["answer_id"],
}
CURSORS = {"orders": "updated_at", "points_ledger": "event_number"}
TYPES = {"BIGINT": "bigint", "DOUBLE": "numeric", "TIMESTAMP": "timestamp", "DATE": "date", "BOOLEAN": "boolean"}
NOON = dt.datetime.combine(NIGHT, dt.time(12), dt.UTC)
COUNTS_RAW_ROWS = {"quality.check_results", "quality.quarantined_rows", "quality.reconciliation"}
"""A version, a deleted row and its tombstone are raw rows, and refused ones: these tables say so."""
FOLLOWS_ROW_ORDER = {"marts.survey_wave_changes"}
"""Its variances are sums of floats, whose last digit follows the order of rows."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The simulated shop in typed tables."""
    if not POSTGRES:
        pytest.skip("the programs of postgresql are not installed; .ci/run installs Debian's")
    files, running = tmp_path_factory.mktemp("shop"), Postgres()
    simulate(ShopPlan(customers=300, days=365, last_day=NIGHT), files, Dirt("none"))
    try:
        running.create().start()
        for table in TABLES:
            [path] = files.glob(f"{table}.*")
            _fill(running, table, path)
        running.execute("alter table order_lines add column line_id bigserial primary key")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SHOP_DATABASE", running.url)
            yield running
    finally:
        running.stop()


def _fill(server: Postgres, table: str, file: Path) -> None:
    """A table of the types that DuckDB finds in a file, with its rows."""
    dump = server.folder / f"{table}.csv"
    with duckdb.connect() as con:
        con.execute(f"create table found as from '{file}'")
        columns = con.execute(
            "select column_name, data_type from duckdb_columns() where table_name = 'found'"
        ).fetchall()
        con.execute(f"copy found to '{dump}' (header)")
    types = ", ".join(f"{name} {TYPES.get(kind, 'text')}" for name, kind in columns)
    server.execute(f"create table {table} ({types})")
    _copy(server, f"copy {table} from stdin (format csv, header)", dump, "rb")


def _copy(server: Postgres, statement: str, file: Path, mode: str) -> None:
    connection = psycopg2.connect(server.url.replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor, file.open(mode) as stream:
        cursor.copy_expert(statement, stream)
    connection.close()


@pytest.fixture(scope="module")
def shops(server: Postgres, tmp_path_factory: pytest.TempPathFactory) -> tuple[CornerShop, CornerShop]:
    """The shop that was landed three times, with changes in between, and the one of a dump that was made at the end."""
    root = tmp_path_factory.mktemp("nights")
    by_night, dumped = CornerShop(root / "by_night"), CornerShop(root / "dumped")
    for shop in (by_night, dumped):
        shop.deliveries.mkdir(parents=True)
    by_night.configure(_of_database)
    _land(by_night, NOON)
    server.execute(
        "create table kept as select * from customers order by customer_id limit 1",
        "delete from customers where customer_id in (select customer_id from kept)",
        "delete from order_lines where order_id = (select min(order_id) from orders)",
        "delete from orders where order_id = (select min(order_id) from orders)",
        f"update orders set status = 'cancelled', updated_at = '{NIGHT} 23:30' "
        f"where order_id = (select max(order_id) from orders where updated_at < '{NIGHT - dt.timedelta(days=9)}')",
    )
    _land(by_night, NOON + dt.timedelta(hours=5))
    server.execute("insert into customers select * from kept")
    _land(by_night, NOON + dt.timedelta(hours=6))
    by_night.run()
    for table in TABLES:
        _copy(server, f"copy {table} to stdout (format csv, header)", dumped.deliveries / f"{table}.csv", "wb")
    dumped.configure(_of_dump)
    dumped.run()
    return by_night, dumped


def _of_database(settings: dict[str, Any]) -> None:
    settings["sources"]["demo"] = {
        "connector": "sql",
        "url_variable": "SHOP_DATABASE",
        "tables": {
            name: {"columns": table["columns"], "key": KEYS.get(name, []), "cursor": CURSORS.get(name),
                   "is_optional": name in MAY_BE_EMPTY,
                   **{setting: table[setting] for setting in ("identifiers", "identifies") if setting in table}}
            for name, table in TABLES.items()
        },
    }  # fmt: skip


def _of_dump(settings: dict[str, Any]) -> None:
    for name, table in settings["sources"]["demo"]["tables"].items():
        table |= {"files": f"{name}.csv", "format": "csv", "is_optional": name in MAY_BE_EMPTY}


def _land(shop: CornerShop, moment: dt.datetime) -> None:
    settings = shop.settings()
    connector = connectors(settings)["demo"]
    for table in connector.tables:
        connector.land(table, settings.home / "landing", moment)


def _published(shop: CornerShop, left_out: set[str]) -> dict[str, str]:
    return {table: text for table, text in shop.seen().hashes.items() if table not in left_out}


def test_rows_landed_as_they_changed_give_the_tables_of_a_dump(shops: tuple[CornerShop, CornerShop]) -> None:
    by_night, dumped = (_published(shop, COUNTS_RAW_ROWS | FOLLOWS_ROW_ORDER) for shop in shops)
    assert by_night == dumped
    assert "marts.customer_360" in by_night


def test_what_is_gone_is_refused_with_the_reason_and_nothing_is_lost(shops: tuple[CornerShop, CornerShop]) -> None:
    by_night, _ = shops
    assert by_night.query("select * from quality.reconciliation where not is_reconciled") == []
    refused = by_night.query(
        "select model, reasons, count(*) from quality.quarantined_rows "
        "where ends_with(reasons, 'deleted at the source') and model like 'stg_demo__%rs' group by all order by all"
    )
    assert refused == [
        ("stg_demo__customers", "`customer_id` is gone: deleted at the source", 2),
        ("stg_demo__orders", "`order_id` is gone: deleted at the source", 2),
    ]
    [(lines,)] = by_night.query(
        "select count(*) from quality.quarantined_rows where model = 'stg_demo__order_lines' and ends_with(reasons, "
        "'`order_id, line_number` is gone: deleted at the source')"
    )
    assert lines >= 2
    assert lines % 2 == 0
