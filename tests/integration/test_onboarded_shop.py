"""A shop whose exports are German in words, dates, numbers and letters: `loyalty init` writes what runs a night."""

from __future__ import annotations

import csv
import datetime as dt
import random
from decimal import Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.nightly import run_night
from dagster_project.settings import load_settings

CUSTOMERS, DAYS = 60, 200
LAST = dt.date(2025, 6, 30)
STATES = ("Zugestellt", "Versandt", "Storniert")


def german(amount: Decimal) -> str:
    """1234.5 as 1.234,50."""
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


@pytest.fixture(scope="module")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files as a German shop system writes them; every third customer has an umlaut, every tenth order is cancelled."""
    folder, draw = tmp_path_factory.mktemp("exporte"), random.Random(5)  # noqa: S311 - not a secret
    orders, lines = [], []
    for number in range(1, 4 * CUSTOMERS + 1):
        day = LAST - dt.timedelta(days=draw.randrange(DAYS))
        state = STATES[2] if number % 10 == 0 else draw.choice(STATES[:2])
        when = f"{day:%d.%m.%Y} {draw.randrange(24):02}:{draw.randrange(60):02}"
        orders.append([f"B-{number}", f"K{draw.randrange(CUSTOMERS)}", when, state])
        for position in range(1, draw.randrange(1, 4) + 1):
            price = Decimal(draw.randrange(500, 250_000)) / 100
            lines.append([f"B-{number}", position, f"A{draw.randrange(30)}", draw.randrange(1, 4), german(price)])
    for name, header, rows in (
        ("Bestellungen.csv", ["Bestellnummer", "Kundennummer", "Bestelldatum", "Bestellstatus"], orders),
        ("Bestellpositionen.csv", ["Bestellnummer", "Position", "Artikelnummer", "Menge", "Einzelpreis"], lines),
        ("Kunden.csv", ["Kundennummer", "Land", "Straße"], [[f"K{n}", "de", "Bäckerweg 3"] for n in range(CUSTOMERS)]),
    ):
        with (folder / name).open("w", encoding="cp1252", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, *rows])
    return folder


@pytest.fixture(scope="module")
def shop(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that the command wrote, and what it said."""
    target = tmp_path_factory.mktemp("laden") / "shop"
    arguments = ["init", str(target), "--from", str(exports), "--time-zone", "Europe/Berlin", "--name", "Laden"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return target, result.output


def test_the_command_says_what_it_found_and_what_to_do_next(shop: tuple[Path, str]) -> None:
    target, said = shop
    assert "Bestellungen.csv       orders" in said
    assert "missing  refunds: net is gross" in said
    assert f"loyalty run --config {target / 'loyalty.yaml'}" in said


def test_the_settings_say_how_the_files_are_written(shop: tuple[Path, str]) -> None:
    settings = yaml.safe_load((shop[0] / "loyalty.yaml").read_text(encoding="utf-8"))
    tables = settings["sources"]["shop"]["tables"]
    assert {table["delimiter"] for table in tables.values()} == {";"}
    assert (tables["customers"]["encoding"], "encoding" in tables["orders"]) == ("cp1252", False)
    assert settings["as_of"] <= LAST
    page = (shop[0] / "README.md").read_text(encoding="utf-8")
    assert "| ordered_at | Bestelldatum | 100 % |" in page
    assert "Straße" in page


def test_a_second_time_nothing_is_overwritten(shop: tuple[Path, str], exports: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(shop[0]), "--from", str(exports)])
    assert result.exit_code == 1
    assert "has a loyalty.yaml already; choose another folder, or remove it" in result.output


def test_the_night_runs_as_it_is_and_holds_every_cent(shop: tuple[Path, str], exports: Path, tmp_path: Path) -> None:
    settings = load_settings(shop[0] / "loyalty.yaml", home=tmp_path / "home")
    run_night(settings, settings.night(), None, dg.DagsterInstance.ephemeral())
    with duckdb.connect(str(tmp_path / "home" / "published" / "loyalty.duckdb"), read_only=True) as con:
        said = con.execute(
            "select count(*), count(*) filter (where exclusion_reason is null), "
            "count(*) filter (where exclusion_reason = 'cancelled'), sum(gross_amount) from marts.fct_orders"
        ).fetchone()
        lines = con.execute("select count(*) from marts.fct_order_lines").fetchone()
    with (exports / "Bestellpositionen.csv").open(encoding="cp1252", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    total = sum(int(row["Menge"]) * Decimal(row["Einzelpreis"].replace(".", "").replace(",", ".")) for row in rows)
    cancelled = 4 * CUSTOMERS // 10
    assert said == (4 * CUSTOMERS, 4 * CUSTOMERS - cancelled, cancelled, total)
    assert lines == (len(rows),)
