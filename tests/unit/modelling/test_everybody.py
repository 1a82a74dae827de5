"""The second fit of who speaks: on the whole shop, against fits made on one row per customer."""

import datetime as dt

import pytest

from dagster_project.modelling.btyd import PURCHASE_MODELS
from dagster_project.modelling.candidates import parts_of
from dagster_project.modelling.everybody import Everybody, fitted_on_all
from dagster_project.modelling.features import customer_features
from dagster_project.modelling.fits import fit_models, prior_parts
from dagster_project.modelling.scope import Scope
from dagster_project.modelling.spend import GammaGamma
from dagster_project.modelling.value_night import Reading, value_night
from dagster_project.modelling.value_settings import ValueSettings

DAY = dt.date(1998, 3, 31)
HISTORY = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")


@pytest.fixture(scope="module")
def half(cdnow):
    return fit_models(customer_features(cdnow, [DAY], Scope(True, 0.5)).df(), 91, "mbg_nbd")


def test_named_models_are_those_of_all_customers_and_others_stay(cdnow, half):
    everybody = Everybody(cdnow, DAY, counts_zero_value_orders=True)
    names = ["mbg_nbd", "mbg_cnbd_k", "gamma_gamma", "zero"]
    found = fitted_on_all(half, names, everybody)
    rows = customer_features(cdnow, [DAY], Scope(counts_zero_value_orders=True)).df()
    log_gap = rows["total_log_gap"].sum()
    for name in names[:2]:
        whole = PURCHASE_MODELS[name].fit(*(rows[column] for column in HISTORY), total_log_gap=log_gap)
        assert found.purchase[name].log_likelihood_ == pytest.approx(whole.log_likelihood_, rel=1e-9)
        assert found.purchase[name].certificate_.count_customers == len(rows)
    spent = GammaGamma.fit(rows["count_repeat_occasions_with_spend"], rows["mean_repeat_occasion_net"])
    assert found.spend["gamma_gamma"].log_likelihood_ == pytest.approx(spent.log_likelihood_, rel=1e-9)
    assert list(found.purchase) == list(half.purchase)
    assert found.purchase["bg_nbd"] is half.purchase["bg_nbd"]
    assert found.spend["gamma_gamma_all"] is half.spend["gamma_gamma_all"]
    assert found.refusals == half.refusals


def test_a_model_that_all_customers_refuse_stays_with_the_reason(marts, half):
    first = dt.date(1997, 1, 1)
    once = marts([(str(n), f"c{n}", first, "10.00", None) for n in range(5)])
    found = fitted_on_all(half, ["mbg_nbd"], Everybody(once, DAY))
    assert found.purchase["mbg_nbd"] is half.purchase["mbg_nbd"]
    assert "no repeat purchase among 5 customers" in found.refusals["mbg_nbd_on_all"]


def test_parts_of_a_candidate_are_the_models_that_it_speaks_by(half):
    assert parts_of(half, "pareto_nbd", "bg_nbd*gamma_gamma") == {"pareto_nbd", "bg_nbd", "gamma_gamma"}
    assert parts_of(half, "blend_all", "blend_net") == {"mbg_nbd", "gamma_gamma_all"}
    assert parts_of(half, "cohort_mean", "zero") == set()
    assert prior_parts(half) == ["mbg_nbd", "gamma_gamma_all"]


def test_a_night_on_a_part_publishes_parameters_of_the_whole_shop(cdnow):
    settings = ValueSettings(horizon_days=91, maximum_customers=1_200, is_chosen_by_backtest=False)
    night = value_night(Reading(cdnow, DAY, counts_zero_value_orders=True), settings)
    counts = {name: model.certificate_.count_customers for name, model in night.model.fits.purchase.items()}
    assert night.model.champion == "mbg_nbd"
    assert counts.pop("mbg_nbd") == 2357
    assert all(1_000 < count < 1_400 for count in counts.values())
    spends = night.model.fits.spend
    assert (
        spends["gamma_gamma_all"].certificate_.count_customers
        > 2_000
        > spends["gamma_gamma"].certificate_.count_customers
    )
    rows = night.parameters.set_index(["model", "parameter"])
    assert rows.loc[("mbg_nbd", "r"), "drift_in_standard_errors"] == pytest.approx(0, abs=5)
