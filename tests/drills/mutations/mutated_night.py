"""A night in memory whose raw tables can be corrupted one at a time, and what then notices.

What belongs here: asking everything that judges a night of what was built again: the contract at the door, the suites,
the quarantine, dbt's tests, reconciliation. What is corrupted and what should come of it stands in `mutation.py` and
`test_mutations.py`; the night itself is `built_night.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from built_night import BuiltNight
from corner_shop import NIGHT, CornerShop
from rules_in_sql import keeps

from dagster_project.checks import suites_of
from dagster_project.feed_rules import NO_FAULT
from dagster_project.sources.configured import source_tables
from dagster_project.sources.contract import column_changes
from dagster_project.sources.ledger import Load
from dagster_project.sources.repetition import DELIVERIES, most_edits, repeated_share, rewritten
from expectations.suite import Rule

SUMS = ("fct_customers", "fct_customer_months")
JUDGED_LATER = (*SUMS, "reconciliation")
"""What is built and judged only where nobody has noticed anything in the facts."""
JUDGED_LAYERS = ("raw", "staging", "intermediate", "marts", "quality")
USUALLY_REPEATED = {"demo__orders": 0.995, "demo__support_events": 0.995}
"""What feeds of the built-in shop repeat from night to night; the others are hardly ever edited."""
MOMENT = datetime(2025, 12, 31, tzinfo=UTC)


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
        self.order([*self._fact_tables, *JUDGED_LATER])
        self._late = [model for model in self._order if model not in set(self._early)]
        built = {f"raw.{table.view_name}" for table in source_tables(shop.settings())}
        built |= {self.relation(model) for model in self._order}
        self._judging = [
            (f"{suite.layer}.{suite.table}", rule)
            for layer in JUDGED_LAYERS
            for suite in suites_of(layer, shop.settings())
            for rule in suite.rules
            if f"{suite.layer}.{suite.table}" in built
        ]
        self._limits = {
            f"{source}__{table}": chosen.maximum_quarantined_share
            for source, described in shop.settings().sources.items()
            for table, chosen in described.tables.items()
        }
        self._prints = {model: self._fingerprint(model) for model in self._order}
        self._refused = self._refusals()
        self._broken = set(self._broken_rules(self.feeds(), self._order))

    @property
    def judges(self) -> set[tuple[str, str]]:
        """The rules of suites that were content with the night, each with its judge."""
        judges = {(_judge(relation, rule), f"{rule.name} on {relation}") for relation, rule in self._judging}
        return judges - self._broken

    def rows_touched(self, feed: str, query: str) -> int:
        """How many rows of a feed a query over `base.<feed>` makes others, takes away or adds."""
        less, more = (
            f"select count(*) from ({one} except all {other})"
            for one, other in ((f"from base.{feed}", f"({query})"), (f"({query})", f"from base.{feed}"))
        )
        [(taken, added)] = self.con.execute(f"select ({less}), ({more})").fetchall()
        return int(max(taken, added))

    def rows_no_longer_said(self, feed: str, query: str) -> int:
        """How many rows of the delivery before a query over `base.<feed>` changes or takes away."""
        columns = ", ".join(f'"{name}"' for name in self.columns(feed))
        [(rows,)] = self.con.execute(
            f"select count(*) from (select {columns} from ({self._delivery_before(feed)}) "
            f"except all select {columns} from ({query}))"
        ).fetchall()
        return int(rows)

    def edits_allowed(self, feed: str) -> float:
        """How many rows of the delivery before the door lets the next one edit: the feed repeats itself as usual."""
        [(rows,)] = self.con.execute(f"select count(*) from ({self._delivery_before(feed)})").fetchall()
        return most_edits([(1 - USUALLY_REPEATED.get(feed, 1.0)) * rows] * DELIVERIES, rows)

    def noticed(self, feed: str, query: str) -> tuple[list[Noticed], bool]:
        """Who notices that a feed holds what a query over `base.<feed>` makes of it; and whether any fact changes."""
        with self.corrupted(feed, query):
            changed = {f"source.loyalty.raw.{feed}"}
            try:
                early = self._rebuild(self._early, changed)
                found = self._at_the_door(feed) + self._refused_more(feed) + self._newly_broken([feed], early)
                is_changed = not set(self._fact_tables).isdisjoint(early)
                if is_changed and not found:
                    found = self._newly_broken([], self._rebuild(self._late, changed))
            except duckdb.Error as fault:
                return [Noticed("a model that fails", type(fault).__name__)], True
            return found, is_changed

    # -- judges --------------------------------------------------------------------------------------------------------

    def _at_the_door(self, feed: str) -> list[Noticed]:
        """The delivery before has all but the last hundredth of the good rows; the feed repeats itself as usual."""
        before, after = self._scratch / "before.parquet", self._scratch / "after.parquet"
        columns = ", ".join(f'"{name}"' for name in self.columns(feed))
        earlier = f"select {columns} from ({self._delivery_before(feed)})"
        self.con.execute(f"copy ({earlier}) to '{before}' (format parquet)")
        self.con.execute(f"copy (select {columns} from raw.{feed}) to '{after}' (format parquet)")
        kinds = {name: kind for name, kind, *_ in self.con.execute(f"describe raw.{feed}").fetchall()}
        [(rows, rows_after)] = self.con.execute(
            f"select (select count(*) from '{before}'), (select count(*) from '{after}')"
        ).fetchall()
        given = self.columns(feed)
        since = Load(feed, "before", "", 0, rows, 0, MOMENT, given, repeats=USUALLY_REPEATED.get(feed, 1.0))
        load = Load(feed, "after", "", 0, rows_after, 0, MOMENT, {name: kinds[name] for name in given})
        load = replace(load, repeats=repeated_share(before, after, load))
        changes = column_changes(feed, since.columns, load.columns)
        changes += rewritten(load, [since] * DELIVERIES)
        return [Noticed("the door", change.kind) for change in changes]

    @staticmethod
    def _delivery_before(feed: str) -> str:
        return f"select * from base.{feed} where _row_number <= 0.99 * (select max(_row_number) from base.{feed})"

    def _refused_more(self, feed: str) -> list[Noticed]:
        """A row more than before is in the list of work; more than the feed may have there stops the night."""
        refused = self._refusals()
        more = [reason for reason, rows in refused.items() if rows > self._refused.get(reason, 0)]
        by = "quarantine, above the limit" if self._is_above_its_limit(feed, refused) else "quarantine, within it"
        return [Noticed(by, reason) for reason in more]

    def _is_above_its_limit(self, feed: str, refused: dict[str, int]) -> bool:
        judges = {f"{model}: " for model in self.judges_of(feed)}
        count = sum(
            rows
            for reason, rows in refused.items()
            if reason.startswith(tuple(judges)) and not reason.endswith(NO_FAULT)
        )
        [(rows,)] = self.con.execute(f"select count(*) from raw.{feed}").fetchall()
        return bool(judges) and count > self._limits[feed] * rows

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
        """The rules of the tables given, and those that read one of them beside their own, that do not hold."""
        relations = {f"raw.{feed}" for feed in feeds} | {self.relation(model) for model in models}
        for relation, rule in self._judging:
            reads = rule.rows_that_break or ""
            if (relation in relations or any(other in reads for other in relations)) and not keeps(
                self.con, rule, relation, NIGHT
            ):
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

    def _fingerprint(self, model: str) -> tuple[int, int | None]:
        """What a table holds, whatever the order of its rows."""
        [found] = self.con.execute(
            f"select count(*), sum(cast(hash(held) as hugeint)) from {self.relation(model)} as held"
        ).fetchall()
        return found

    def _rebuild(self, models: list[str], changed: set[str]) -> list[str]:
        """Build again what is made of anything that has changed; gives what has changed by that, and adds it.

        A model whose rows come out as they were ends the chain: nothing made of it alone is built.
        """
        found = []
        for model in models:
            if changed.isdisjoint(self._node(model)["depends_on"]["nodes"]):
                continue
            self._build(model)
            if self._fingerprint(model) != self._prints[model]:
                changed.add(f"model.loyalty.{model}")
                found.append(model)
        return found

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
