"""Service collapses on one day, and badly served customers leave: drift rings, and what is said follows the truth.

A purchase model is fitted to all of the past and cannot know; trees have seen what bad service did before, and see that
there is more of it. The long form (`DRILLS=long`) looks at every month end around the change.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from long_form import IS_LONG
from talking_shop import FIRST_DAY, Service, play, talking_shop

from dagster_project.modelling.churn import ChurnSettings
from dagster_project.modelling.leaving.night import features_of, leaving_night
from dagster_project.modelling.ledger.evenings import LedgerSettings
from dagster_project.modelling.ledger.night import ledger_night
from dagster_project.modelling.value_night import Reading

CUSTOMERS, DAYS, SEED, HORIZON = 3_000, 1_000, 3, 90
COLLAPSE = dt.date(2025, 4, 1)
BEFORE, TWO_MONTHS_LATER = dt.date(2025, 3, 31), dt.date(2025, 5, 31)
LATER = [dt.date(2025, 6, 30), dt.date(2025, 7, 31), dt.date(2025, 8, 31)] if IS_LONG else []


@pytest.fixture(scope="module")
def played():
    service = Service(bad_share=0.1, collapse_day=(COLLAPSE - FIRST_DAY).days, bad_share_after=0.5)
    return play(CUSTOMERS, DAYS, SEED, bad_service_odds=12.0, service=service)


@pytest.fixture(scope="module")
def shop(played):
    with talking_shop(played, DAYS, SEED) as connection:
        connection.execute("delete from marts.fct_visits")
        # so that customers differ in what they spend, as the ledger needs
        connection.execute("update marts.fct_orders set gross_amount = gross_amount * (1 + hash(customer_key) % 60)")
        yield connection


def misses(shop, played, evening: dt.date) -> tuple[float, float]:
    """How far the mean of what is published, and of the purchase model, is from the mean of the true chances."""
    night = leaving_night(Reading(shop, evening), ChurnSettings(horizon_days=HORIZON))
    features = features_of(Reading(shop, evening), evening, night.groups).df()
    rows = night.model.score(features)
    active = rows["is_active"].to_numpy()
    number = rows.loc[active, "customer_key"].str[1:].astype(int).to_numpy()
    is_gone = played.left_day[number] < (evening - FIRST_DAY).days + 1
    true = np.where(is_gone, 1.0, np.exp(-played.rate[number] * HORIZON))
    model = night.model.purchase_fit.model
    columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
    alone = model.probability_no_purchase(*(features.loc[active, name].to_numpy(float) for name in columns), HORIZON)
    return float(rows.loc[active, "probability_no_order"].mean() - true.mean()), float(alone.mean() - true.mean())


@pytest.mark.parametrize("evening", [TWO_MONTHS_LATER, *LATER], ids=str)
def test_what_is_published_follows_the_true_chances_within_two_months(shop, played, evening):
    published, alone = misses(shop, played, evening)
    assert alone < -0.06, "the purchase model believes the past"
    assert abs(published) < 0.05
    assert abs(published) < 0.5 * abs(alone)


@pytest.mark.skipif(not IS_LONG, reason="of the long form")
def test_before_the_change_all_are_right(shop, played):
    assert np.abs(misses(shop, played, BEFORE)).max() < 0.03


def test_drift_rings_within_two_months_and_not_before(shop):
    settings = LedgerSettings(count_evenings=4, followed_customers=CUSTOMERS)
    drift = ledger_night(Reading(shop, TWO_MONTHS_LATER), settings).drift
    is_after = drift["predicted_date"] > pd.Timestamp(COLLAPSE)
    assert drift["predicted_date"].nunique() == 4
    assert not drift.loc[~is_after, "is_alarming"].any()
    ringing = drift[is_after & drift["is_alarming"]]
    assert ("calibration_slope", 30) in set(zip(ringing["measure"], ringing["horizon_days"], strict=True))
