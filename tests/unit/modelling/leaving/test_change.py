"""A change in how easily customers leave: its formulas by quadrature, its fit on drawn histories, a shop that changes.

In the shop customers leave four times as easily from one day on, and no feed tells why: there are orders alone. The
long form (`DRILLS=long`) looks at the month ends around the change.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from long_form import IS_LONG
from scipy import stats
from scipy.integrate import quad
from talking_shop import FIRST_DAY, Service, empty_marts, play, talking_shop

from dagster_project.modelling.btyd import PURCHASE_MODELS
from dagster_project.modelling.churn import ChurnSettings
from dagster_project.modelling.features import customer_features
from dagster_project.modelling.leaving.change import OCCASIONS_LATELY, WINDOWS_DAYS, Change, fit_change
from dagster_project.modelling.leaving.change_trial import MOST_BY_CHANCE, ChangeTrial
from dagster_project.modelling.leaving.night import features_of, leaving_night
from dagster_project.modelling.level.clock import Clock, SeasonalModel
from dagster_project.modelling.value_night import Reading

PARAMS = (0.8, 40.0, 1.2, 6.0)
"""r, alpha in days, a, b."""
CHANGED = dt.date(2025, 4, 1)
BEFORE, TWO_MONTHS_LATER = dt.date(2025, 3, 31), dt.date(2025, 5, 31)
LATER = [dt.date(2025, 6, 30), dt.date(2025, 7, 31), dt.date(2025, 8, 31)] if IS_LONG else []
DAYS, SEED, HORIZON = 1_000, 3, 90


def histories(*rows: tuple[int, int, int, int]) -> pd.DataFrame:
    """Features out of repeats, days from first to last, days observed, and occasions in the last 60 days."""
    frame = pd.DataFrame(
        rows, columns=["count_repeat_occasions", "days_first_to_last_order", "days_observed", "lately"]
    )
    return frame.assign(**dict.fromkeys(OCCASIONS_LATELY.columns, frame["lately"].astype(float)))


def no_purchase_by_quadrature(x, t_x, age, chances, last, ahead) -> float:
    """The chance of no purchase, integrated over rates and drop-out probabilities; nothing in closed form."""
    r, alpha, a, b = PARAMS
    rate, drop_out = stats.gamma(r, scale=1 / alpha), stats.beta(a, b)

    def over_rates(days: float) -> float:
        return quad(lambda one: one**x * np.exp(-one * days) * rate.pdf(one), 0, 2, points=[1e-4, 0.02, 0.1])[0]

    stayed = quad(lambda p: (1 - p) ** chances * drop_out.pdf(p), 0, 1)[0]
    went = quad(lambda p: (1 - p) ** (chances - last) * (1 - (1 - p) ** last) * drop_out.pdf(p), 0, 1)[0]
    silent = stayed * over_rates(age + ahead) + went * over_rates(t_x)
    return silent / (stayed * over_rates(age) + went * over_rates(t_x))


CASES = [
    # repeats, days from first to last, days observed, occasions lately, of them chances of MBG and of BG
    (3, 200, 240, 1, 1, 1),
    (5, 300, 310, 3, 3, 3),
    (4, 100, 300, 0, 0, 0),
    (0, 0, 40, 1, 1, 0),
    (2, 30, 50, 3, 3, 2),
]


@pytest.mark.parametrize("name", ["mbg_nbd", "bg_nbd"])
@pytest.mark.parametrize("factor", [2.5, 0.4])
def test_the_chance_of_no_order_is_that_of_a_quadrature(name, factor):
    model = PURCHASE_MODELS[name].from_params(*PARAMS)
    features = histories(*(case[:4] for case in CASES))
    x, t_x, age = (features[column].to_numpy(float) for column in features.columns[:3])
    plain = model.probability_no_purchase(x, t_x, age, HORIZON)
    log_odds = np.log(plain / (1 - plain)) + Change(60, factor, 0.0).adds(model, features, HORIZON)
    for place, (repeats, last_day, observed, _, of_mbg, of_bg) in enumerate(CASES):
        lately = of_mbg if name == "mbg_nbd" else of_bg
        count = repeats + (name == "mbg_nbd")
        last = factor if lately else min(count, 1)
        expected = no_purchase_by_quadrature(repeats, last_day, observed, count + (factor - 1) * lately, last, HORIZON)
        assert 1 / (1 + np.exp(-log_odds[place])) == pytest.approx(expected, rel=1e-6)


def test_no_change_adds_nothing_and_the_clock_is_kept():
    model = PURCHASE_MODELS["mbg_nbd"].from_params(*PARAMS)
    features = histories(*(case[:4] for case in CASES))
    assert Change(60, 1.0, 0.0).adds(model, features, HORIZON) == pytest.approx(np.zeros(len(CASES)))
    # at twice the speed a day counts two
    fast = SeasonalModel(model, Clock(past_rates=(2.0,), ahead_rates=(2.0,)))
    doubled = features.assign(
        days_first_to_last_order=features["days_first_to_last_order"] * 2, days_observed=features["days_observed"] * 2
    )
    change = Change(60, 3.0, 0.0)
    np.testing.assert_allclose(change.adds(fast, features, 45), change.adds(model, doubled, HORIZON))


def test_of_a_model_without_drop_out_at_purchases_no_change_is_known():
    pareto = PURCHASE_MODELS["pareto_nbd"].from_params(0.5, 10.0, 0.6, 12.0)
    features = histories((3, 200, 240, 1))
    assert fit_change(pareto, features) is None
    with pytest.raises(ValueError, match="pareto_nbd knows no drop-out at purchases"):
        Change(60, 2.0, 0.0).adds(pareto, features, HORIZON)


def drawn(seed: int, factor: float, customers: int, changed_days_ago: int = 60, days: int = 720) -> pd.DataFrame:
    """Histories of customers who buy and drop out by the model, purchases of late counting as several chances."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = PARAMS
    rate, drop_out = rng.gamma(r, 1 / alpha, customers), rng.beta(a, b, customers)
    first = rng.random(customers) * days * 0.9
    bought, buyers = [first], [np.arange(customers)]
    clock, going = first.copy(), np.arange(customers)
    while going.size:
        chances = np.where(clock[going] >= days - changed_days_ago, factor, 1.0)
        going = going[rng.random(going.size) < (1 - drop_out[going]) ** chances]
        clock[going] += rng.exponential(1, going.size) / rate[going]
        going = going[clock[going] < days]
        bought.append(clock[going].copy())
        buyers.append(going)
    purchases = pd.DataFrame({"customer": np.concatenate(buyers), "day": np.concatenate(bought)})
    of = purchases.groupby("customer")["day"].agg(["min", "max", "size"])
    found = pd.DataFrame(
        {
            "count_repeat_occasions": of["size"] - 1,
            "days_first_to_last_order": np.where(of["size"] > 1, of["max"] - of["min"], 0),
            "days_observed": days - of["min"],
        }
    )
    for window, column in zip(WINDOWS_DAYS, OCCASIONS_LATELY.columns, strict=True):
        found[column] = purchases[purchases["day"] >= days - window].groupby("customer").size()
    return found.fillna(0.0)


@pytest.mark.parametrize(("factor", "customers"), [(3.0, 8_000), (2.0, 25_000)])
def test_a_planted_change_is_found_with_its_day_and_its_size(factor, customers):
    found = fit_change(PURCHASE_MODELS["mbg_nbd"].from_params(*PARAMS), drawn(1, factor, customers))
    assert found.window_days == 60
    assert np.log(found.factor) == pytest.approx(np.log(factor), abs=0.2)
    assert found.likelihood_ratio > 2 * MOST_BY_CHANCE
    assert found.is_great


def test_without_a_change_none_is_more_than_chance():
    model = PURCHASE_MODELS["mbg_nbd"].from_params(*PARAMS)
    ratios = [fit_change(model, drawn(seed, 1.0, 2_000)).likelihood_ratio for seed in range(8)]
    assert max(ratios) < MOST_BY_CHANCE
    assert np.median(ratios) < 5


def test_occasions_lately_are_those_that_count():
    orders = [("a", 5, "10", None), ("a", 5, "10", None), ("a", 45, "10", None), ("a", 200, "10", None)]
    orders += [("a", 20, "10", "cancelled"), ("b", 29, "10", None), ("b", 30, "10", None), ("c", 10, "10", None)]
    orders += [("b", -3, "10", None)]
    evening = dt.date(2025, 5, 31)
    with empty_marts() as connection:
        for place, (key, days_ago, amount, reason) in enumerate(orders):
            day = evening - dt.timedelta(days=days_ago)
            row = [str(place), key, day, amount, reason, "web", 1, None, None]
            connection.execute("insert into marts.fct_orders values (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("insert into marts.fct_refunds values ('r', '7', date '2025-05-25', 10)")
        found = customer_features(connection, [evening], groups=[OCCASIONS_LATELY]).df()
    counts = found.set_index("customer_key")[[f"count_occasions_within_{days}d" for days in (15, 30, 45, 60, 180)]]
    assert counts.loc["a"].tolist() == [1, 1, 1, 2, 2]
    assert counts.loc["b"].tolist() == [0, 1, 2, 2, 2]
    assert list(counts.index) == ["a", "b"], "all that c bought was returned, and what b buys later is not seen"


@pytest.mark.parametrize(
    ("log_loss_change", "standard_error", "is_believed"),
    [(-0.010, 0.004, True), (-0.010, 0.006, False), (0.010, 0.001, False), (None, None, False)],
)
def test_a_change_is_believed_where_it_helped_by_more_than_chance(log_loss_change, standard_error, is_believed):
    trial = ChangeTrial(Change(60, 3.0, 50.0), 2.5, log_loss_change, standard_error)
    assert trial.is_believed == is_believed
    assert trial.to_dict()["is_believed"] == is_believed


@pytest.fixture(scope="module")
def played():
    service = Service(bad_share=0.0, collapse_day=(CHANGED - FIRST_DAY).days, bad_share_after=1.0)
    return play(3_000, DAYS, SEED, bad_service_odds=4.0, service=service)


@pytest.fixture(scope="module")
def shop(played):
    with talking_shop(played, DAYS, SEED) as connection:
        for table in ("fct_visits", "fct_support_contacts", "fct_feedback"):
            connection.execute(f"delete from marts.{table}")
        yield connection


def told(shop, evening: dt.date):
    """The night, the features of its active customers, and what is published of them."""
    reading = Reading(shop, evening)
    night = leaving_night(reading, ChurnSettings(horizon_days=HORIZON))
    features = features_of(reading, evening, night.groups).df()
    rows = night.model.score(features)
    active = rows["is_active"].to_numpy()
    asked = features[active].reset_index(drop=True)
    return night, asked, rows.loc[active, "probability_no_order"].to_numpy()


def true_chances(played, asked: pd.DataFrame, evening: dt.date) -> np.ndarray:
    """Who has left never orders; who has not does by chance, at their own rate."""
    number = asked["customer_key"].str[1:].astype(int).to_numpy()
    is_gone = played.left_day[number] < (evening - FIRST_DAY).days + 1
    return np.where(is_gone, 1.0, np.exp(-played.rate[number] * HORIZON))


@pytest.mark.parametrize("evening", [TWO_MONTHS_LATER, *LATER], ids=str)
def test_what_is_published_follows_a_change_that_nobody_tells(shop, played, evening):
    night, asked, said = told(shop, evening)
    true = true_chances(played, asked, evening)
    columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
    alone = night.model.purchase_fit.model.probability_no_purchase(
        *(asked[name].to_numpy(float) for name in columns), 90
    )
    assert alone.mean() - true.mean() < -0.06, "the purchase model believes the past"
    assert abs(said.mean() - true.mean()) < 0.05
    assert abs(said.mean() - true.mean()) < 0.5 * abs(alone.mean() - true.mean())
    assert night.model.change.window_days == pytest.approx((evening - CHANGED).days + 1, abs=5)
    total = sum(night.model.contributions(asked).values())
    constant = np.log(said / (1 - said)) - total
    np.testing.assert_allclose(constant, constant.mean(), atol=1e-6)


@pytest.mark.skipif(not IS_LONG, reason="of the long form")
def test_before_the_change_none_is_believed(shop, played):
    night, asked, said = told(shop, BEFORE)
    assert night.model.change is None
    assert night.model.change_trial.log_loss_change is None, "no more than chance, so not tried"
    assert abs(said.mean() - true_chances(played, asked, BEFORE).mean()) < 0.03
