"""Reads the expectation suites: one YAML file per table, each rule a sentence with its reason.

What belongs here: what a rule is and what became of it, as plain data. Evaluating one is the runner's work; nothing
here imports Great Expectations, so that everybody may import this.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

SUITES = Path(__file__).resolve().parent / "suites"
Severity = Literal["critical", "warning"]
LAYERS = ("raw", "staging", "intermediate", "marts", "models", "quality")
SCRATCH_LAYERS = frozenset({"raw", "staging", "intermediate"})
NAME = re.compile(r"^[a-z][a-z0-9_]*$")
AS_OF = "{as_of}"
OWN_KEYS = frozenset({"name", "why", "cure", "severity", "owner", "expect", "rows_that_break", "needs"})


class SuiteError(ValueError):
    """A suite file cannot be used; the message names the file, the rule and what to do."""


class CheckCrashed(RuntimeError):
    """A rule could not be evaluated, which is neither a pass nor a failure."""


@dataclass(frozen=True)
class Rule:
    """One rule: either a Great Expectations rule with its arguments, or a query for the rows that break it.

    `needs` are columns that a source may lack; the rule is left out of a table without them. `cure` is what to do where
    it fails; without one it is what is done about rules of its kind (`expectations/cures.py`).
    """

    name: str
    why: str
    severity: Severity
    owner: str
    expect: str | None = None
    rows_that_break: str | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    cure: str = ""

    def of_night(self, as_of: dt.date | None) -> Rule:
        """The rule with the night's business day in the place of `{as_of}` in its condition.

        Raises:
            SuiteError: the condition names the night and none is given.
        """
        condition = self.arguments.get("condition", "")
        if AS_OF not in condition:
            return self
        if as_of is None:
            raise SuiteError(f"its condition names {AS_OF} and no night was given")
        dated = condition.replace(AS_OF, f"cast('{as_of}' as date)")
        return replace(self, arguments={**self.arguments, "condition": dated})


@dataclass(frozen=True)
class Suite:
    """The rules of one table; of layer staging, those of an entity, until it is told of which source's table."""

    layer: str
    table: str
    rules: tuple[Rule, ...]

    @property
    def name(self) -> str:
        """The suite's name, which is its file's."""
        return f"{self.layer}__{self.table}"

    @property
    def relation(self) -> str:
        """Where the table lies in the build."""
        return f"{'scratch.' if self.layer in SCRATCH_LAYERS else ''}{self.layer}.{self.table}"


@dataclass(frozen=True)
class CheckResult:
    """What became of one rule; holds counts, and of rows nothing but a few keys.

    `sample` are keys of rows that break it, none where it passed or its rows have no key (`expectations/samples.py`).
    `waiver` is the period and the reason of a waiver that holds for the rule on this night, `cure` what to do.
    """

    layer: str
    table: str
    name: str
    engine: str
    why: str
    severity: Severity
    is_passed: bool
    failing_rows: int
    observed: str
    waiver: str | None = None
    sample: str | None = None
    cure: str = ""

    @property
    def is_blocking(self) -> bool:
        """Whether it stops the night."""
        return not self.is_passed and self.severity == "critical" and self.waiver is None


def load_suite(path: Path) -> Suite:
    """The suite of one file named `<layer>__<table>.yml`.

    Raises:
        SuiteError: the file is not YAML, or the name, a key or a rule is not as it must be.
    """
    layer, separator, table = path.stem.partition("__")
    if not separator or layer not in LAYERS or not NAME.match(table):
        raise SuiteError(
            f"{path.name}: expected a name like 'marts__fct_orders.yml' with a layer of {', '.join(LAYERS)}"
        )
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise SuiteError(f"{path.name} is not readable as YAML: {' '.join(str(fault).split())}") from None
    if not isinstance(content, dict) or not isinstance(content.get("rules"), list) or not content["rules"]:
        raise SuiteError(f"{path.name}: expected a mapping with a list 'rules' of at least one rule")
    rules = tuple(_rule(path, raw) for raw in content["rules"])
    names = [rule.name for rule in rules]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SuiteError(f"{path.name}: rule names repeat: {', '.join(repeated)}")
    return Suite(layer=layer, table=table, rules=rules)


def load_suites(layer: str, tables: Iterable[str] | None = None, folders: Iterable[Path] = (SUITES,)) -> list[Suite]:
    """The suites of a layer in name order, of the named tables only where these are given.

    Raises:
        SuiteError: a file cannot be used, or two folders have a suite of the same table.
    """
    chosen = None if tables is None else set(tables)
    paths = sorted((path for folder in folders for path in folder.glob(f"{layer}__*.yml")), key=lambda path: path.name)
    repeated = [path for path, following in pairwise(paths) if path.name == following.name]
    if repeated:
        raise SuiteError(f"{repeated[0].name} is in two folders; a table has one suite: remove or rename one of them")
    suites = [load_suite(path) for path in paths]
    return [suite for suite in suites if chosen is None or suite.table in chosen]


def _rule(path: Path, raw: Any) -> Rule:
    if not isinstance(raw, dict) or not NAME.match(str(raw.get("name", ""))):
        raise SuiteError(f"{path.name}: every rule needs a 'name' in snake case that is a sentence, found {raw!r:.80}")
    where = f"{path.name}: {raw['name']}"
    if not raw.get("why"):
        raise SuiteError(f"{where}: needs 'why', what breaks downstream if it fails")
    severity = raw.get("severity", "critical")
    if severity not in get_args(Severity):
        raise SuiteError(f"{where}: severity is '{severity}', expected one of {', '.join(get_args(Severity))}")
    if bool(raw.get("expect")) == bool(raw.get("rows_that_break")):
        raise SuiteError(f"{where}: needs either 'expect' (a rule of the library) or 'rows_that_break' (a query)")
    if raw.get("rows_that_break") and "{batch}" not in raw["rows_that_break"]:
        raise SuiteError(f"{where}: 'rows_that_break' must read from {{batch}}, the table of the suite")
    return Rule(
        name=raw["name"],
        why=raw["why"],
        severity=severity,
        owner=raw.get("owner", "loyalty"),
        expect=raw.get("expect"),
        rows_that_break=raw.get("rows_that_break"),
        arguments={key: given for key, given in raw.items() if key not in OWN_KEYS},
        needs=tuple(raw.get("needs", ())),
        cure=raw.get("cure", ""),
    )
