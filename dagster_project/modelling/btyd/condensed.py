"""BG/CNBD-k and MBG/CNBD-k: BG/NBD and MBG/NBD for customers who buy more regularly than chance.

Belongs here: the choice of the number of stages k, and what the models predict. Likelihood and derivatives are those of
`beta_geometric.py` with k above 1. The loops over customers: `condensed_loops.py`.

A gap between purchases is the sum of k exponential stages, Gamma(k, rate) (Platzer and Reutterer 2016, "Ticking away
the moments: timing regularity helps to better predict customer activity"; after Chatfield and Goodhardt 1973). With
n = r + k x the likelihood is that of `beta_geometric.py` with (alpha+T)^-n times

    S = sum over j < k of (n)_j / j! ((T - t_x) / (alpha + T))^j

in the place of (alpha+T)^-n: fewer than k stages have passed since the last purchase. j of them have with a probability
proportional to the j-th term of S, and then the rate is Gamma(n+j, alpha+T). A constant, the gaps' own density
product over gaps of gap^(k-1) / Gamma(k), decides between values of k: only the sum of the log gaps enters it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
from scipy.special import expit, gammaln

from dagster_project.modelling.btyd.beta_geometric import BetaGeometric
from dagster_project.modelling.btyd.statistics import Statistics
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.maximum_likelihood import DidNotConverge

MOST_STAGES = 12
"""Beyond it gaps vary by less than a quarter of themselves: no shop of the literature comes near."""

_LAST_HOPE = 3
"""Where 1, 2 and 3 stages are all refused, the histories determine no model, and more stages need not be tried."""


@dataclass(frozen=True)
class CondensedParams:
    """All above 0: k stages of a gap, whole; r, alpha (in the unit of time) of a stage's rate; a, b of the drop-out."""

    k: float
    r: float
    alpha: float
    a: float
    b: float

    def __post_init__(self) -> None:
        """Refuse parts of a stage."""
        if self.k != np.floor(self.k):
            raise ValueError(f"k is {self.k}; expected a whole number of stages from 1")


class CondensedBetaGeometric(BetaGeometric):
    """What BG/CNBD-k and MBG/CNBD-k share."""

    params_class = CondensedParams

    @classmethod
    def fit_stages(
        cls,
        stages: int,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
        total_log_gap: float | None = None,
    ) -> Self:
        """The likeliest model with a given number of stages; `fit` chooses the number too.

        Args:
            stages: k, at least 1.
            count_repeats: as in `fit`.
            time_to_last: as in `fit`.
            time_observed: as in `fit`.
            count_customers: as in `fit`.
            total_log_gap: as in `fit`; without it the log-likelihood stays unknown.

        Raises:
            ValueError: a history or a count is impossible.
            DidNotConverge: nobody bought again, or the maximum cannot be certified.
        """
        statistics, unit = cls._prepared(count_repeats, time_to_last, time_observed, count_customers)
        return cls._fitted_with(stages, statistics, unit, total_log_gap)

    def refitted(
        self,
        count_repeats: npt.ArrayLike,
        time_to_last: npt.ArrayLike,
        time_observed: npt.ArrayLike,
        count_customers: npt.ArrayLike | None = None,
        total_log_gap: float | None = None,
    ) -> Self:
        """As of every model; the number of stages is kept."""
        histories = (count_repeats, time_to_last, time_observed, count_customers)
        return self.fit_stages(self._stages, *histories, total_log_gap)

    @classmethod
    def _fitted(cls, statistics: Statistics, unit: float, total_log_gap: float | None) -> Self:
        """The best k: the likelihood rises to it and falls after it, so the first fall ends the search."""
        if total_log_gap is None:
            raise ValueError(f"{cls.name} has no total_log_gap; expected the sum of the log gaps between purchases")
        largest = statistics.total_repeats * np.log(statistics.total_last * unit / statistics.total_repeats)
        if not total_log_gap <= largest + 1e-6 * (1 + abs(largest)):
            raise ValueError(
                f"total_log_gap is {total_log_gap:g}, but gaps that sum to the histories' give at most {largest:g}; "
                "expected gaps of the same purchases in the same unit of time"
            )
        best: Self | None = None
        refusal = DidNotConverge(f"{cls.name} was not tried")
        for stages in range(1, MOST_STAGES + 1):
            try:
                found = cls._fitted_with(stages, statistics, unit, total_log_gap)
            except DidNotConverge as error:
                refusal = error
                if best is not None or stages == _LAST_HOPE:
                    break
                continue
            if best is not None and (found.log_likelihood_ or -np.inf) <= (best.log_likelihood_ or -np.inf):
                break
            best = found
        if best is None:
            raise refusal
        return best

    @classmethod
    def _fitted_with(cls, stages: int, statistics: Statistics, unit: float, total_log_gap: float | None) -> Self:
        maximum = cls._searched(statistics, stages)
        r, alpha, a, b = np.exp(maximum.log_params)
        model = cls.from_params(stages, r, alpha * unit, a, b)._learnt(maximum, maximum.log_likelihood)
        if total_log_gap is None and stages > 1:
            model.log_likelihood_ = None
            return model
        repeats = statistics.total_repeats
        gaps = (stages - 1) * (total_log_gap or 0.0) - repeats * (stages * np.log(unit) + gammaln(stages))
        model.log_likelihood_ = maximum.log_likelihood + float(gaps)
        return model

    def _alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray) -> FloatArray:
        """The ratio of the two terms of L; 1 where there was no chance to drop out."""
        _, _, a, b = self._shape()
        chances = x + self._chances_at_first
        past = np.where(chances > 0, b + chances - 1, np.inf)
        return np.asarray(expit(self._log_waiting(x, t_x, age) - np.log(a) + np.log(past)))

    def _buys_if_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
        """1 - the probability to wait until T + h over that to wait until T."""
        waited, waits = self._log_waiting(x, t_x, age), self._log_waiting(x, t_x, age + ahead)
        return np.asarray(-np.expm1(np.minimum(waits - waited, 0.0)))

    def _expected_if_alive(self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray) -> FloatArray:
        from dagster_project.modelling.btyd import condensed_loops

        x, t_x, age, ahead = np.broadcast_arrays(x, t_x, age, ahead)
        r, alpha, a, b = self._shape()
        expected = condensed_loops.expected_if_alive(
            (r + self._stages * x).ravel(),
            ((age - t_x) / (alpha + age)).ravel(),
            (ahead / (alpha + age + ahead)).ravel(),
            (b + x + self._chances_at_first).ravel(),
            a,
            self._stages,
        )
        return np.asarray(expected.reshape(x.shape))

    def _draw_if_alive(
        self, x: FloatArray, t_x: FloatArray, age: FloatArray, ahead: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        r, alpha, _, _ = self._shape()
        n, share = r + self._stages * x, (age - t_x) / (alpha + age)
        terms = [np.ones_like(n)]
        for j in range(1, self._stages):
            terms.append(terms[-1] * (n + j - 1) / j * share)
        passed = np.cumsum(terms, axis=0)
        stage = (rng.random(n.shape) * passed[-1] >= passed[:-1]).sum(axis=0)
        future = rng.poisson(rng.gamma(n + stage) * (ahead / (alpha + age)))
        return np.minimum((stage + future) // self._stages, self._draw_stays(x, rng))

    def _log_waiting(self, x: FloatArray, t_x: FloatArray, until: FloatArray) -> FloatArray:
        """Log of the probability that the gap after t_x outlasts a time, in the broadcast shape."""
        from dagster_project.modelling.btyd import condensed_loops

        x, t_x, until = np.broadcast_arrays(x, t_x, until)
        r, alpha, _, _ = self._shape()
        n, elapsed, scale = (r + self._stages * x).ravel(), (until - t_x).ravel(), (alpha + until).ravel()
        waits = condensed_loops.log_waiting(n, elapsed, scale, self._stages)
        return np.asarray(waits.reshape(x.shape))

    @property
    def _stages(self) -> int:
        return int(self.params_.k)


class CondensedBetaGeo(CondensedBetaGeometric):
    """BG/CNBD-k: regular gaps, nobody drops out at the first purchase (Platzer and Reutterer 2016)."""

    name = "bg_cnbd_k"
    _chances_at_first = 0


class ModifiedCondensedBetaGeo(CondensedBetaGeometric):
    """MBG/CNBD-k: regular gaps, everybody may drop out at every purchase (Platzer and Reutterer 2016)."""

    name = "mbg_cnbd_k"
    _chances_at_first = 1
