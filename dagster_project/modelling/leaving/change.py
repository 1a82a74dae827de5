"""Whether customers have lately begun to leave more easily, for no reason that a feed tells.

Belongs here: the change, its fit, and what it adds to the chance of no order. Not here: whether it is believed
(`change_trial.py`), the purchase models themselves (`btyd/beta_geometric.py`).

BG/NBD and MBG/NBD let a customer drop out at a purchase with a probability p of their own, the same at all of them.
A change is that each purchase of the last days, up to a window's length ago, counts as `factor` chances to drop out
instead of one: it is survived with (1 - p)^factor. With m the chances passed, the last purchase counting as w of them,

    L = Gamma(r+x)/Gamma(r) alpha^r / B(a, b) { B(a, b+m) (alpha+T)^-(r+x)
                                               + [B(a, b+m-w) - B(a, b+m)] (alpha+t_x)^-(r+x) }

which for a factor of 1 is the likelihood of `btyd/beta_geometric.py`. One who has not dropped out buys as that model
says. The other parameters stay as fitted to the whole past, whose most is of before the change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import betaln

from dagster_project.modelling.btyd.beta_geometric import BetaGeo, BetaGeoParams, ModifiedBetaGeo, OneStageGaps
from dagster_project.modelling.feature_groups import FeatureGroup
from dagster_project.modelling.fits import HISTORY_COLUMNS
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.level.clock import FittedPurchaseModel, SeasonalModel

STEP_DAYS = 15
WINDOWS_DAYS = tuple(range(STEP_DAYS, 181, STEP_DAYS))
"""Days back to where a change is looked for: half a year, after which evenings have ended that calibrations learn of it
from."""
SMALLEST_FACTOR, LARGEST_FACTOR = 1.5, 8.0
"""Below the one a change is not worth following, at the other the search ends: chances to drop out of one in eight
become two in three. That customers leave less easily is not asked: a season that brings them sooner looks the same."""
CHANCES_AT_FIRST: Mapping[str, int] = {BetaGeo.name: 0, ModifiedBetaGeo.name: 1}


def _column(days: int) -> str:
    return f"count_occasions_within_{days}d"


OCCASIONS_LATELY = FeatureGroup(
    "occasions_lately",
    "marts.fct_orders where customer_key is not null",
    "order_date",
    tuple(map(_column, WINDOWS_DAYS)),
    "select cutoff_date, customer_key, "
    + ", ".join(
        f"(count(*) filter (where days_before_cutoff < {days}))::double as {_column(days)}" for days in WINDOWS_DAYS
    )
    + " from occasions group by cutoff_date, customer_key",
)
"""Occasions of each window, for `customer_features`; trees do not read them."""


@dataclass(frozen=True)
class Change:
    """Since some day purchases count as more chances to drop out.

    Attributes:
        window_days: how long ago the change was, from the end of the evening that it was fitted on.
        factor: chances that a purchase since then counts as.
        likelihood_ratio: twice the log-likelihood that it adds to that of no change.
    """

    window_days: int
    factor: float
    likelihood_ratio: float

    @property
    def is_great(self) -> bool:
        """Whether it is worth following, and a maximum rather than the end of the search."""
        return SMALLEST_FACTOR <= self.factor < 0.99 * LARGEST_FACTOR

    def adds(self, model: FittedPurchaseModel, features: pd.DataFrame, horizon_days: int) -> FloatArray:
        """What the change adds to the log odds of no order within a horizon, shape (n,).

        Args:
            model: that it was fitted with.
            features: rows of `customer_features` of the same evening, with `OCCASIONS_LATELY`.
            horizon_days: days ahead.

        Raises:
            ValueError: customers do not drop out at purchases in this model.
        """
        seen = _Seen.of(model, features)
        if seen is None:
            raise ValueError(f"{model.name} knows no drop-out at purchases; a change is of {list(CHANCES_AT_FIRST)}")
        said = []
        for factor in (1.0, self.factor):
            log_buys = seen.log_buys(horizon_days) - np.logaddexp(0.0, seen.log_odds_gone(self.window_days, factor))
            said.append(np.log1p(-np.exp(log_buys)) - log_buys)
        return np.asarray(said[1] - said[0], dtype=np.float64)

    def to_dict(self) -> dict[str, float]:
        """The three numbers, JSON-able."""
        return asdict(self)


def fit_change(
    model: FittedPurchaseModel, features: pd.DataFrame, windows_days: Sequence[int] = WINDOWS_DAYS
) -> Change | None:
    """The likeliest change of one evening; None where the model knows no drop-out at purchases.

    Args:
        model: certified purchase model of the evening, by the shop's own clock or by the calendar.
        features: rows of `customer_features` on it, with `OCCASIONS_LATELY`; at least one.
        windows_days: how long ago it may have been, of `WINDOWS_DAYS`.
    """
    seen = _Seen.of(model, features)
    if seen is None:
        return None
    unchanged = seen.log_likelihood(WINDOWS_DAYS[0], 1.0)
    found = []
    for days in windows_days:
        best = minimize_scalar(
            lambda log_factor, days=days: -seen.log_likelihood(days, float(np.exp(log_factor))),
            bounds=(0.0, np.log(LARGEST_FACTOR)),
            method="bounded",
            options={"xatol": 1e-2},
        )
        found.append(Change(days, float(np.exp(best.x)), 2 * (-float(best.fun) - unchanged)))
    return max(found, key=lambda change: (change.likelihood_ratio, -change.window_days))


@dataclass(frozen=True)
class _Seen:
    """Histories as a model with drop-out at purchases reads them, in its own time.

    Attributes:
        params: of the model.
        chances_at_first: 1 where customers may drop out at their first purchase.
        model: for the time ahead.
        x: repeat purchases, shape (n,).
        t_x: operational days from the first to the last, shape (n,).
        age: operational days observed, shape (n,).
        lately: window to the purchases within it, the first one included, shape (n,).
    """

    params: BetaGeoParams
    chances_at_first: int
    model: FittedPurchaseModel
    x: FloatArray
    t_x: FloatArray
    age: FloatArray
    lately: Mapping[int, FloatArray]

    @classmethod
    def of(cls, model: FittedPurchaseModel, features: pd.DataFrame) -> _Seen | None:
        inner = model.model if isinstance(model, SeasonalModel) else model
        if not isinstance(inner, OneStageGaps):
            return None
        x, t_x, age = (features[name].to_numpy(dtype=np.float64) for name in HISTORY_COLUMNS)
        if isinstance(model, SeasonalModel):
            t_x, age = model.clock.histories(t_x, age)
        lately = {days: features[_column(days)].to_numpy(dtype=np.float64) for days in WINDOWS_DAYS}
        return cls(inner.params_, CHANCES_AT_FIRST[inner.name], model, x, t_x, age, lately)

    def log_buys(self, horizon_days: int) -> FloatArray:
        """Log of the chance to buy within a horizon, of who has not dropped out, shape (n,)."""
        ahead = float(self.model.clock.ahead(horizon_days)) if isinstance(self.model, SeasonalModel) else horizon_days
        stays_away = (self.params.r + self.x) * np.log1p(ahead / (self.params.alpha + self.age))
        return np.asarray(np.log(-np.expm1(-stays_away)), dtype=np.float64)

    def log_odds_gone(self, window_days: int, factor: float) -> FloatArray:
        """Log odds of having dropped out at the last purchase, shape (n,); -inf who cannot have."""
        passed, last = self._chances(window_days, factor)
        gap = np.log(self.params.alpha + self.age) - np.log(self.params.alpha + self.t_x)
        a, b = self.params.a, self.params.b
        with np.errstate(divide="ignore"):
            dropped = np.log(np.expm1(betaln(a, b + passed - last) - betaln(a, b + passed)))
        return np.asarray(dropped + (self.params.r + self.x) * gap, dtype=np.float64)

    def log_likelihood(self, window_days: int, factor: float) -> float:
        """Of all histories, less what no change moves."""
        passed, _ = self._chances(window_days, factor)
        gone = np.logaddexp(0.0, self.log_odds_gone(window_days, factor))
        return float((betaln(self.params.a, self.params.b + passed) + gone).sum())

    def _chances(self, window_days: int, factor: float) -> tuple[FloatArray, FloatArray]:
        """Chances to drop out that each customer has passed, and those of the last purchase among them."""
        count = self.x + self.chances_at_first
        lately = np.minimum(self.lately[window_days], count)
        last = np.where(lately > 0, factor, np.minimum(count, 1.0))
        return count + (factor - 1) * lately, last
