"""Who was loyal on past evenings, by orders alone.

Belongs here: the rule of `loyal_share` as of many cut-offs, from what a cut-off knows. Not here: the metric, which also
asks that the last survey answer is no detractor's (`macros/lifecycle.sql`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pandas as pd

from dagster_project.modelling.features import OCCASIONS, occasions_relation, whole_pasts
from dagster_project.modelling.scope import EVERYTHING, Scope

_LOYAL = """,
gaps as (
    select
        cutoff_date,
        customer_key,
        days_before_cutoff,
        date_diff('day', lag(occasion_date) over buyer, occasion_date) as gap_days
    from occasions
    window buyer as (partition by cutoff_date, customer_key order by occasion_date)
)
-- Grain: one cut-off and customer who was loyal on it
select cutoff_date, customer_key
from gaps
group by cutoff_date, customer_key
having count(*) filter (where days_before_cutoff < {window_days}) >= {minimum_occasions}
    and min(days_before_cutoff) <= {gap_multiple} * median(gap_days)
order by cutoff_date, customer_key
"""


@dataclass(frozen=True)
class LoyalRule:
    """When a customer is loyal.

    Attributes:
        window_days: days up to the cut-off, itself among them, in which occasions count.
        minimum_occasions: in the window, at least 2.
        gap_multiple: own median gaps that a loyal customer may be silent for.
    """

    window_days: int = 365
    minimum_occasions: int = 3
    gap_multiple: float = 1.5


def loyal_customers(
    connection: duckdb.DuckDBPyConnection,
    cutoffs: Sequence[dt.date],
    rule: LoyalRule,
    scope: Scope = EVERYTHING,
) -> pd.DataFrame:
    """The loyal customers of each cut-off.

    Args:
        connection: as in `customer_features`.
        cutoffs: as in `customer_features`.
        rule: when one is loyal.
        scope: as in `customer_features`.

    Returns:
        cutoff_date, customer_key, ordered by both.

    Raises:
        ValueError: a cut-off comes twice.
    """
    sql = OCCASIONS + _LOYAL.format(
        window_days=int(rule.window_days),
        minimum_occasions=int(rule.minimum_occasions),
        gap_multiple=float(rule.gap_multiple),
    )
    return occasions_relation(connection, sql, whole_pasts(cutoffs), scope).df()
