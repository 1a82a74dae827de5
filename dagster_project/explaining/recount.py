"""Counts the headlines anew from orders and answers, under given rules: one pass for any number of states at once.

A state is a set of orders and answers with a day on which it is looked at. Needs the tables `order_states` (state,
as_of_date, unit, customer_key, order_date, net_amount, gross_amount, is_valid, is_revenue; none after its day) and
`answer_states` (state, as_of_date, unit, customer_key, feedback_key, instrument, feedback_date, submitted_at, band).
`unit` is the customer, or the order or answer of nobody known.
"""

from __future__ import annotations

from collections.abc import Iterable

from dagster_project.explaining.headlines import NPS_INSTRUMENTS, Grain, Headline
from dagster_project.explaining.rules import Rules

PERIODS = {"month": 1, "quarter": 3}
NOTHING_COUNTED = """select null::varchar as metric, null::varchar as period_type, null::integer as state,
    null::varchar as unit, null::varchar as customer_key,
    0::decimal(18, 4) as numerator, 0::decimal(18, 4) as denominator
where false"""


def recount(headlines: Iterable[Headline], rules: Rules) -> str:
    """A query of what each customer gives to each headline in each state.

    Returns:
        SQL with the columns metric, period_type, state, unit, customer_key, numerator, denominator; headlines of
        predictions are left out, as they are no count of orders.
    """
    chosen = [headline for headline in headlines if headline.grain != "predictions"]
    if not chosen:
        return NOTHING_COUNTED
    used = {headline.grain for headline in chosen}
    relations = _shared(rules) if "customers" in used else {}
    relations |= {f"{grain}_counted": sql for grain, sql in _grains(rules).items() if grain in used}
    named = ",\n".join(f"{name} as ({sql}\n)" for name, sql in relations.items())
    return f"with {named}\n" + "\nunion all\n".join(map(_select, chosen))


def _select(headline: Headline) -> str:
    return f"""select '{headline.metric}' as metric, '{headline.period_type}' as period_type, state, unit, customer_key,
    cast({headline.numerator} as decimal(18, 4)) as numerator,
    cast({headline.denominator} as decimal(18, 4)) as denominator
from {headline.grain}_counted"""


def _shared(rules: Rules) -> dict[str, str]:
    """What counts of customers rest on: their occasions, and for the loyal rule their latest NPS band."""
    separate = ", order_key" if rules.counts_orders_apart else ""
    return {
        "occasions": f"""
    select state, as_of_date, customer_key, order_date,
        row_number() over (partition by state, customer_key order by order_date{separate}) as occasion_number,
        order_date - lag(order_date) over (partition by state, customer_key order by order_date{separate}) as gap_days
    from (
        select distinct state, as_of_date, customer_key, order_date{separate}
        from order_states
        where is_valid and customer_key is not null
    )""",
        "bands": f"""
    select state, customer_key, band
    from answer_states
    where instrument in {NPS_INSTRUMENTS} and band is not null and customer_key is not null
        and feedback_date <= as_of_date
    qualify row_number() over (
        partition by state, customer_key
        order by feedback_date desc, submitted_at desc nulls last, feedback_key desc
    ) = 1""",
    }


def _grains(rules: Rules) -> dict[Grain, str]:
    return {"customers": _customers(rules), "orders": _orders(rules), "answers": _answers(rules)}


def _customers(rules: Rules) -> str:
    activity = "\n        ".join(
        f"""bool_or(order_date >= {_complete(months, 1)} and order_date < {_complete(months, 0)})
            as was_active_in_{period},
        bool_or(order_date >= {_complete(months, 2)} and order_date < {_complete(months, 1)})
            as was_active_in_{period}_before,"""
        for period, months in PERIODS.items()
    )
    return f"""
    select *,
        customer_key as unit,
        as_of_date - first_date > {rules.repeat_window_days + rules.late_grace_days} as is_repeat_window_closed,
        coalesce(second_date - first_date <= {rules.repeat_window_days}, false) as is_back_within_window,
        coalesce(
            count_occasions_in_window >= {rules.loyal_minimum_occasions}
            and as_of_date - last_date <= {rules.loyal_gap_multiple} * own_gap_days
            and coalesce(band, '') <> 'detractor',
            false
        ) as is_loyal
    from (
        select state, as_of_date, customer_key,
            count(*) as count_occasions,
            count(*) filter (where as_of_date - order_date < {rules.active_window_days}) as count_occasions_in_window,
            min(order_date) as first_date,
            max(order_date) as last_date,
            min(order_date) filter (where occasion_number = 2) as second_date,
            {activity}
            median(gap_days) as own_gap_days
        from occasions
        group by state, as_of_date, customer_key
    )
    left join bands using (state, customer_key)"""


def _complete(months: int, back: int) -> str:
    """The first day of the period that holds the day after the as-of, moved back by whole periods."""
    period = next(name for name, length in PERIODS.items() if length == months)
    return f"(date_trunc('{period}', as_of_date + 1) - interval {months * back} month)"


def _orders(rules: Rules) -> str:
    amount = "net_amount" if rules.counts_refunds else "gross_amount"
    return f"""
    select state, unit, customer_key, {amount} as amount,
        as_of_date - order_date < {rules.active_window_days} as is_in_window
    from order_states
    where {"is_revenue" if rules.counts_guests else "is_valid"}"""


def _answers(rules: Rules) -> str:
    latest = """
    qualify row_number() over (
        partition by state, instrument, unit
        order by submitted_at desc nulls last, feedback_key desc
    ) = 1"""
    return f"""
    select state, unit, customer_key, instrument, band
    from answer_states
    where feedback_date <= as_of_date and as_of_date - feedback_date < {rules.active_window_days}
    {latest if rules.counts_latest_answer_only else ""}"""
