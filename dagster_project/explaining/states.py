"""The facts of two versions, and every state between them: one cause changed at a time, in a fixed order.

Each order and answer of the two versions is in one of them or in both. Where it differs, the difference has one cause,
told from what the source said of it; from that cause's step on, the later content stands. A customer who became another
one does so in a step of its own. Only customers whom a change touches are looked at in every state; the others differ
by the day alone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb

from dagster_project.explaining.headlines import READ_INSTRUMENTS

CAUSES = {
    "definitions_or_code": "settings or code that changed, and what they make of rows that the source left alone",
    "identity_merges": "orders and answers that now belong to another customer, or to one at all",
    "refunds": "refunds of orders that the version before had",
    "edits": "orders and answers that the source sent again with other content",
    "erasures": "orders and answers that are gone",
    "late_data": "orders and answers of days that the version before had told, which it did not have",
    "window_roll": "days that went by: windows moved and periods ended, before anything new is counted",
    "new_events": "orders and answers of the days since",
}
"""Cause -> what it is, in the order of the steps."""
STEPS = {cause: number for number, cause in enumerate(CAUSES, start=1)}
DEFINITIONS, IDENTITY, ROLL = STEPS["definitions_or_code"], STEPS["identity_merges"], STEPS["window_roll"]


@dataclass(frozen=True)
class Comparison:
    """Two versions in one connection, the earlier one and the one to explain.

    Attributes:
        earlier: catalogue of the earlier version.
        later: catalogue of the later one, which may be a build that is not published yet.
        as_of_before: day of the earlier one.
        as_of: day of the later one, the same or after it.
        is_same_code: whether both were made by the same code, settings and engine.
    """

    earlier: str
    later: str
    as_of_before: dt.date
    as_of: dt.date
    is_same_code: bool


ORDERS = ("order_date", "net_amount", "gross_amount", "is_valid", "is_revenue")
ANSWERS = ("instrument", "feedback_date", "submitted_at", "band")
TOLD_OF_ORDERS = (
    "ordered_at", "order_status", "payment_status", "original_currency_code", "original_items_amount",
    "count_lines", "count_units",
)  # fmt: skip
TOLD_AND_CONVERTED = ("discount_amount", "shipping_amount")
"""What the source told of orders in their own currency; two versions that converted it at one rate can be compared."""
TOLD_OF_REFUNDS = ("original_refunded_amount", "count_refunds")
TOLD_OF_ANSWERS = ("instrument", "submitted_at", "score")
NEEDED = tuple(
    f"{table}.{column}"
    for table, columns in {
        "marts.fct_orders": (
            "order_key",
            "customer_key",
            *ORDERS,
            *TOLD_OF_ORDERS,
            *TOLD_OF_REFUNDS,
            "exchange_rate",
            *TOLD_AND_CONVERTED,
        ),
        "marts.fct_feedback": ("feedback_key", "customer_key", *ANSWERS, *TOLD_OF_ANSWERS),
        "marts.fct_customers": ("count_occasions",),
        "marts.loyalty_metrics": ("numerator", "denominator", "period_start", "segment_type", "status"),
        "models.customer_clv": ("customer_key", "predicted_clv"),
    }.items()
    for column in columns
)
"""What a version must have to be compared."""


def write_states(con: duckdb.DuckDBPyConnection, compared: Comparison) -> None:
    """Make `order_states` and `answer_states` as `recount` reads them, and `states`, as temporary tables.

    `states` has one row per state that differs from the one before it: state (0, then the step that led to it),
    as_of_date, touched_until and untouched_until (the next state, for customers whom a change touches and for others;
    null after the last) and is_for_untouched. `touched` has the first step that touches a unit.
    """
    refunds_only = f"""
        when {_differ(TOLD_OF_REFUNDS)} and not {_differ(("order_date", "original_items_amount"))}
        then {STEPS["refunds"]}"""
    told = f"""({_differ(TOLD_OF_ORDERS + TOLD_OF_REFUNDS)} or (
        earlier.exchange_rate is not distinct from later.exchange_rate and {_differ(TOLD_AND_CONVERTED)}
    ))"""
    _write_changes(con, compared, "order", ORDERS, told, "true", refunds_only)
    is_counted = f"instrument in {READ_INSTRUMENTS}"
    _write_changes(con, compared, "feedback", ANSWERS, _differ(TOLD_OF_ANSWERS), is_counted, "")
    _write_touched(con)
    _write_grid(con, compared)
    _write_state_rows(con, "order_states", "order", ORDERS, "is_revenue and order_date <= as_of_date")
    _write_state_rows(con, "answer_states", "feedback", ANSWERS, "feedback_date <= as_of_date")


def _write_changes(
    con: duckdb.DuckDBPyConnection,
    compared: Comparison,
    entity: str,
    content: tuple[str, ...],
    told_otherwise: str,
    where: str,
    special: str,
) -> None:
    """One row per order or answer of either version: its content before and after, and the step that changes it."""
    table = {"order": "fct_orders", "feedback": "fct_feedback"}[entity]
    event_date = {"order": "order_date", "feedback": "feedback_date"}[entity]
    both = ", ".join(
        f"earlier.{name} as {name}_before, later.{name} as {name}_after" for name in ("customer_key", *content)
    )
    source_is_silent = f"not {told_otherwise}"
    by_code = "false" if compared.is_same_code else source_is_silent
    con.execute(
        f"""
        create or replace temp table {entity}_changes as
        select
            coalesce(earlier.{entity}_key, later.{entity}_key) as {entity}_key,
            earlier.{entity}_key is not null as is_before,
            later.{entity}_key is not null as is_after,
            {both},
            case
                when earlier.{entity}_key is null and later.{event_date} > $as_of_before then {STEPS["new_events"]}
                when earlier.{entity}_key is null then {STEPS["late_data"]}
                when later.{entity}_key is null then {STEPS["erasures"]}
                when not {_differ(content)} then null
                when earlier.customer_key is distinct from later.customer_key and {source_is_silent} then {IDENTITY}
                when {by_code} then {DEFINITIONS}
                {special}
                else {STEPS["edits"]}
            end as content_step
        from (from {compared.earlier}.marts.{table} where {where}) as earlier
        full join (from {compared.later}.marts.{table} where {where}) as later
            on earlier.{entity}_key = later.{entity}_key
        """,
        {"as_of_before": compared.as_of_before},
    )


def _differ(columns: tuple[str, ...]) -> str:
    before, after = (", ".join(f"{side}.{name}" for name in columns) for side in ("earlier", "later"))
    return f"(row({before}) is distinct from row({after}))"


def _write_touched(con: duckdb.DuckDBPyConnection) -> None:
    """The units whose rows differ, before and after, with the first step that touches each."""
    selects = [
        f"""
        select coalesce(customer_key_{side}, {entity}_key) as unit,
            coalesce(least(content_step, identity_step), content_step, identity_step) as step
        from (
            select *, case when is_before and is_after and customer_key_before is distinct from customer_key_after
                then {IDENTITY} end as identity_step
            from {entity}_changes
        )
        where content_step is not null or identity_step is not null"""
        for entity in ("order", "feedback")
        for side in ("before", "after")
    ]
    con.execute(
        "create or replace temp table touching as " + " union all ".join(selects) + ";"
        "create or replace temp table touched as select unit, min(step) as first_step from touching group by unit"
    )


def _write_grid(con: duckdb.DuckDBPyConnection, compared: Comparison) -> None:
    """The states that occur: a step that changes nothing makes no state."""
    found = {step for (step,) in con.execute("select distinct step from touching").fetchall()}
    roll = {ROLL} if compared.as_of > compared.as_of_before else set()
    states = sorted({0} | found | roll)
    after = dict(zip(states, [*states[1:], None], strict=True))
    con.execute(
        "create or replace temp table states (state integer, as_of_date date, touched_until integer, "
        "untouched_until integer, is_for_untouched boolean)"
    )
    for state in states:
        day = compared.as_of if state >= ROLL else compared.as_of_before
        until = ROLL if state == 0 and roll else None
        con.execute("insert into states values (?, ?, ?, ?, ?)", [state, day, after[state], until, state in {0, *roll}])


def _write_state_rows(
    con: duckdb.DuckDBPyConnection, table: str, entity: str, content: tuple[str, ...], where: str
) -> None:
    """The rows of every state; those of units that nothing touches in the two states that differ for them."""
    chosen = ",\n".join(f"case when is_later then {name}_after else {name}_before end as {name}" for name in content)
    con.execute(
        f"""
        create or replace temp table {table} as
        select state, as_of_date, touched_until, untouched_until, is_touched, {entity}_key, customer_key, unit,
            {", ".join(content)}
        from (
            select *, coalesce(customer_key, {entity}_key) as unit
            from (
                select states.*, {entity}_key, is_touched,
                    coalesce(state >= content_step, false) as is_later,
                    case when not is_before or (is_after and state >= {IDENTITY}) then customer_key_after
                        else customer_key_before end as customer_key,
                    case when coalesce(state >= content_step, false) then is_after else is_before end as is_there,
                    {chosen}
                from (
                    select changes.*, one.unit is not null or other.unit is not null as is_touched
                    from {entity}_changes as changes
                    left join touched as one on coalesce(customer_key_before, {entity}_key) = one.unit
                    left join touched as other on coalesce(customer_key_after, {entity}_key) = other.unit
                )
                inner join states on is_touched or is_for_untouched
            )
        )
        where is_there and {where}
        """
    )
