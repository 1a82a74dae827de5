"""A night in memory whose raw tables can be corrupted one at a time, and what then notices.

What belongs here: asking everything that judges a night of what was built again: the contract at the door, the suites,
the quarantine, dbt's tests, reconciliation. What is corrupted and what should come of it stands in `mutation.py` and
`test_mutations.py`; the night itself is `built_night.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from built_night import BuiltNight
from corner_shop import NIGHT, CornerShop
from rules_in_sql import keeps

from dagster_project.checks import suites_of
from dagster_project.publishing.audit import table_facts
from dagster_project.sources.contract import column_changes
from dagster_project.sources.ledger import Load
from dagster_project.sources.repetition import repeated_share, rewritten
from expectations.suite import Rule

SUMS = ("fct_customers", "fct_customer_months")
JUDGED_LATER = (*SUMS, "reconciliation")
"""What is built and judged only where nobody has noticed anything in the facts."""


@dataclass(frozen=True)
class Noticed:
    """Who noticed a corruption, and by which rule."""

    by: str
    rule: str


class MutableNight(BuiltNight):
    """The tables of a published night, in memory, and its judges."""

    def __init__(self, shop: CornerShop, scratch: Path) -> None:
        super().__init__(shop)
        self._scratch = scratch
        self._fact_tables = self._facts_by_name()
        self._early = self.in_order(self._fact_tables)
        self._suites = {
            f"{suite.layer}.{suite.table}": suite.rules
            for layer in ("raw", "marts", "quality")
            for suite in suites_of(layer, shop.settings())
        }
        self.order([*self._fact_tables, *JUDGED_LATER])
        self._facts = self._hashes()
        self._refused = self._refusals()
        self._broken = set(self._broken_rules(self.feeds(), self._order))

    def noticed(self, feed: str, query: str) -> tuple[list[Noticed], bool]:
        """Who notices that a feed holds what a query over `base.<feed>` makes of it; and whether any fact changes."""
        with self.corrupted(feed, query) as models:
            early = [model for model in models if model in self._early]
            try:
                self.build_all(early)
                found = self._at_the_door(feed) + self._refused_more() + self._newly_broken([feed], early)
                is_changed = self._hashes() != self._facts
                if is_changed and not found:
                    late = [model for model in models if model not in self._early]
                    self.build_all(late)
                    found = self._newly_broken([], late)
            except duckdb.Error as fault:
                return [Noticed("a model that fails", type(fault).__name__)], True
            return found, is_changed

    # -- judges --------------------------------------------------------------------------------------------------------

    def _at_the_door(self, feed: str) -> list[Noticed]:
        """The delivery before has all but the last hundredth of the good rows; the feed used to repeat itself."""
        before, after = self._scratch / "before.parquet", self._scratch / "after.parquet"
        columns = ", ".join(f'"{name}"' for name in self.columns(feed))
        most = f"_row_number <= 0.99 * (select max(_row_number) from base.{feed})"
        self.con.execute(f"copy (select {columns} from base.{feed} where {most}) to '{before}' (format parquet)")
        self.con.execute(f"copy (select {columns} from raw.{feed}) to '{after}' (format parquet)")
        kinds = {name: kind for name, kind, *_ in self.con.execute(f"describe raw.{feed}").fetchall()}
        moment = datetime(2025, 12, 31, tzinfo=UTC)
        [(rows,)] = self.con.execute(f"select count(*) from '{before}'").fetchall()
        since = Load(feed, "before", "", 0, rows, 0, moment, self.columns(feed), repeats=1.0)
        load = Load(feed, "after", "", 0, 0, 0, moment, {name: kinds[name] for name in since.columns})
        changes = column_changes(feed, since.columns, load.columns)
        changes += rewritten(feed, repeated_share(before, after, load), since)
        return [Noticed("the door", change.kind) for change in changes]

    def _refused_more(self) -> list[Noticed]:
        refused = self._refusals()
        return [
            Noticed("quarantine", reason) for reason, rows in refused.items() if rows > self._refused.get(reason, 0)
        ]

    def _refusals(self) -> dict[str, int]:
        views = "select view_name from duckdb_views() where schema_name = 'quarantine' order by all"
        models = [name for (name,) in self.con.execute(views).fetchall()]
        parts = [f"select '{model}: ' || reasons as reason from quarantine.{model}" for model in models]
        query = f"select reason, count(*) from ({' union all '.join(parts)}) group by reason"
        return dict(self.con.execute(query).fetchall())

    def _newly_broken(self, feeds: list[str], models: list[str]) -> list[Noticed]:
        broken = self._broken_rules(feeds, models)
        return [Noticed(by, rule) for by, rule in broken if (by, rule) not in self._broken]

    def _broken_rules(self, feeds: list[str], models: list[str]) -> Iterator[tuple[str, str]]:
        relations = {f"raw.{feed}": f"raw.{feed}" for feed in feeds}
        relations |= {self.relation(model): self.relation(model) for model in models}
        for relation in relations:
            for rule in self._suites.get(relation, ()):
                if not keeps(self.con, rule, relation, NIGHT):
                    yield _judge(relation, rule), f"{rule.name} on {relation}"
        for node in self._tests(models):
            if self.con.execute(f"select 1 from ({self._sql(node)}) limit 1").fetchall():
                yield "dbt", node["name"]

    def _tests(self, models: list[str]) -> Iterator[dict[str, Any]]:
        built, known = set(models), set(self._order)
        for node in self._nodes.values():
            if node["resource_type"] == "test":
                read = {name.rpartition(".")[2] for name in node["depends_on"]["nodes"]}
                if read & built and read <= known:
                    yield node

    def _hashes(self) -> dict[str, str]:
        return {table: table_facts(self.con, f"marts.{table}").content_hash for table in self._fact_tables}

    def _facts_by_name(self) -> list[str]:
        """The facts and dimensions that all other marts are made of: where they stay the same, everything does."""
        return sorted(
            node["name"]
            for node in self._nodes.values()
            if node["resource_type"] == "model"
            and node["schema"] == "marts"
            and node["name"].startswith(("dim_", "fct_", "order_exclusions"))
            and node["name"] not in SUMS
        )


def _judge(relation: str, rule: Rule) -> str:
    if relation == "quality.reconciliation":
        return "reconciliation"
    return f"suite, {rule.severity}"
