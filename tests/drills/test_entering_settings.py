"""Every setting changed, every metric made again: none may move that does not say so.

The short form makes them again under the settings that a table, and no definition, names for a metric.
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


def lifelong(trial: Trial, metric: str, *, made: bool) -> list[Number]:
    """Numbers of a metric but those of the trailing window, which its length moves all."""
    numbers = trial.database.made(metric) if made else trial.database.published(metric)
    return [number for number in numbers if number.period_type != "trailing_window"]


@pytest.mark.skipif(not IS_LONG, reason="makes all metrics again under every setting: `make drills`")
@pytest.mark.parametrize("setting", sorted({*DEFINITION_VARIABLES} - EVERYWHERE))
def test_no_metric_moves_that_does_not_say_so(
    trial: Trial, entering: dict[str, tuple[str, ...]], definitions: dict[str, Any], setting: str
) -> None:
    ids = trial.lineage.touched_by(setting, trial.lineage.models)
    for value in alternatives(setting, definitions):
        trial.database.make_again(trial.compiled(ids, {**definitions, setting: value}))
        moved = {
            metric for metric in entering if lifelong(trial, metric, made=True) != lifelong(trial, metric, made=False)
        }
        assert {metric for metric in moved if setting not in entering[metric]} == set(), f"{setting} {value}"


def test_every_setting_of_a_definition_has_other_values(
    entering: dict[str, tuple[str, ...]], definitions: dict[str, Any]
) -> None:
    named = {setting for settings in entering.values() for setting in settings}
    assert {setting for setting in named if not alternatives(setting, definitions)} == set()
    assert named >= set(ALTERNATIVES)
    assert WINDOW_SETTING in named


def test_the_settings_in_force_give_every_published_number_again(
    trial: Trial, entering: dict[str, tuple[str, ...]], definitions: dict[str, Any]
) -> None:
    ids = {id_ for setting in ALTERNATIVES for id_ in trial.lineage.touched_by(setting, trial.lineage.models)}
    trial.database.make_again(trial.compiled(ids, definitions))
    for metric in entering:
        assert trial.database.made(metric) == trial.database.published(metric)
