"""Which versions are compared, tonight's with the night before or any two, and where the parts are written.

Every night is compared with the latest version of the last night before it. So a rebuilt night explains the same
difference as when it was first built, as long as that version is kept; `version_before` and the manifest name it.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from dagster_project.explaining.changes import (
    METRIC_CHANGE_CUSTOMERS,
    METRIC_CHANGES,
    Change,
    NotExplained,
    explain_changes,
)
from dagster_project.explaining.headlines import Headline
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.states import NEEDED, STEPS, Comparison
from dagster_project.publishing.fingerprint import code_fingerprint
from dagster_project.publishing.versions import DATABASE, Manifest, list_versions, night_before
from dagster_project.replaced_tables import replace_table
from dagster_project.settings import Settings
from dagster_project.sql_text import literal

EARLIER = "earlier"


def fingerprint_of(settings: Settings) -> dict[str, str]:
    """What a version is made by: code, settings and engine."""
    return {
        "code": code_fingerprint(shop_folder=settings.shop_folder),
        "settings": settings.fingerprint(),
        "duckdb": duckdb.__version__,
    }


def write_metric_changes(con: duckdb.DuckDBPyConnection, settings: Settings, as_of: dt.date) -> str:
    """Write `quality.metric_changes` and `quality.metric_change_customers` of the build that is open.

    Returns:
        The version that the night is compared with, or why there is none to compare with; the tables are empty then.

    Raises:
        NotExplained: published numbers are not what published orders and answers give.
    """
    published = settings.home / "published"
    before = night_before(published, as_of.isoformat(), settings.business.names)
    if before is None:
        _write(con, as_of, [], None, is_same_code=False)
        return "no version of an earlier night is kept"
    [(later,)] = con.execute("select current_database()").fetchall()
    con.execute(f"attach {literal(published / 'versions' / before.version / DATABASE)} as {EARLIER} (read_only)")
    try:
        missing = missing_columns(con, EARLIER)
        if missing:
            _write(con, as_of, [], None, is_same_code=False)
            return f"{before.version} was made by earlier code, without {missing[0]}"
        is_same_code = before.fingerprint == fingerprint_of(settings)
        compared = Comparison(EARLIER, str(later), dt.date.fromisoformat(before.as_of), as_of, is_same_code)
        rules, rules_before = Rules.of(settings.definitions.model_dump()), Rules.of(before.definitions)
        found = explain_changes(con, compared, rules, rules_before=rules_before)
        _write(con, as_of, found, before, is_same_code=is_same_code)
    finally:
        con.execute(f"detach {EARLIER}")
    return before.version


def missing_columns(con: duckdb.DuckDBPyConnection, catalogue: str) -> list[str]:
    """Columns that a comparison reads and a version of earlier code does not have, as `schema.table.column`."""
    found = con.execute(
        "select schema_name || '.' || table_name || '.' || column_name from duckdb_columns() where database_name = ?",
        [catalogue],
    ).fetchall()
    return [name for name in NEEDED if (name,) not in found]


def changes_between(
    con: duckdb.DuckDBPyConnection, published: Path, before: str, after: str, headlines: list[Headline]
) -> list[Change]:
    """The difference between two published versions; the table `customer_changes` of the connection has it by customer.

    Args:
        con: an empty database.
        published: the folder of all versions.
        before: a version's name, as `loyalty versions` prints it.
        after: another's, of the same night or a later one.
        headlines: which numbers.

    Raises:
        NotExplained: there is no such version, it is of a later night, or it cannot be compared.
    """
    known = {manifest.version: manifest for manifest in list_versions(published)}
    for version in (before, after):
        if version not in known:
            raise NotExplained(f"no version '{version}' in {published}; there are: {', '.join(known) or 'none'}")
    first, second = known[before], known[after]
    if first.as_of > second.as_of:
        raise NotExplained(
            f"{before} is as of {first.as_of}, after {after} ({second.as_of}); name an earlier version, "
            f"or make the later one current with `loyalty rollback {before}`"
        )
    for name, version in ((EARLIER, before), ("later", after)):
        con.execute(f"attach {literal(published / 'versions' / version / DATABASE)} as {name} (read_only)")
        missing = missing_columns(con, name)
        if missing:
            raise NotExplained(f"{version} was made by earlier code, without {missing[0]}; it cannot be compared")
    days = (dt.date.fromisoformat(first.as_of), dt.date.fromisoformat(second.as_of))
    compared = Comparison(EARLIER, "later", *days, first.fingerprint == second.fingerprint)
    return explain_changes(
        con, compared, Rules.of(second.definitions), headlines, rules_before=Rules.of(first.definitions)
    )


def customers_who_moved(con: duckdb.DuckDBPyConnection, limit: int) -> list[tuple[Any, ...]]:
    """Customer, metric, period type, cause and part of those who moved a headline most, after `changes_between`."""
    names = " ".join(f"when {step} then '{cause}'" for cause, step in STEPS.items())
    return con.execute(
        f"""
        select customer_key, metric, period_type, case step {names} end as cause, part
        from customer_changes
        where part <> 0
        order by abs(part) desc, customer_key nulls last, metric, period_type, cause
        limit {limit}
        """
    ).fetchall()


def version_compared_with(con: duckdb.DuckDBPyConnection) -> str | None:
    """The version that a build's changes are told from."""
    [(version,)] = con.execute("select any_value(version_before) from quality.metric_changes").fetchall()
    return None if version is None else str(version)


def _write(
    con: duckdb.DuckDBPyConnection, as_of: dt.date, found: list[Change], before: Manifest | None, *, is_same_code: bool
) -> None:
    rows = [
        {
            "metric": change.headline.metric,
            "period_type": change.headline.period_type,
            "unit": change.headline.unit,
            "step": STEPS[change.cause],
            "cause": change.cause,
            "metric_value_before": change.before,
            "metric_value_after": change.after,
            "metric_value_change": change.difference,
            "part": change.part,
            "numerator_change": change.numerator_change,
            "denominator_change": None if change.headline.is_total else change.denominator_change,
            "count_customers": change.count_customers,
            "version_before": before.version if before else None,
            "as_of_before_date": before.as_of if before else None,
            "as_of_date": as_of,
            "is_same_code": is_same_code,
        }
        for change in found
    ]
    replace_table(con, "quality", "metric_changes", pd.DataFrame(rows, columns=list(METRIC_CHANGES)), METRIC_CHANGES)
    declared = ", ".join(f"{column} {kind}" for column, kind in METRIC_CHANGE_CUSTOMERS.items())
    con.execute(f"create or replace table quality.metric_change_customers ({declared})")
    if found:
        names = " ".join(f"when {step} then '{cause}'" for cause, step in STEPS.items())
        con.execute(
            f"""
            insert into quality.metric_change_customers
            select changes.metric, changes.period_type,
                case changes.step {names} end,
                customers.customer_key, sum(changes.numerator_change), sum(changes.denominator_change),
                sum(changes.part)
            from customer_changes as changes
            left join marts.dim_customers as customers on changes.customer_key = customers.customer_key
            group by all
            order by all
            """
        )
