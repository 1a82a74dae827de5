"""Intervals that cover as often as they say, learnt from a back-test.

Belongs here: the recalibration of probabilities, the intervals that follow, and the score of coverage. The
distributions themselves: `outcomes.py`.

If past outcomes fell below the distribution's 10 % point in 14 % of cases, the true 14 % point is there: the
distribution function is passed through that of its own past values (Kuleshov, Fenner and Ermon 2018, algorithm 1).
Counts share their probability over the step that they make (the non-randomised transform of Czado, Gneiting and Held
2009, equation 2): without that, no interval of whole numbers could be calibrated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.intervals.outcomes import Forecast, Outcomes

LEVELS = (0.50, 0.80, 0.95)
"""Shares of outcomes that published intervals are to cover."""
SHORTEST_RAMP = 1e-6
"""Of probability: an outcome with less is a point, as net above 0 is; the sum of steeper ramps would lose digits."""
COUNT_KNOTS = 201
"""Half a per cent of probability each: the ends of a 95 % interval lie five knots from the edge."""
ROUNDS = 20
"""On forecasts that are half too low 80 % intervals cover 78.1, 79.2 and 79.3 % after 1, 4 and 5 rounds."""
PRIOR_ROWS = 200.0
"""Customers whose outcomes are as the distribution says, added to the back-test: one for each knot."""


@dataclass(frozen=True)
class Recalibration:
    """A monotone map of probabilities.

    Attributes:
        knots: share of past outcomes at or below each of equal steps of probability from 0 to 1, rising from 0 to 1.
    """

    knots: tuple[float, ...] = (0.0, 1.0)

    @classmethod
    def fit(cls, below: FloatArray, up_to: FloatArray) -> Self:
        """The map that makes past outcomes uniform.

        The self-consistent distribution of interval-censored numbers (Turnbull 1976), each somewhere between the two
        probabilities of its outcome: a step of probability moves as a whole, so one pass is not enough.

        Args:
            below: probability that was given to less than the outcome, shape (n,).
            up_to: probability that was given to at most the outcome, shape (n,), at least `below`.
        """
        steps = np.linspace(0, 1, COUNT_KNOTS)
        fitted = cls(tuple(steps.tolist()))
        for _ in range(ROUNDS):
            shares = _share_of_all_below(fitted(below), fitted(up_to), steps)
            shares = (below.size * shares + PRIOR_ROWS * fitted.inverse(steps)) / (below.size + PRIOR_ROWS)
            fitted = cls(tuple(np.interp(fitted.knots, steps, shares).tolist()))
        return fitted

    def __call__(self, probability: npt.ArrayLike) -> FloatArray:
        """The calibrated probability.

        Args:
            probability: by the distribution, any shape, 0 to 1.
        """
        steps = np.linspace(0, 1, len(self.knots))
        return np.asarray(np.interp(np.asarray(probability, dtype=np.float64), steps, self.knots), dtype=np.float64)

    def inverse(self, probability: npt.ArrayLike) -> FloatArray:
        """The distribution's probability that calibrates to this one.

        Args:
            probability: any shape, 0 to 1.
        """
        steps = np.linspace(0, 1, len(self.knots))
        return np.asarray(np.interp(np.asarray(probability, dtype=np.float64), self.knots, steps), dtype=np.float64)


@dataclass(frozen=True)
class Intervals:
    """Predictive distributions around any forecast, calibrated.

    Attributes:
        outcomes: the distributions.
        orders_map: recalibration of orders.
        net_map: recalibration of net.
        count_rows: customers in the back-test, over all its origins; 0 where there was none.
        count_buyers: of them, those who bought.
    """

    outcomes: Outcomes = field(default_factory=Outcomes)
    orders_map: Recalibration = Recalibration()
    net_map: Recalibration = Recalibration()
    count_rows: int = 0
    count_buyers: int = 0

    @classmethod
    def fit(cls, forecast: Forecast, orders: npt.ArrayLike, net: npt.ArrayLike) -> Self:
        """Intervals that would have covered a back-test as often as they say.

        Args:
            forecast: of past origins with the horizon that the intervals are for, n customers in all.
            orders: what they ordered, shape (n,), whole numbers from 0.
            net: what they spent, shape (n,).

        Returns:
            Without rows: the usual shapes, uncalibrated.

        Raises:
            ValueError: an outcome is missing or impossible.
        """
        outcomes = Outcomes.fit(forecast, orders, net)
        raw = cls(outcomes)
        counts = np.asarray(orders, dtype=np.float64)
        orders_map = Recalibration.fit(*raw.orders_around(forecast, counts))
        net_map = Recalibration.fit(*raw.net_around(forecast, net))
        return cls(outcomes, orders_map, net_map, counts.size, int((counts > 0).sum()))

    def orders(self, forecast: Forecast, level: float) -> tuple[FloatArray, FloatArray]:
        """Fewest and most orders of the central interval, both included, shape (n,) each.

        Args:
            forecast: n customers.
            level: share of outcomes to cover, above 0 to below 1; whole numbers cover it or more.
        """
        low, high = self.orders_map.inverse(_tails(level)).tolist()
        return self.outcomes.orders_quantile(forecast, low), self.outcomes.orders_quantile(forecast, high)

    def net(self, forecast: Forecast, level: float) -> tuple[FloatArray, FloatArray]:
        """Least and most net of the central interval, shape (n,) each.

        Args:
            forecast: n customers.
            level: as in `orders`.
        """
        low, high = self.net_map.inverse(_tails(level)).tolist()
        return self.outcomes.net_quantile(forecast, low), self.outcomes.net_quantile(forecast, high)

    def orders_around(self, forecast: Forecast, orders: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Calibrated probability of less than, and of at most, so many orders; for `randomised_coverage`.

        Args:
            forecast: n customers.
            orders: shape (n,).
        """
        counts = np.asarray(orders, dtype=np.float64)
        edges = (self.outcomes.orders_up_to(forecast, counts - 1), self.outcomes.orders_up_to(forecast, counts))
        return self.orders_map(edges[0]), self.orders_map(edges[1])

    def net_around(self, forecast: Forecast, net: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Calibrated probability of less than, and of at most, so much net; for `randomised_coverage`.

        Args:
            forecast: n customers.
            net: shape (n,).
        """
        money = np.maximum(np.asarray(net, dtype=np.float64), 0.0)
        up_to = self.outcomes.net_up_to(forecast, money)
        return self.net_map(np.where(money > 0, up_to, 0.0)), self.net_map(up_to)

    def to_dict(self) -> dict[str, Any]:
        """Shapes and maps, JSON-able: all that is needed to make the intervals again."""
        return {
            "outcomes": self.outcomes.to_dict(),
            "orders_map": list(self.orders_map.knots),
            "net_map": list(self.net_map.knots),
            "count_rows": self.count_rows,
            "count_buyers": self.count_buyers,
        }


def randomised_coverage(below: npt.ArrayLike, up_to: npt.ArrayLike, level: float) -> float | None:
    """Share of outcomes in the central interval, where an outcome that straddles an edge counts in proportion.

    The chance that u lies between (1 - level)/2 and (1 + level)/2, for u uniform between the probability of less than
    the outcome and of at most the outcome: `level` itself wherever the distributions are right, for counts too. The
    closed intervals of whole numbers cover more, on a shop of one-time buyers nearly all.

    Args:
        below: probability given to less than the outcome, shape (n,).
        up_to: probability given to at most the outcome, shape (n,), at least `below`.
        level: above 0 to below 1.

    Returns:
        The share; None where there is nobody or a probability is missing.

    Raises:
        ValueError: the two differ in shape, or are no probabilities in order.
    """
    less, most = np.asarray(below, dtype=np.float64), np.asarray(up_to, dtype=np.float64)
    low, high = _tails(level)
    if less.ndim != 1 or less.shape != most.shape:
        raise ValueError(f"probabilities have shapes {less.shape} and {most.shape}; expected two vectors of one length")
    if less.size == 0 or np.isnan(less).any() or np.isnan(most).any():
        return None
    if less.min() < 0 or most.max() > 1 or (less > most).any():
        raise ValueError("expected 0 <= below <= up_to <= 1: below is the probability of less than the outcome")
    shares = _share_below(less, most, np.array([low, high])).mean(axis=0)
    return float(shares[1] - shares[0])


def _tails(level: float) -> tuple[float, float]:
    """The probabilities at the two ends of a central interval."""
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected above 0 and below 1, as 0.80")
    return (1 - level) / 2, (1 + level) / 2


def _share_of_all_below(below: FloatArray, up_to: FloatArray, steps: FloatArray) -> FloatArray:
    """Mean of `_share_below` over rows, forced to run from 0 to 1; shape (k,).

    A share rises along a ramp from 0 at `below` to 1 at `up_to`; ramps are summed by where they begin and end.
    """
    width = up_to - below
    is_ramp = width > SHORTEST_RAMP
    slope = 1 / width[is_ramp]

    def summed(place: FloatArray, weights: FloatArray) -> FloatArray:
        """Sum of the weights of the rows at or before each step."""
        begun = np.bincount(np.searchsorted(steps, place), weights=weights, minlength=steps.size + 1)
        return np.asarray(np.cumsum(begun)[: steps.size], dtype=np.float64)

    total = summed(up_to[~is_ramp], np.ones(width.size - slope.size))
    for side, sign in ((below[is_ramp], 1.0), (up_to[is_ramp], -1.0)):
        total += sign * (steps * summed(side, slope) - summed(side, slope * side))
    shares = total / max(width.size, 1)
    shares[0], shares[-1] = 0.0, 1.0
    return shares


def _share_below(below: FloatArray, up_to: FloatArray, steps: FloatArray) -> FloatArray:
    """Chance that u, uniform from below to up_to, is at most each step; shape (n, k)."""
    width = np.maximum(up_to - below, np.finfo(np.float64).tiny)
    shares = np.clip((steps - below[:, None]) / width[:, None], 0.0, 1.0)
    return np.asarray(np.where(steps >= up_to[:, None], 1.0, shares), dtype=np.float64)
