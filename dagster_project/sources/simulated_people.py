"""Who buys at the simulated shop, when, and how content they are.

Purchases follow BG/NBD (Fader, Hardie and Lee 2005) in a time that runs faster in season: each customer buys at a
Gamma-distributed rate and leaves after any purchase with a Beta-distributed probability. Two things differ from the
paper: one may leave after the first purchase too, as most do, and satisfied customers leave less, so that a churn model
has something to find.

Belongs here: random draws about customers and order times. Does not belong here: what an order holds
(`simulated_baskets.py`), files (`simulated.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Days = npt.NDArray[np.datetime64]

_MOST_REPEATS = 60
_RATE_SHAPE, _MEAN_RATE = 0.9, 1 / 70  # purchases a day while active
_LEAVING = (1.0, 3.0)  # Beta parameters: one in four leaves after a purchase
_GROWTH = 0.6  # more new customers a day at the end than at the start
_HOUR_WEIGHTS = np.array([0] * 7 + [2, 4, 6, 7, 7, 8, 7, 6, 6, 6, 7, 8, 9, 10, 8, 5, 2], dtype=float)


@dataclass(frozen=True)
class People:
    """One entry per customer, in order of their first day."""

    first_day: Ints
    satisfaction: Floats
    spending: Floats
    favourite_kind: Ints
    language: Ints


@dataclass(frozen=True)
class Visits:
    """One entry per order, in order of time: whose, and when in seconds of local time from the first day."""

    customer: Ints
    second: Ints


def season(days: Days) -> Floats:
    """How much faster time runs on each day: Christmas, a quiet summer, otherwise 1; the mean is 1."""
    month = days.astype("datetime64[M]").astype(int) % 12 + 1
    day = (days - days.astype("datetime64[M]")).astype(int) + 1
    weight = np.ones(len(days))
    weight[((month == 11) & (day >= 20)) | ((month == 12) & (day <= 23))] = 1.8
    weight[(month == 7) | (month == 8)] = 0.8
    return np.asarray(weight / weight.mean(), dtype=np.float64)


def people(rng: np.random.Generator, customers: int, days: int, kinds: int) -> People:
    """Draw the customers; the last of them comes on the last day, so that the shop is never stale."""
    share = rng.random(customers)
    first_day = np.sort(days * (np.sqrt(1 + _GROWTH * (2 + _GROWTH) * share) - 1) / _GROWTH).astype(np.int64)
    first_day = np.minimum(first_day, days - 1)
    first_day[-1] = days - 1
    return People(
        first_day=first_day,
        satisfaction=rng.standard_normal(customers),
        spending=rng.gamma(4.0, 0.25, customers),
        favourite_kind=rng.integers(0, kinds, customers),
        language=rng.choice(3, customers, p=[0.55, 0.25, 0.20]),
    )


def visits(rng: np.random.Generator, crowd: People, calendar: Days) -> Visits:
    """Draw the order times: a first order on the first day, then repeats until the customer leaves."""
    customers, days = len(crowd.first_day), len(calendar)
    rate = np.maximum(rng.gamma(_RATE_SHAPE, _MEAN_RATE / _RATE_SHAPE, customers), 1e-6)
    leaving = 1 - (1 - rng.beta(*_LEAVING, customers)) ** np.exp(-0.5 * crowd.satisfaction)
    gaps = rng.standard_exponential((customers, _MOST_REPEATS)) / rate[:, None]
    stays = rng.random((customers, _MOST_REPEATS)) >= leaving[:, None]
    is_active = np.cumprod(stays, axis=1).astype(bool)
    shop_time = np.concatenate([[0.0], np.cumsum(season(calendar))])
    start = np.interp(crowd.first_day + 0.5, np.arange(days + 1), shop_time)
    moments = np.interp(start[:, None] + np.cumsum(gaps, axis=1), shop_time, np.arange(days + 1), right=np.inf)
    customer, repeat = np.nonzero(is_active & (moments < days))
    day = np.concatenate([crowd.first_day, moments[customer, repeat].astype(np.int64)])
    who = np.concatenate([np.arange(customers), customer])
    hour = rng.choice(24, len(day), p=_HOUR_WEIGHTS / _HOUR_WEIGHTS.sum())
    second = day * 86_400 + hour * 3_600 + rng.integers(0, 3_600, len(day))
    order = np.lexsort((who, second))
    return Visits(customer=who[order], second=second[order])
