"""What may stop a night between landing and publishing: a rule that fails, a rule that crashes, another run."""

from __future__ import annotations

import datetime as dt
import hmac
import re
from collections.abc import Iterable
from typing import Any

import dagster as dg
import pytest
from corner_shop import NIGHT, CornerShop
from typer.testing import CliRunner

from dagster_project import checks, nightly
from dagster_project.cli import app
from dagster_project.finding import FindError, TableRows, find_rows
from dagster_project.nightly import NightFailed
from dagster_project.publishing.versions import VersionError
from dagster_project.warehouse import Warehouse
from dagster_project.watch import look
from expectations.cures import cure_of
from expectations.suite import Rule, Suite, load_suites

ADDRESS = "ann@example.com"
KEY = "a key for tests only"  # as conftest sets it


def add_rule(monkeypatch: pytest.MonkeyPatch, layer: str, table: str, rule: Rule) -> None:
    """Let one suite have one rule more."""

    def with_one_more(asked: str, *where: Iterable[Any]) -> list[Suite]:
        return [
            Suite(suite.layer, suite.table, (*suite.rules, rule))
            if (suite.layer, suite.table) == (layer, table)
            else suite
            for suite in load_suites(asked, *where)
        ]

    monkeypatch.setattr(checks, "load_suites", with_one_more)


def broken_night(shop: CornerShop, instance: dg.DagsterInstance | None = None) -> tuple[str, list[str]]:
    """What a night that must fail says, and the steps that it began."""
    steps: list[str] = []
    with pytest.raises(NightFailed) as caught:
        shop.run(lambda name, state, _: steps.append(name) if state == "started" else None, instance)
    assert "\n" not in str(caught.value)
    return str(caught.value), steps


def test_an_unknown_order_status_fails_the_night_by_name_and_tells_no_id_of_the_source(shop: CornerShop) -> None:
    shop.configure(lambda settings: settings.update(alerts={"channels": [{"kind": "file"}]}))
    before = shop.seen()
    [(count_orders,)] = shop.query("select count(*) from marts.fct_orders")
    teleported = shop.row("orders.csv", 1)
    teleported[0], teleported[3] = ADDRESS, "teleported"
    [row] = shop.append("orders.csv", teleported)
    instance = dg.DagsterInstance.ephemeral()
    said, steps = broken_night(shop, instance)
    told = "order_key_hash=" + hmac.new(KEY.encode(), f"demo:{ADDRESS}".encode(), "sha256").hexdigest()[:32]
    assert said.startswith(
        "marts_checks: check order_status_is_known failed on marts.fct_orders: "
        f"1 of {count_orders + 1} rows ({told}). A status that no staging model maps is neither a sale nor an "
        "exclusion. Map the status in the staging model of orders of that source; "
    )
    assert said.endswith(f"Every rule is in {shop.home}/data_docs/index.html. (readers still see {before.version})")
    assert steps == ["raw", "raw_checks", "dbt_facts", "marts_checks"]
    assert shop.seen() == before
    docs = shop.home / "data_docs"
    first = (docs / "index.html").read_text(encoding="utf-8")
    assert f"The night of {NIGHT}, which marts_checks stopped." in first
    failed = first.partition("What failed")[2].partition("</table>")[0]
    [link] = re.findall(r'<a href="([^"]+)">marts__fct_orders</a></td><td>order status is known</td>', failed)
    assert "Map the status in the staging model of orders of that source" in failed
    assert "order status is known" in (docs / link).read_text(encoding="utf-8").replace("_", " ")
    assert "raw__demo__orders" in first, "what was evaluated before is there, too"
    assert "models__customer_clv" not in first, "and nothing of an earlier night"

    with Warehouse(shop.settings()).connect() as con:
        kept = con.execute("from quality.check_results where not is_passed").fetchall()
    [run] = instance.get_runs()
    records = [repr(record) for record in instance.all_logs(run.run_id)]
    look(shop.settings(), instance, dt.datetime.now(dt.UTC))
    alert = (shop.home / "alerts" / "messages.jsonl").read_text(encoding="utf-8")
    assert told in repr(kept)
    assert told in "".join(records)
    assert "order_status_is_known" in alert
    assert all("Map the status in the staging model of orders of that source; " in text for text in (repr(kept), alert))
    assert ADDRESS not in repr(kept) + "".join(records) + alert

    found = find_rows(shop.settings(), told)
    assert (found.column, found.value, found.build) == ("order_key", f"demo:{ADDRESS}", f"the build of {NIGHT}")
    assert TableRows("marts.fct_orders", 1) in found.tables
    assert TableRows("staging.stg_demo__orders", 1, (("orders.csv", row),)) in found.tables
    shown = CliRunner().invoke(app, ["find", told, "--config", str(shop.config)]).output
    assert f"orders.csv, row {row}" in shown
    assert ADDRESS not in shown
    assert ADDRESS in CliRunner().invoke(app, ["find", told, "--with-value", "--config", str(shop.config)]).output
    with pytest.raises(FindError, match=rf"no row of the build of {NIGHT} or of version \S+ has this order_key: "):
        find_rows(shop.settings(), "order_key_hash=" + "0" * 32)


def test_a_failing_critical_rule_stops_the_night_before_anything_is_built_on_it(
    shop: CornerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.seen()
    rule = Rule("no_order_is_by_phone", "The till has no phone.", "critical", "till", rows_that_break="from {batch}")
    add_rule(monkeypatch, "raw", "demo__orders", rule)
    said, steps = broken_night(shop)
    rows = (shop.deliveries / "orders.csv").read_bytes().count(b"\n") - 1
    first = "; ".join(f"_file=orders.csv, _row_number={number}" for number in range(1, 6))
    assert said == (
        f"raw_checks: check no_order_is_by_phone failed on raw.demo__orders: observed {rows} ({first}). "
        f"The till has no phone. {cure_of(Suite('raw', 'demo__orders', (rule,)), rule)} "
        f"Every rule is in {shop.home}/data_docs/index.html. (readers still see {before.version})"
    )
    assert steps == ["raw", "raw_checks"]
    assert shop.seen() == before


def test_a_crashing_rule_stops_the_night_and_is_neither_pass_nor_failure(
    shop: CornerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = shop.seen()
    rule = Rule("mood_is_good", "A bad mood buys less.", "warning", "till", "column_values_to_not_be_null",
                arguments={"column": "mood"})  # fmt: skip
    add_rule(monkeypatch, "raw", "demo__orders", rule)
    instance = dg.DagsterInstance.ephemeral()
    said, steps = broken_night(shop, instance)
    assert said.startswith("raw_checks: suite raw__demo__orders, rule mood_is_good could not be evaluated: ")
    assert steps == ["raw", "raw_checks"]
    assert shop.seen() == before
    with Warehouse(shop.settings()).connect() as con:
        tables = con.execute("select table_name from duckdb_tables() where table_name = 'check_results'").fetchall()
        assert (
            tables == [] or con.execute("from quality.check_results where check_name = 'mood_is_good'").fetchall() == []
        )
    [run] = instance.get_runs()
    logs = instance.all_logs(run.run_id)
    assert any(log.dagster_event_type == dg.DagsterEventType.STEP_FAILURE for log in logs)
    evaluated = [log for log in logs if log.dagster_event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION]
    assert {log.step_key for log in evaluated} <= {"raw"}, "deliveries are judged as they land; the suite told nothing"


@pytest.mark.parametrize("is_asked_first", [True, False])
def test_a_home_of_another_shop_is_refused_before_anything_is_landed(
    is_asked_first: bool, shop: CornerShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command before it makes a run, and by the first step of a run that a schedule has begun."""
    before, landed = shop.seen(), shop.landed()
    shop.configure(lambda settings: settings["business"].update(name="Kiosk"))
    shop.append("orders.csv", shop.row("orders.csv", 1))
    if not is_asked_first:
        monkeypatch.setattr(nightly, "require_own_versions", lambda *_: None)
    instance = dg.DagsterInstance.ephemeral()
    with pytest.raises(VersionError if is_asked_first else NightFailed) as caught:
        shop.run(instance=instance)
    said = f"{shop.home}/published holds versions of 'Corner shop', expected those of 'Kiosk'; give each shop a home"
    assert said in str(caught.value)
    assert len(instance.get_runs()) == (not is_asked_first)
    assert (shop.seen(), shop.landed()) == (before, landed)


def test_a_second_run_at_once_is_refused_by_name(shop: CornerShop) -> None:
    with Warehouse(shop.settings()).exclusive():
        done = shop.command("run")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: another run (process ")
    assert line.endswith(f") holds {shop.home}; wait for it to end, or give this one another LOYALTY_HOME")
