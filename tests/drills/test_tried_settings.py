"""Settings tried on metrics, in the large: none may move that does not say so, and real builds must say the same.

The short form looks only whether every setting that enters a metric has other values.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from corner_shop import NIGHT, CornerShop
from long_form import IS_LONG

from dagster_project.dbt_runner import DEFINITION_VARIABLES, DbtRunner
from dagster_project.explaining.alternatives import ALTERNATIVES, WINDOW_SETTING, alternatives
from dagster_project.explaining.headlines import named
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.sensitivity import Decisions, estimate, write_one_state
from dagster_project.explaining.trial_database import Number
from dagster_project.explaining.trials import Trial, subject_of, try_settings
from dagster_project.metric_trials import opened_trial
from dagster_project.publishing.versions import current_database, read_manifest

EVERYWHERE = {"minimum_base"}
"""Settings of all metrics, which none names."""


@pytest.fixture(scope="module")
def definitions(published_shop: CornerShop) -> dict[str, Any]:
    return read_manifest(current_database(published_shop.home / "published").parent).definitions


@pytest.fixture(scope="module")
def entering(published_shop: CornerShop) -> dict[str, tuple[str, ...]]:
    """Metric -> the settings that are said to enter it."""
    with duckdb.connect(str(current_database(published_shop.home / "published")), read_only=True) as con:
        metrics = [name for (name,) in con.execute("select metric from marts.metric_definitions order by 1").fetchall()]
        return {metric: subject_of(con, metric).settings for metric in metrics}


@pytest.fixture(scope="module")
def trial(published_shop: CornerShop, entering: dict[str, tuple[str, ...]]) -> Iterator[Trial]:
    database = current_database(published_shop.home / "published")
    with opened_trial(published_shop.settings(), database, read_manifest(database.parent), list(entering)) as found:
        yield found


@pytest.mark.skipif(not IS_LONG, reason="makes all metrics again under every setting: `make drills`")
@pytest.mark.parametrize("setting", sorted({*DEFINITION_VARIABLES} - EVERYWHERE))
def test_no_metric_moves_that_does_not_say_so(
    trial: Trial, entering: dict[str, tuple[str, ...]], definitions: dict[str, Any], setting: str
) -> None:
    # the length of the trailing window moves every number of it, whatever else enters
    left_out = {"trailing_window"} if setting == WINDOW_SETTING else set()

    def looked_at(numbers: list[Number]) -> list[Number]:
        return [number for number in numbers if number.period_type not in left_out]

    ids = trial.lineage.touched_by(setting, trial.lineage.models)
    published = {metric: looked_at(trial.database.published(metric)) for metric in entering}
    for value in alternatives(setting, definitions):
        trial.database.make_again(trial.compiled(ids, {**definitions, setting: value}))
        moved = {metric for metric, told in published.items() if looked_at(trial.database.made(metric)) != told}
        assert {metric for metric in moved if setting not in entering[metric]} == set(), f"{setting} {value}"


def test_every_setting_of_a_definition_has_other_values(
    entering: dict[str, tuple[str, ...]], definitions: dict[str, Any]
) -> None:
    named = {setting for settings in entering.values() for setting in settings}
    assert {setting for setting in named if not alternatives(setting, definitions)} == set()
    assert named >= set(ALTERNATIVES)
    assert WINDOW_SETTING in named


@pytest.mark.skipif(not IS_LONG, reason="makes all metrics again: `make drills`")
def test_the_settings_in_force_give_every_published_number_again(
    trial: Trial, entering: dict[str, tuple[str, ...]], definitions: dict[str, Any]
) -> None:
    ids = {id_ for setting in ALTERNATIVES for id_ in trial.lineage.touched_by(setting, trial.lineage.models)}
    trial.database.make_again(trial.compiled(ids, definitions))
    for metric in entering:
        assert trial.database.made(metric) == trial.database.published(metric)


@pytest.mark.skipif(not IS_LONG, reason="makes many metrics again: `make drills`")
def test_a_headline_is_the_same_by_its_models_as_by_its_recount(
    published_shop: CornerShop, trial: Trial, definitions: dict[str, Any]
) -> None:
    """Two programs: the shop's own models under other settings, and the recount of published orders and answers."""
    settings = ("loyal_minimum_occasions", "loyal_gap_multiple", "active_window_days")
    with duckdb.connect(str(current_database(published_shop.home / "published")), read_only=True) as con:
        found = try_settings(trial, subject_of(con, "loyal_share"), settings, definitions, Decisions())
        write_one_state(con, NIGHT)
        recounted = {tried.rule: _recounted(con, tried.rule, definitions) for tried in found}
    assert {tried.rule: tried.value for tried in found} == recounted
    assert len(set(recounted.values())) > 3


def _recounted(con: duckdb.DuckDBPyConnection, rule: str, definitions: dict[str, Any]) -> float | None:
    setting, _, value = rule.partition(" ")
    [headline] = named("loyal_share")
    return estimate(con, "loyal_share", headline, Rules.of({**definitions, setting: json.loads(value)})).value


OTHER = {"lapsed_gap_multiple": 6.0, "price_rise_window_days": 45, "margin_share": 0.6}
BUILT = {
    "abandonment_rate": "lapsed_gap_multiple",
    "repeat_rate_change_after_price_rise": "price_rise_window_days",
    "margin_by_tenure": "margin_share",
}
"""Metric -> the one setting of `OTHER` that enters it."""


MADE_AGAIN = (
    "int_occasions_paced", "int_customer_standings", "int_customer_segments", "int_customer_periods",
    "int_customer_bases", "int_price_rises", "int_price_rise_buyers", "int_price_rise_change", "int_price_rise_bases",
    "int_effects_told", "fct_customer_months", "int_tenure_bases", "int_metric_bases", "loyalty_metrics",
)  # fmt: skip


class OtherNights(DbtRunner):
    """Builds nights with other definitions, of a project that was parsed with the usual ones."""

    def _variables(self, as_of: dt.date | None) -> dict[str, Any]:
        return super()._variables(as_of) | (OTHER if as_of else {})


@pytest.mark.skipif(not IS_LONG, reason="makes many metrics again: `make drills`")
def test_a_number_is_that_of_a_night_with_the_other_setting(
    published_shop: CornerShop, shop: CornerShop, trial: Trial, definitions: dict[str, Any]
) -> None:
    database = current_database(published_shop.home / "published")
    work = shop.home / "work"
    shutil.copyfile(database, work / "warehouse.duckdb")
    (work / "warehouse.duckdb").chmod(0o644)
    results = OtherNights(shop.settings()).build(" ".join([*MADE_AGAIN, "!resource_type:test"]), NIGHT)
    assert {result.status for result in results} == {"success"}
    with duckdb.connect(str(work / "warehouse.duckdb"), read_only=True) as built:
        for metric, setting in BUILT.items():
            tried = try_settings(trial, subject_of(built, metric), [setting], definitions, Decisions())
            rule = f"{setting} {OTHER[setting]}"
            found = {one.segment: (one.value, one.ci_low, one.ci_high) for one in tried if one.rule == rule}
            rows = built.execute(
                "select segment, metric_value, ci_low, ci_high from marts.loyalty_metrics where metric = ? and "
                "period_type = 'lifetime' and (segment_type = 'all' or metric = 'margin_by_tenure')",
                [metric],
            ).fetchall()
            assert found == {segment: tuple(told) for segment, *told in rows}
            assert any(one.difference for one in tried if one.rule == rule)
