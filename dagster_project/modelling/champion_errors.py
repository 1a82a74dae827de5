"""How far the champions were off on past evenings, and the intervals that follow from it.

Belongs here: the champions' own record out of the trials, handed to `intervals`. Not here: the intervals themselves
(`intervals`), who is champion (`selection.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.intervals.calibration import Intervals, randomised_coverage
from dagster_project.modelling.intervals.outcomes import Forecast, none_in_keeping
from dagster_project.modelling.intervals.totals import CommonError
from dagster_project.modelling.selection import Prediction, Trial

LEVELS = (0.50, 0.80, 0.95)
"""Shares that intervals cover."""


@dataclass(frozen=True)
class Record:
    """One evening: what the champions said, what followed, and how sure the level was.

    Attributes:
        cutoff: the evening.
        forecast: of n customers over the back-test's horizon.
        orders: that followed, shape (n,).
        net: that followed, shape (n,).
        log_errors: of the shop's orders and of its net per order, from season and level.
    """

    cutoff: dt.date
    forecast: Forecast
    orders: FloatArray
    net: FloatArray
    log_errors: tuple[float, float]


@dataclass(frozen=True)
class ChampionErrors:
    """What the record says of tonight.

    Attributes:
        intervals: of customers; uncalibrated where there is no record.
        orders_error: that all customers' orders share.
        spend_error: that all net per order shares.
        coverages: (prediction, evening, share to cover) to the share that was covered, by intervals that were fitted to
            the other evenings; none where there is only one evening.
    """

    intervals: Intervals = field(default_factory=Intervals)
    orders_error: CommonError = field(default_factory=lambda: CommonError(0.0))
    spend_error: CommonError = field(default_factory=lambda: CommonError(0.0))
    coverages: Mapping[tuple[Prediction, dt.date, float], float | None] = field(default_factory=dict)


def champion_errors(
    trials: Mapping[Prediction, Sequence[Trial]],
    champions: Mapping[Prediction, str],
    log_errors: tuple[float, float],
) -> ChampionErrors:
    """Intervals and common errors out of the champions' record.

    Args:
        trials: from `Past.trials`, with orders and net.
        champions: of orders and of net.
        log_errors: of tonight's total of orders and of net per order, from season and level.
    """
    records = _records(trials, champions)
    claims, ratios = [_claims(record) for record in records], [_log_ratios(record) for record in records]
    errors = [
        CommonError.of(log_errors[side], [one[side] for one in ratios], [one[side] for one in claims])
        for side in (0, 1)
    ]
    return ChampionErrors(_fitted(records), errors[0], errors[1], _coverages(records))


def _records(trials: Mapping[Prediction, Sequence[Trial]], champions: Mapping[Prediction, str]) -> list[Record]:
    """The evenings of the past, latest first; the incumbent speaks where a champion had nothing to learn from yet."""
    found = []
    for orders, net in zip(trials.get("orders", ()), trials.get("net", ()), strict=True):
        said = (
            orders.predicted.get(champions["orders"], orders.incumbent),
            net.predicted.get(champions["net"], net.incumbent),
        )
        if said[0] is None or said[1] is None or orders.incumbent is None or orders.no_order is None:
            continue
        if orders.actual.any():
            forecast = Forecast.of(said[0], none_in_keeping(orders.no_order, orders.incumbent, said[0]), said[1])
            found.append(Record(orders.cutoff, forecast, orders.actual, net.actual, orders.log_errors))
    return found


def _fitted(records: Sequence[Record]) -> Intervals:
    if not records:
        return Intervals()
    joined = (np.concatenate([getattr(record.forecast, side) for record in records]) for side in _SIDES)
    orders, net = (np.concatenate([getattr(record, side) for record in records]) for side in ("orders", "net"))
    return Intervals.fit(Forecast.of(*joined), orders, net)


_SIDES = ("orders", "no_order", "net")


def _log_ratios(record: Record) -> tuple[float, float]:
    """Log of what followed over what was expected: orders, and net per order."""
    orders = np.log(record.orders.sum() / record.forecast.orders.sum())
    net = np.log(max(record.net.sum(), 1e-9) / max(record.forecast.net.sum(), 1e-9))
    return float(orders), float(net - orders)


def _claims(record: Record) -> tuple[float, float]:
    """The error claimed for each: that of the level, and chance."""
    chance = 1 / record.orders.sum()
    spread = float(np.var(record.net) / max(record.net.mean(), 1e-9) ** 2 / record.net.size)
    orders, spend = record.log_errors
    return float(np.hypot(orders, np.sqrt(chance))), float(np.hypot(spend, np.sqrt(spread)))


def _coverages(records: Sequence[Record]) -> dict[tuple[Prediction, dt.date, float], float | None]:
    found: dict[tuple[Prediction, dt.date, float], float | None] = {}
    for place, record in enumerate(records if len(records) > 1 else ()):
        others = _fitted([*records[:place], *records[place + 1 :]])
        around_orders = others.orders_around(record.forecast, record.orders)
        around_net = others.net_around(record.forecast, record.net)
        for level in LEVELS:
            found["orders", record.cutoff, level] = randomised_coverage(*around_orders, level)
            found["net", record.cutoff, level] = randomised_coverage(*around_net, level)
    return found
