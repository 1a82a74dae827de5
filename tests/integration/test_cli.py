"""The command line on a published shop: what it prints, and one line with a cure where it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from corner_shop import CornerShop
from typer.testing import CliRunner, Result

from dagster_project.cli import app


def loyalty(shop: CornerShop, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(shop.config)])


@pytest.mark.parametrize(
    "command", ["run", "status", "versions", "rollback", "diff", "query", "metrics", "report", "doctor", "forget"]
)
def test_every_command_has_help(command: str) -> None:
    found = CliRunner().invoke(app, [command, "--help"])
    assert found.exit_code == 0
    assert "--config" in found.output


def test_status_names_the_version_and_its_checks(shop: CornerShop) -> None:
    found = loyalty(shop, "status")
    assert found.exit_code == 0
    assert "published  2025-12-30_001, as of 2025-12-30" in found.output
    assert "totals reconciled" in found.output
    assert "no unpublished build" in found.output


def test_versions_marks_the_current_one(shop: CornerShop) -> None:
    found = loyalty(shop, "versions")
    assert [line.split()[:2] for line in found.output.splitlines() if "2025-12-30_001" in line] == [
        ["*", "2025-12-30_001"]
    ]


def test_rollback_to_an_unknown_version_lists_those_that_there_are(shop: CornerShop) -> None:
    found = loyalty(shop, "rollback", "1999-01-01_001")
    assert found.exit_code == 1
    assert "no version '1999-01-01_001'" in found.stderr
    assert "2025-12-30_001" in found.stderr


def test_rollback_goes_to_a_known_version(shop: CornerShop) -> None:
    found = loyalty(shop, "rollback", "2025-12-30_001")
    assert (found.exit_code, found.output) == (0, "Readers now see 2025-12-30_001, as of 2025-12-30.\n")


def test_forget_says_whose_records_are_erased_and_what_is_left_to_do(shop: CornerShop) -> None:
    [(customer_id,)] = shop.query("select customer_id from marts.dim_customers where count_accounts = 1 limit 1")
    found = loyalty(shop, "forget", f"demo:{customer_id}")
    assert found.exit_code == 0
    assert f"forgotten  demo:{customer_id}" in found.output
    assert "Run the night now: it publishes without this customer" in found.output


def test_forget_of_nobody_says_how_customers_are_named(shop: CornerShop) -> None:
    found = loyalty(shop, "forget", "demo:nobody")
    assert found.exit_code == 1
    assert "knows no customer 'demo:nobody'; write source:customer_id" in found.stderr


def test_diff_of_a_version_with_itself_is_none(shop: CornerShop) -> None:
    found = loyalty(shop, "diff", "2025-12-30_001", "2025-12-30_001")
    assert found.exit_code == 0
    assert found.output.splitlines()[1] == "no difference"


def test_metrics_shows_values_with_intervals_and_bases(shop: CornerShop) -> None:
    found = loyalty(shop, "metrics")
    assert found.exit_code == 0
    assert "repeat_purchase_rate" in found.output
    assert "not mature yet" in found.output


def test_a_metric_comes_with_its_definition(shop: CornerShop) -> None:
    found = loyalty(shop, "metrics", "repeat_purchase_rate_within_window")
    assert "came within 90 days of the first" in found.output


def test_an_unknown_metric_lists_those_that_there_are(shop: CornerShop) -> None:
    found = loyalty(shop, "metrics", "happiness")
    assert found.exit_code == 1
    assert found.stderr.startswith("error: no metric 'happiness'; there are: ")
    assert " average_order_value, " in found.stderr


def test_query_prints_tables_csv_and_json(shop: CornerShop) -> None:
    sql = "select 1 as one, null as nothing, '[red]' as marked"
    assert loyalty(shop, "query", sql).output.split() == ["one", "nothing", "marked", "1", "-", "[red]"]
    assert loyalty(shop, "query", sql, "--format", "csv").output.splitlines() == ["one,nothing,marked", "1,,[red]"]
    assert json.loads(loyalty(shop, "query", sql, "-f", "json").output) == [
        {"one": 1, "nothing": None, "marked": "[red]"}
    ]


def test_query_says_when_rows_are_left_out(shop: CornerShop) -> None:
    found = loyalty(shop, "query", "select order_key from marts.fct_orders", "--limit", "3")
    assert len(found.stdout.splitlines()) == 4
    assert "Only the first 3 rows" in found.stderr


@pytest.mark.parametrize(
    ("sql", "fault"),
    [
        (" ", "' ' holds no statement; expected one SELECT"),
        ("selekt 1", "syntax error"),
        ("select * from marts.fct_order", "fct_order does not exist"),
        ("delete from marts.fct_orders", "read-only"),
        ("select * from read_csv('/etc/passwd')", "disabled"),
        ("copy marts.fct_orders to '/tmp/stolen.csv'", "disabled"),
        ("set enable_external_access = true", "configuration has been locked"),
    ],
)
def test_query_can_only_read_the_published_file(shop: CornerShop, sql: str, fault: str) -> None:
    found = loyalty(shop, "query", sql)
    assert found.exit_code == 1
    assert fault in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_report_writes_the_page_and_says_where(shop: CornerShop) -> None:
    found = loyalty(shop, "report")
    assert found.exit_code == 0
    assert "Corner shop" in Path(found.output.strip()).read_text(encoding="utf-8")


def test_doctor_finds_a_healthy_shop_well(shop: CornerShop) -> None:
    found = loyalty(shop, "doctor")
    assert found.exit_code == 0
    assert {line.split()[0] for line in found.output.splitlines()} == {"well"}


def test_doctor_finds_a_missing_file(shop: CornerShop) -> None:
    (shop.deliveries / "refunds.csv").unlink()
    found = loyalty(shop, "doctor")
    assert found.exit_code == 1
    [ill] = [line for line in found.output.splitlines() if line.startswith("ill")]
    assert "sources" in ill
    assert "refunds.csv" in ill


def test_commands_that_need_a_version_say_what_to_run(tmp_path: Path) -> None:
    shop = CornerShop(tmp_path)
    shop.configure(lambda settings: None)
    for arguments in (("metrics",), ("query", "select 1"), ("report",)):
        found = loyalty(shop, *arguments)
        assert found.exit_code == 1
        assert "run `loyalty run` first" in found.stderr
    assert "nothing yet" in loyalty(shop, "status").output


def test_settings_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    found = CliRunner().invoke(app, ["status", "--config", str(tmp_path / "none.yaml")])
    assert found.exit_code == 1
    assert found.stderr.startswith("error: no settings at ")
    assert len(found.stderr.splitlines()) == 1
