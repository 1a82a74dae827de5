"""A night in memory whose raw tables can be corrupted one at a time, and what then notices.

What belongs here: running again only what a raw table feeds, with the SQL that dbt compiled for the night, and asking
everything that judges a night: the contract at the door, the suites, the quarantine, dbt's tests, reconciliation. What
is corrupted and what should come of it stands in `mutation.py` and `test_mutations.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
from corner_shop import NIGHT, CornerShop
from rules_in_sql import keeps

from dagster_project.assets.raw import raw_views
from dagster_project.checks import suites_of
from dagster_project.dbt_runner import DbtRunner
from dagster_project.keyed_hashes import set_keys
from dagster_project.publishing.versions import current_database
from dagster_project.source_settings import has_deletions
from dagster_project.sources.configured import source_tables
from dagster_project.sources.contract import column_changes
from dagster_project.sources.ledger import Load
from dagster_project.sources.repetition import DELIVERIES, repeated_share, rewritten
from dagster_project.sources.tables import PROVENANCE_COLUMNS
from expectations.suite import Rule

SUMS = ("fct_customers", "fct_customer_months")
JUDGED_LATER = (*SUMS, "reconciliation")
"""What is built and judged only where nobody has noticed anything in the facts."""
JUDGED_LAYERS = ("raw", "staging", "intermediate", "marts", "quality")
USUALLY_REPEATED = {"demo__orders": 0.995, "demo__support_events": 0.995}
"""What feeds of the built-in shop repeat from night to night; the others are hardly ever edited."""
MOMENT = datetime(2025, 12, 31, tzinfo=UTC)
HOME_KEY = "a key for tests only"
Fingerprint = tuple[int, int | None]
COMPONENTS = """
with recursive edges as (
    select node, other_node from ({edges}) as given where node <> other_node
    union
    select other_node, node from ({edges}) as given where node <> other_node
),
reached as (
    select node, other_node as root from edges
    union
    select reached.node, edges.other_node from reached inner join edges on reached.root = edges.node
)
select node, min(least(node, root)) as component from reached group by node
"""
"""The smallest node within reach, by plain recursion: enough for a small shop."""


@dataclass(frozen=True)
class Noticed:
    """Who noticed a corruption, and by which rule."""

    by: str
    rule: str


class MutableNight:
    """The tables of a published night, in memory."""

    def __init__(self, shop: CornerShop, scratch: Path) -> None:
        self._scratch = scratch
        self._nodes = DbtRunner(shop.settings()).manifest()["nodes"]
        self._fact_tables = self._facts_by_name()
        self._compiled = {path.name: path for path in (shop.home / "dbt" / "compiled").rglob("*.sql")}
        self._early = self._in_order(self._fact_tables)
        self._order = self._in_order([*self._fact_tables, *JUDGED_LATER])
        self._late = [model for model in self._order if model not in set(self._early)]
        built = {f"raw.{table.view_name}" for table in source_tables(shop.settings())}
        built |= {self._relation(model) for model in self._order}
        self._judging = [
            (f"{suite.layer}.{suite.table}", rule)
            for layer in JUDGED_LAYERS
            for suite in suites_of(layer, shop.settings())
            for rule in suite.rules
            if f"{suite.layer}.{suite.table}" in built
        ]
        self.con = duckdb.connect(config={"threads": 1})
        self._fill(shop)
        self._prints: dict[str, Fingerprint] = {}
        for model in self._order:
            self._build(model)
            self._prints[model] = self._fingerprint(model)
        self._refused = self._refusals()
        self._broken = set(self._broken_rules(self.feeds(), self._order))

    def feeds(self) -> list[str]:
        """The raw tables that can be corrupted."""
        tables = self.con.execute("select table_name from duckdb_tables() where schema_name = 'base'").fetchall()
        return sorted(name for (name,) in tables)

    def columns(self, feed: str) -> dict[str, str]:
        """The columns that a source sent, with their types."""
        described = self.con.execute(f"describe base.{feed}").fetchall()
        return {name: kind for name, kind, *_ in described if name not in PROVENANCE_COLUMNS}

    def rows_touched(self, feed: str, query: str) -> int:
        """How many rows of a feed a query over `base.<feed>` makes others, takes away or adds."""
        less, more = (
            f"select count(*) from ({one} except all {other})"
            for one, other in ((f"from base.{feed}", f"({query})"), (f"({query})", f"from base.{feed}"))
        )
        [(taken, added)] = self.con.execute(f"select ({less}), ({more})").fetchall()
        return int(max(taken, added))

    def noticed(self, feed: str, query: str) -> tuple[list[Noticed], bool]:
        """Who notices that a feed holds what a query over `base.<feed>` makes of it; and whether any fact changes."""
        with self._corrupted(feed, query):
            changed = {f"source.loyalty.raw.{feed}"}
            try:
                early = self._rebuild(self._early, changed)
                found = self._at_the_door(feed) + self._refused_more() + self._newly_broken([feed], early)
                is_changed = not set(self._fact_tables).isdisjoint(early)
                if is_changed and not found:
                    found = self._newly_broken([], self._rebuild(self._late, changed))
            except duckdb.Error as fault:
                return [Noticed("a model that fails", type(fault).__name__)], True
            return found, is_changed

    @contextmanager
    def _corrupted(self, feed: str, query: str) -> Iterator[None]:
        """The feed as a query makes it; everything is taken back afterwards."""
        self.con.execute("begin")
        try:
            self.con.execute(f"create or replace table raw.{feed} as {query}")
            yield
        finally:
            self.con.execute("rollback")

    # -- judges --------------------------------------------------------------------------------------------------------

    def _at_the_door(self, feed: str) -> list[Noticed]:
        """The delivery before has all but the last hundredth of the good rows; the feed repeats itself as usual."""
        before, after = self._scratch / "before.parquet", self._scratch / "after.parquet"
        columns = ", ".join(f'"{name}"' for name in self.columns(feed))
        most = f"_row_number <= 0.99 * (select max(_row_number) from base.{feed})"
        self.con.execute(f"copy (select {columns} from base.{feed} where {most}) to '{before}' (format parquet)")
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
        """The rules of the tables given, and those that read one of them beside their own, that do not hold."""
        relations = {f"raw.{feed}" for feed in feeds} | {self._relation(model) for model in models}
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

    def _fingerprint(self, model: str) -> Fingerprint:
        """What a table holds, whatever the order of its rows."""
        [found] = self.con.execute(
            f"select count(*), sum(cast(hash(held) as hugeint)) from {self._relation(model)} as held"
        ).fetchall()
        return found

    # -- the night -----------------------------------------------------------------------------------------------------

    def _fill(self, shop: CornerShop) -> None:
        set_keys(self.con, HOME_KEY)
        for schema in ("base", "raw", "staging", "quarantine", "intermediate", "marts", "quality"):
            self.con.execute(f"create schema {schema}")
        self.con.execute(f"attach '{current_database(shop.home / 'published')}' as published (read_only)")
        settings = shop.settings()
        tables = source_tables(settings)
        views = raw_views(tables, settings.home, has_deletions=has_deletions(settings.sources))
        feeds = {table.view_name for table in tables}
        for name, select in views.items():
            self.con.execute(f"create table {'base' if name in feeds else 'raw'}.{name} as {select}")
            if name in feeds:
                self.con.execute(f"create table raw.{name} as from base.{name}")
        for node in self._nodes.values():
            if node["resource_type"] == "seed":
                self.con.execute(f"create table marts.{node['name']} as from published.marts.{node['name']}")
        self.con.execute("detach published")

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

    def _build(self, model: str) -> None:
        """As dbt does: a view, a table, the components of a graph, or the three relations of a staged model."""
        node = self._node(model)
        relation, kind = self._relation(model), node["config"]["materialized"]
        if kind == "view":
            self.con.execute(f"create or replace view {relation} as {self._sql(node)}")
        elif kind == "table":
            self.con.execute(f"create or replace table {relation} as {self._sql(node)}")
        elif kind == "components":
            self.con.execute(f"create or replace table {relation} as {COMPONENTS.format(edges=self._sql(node))}")
        else:
            judged = f"{relation}__judged"
            self.con.execute(f"create or replace table {judged} as {self._sql(node)}")
            self.con.execute(
                f"create or replace view {relation} as select * exclude (refusals, reasons, is_seen) from {judged} "
                "where reasons = '' and is_seen"
            )
            self.con.execute(
                f"create or replace view quarantine.{model} as select source_name, _file, _load_id, _row_number, "
                f"reasons from {judged} where reasons <> '' and is_seen"
            )

    def _sql(self, node: dict[str, Any]) -> str:
        sql = self._compiled[Path(node["path"]).name].read_text(encoding="utf-8")
        return sql.replace('"warehouse".', "").replace('"scratch".', "")

    def _node(self, model: str) -> dict[str, Any]:
        node: dict[str, Any] = self._nodes[f"model.loyalty.{model}"]
        return node

    def _relation(self, model: str) -> str:
        return f"{self._node(model)['schema']}.{model}"

    def _in_order(self, wanted: list[str]) -> list[str]:
        """Models and all that they are made of, each after its parents."""
        found: list[str] = []

        def visit(model: str) -> None:
            if model in found:
                return
            for parent in self._node(model)["depends_on"]["nodes"]:
                if parent.startswith("model."):
                    visit(parent.rpartition(".")[2])
            found.append(model)

        for model in wanted:
            visit(model)
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
