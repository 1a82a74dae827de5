"""From a key that a check told back to its rows: in the tables of a build, and in the landed files that hold them."""

from __future__ import annotations

import datetime as dt
import hmac
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.finding import FindError, TableRows, find_rows
from dagster_project.settings import Settings, load_settings
from dagster_project.warehouse import Warehouse

KEY = "a key for tests only"  # as conftest sets it
NIGHT = dt.date(2025, 12, 31)
ANN = "c" * 32
TABLES = f"""
    create table marts.fct_orders as from (values ('till:ann@example.com', '{ANN}'), ('till:o2', '{ANN}'), ('web:o2', null))
        as t (order_key, customer_key);
    create table marts.fct_order_lines as from (values ('till:o2:1', 'till:o2'), ('till:o2:2', 'till:o2'))
        as t (order_line_key, order_key);
    create table marts.fct_points_ledger as select 'till:e9' as point_event_key;
    create table scratch.staging.stg_till__orders as from (values
        ('ann@example.com', 'o2', 'orders.csv', 1), ('o2', 'c1', 'orders.csv', 2)) as t (order_id, customer_id, _file, _row_number);
    create table scratch.staging.stg_till__orders__judged as from scratch.staging.stg_till__orders;
    create table scratch.staging.stg_web__orders as select 'o2' as order_id, 'web.csv' as _file, 1 as _row_number;
    create table scratch.staging.stg_till__order_lines as
        select 'o2' as order_id, 'lines.csv' as _file, n as _row_number from range(1, 8) as t (n);
    create table scratch.staging.stg_till__point_events as select 'e9' as event_id, 'points.csv' as _file, 4 as _row_number;
"""  # noqa: E501


@pytest.fixture
def config(tmp_path: Path) -> Path:
    described = {
        "business": {"name": "Shop", "currency": "EUR", "time_zone": "UTC", "first_night": dt.date(2024, 1, 1)},
        "sources": {"till": {"folder": str(tmp_path), "tables": {"orders": {"files": "o.csv", "columns": ["id"]}}}},
        "home": str(tmp_path / "home"),
    }
    path = tmp_path / "loyalty.yaml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    """A shop whose night was stopped with these tables."""
    settings = load_settings(config)
    warehouse = Warehouse(settings)
    warehouse.begin(NIGHT, {}, "run")
    with warehouse.connect() as con:
        con.execute(TABLES)
    return settings


def told(name: str, value: str) -> str:
    return f"{name}_hash={hmac.new(KEY.encode(), value.encode(), 'sha256').hexdigest()[:32]}"


@pytest.mark.parametrize(
    ("key", "tables"),
    [
        (
            told("order_key", "till:ann@example.com"),
            [TableRows("marts.fct_orders", 1), TableRows("staging.stg_till__orders", 1, (("orders.csv", 1),))],
        ),
        (
            told("order_key", "till:o2"),
            [
                TableRows("marts.fct_order_lines", 2),
                TableRows("marts.fct_orders", 1),
                TableRows("staging.stg_till__order_lines", 7, tuple(("lines.csv", row) for row in range(1, 6))),
                TableRows("staging.stg_till__orders", 1, (("orders.csv", 2),)),
            ],
        ),
        (
            told("order_line_key", "till:o2:2"),
            [
                TableRows("marts.fct_order_lines", 1),
                TableRows("staging.stg_till__order_lines", 7, tuple(("lines.csv", row) for row in range(1, 6))),
                TableRows("staging.stg_till__orders", 1, (("orders.csv", 2),)),
            ],
        ),
        (
            told("point_event_key", "till:e9"),
            [
                TableRows("marts.fct_points_ledger", 1),
                TableRows("staging.stg_till__point_events", 1, (("points.csv", 4),)),
            ],
        ),
        (f" customer_key={ANN} ", [TableRows("marts.fct_orders", 2)]),
    ],
)
def test_a_key_leads_to_its_rows_and_to_the_landed_rows_of_its_own_source(
    settings: Settings, key: str, tables: list[TableRows]
) -> None:
    found = find_rows(settings, key)
    assert list(found.tables) == tables
    assert found.build == "the build of 2025-12-31"


def test_the_command_shows_the_key_in_clear_only_when_asked(settings: Settings, config: Path) -> None:
    asked = ["find", told("order_key", "till:ann@example.com"), "--config", str(config)]
    shown = CliRunner().invoke(app, asked)
    assert (shown.exit_code, shown.output.splitlines()) == (
        0,
        [
            "in the build of 2025-12-31",
            "    1 in marts.fct_orders",
            "    1 in staging.stg_till__orders",
            "        orders.csv, row 1",
        ],
    )
    assert "order_key till:ann@example.com" in CliRunner().invoke(app, [*asked, "--with-value"]).output


def test_what_leads_nowhere_says_where_was_looked_and_what_to_do(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(FindError, match="'order_key=till:7' is no key as checks tell it; expected one like order_key_"):
        find_rows(settings, "order_key=till:7")
    nobody = "customer_key=" + "0" * 32
    with pytest.raises(
        FindError, match=r"^no row of the build of 2025-12-31 has this customer_key: the rows were corr"
    ):
        find_rows(settings, nobody)
    with pytest.raises(FindError, match=r"^nothing is built or published in .*; run `loyalty run` first$"):
        find_rows(settings.model_copy(update={"home": tmp_path / "elsewhere"}), nobody)
