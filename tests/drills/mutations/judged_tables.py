"""The tables that a night made, in memory, each of which can be corrupted as a model with a fault of its own would.

What belongs here: holding them, corrupting one, and asking the rules, tests and totals that would be asked of it that
night. What does not: corrupted feeds (`mutated_night.py`); the corruptions (`corruption.py`).

A rule that compares the corrupted table with one that is made of it would not see two different things in a night, but
the fault twice. So it is asked only after that table was made anew, and not at all where that takes more than SQL.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb
from built_night import BuiltNight
from corner_shop import NIGHT, CornerShop
from corruption import ROW_NUMBER
from rules_in_sql import query_of

from dagster_project.checks import suites_of
from dagster_project.definitions import build_definitions
from dagster_project.publishing.versions import current_database
from expectations.suite import Rule

JUDGED_LAYERS = ("intermediate", "marts", "models", "quality")
TOTALS = "quality.reconciliation"
RELATION = re.compile(r"\b(?:raw|staging|intermediate|marts|models|quality)\.\w+")


@dataclass(frozen=True)
class Judge:
    """Something that is asked of tables in a night: a rule of a suite, or a test of dbt.

    `query` gives whether all is well; `reads` are the tables that it reads.
    """

    by: str
    rule: str
    reads: frozenset[str]
    query: str

    @classmethod
    def of_rule(cls, relation: str, rule: Rule, as_of: dt.date) -> Judge:
        query = query_of(rule, relation, as_of)
        by = "reconciliation" if relation == TOTALS else f"suite, {rule.severity}"
        return cls(by, f"{rule.name} on {relation}", frozenset({relation, *RELATION.findall(query)}), query)


class JudgedTables(BuiltNight):
    """All tables of a published night: those made by SQL built again, those made by Python as they were published."""

    def __init__(self, shop: CornerShop) -> None:
        super().__init__(shop)
        self.order(sorted(node["name"] for node in self._nodes.values() if node["resource_type"] == "model"))
        self._models = {self.relation(model): model for model in self._order}
        self._made_of = _lineage(shop)
        self._add_published(shop)
        held = self._relations()
        self._judges = [judge for judge in self._all_judges(shop) if judge.reads <= held]
        suites = {
            f"{suite.layer}.{suite.table}" for layer in JUDGED_LAYERS for suite in suites_of(layer, shop.settings())
        }
        self.tables = sorted(suites & held)
        self.con.execute("create schema kept")
        for table in self.tables:
            self.con.execute(
                f"create table {self.base(table)} as select *, row_number() over () as {ROW_NUMBER} from {table}"
            )
        self.broken = {judge.rule for judge in self._judges if not self._is_well(judge)}
        self._judges = [judge for judge in self._judges if judge.rule not in self.broken]

    @property
    def judges(self) -> list[Judge]:
        """All that were content with the night."""
        return list(self._judges)

    @staticmethod
    def base(table: str) -> str:
        """Where a table is kept uncorrupted, with its rows numbered."""
        return f"kept.{table.replace('.', '__')}"

    def columns_of(self, table: str) -> dict[str, str]:
        """Its columns, with their types."""
        return {name: kind for name, kind, *_ in self.con.execute(f"describe {table}").fetchall()}

    def is_empty(self, table: str) -> bool:
        """Whether there is nothing in it to corrupt."""
        return not self.con.execute(f"select 1 from {table} limit 1").fetchall()

    def differing_from(self, shop: CornerShop) -> list[str]:
        """The tables that SQL made here and that hold something else than the published ones."""
        self.con.execute(f"attach '{current_database(shop.home / 'published')}' as published (read_only)")
        try:
            return [
                table
                for table in self._published()
                if self.con.execute(
                    f"(from {table} except all from published.{table}) union all "
                    f"(from published.{table} except all from {table}) limit 1"
                ).fetchall()
            ]
        finally:
            self.con.execute("detach published")

    def rows_touched(self, table: str, query: str) -> int:
        """How many of its rows a query over the table that is kept makes others, takes away or adds."""
        was, becomes = (
            f"select * exclude ({ROW_NUMBER}) from ({given})" for given in (f"from {self.base(table)}", query)
        )
        [(less, more)] = self.con.execute(
            f"select (select count(*) from ({was} except all {becomes})), "
            f"(select count(*) from ({becomes} except all {was}))"
        ).fetchall()
        return int(max(less, more))

    def noticed(self, table: str, query: str) -> list[tuple[str, str]]:
        """Who notices, by which rule, that a table holds what a query over the one that is kept makes of it.

        What takes other tables to be made anew is asked only where nobody else has noticed anything.
        """
        made_of_it = self._made_of.get(table, frozenset())
        readers = [judge for judge in self._judges if table in judge.reads]
        first = [judge for judge in readers if made_of_it.isdisjoint(judge.reads)]
        self.con.execute("begin")
        try:
            self._replace(table, query)
            found = [judge for judge in first if not self._is_well(judge)]
            if not found:
                anew = self._rebuilt(table, [judge for judge in readers if judge not in first])
                self.build_all(anew)
                known = {table, *(self.relation(model) for model in anew)}
                later = [
                    judge
                    for judge in self._judges
                    if judge.reads & known and judge not in first and judge.reads & made_of_it <= known
                ]
                found = [judge for judge in later if not self._is_well(judge)]
        except duckdb.Error as fault:
            return [("a model that fails", type(fault).__name__)]
        finally:
            self.con.execute("rollback")
        return [(judge.by, judge.rule) for judge in found]

    # -- what is made of what ------------------------------------------------------------------------------------------

    def _rebuilt(self, table: str, judges: list[Judge]) -> list[str]:
        """The models to be made anew for these judges, and for the totals of the layers where they read the table."""
        wanted = [self._models[other] for judge in judges for other in sorted(judge.reads) if other in self._models]
        totals = self._models[TOTALS]
        if table in self._read_by(self._node(totals)):
            wanted.append(totals)
        stale, rebuilt = {table}, []
        made_of_it = self._made_of.get(table, frozenset())
        needed = set(self.in_order(wanted))
        for model in self._order:
            parents = self._read_by(self._node(model)) & made_of_it
            if model in needed and self.relation(model) in made_of_it and parents <= stale:
                stale.add(self.relation(model))
                rebuilt.append(model)
        return rebuilt

    def _read_by(self, node: dict[str, Any]) -> set[str]:
        """The tables that a model or a test reads."""
        return {
            f"{self._nodes[name]['schema']}.{self._nodes[name]['name']}" if name in self._nodes else _source(name)
            for name in node["depends_on"]["nodes"]
        }

    # -- filling and asking --------------------------------------------------------------------------------------------

    def _add_published(self, shop: CornerShop) -> None:
        """The tables that no SQL makes."""
        self.con.execute(f"attach '{current_database(shop.home / 'published')}' as published (read_only)")
        held = self._relations()
        for table in self._published():
            if table not in held:
                self.con.execute(f"create table {table} as from published.{table}")
        self.con.execute("detach published")

    def _published(self) -> list[str]:
        named = "select schema_name || '.' || table_name from duckdb_tables() where database_name = 'published'"
        return sorted(name for (name,) in self.con.execute(named).fetchall())

    def _relations(self) -> set[str]:
        found = self.con.execute(
            "select table_schema || '.' || table_name from information_schema.tables "
            "where table_catalog = current_database()"
        ).fetchall()
        return {name for (name,) in found}

    def _all_judges(self, shop: CornerShop) -> Iterator[Judge]:
        for layer in JUDGED_LAYERS:
            for suite in suites_of(layer, shop.settings()):
                for rule in suite.rules:
                    yield Judge.of_rule(f"{suite.layer}.{suite.table}", rule, NIGHT)
        for node in self._nodes.values():
            if node["resource_type"] == "test":
                query = f"select count(*) = 0 from ({self._sql(node)})"
                yield Judge("dbt", node["name"], frozenset(self._read_by(node)), query)

    def _replace(self, table: str, query: str) -> None:
        model = self._models.get(table)
        if model and self._node(model)["config"]["materialized"] == "view":
            self.con.execute(f"drop view {table}")
        self.con.execute(f"create or replace table {table} as select * exclude ({ROW_NUMBER}) from ({query})")

    def _is_well(self, judge: Judge) -> bool:
        [(found,)] = self.con.execute(judge.query).fetchall()
        return bool(found)


def _source(unique_id: str) -> str:
    return ".".join(unique_id.split(".")[-2:])


def _lineage(shop: CornerShop) -> dict[str, frozenset[str]]:
    """By table, all that is made of it, in however many steps."""
    graph = build_definitions(shop.settings()).resolve_asset_graph()
    made: dict[dg.AssetKey, frozenset[dg.AssetKey]] = {}
    for key in reversed(list(graph.toposorted_asset_keys)):
        children = graph.get(key).child_keys
        made[key] = frozenset(children).union(*(made[child] for child in children))
    return {".".join(key.path): frozenset(".".join(other.path) for other in found) for key, found in made.items()}
