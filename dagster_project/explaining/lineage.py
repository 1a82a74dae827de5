"""Which models make a metric, which settings they read, and what has to be made again when one changes.

Reads the parsed dbt project as JSON and nothing else. That a model reads a setting is told from its own text and from
that of the macros it calls, so it may be told of one that makes no use of it, never the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

SETTING = re.compile(r"\bvar\(\s*['\"](\w+)['\"]")
END = "loyalty_metrics"
UNITED_BASES = "int_metric_bases"


@dataclass(frozen=True)
class Model:
    """A table of the project.

    Attributes:
        name: as the project calls it.
        database: `warehouse` for what is published, `scratch` for the rest.
        schema: its layer.
        table: its name in the schema.
        parents: ids of the tables that it reads.
        settings: that its text or its macros read.
        columns: column -> type of a model with an enforced contract; None without one.
    """

    name: str
    database: str
    schema: str
    table: str
    parents: tuple[str, ...]
    settings: frozenset[str]
    columns: Mapping[str, str] | None

    @property
    def relation(self) -> str:
        """As compiled SQL calls it."""
        return f'"{self.database}"."{self.schema}"."{self.table}"'


class Lineage:
    """The models above `loyalty_metrics`, by their ids in the parsed project."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._macros: Mapping[str, Any] = document["macros"]
        self._nodes: Mapping[str, Any] = {**document["nodes"], **document["sources"]}
        [self.end] = [id_ for id_ in document["nodes"] if id_.startswith("model.") and id_.endswith(f".{END}")]
        above = self._above({self.end}, {id_: _parents(node) for id_, node in self._nodes.items()})
        self.models = {id_: self._model(self._nodes[id_]) for id_ in above}

    def above(self, ids: Collection[str]) -> set[str]:
        """The given models and all that they are made of."""
        return self._above(ids, {id_: model.parents for id_, model in self.models.items()})

    def touched_by(self, setting: str, among: Collection[str]) -> list[str]:
        """The models, of the given ones, that read a setting or a model that does, parents first; the metrics last."""
        touched: set[str] = set()
        for id_ in self._in_order:
            model = self.models[id_]
            if id_ in among and (setting in model.settings or touched & set(model.parents) or id_ == self.end):
                touched.add(id_)
        return self.in_order(touched)

    def in_order(self, ids: Collection[str]) -> list[str]:
        """Parents first."""
        return [id_ for id_ in self._in_order if id_ in ids]

    def inputs_of(self, ids: Collection[str]) -> list[str]:
        """What the given models read beside each other, in name order."""
        return sorted({parent for id_ in ids for parent in self.models[id_].parents} - set(ids))

    @cached_property
    def sums(self) -> list[str]:
        """The models that metrics take their numbers from: what `loyalty_metrics` and the united bases read."""
        [united] = [id_ for id_, model in self.models.items() if model.name == UNITED_BASES]
        read = {*self.models[self.end].parents, *self.models[united].parents}
        return self.in_order({id_ for id_ in read if self.models[id_].database == "scratch"} - {united})

    def makers_of(self, sums: Collection[str]) -> set[str]:
        """The models that make a metric whose numbers come from the given sums."""
        united = {id_ for id_, model in self.models.items() if model.name == UNITED_BASES}
        return self.above(sums) | united | {self.end}

    @cached_property
    def _in_order(self) -> list[str]:
        ordered: dict[str, None] = {}

        def visit(id_: str) -> None:
            if id_ not in ordered:
                for parent in sorted(self.models[id_].parents):
                    visit(parent)
                ordered[id_] = None

        for id_ in sorted(self.models):
            visit(id_)
        return list(ordered)

    @staticmethod
    def _above(ids: Iterable[str], parents: Mapping[str, Iterable[str]]) -> set[str]:
        found, left = set(ids), list(ids)
        while left:
            new = set(parents[left.pop()]) - found
            found |= new
            left += new
        return found

    def _model(self, node: Mapping[str, Any]) -> Model:
        columns = (
            {name: str(column["data_type"]) for name, column in node["columns"].items()} if _is_kept(node) else None
        )
        return Model(
            name=node["name"],
            database=node["database"],
            schema=node["schema"],
            table=node.get("alias") or node["name"],
            parents=_parents(node),
            settings=frozenset(self._settings(node, set())),
            columns=columns,
        )

    def _settings(self, node: Mapping[str, Any], seen: set[str]) -> set[str]:
        found = set(SETTING.findall(node.get("raw_code") or node.get("macro_sql") or ""))
        for macro in node.get("depends_on", {}).get("macros", ()):
            if macro not in seen and macro in self._macros:
                seen.add(macro)
                found |= self._settings(self._macros[macro], seen)
        return found


def _parents(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(node.get("depends_on", {}).get("nodes", ()))


def _is_kept(node: Mapping[str, Any]) -> bool:
    """Whether its contract is enforced, so that its columns have the declared types."""
    return bool(node.get("config", {}).get("contract", {}).get("enforced"))
