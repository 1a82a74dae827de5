"""A night in memory whose raw tables can be changed one at a time, built with the SQL that dbt compiled for the night.

What belongs here: filling it, building what a raw table feeds, taking a change back. What does not: what is changed,
and who notices (`mutations/mutated_night.py`), what becomes of rows (`fuzzing/test_hostile_cells.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
from corner_shop import CornerShop

from dagster_project.assets.raw import raw_views
from dagster_project.dbt_runner import DbtRunner
from dagster_project.keyed_hashes import set_keys
from dagster_project.publishing.versions import current_database
from dagster_project.sources.configured import source_tables
from dagster_project.sources.tables import PROVENANCE_COLUMNS

HOME_KEY = "a key for tests only"
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


class BuiltNight:
    """The raw tables of a published night, in memory, and its models, each built when it is asked for."""

    def __init__(self, shop: CornerShop) -> None:
        # of this shop's own project: its file is not there where another home's was read
        self._nodes = DbtRunner(shop.settings()).manifest()["nodes"]
        self._compiled = {path.name: path for path in (shop.home / "dbt" / "compiled").rglob("*.sql")}
        self._order: list[str] = []
        self.con = duckdb.connect(config={"threads": 1})
        self._fill(shop)

    def feeds(self) -> list[str]:
        """The raw tables that can be corrupted."""
        tables = self.con.execute("select table_name from duckdb_tables() where schema_name = 'base'").fetchall()
        return sorted(name for (name,) in tables)

    def columns(self, feed: str) -> dict[str, str]:
        """The columns that a source sent, with their types."""
        described = self.con.execute(f"describe base.{feed}").fetchall()
        return {name: kind for name, kind, *_ in described if name not in PROVENANCE_COLUMNS}

    def order(self, wanted: list[str]) -> None:
        """Choose what is built of the night: some models, and all that they are made of."""
        self._order = self.in_order(wanted)
        self.build_all(self._order)

    def staged(self) -> list[str]:
        """The models that split raw rows into accepted and refused ones."""
        return [
            node["name"]
            for node in self._nodes.values()
            if node["resource_type"] == "model" and node["config"]["materialized"] == "staged"
        ]

    def judges_of(self, feed: str) -> list[str]:
        """The staged models that account for each row of a feed."""
        found = []
        for model in self.staged():
            node = self._node(model)
            read = {name.rpartition(".")[2] for name in node["depends_on"]["nodes"] if name.startswith("source.")}
            if node["config"]["meta"].get("judges", feed if read == {feed} else None) == feed and feed in read:
                found.append(model)
        return found

    @contextmanager
    def corrupted(self, feed: str, query: str) -> Iterator[list[str]]:
        """The feed as a query makes it; gives the models that it feeds, and takes everything back afterwards."""
        self.con.execute("begin")
        try:
            self.con.execute(f"create or replace table raw.{feed} as {query}")
            yield self.fed_by(feed)
        finally:
            self.con.execute("rollback")

    def _fill(self, shop: CornerShop) -> None:
        set_keys(self.con, HOME_KEY)
        for schema in ("base", "raw", "staging", "quarantine", "intermediate", "marts", "models", "quality"):
            self.con.execute(f"create schema {schema}")
        self.con.execute(f"attach '{current_database(shop.home / 'published')}' as published (read_only)")
        settings = shop.settings()
        tables = source_tables(settings)
        views = raw_views(tables, settings)
        feeds = {table.view_name for table in tables}
        for name, select in views.items():
            self.con.execute(f"create table {'base' if name in feeds else 'raw'}.{name} as {select}")
            if name in feeds:
                self.con.execute(f"create table raw.{name} as from base.{name}")
        for node in self._nodes.values():
            if node["resource_type"] == "seed":
                self.con.execute(f"create table marts.{node['name']} as from published.marts.{node['name']}")
        for table in self._read_from_python():
            self.con.execute(f"create table models.{table} as from published.models.{table}")
        self.con.execute("detach published")

    def _read_from_python(self) -> list[str]:
        """The tables of Python models that SQL reads, by name; they stay as the night made them."""
        read = {name for node in self._nodes.values() for name in node.get("depends_on", {}).get("nodes", ())}
        return sorted(name.rpartition(".")[2] for name in read if name.startswith("source.loyalty.models."))

    def build_all(self, models: list[str]) -> None:
        for model in models:
            self._build(model)

    def _build(self, model: str) -> None:
        """As dbt does: a view, a table, the components of a graph, or the three relations of a staged model."""
        node = self._node(model)
        relation, kind = self.relation(model), node["config"]["materialized"]
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

    def relation(self, model: str) -> str:
        return f"{self._node(model)['schema']}.{model}"

    def in_order(self, wanted: list[str]) -> list[str]:
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

    def fed_by(self, feed: str) -> list[str]:
        """The models that a raw table feeds, each after its parents."""
        fed = {f"source.loyalty.raw.{feed}"}
        for model in self._order:
            if fed & set(self._node(model)["depends_on"]["nodes"]):
                fed.add(f"model.loyalty.{model}")
        return [model for model in self._order if f"model.loyalty.{model}" in fed]
