"""The candidates: one table for orders, one for net, one for no order, and what each says of some customers.

Belongs here: how fits are combined. Not here: the fits (`fits.py`), which candidate is believed (`selection.py`).

A candidate for orders is a purchase model times the mean of some corrections; one for net is a candidate for orders
times a spend model. Baselines stand in the same tables: they are tried on the same days by the same rule, and where one
of them is better than the models it is the champion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from dagster_project.modelling.btyd import PURCHASE_MODELS
from dagster_project.modelling.challengers import Prior, design_matrix
from dagster_project.modelling.features import WINDOWS_DAYS
from dagster_project.modelling.fits import SPEND_COLUMNS, Fits, histories_of
from dagster_project.modelling.histories import FloatArray, Histories
from dagster_project.modelling.intervals.outcomes import none_in_keeping

OWN = "own"
"""A part of a blend that leaves the purchase model as it is."""


@dataclass(frozen=True)
class Candidate:
    """A purchase model and the corrections whose mean corrects it.

    Attributes:
        model: name of the purchase model; None for the first that is certified.
        parts: `own`, or names of learners.
    """

    model: str | None
    parts: tuple[str, ...] = (OWN,)


@dataclass(frozen=True)
class NetCandidate:
    """Orders times mean spend, or the first purchase model times the mean of some corrections of net.

    Attributes:
        orders: name of a candidate for orders.
        spend: name of a spend model.
        parts: as of `Candidate`, on top.
    """

    orders: str | None
    spend: str
    parts: tuple[str, ...] = (OWN,)


ORDERS: Mapping[str, Candidate] = {
    **{name: Candidate(name) for name in PURCHASE_MODELS},
    "boosted": Candidate(None, ("boosted",)),
    "boosted_features": Candidate(None, ("boosted_features",)),
    "blend_boosted": Candidate(None, (OWN, "boosted")),
    "blend_features": Candidate(None, (OWN, "boosted_features")),
    "blend_all": Candidate(None, (OWN, "boosted", "boosted_features")),
}
NET: Mapping[str, NetCandidate] = {
    **{f"{orders}*{spend}": NetCandidate(orders, spend) for orders, spend in product(ORDERS, SPEND_COLUMNS)},
    "boosted_net": NetCandidate(None, "gamma_gamma_all", ("boosted_net",)),
    "blend_net": NetCandidate(None, "gamma_gamma_all", (OWN, "boosted_net")),
    "blend_all_net": NetCandidate(None, "gamma_gamma_all", (OWN, "boosted", "boosted_features", "boosted_net")),
}


def parts_of(fits: Fits, orders: str, net: str) -> set[str]:
    """Names of the purchase and spend models that two candidates speak by.

    Args:
        fits: of the evening.
        orders: key of `ORDERS` or `BASELINES`.
        net: key of `NET` or `BASELINES`.
    """
    candidates = [orders, net]
    parts: set[str | None] = set()
    if net in NET:
        candidates.append(NET[net].orders or "")
        parts.add(NET[net].spend)
    parts |= {ORDERS[name].model or fits.base for name in candidates if name in ORDERS}
    return {name for name in parts if name is not None}


class Forecast:
    """What the candidates say of some customers up to each step; parts are computed once, and only when asked for.

    Args:
        fits: of the evening that the features are of.
        features: rows of `customer_features` at one cut-off.
        steps_days: days ahead, above 0, shape (k,).
    """

    def __init__(self, fits: Fits, features: pd.DataFrame, steps_days: npt.ArrayLike) -> None:
        self.fits, self.features = fits, features
        self.steps = np.asarray(steps_days, dtype=np.float64)
        self._said: dict[tuple[str, str], FloatArray] = {}

    def orders(self, name: str) -> FloatArray | None:
        """Expected orders, shape (n, k); None where a part of the candidate was not fitted.

        Args:
            name: key of `ORDERS` or `BASELINES`.
        """
        if name in BASELINES:
            return BASELINES[name](self)[0]
        candidate = ORDERS[name]
        expected, factor = self.model_orders(candidate.model), self._factor(candidate.parts)
        return None if expected is None or factor is None else expected * factor[:, None]

    def net(self, name: str) -> FloatArray | None:
        """Expected net in money, not discounted, shape (n, k); None where a part of the candidate was not fitted.

        Args:
            name: key of `NET` or `BASELINES`.
        """
        if name in BASELINES:
            return BASELINES[name](self)[1]
        candidate = NET[name]
        factor = self._factor(candidate.parts)
        if factor is None or candidate.spend not in self.fits.spend:
            return None
        orders = self.orders(candidate.orders) if candidate.orders else self.model_orders(None)
        mean = self.fits.mean_net(candidate.spend, self.features)
        return None if orders is None else orders * (mean * factor)[:, None] * self.fits.spend_factor(self.steps)

    def no_order(self, name: str | None) -> FloatArray | None:
        """Probability of no order by a purchase model, shape (n, k); None where it is not certified.

        Args:
            name: as of `Fits.predicting`.
        """
        model = self.fits.predicting(name)
        if model is None:
            return None
        one = self._histories
        return model.probability_no_purchase(one.x[:, None], one.t_x[:, None], one.age[:, None], self.steps)[one.row_of]

    def no_order_in_keeping(self, name: str) -> FloatArray | None:
        """Probability of no order that agrees with a candidate's expected orders, shape (n, k); None without a model.

        Args:
            name: key of `ORDERS` or `BASELINES`.
        """
        none, expected, corrected = self.no_order(None), self.model_orders(None), self.orders(name)
        if none is None or expected is None or corrected is None:
            return None
        return none_in_keeping(none, expected, corrected)

    def alive(self) -> FloatArray:
        """P(alive) by the first purchase model, shape (n,); NaN where none is certified."""
        if self.fits.base is None:
            return np.full(len(self.features), np.nan)
        one = self._histories
        return self.fits.purchase[self.fits.base].probability_alive(one.x, one.t_x, one.age)[one.row_of]

    def column(self, name: str) -> FloatArray:
        """A column of the features as floats, shape (n,)."""
        return self.features[name].to_numpy(dtype=np.float64, na_value=np.nan)

    def model_orders(self, name: str | None) -> FloatArray | None:
        """Orders expected by a purchase model, shape (n, k); None where it is not certified.

        Args:
            name: as of `Fits.predicting`.
        """
        model = self.fits.predicting(name)
        if model is None:
            return None
        key = ("orders", name or "")
        if key not in self._said:
            one = self._histories
            self._said[key] = model.expected_purchases(one.x[:, None], one.t_x[:, None], one.age[:, None], self.steps)[
                one.row_of
            ]
        return self._said[key]

    def _factor(self, parts: tuple[str, ...]) -> FloatArray | None:
        if not self._has(parts):
            return None
        own = np.ones(len(self.features))
        return np.asarray(
            np.mean([own if part == OWN else self._correction(part) for part in parts], axis=0), dtype=np.float64
        )

    def _has(self, parts: tuple[str, ...]) -> bool:
        return all(part == OWN or part in self.fits.corrections for part in parts)

    def _correction(self, part: str) -> FloatArray:
        key = ("correction", part)
        if key not in self._said:
            prior, design = self._seen
            self._said[key] = self.fits.corrections[part].of(design, prior)
        return self._said[key]

    @cached_property
    def _seen(self) -> tuple[Prior, npt.NDArray[np.float32]]:
        """What the trees read; there are trees only where there is a prior."""
        prior = self.fits.prior(self.features)
        if prior is None:
            raise ValueError("corrections were learned without a certified purchase and spend model")
        return prior, design_matrix(self.features, prior)

    @cached_property
    def _histories(self) -> Histories:
        return histories_of(self.features)


def _zero(forecast: Forecast) -> tuple[FloatArray, FloatArray]:
    nothing = np.zeros((len(forecast.features), forecast.steps.size))
    return nothing, nothing


def _same_as_last_period(forecast: Forecast) -> tuple[FloatArray, FloatArray]:
    """What the longest look-back within the horizon holds, the shortest where none is, in proportion to its days."""
    spans = [max([days for days in WINDOWS_DAYS if days <= step] or WINDOWS_DAYS[:1]) for step in forecast.steps]
    shares = forecast.steps / np.array(spans)
    orders = np.stack([forecast.column(f"count_occasions_{days}d") for days in spans], axis=1)
    net = np.stack([forecast.column(f"total_net_{days}d") for days in spans], axis=1)
    return orders * shares, net * shares


def _rate_times_time(forecast: Forecast) -> tuple[FloatArray, FloatArray]:
    """A customer's own repeats per day observed, at their own mean net."""
    rate = forecast.column("count_repeat_occasions") / np.maximum(forecast.column("days_observed"), 1)
    orders = rate[:, None] * forecast.steps
    return orders, orders * np.nan_to_num(forecast.column("mean_occasion_net"))[:, None]


def _cohort_mean(forecast: Forecast) -> tuple[FloatArray, FloatArray]:
    """The rate and the mean net of those who came in the same month."""
    month = forecast.features["cohort_month"]
    orders = forecast.fits.cohorts.orders_per_day_of(month)[:, None] * forecast.steps
    return orders, orders * forecast.fits.cohorts.mean_order_net_of(month)[:, None]


BASELINES: Mapping[str, Callable[[Forecast], tuple[FloatArray, FloatArray]]] = {
    "zero": _zero,
    "same_as_last_period": _same_as_last_period,
    "rate_times_time": _rate_times_time,
    "cohort_mean": _cohort_mean,
}
