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
CUSTOMER_ROWS = [
    [f"K{n}", "de", "Bäckerweg 3", f"kunde{n // 2 if n < 20 else n}@beispiel.de"] for n in range(CUSTOMERS)
]
"""The first twenty accounts are ten people."""
POINTS = [[f"P{n}", f"K{n % 7}", ("Gesammelt", "Eingelöst")[n % 2], 10 + n, f"{1 + n % 28}.5.2025"] for n in range(80)]
TICKETS = [[f"T{n}", f"K{n % 9}", ("niedrig", "hoch")[n % 2], f"{1 + n % 28}.4.2025 9:00"] for n in range(40)]
TICKET_EVENTS = [
    [f"T{n}", said, f"{1 + n % 28}.4.2025 {hour}:00"]
    for n in range(40)
    for said, hour in (("eröffnet", 9), ("Antwort", 12), ("gelöst", 15))
]
TICKETS += [["T-gap", "K1", "hoch", "9.3.2025 2:30"], ["T-fold", "K1", "hoch", "3.11.2024 1:30"]]
"""In New York the first did not happen, the second twice."""
RATES = [[f"{day}.6.2025", "USD", f"0,9{day:02}"] for day in range(1, 29)]


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
        arrival = f"{day + dt.timedelta(days=number % 9):%d.%m.%Y}" if state == STATES[0] else ""
        orders.append([f"B-{number}", f"K{draw.randrange(CUSTOMERS)}", when, state, arrival])
        for position in range(1, draw.randrange(1, 4) + 1):
            price = Decimal(draw.randrange(500, 250_000)) / 100
            lines.append([f"B-{number}", position, f"A{draw.randrange(30)}", draw.randrange(1, 4), german(price)])
    for name, header, rows in (
        ("Bestellungen.csv", ["Bestellnummer", "Kundennummer", "Bestelldatum", "Bestellstatus", "Lieferdatum"], orders),
        ("Bestellpositionen.csv", ["Bestellnummer", "Position", "Artikelnummer", "Menge", "Einzelpreis"], lines),
        ("Kunden.csv", ["Kundennummer", "Land", "Straße", "E-Mail"], CUSTOMER_ROWS),
        ("Punktebuchungen.csv", ["Buchungsnummer", "Kundennummer", "Buchungsart", "Punkte", "Gebucht am"], POINTS),
        ("Serviceanfragen.csv", ["Ticketnummer", "Kundennummer", "Priorität", "Eröffnet am"], TICKETS),
        ("Ticketverlauf.csv", ["Ticketnummer", "Ereignis", "Zeitpunkt"], TICKET_EVENTS),
        ("Wechselkurse.csv", ["Kursdatum", "Währung", "Kurs"], RATES),
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
    written = (target / "loyalty.yaml").read_text(encoding="utf-8")
    for table in ("support_contacts", "support_events"):
        written = written.replace(f"      {table}:\n", f"      {table}:\n        time_zone: America/New_York\n")
    (target / "loyalty.yaml").write_text(written, encoding="utf-8")
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


@pytest.fixture(scope="module")
def night(shop: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The warehouse that the folder publishes, as it was written."""
    settings = load_settings(shop[0] / "loyalty.yaml", home=tmp_path_factory.mktemp("night") / "home")
    run_night(settings, settings.night(), None, dg.DagsterInstance.ephemeral())
    return settings.home / "published" / "loyalty.duckdb"


def test_the_night_runs_as_it_is_and_holds_every_cent(night: Path, exports: Path) -> None:
    with duckdb.connect(str(night), read_only=True) as con:
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


def test_the_feeds_beside_orders_are_read_in_our_words(night: Path) -> None:
    with duckdb.connect(str(night), read_only=True) as con:
        told = {
            name: con.execute(query).fetchone()
            for name, query in {
                "points": "select count(*), sum(points) from marts.fct_points_ledger",
                "tickets": "select count(*), count(*) filter (where severity = 'high'), count(*) filter (where "
                "first_replied_at is not null) from marts.fct_support_contacts",
                "people": "select count(*), count(distinct customer_key) from marts.customer_merges",
                "arrived": "select count(*) from marts.fct_orders where delivered_at is not null",
                "unreconciled": "select count(*) from quality.reconciliation where not is_reconciled",
                "refused": "select count(*) from quality.quarantined_rows",
            }.items()
        }
        states = con.execute("select count(*) from marts.fct_orders where order_status = 'delivered'").fetchone()
    assert told == {
        "points": (len(POINTS), sum(row[3] if row[2] == "Gesammelt" else -row[3] for row in POINTS)),
        "tickets": (42, 22, 40),
        "people": (10, 10),
        "arrived": told["arrived"],
        "unreconciled": (0,),
        "refused": (0,),
    }
    assert told["arrived"] is not None
    assert states is not None
    assert 0 < told["arrived"][0] <= states[0]


def test_wall_times_of_a_feed_are_of_its_own_time_zone(night: Path) -> None:
    """In the gap the clock is read as if it had not moved yet; what happens twice is the second, in winter time."""
    tickets = {"T0": "2025-04-01 13:00", "T-gap": "2025-03-09 07:30", "T-fold": "2024-11-03 06:30"}
    with duckdb.connect(str(night), read_only=True) as con:
        opened = dict(
            con.execute(
                "select contact_id, opened_at from marts.fct_support_contacts "
                "where contact_id in ('T0', 'T-gap', 'T-fold')"
            ).fetchall()
        )
        points = con.execute("select effective_at from marts.fct_points_ledger where event_id = 'P0'").fetchone()
    assert opened == {name: dt.datetime.fromisoformat(instant) for name, instant in tickets.items()}
    assert points == (dt.datetime.fromisoformat("2025-04-30 22:00"),), "in Berlin, as the shop"
