"""Season and level of the weeks to come, with their uncertainty.

Belongs here: what is foreseen of orders and of spend alike, and the gate that both share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.level.clock import Clock
from dagster_project.modelling.level.variation import FORESEEN, Moments, Variation, mean_factor, prior_uncertainty

MINIMUM_HISTORY_DAYS = 365
"""Of a younger shop no season has been seen to come back, and its first months would pass for one: ungated at 300 days,
simulated shops without a season missed by .075 where the plain model missed by .040."""
MINIMUM_REPEATS = 100
"""Below it the ratio's own noise, 10 %, is as large as the usual level: nothing could be learnt."""
EXTRAPOLATION_ERROR = 0.2
"""Of the log of a total that no level corrects, a history's length ahead; in proportion for shorter horizons. Part of a
season that is seen for the first time passes for customers leaving, or staying. On 40 simulated shops the calendar's
total 182 days ahead missed by .24 (root mean square) after half a year of history and by .18 after ten months, where
season and level alone allow .14; with this error .22 and .18 are allowed."""
STEP_DAYS = 7
COUNT_STEPS = 105
"""Two years of weeks; a longer horizon goes on as its last year did."""


@dataclass(frozen=True)
class Foreseen:
    """Log factors by week after as-of.

    Attributes:
        season: of the season, shape (105,); 0 where gated.
        level: of the level, shape (105,); 0 where gated.
        log_errors: standard error of the log of the mean factor over the first 1, 2, ... weeks, shape (105,).
        sizes: standard deviation over time of each part of the variation, empty where gated.
        reason: why nothing is corrected; None where it is.
    """

    season: FloatArray
    level: FloatArray
    log_errors: FloatArray
    sizes: dict[str, float] = field(default_factory=dict)
    reason: str | None = None

    @classmethod
    def of(cls, variation: Variation) -> Self:
        """What a variation of the past says of the weeks to come.

        Args:
            variation: with the parts `season` and `level`.
        """
        season, level = (variation.part(name, _weeks()) for name in FORESEEN)
        errors = mean_factor(season + level, variation.uncertainty(FORESEEN, _weeks()))[1]
        return cls(season, level, errors, dict(variation.sizes))

    @classmethod
    def gated(cls, reason: str, history_days: float = np.inf) -> Self:
        """No correction, with the uncertainty of a shop of which nothing is known.

        Args:
            reason: why, for people.
            history_days: that the purchase models have seen, from 0; absent where nothing is extrapolated from them.
        """
        nothing = np.zeros(COUNT_STEPS)
        of_parts = mean_factor(nothing, prior_uncertainty(FORESEEN, _weeks()))[1]
        lengths = np.minimum(STEP_DAYS * np.arange(1.0, COUNT_STEPS + 1) / max(history_days, 1.0), 1.0)
        return cls(nothing, nothing, np.hypot(of_parts, EXTRAPOLATION_ERROR * lengths), {}, reason)

    @property
    def is_gated(self) -> bool:
        """Whether nothing is corrected."""
        return self.reason is not None

    @property
    def rates(self) -> tuple[float, ...]:
        """Factor of each week after as-of."""
        return tuple(np.exp(self.season + self.level).tolist())

    def factor(self, horizon_days: npt.ArrayLike) -> FloatArray:
        """Mean factor from as-of to each horizon: 1.2 is a fifth above the shop's usual.

        Args:
            horizon_days: days after as-of, any shape, above 0; beyond two years the second year repeats.
        """
        horizon = np.asarray(horizon_days, dtype=np.float64)
        ahead = Clock(ahead_step_days=STEP_DAYS, ahead_rates=self.rates).ahead(horizon)
        return np.asarray(ahead / horizon, dtype=np.float64)

    def log_error(self, horizon_days: npt.ArrayLike) -> FloatArray:
        """Standard error of the log of that factor.

        Args:
            horizon_days: days after as-of, any shape, above 0; beyond two years it stays.
        """
        ends = STEP_DAYS * np.arange(1.0, COUNT_STEPS + 1)
        return np.asarray(np.interp(np.asarray(horizon_days, dtype=np.float64), ends, self.log_errors))

    def to_dict(self) -> dict[str, Any]:
        """What was found, JSON-able."""
        return {
            "is_gated": self.is_gated,
            "reason": self.reason,
            "sizes": dict(self.sizes),
            "season": self.season.tolist(),
            "level": self.level.tolist(),
            "log_errors": self.log_errors.tolist(),
        }


def _weeks() -> Moments:
    """The middles of the weeks after as-of."""
    days = np.asarray(STEP_DAYS * (np.arange(COUNT_STEPS) + 0.5), dtype=np.float64)
    return Moments(days, np.ones(COUNT_STEPS), np.zeros(COUNT_STEPS))
