"""Every setting changed, every metric made again: none may move that does not say so.

The short form looks only whether every setting that enters a metric has other values.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from corner_shop import CornerShop

from dagster_project.dbt_runner import DEFINITION_VARIABLES
from dagster_project.explaining.alternatives import ALTERNATIVES, WINDOW_SETTING, alternatives
from dagster_project.explaining.trial_database import Number
from dagster_project.explaining.trials import Trial, subject_of
from dagster_project.metric_trials import opened_trial
from dagster_project.publishing.versions import current_database, read_manifest

IS_LONG = os.environ.get("DRILLS") == "long"
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
