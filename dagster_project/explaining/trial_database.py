"""A database in memory in which models are made again, over a published version and the working file of its night.

Both files are attached read-only; the models that are made again are tables in memory, whatever else they read are
views. So compiled SQL runs as it is, and nothing that is published can change.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.explaining.claims import Estimate
from dagster_project.explaining.inputs import LATEST_NUMBERS
from dagster_project.explaining.lineage import Lineage
from dagster_project.sql_text import literal

REGISTRY = "metric_definitions"
FILES = {"warehouse": "version", "scratch": "night"}
"""Database of compiled SQL -> the file that has what is not made again."""
NUMBERS = (
    """
select segment, period_type, period_start, numerator, denominator, metric_value, ci_low, ci_high, count_observations,
    has_minimum_base, is_mature, status
"""
    + LATEST_NUMBERS
)


@dataclass(frozen=True)
class Number:
    """The latest number of a metric for one kind of period; of one that has no whole, of each part."""

    segment: str
    period_type: str
    period_start: dt.date
    numerator: Any
    denominator: Any
    value: float | None
    ci_low: float | None
    ci_high: float | None
    count_observations: int
    has_minimum_base: bool
    is_mature: bool
    status: str

    @property
    def shown(self) -> str:
        """In words, for a message."""
        return "no number" if self.value is None else f"{self.value:g} ({self.numerator} / {self.denominator})"

    @property
    def estimate(self) -> Estimate:
        """What decisions look at."""
        return Estimate(self.value, self.ci_low, self.ci_high, self.count_observations)


class TrialDatabase:
    """Where models are made again; use it through `open_trial_database`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, lineage: Lineage, metrics: Collection[str]) -> None:
        self._con = con
        self._lineage = lineage
        self._metrics = sorted(metrics)

    def published(self, metric: str) -> list[Number]:
        """The numbers as the version tells them."""
        return self._numbers("version", metric)

    def make_again(self, compiled: Mapping[str, str]) -> None:
        """Make some models again, in place of those of the call before.

        Args:
            compiled: id of a model -> its SQL; all others are read as the night left them.
        """
        for database in FILES:
            self._con.execute(f"detach database if exists {database}; attach ':memory:' as {database}")
        for id_ in self._lineage.inputs_of(compiled):
            self._show(id_)
        for id_ in self._lineage.in_order(compiled):
            self._make(id_, compiled[id_])

    def made(self, metric: str) -> list[Number]:
        """The numbers as the models that were made again tell them."""
        return self._numbers("warehouse", metric)

    def _numbers(self, database: str, metric: str) -> list[Number]:
        rows = self._con.execute(NUMBERS.format(database=f"{database}."), {"metric": metric}).fetchall()
        return [Number(*row) for row in rows]

    def _show(self, id_: str) -> None:
        model = self._lineage.models[id_]
        self._require_schema(id_)
        shown = f"{FILES[model.database]}.{model.schema}.{model.table}"
        if model.name == REGISTRY:
            shown = self._registry(shown)
        self._con.execute(f"create view {model.relation} as from {shown}")

    def _registry(self, table: str) -> str:
        """The lines of the metrics that are told; beside a whole no parts are told."""
        wanted = ", ".join(literal(metric) for metric in self._metrics)
        has_whole = "metric in (select metric from version.marts.loyalty_metrics where segment_type = 'all')"
        return (
            f"(select * replace (case when not {has_whole} then segment_types end as segment_types) "
            f"from {table} where metric in ({wanted}))"
        )

    def _make(self, id_: str, sql: str) -> None:
        model = self._lineage.models[id_]
        self._require_schema(id_)
        if model.columns is None:
            self._con.execute(f"create table {model.relation} as {sql}")
            return
        declared = ", ".join(f"{column} {kind}" for column, kind in model.columns.items())
        self._con.execute(f"create table {model.relation} ({declared}); insert into {model.relation} by name {sql}")

    def _require_schema(self, id_: str) -> None:
        model = self._lineage.models[id_]
        self._con.execute(f"create schema if not exists {model.database}.{model.schema}")


@contextmanager
def open_trial_database(
    version: Path, night: Path, config: Mapping[str, Any], spill: Path, lineage: Lineage, metrics: Collection[str]
) -> Iterator[TrialDatabase]:
    """A database in memory over a version and the working file of its night, both read-only.

    Args:
        version: the published database.
        night: the scratch file that the version was made beside.
        config: of the engine.
        spill: a folder for what does not fit into memory.
        lineage: of the project.
        metrics: that are told; those of the registry that are left out are not counted.
    """
    with duckdb.connect(config=dict(config)) as con:
        con.execute(f"set temp_directory = {literal(spill)}")
        for path, name in ((version, "version"), (night, "night")):
            con.execute(f"attach {literal(path)} as {name} (read_only)")
        yield TrialDatabase(con, lineage, metrics)
