"""Models fitted on what a plain shop exports find what was planted, within the errors that they claim.

Twenty shops a drop-out. Of each, the fit's distance from the truth in units of its own covariance: summed over shops it
is chi-square distributed, and each parameter's mean is standard normal over the root of twenty. Both are held against
bounds that chance breaks once in some ten thousand runs; the seeds are fixed, so it either always does or never.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from scipy import stats

from dagster_project.modelling.btyd import BetaGeo, ModifiedBetaGeo, ParetoNBD
from dagster_project.modelling.spend import GammaGamma
from dagster_project.sources.simulated_shop import plain_plan, simulate
from dagster_project.sources.simulated_shop.behaviour import Leaving
from dagster_project.sources.simulated_shop.plan import ShopPlan

SEEDS = range(20)
CHANCE = 1e-4
LEAVINGS = {
    "leaving after any purchase": (ModifiedBetaGeo, Leaving(a=1.0, b=3.5, satisfaction_log_hazard=0.0)),
    "leaving after repeats only": (
        BetaGeo,
        Leaving(a=1.0, b=3.5, is_possible_at_first=False, satisfaction_log_hazard=0.0),
    ),
    "leaving at any time": (
        ParetoNBD,
        Leaving(a=0.0, satisfaction_log_hazard=0.0, lifetime_shape=1.0, lifetime_scale_days=250.0),
    ),
}
HISTORIES = """
    with spends as (
        select order_id, sum(quantity * unit_price) as goods from '{folder}/order_lines.parquet' group by order_id
    )
    select
        count(*) - 1 as repeats,
        (epoch(max(ordered_at)) - epoch(min(ordered_at))) / 86400 as days_to_last,
        (epoch(timestamp '{end}') - epoch(min(ordered_at))) / 86400 as days_observed,
        avg(goods - discount_amount) as mean_spend
    from '{folder}/orders.parquet' join spends using (order_id)
    group by customer_id order by customer_id
"""


@pytest.fixture(scope="module", params=LEAVINGS)
def fits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[ShopPlan, Any, Any]]:
    """Per seed: the plan, the purchase model and the spend model fitted on its exports."""
    model, leaving = LEAVINGS[request.param]
    made = []
    for seed in SEEDS:
        plan = plain_plan(customers=4_000, days=730, seed=seed, leaving=leaving)
        folder = tmp_path_factory.mktemp("plain") / "shop"
        simulate(plan, folder, file_format="parquet")
        x, t_x, age, spend = histories(plan, folder)
        made.append((plan, model.fit(x, t_x, age), GammaGamma.fit(x + 1, spend)))
    return made


def histories(plan: ShopPlan, folder: Path) -> list[np.ndarray]:
    """Repeats, days to the last purchase, days observed and mean spend of every customer, from the files alone."""
    end = np.datetime64(plan.last_day) + 1
    rows = duckdb.sql(HISTORIES.format(folder=folder, end=end)).fetchnumpy()
    return [np.asarray(column, dtype=float) for column in rows.values()]


def purchase_distances(fits: list[tuple[ShopPlan, Any, Any]], alpha_factor: float = 1.0) -> list[np.ndarray]:
    """Per shop: log estimate less log truth of the purchase parameters, and its covariance."""
    found = []
    for plan, model, _ in fits:
        rates, leaving = [plan.buying.shape, plan.buying.scale_days * alpha_factor], plan.leaving
        is_in_time = leaving.lifetime_shape > 0
        drop_out = [leaving.lifetime_shape, leaving.lifetime_scale_days] if is_in_time else [leaving.a, leaving.b]
        names = ("r", "alpha", *(("s", "beta") if is_in_time else ("a", "b")))
        estimate = [getattr(model.params_, name) for name in names]
        found.append((np.log(estimate) - np.log([*rates, *drop_out]), model.log_covariance_))
    return found


def spend_distances(fits: list[tuple[ShopPlan, Any, Any]]) -> list[np.ndarray]:
    """Per shop: log estimate less log truth of (p, q, gamma), and its covariance."""
    found = []
    for plan, _, model in fits:
        truth = [plan.spending.p, plan.spending.q, plan.spending.gamma]
        estimate = [model.params_.p, model.params_.q, model.params_.gamma]
        found.append((np.log(estimate) - np.log(truth), model.log_covariance_))
    return found


def is_within_its_errors(distances: list[np.ndarray]) -> bool:
    scores = np.array([distance / np.sqrt(np.diag(covariance)) for distance, covariance in distances])
    total = sum(distance @ np.linalg.solve(covariance, distance) for distance, covariance in distances)
    freedom = scores.size
    is_spread_right = stats.chi2.ppf(CHANCE, freedom) < total < stats.chi2.ppf(1 - CHANCE, freedom)
    bias = np.abs(scores.mean(axis=0)) * np.sqrt(len(scores))
    return bool(is_spread_right and (bias < stats.norm.ppf(1 - CHANCE / 2)).all())


def test_purchase_parameters_are_recovered_within_their_errors(fits: list[tuple[ShopPlan, Any, Any]]) -> None:
    assert is_within_its_errors(purchase_distances(fits))


def test_a_rate_that_is_a_tenth_off_is_noticed(fits: list[tuple[ShopPlan, Any, Any]]) -> None:
    assert not is_within_its_errors(purchase_distances(fits, alpha_factor=1.1))


def test_spend_parameters_are_recovered_within_their_errors(fits: list[tuple[ShopPlan, Any, Any]]) -> None:
    assert is_within_its_errors(spend_distances(fits))
