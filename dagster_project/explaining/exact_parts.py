"""Differences of rates as exact sums: what each step between two states adds, and each customer in each step.

A rate V = N / D moves from state a to state b by

    V_b - V_a = sum over customers of (dn_i - V_a * dd_i) / D_b,

exactly, as sum(dn) - V_a * sum(dd) = N_b - V_a * D_b. So every customer's part is what the customer adds to the
numerator less what a customer of the old rate would have added for the same change of the base. States follow one
another, so the parts of all steps add up to the whole difference. A state without a base has no rate: its step gets
nothing, and the next one with a base is compared with the last that had one. Parts are kept to `DIGITS` decimals as
differences of rounded running sums, so that the rounded ones add up as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

DIGITS = 12
AMOUNT_DIGITS = 4
"""Decimals of a numerator."""


@dataclass(frozen=True)
class State:
    """The sums of a headline at one moment between two versions."""

    cause: str
    numerator: Decimal
    denominator: Decimal
    """Ignored for a total."""


@dataclass(frozen=True)
class Part:
    """What one step adds to a headline.

    Attributes:
        cause: what was changed in this step.
        anchor: the state that it is compared with, the last one that had a base.
        reached: the state after it.
        is_told: whether the state after it has a base; a step without one adds nothing.
        change: what it adds; None where the difference of the headline is not known.
    """

    cause: str
    anchor: State
    reached: State
    is_told: bool
    change: Decimal | None


def rate(state: State, scale: int, *, is_total: bool) -> Fraction | None:
    """The number of a state; None without a base."""
    if is_total:
        return Fraction(state.numerator)
    return Fraction(state.numerator) / Fraction(state.denominator) * scale if state.denominator > 0 else None


def rounded(number: Fraction) -> Decimal:
    """To `DIGITS` decimals, halves upwards: the rule that `customer_parts` follows in whole numbers."""
    whole = (2 * number * 10**DIGITS + 1) // 2
    return Decimal(int(whole)).scaleb(-DIGITS)


def parts(states: Sequence[State], scale: int = 1, *, is_total: bool = False) -> list[Part]:
    """The parts of the difference between the first state and the last, one a step, in order.

    Args:
        states: at least two; each is what its cause made of the one before.
        scale: what the ratio is multiplied by.
        is_total: whether the headline is the numerator alone.

    Returns:
        Parts whose changes add up to the rounded last number less the rounded first one, exactly; no changes where one
        of the two has no base.
    """
    first, last = (rate(state, scale, is_total=is_total) for state in (states[0], states[-1]))
    is_known = first is not None and last is not None
    anchor, found = states[0], []
    for state in states[1:]:
        reached = rate(state, scale, is_total=is_total)
        change: Decimal | None = None
        if is_known:
            before = rate(anchor, scale, is_total=is_total)
            change = Decimal(0) if reached is None or before is None else rounded(reached) - rounded(before)
        found.append(Part(state.cause, anchor, state, reached is not None, change))
        if reached is not None:
            anchor = state
    return found


def customer_parts(deltas: str, anchors: str) -> str:
    """A query of each customer's part of each step.

    Args:
        deltas: a relation with metric, period_type, step, customer_key, numerator_change, denominator_change, one row
            per customer and told step.
        anchors: a relation with metric, period_type, step, scale, anchor_numerator (in units of the last decimal),
            anchor_denominator and reached_denominator as HUGEINT; 1 and 1 for totals, whose deltas have no denominator.
            A step that is not in it has no parts.

    Returns:
        SQL with the columns of `deltas` and `part`, DECIMAL(38, 12): the difference of the rounded running sums over
        customers in order of their keys.
    """
    return f"""
with running as (
    select deltas.*, anchors.* exclude (metric, period_type, step),
        sum(cast(numerator_change * {10**AMOUNT_DIGITS} as hugeint)) over one_step as running_numerator,
        sum(cast(denominator_change as hugeint)) over one_step as running_denominator
    from {deltas} as deltas
    left join {anchors} as anchors using (metric, period_type, step)
    window one_step as (
        partition by metric, period_type, step order by customer_key nulls last
        rows between unbounded preceding and current row
    )
),
fractions as (
    select *,
        cast(anchor_denominator as hugeint) * reached_denominator as base,
        2 * scale * {10 ** (DIGITS - AMOUNT_DIGITS)}::hugeint * (
            anchor_numerator * reached_denominator
            + running_numerator * anchor_denominator
            - anchor_numerator * running_denominator
        ) + anchor_denominator * reached_denominator as above,
        2 * scale * {10 ** (DIGITS - AMOUNT_DIGITS)}::hugeint * anchor_numerator * reached_denominator
            + anchor_denominator * reached_denominator as start_above
    from running
),
rounded as (
    select *, {_floor("above", "2 * base")} as reached_units, {_floor("start_above", "2 * base")} as start_units
    from fractions
)
select metric, period_type, step, customer_key, numerator_change, denominator_change,
    cast(reached_units - coalesce(lag(reached_units) over one_step, start_units) as decimal({38 - DIGITS}, 0))
        * cast(1e-{DIGITS} as decimal({DIGITS}, {DIGITS})) as part
from rounded
window one_step as (partition by metric, period_type, step order by customer_key nulls last)"""


def _floor(above: str, below: str) -> str:
    """Whole-number division downwards; the engine's own goes towards zero."""
    return f"(({above}) // ({below}) - cast(({above}) % ({below}) < 0 as integer))"
