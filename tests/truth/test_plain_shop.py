"""The textbook's shop: the models are in their own world, so what they expect must be what happens."""

from __future__ import annotations

from dataclasses import replace

import duckdb
import numpy as np
import numpy.typing as npt
import pytest
from known_shop import KnownShop, standard_errors, standard_errors_of_chances
from scipy import stats

from dagster_project.explaining.claims import MULTIPLES
from dagster_project.explaining.explanation import explain_metric
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.sensitivity import estimate, write_one_state
from dagster_project.publishing.versions import current_database
from dagster_project.sources.simulated_shop import plain_plan

PERSONS = """
    select {columns} from warehouse.models.{model}
    join warehouse.marts.dim_customers using (customer_key)
    join memory.truth.accounts using (customer_id) join memory.truth.persons using (person_id)
    order by customer_id
"""
CHURN_DAYS = 90
_GROUPS = 10
Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> KnownShop:
    plan = plain_plan(customers=2_500, days=730, seed=21)
    return KnownShop.after_one_night(
        tmp_path_factory.mktemp("plain"),
        replace(plan, orders=replace(plan.orders, refund_share=0.02)),
        judges_models=True,
    )


def groups_by(predicted: Floats) -> list[npt.NDArray[np.int64]]:
    """Rows in ten groups of rising prediction."""
    return np.array_split(np.argsort(predicted, kind="stable"), _GROUPS)


def test_models_are_fitted(shop: KnownShop) -> None:
    for model in ("customer_clv", "customer_churn"):
        assert shop.rows(f"select distinct status from warehouse.models.{model}") == [("fitted",)]


def test_the_usual_gap_is_one_number_wherever_it_stands(shop: KnownShop) -> None:
    [(count, alike)] = shop.rows("""
        select count(*), count(*) filter (where
            leaving.usual_gap_days = coming.usual_gap_days and leaving.gap_multiple = coming.gap_multiple)
        from warehouse.models.customer_churn as leaving
        full join warehouse.models.customer_next_order as coming using (customer_key)
    """)
    assert alike == count > 1_000


def test_churn_probabilities_are_the_shares_that_truly_stay_away(shop: KnownShop) -> None:
    found = shop.columns(
        PERSONS.format(
            model="customer_churn",
            columns=f"probability_no_order, (realised_{CHURN_DAYS}d_orders = 0)::double as stayed_away",
        )
    )
    predicted, stayed_away = found["probability_no_order"], found["stayed_away"]
    statistic = 0.0
    for rows in groups_by(predicted):
        expected, variance = predicted[rows].sum(), (predicted[rows] * (1 - predicted[rows])).sum()
        statistic += (stayed_away[rows].sum() - expected) ** 2 / variance
    assert statistic < stats.chi2.ppf(0.999, _GROUPS), f"chi-square {statistic:.1f} over {_GROUPS} groups"


def test_churn_probabilities_are_right_on_average_given_the_true_rates(shop: KnownShop) -> None:
    """Somebody who is there orders at the true rate; an order that is cancelled or refunded whole is none."""
    found = shop.columns(
        PERSONS.format(
            model="customer_churn",
            columns="probability_no_order, is_customer_at_end::int as is_there, purchases_per_shop_day as rate",
        )
    )
    counted = 1 - shop.plan.orders.refund_share * shop.plan.orders.whole_refund_share
    true = np.where(found["is_there"] == 1, np.exp(-found["rate"] * CHURN_DAYS * counted), 1.0)
    for rows in [slice(None), *groups_by(found["probability_no_order"])]:
        distance = standard_errors_of_chances(true[rows], found["probability_no_order"][rows])
        assert abs(distance) < 4, f"{distance:.1f} standard errors"


@pytest.mark.parametrize("truth", ["realised", "expected"])
def test_predicted_value_is_what_comes_in(shop: KnownShop, truth: str) -> None:
    actual = "realised_365d_net" if truth == "realised" else "expected_net_365d"
    found = shop.columns(PERSONS.format(model="customer_clv", columns=f"predicted_net, {actual}::double as actual"))
    predicted, actual_net = found["predicted_net"], found["actual"]
    assert predicted.sum() == pytest.approx(actual_net.sum(), rel=0.1)
    for rows in [slice(None), *groups_by(predicted)]:
        distance = standard_errors(actual_net[rows], predicted[rows])
        assert abs(distance) < 4, f"{distance:.1f} standard errors"


def test_predicted_orders_are_those_that_come(shop: KnownShop) -> None:
    found = shop.columns(
        PERSONS.format(model="customer_clv", columns="predicted_orders, realised_365d_orders::double as orders")
    )
    predicted, orders = found["predicted_orders"], found["orders"]
    for rows in [slice(None), *groups_by(predicted)]:
        distance = standard_errors(orders[rows], predicted[rows])
        assert abs(distance) < 4, f"{distance:.1f} standard errors"


def test_the_best_tenth_by_prediction_truly_brings_most(shop: KnownShop) -> None:
    found = shop.columns(
        PERSONS.format(model="customer_clv", columns="predicted_net, realised_365d_net::double as net")
    )
    means = [found["net"][rows].mean() for rows in groups_by(found["predicted_net"])]
    assert means[-1] == max(means)
    assert stats.spearmanr(found["predicted_net"], found["net"]).statistic > 0.4


def test_probability_of_being_a_customer_still_is_calibrated(shop: KnownShop) -> None:
    found = shop.columns(
        PERSONS.format(model="customer_clv", columns="probability_alive, is_customer_at_end::double as is_there")
    )
    for rows in [slice(None), *groups_by(found["probability_alive"])]:
        distance = standard_errors_of_chances(found["is_there"][rows], found["probability_alive"][rows])
        assert abs(distance) < 4, f"{distance:.1f} standard errors"


def test_fitted_parameters_are_the_planted_ones(shop: KnownShop) -> None:
    rows = shop.rows("select model, parameter, estimate from warehouse.models.model_parameters")
    fitted = {(model, name): estimate for model, name, estimate in rows}
    r, alpha, a, b = (fitted["mbg_nbd", name] for name in ("r", "alpha", "a", "b"))
    p, q, gamma = (fitted["gamma_gamma", name] for name in ("p", "q", "gamma"))
    buying, leaving, spending = shop.plan.buying, shop.plan.leaving, shop.plan.spending
    for name, found, true, tolerance in (
        ("rate", r / alpha, buying.shape / buying.scale_days, 0.12),
        ("leaving", a / (a + b), leaving.a / (leaving.a + leaving.b), 0.25),
        ("spend", p * gamma / (q - 1), spending.mean, 0.12),
    ):
        assert found == pytest.approx(true, rel=tolerance), name


def test_what_is_recounted_from_published_orders_is_what_was_told(shop: KnownShop) -> None:
    with duckdb.connect(str(current_database(shop.root / "home" / "published")), read_only=True) as con:
        write_one_state(con, shop.plan.last_day)
        for metric in MULTIPLES:
            found = estimate(con, metric, None, Rules())
            [(value, low, high, n)] = con.execute(
                "select metric_value, ci_low, ci_high, count_observations from marts.loyalty_metrics "
                "where metric = ? and segment_type = 'all'",
                [metric],
            ).fetchall()
            assert n > 30
            assert (found.value, found.low, found.high) == pytest.approx((value, low, high), rel=1e-9)
            assert found.count_observations == n
            explained = explain_metric(con, metric, shop.plan.last_day, {})
            assert set(explained.decisions.values()) <= {"holds", "does_not_hold", "cannot_say"}
            assert len(explained.tried) > 5
