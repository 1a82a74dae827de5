"""Connected components as dbt finds them, beside a union-find: chains, stars, cliques and chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

LINKS = "scratch.intermediate.int_identity_links"
COMPONENTS = "scratch.intermediate.int_identity_components"
CHAIN = 3_000
Edge = tuple[int, int]


def graphs() -> list[Edge]:
    """One graph of many parts: numbers rising and scattered along chains, stars with a small and a large middle."""
    chance = random.Random(5)  # noqa: S311 - a graph, no secret
    edges = [(number, number + 1) for number in range(1, CHAIN)]
    scattered = chance.sample(range(10_000, 20_000), CHAIN)
    edges += list(pairwise(scattered))
    edges += [(20_001, leaf) for leaf in range(20_002, 21_000)] + [(leaf, 22_000) for leaf in range(21_000, 21_999)]
    edges += list(combinations(range(23_000, 23_030), 2))
    edges += [(chance.randrange(30_000, 36_000), chance.randrange(30_000, 36_000)) for _ in range(4_000)]
    return [edge if chance.random() < 0.5 else edge[::-1] for edge in edges]


def united(edges: list[Edge]) -> dict[int, int]:
    """Node and the smallest node of its component, of nodes that an edge joins with another."""
    parent: dict[int, int] = {}

    def root(node: int) -> int:
        while parent.setdefault(node, node) != node:
            parent[node] = node = parent[parent[node]]
        return node

    for one, other in edges:
        if one != other:
            low, high = sorted((root(one), root(other)))
            parent[high] = low
    return {node: root(node) for node in list(parent)}


def test_components_are_those_of_a_union_find(empty_night_of: Callable[[str], Any]) -> None:
    night, edges = empty_night_of("demo"), graphs()

    def built() -> None:
        results = night.dbt.build("int_identity_components !resource_type:test", night.as_of)
        assert [result.message for result in results if not result.has_passed] == []

    try:
        with night.dbt.warehouse.connect() as con:
            rows = ", ".join(f"(0, {one}, {other})" for one, other in edges)
            con.execute(f"insert into {LINKS} (rule_set_number, record_number, first_record_number) values {rows}")
        built()
        with night.dbt.warehouse.connect() as con:
            found = con.execute(f"select node, component from {COMPONENTS}").fetchall()
            tables = con.execute("select table_name from duckdb_tables() where contains(table_name, '__')").fetchall()
    finally:
        with night.dbt.warehouse.connect() as con:
            con.execute(f"delete from {LINKS}")
        built()
    expected = united(edges)
    width = max(node for node, _ in found) // max(expected)  # a node is a record's number times the sets of rules
    assert len(found) == len(expected) > 10_000
    assert {node // width: component // width for node, component in found} == expected
    assert not [name for (name,) in tables if "components__" in name]
