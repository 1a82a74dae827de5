"""The simulated shop: the same every time, consistent in itself, with the faults that it promises."""

from __future__ import annotations

import gzip
import hashlib
from datetime import date
from pathlib import Path

import duckdb
import pytest
from source_cases import FIRST_NIGHT

from dagster_project.sources.landing import land, raw_select_sql
from dagster_project.sources.simulated import write_demo_shop
from dagster_project.sources.tables import SourceError, SourceTable

TABLES = {
    "customers": ("csv", "customers.csv", "customer_id created_at country acquisition_channel"),
    "products": ("csv", "products.csv", "product_id product_name product_kind launched_on unit_cost"),
    "orders": (
        "csv",
        "orders.csv",
        "order_id customer_id ordered_at status payment_status currency discount_amount shipping_amount tax_amount "
        "channel device is_test is_gift_card_only updated_at",
    ),
    "order_lines": ("csv", "order_lines.csv", "order_id line_number product_id quantity unit_price"),
    "refunds": ("csv", "refunds.csv", "refund_id order_id refunded_at refund_amount reason"),
    "survey_answers": (
        "csv",
        "survey_answers.csv",
        "answer_id customer_id order_id question score channel language answered_at comment",
    ),
    "reviews": ("parquet", "reviews.parquet", "review_id customer_id order_id stars review_text language created_at"),
}


@pytest.fixture(scope="module")
def shop_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "shop"
    write_demo_shop(folder)
    return folder


@pytest.fixture(scope="module")
def con(shop_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """The shop as it is landed, one view per table."""
    landing = tmp_path_factory.mktemp("landing")
    connection = duckdb.connect()
    for name, (kind, files, columns) in TABLES.items():
        table = SourceTable("demo", name, shop_folder, files, kind, tuple(columns.split()))  # type: ignore[arg-type]
        landed = land(table, landing, FIRST_NIGHT)
        assert tuple(landed.columns) == table.columns
        assert landed.rejected == (1 if name == "customers" else 0)
        connection.execute(f"create view {name} as {raw_select_sql(table, landing)}")
    return connection


def count(con: duckdb.DuckDBPyConnection, sql: str) -> int:
    found = con.execute(sql).fetchone()
    assert found is not None
    return int(found[0])


def fingerprints(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_same_seed_gives_the_same_bytes_and_another_seed_others(shop_folder: Path, tmp_path: Path) -> None:
    write_demo_shop(tmp_path / "again")
    assert fingerprints(tmp_path / "again") == fingerprints(shop_folder)
    write_demo_shop(tmp_path / "other", seed=8)
    others = fingerprints(tmp_path / "other")
    assert all(others[name] != shared for name, shared in fingerprints(shop_folder).items())
    assert gzip.decompress((shop_folder / "orders.csv.gz").read_bytes()).startswith(b"order_id,customer_id,")


def test_second_call_does_nothing_and_other_parameters_replace(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    write_demo_shop(folder, customers=100, days=90)
    inode = folder.stat().st_ino
    write_demo_shop(folder, customers=100, days=90)
    assert folder.stat().st_ino == inode
    write_demo_shop(folder, customers=101, days=90)
    assert folder.stat().st_ino != inode
    assert [path.name for path in tmp_path.iterdir()] == ["shop"]


def test_foreign_folder_and_tiny_shop_are_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a\n1\n")
    with pytest.raises(SourceError, match="holds files that no simulation wrote"):
        write_demo_shop(tmp_path)
    assert (tmp_path / "mine.csv").is_file()
    with pytest.raises(SourceError, match="too small"):
        write_demo_shop(tmp_path / "tiny", customers=99)


@pytest.mark.parametrize(("customers", "days", "seed"), [(100, 90, 0), (100, 90, 1), (300, 400, 2)])
def test_small_shops_work_too(customers: int, days: int, seed: int, tmp_path: Path) -> None:
    write_demo_shop(tmp_path / "shop", customers, days, date(2024, 2, 29), seed)
    rows = duckdb.sql(f"from read_csv('{tmp_path}/shop/orders.csv.gz', all_varchar=true)").fetchall()
    assert max(row[2] for row in rows if row[2].startswith("2024")).startswith("2024-02-29")


def test_nothing_is_later_than_the_last_day_and_the_shop_is_not_stale(con: duckdb.DuckDBPyConnection) -> None:
    for table, column in (
        ("customers", "created_at"),
        ("orders", "ordered_at"),
        ("orders", "updated_at"),
        ("refunds", "refunded_at"),
        ("survey_answers", "answered_at"),
        ("reviews", "created_at"),
        ("products", "launched_on"),
    ):
        late = f"select count(*) from {table} where try_cast({column} as timestamp) >= timestamp '2026-01-01'"
        assert count(con, late) == 0, (table, column)
    assert count(con, "select count(*) from orders where ordered_at like '2025-12-31%'") > 0
    assert (
        count(
            con,
            "select count(*) from orders where try_cast(updated_at as timestamp) < try_cast(ordered_at as timestamp)",
        )
        == 0
    )


def test_references_hold(con: duckdb.DuckDBPyConnection) -> None:
    for child, column, parent in (
        ("order_lines", "order_id", "orders"),
        ("order_lines", "product_id", "products"),
        ("refunds", "order_id", "orders"),
        ("reviews", "order_id", "orders"),
        ("survey_answers", "order_id", "orders"),
        ("survey_answers", "customer_id", "customers"),
        ("orders", "customer_id", "customers"),
    ):
        known = f"(select {column} from {parent})"
        orphans = f"select count(*) from {child} where {column} is not null and {column} not in {known}"
        assert count(con, orphans) == 0, (child, column)
    before_launch = """
        select count(*) from order_lines join orders using (order_id) join products using (product_id)
        where try_cast(ordered_at as timestamp) < try_cast(launched_on as timestamp)
    """
    assert count(con, before_launch) == 0
    before_joining = """
        select count(*) from orders join customers using (customer_id)
        where try_cast(ordered_at as timestamp) < created_at::timestamp
    """
    assert count(con, before_joining) == 0


def test_money_is_exact_and_adds_up(con: duckdb.DuckDBPyConnection) -> None:
    for table, columns in (
        ("orders", ("discount_amount", "shipping_amount", "tax_amount")),
        ("order_lines", ("unit_price",)),
        ("refunds", ("refund_amount",)),
        ("products", ("unit_cost",)),
    ):
        for column in columns:
            assert (
                count(con, f"select count(*) from {table} where not regexp_full_match({column}, '\\d+\\.\\d\\d')") == 0
            )
    too_much = """
        with goods as (
            select order_id, sum(try_cast(quantity as int) * unit_price::decimal(12, 2)) as goods
            from order_lines group by all having count(*) = count(try_cast(quantity as int))
        )
        select count(*) from refunds join orders using (order_id) join goods using (order_id)
        where refund_amount::decimal(12, 2) > goods - discount_amount::decimal(12, 2)
    """
    assert count(con, too_much) == 0


def test_planted_faults_are_there(con: duckdb.DuckDBPyConnection) -> None:
    orders = count(con, "select count(*) from orders")
    assert count(con, "select count(distinct order_id) from orders") == orders - 5
    assert count(con, "select count(*) from (select distinct * exclude (_row_number) from orders)") == orders - 5
    assert (
        count(con, "select count(distinct order_id) from orders where try_cast(ordered_at as timestamp) is null") == 4
    )
    assert count(con, "select count(*) from orders where is_test = 'true'") == 10
    assert count(con, "select count(*) from orders where currency = 'USD'") == 6
    assert count(con, "select count(*) from order_lines where try_cast(quantity as int) is null") == 1
    scores = con.execute(
        "select score from survey_answers where question = 'nps' "
        "and score not in (select i::varchar from range(11) r(i)) order by 1"
    )
    assert [score for (score,) in scores.fetchall()] == ["-1", "10/10", "11"]
    worthless = (
        "select count(*) from (select order_id from order_lines group by 1 having sum(unit_price::decimal(12, 2)) = 0)"
    )
    assert count(con, worthless) == 6
    known = "('placed', 'paid', 'shipped', 'delivered', 'cancelled')"
    assert count(con, f"select count(*) from orders where status not in {known}") == 0
    for status in ("cancelled", "placed", "shipped", "paid"):
        assert count(con, f"select count(*) from orders where status = '{status}'") > 10


def test_shop_has_the_shape_that_the_models_need(con: duckdb.DuckDBPyConnection) -> None:
    orders = count(con, "select count(distinct order_id) from orders")
    assert 9_000 < orders < 20_000
    per_customer = (
        "(select customer_id, count(distinct order_id) as orders from orders where customer_id is not null group by 1)"
    )
    repeat_share = count(con, f"select 1000 * avg((orders > 1)::int) from {per_customer}") / 1000
    assert 0.4 < repeat_share < 0.7
    guest_share = count(con, "select count(*) from orders where customer_id is null") / orders
    assert 0.02 < guest_share < 0.04
    refund_share = count(con, "select count(distinct order_id) from refunds") / orders
    assert 0.04 < refund_share < 0.06
    assert count(con, "select count(distinct product_kind) from products") == 8
    assert {row[0] for row in con.execute("select distinct language from reviews").fetchall()} == {
        "en",
        "zh-Hant",
        "zh-Hans",
    }
    december = "select count(*) from orders where ordered_at like '2024-12-%'"
    following = "select count(*) from orders where ordered_at like '2025-02-%'"
    assert count(con, december) > 1.3 * count(con, following)


def test_satisfied_customers_stay_longer(con: duckdb.DuckDBPyConnection) -> None:
    """What a churn model is to find."""
    gap = """
        with mood as (select customer_id, avg(stars) as stars from reviews group by 1),
        orders_of as (select customer_id, count(distinct order_id) as orders from orders group by 1)
        select 100 * (avg(orders) filter (stars >= 4.5) - avg(orders) filter (stars <= 3))
        from mood join orders_of using (customer_id)
    """
    assert count(con, gap) > 20
