"""How far outcomes of customers lie from what is expected of them: the distribution of orders and of net.

Belongs here: the two distributions around any expectation, whoever made it, and their one shape each, learnt from a
back-test. What the shape misses is left to `calibration.py`; sums over customers to `totals.py`.

Orders: none with the probability that the forecast gives, else one and a negative binomial rest (a hurdle model,
Mullahy 1986), so that mean and probability of none are exactly the forecast's. Net: nothing where no order, else
log-normal around its mean. The shapes depend on the orders expected of a buyer: frequent buyers are surer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import gammaln, ndtr, ndtri
from scipy.stats import nbinom

from dagster_project.modelling.histories import FloatArray

NEVER = 1 - 1e-12
"""Largest probability of no order that is reckoned with: someone could still come."""
LARGEST_SHAPE = 20.0
"""Of the logs of shapes and their slopes: beyond e^20 a negative binomial is a Poisson to nine digits."""
PRIOR_PRECISION = 1.0
"""Of the logs of shapes and of their powers around the usual: a shape e times off is one standard deviation away."""


FEWEST_ORDERS = 1e-9
"""Expected orders below it say nothing of how many a buyer orders: one, as good as surely."""


def none_in_keeping(no_order: npt.ArrayLike, expected: npt.ArrayLike, corrected: npt.ArrayLike) -> FloatArray:
    """A model's probability of no order, once its expected orders are corrected.

    The correction is a change of pace: the event that ends the waiting has a cumulative hazard of -log P(none), which
    grows as expected orders do, so P becomes P^(corrected / expected). Left as it is, P would say that somebody whom
    the model has given up, and a learner has not (.05 orders in place of a thousand millionth), buys once in a thousand
    million years, and then fifty million times.

    Args:
        no_order: by the model, 0 to 1, any shape.
        expected: orders by the model, at least 0, same shape.
        corrected: orders that are believed, at least 0, same shape.

    Returns:
        Probabilities, same shape; equal to `no_order` where nothing is corrected.
    """
    none, before, after = (np.asarray(column, dtype=np.float64) for column in (no_order, expected, corrected))
    with np.errstate(divide="ignore", invalid="ignore"):
        pace = np.where(before > FEWEST_ORDERS, -np.log(none) / before, 1.0)
        waited = np.where(after > 0, np.exp(-pace * after), 1.0)
    return np.asarray(np.where(before == after, none, waited), dtype=np.float64)


@dataclass(frozen=True)
class Forecast:
    """What is expected of customers within one horizon.

    Attributes:
        orders: expected orders, shape (n,), at least 0.
        no_order: probability of no order, shape (n,), 0 to 1; raised to 1 - orders where lower, as no distribution on
            whole numbers has both.
        net: expected net in money, shape (n,), at least 0.
    """

    orders: FloatArray
    no_order: FloatArray
    net: FloatArray

    @classmethod
    def of(cls, orders: npt.ArrayLike, no_order: npt.ArrayLike, net: npt.ArrayLike) -> Self:
        """A forecast whose mean and probability of no order can both be true.

        Args:
            orders: as above.
            no_order: as above.
            net: as above.

        Raises:
            ValueError: shapes differ, or a number is missing or out of range.
        """
        mean, none, money = (np.asarray(column, dtype=np.float64) for column in (orders, no_order, net))
        if not (mean.ndim == 1 and mean.shape == none.shape == money.shape):
            raise ValueError(
                f"a forecast has shapes {mean.shape}, {none.shape}, {money.shape}; expected one vector each"
            )
        possible = np.isfinite(mean) & (mean >= 0) & (none >= 0) & (none <= 1) & np.isfinite(money) & (money >= 0)
        if not possible.all():
            first = int(np.argmin(possible))
            raise ValueError(
                f"forecast {first} has orders={mean[first]:g}, no_order={none[first]:g}, net={money[first]:g}; "
                "expected orders and net from 0, and a probability: leave out customers without a forecast"
            )
        return cls(mean, np.clip(none, 1 - np.minimum(mean, 1), NEVER), money)

    @property
    def orders_of_buyer(self) -> FloatArray:
        """Expected orders given at least one, at least 1, shape (n,)."""
        return np.maximum(self.orders / (1 - self.no_order), 1.0)

    @property
    def net_of_buyer(self) -> FloatArray:
        """Expected net given at least one order, shape (n,)."""
        return np.asarray(self.net / (1 - self.no_order), dtype=np.float64)


@dataclass(frozen=True)
class Shape:
    """A positive quantity that may grow or fall as a power of the orders expected of a buyer.

    Attributes:
        log_scale: log of it where a buyer is expected to order once.
        power: how it goes with expected orders.
    """

    log_scale: float
    power: float

    def at(self, orders_of_buyer: FloatArray) -> FloatArray:
        """The quantity, shape as given, within e^-20 to e^20.

        Args:
            orders_of_buyer: at least 1.
        """
        log = self.log_scale + self.power * np.log(orders_of_buyer)
        return np.asarray(np.exp(np.clip(log, -LARGEST_SHAPE, LARGEST_SHAPE)), dtype=np.float64)

    @classmethod
    def likeliest(cls, usual: Self, surprise: Callable[[Self], float], count_rows: int) -> Self:
        """The shape that surprises least, held to the usual one where there are few rows.

        Args:
            usual: the shape without evidence.
            surprise: mean of minus the log-likelihood over rows.
            count_rows: rows, from 0.
        """
        if count_rows == 0:
            return usual
        centre = np.array([usual.log_scale, usual.power])

        def penalised(params: FloatArray) -> float:
            held = (params - centre) @ (params - centre) / 2
            return surprise(cls(*params)) + PRIOR_PRECISION / count_rows * held

        found = minimize(
            penalised, centre, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-7, "maxiter": 200}
        )
        return cls(float(found.x[0]), float(found.x[1]))


USUAL_REST = Shape(0.0, 1.0)
"""Size of the negative binomial rest: a geometric for one-time buyers, as the purchase models' own."""
USUAL_NET = Shape(float(np.log(0.8)), -0.5)
"""Spread of log net of buyers: .8 for one order, as in most shops, and less with the root of orders."""


@dataclass(frozen=True)
class Outcomes:
    """Distributions of orders and of net around a forecast.

    Attributes:
        rest: size of the negative binomial of the orders after the first.
        net_spread: standard deviation of the log of a buyer's net.
    """

    rest: Shape = USUAL_REST
    net_spread: Shape = USUAL_NET

    @classmethod
    def fit(cls, forecast: Forecast, orders: npt.ArrayLike, net: npt.ArrayLike) -> Self:
        """The shapes that make a back-test's outcomes likeliest.

        Args:
            forecast: of past origins, n customers; the more origins the better.
            orders: what they ordered within the horizon, shape (n,), whole numbers from 0.
            net: what they spent, shape (n,); 0 or less counts as nothing.

        Raises:
            ValueError: an outcome is missing or impossible.
        """
        counts, money = _checked_outcomes(forecast, orders, net)
        bought = counts > 0
        mean, rest = forecast.orders_of_buyer[bought], counts[bought] - 1
        spent = bought & (money > 0) & (forecast.net > 0)
        ratio = np.log(money[spent] / forecast.net_of_buyer[spent])
        of_spender = forecast.orders_of_buyer[spent]

        def rest_surprise(shape: Shape) -> float:
            size = shape.at(mean)
            again = np.maximum(mean - 1, 1e-9)
            likelihood = gammaln(size + rest) - gammaln(size) - gammaln(rest + 1)
            likelihood += size * np.log(size / (size + again)) + rest * np.log(again / (size + again))
            return -float(likelihood.mean())

        def net_surprise(shape: Shape) -> float:
            spread = shape.at(of_spender)
            return float((np.log(spread) + (ratio / spread + spread / 2) ** 2 / 2).mean())

        return cls(
            Shape.likeliest(USUAL_REST, rest_surprise, rest.size), Shape.likeliest(USUAL_NET, net_surprise, ratio.size)
        )

    def orders_up_to(self, forecast: Forecast, count: npt.ArrayLike) -> FloatArray:
        """Probability of at most so many orders, shape (n,).

        Args:
            forecast: n customers.
            count: whole numbers, shape (n,); below 0 the probability is 0.
        """
        counts = np.asarray(count, dtype=np.float64)
        size, success = self._rest(forecast)
        beyond = nbinom.cdf(counts - 1, size, success)
        whole = forecast.no_order + (1 - forecast.no_order) * beyond
        return np.asarray(np.where(counts < 0, 0.0, whole), dtype=np.float64)

    def net_up_to(self, forecast: Forecast, net: npt.ArrayLike) -> FloatArray:
        """Probability of at most so much net, shape (n,).

        Args:
            forecast: n customers.
            net: money, shape (n,); below 0 the probability is 0.
        """
        money = np.asarray(net, dtype=np.float64)
        spread, mean = self.net_spread.at(forecast.orders_of_buyer), forecast.net_of_buyer
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.log(np.maximum(money, 0) / mean) / spread + spread / 2
        within = np.where(mean > 0, ndtr(z), 1.0)
        whole = forecast.no_order + (1 - forecast.no_order) * np.where(money > 0, within, mean <= 0)
        return np.asarray(np.where(money < 0, 0.0, whole), dtype=np.float64)

    def orders_quantile(self, forecast: Forecast, probability: float) -> FloatArray:
        """Smallest count that at most is ordered with at least the probability, shape (n,).

        Args:
            forecast: n customers.
            probability: 0 to below 1.
        """
        size, success = self._rest(forecast)
        of_buyer = np.clip((probability - forecast.no_order) / (1 - forecast.no_order), 0.0, 1.0)
        count = np.where(of_buyer > 0, 1 + nbinom.ppf(of_buyer, size, success), 0.0)
        return np.asarray(np.maximum(count, 0.0), dtype=np.float64)

    def net_quantile(self, forecast: Forecast, probability: float) -> FloatArray:
        """Smallest net that at most is spent with at least the probability, shape (n,).

        Args:
            forecast: n customers.
            probability: 0 to below 1.
        """
        spread = self.net_spread.at(forecast.orders_of_buyer)
        of_buyer = np.clip((probability - forecast.no_order) / (1 - forecast.no_order), 0.0, 1.0)
        amount = forecast.net_of_buyer * np.exp(spread * ndtri(of_buyer) - spread**2 / 2)
        return np.asarray(np.where(of_buyer > 0, amount, 0.0), dtype=np.float64)

    def to_dict(self) -> dict[str, Any]:
        """The shapes, JSON-able."""
        shapes = {"rest": self.rest, "net_spread": self.net_spread}
        return {name: {"log_scale": shape.log_scale, "power": shape.power} for name, shape in shapes.items()}

    def _rest(self, forecast: Forecast) -> tuple[FloatArray, FloatArray]:
        """Size and success probability of the orders after the first."""
        size, again = self.rest.at(forecast.orders_of_buyer), forecast.orders_of_buyer - 1
        return size, np.asarray(size / (size + again), dtype=np.float64)


def _checked_outcomes(forecast: Forecast, orders: npt.ArrayLike, net: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    counts, money = np.asarray(orders, dtype=np.float64), np.asarray(net, dtype=np.float64)
    if not counts.shape == money.shape == forecast.orders.shape:
        raise ValueError(
            f"outcomes have shapes {counts.shape} and {money.shape}, the forecast {forecast.orders.shape}; "
            "expected one: join them by customer first"
        )
    possible = np.isfinite(counts) & (counts >= 0) & (counts == np.floor(counts)) & np.isfinite(money)
    if not possible.all():
        first = int(np.argmin(possible))
        raise ValueError(
            f"outcome {first} is {counts[first]:g} orders and a net of {money[first]:g}; expected a whole count from 0 "
            "and a number: who bought nothing has the outcome 0"
        )
    return counts, money
