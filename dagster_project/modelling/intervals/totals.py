"""The whole shop within a horizon: draws of the sum over customers, never the sum of intervals.

Belongs here: chance that averages out over customers, and the common error that does not. How large the common error of
season and level is: `modelling/level`.

Customers are independent given the forecast, and sums of what `outcomes.py` draws are simple: of c customers alike a
binomial number buys, and the rests of b buyers sum to one negative binomial. So customers are gathered into a few
thousand groups as batches pass, and a draw of the shop costs one draw of each group. The mean over a group is kept
exactly; the spread within a group is below what the grid tells apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.intervals.outcomes import Forecast, Outcomes

GRID_STEP = 0.2
"""Groups differ by a fifth in expected orders, in the odds of none or in expected net: thousands on a real shop."""
SMALLEST = 1e-9
"""Expectations below count as this when groups are formed: a thousand million such customers buy once."""
PRIOR_DEGREES = 4.0
"""Origins that the claimed error is worth against those seen: with four of a back-test each side has half the say."""


@dataclass(frozen=True)
class CommonError:
    """Error of the log of the shop's total that all customers share.

    Attributes:
        log_error: scale, at least 0.
        degrees: degrees of freedom of the Student t that it follows.
    """

    log_error: float
    degrees: float = PRIOR_DEGREES

    @classmethod
    def of(
        cls,
        claimed: float,
        past_log_ratios: npt.ArrayLike = (),
        past_claimed: npt.ArrayLike = (),
    ) -> Self:
        """The claimed error, grown or shrunk by what past origins say of such claims.

        The scale of a normal error with a scaled inverse chi-square prior (Gelman et al. 2013, section 2.6) of 4
        degrees of freedom, so few origins move it little and the tails are those of a t. That the purchase model does
        not fit the shop shows in those origins, and needs no error of its own: `benchmarks/clv_level.py`.

        Args:
            claimed: standard error of the log of the total, at least 0.
            past_log_ratios: log of actual over expected totals at past origins, shape (k,).
            past_claimed: the error claimed there, chance included, shape (k,), at least 0.

        Raises:
            ValueError: claims are impossible, or not one for each ratio.
        """
        ratios, claims = np.asarray(past_log_ratios, dtype=np.float64), np.asarray(past_claimed, dtype=np.float64)
        is_possible = np.isfinite(claimed) and claimed >= 0 and bool((claims > 0).all() and np.isfinite(claims).all())
        if ratios.shape != claims.shape or not (is_possible and np.isfinite(ratios).all()):
            raise ValueError(
                f"claimed {claimed} now, {claims} at origins with log ratios {ratios}; "
                "expected finite numbers, one positive claim for each ratio"
            )
        degrees = PRIOR_DEGREES + ratios.size
        growth = np.sqrt((PRIOR_DEGREES + float(((ratios / claims) ** 2).sum())) / degrees)
        return cls(float(claimed * growth), float(degrees))

    def factors(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Draws of the factor that the shop's total is off by, shape (count,), median 1.

        Args:
            rng: seeded by the caller.
            count: draws.
        """
        return np.asarray(np.exp(self.log_error * rng.standard_t(self.degrees, count)), dtype=np.float64)


class ShopTotals:
    """Customers gathered into groups, batch by batch; memory in proportion to the groups."""

    def __init__(self) -> None:
        """No customers yet."""
        self._sums: dict[tuple[int, int, int], FloatArray] = {}

    def add(self, forecast: Forecast, count_customers: npt.ArrayLike | None = None) -> None:
        """Gather some customers.

        Args:
            forecast: n customers or kinds of customers.
            count_customers: whole customers of each kind, shape (n,); one each where absent.
        """
        count = np.ones(forecast.orders.size)
        if count_customers is not None:
            count = np.asarray(count_customers, dtype=np.float64)
        odds = np.maximum(forecast.no_order, SMALLEST) / (1 - forecast.no_order)
        sides = (forecast.orders, odds, forecast.net)
        places = [np.rint(np.log(np.maximum(side, SMALLEST)) / GRID_STEP).astype(np.int64) for side in sides]
        kinds, kind_of = np.unique(np.stack(places, axis=1), axis=0, return_inverse=True)
        columns = (np.ones(count.size), forecast.orders, forecast.no_order, forecast.net)
        sums = np.stack([np.bincount(kind_of, weights=count * column, minlength=len(kinds)) for column in columns])
        for place, total in zip(kinds.tolist(), sums.T, strict=True):
            key = (place[0], place[1], place[2])
            self._sums[key] = self._sums[key] + total if key in self._sums else total

    @property
    def expected_orders(self) -> float:
        """Sum of expected orders."""
        return float(sum(total[1] for total in self._sums.values()))

    @property
    def expected_net(self) -> float:
        """Sum of expected net."""
        return float(sum(total[3] for total in self._sums.values()))

    def draws(
        self,
        outcomes: Outcomes,
        rng: np.random.Generator,
        count: int,
        orders_error: CommonError,
        spend_error: CommonError,
    ) -> tuple[FloatArray, FloatArray]:
        """Draws of the shop's orders and of its net, shape (count,) each.

        Args:
            outcomes: of customers.
            rng: seeded by the caller; groups are drawn in the order of their place, so the result is the same whatever
                the order of the batches.
            count: draws; 1,000 leave 1 % of error in the ends of a 95 % interval.
            orders_error: common to all orders.
            spend_error: common to net per order, on top of that of orders.
        """
        orders, net = np.zeros(count), np.zeros(count)
        for key in sorted(self._sums):
            customers, *totals = self._sums[key]
            # nine digits: sums of other batches differ in the last, and chance would go another way
            one = Forecast.of(*(np.array([float(f"{total / customers:.9g}")]) for total in totals))
            buyers = rng.binomial(round(customers), 1 - one.no_order[0], count).astype(np.float64)
            again = one.orders_of_buyer[0] - 1
            size = outcomes.rest.at(one.orders_of_buyer)[0]
            rest_rate = rng.gamma(np.maximum(size * buyers, SMALLEST), again / size) if again > 0 else np.zeros(count)
            orders += buyers + rng.poisson(np.where(buyers > 0, rest_rate, 0.0))
            spread = outcomes.net_spread.at(one.orders_of_buyer)[0]
            # The sum of b log-normals of mean m, by a gamma of the same mean and variance.
            alike = 1 / np.expm1(spread**2)
            spent = rng.gamma(np.maximum(alike * buyers, SMALLEST), one.net_of_buyer[0] / alike)
            net += np.where(buyers > 0, spent, 0.0)
        of_orders, of_spend = orders_error.factors(rng, count), spend_error.factors(rng, count)
        return np.rint(orders * of_orders), net * of_orders * of_spend


def central_interval(draws: npt.ArrayLike, level: float) -> tuple[float, float]:
    """Ends of the central interval of draws.

    Args:
        draws: shape (n,), at least one.
        level: share to cover, above 0 to below 1.
    """
    low, high = np.quantile(np.asarray(draws, dtype=np.float64), [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
