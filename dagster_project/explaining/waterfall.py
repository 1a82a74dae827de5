"""From every accepted row to those that a metric counts: one step per reason that leaves rows out."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from dagster_project.explaining.headlines import Headline
from dagster_project.explaining.rules import Rules


@dataclass(frozen=True)
class Step:
    """What one reason leaves out, and what is left then.

    Attributes:
        reason: why; the first step is the start and leaves nothing out.
        count_rows: orders or answers left out.
        total_gross: their amount before refunds; None for answers, and where an amount is unknown.
        count_left: rows left after it.
    """

    reason: str
    count_rows: int
    total_gross: Decimal | None
    count_left: int


def waterfall(con: duckdb.DuckDBPyConnection, headline: Headline, as_of: dt.date, rules: Rules) -> list[Step]:
    """The rows that a headline does not count, by reason; a row is left out for the first reason that it meets.

    Args:
        con: a version.
        headline: whose rows.
        as_of: the version's day.
        rules: of the night.
    """
    if headline.grain == "predictions":
        return []
    in_window = headline.period_type == "trailing_window"
    if headline.grain == "answers":
        return _steps(con, _answers(headline.metric, as_of, rules), "answers accepted")
    return _steps(con, _orders(headline, as_of, rules, in_window=in_window), "orders accepted")


def _steps(con: duckdb.DuckDBPyConnection, sql: str, start: str) -> list[Step]:
    rows = con.execute(sql).fetchall()
    left = sum(count for _, _, count, _ in rows)
    found = [Step(start, 0, None, left)]
    for reason, _, count, gross in rows:
        if reason is not None:
            left -= count
            found.append(Step(reason, count, gross, left))
    return found


def _orders(headline: Headline, as_of: dt.date, rules: Rules, *, in_window: bool) -> str:
    """Excluded orders by their one reason, guests where customers are counted, orders before the window."""
    counts_guests = headline.grain == "orders"
    counts_paid_only = headline.metric == "average_order_value"
    before_window = f"when order_date <= date '{as_of}' - {rules.active_window_days} then 'before the trailing window'"
    return f"""
    with judged as (
        select gross_amount, coalesce(reasons.priority, 1000) as priority,
            case
                when not is_revenue then orders.exclusion_reason
                {"" if counts_guests else "when not is_valid then orders.exclusion_reason"}
                {before_window if in_window else ""}
                {"when net_amount <= 0 then 'nothing left after refunds'" if counts_paid_only else ""}
            end as reason
        from marts.fct_orders as orders
        left join marts.exclusion_reasons as reasons on orders.exclusion_reason = reasons.exclusion_reason
    )
    select reason, case when reason is null then 9999 else min(priority) end as place, count(*), sum(gross_amount)
    from judged
    group by reason
    order by place, reason"""


def _answers(metric: str, as_of: dt.date, rules: Rules) -> str:
    instrument = metric.removesuffix("_share")
    return f"""
    with judged as (
        select
            case
                when feedback_date is null or feedback_date <= date '{as_of}' - {rules.active_window_days}
                then 'before the trailing window'
                when row_number() over (
                    partition by coalesce(customer_key, feedback_key),
                        feedback_date > date '{as_of}' - {rules.active_window_days}
                    order by submitted_at desc nulls last, feedback_key desc
                ) > 1 then 'a later answer of the same customer stands'
            end as reason
        from marts.fct_feedback
        where instrument = '{instrument}'
    )
    select reason, case reason when 'before the trailing window' then 1 else 2 end as place, count(*), null
    from judged
    group by reason
    order by place, reason nulls last"""
