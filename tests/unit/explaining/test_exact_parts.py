"""Differences of rates as exact sums: of any states, and of any customers, to the last digit."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.explaining.exact_parts import State, customer_parts, parts, rate, rounded

AMOUNTS = st.integers(-(10**9), 10**9).map(lambda units: Decimal(units).scaleb(-4))
STATES = st.builds(State, cause=st.just("x"), numerator=AMOUNTS, denominator=st.integers(0, 40).map(Decimal))


@given(states=st.lists(STATES, min_size=2, max_size=9), scale=st.sampled_from([1, 100]), is_total=st.booleans())
def test_parts_add_up_to_the_difference_exactly(states: list[State], scale: int, is_total: bool) -> None:
    found = parts(states, scale, is_total=is_total)
    first, last = (rate(state, scale, is_total=is_total) for state in (states[0], states[-1]))
    assert len(found) == len(states) - 1
    if first is None or last is None:
        assert {part.change for part in found} == {None}
        return
    assert sum(part.change for part in found) == rounded(last) - rounded(first)
    for part in found:
        assert part.is_told or part.change == 0


@given(number=st.fractions(-1000, 1000))
def test_rounding_is_to_the_nearest_with_halves_upwards(number: Fraction) -> None:
    found = Fraction(rounded(number))
    assert -Fraction(1, 2 * 10**12) < found - number <= Fraction(1, 2 * 10**12)


def test_a_state_without_a_base_leaves_its_step_empty() -> None:
    states = [
        State("start", Decimal(1), Decimal(4)),
        State("gone", Decimal(0), Decimal(0)),
        State("back", Decimal(1), Decimal(2)),
    ]
    assert [(part.cause, part.change, part.anchor.cause) for part in parts(states)] == [
        ("gone", Decimal(0), "start"),
        ("back", Decimal("0.25"), "start"),
    ]


CUSTOMERS = st.lists(st.tuples(AMOUNTS, st.integers(-3, 3)), min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    anchor=st.tuples(AMOUNTS, st.integers(1, 10**6)),
    customers=CUSTOMERS,
    scale=st.sampled_from([1, 100]),
)
def test_customers_parts_are_their_own_and_add_up_exactly(
    anchor: tuple[Decimal, int], customers: list[tuple[Decimal, int]], scale: int
) -> None:
    numerator, denominator = anchor
    reached = denominator + sum(base for _, base in customers)
    if reached <= 0:
        return
    before, after = (
        State("a", numerator, Decimal(denominator)),
        State("b", numerator + sum((amount for amount, _ in customers), Decimal(0)), Decimal(reached)),
    )
    [whole] = parts([before, after], scale)
    with duckdb.connect() as con:
        con.execute(
            "create table deltas (metric varchar, period_type varchar, step integer, customer_key varchar, "
            "numerator_change decimal(38, 4), denominator_change decimal(38, 4));"
            "create table anchors (metric varchar, period_type varchar, step integer, scale integer, "
            "anchor_numerator hugeint, anchor_denominator hugeint, reached_denominator hugeint)"
        )
        for place, (amount, base) in enumerate(customers):
            key = None if place == 0 else f"c{place}"
            con.execute("insert into deltas values ('m', 'p', 1, ?, ?, ?)", [key, amount, base])
        units = int(numerator.scaleb(4))
        con.execute("insert into anchors values ('m', 'p', 1, ?, ?, ?, ?)", [scale, units, denominator, reached])
        found = con.execute(
            f"select part, numerator_change, denominator_change from ({customer_parts('deltas', 'anchors')})"
        ).fetchall()
    assert sum(part for part, _, _ in found) == whole.change
    for part, amount, base in found:
        own = (Fraction(amount) - Fraction(numerator) / denominator * Fraction(base)) / reached * scale
        assert abs(Fraction(part) - own) <= Fraction(1, 10**12)


def test_a_step_without_an_anchor_has_no_parts() -> None:
    with duckdb.connect() as con:
        con.execute(
            "create table deltas as select 'm' as metric, 'p' as period_type, 1 as step, 'a' as customer_key, "
            "1::decimal(38, 4) as numerator_change, 0::decimal(38, 4) as denominator_change;"
            "create table anchors (metric varchar, period_type varchar, step integer, scale integer, "
            "anchor_numerator hugeint, anchor_denominator hugeint, reached_denominator hugeint)"
        )
        assert con.execute(f"select part from ({customer_parts('deltas', 'anchors')})").fetchall() == [(None,)]


@pytest.mark.parametrize(("denominator", "expected"), [(0, None), (4, Fraction(25))])
def test_a_rate_needs_a_base(denominator: int, expected: Fraction | None) -> None:
    assert rate(State("x", Decimal(1), Decimal(denominator)), 100, is_total=False) == expected
