"""Operational time: calendar days, each as long as the shop was busy.

Belongs here: the clock, and a purchase model that reads it. Not here: how busy the shop was (`variation.py`,
`season.py`).

Where all customers' purchase rates share one factor s(day), a buy-till-you-die model in which only purchases end in
drop-out holds exactly once each day counts s(day) days: the transformation of a Poisson process to unit speed (Cox and
Lewis 1966, chapter 2). Ascarza and Hardie (2013) and Bachmann, Meierer and Naef (2021) let rates vary in time within
the likelihood itself; with one factor for all customers the clock does that without another parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray


@dataclass(frozen=True)
class Clock:
    """How fast operational time runs, in steps, before and after as-of.

    Attributes:
        past_step_days: days of each step before as-of, at least 1.
        past_rates: operational days per day in each step before as-of, oldest first, above 0, shape (p,); the oldest
            rate holds for ever before. Empty: 1.
        ahead_step_days: days of each step after as-of, at least 1.
        ahead_rates: the same after as-of, soonest first, above 0, shape (a,); beyond them, their mean over the last
            year that they cover. Empty: 1.
    """

    past_step_days: int = 1
    past_rates: tuple[float, ...] = ()
    ahead_step_days: int = 1
    ahead_rates: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a clock that stands still or runs backwards."""
        steps, rates = (self.past_step_days, self.ahead_step_days), (*self.past_rates, *self.ahead_rates)
        if min(steps) < 1 or not all(np.isfinite(rate) and rate > 0 for rate in rates):
            raise ValueError(f"a clock has steps of {steps} days and rates {rates}; expected all finite and above 0")

    def before(self, days_before: npt.ArrayLike) -> FloatArray:
        """Operational days from each moment before as-of to as-of.

        Args:
            days_before: days before as-of, any shape, at least 0.
        """
        return _elapsed(np.asarray(days_before, dtype=np.float64), self.past_step_days, self.past_rates[::-1], 1)

    def ahead(self, horizon_days: npt.ArrayLike) -> FloatArray:
        """Operational days from as-of to each horizon.

        Args:
            horizon_days: days after as-of, any shape, at least 0.
        """
        last_year = max(1, round(365 / self.ahead_step_days))
        return _elapsed(np.asarray(horizon_days, dtype=np.float64), self.ahead_step_days, self.ahead_rates, last_year)

    def histories(self, time_to_last: npt.ArrayLike, time_observed: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The two times of histories that end at as-of, in operational days.

        Args:
            time_to_last: t_x in days, any shape, 0 to time_observed.
            time_observed: T in days, same shape.

        Returns:
            t_x, 0 exactly where it was 0, and T, at least t_x.
        """
        to_last, observed = (np.asarray(days, dtype=np.float64) for days in (time_to_last, time_observed))
        whole = self.before(observed)
        return np.asarray(np.where(to_last > 0, whole - self.before(observed - to_last), 0.0)), whole

    def to_dict(self) -> dict[str, Any]:
        """All that is needed to make the clock again, JSON-able."""
        return {
            "past_step_days": self.past_step_days,
            "past_rates": list(self.past_rates),
            "ahead_step_days": self.ahead_step_days,
            "ahead_rates": list(self.ahead_rates),
        }


def _elapsed(days: FloatArray, step_days: int, rates: tuple[float, ...], count_beyond: int) -> FloatArray:
    """Integral of the step function from 0; beyond its end the mean of its last `count_beyond` rates goes on."""
    if not rates:
        return days + 0.0
    ends = step_days * np.arange(len(rates) + 1.0)
    within = np.interp(days, ends, np.concatenate(([0.0], np.cumsum(np.multiply(rates, step_days)))))
    return np.asarray(within + np.maximum(days - ends[-1], 0) * np.mean(rates[-count_beyond:]), dtype=np.float64)


class FittedPurchaseModel(Protocol):
    """What a purchase model can say of histories, in its own unit of time."""

    @property
    def name(self) -> str:
        """Name of the model."""

    def probability_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, /) -> FloatArray:
        """Probability not to have dropped out."""

    def probability_no_purchase(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, horizon: npt.ArrayLike, /
    ) -> FloatArray:
        """Probability of no purchase within the horizon."""

    def expected_purchases(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, horizon: npt.ArrayLike, /
    ) -> FloatArray:
        """Purchases expected within the horizon."""

    def draw_params(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Parameters drawn from what the fit knows of them."""

    def with_params(self, drawn: npt.ArrayLike) -> Self:
        """The model with other parameters."""

    def to_dict(self) -> dict[str, Any]:
        """Name, parameters and provenance."""


class PurchaseModelClass(Protocol):
    """What fits a purchase model to histories."""

    def fit(self, x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, /) -> FittedPurchaseModel:
        """The likeliest model of the histories."""


@dataclass(frozen=True)
class SeasonalModel:
    """A purchase model in operational days that is asked, and answers, in calendar days before and after as-of.

    Attributes:
        model: fitted to histories in operational days.
        clock: the one that made them.
    """

    model: FittedPurchaseModel
    clock: Clock

    @classmethod
    def fit(
        cls,
        model_class: PurchaseModelClass,
        clock: Clock,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        **weights: npt.ArrayLike,
    ) -> Self:
        """The likeliest model of histories that end at the clock's as-of.

        Args:
            model_class: such as `ModifiedBetaGeo`.
            clock: from `fit_level`.
            count_repeats: x, shape (n,).
            time_to_last: t_x in days, shape (n,).
            time_observed: T in days, shape (n,).
            weights: handed on to the model's own `fit`, as its count of customers per history.

        Raises:
            ValueError: as of the model's `fit`.
            DidNotConverge: as of the model's `fit`.
        """
        model = model_class.fit(count_repeats, *clock.histories(time_to_last, time_observed), **weights)
        return cls(model, clock)

    @property
    def name(self) -> str:
        """The model's own, and that it is in season."""
        return f"{self.model.name}_in_season"

    def probability_alive(self, x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike) -> FloatArray:
        """As of the model; times in calendar days up to as-of."""
        return self.model.probability_alive(x, *self.clock.histories(t_x, age))

    def probability_no_purchase(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, horizon: npt.ArrayLike
    ) -> FloatArray:
        """As of the model; times in calendar days up to as-of, the horizon in days after it."""
        return self.model.probability_no_purchase(x, *self.clock.histories(t_x, age), self.clock.ahead(horizon))

    def expected_purchases(
        self, x: npt.ArrayLike, t_x: npt.ArrayLike, age: npt.ArrayLike, horizon: npt.ArrayLike
    ) -> FloatArray:
        """As of the model; times in calendar days up to as-of, the horizon in days after it."""
        return self.model.expected_purchases(x, *self.clock.histories(t_x, age), self.clock.ahead(horizon))

    def draw_params(self, rng: np.random.Generator, count: int) -> FloatArray:
        """As of the model, which takes the clock as given."""
        return self.model.draw_params(rng, count)

    def with_params(self, drawn: npt.ArrayLike) -> Self:
        """The model with other parameters, by the same clock."""
        return replace(self, model=self.model.with_params(drawn))

    def to_dict(self) -> dict[str, Any]:
        """The model's own, and the clock, JSON-able."""
        return {**self.model.to_dict(), "model": self.name, "clock": self.clock.to_dict()}
