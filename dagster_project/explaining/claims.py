"""What the loyal spend beside others, recounted under any rules, and what becomes of a claim about it.

The same estimates as `marts.loyalty_metrics` tells under the rules of the night, which a test holds them to: means with
their normal intervals, first buyers per day of exposure by linearisation, quotients by the delta method on logarithms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import duckdb

from dagster_project.explaining.headlines import NPS_INSTRUMENTS
from dagster_project.explaining.rules import Rules

Z = 1.959963984540054
MULTIPLES = {"loyal_spend_multiple": "first", "loyal_to_other_spend_multiple": "other"}
"""Metric -> whom the loyal are compared with."""


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval and what it rests on; None where it cannot be given."""

    value: float | None
    low: float | None
    high: float | None
    count_observations: int


@dataclass(frozen=True)
class Claim:
    """A claim of the specification about a metric, as `marts.spec_claims` has it."""

    claim: str
    claimed: str
    claimed_low: float | None
    claimed_high: float | None
    verdict: str


def verdict_of(found: Estimate, claim: Claim, minimum_base: int) -> str:
    """`holds`, `does_not_hold` or `cannot_say`, by the rule of `marts.spec_claims`."""
    low, high = claim.claimed_low, claim.claimed_high
    if found.value is None or found.low is None or found.high is None or low is None or high is None:
        return "cannot_say"
    if found.count_observations < minimum_base:
        return "cannot_say"
    if found.low >= low and found.high <= high:
        return "holds"
    return "does_not_hold" if found.high < low or found.low > high else "cannot_say"


def spend_multiple(con: duckdb.DuckDBPyConnection, metric: str, rules: Rules) -> Estimate:
    """What the loyal spend, divided by what others do, in the window of `rules` before the state's day.

    Args:
        con: holds `order_states` and `answer_states` with one state.
        metric: of `MULTIPLES`.
        rules: who is loyal, and how long the window is.
    """
    sums = {group: row for group, *row in con.execute(_sums(rules)).fetchall()}
    empty = [0, 0.0, 0.0, 0.0, 0.0, 0.0]
    above = _mean(*sums.get("loyal", empty)[:3])
    below_sums = sums.get(MULTIPLES[metric], empty)
    below = (
        _per_day(*below_sums, scale=rules.active_window_days)
        if metric == "loyal_spend_multiple"
        else _mean(*below_sums[:3])
    )
    return _quotient(above, below)


def _sums(rules: Rules) -> str:
    window = rules.active_window_days
    amount = "net_amount" if rules.counts_refunds else "gross_amount"
    return f"""
with occasions as (
    select as_of_date, as_of_date - {window} as start_date, customer_key, order_date, sum({amount}) as net,
        order_date - lag(order_date) over (partition by customer_key order by order_date) as gap_days
    from order_states
    where is_valid and customer_key is not null
    group by as_of_date, customer_key, order_date
),
bands as (
    select customer_key, band
    from answer_states
    where instrument in {NPS_INSTRUMENTS} and band is not null and customer_key is not null
        and feedback_date <= as_of_date - {window}
    qualify row_number() over (
        partition by customer_key order by feedback_date desc, submitted_at desc nulls last, feedback_key desc
    ) = 1
),
customers as (
    select customer_key,
        coalesce(sum(net) filter (where order_date > start_date), 0) as net,
        bool_or(order_date > start_date) as is_active,
        bool_or(order_date > start_date - {window} and order_date <= start_date) as is_recent,
        min(order_date) > any_value(start_date) as is_first,
        any_value(as_of_date) + 1 - min(order_date) as days_observed,
        coalesce(
            count(*) filter (where order_date <= start_date and order_date > start_date - {window})
                >= {rules.loyal_minimum_occasions}
            and any_value(start_date) - max(order_date) filter (where order_date <= start_date)
                <= {rules.loyal_gap_multiple} * median(gap_days) filter (where order_date <= start_date),
            false
        ) as keeps_pace
    from occasions
    group by customer_key
),
grouped as (
    select net, days_observed,
        case
            when is_first then case when is_active then 'first' end
            when keeps_pace and coalesce(band, '') <> 'detractor' then 'loyal'
            when is_recent then 'other'
        end as spender
    from customers
    left join bands using (customer_key)
)
select spender, count(*), cast(sum(net) as double), cast(sum(cast(net as decimal(28, 4)) * net) as double),
    cast(sum(days_observed) as double), cast(sum(days_observed * days_observed) as double),
    cast(sum(net * days_observed) as double)
from grouped
where spender is not null
group by spender"""


def _mean(n: int, total: float, squares: float) -> Estimate:
    if n == 0:
        return Estimate(None, None, None, 0)
    mean = total / n
    if n < 2:
        return Estimate(mean, None, None, n)
    half = Z * math.sqrt(max(0.0, squares - total * total / n) / (n - 1) / n)
    return Estimate(mean, mean - half, mean + half, n)


def _per_day(n: int, y: float, yy: float, x: float, xx: float, yx: float, *, scale: int) -> Estimate:
    if n == 0 or x <= 0:
        return Estimate(None, None, None, n)
    r = y / x
    if n < 2:
        return Estimate(scale * r, None, None, n)
    half = Z * math.sqrt(max(0.0, (yy - 2 * r * yx + r * r * xx) * n / (n - 1))) / x
    return Estimate(scale * r, scale * (r - half), scale * (r + half), n)


def _quotient(above: Estimate, below: Estimate) -> Estimate:
    n = min(above.count_observations, below.count_observations)
    if above.value is None or not below.value:
        return Estimate(None, None, None, n)
    value = above.value / below.value
    bounds = (above.low, above.high, below.low, below.high)
    if None in bounds or above.value <= 0 or below.value <= 0:
        return Estimate(value, None, None, n)
    spread = 0.5 * math.hypot(
        (float(above.high or 0) - float(above.low or 0)) / above.value,
        (float(below.high or 0) - float(below.low or 0)) / below.value,
    )
    return Estimate(value, value * math.exp(-spread), value * math.exp(spread), n)
