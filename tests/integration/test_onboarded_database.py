"""`loyalty init` on PostgreSQL: tables and views are sampled, keys and cursors are told, no password is written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from database_servers import POSTGRES, Postgres
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.onboarding.database_samples import database_samples
from dagster_project.onboarding.origins import origin_of
from dagster_project.settings import load_settings
from dagster_project.sources.configured import connectors
from dagster_project.sources.database import Database
from dagster_project.sources.tables import SourceError


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """Orders with a key and a time of change, lines in a schema of their own, and a view that names no key."""
    if not POSTGRES:
        pytest.skip("the programs of postgresql are not installed; .ci/run installs Debian's")
    running = Postgres()
    try:
        running.create().start()
        running.execute(
            "create table orders (order_number text primary key, customer text, placed_at timestamptz, "
            "total numeric(12, 2), status text, last_modified timestamp not null)",
            "insert into orders select 'A' || g, 'C' || g % 7, "
            "timestamptz '2025-01-01 12:00+01' + g * interval '1 day', g * 1.5, "
            "case when g % 5 = 0 then 'Canceled' else 'Paid' end, timestamp '2025-06-01' "
            "from generate_series(0, 99) g",
            "create schema warehouse",
            "create table warehouse.order_items (order_number text, sku text, qty integer, unit_price numeric(12, 2))",
            "insert into warehouse.order_items "
            "select 'A' || g % 100, 'P' || g % 9, 2, 0.75 from generate_series(0, 199) g",
            "create view big_orders as select * from orders where total > 100",
            'create table "with space" (a text)',
            "create table empty_table (a text)",
        )
        yield running
    finally:
        running.stop()


def address(server: Postgres) -> str:
    return server.url.replace("+psycopg2", "")


def test_tables_and_views_of_all_schemas_are_found(server: Postgres) -> None:
    samples = database_samples(Database("init", "SHOP_DATABASE", address=address(server)))
    assert [sample.name for sample in samples] == ["big_orders", "empty_table", "orders", "warehouse.order_items"]
    assert [tuple(sample.key) for sample in samples] == [(), (), ("order_number",), ()]


def test_a_database_becomes_a_shop_that_can_be_landed(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["init", str(tmp_path / "shop"), "--from", address(server), "--time-zone", "Europe/Berlin"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "export SHOP_DATABASE=...   # the database's address; it was written nowhere" in result.output
    written = [path for path in (tmp_path / "shop").rglob("*") if path.is_file()]
    assert not [path for path in written if "secret-word" in path.read_text(encoding="utf-8")]
    settings = yaml.safe_load((tmp_path / "shop" / "loyalty.yaml").read_text(encoding="utf-8"))
    source = settings["sources"]["shop"]
    assert (source["connector"], source["url_variable"]) == ("sql", "SHOP_DATABASE")
    assert source["tables"]["orders"] == {
        "table": "orders", "key": ["order_number"], "cursor": "last_modified",
        "columns": ["order_number", "customer", "placed_at", "status", "total", "last_modified"],
        "enumerations": ["status"],
    }  # fmt: skip
    assert source["tables"]["order_lines"]["table"] == "warehouse.order_items"
    assert (str(settings["business"]["first_night"]), str(settings["as_of"])) == ("2025-01-31", "2025-04-10")
    page = (tmp_path / "shop" / "README.md").read_text(encoding="utf-8")
    assert "'empty_table' has no rows" in page
    monkeypatch.setenv("SHOP_DATABASE", address(server))
    loaded = load_settings(tmp_path / "shop" / "loyalty.yaml", home=tmp_path / "home")
    assert connectors(loaded)["shop"].examine() == "2 tables of a database"


def test_a_database_that_does_not_answer_is_told_without_its_password() -> None:
    with pytest.raises(SourceError, match=r"the database did not answer .*; see that it runs and that") as told:
        origin_of("postgresql://shop:secret-word@127.0.0.1:9/shop", "SHOP_DATABASE")
    assert "secret-word" not in str(told.value)


def test_an_address_that_cannot_be_looked_at_is_refused() -> None:
    with pytest.raises(SourceError, match="cannot look at s3:// addresses; expected a folder, postgresql:// or"):
        origin_of("s3://bucket/exports", "SHOP_DATABASE")
