"""Shops of a few rows: what the models make of them, without dbt and without files.

Belongs here: putting rows into the tables of an empty night and running the compiled SQL of everything that depends on
them. What the answer should be stands in the tests.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import pandas as pd

GIVEN = (
    "int_orders_valued", "fct_order_lines", "dim_customers", "dim_products", "fct_feedback", "fct_refunds",
    "fct_survey_invitations", "fct_support_contacts", "fct_mentions",
    "fct_points_ledger", "fct_tier_changes", "fct_badges", "fct_referrals", "fct_campaign_messages",
    "fct_subscriptions", "fct_costs", "int_list_prices_united", "text_sentiment",
)  # fmt: skip
"""The tables that a tiny shop states; everything else that it is asked for is derived from them."""


class TinyShops:
    """Runs tiny shops on the tables of an empty night, in memory; its settings hold, and its as-of unless one is given.

    Args:
        night: an empty night.
        wanted: the models to derive.
        as_of: the day to look from.
    """

    def __init__(self, night: Any, wanted: Sequence[str], as_of: dt.date | None = None) -> None:
        manifest = night.dbt.manifest()
        nodes = {node["name"]: node for node in [*manifest["sources"].values(), *manifest["nodes"].values()]}
        self._schemas = {name: node["schema"] for name, node in nodes.items()}
        order = _in_order(nodes, wanted)
        day = (f"'{night.as_of}'", f"'{as_of or night.as_of}'")
        self._models = [(name, in_memory(night.compiled_model(name)).replace(*day)) for name in order]
        self._con = duckdb.connect(config={"threads": 1})
        seeds = [name for name, node in nodes.items() if node["resource_type"] == "seed"]
        with night.dbt.warehouse.connect() as built:
            for schema in ("marts", "intermediate", "models"):
                self._con.execute(f"create schema {schema}")
            for name in (*GIVEN, *seeds):
                database = "scratch." if self._schemas[name] == "intermediate" else ""
                frame = built.sql(f"from {database}{self._schemas[name]}.{name}").to_arrow_table()  # noqa: F841
                self._con.execute(f"create table {self._schemas[name]}.{name} as from frame")

    def close(self) -> None:
        """Let go of the shops."""
        self._con.close()

    def night(self, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> duckdb.DuckDBPyConnection:
        """The tables of a shop that has these rows, until the next one.

        Args:
            rows: table of `GIVEN` -> its rows; columns that are left out are null.
        """
        for table in GIVEN:
            self._con.execute(f"truncate {self._schemas[table]}.{table}")
            if rows.get(table):
                frame = pd.DataFrame(rows[table])  # noqa: F841 - DuckDB reads it by name
                self._con.execute(f"insert into {self._schemas[table]}.{table} by name select * from frame")
        for name, sql in self._models:
            self._con.execute(f"create or replace table {self._schemas[name]}.{name} as {sql}")
        return self._con


def in_memory(sql: str) -> str:
    """Compiled SQL without the names of the two files."""
    return sql.replace('"warehouse".', "").replace('"scratch".', "")


def _in_order(nodes: Mapping[str, Any], wanted: Sequence[str]) -> list[str]:
    """The wanted models and all that they are made of but the given tables, each after its parents."""
    found: list[str] = []

    def visit(name: str) -> None:
        node = nodes.get(name)
        if node is None or name in found or name in GIVEN or node["resource_type"] != "model":
            return
        for parent in node["depends_on"]["nodes"]:
            visit(parent.rpartition(".")[2])
        found.append(name)

    for name in wanted:
        visit(name)
    return found
