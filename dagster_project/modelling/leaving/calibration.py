"""Probabilities brought to what followed on later evenings than those that were learned from.

Belongs here: the map from log odds to log odds. Not here: on which evenings it is fitted (`night.py`).

The map is a line on log odds (Platt 1999, "Probabilistic outputs for support vector machines"): two numbers, so a few
hundred customers are enough, ranks stay as they are, and what a cause adds to the log odds is multiplied by one number.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.voice.logistic import logistic

MINIMUM_OF_A_KIND = 100
"""Customers of each outcome needed: with fewer the slope's error exceeds 0.1 in most shops."""


@dataclass(frozen=True)
class Calibration:
    """log odds -> level + slope * log odds; the identity unless fitted.

    Attributes:
        level: in log odds.
        slope: above 0; below 1 where predictions were too bold.
    """

    level: float = 0.0
    slope: float = 1.0

    @classmethod
    def fit(cls, log_odds: FloatArray, happened: FloatArray) -> Calibration | None:
        """The line that makes the outcomes likeliest; None where they are too few or the ranking is of no use.

        Args:
            log_odds: predictions, shape (n,).
            happened: what followed, shape (n,), 0 or 1.
        """
        if min(happened.sum(), happened.size - happened.sum()) < MINIMUM_OF_A_KIND:
            return None
        design = np.stack([np.ones(log_odds.size), log_odds], axis=1)
        level, slope = logistic(design, happened > 0, np.zeros(2)).coefficients
        return cls(float(level), float(slope)) if slope > 0 else None

    def of(self, log_odds: FloatArray) -> FloatArray:
        """Calibrated log odds, shape as given."""
        return self.level + self.slope * log_odds

    def to_dict(self) -> dict[str, float]:
        """The two numbers, JSON-able."""
        return asdict(self)
