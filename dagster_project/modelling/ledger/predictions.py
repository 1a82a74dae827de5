"""What is predicted on one evening, from what was known on it: of each customer, and of the shop.

Belongs here: the fit of an evening, its predictions and their intervals, and what naive rules say. What followed:
`followed.py`.

The speaker is the incumbent of the night: the first purchase model that is certified, by the shop's own clock, with its
spend model. Challengers are graded by the back-test of the night, on four evenings; to choose and teach them on each of
24 would cost a night the time of 24.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from dagster_project.modelling.backtest import incumbent, level_errors
from dagster_project.modelling.candidates import BASELINES, Forecast
from dagster_project.modelling.churn import is_active
from dagster_project.modelling.fits import Fits, fit_models, spend_levelled
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.intervals import outcomes as intervals
from dagster_project.modelling.intervals.calibration import Intervals
from dagster_project.modelling.intervals.totals import CommonError, central_interval
from dagster_project.modelling.ledger.evenings import LedgerSettings
from dagster_project.modelling.ledger.waits import WAIT_COLUMNS, add_waits, has_waits
from dagster_project.modelling.level.activity import spend_activity
from dagster_project.modelling.newcomers import Newcomers
from dagster_project.modelling.own_clock import by_own_clock
from dagster_project.modelling.value_night import Reading

LEVEL = 0.80
"""Share of outcomes that the ledger's intervals are to cover."""
NAIVE = ("same_as_last_period", "rate_times_time", "cohort_mean")
"""The rules that every prediction is shown beside."""
COUNT_DRAWS = 2_000
"""Of the shop's total: leave 1 % of error in the ends of an 80 % interval."""
SEED = 11
NEWCOMERS = "level_trend_season"
OF_CUSTOMER, OF_SHOP, OF_NEW, OF_ALL = "customer", "existing_customers", "new_customers", "all_customers"
INPUTS = {
    "days_since_last_order": "bigint",
    "count_repeat_occasions": "bigint",
    "observed_share": "double",
    "mean_occasion_net": "double",
}
"""What the purchase and spend models are told of a customer: recency, frequency, age and spend.

Age as a share of the shop's records: where these begin in the middle of the shop's life, everybody grows older with
them, which is no change. In days it rang on 17 of 32 distances of Online Retail II, as a share on none.
"""
COLUMNS = {
    "predicted_date": "date",
    "horizon_days": "integer",
    "part": "varchar",
    "customer_key": "varchar",
    "orders_model": "varchar",
    "net_model": "varchar",
    "is_active": "boolean",
    "is_followed": "boolean",
    "is_loyal": "boolean",
    **INPUTS,
    **{f"{what}_{kind}": "double" for what in ("orders", "net") for kind in ("predicted", "low", "high", *NAIVE)},
    "no_order_predicted": "double",
    "orders_level_error": "double",
    "spend_level_error": "double",
    **WAIT_COLUMNS,
}
"""Columns of an evening's predictions.

A row is of a customer, of all customers of the evening (it also says how far the logs of the shop's orders and of its
net per order may be off), of those still to come, or of both together.
"""


@dataclass(frozen=True)
class Grade:
    """What an earlier evening's predictions turned out to be, as known on the evening that learns from it.

    Attributes:
        forecast: of followed customers, over the calibration's horizons.
        orders: that followed, shape (n,).
        net: that followed, shape (n,).
        log_ratios: log of the shop's orders, and of its net per order, over what was expected.
        claims: standard errors of both, as they were claimed, chance included.
    """

    forecast: intervals.Forecast
    orders: FloatArray
    net: FloatArray
    log_ratios: tuple[float, float]
    claims: tuple[float, float]


def evening_fits(reading: Reading, evening: dt.date, features: pd.DataFrame, settings: LedgerSettings) -> Fits | None:
    """The fits of an evening; None where there is too little history, or no certified model.

    Args:
        reading: the marts.
        evening: the cut-off.
        features: rows of `customer_features` on it.
        settings: the gate, and who speaks.
    """
    if settings.gate.refusal(features) is not None:
        return None
    is_counted = reading.counts_zero_value_orders
    fits = fit_models(features, max(settings.horizons_days), settings.purchase_model, stops_at_first=True)
    fits = by_own_clock(reading.connection, evening, fits, features, counts_zero_value_orders=is_counted)
    spent = partial(spend_activity, reading.connection, evening, counts_zero_value_orders=is_counted)
    fits = spend_levelled(fits, spent)
    return fits if incumbent("net", fits) is not None else None


def evening_predictions(
    fits: Fits,
    features: pd.DataFrame,
    evening: dt.date,
    settings: LedgerSettings,
    grade: Grade | None,
    newcomers: Newcomers | None,
) -> pd.DataFrame:
    """Every prediction of an evening, with intervals where they are kept one by one.

    Args:
        fits: of the evening.
        features: rows of `customer_features` on it, and is_loyal.
        evening: the cut-off.
        settings: horizons, and how many customers are followed.
        grade: of the calibration evening; intervals have their usual shapes without one.
        newcomers: of the same share of customers; nothing is said of them, and of all customers, without.

    Returns:
        `COLUMNS`: one row per customer and horizon with part `customer`, intervals of followed customers only; and per
        horizon one with part `existing_customers`, the sum over all of them, one with `new_customers` and one with
        `all_customers`; customer_key is null there. Of the naive rules the last two have the last period's, of all.
    """
    speakers = incumbent("orders", fits) or "", incumbent("net", fits) or ""
    forecast = Forecast(fits, features, settings.horizons_days)
    orders, net, none = forecast.orders(speakers[0]), forecast.net(speakers[1]), forecast.no_order(speakers[0])
    if orders is None or net is None or none is None:
        raise ValueError(f"{speakers} were not fitted on {evening}; leave the evening out")
    naive = {name: BASELINES[name](forecast) for name in NAIVE}
    shapes = Intervals() if grade is None else Intervals.fit(grade.forecast, grade.orders, grade.net)
    followed = followed_customers(features["customer_key"], settings.followed_customers)
    active = is_active(features, settings.churn_horizon_days)
    observed = features["days_observed"]
    told = features.assign(
        days_since_last_order=observed - features["days_first_to_last_order"], observed_share=observed / observed.max()
    )
    frames = []
    for place, days in enumerate(settings.horizons_days):
        said = intervals.Forecast.of(orders[:, place], none[:, place], net[:, place])
        rows = _described(evening, days, speakers, len(features))
        rows["part"], rows["customer_key"] = OF_CUSTOMER, features["customer_key"].to_numpy()
        rows["is_active"], rows["is_followed"] = active, followed
        rows = rows.assign(**{name: told[name].to_numpy(dtype=np.float64) for name in INPUTS})
        rows["is_loyal"] = features["is_loyal"].to_numpy()
        rows["orders_predicted"], rows["net_predicted"] = said.orders, said.net
        rows["no_order_predicted"] = said.no_order
        _add_intervals(rows, said, shapes, followed)
        if has_waits(days):
            add_waits(rows, fits, features, evening, followed)
        for name, (naive_orders, naive_net) in naive.items():
            rows[f"orders_{name}"], rows[f"net_{name}"] = naive_orders[:, place], naive_net[:, place]
        total, draws = _total(rows, said, shapes, _common_errors(fits, days, grade))
        total["orders_level_error"], total["spend_level_error"] = level_errors(fits, days)
        frames += [rows, total]
        if newcomers is not None:
            frames += _with_newcomers(total, draws, newcomers, days)
    return pd.concat(frames, ignore_index=True).reindex(columns=list(COLUMNS))


def grade_of(earlier: pd.DataFrame, outcomes: Mapping[int, pd.DataFrame]) -> Grade | None:
    """What can be learned from an earlier evening.

    Args:
        earlier: its predictions, from `evening_predictions`.
        outcomes: horizon to the rows of `customer_outcomes`, of the horizons that had ended; the level is compared over
            the longest.

    Returns:
        The grade; None where nobody ordered.
    """
    customers = earlier[earlier["part"] == OF_CUSTOMER]
    rows = pd.concat([_with_outcome(customers, days, found) for days, found in outcomes.items()])
    longest = max(outcomes)
    whole, shop = (of[of["horizon_days"] == longest] for of in (rows, earlier[earlier["part"] == OF_SHOP]))
    orders, net, expected_orders, expected_net = (
        whole[["orders", "net", "orders_predicted", "net_predicted"]].sum().to_list()
    )
    if min(orders, net, expected_orders, expected_net) <= 0:
        return None
    ratio = float(np.log(orders / expected_orders))
    chance = (1 / orders, float(whole["net"].var(ddof=0)) / (net / len(whole)) ** 2 / len(whole))
    levels = (float(shop["orders_level_error"].iloc[0]), float(shop["spend_level_error"].iloc[0]))
    claims = (float(np.hypot(levels[0], chance[0] ** 0.5)), float(np.hypot(levels[1], chance[1] ** 0.5)))
    kept = rows[rows["is_followed"]]
    said = intervals.Forecast.of(*(kept[f"{name}_predicted"] for name in ("orders", "no_order", "net")))
    ratios = (ratio, float(np.log(net / expected_net)) - ratio)
    return Grade(said, kept["orders"].to_numpy(), kept["net"].to_numpy(), ratios, claims)


def _with_outcome(customers: pd.DataFrame, days: int, outcomes: pd.DataFrame) -> pd.DataFrame:
    rows = customers[customers["horizon_days"] == days]
    found = outcomes.set_index("customer_key").reindex(rows["customer_key"])
    return rows.assign(
        orders=found["count_occasions"].fillna(0).to_numpy(dtype=np.float64),
        net=found["total_net"].fillna(0).to_numpy(dtype=np.float64),
    )


def followed_customers(customer_keys: pd.Series, count: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Whether each customer is one of those with the smallest hashes; shape (n,).

    Args:
        customer_keys: of all customers, shape (n,).
        count: at most so many.
    """
    if len(customer_keys) <= count:
        return np.ones(len(customer_keys), dtype=np.bool_)
    hashes = [hashlib.md5(key.encode(), usedforsecurity=False).digest() for key in customer_keys]
    chosen = np.zeros(len(hashes), dtype=np.bool_)
    chosen[heapq.nsmallest(count, range(len(hashes)), key=hashes.__getitem__)] = True
    return chosen


def _described(evening: dt.date, days: int, speakers: tuple[str, str], count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "predicted_date": np.full(count, np.datetime64(evening, "s")),
            "horizon_days": np.full(count, days, dtype=np.int64),
            "orders_model": pd.Series([speakers[0]] * count, dtype="str"),
            "net_model": pd.Series([speakers[1]] * count, dtype="str"),
        }
    )


def _add_intervals(
    rows: pd.DataFrame,
    said: intervals.Forecast,
    shapes: Intervals,
    followed: np.ndarray[tuple[int], np.dtype[np.bool_]],
) -> None:
    """Low and high ends of orders and net, of followed customers; NaN for the others."""
    some = intervals.Forecast(said.orders[followed], said.no_order[followed], said.net[followed])
    for what, ends in (("orders", shapes.orders(some, LEVEL)), ("net", shapes.net(some, LEVEL))):
        for end, amounts in zip(("low", "high"), ends, strict=True):
            column = np.full(len(rows), np.nan)
            column[followed] = amounts
            rows[f"{what}_{end}"] = column


def _common_errors(fits: Fits, days: int, grade: Grade | None) -> tuple[CommonError, CommonError]:
    """What all orders, and all net per order, may be off by together."""
    claimed = level_errors(fits, days)
    if grade is None:
        return CommonError.of(claimed[0]), CommonError.of(claimed[1])
    orders, spend = (CommonError.of(claimed[side], [grade.log_ratios[side]], [grade.claims[side]]) for side in (0, 1))
    return orders, spend


def _total(
    rows: pd.DataFrame, said: intervals.Forecast, shapes: Intervals, errors: tuple[CommonError, CommonError]
) -> tuple[pd.DataFrame, dict[str, FloatArray]]:
    """The sum over all customers with its interval, and the draws of orders and net that it is from."""
    rng = np.random.default_rng(SEED)
    of_orders, of_spend = (error.factors(rng, COUNT_DRAWS) for error in errors)
    factors = {"orders": of_orders, "net": of_orders * of_spend}
    variances = dict(zip(("orders", "net"), shapes.outcomes.variances(said), strict=True))
    total = rows.iloc[:1].assign(part=OF_SHOP, customer_key=None, is_active=True, is_followed=True, is_loyal=False)
    total = total.assign(**dict.fromkeys(("no_order_predicted", *INPUTS, *WAIT_COLUMNS), np.nan))
    drawn = {}
    for what, factor in factors.items():
        for name in ("predicted", *NAIVE):
            total[f"{what}_{name}"] = rows[f"{what}_{name}"].sum()
        own = _gamma(rng, float(rows[f"{what}_predicted"].sum()), float(variances[what].sum()))
        drawn[what] = own * factor
        total[f"{what}_low"], total[f"{what}_high"] = central_interval(drawn[what], LEVEL)
    return total, drawn


def _with_newcomers(
    total: pd.DataFrame, drawn: Mapping[str, FloatArray], newcomers: Newcomers, days: int
) -> list[pd.DataFrame]:
    """The rows of new customers, and of all."""
    _, *expected = newcomers.expected(days)
    draws = newcomers.draws(days, np.random.default_rng(SEED + 1), COUNT_DRAWS)
    empty = [f"{what}_{name}" for what in ("orders", "net") for name in NAIVE]
    new = total.assign(part=OF_NEW, orders_level_error=np.nan, spend_level_error=np.nan, **dict.fromkeys(empty, np.nan))
    both = new.assign(part=OF_ALL)
    for place, what in enumerate(("orders", "net")):
        new[f"{what}_predicted"] = expected[place]
        new[f"{what}_low"], new[f"{what}_high"] = central_interval(draws[place], LEVEL)
        both[f"{what}_predicted"] = total[f"{what}_predicted"] + expected[place]
        both[f"{what}_low"], both[f"{what}_high"] = central_interval(drawn[what] + draws[place], LEVEL)
        # what the last period brought was brought by all, those included who were new in it
        both[f"{what}_{NAIVE[0]}"] = total[f"{what}_{NAIVE[0]}"]
    return [new.assign(orders_model=NEWCOMERS, net_model=NEWCOMERS), both]


def _gamma(rng: np.random.Generator, mean: float, variance: float) -> FloatArray:
    """Draws of a sum of many independent amounts from 0, by a gamma of the same mean and variance."""
    if mean <= 0 or variance <= 0:
        return np.full(COUNT_DRAWS, mean)
    return np.asarray(rng.gamma(mean**2 / variance, variance / mean, COUNT_DRAWS), dtype=np.float64)
