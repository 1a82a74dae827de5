"""What was known of each customer at each of many cut-offs, and what followed: one definition to train and to score.

Belongs here: the SQL from the marts to features and outcomes, grain (cut-off, customer), and the names of the columns.
Not here: what other feeds than the orders tell (`feature_groups.py`), what is learned from features (`challengers.py`,
`leaving/`), which cut-offs are used (`origins.py`).

A row knows its cut-off's evening and nothing later: orders placed and refunds booked up to it. What counts as a
purchase occasion is said in `purchase_history.py`; the columns that both modules make are equal (tested). Outcomes look
at (cut-off, cut-off + horizon] by the refunds known at its end.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import duckdb
import pandas as pd

from dagster_project.modelling.feature_groups import FeatureGroup, joined
from dagster_project.modelling.scope import EVERYTHING, Scope

WINDOWS_DAYS = (30, 90, 180, 365)
"""Look-backs of counts and sums: a month, the default churn horizon, half a year, the default value horizon."""

_WINDOWS = ",\n    ".join(
    f"(count(*) filter (where days_before_cutoff < {days}))::bigint as count_occasions_{days}d,\n"
    f"    coalesce(sum(occasion_net) filter (where days_before_cutoff < {days}), 0)::double as total_net_{days}d"
    for days in WINDOWS_DAYS
)

OCCASIONS = """
with spans as (
    select
        unnest($cutoffs::date[]) as cutoff_date,
        unnest($after::date[]) as after_date,
        unnest($until::date[]) as until_date
),
-- Grain: one order that may count, for each span that it lies in; refunds as known at the end of the span
orders_seen as (
    select
        spans.cutoff_date,
        spans.until_date,
        orders.order_key,
        orders.customer_key,
        orders.order_date,
        orders.gross_amount,
        orders.channel,
        orders.count_units,
        orders.exclusion_reason is not distinct from 'zero_value' as is_zero_value
    from marts.fct_orders as orders
    inner join spans on orders.order_date > spans.after_date and orders.order_date <= spans.until_date
    where orders.customer_key is not null
        and md5(orders.customer_key) <= $last_md5
        and (
            coalesce(orders.exclusion_reason, 'fully_refunded') = 'fully_refunded'
            or ($counts_zero_value_orders and orders.exclusion_reason = 'zero_value')
        )
),
refunds_seen as (
    select orders_seen.cutoff_date, orders_seen.order_key, sum(refunds.refund_amount) as total_refunded
    from marts.fct_refunds as refunds
    inner join orders_seen
        on refunds.order_key = orders_seen.order_key and refunds.refund_date <= orders_seen.until_date
    group by orders_seen.cutoff_date, orders_seen.order_key
),
orders_netted as (
    select
        orders_seen.*,
        coalesce(refunds_seen.total_refunded, 0) as total_refunded,
        orders_seen.gross_amount - coalesce(refunds_seen.total_refunded, 0) as net_amount
    from orders_seen
    left join refunds_seen
        on orders_seen.cutoff_date = refunds_seen.cutoff_date and orders_seen.order_key = refunds_seen.order_key
),
-- Grain: one cut-off, customer and business date with a purchase
occasions as (
    select
        cutoff_date,
        customer_key,
        order_date as occasion_date,
        date_diff('day', order_date, cutoff_date) as days_before_cutoff,
        sum(case when is_zero_value then 0 else net_amount end) as occasion_net,
        coalesce(sum(count_units), 0) as count_units
    from orders_netted
    where is_zero_value or net_amount > 0
    group by cutoff_date, customer_key, order_date
)
"""

_FEATURES = f""",
occasions_placed as (
    select
        *,
        min(occasion_date) over buyer as first_order_date,
        date_diff('day', lag(occasion_date) over (buyer order by occasion_date), occasion_date) as gap_days,
        row_number() over (buyer order by occasion_date desc) as place_from_last
    from occasions
    window buyer as (partition by cutoff_date, customer_key)
),
-- What all orders say, those without anything left after refunds included
baskets as (
    select
        cutoff_date,
        customer_key,
        sum(total_refunded)::double / nullif(sum(gross_amount), 0)::double as refunded_share,
        count(distinct channel)::bigint as count_channels
    from orders_netted
    group by cutoff_date, customer_key
),
kinds as (
    select orders_seen.cutoff_date, orders_seen.customer_key, count(distinct lines.product_kind)::bigint as count_kinds
    from marts.fct_order_lines as lines
    inner join orders_seen on lines.order_key = orders_seen.order_key
    group by orders_seen.cutoff_date, orders_seen.customer_key
),
-- Grain: one cut-off and customer with a purchase up to it
histories as (
    select
        cutoff_date,
        customer_key,
        first_order_date,
        max(occasion_date) as last_order_date,
        (count(*) - 1)::bigint as count_repeat_occasions,
        date_diff('day', first_order_date, max(occasion_date))::bigint as days_first_to_last_order,
        date_diff('day', first_order_date, cutoff_date)::bigint as days_observed,
        sum(occasion_net)::double as total_net,
        (sum(occasion_net) filter (where occasion_net > 0))::double
            / nullif(count(*) filter (where occasion_net > 0), 0) as mean_occasion_net,
        (count(*) filter (where occasion_net > 0))::bigint as count_occasions_with_spend,
        (count(*) filter (where occasion_date > first_order_date and occasion_net > 0))::bigint
            as count_repeat_occasions_with_spend,
        (sum(occasion_net) filter (where occasion_date > first_order_date and occasion_net > 0))::double
            / nullif(count(*) filter (where occasion_date > first_order_date and occasion_net > 0), 0)
            as mean_repeat_occasion_net,
        max(case when place_from_last = 1 then occasion_net end)::double as last_occasion_net,
        max(occasion_net)::double as largest_occasion_net,
        max(case when place_from_last = 1 then gap_days end)::bigint as last_gap_days,
        max(case when place_from_last = 2 then gap_days end)::bigint as gap_before_last_days,
        max(gap_days)::bigint as longest_gap_days,
        sqrt(
            greatest(sum(gap_days * gap_days) / count(gap_days) - (sum(gap_days) / count(gap_days)) ** 2, 0)
        ) as spread_gap_days,
        -- in billionths: whole numbers sum to the same in any order
        coalesce(sum(round(ln(gap_days) * 1e9)::hugeint), 0)::double / 1e9 as total_log_gap,
        coalesce(sum(round(ln(gap_days) * 1e9)::hugeint * round(ln(gap_days) * 1e9)::hugeint), 0)::double / 1e18
            as total_squared_log_gap,
        sum(count_units)::double / count(*) as mean_occasion_units,
        {_WINDOWS}
    from occasions_placed
    group by cutoff_date, customer_key, first_order_date
)"""
_JOINED = """{tables}
select
    histories.*,
    date_trunc('month', histories.first_order_date)::date as cohort_month,
    coalesce(baskets.refunded_share, 0) as refunded_share,
    coalesce(baskets.count_channels, 0) as count_channels,
    coalesce(kinds.count_kinds, 0) as count_kinds{columns}
from histories
left join baskets on histories.cutoff_date = baskets.cutoff_date and histories.customer_key = baskets.customer_key
left join kinds on histories.cutoff_date = kinds.cutoff_date and histories.customer_key = kinds.customer_key{joins}
order by histories.cutoff_date, histories.customer_key
"""

_OUTCOMES = """
-- Grain: one cut-off and customer with a purchase within the horizon
select
    cutoff_date,
    customer_key,
    count(*)::bigint as count_occasions,
    sum(occasion_net)::double as total_net,
    min(-days_before_cutoff)::bigint as days_to_first_occasion
from occasions
group by cutoff_date, customer_key
order by cutoff_date, customer_key
"""

_BEFORE_EVERYTHING = dt.date(1, 1, 1)
Spans = dict[str, list[dt.date]]
"""Cut-offs, the days after which each looks, and those up to which."""


def customer_features(
    connection: duckdb.DuckDBPyConnection,
    cutoffs: Sequence[dt.date],
    scope: Scope = EVERYTHING,
    groups: Sequence[FeatureGroup] = (),
) -> duckdb.DuckDBPyRelation:
    """One row per cut-off and customer with a purchase up to it, ordered by both; not fetched yet.

    Args:
        connection: a connection that sees `marts.fct_orders`, `marts.fct_order_lines` and `marts.fct_refunds`.
        cutoffs: the days, whole, after which nothing is seen; different ones.
        scope: which orders and customers are read.
        groups: what else to tell than the orders do; the connection sees their tables too.

    Returns:
        A relation to fetch whole or in batches: cutoff_date, the columns of `purchase_history`,
        count_occasions_with_spend, amounts (last_occasion_net, largest_occasion_net, total_net_<n>d), counts
        (count_occasions_<n>d, mean_occasion_units, count_channels, count_kinds; 0 where a source says nothing), gaps
        between occasions (last_gap_days, gap_before_last_days, longest_gap_days, spread_gap_days; null without one;
        total_log_gap and total_squared_log_gap, sums of their logarithms and of the squares) and refunded_share (0 to
        1, over all orders, returned ones too).
        <n>d counts the n days up to the cut-off. After these the columns of the groups, null where one knows nothing.

    Raises:
        ValueError: a cut-off comes twice.
    """
    spans = whole_pasts(cutoffs)
    tables, columns, joins = joined(groups)
    sql = OCCASIONS + _FEATURES + _JOINED.format(tables=tables, columns=columns, joins=joins)
    return occasions_relation(connection, sql, spans, scope)


def customer_outcomes(
    connection: duckdb.DuckDBPyConnection,
    cutoffs: Sequence[dt.date],
    horizon_days: int,
    scope: Scope = EVERYTHING,
) -> pd.DataFrame:
    """What customers bought in (cut-off, cut-off + horizon], by the refunds known at its end.

    Args:
        connection: as in `customer_features`.
        cutoffs: as in `customer_features`.
        horizon_days: at least 1.
        scope: as in `customer_features`.

    Returns:
        cutoff_date, customer_key, count_occasions (from 1), total_net, days_to_first_occasion (from 1); only customers
        who bought, first-time buyers included, ordered by cut-off and customer.

    Raises:
        ValueError: the horizon has no day, or a cut-off comes twice.
    """
    if horizon_days < 1:
        raise ValueError(f"horizon_days is {horizon_days}; expected at least one day after the cut-off")
    _check(cutoffs)
    ends = [cutoff + dt.timedelta(days=horizon_days) for cutoff in cutoffs]
    spans = {"cutoffs": list(cutoffs), "after": list(cutoffs), "until": ends}
    return occasions_relation(connection, OCCASIONS + _OUTCOMES, spans, scope).df()


def first_order_date(connection: duckdb.DuckDBPyConnection, as_of: dt.date) -> dt.date | None:
    """Day of the shop's first valid order up to as-of; None where there is none.

    Args:
        connection: a connection that sees `marts.fct_orders`.
        as_of: the night.
    """
    found = "select min(order_date) from marts.fct_orders where exclusion_reason is null and order_date <= $as_of"
    [(first,)] = connection.execute(found, {"as_of": as_of}).fetchall()
    return first if first is None else dt.date.fromisoformat(str(first))


def whole_pasts(cutoffs: Sequence[dt.date]) -> Spans:
    """The spans of `OCCASIONS` from the shop's beginning to each cut-off.

    Args:
        cutoffs: as in `customer_features`.

    Raises:
        ValueError: a cut-off comes twice.
    """
    _check(cutoffs)
    return {"cutoffs": list(cutoffs), "after": [_BEFORE_EVERYTHING] * len(cutoffs), "until": list(cutoffs)}


def occasions_relation(
    connection: duckdb.DuckDBPyConnection, sql: str, spans: Spans, scope: Scope
) -> duckdb.DuckDBPyRelation:
    """What a statement that begins with `OCCASIONS` says of some spans; not fetched yet.

    Args:
        connection: as in `customer_features`.
        sql: the statement.
        spans: of the cut-offs.
        scope: as in `customer_features`.
    """
    return connection.sql(sql, params=spans | scope.parameters())


def _check(cutoffs: Sequence[dt.date]) -> None:
    if len(set(cutoffs)) != len(cutoffs):
        raise ValueError(f"cut-offs are {', '.join(map(str, cutoffs))}; expected each once")
