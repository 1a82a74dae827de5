"""From what holds of an entity to the suites of each source's tables of it.

What belongs here: which staging tables a suite holds for, and which of its rules a source has the columns for. So a new
source is checked from its first night, without a suite of its own. What does not: evaluating them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from dagster_project.settings import Settings
from dagster_project.shop_project import staged_columns, staged_entities
from dagster_project.standard.tables import StandardTable, standard_tables
from expectations.suite import Rule, Suite

NEEDED = ("orders", "order_lines")
"""Standard tables without which there is no purchase."""


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
    columns = staged_columns(settings, source, suite.table)
    rules = tuple(rule for rule in suite.rules if columns.issuperset(rule.needs))
    return replace(suite, table=f"stg_{source}__{suite.table}", rules=rules)


def suites_of_standard(settings: Settings) -> list[Suite]:
    """The suites of the raw tables of standard sources, in name order: what their declaration says of every row."""
    tables = sorted(
        (f"{source}__{name}", standard_tables()[name])
        for source, described in settings.sources.items()
        if described.is_standard
        for name in described.tables
    )
    return [Suite("raw", name, tuple(_raw_rules(table))) for name, table in tables]


def _raw_rules(table: StandardTable) -> Iterator[Rule]:
    if table.name in NEEDED:
        yield Rule(
            "there_are_rows", f"Without them the night would publish a shop that lost its {table.name}.", "critical",
            "loyalty", "table_row_count_to_be_between", arguments={"min_value": 1},
        )  # fmt: skip
    for name in table.key:
        if table.columns[name].need == "filled":
            yield Rule(
                f"{name}_is_mostly_present",
                "A key that is missing on many rows means that the delivery or its columns have changed.", "critical",
                "loyalty", "column_values_to_not_be_null", arguments={"column": name, "mostly": 0.95},
            )  # fmt: skip
    yield Rule(
        "every_row_names_its_file_and_place", "Rows without provenance cannot be found again in their file.",
        "critical", "loyalty", rows_that_break="select _row_number from {batch} where _source is null "
        "or _file is null or _load_id is null or _row_number is null",
    )  # fmt: skip
