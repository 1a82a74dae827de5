"""From the rules of an entity to those of each source's staging model of it.

What belongs here: which staging tables a suite holds for, and which of its rules a source has the columns for. So a new
source is checked from its first night, without a suite of its own. What does not: evaluating them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import yaml

from dagster_project.settings import Settings
from dagster_project.shop_project import staged_entities, staging_file
from expectations.suite import Suite


def suites_of_staged(suites: Iterable[Suite], settings: Settings) -> list[Suite]:
    """The suites of the sources' staging models, by entity and source.

    Args:
        suites: those of layer staging, each named after an entity.
        settings: of the shop.

    Returns:
        One suite a staging model, without the rules that need columns which the source leaves out.
    """
    staged = staged_entities(settings)
    return [_of_source(suite, source, settings) for suite in suites for source in staged.get(suite.table, ())]


def _of_source(suite: Suite, source: str, settings: Settings) -> Suite:
    model = f"stg_{source}__{suite.table}"
    columns = _columns(source, model, settings)
    return replace(suite, table=model, rules=tuple(rule for rule in suite.rules if columns.issuperset(rule.needs)))


def _columns(source: str, model: str, settings: Settings) -> set[str]:
    """What the yml beside the model says that it has; a contract test holds it to that."""
    path = staging_file(settings, source, f"{model}.yml")
    if path is None:
        raise LookupError(f"{model}.sql has no {model}.yml beside it; expected its columns there: write it")
    [described] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    return {column["name"] for column in described["columns"]}
