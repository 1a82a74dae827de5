"""What the truth expects of each person after the end is what then happens, on the whole and in every group."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from drawn_shop import PLAN, block_of, column, truth
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from dagster_project.sources.simulated_shop.behaviour import Leaving
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.futures import HORIZONS, _integral, expected_purchases
from dagster_project.sources.simulated_shop.plan import ShopPlan, plain_plan

CHANCE = 4.5  # standard errors
PLANS = {
    "lifelike": PLAN,
    "plain": plain_plan(customers=8_000, days=1_000, seed=3),
    "lifetimes": replace(PLAN, leaving=Leaving(a=0.6, b=4.0, lifetime_shape=1.5, lifetime_scale_days=500.0), seed=5),
    "before the prices rise": PLAN.cut(560),
    "as a campaign runs": PLAN.cut(455),
    "before the programme": PLAN.cut(120),
}


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@pytest.mark.parametrize("days", HORIZONS)
def test_expected_orders_and_net_are_realised(plan: ShopPlan, days: int) -> None:
    persons = truth("persons", plan)
    rate, satisfaction = column(persons, "purchases_per_shop_day"), column(persons, "satisfaction")
    groups = {
        "all": np.ones(len(rate), dtype=bool),
        "busy": rate > np.median(rate),
        "calm": rate <= np.median(rate),
        "content": satisfaction > 1,
        "discontent": satisfaction < -1,
        "members": ~np.isnat(column(persons, "joined_on").astype("datetime64[D]")),
    }
    for name, group in groups.items():
        for of in ("orders", "net"):
            expected = column(persons, f"expected_{of}_{days}d")[group]
            realised = column(persons, f"realised_{days}d_{of}")[group].astype(float)
            if np.count_nonzero(realised) < 30:
                continue
            error = np.sqrt(np.sum((realised - expected) ** 2))
            off = (realised.sum() - expected.sum()) / error
            assert abs(off) < CHANCE, f"{name}, {of}: {realised.sum():.0f} for {expected.sum():.0f}, {off:.1f} errors"


def test_who_has_left_is_expected_to_buy_nothing_and_buys_nothing() -> None:
    persons = truth("persons")
    is_gone = ~column(persons, "is_customer_at_end").astype(bool)
    assert is_gone.sum() > 1_000
    assert (column(persons, "expected_orders_365d")[is_gone] == 0).all()
    assert (column(persons, "realised_365d_orders")[is_gone] == 0).all()


def test_persons_who_have_not_come_are_in_no_truth() -> None:
    assert truth("persons", PLAN.cut(455)).num_rows == (block_of().people.first_day < 455).sum()
    expected = expected_purchases(block_of(PLAN.cut(455)), 30)
    assert np.isnan(expected[block_of().people.first_day >= 455]).all()


@given(st.floats(0, 0.2), st.floats(0, 400))
def test_time_there_is_the_integral_of_survival(hazard: float, until: float) -> None:
    numeric, _ = quad(lambda day: np.exp(-hazard * day), 0, until)
    assert float(_integral(np.array(hazard), until)) == pytest.approx(numeric, rel=1e-7, abs=1e-9)


def test_what_the_shop_does_does_not_depend_on_when_it_is_looked_at() -> None:
    early, late = block_of(PLAN.cut(455)), block_of()
    for name in ("person", "second", "cause", "is_leaving", "paid_cents", "account", "number"):
        assert np.array_equal(getattr(early.purchases, name), getattr(late.purchases, name)), name
    assert np.array_equal(early.gone_second, late.gone_second)
    assert (early.purchases.is_future == (late.purchases.second >= 455 * DAY)).all()
