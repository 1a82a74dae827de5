"""How long subscribers stay, by plan and age: who leaves of their own will, and whose payment fails, apart.

Belongs here: counts of who was due and who left at each renewal, their hazards, and each running subscription's chance
to end. Not here: the models of contracts (`contractual.py`), customers without a contract (`night.py`).

Age is counted in renewals. A subscription that runs is censored: so many renewals it has made, and the next has not
come. Paused, overdue and past due are running; cancelled but paid for is on its way out, and counts as left at its next
renewal. Leaving of one's own will (cancelled, or not renewed) and failed payments compete: each has a hazard among all
who were due, and somebody who leaves for the one reason is censored for the other. The will is modelled by
beta-discrete-Weibull, as those who leave easily leave first; payments fail at one rate whatever the age.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.contractual import BetaDiscreteWeibull, ShiftedBetaGeometric
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.maximum_likelihood import DidNotConverge

MINIMUM_LEFT = 50
"""Subscriptions that left, needed to tell a plan's own hazard; with fewer all plans are taken together."""
ALL_PLANS = "all"
HAZARD_COLUMNS = [
    "plan_name",
    "as_of_date",
    "count_renewals",
    "count_due",
    "count_left_by_will",
    "count_payment_failed",
    "count_running",
    "hazard_by_will",
    "hazard_payment_failed",
    "survival_share",
    "expected_hazard_by_will",
    "status",
    "status_reason",
]
_AGES = """
select
    coalesce(plan_name, 'unknown') as plan_name,
    count_renewals::bigint as count_renewals,
    count(*) filter (where subscription_status = 'cancelled' or end_reason in ('cancelled', 'not_renewed'))::bigint
        as count_left_by_will,
    count(*) filter (where end_reason = 'payment_failed')::bigint as count_payment_failed,
    count(*) filter (where subscription_status not in ('ended', 'cancelled'))::bigint as count_running
from marts.fct_subscriptions
where start_date <= $as_of
group by all
order by all
"""
_RUNNING = """
select
    subscription_key,
    customer_key,
    coalesce(plan_name, 'unknown') as plan_name,
    subscription_status,
    count_renewals::bigint as count_renewals,
    case
        when paid_until_date is null or first_period_end_date is null or first_period_end_date <= start_date then 1
        when paid_until_date > $as_of::date + $horizon_days::integer then 0
        else 1 + date_diff('day', greatest(paid_until_date, $as_of::date), $as_of::date + $horizon_days::integer)
            // date_diff('day', start_date, first_period_end_date)
    end::bigint as count_renewals_due
from marts.fct_subscriptions
where subscription_status <> 'ended' and start_date <= $as_of
"""


@dataclass(frozen=True)
class Hazards:
    """The hazards of one plan, or of all.

    Attributes:
        plan_name: `all` for all.
        will: the model of leaving by will; None where it could not be certified.
        status_reason: why there is no model; None with one.
        by_age: one row per age, from `_by_age`.
        payment_failure: chance that the payment of a renewal that is wanted fails for good, 0 to 1.
    """

    plan_name: str
    will: BetaDiscreteWeibull | None
    status_reason: str | None
    by_age: pd.DataFrame
    payment_failure: float

    def leaves_by_will(self, count_renewals: FloatArray) -> FloatArray:
        """Chance to leave by will at the next renewal, shape as given; without a model the share of all who were due.

        Args:
            count_renewals: made so far, from 0.
        """
        if self.will is not None:
            return 1 - self.will.retention_rate(count_renewals)
        due = float(self.by_age["count_due"].sum())
        share = float(self.by_age["count_left_by_will"].sum()) / due if due else np.nan
        return np.full(count_renewals.shape, share)

    def ends_within(self, count_renewals: FloatArray, count_due: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Chances to leave by will, and by a failed payment, within the renewals that are due; each of shape (n,).

        Args:
            count_renewals: made so far, shape (n,), from 0.
            count_due: renewals that come within the horizon, shape (n,), from 0.
        """
        stays = np.ones(count_renewals.size)
        by_will, by_payment = np.zeros(count_renewals.size), np.zeros(count_renewals.size)
        for ahead in range(int(count_due.max(initial=0))):
            is_due = count_due > ahead
            leaves = self.leaves_by_will(count_renewals + ahead)
            by_will += np.where(is_due, stays * leaves, 0.0)
            by_payment += np.where(is_due, stays * (1 - leaves) * self.payment_failure, 0.0)
            stays = np.where(is_due, stays * (1 - leaves) * (1 - self.payment_failure), stays)
        return by_will, by_payment


def subscription_hazards(connection: duckdb.DuckDBPyConnection, as_of: dt.date) -> dict[str, Hazards]:
    """The hazards of every plan and of all together; empty where there are no subscriptions.

    Args:
        connection: a connection that sees `marts.fct_subscriptions` of the night.
        as_of: the night.
    """
    ages = connection.execute(_AGES, {"as_of": as_of}).df()
    if ages.empty:
        return {}
    plans = {ALL_PLANS: ages.groupby("count_renewals", as_index=False).sum(numeric_only=True)}
    plans |= {str(name): rows.reset_index(drop=True) for name, rows in ages.groupby("plan_name", sort=True)}
    return {name: _fitted(name, rows) for name, rows in plans.items()}


def hazard_table(hazards: dict[str, Hazards], as_of: dt.date) -> pd.DataFrame:
    """One row per plan and age: who was due, who left why, and survival, counted and modelled.

    Args:
        hazards: from `subscription_hazards`.
        as_of: the night.

    Returns:
        plan_name (`all` for all), as_of_date, count_renewals (age), count_due, count_left_by_will,
        count_payment_failed, count_running (censored at this age), hazard_by_will and hazard_payment_failed (null where
        nobody was due), survival_share (Kaplan-Meier, past the next renewal), expected_hazard_by_will (of the model;
        null without one), status (`fitted` or `not_fitted`), status_reason.
    """
    tables = []
    for name, one in hazards.items():
        ages = one.by_age["count_renewals"].to_numpy(dtype=np.float64)
        expected = one.leaves_by_will(ages) if one.will is not None else np.full(ages.size, np.nan)
        status = "not_fitted" if one.will is None else "fitted"
        rows = one.by_age.assign(plan_name=name, as_of_date=as_of, expected_hazard_by_will=expected, status=status)
        tables.append(rows.assign(status_reason=pd.Series([one.status_reason] * len(rows), dtype="str")))
    return pd.concat(tables, ignore_index=True)[HAZARD_COLUMNS] if tables else pd.DataFrame(columns=HAZARD_COLUMNS)


def running_subscriptions(
    connection: duckdb.DuckDBPyConnection, as_of: dt.date, horizon_days: int, hazards: dict[str, Hazards]
) -> duckdb.DuckDBPyRelation:
    """One row per running subscription with its chances to end within the horizon; not fetched yet.

    A plan with fewer than 50 subscriptions that left speaks by the hazards of all plans. What is cancelled leaves for
    certain, if a renewal comes within the horizon.

    Args:
        connection: as in `subscription_hazards`; keeps a table `subscription_chances` of its own.
        as_of: the night.
        horizon_days: days ahead, at least 1.
        hazards: from `subscription_hazards`.
    """
    asked = {"as_of": as_of, "horizon_days": horizon_days}
    ages = connection.execute(
        f"select distinct plan_name, count_renewals, count_renewals_due from ({_RUNNING}) order by all", asked
    ).df()
    chances = [ages.assign(hazards_of="", probability_by_will=np.nan, probability_payment_failed=np.nan).iloc[:0]]
    for name, rows in ages.groupby("plan_name", sort=True):
        left = hazards[str(name)].by_age[["count_left_by_will", "count_payment_failed"]].to_numpy().sum()
        spoken = str(name) if left >= MINIMUM_LEFT else ALL_PLANS
        made, due = (rows[column].to_numpy(dtype=np.float64) for column in ("count_renewals", "count_renewals_due"))
        by_will, by_payment = hazards[spoken].ends_within(made, due)
        chances.append(
            rows.assign(hazards_of=spoken, probability_by_will=by_will, probability_payment_failed=by_payment)
        )
    connection.register("chances", pd.concat(chances, ignore_index=True))
    connection.execute("create or replace temp table subscription_chances as from chances")
    connection.unregister("chances")
    return connection.sql(
        f"""
        select
            running.subscription_key, running.customer_key, $as_of::date as as_of_date,
            $horizon_days::integer as horizon_days, running.plan_name, chances.hazards_of, running.subscription_status,
            running.count_renewals, running.count_renewals_due,
            case when running.subscription_status = 'cancelled' then least(running.count_renewals_due, 1)
                else chances.probability_by_will end::double as probability_by_will,
            case when running.subscription_status = 'cancelled' then 0
                else chances.probability_payment_failed end::double as probability_payment_failed
        from ({_RUNNING}) as running
        inner join subscription_chances as chances using (plan_name, count_renewals, count_renewals_due)
        order by running.subscription_key
        """,
        params=asked,
    )


def _fitted(name: str, ages: pd.DataFrame) -> Hazards:
    """The hazards of the counts of one plan."""
    by_age = _by_age(ages)
    asked_to_pay = float((by_age["count_due"] - by_age["count_left_by_will"]).sum())
    payment = float(by_age["count_payment_failed"].sum()) / asked_to_pay if asked_to_pay else 0.0
    renewals, left = by_age["count_renewals"], by_age["count_left_by_will"]
    stayed = by_age["count_payment_failed"] + by_age["count_running"]
    tenures = np.concatenate([renewals, renewals])
    counts = np.concatenate([left, stayed]).astype(np.float64)
    has_left = np.repeat([True, False], len(by_age))
    some = counts > 0
    reasons = []
    for model in (BetaDiscreteWeibull, ShiftedBetaGeometric):
        try:
            return Hazards(name, model.fit(tenures[some], has_left[some], counts[some]), None, by_age, payment)
        except DidNotConverge as refusal:
            reasons.append(str(refusal))
    return Hazards(name, None, "; ".join(reasons), by_age, payment)


def _by_age(ages: pd.DataFrame) -> pd.DataFrame:
    """Counts per age with who was due at it, hazards and the Kaplan-Meier survival past it.

    Due at an age is who made so many renewals and is known to have come to the next: who left there, or renewed again.
    """
    columns = ["count_renewals", "count_left_by_will", "count_payment_failed", "count_running"]
    found = ages[columns].sort_values("count_renewals", ignore_index=True).copy()
    left = found["count_left_by_will"] + found["count_payment_failed"]
    reached = left + found["count_running"]
    renewed_again = reached[::-1].cumsum()[::-1] - reached
    found["count_due"] = left + renewed_again
    due = found["count_due"].to_numpy(dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        found["hazard_by_will"] = np.where(due > 0, found["count_left_by_will"] / due, np.nan)
        found["hazard_payment_failed"] = np.where(due > 0, found["count_payment_failed"] / due, np.nan)
        found["survival_share"] = np.where(due > 0, 1 - left / due, 1.0).cumprod()
    return found
