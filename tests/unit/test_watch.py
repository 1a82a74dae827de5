"""One look at a home: what Dagster's records, ledgers and versions give rise to, and that it is told once."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from typer.testing import CliRunner

from dagster_project import run_sightings
from dagster_project.cli import app
from dagster_project.doctor import examine
from dagster_project.nightly import dg_instance
from dagster_project.sensors import alerts_sensor
from dagster_project.settings import Settings, load_settings
from dagster_project.warehouse import Warehouse
from dagster_project.watch import look
from expectations.suite import CheckCrashed

NOW = dt.datetime.now(dt.UTC)
FIRST_NIGHT = dt.date(2024, 1, 1)
PEOPLE = "anna@mail.example"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A shop that tells its alerts to a file."""
    described: dict[str, Any] = {
        "business": {"name": "Shop", "currency": "EUR", "time_zone": "Europe/Berlin", "first_night": FIRST_NIGHT},
        "sources": {"till": {"folder": str(tmp_path), "tables": {
            "orders": {"files": "orders.csv", "columns": ["order_id"], "stale_after_hours": 30}}}},
        "home": str(tmp_path / "home"),
        "alerts": {"channels": [{"kind": "file"}]},
    }  # fmt: skip
    path = tmp_path / "loyalty.yaml"
    path.write_text(yaml.safe_dump(described), encoding="utf-8")
    return path


@pytest.fixture
def settings(config: Path) -> Settings:
    return load_settings(config)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def run_night(
    instance: dg.DagsterInstance, *, is_passed: bool = True, fault: Exception | None = None, is_warning: bool = False
) -> None:
    """A run of a job that has the nightly job's name, one check and one step."""
    severity = dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR
    spec = dg.AssetCheckSpec("total_is_positive", asset=["marts", "fct_orders"])

    @dg.multi_asset(name="marts", specs=[dg.AssetSpec(["marts", "fct_orders"])], check_specs=[spec])
    def marts() -> Iterator[Any]:
        yield dg.MaterializeResult(asset_key=["marts", "fct_orders"])
        yield dg.AssetCheckResult(
            passed=is_passed, check_name="total_is_positive", asset_key=["marts", "fct_orders"], severity=severity,
            description="A negative total is no sale.",
            metadata={"failing_rows": 3, "observed": "3 of 9 rows", "cure": "Book returns."},
        )  # fmt: skip
        if fault is not None:
            raise fault

    definitions = dg.Definitions(assets=[marts], jobs=[dg.define_asset_job("nightly_job")])
    definitions.resolve_job_def("nightly_job").execute_in_process(
        instance=instance, raise_on_error=False, tags={"dagster/partition": "2025-12-31"}
    )


def told(settings: Settings) -> list[dict[str, Any]]:
    """What stands in the file of alerts."""
    path = settings.home / "alerts" / "messages.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def publish(settings: Settings, night: dt.date) -> None:
    folder = settings.home / "published" / "versions" / f"{night}_001"
    folder.mkdir(parents=True)
    manifest = {"version": folder.name, "as_of": str(night), "created_at": "", "business": "", "tables": {},
                "checks": {}, "fingerprint": {}}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_a_failed_run_is_told_once_without_what_it_quotes_and_again_when_it_is_well(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_night(instance, fault=ValueError(f"cannot read 'Anna Schmidt' of 'orders.csv': {PEOPLE}"))
    assert look(settings, instance, NOW).message is not None
    assert look(settings, instance, NOW).message is None
    [first] = told(settings)
    assert first["subject"] == "[Shop] CRITICAL: the night of 2025-12-31 stopped: marts failed"
    assert "cannot read '...' of 'orders.csv': ... Readers keep the version before." in first["text"]
    run_night(instance, fault=ValueError("cannot read 'Berta'"))
    assert look(settings, instance, NOW).message is None, "the same night failing alike is the same problem"
    run_night(instance)
    look(settings, instance, NOW)
    assert told(settings)[1]["recovered"] == ["the night of 2025-12-31 stopped: marts failed"]
    run_night(instance, fault=ValueError("again"))
    look(settings, instance, NOW)
    assert len(told(settings)) == 3


def test_a_check_that_failed_is_told_although_the_run_succeeded(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_night(instance, is_passed=False, is_warning=True)
    look(settings, instance, NOW)
    [message] = told(settings)
    assert message["subject"] == "[Shop] warning: check total_is_positive failed on marts.fct_orders"
    said = "3 failing rows on the night of 2025-12-31. A negative total is no sale. "
    said += "Book returns. The night went on;"
    assert said in message["text"]
    run_night(instance)
    look(settings, instance, NOW)
    assert told(settings)[1]["recovered"] == ["check total_is_positive failed on marts.fct_orders"]


def test_what_stopped_the_night_is_told_before_the_check_that_did(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_night(instance, is_passed=False, fault=RuntimeError("check total_is_positive failed on marts.fct_orders"))
    look(settings, instance, NOW)
    [message] = told(settings)
    assert message["subject"] == "[Shop] CRITICAL: the night of 2025-12-31 stopped: marts failed (and 1 more)"
    assert [alert["key"].partition(":")[0] for alert in message["alerts"]] == ["run_failed", "check"]


def test_a_failed_check_is_critical_and_a_crashed_one_is_told_as_neither_pass_nor_failure(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_night(instance, is_passed=False)
    look(settings, instance, NOW)
    assert told(settings)[0]["alerts"][0]["severity"] == "critical"
    assert "A negative total is no sale. Book returns. Readers keep the version before;" in told(settings)[0]["text"]
    run_night(instance, fault=CheckCrashed("suite x could not be evaluated"))
    look(settings, instance, NOW)
    assert "a check could not be evaluated" in told(settings)[1]["subject"]


def test_a_failure_that_was_cured_before_the_look_is_not_told(settings: Settings, instance: dg.DagsterInstance) -> None:
    run_night(instance, is_passed=False, fault=ValueError("x"))
    run_night(instance)
    assert look(settings, instance, NOW).message is None


def test_a_run_of_which_no_process_is_left_is_told_as_dead(settings: Settings, instance: dg.DagsterInstance) -> None:
    now = dt.datetime.now(dt.UTC)  # Dagster stamps the run with the clock
    run = dg.DagsterRun(
        job_name="nightly_job", run_id=dg._core.utils.make_new_run_id(), status=dg.DagsterRunStatus.NOT_STARTED,
        tags={"dagster/partition": "2025-12-31"},
    )  # fmt: skip
    instance.add_run(run)
    instance.report_dagster_event(
        dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, "nightly_job"), run_id=run.run_id
    )
    later = now + dt.timedelta(minutes=10)
    with Warehouse(settings).exclusive():
        assert look(settings, instance, later).message is None, "its process is alive"
    assert (settings.home / "run.lock").read_text() == f"process {os.getpid()}", "alive, and not it"
    assert look(settings, instance, now).message is None, "it may not hold its home yet"
    look(settings, instance, later)
    [message] = told(settings)
    assert "the run of the night of 2025-12-31 died" in message["subject"]
    instance.delete_run(run.run_id)
    run_night(instance)
    look(settings, instance, later)
    assert told(settings)[1]["recovered"] == ["the run of the night of 2025-12-31 died"]


def test_a_late_night_is_told_when_it_is_due_and_is_over_when_it_is_published(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    publish(settings, dt.date(2025, 12, 30))
    due = dt.datetime(2026, 1, 1, 5, tzinfo=dt.UTC)  # three in the night and three hours, in Berlin
    assert look(settings, instance, due - dt.timedelta(minutes=1)).message is None
    look(settings, instance, due)
    assert told(settings)[0]["subject"] == "[Shop] CRITICAL: the night of 2025-12-31 is not published"
    publish(settings, dt.date(2025, 12, 31))
    look(settings, instance, due)
    assert told(settings)[1]["recovered"] == ["the night of 2025-12-31 is not published"]


def test_a_night_that_a_later_one_overtook_is_told_as_superseded_and_never_as_well(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    publish(settings, dt.date(2025, 12, 30))
    due = dt.datetime(2026, 1, 1, 5, tzinfo=dt.UTC)
    look(settings, instance, due)
    publish(settings, dt.date(2026, 1, 1))
    for hours in (24, 25, 26):
        look(settings, instance, due + dt.timedelta(hours=hours))
    late, overtaken = told(settings)
    assert [alert["key"] for alert in late["alerts"]] == ["night_is_late:2025-12-31"]
    assert overtaken["subject"] == "[Shop] superseded: the night of 2025-12-31 is not published"
    assert (overtaken["recovered"], overtaken["superseded"]) == ([], ["the night of 2025-12-31 is not published"])
    assert "SUPERSEDED: the night of 2025-12-31 is not published, and a later one is" in overtaken["text"]


def test_nights_that_were_missed_while_nobody_looked_are_told_once(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    publish(settings, dt.date(2025, 12, 25))
    look(settings, instance, dt.datetime(2025, 12, 26, 5, tzinfo=dt.UTC))
    for day in (27, 29):
        publish(settings, dt.date(2025, 12, day))
    back = dt.datetime(2026, 1, 1, 5, tzinfo=dt.UTC)
    for hours in (0, 1, 2):
        look(settings, instance, back + dt.timedelta(hours=hours))
    [message] = told(settings)
    assert message["superseded"] == [f"the night of 2025-12-{day} is not published" for day in (26, 28)]
    assert [alert["key"] for alert in message["alerts"]] == [f"night_is_late:2025-12-{day}" for day in (30, 31)]


def test_a_night_that_was_published_and_is_no_longer_kept_is_not_late(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    publish(settings, dt.date(2025, 12, 30))
    run_night(instance)  # of the last day of the year; its version was withdrawn
    assert look(settings, instance, dt.datetime(2026, 1, 1, 5, tzinfo=dt.UTC)).message is None


@pytest.mark.parametrize("days", [40, 4_000])
def test_looking_back_ends_after_a_month(days: int, settings: Settings, instance: dg.DagsterInstance) -> None:
    publish(settings, dt.date(2025, 1, 1))
    first = dt.datetime(2025, 1, 2, 5, tzinfo=dt.UTC)
    assert look(settings, instance, first).message is None
    assert look(settings, instance, first + dt.timedelta(days=days)).count_open == 31


def test_a_shop_of_one_fixed_night_expects_no_other(
    settings: Settings, instance: dg.DagsterInstance, config: Path
) -> None:
    publish(settings, dt.date(2025, 12, 30))
    fixed = load_settings(config, as_of=dt.date(2025, 12, 30))
    assert look(fixed, instance, NOW + dt.timedelta(days=30)).message is None


def test_a_stale_feed_is_told_from_the_ledger(settings: Settings, instance: dg.DagsterInstance) -> None:
    folder = settings.home / "landing" / "till" / "orders"
    folder.mkdir(parents=True)
    loaded_at = NOW - dt.timedelta(hours=31)
    load = {"file": "orders.csv", "load_id": "0" * 16, "sha256": "", "bytes": 1, "rows": 1, "rejected": 0,
            "loaded_at": loaded_at.isoformat(), "columns": {"order_id": "VARCHAR"}}  # fmt: skip
    (folder / "loads.json").write_text(json.dumps([load]), encoding="utf-8")
    look(settings, instance, NOW - dt.timedelta(hours=2))
    assert told(settings) == []
    look(settings, instance, NOW)
    assert told(settings)[0]["alerts"][0]["key"] == "feed_is_stale:till.orders"
    (folder / "loads.json").write_text(json.dumps([load | {"loaded_at": NOW.isoformat()}]), encoding="utf-8")
    look(settings, instance, NOW)
    assert told(settings)[1]["recovered"] == ["feed till.orders is stale"]


def test_the_sensor_looks_tells_and_leaves_its_heartbeat(settings: Settings, instance: dg.DagsterInstance) -> None:
    run_night(instance, is_passed=False)
    sensor = alerts_sensor(settings)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    found = sensor(dg.build_sensor_context(instance=instance))
    assert isinstance(found, dg.SkipReason)
    assert found.skip_message is not None
    assert found.skip_message.startswith("1 open problems, told: [Shop] CRITICAL: check total_is_positive failed")
    [look_of_doctor] = [finding for finding in examine(settings) if finding.subject == "alerts"]
    assert look_of_doctor.is_well, look_of_doctor.text
    assert "1 open problem" in look_of_doctor.text


def test_a_tick_that_cannot_deliver_fails_and_the_next_one_delivers(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_night(instance, is_passed=False)
    blocked = settings.home / "alerts" / "messages.jsonl"
    blocked.mkdir(parents=True)
    with pytest.raises(dg.Failure, match="cannot be written"):
        alerts_sensor(settings)(dg.build_sensor_context(instance=instance))
    [finding] = [finding for finding in examine(settings) if finding.subject == "alerts"]
    assert not finding.is_well
    blocked.rmdir()
    alerts_sensor(settings)(dg.build_sensor_context(instance=instance))
    assert len(told(settings)) == 1


def test_doctor_notices_that_nobody_has_looked_for_long(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def finding() -> tuple[bool, str]:
        [found] = [found for found in examine(settings) if found.subject == "alerts"]
        return found.is_well, found.text

    assert finding() == (
        False,
        "1 channel, and nobody has looked yet: turn alerts_sensor on, or `loyalty alerts check`",
    )
    look(settings, instance, dt.datetime.now(dt.UTC) - dt.timedelta(hours=2))
    is_well, text = finding()
    assert not is_well
    assert "the last look was 120 minutes ago" in text


def test_the_command_line_looks_and_sends_tests(settings: Settings, config: Path) -> None:
    with dg_instance(settings) as kept:
        run_night(kept, is_passed=False)
    checked = CliRunner().invoke(app, ["alerts", "check", "--config", str(config)])
    assert (checked.exit_code, checked.output.splitlines()[1]) == (
        0, "CRITICAL: check total_is_positive failed on marts.fct_orders"
    )  # fmt: skip
    sent = CliRunner().invoke(app, ["alerts", "test", "--config", str(config)])
    assert sent.exit_code == 0
    assert [message["subject"] for message in told(settings)][1] == "[Shop] warning: this is a test of the alerts"


def test_a_heartbeat_address_that_is_not_set_is_reported(
    config: Path, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SHOP_BEAT", raising=False)
    settings = load_settings(config, alerts={"heartbeat_url_variable": "SHOP_BEAT"})
    assert look(settings, instance, NOW).undelivered == [
        "heartbeat of SHOP_BEAT: variable SHOP_BEAT is not set; set it where Dagster and `loyalty` run"
    ]


def test_what_the_watch_calls_a_crash_is_the_suites_own_error() -> None:
    assert CheckCrashed.__name__ == run_sightings.CRASHED
