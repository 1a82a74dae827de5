"""Whether a change in how easily customers leave is believed: more than chance, and of use.

Belongs here: the trial of `change.py` on the newest evening whose outcome is known. Not here: who may be changed
(`night.py`).

A purchase model is never quite true, so on a long record a change is always found: on Online Retail II and CDNOW with
likelihood ratios of 20 to 150, and what it said of 90 days was mostly worse. So two things are asked. It must be more
than chance, and great: the likelihood ratio of the best of several days lies above its 1 in 1,000, by Bonferroni, and
a purchase counts as half as many chances again or more. And it must be of use: with the same day's change, as large as
it looked 30 days ago, what was said then of the 30 days that have now ended has a log-loss lower by more than two
standard errors.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import chi2

from dagster_project.modelling.churn import ChurnSettings, is_active
from dagster_project.modelling.features import customer_features, customer_outcomes
from dagster_project.modelling.fits import Fits, aligned_outcomes, fit_models
from dagster_project.modelling.leaving.change import OCCASIONS_LATELY, WINDOWS_DAYS, Change, fit_change
from dagster_project.modelling.leaving.evenings import base_log_odds
from dagster_project.modelling.level.clock import FittedPurchaseModel
from dagster_project.modelling.loss_terms import log_loss_terms
from dagster_project.modelling.own_clock import by_own_clock
from dagster_project.modelling.selection import mean_change
from dagster_project.modelling.value_night import Reading

TRIAL_DAYS = 30
MOST_BY_CHANCE = float(chi2.isf(0.001 / len(WINDOWS_DAYS), 1))
COUNT_ERRORS = 2.0


@dataclass(frozen=True)
class ChangeTrial:
    """How the likeliest change of a night fared.

    Attributes:
        change: of the night.
        earlier_factor: of the same day's change, as it looked 30 days ago; None where it was not asked, or no purchase
            model was certified then.
        log_loss_change: of the earlier evening's predictions with its change, less those without; None where not asked.
        standard_error: of that.
    """

    change: Change
    earlier_factor: float | None = None
    log_loss_change: float | None = None
    standard_error: float | None = None

    @property
    def is_believed(self) -> bool:
        """Whether the change passes both questions of the module."""
        if self.log_loss_change is None or self.standard_error is None:
            return False
        return bool(self.log_loss_change + COUNT_ERRORS * self.standard_error < 0)

    def to_dict(self) -> dict[str, Any]:
        """The trial, JSON-able."""
        return {
            **self.change.to_dict(),
            "earlier_factor": self.earlier_factor,
            "log_loss_change": self.log_loss_change,
            "standard_error": self.standard_error,
            "is_believed": self.is_believed,
        }


def try_change(
    reading: Reading,
    model: FittedPurchaseModel,
    known: pd.DataFrame,
    settings: ChurnSettings,
    customer_share: float = 1.0,
) -> ChangeTrial | None:
    """The likeliest change of a night and its trial; None where the purchase model knows no drop-out at purchases.

    Args:
        reading: the marts and the night.
        model: certified purchase model of the night.
        known: rows of `customer_features` on it, with `OCCASIONS_LATELY`.
        settings: who is active, and which purchase model comes first.
        customer_share: as in `customer_features`.
    """
    change = fit_change(model, known)
    if change is None:
        return None
    is_sure = change.is_great and change.likelihood_ratio > MOST_BY_CHANCE
    if not is_sure or change.window_days <= TRIAL_DAYS:
        return ChangeTrial(change)
    earlier = _earlier(reading, settings, customer_share, change.window_days - TRIAL_DAYS)
    if earlier is None:
        return ChangeTrial(change)
    return ChangeTrial(change, earlier.change.factor, *earlier.of_use(reading, settings, customer_share))


@dataclass(frozen=True)
class _Earlier:
    """The evening whose 30 days have just ended.

    Attributes:
        cutoff: the evening.
        features: rows of `customer_features` on it, with `OCCASIONS_LATELY`.
        fits: with a certified purchase model.
        change: of the same day, as large as it looked then.
    """

    cutoff: dt.date
    features: pd.DataFrame
    fits: Fits
    change: Change

    def of_use(self, reading: Reading, settings: ChurnSettings, customer_share: float) -> tuple[float, float]:
        """Log-loss of active customers with the change less that without, and its standard error."""
        outcomes = customer_outcomes(reading.connection, [self.cutoff], TRIAL_DAYS, reading.scope(customer_share))
        active = is_active(self.features, settings.horizon_days)
        asked = self.features[active].reset_index(drop=True)
        has_left = np.asarray(aligned_outcomes(asked, outcomes)["orders"] == 0, dtype=np.float64)
        model = self.fits.predicting(None)
        said = base_log_odds(self.fits, asked, TRIAL_DAYS)
        added = 0.0 if model is None else self.change.adds(model, asked, TRIAL_DAYS)
        before, after = (log_loss_terms(has_left, np.asarray(expit(one))) for one in (said, said + added))
        return mean_change([after - before])


def _earlier(reading: Reading, settings: ChurnSettings, customer_share: float, window_days: int) -> _Earlier | None:
    """The evening with the change as it was seen then; None where no model with drop-out at purchases was certified."""
    cutoff, is_counted = reading.as_of - dt.timedelta(days=TRIAL_DAYS), reading.counts_zero_value_orders
    features = customer_features(reading.connection, [cutoff], reading.scope(customer_share), [OCCASIONS_LATELY]).df()
    if features.empty:
        return None
    fits = fit_models(features, TRIAL_DAYS, settings.purchase_model, stops_at_first=True)
    fits = by_own_clock(reading.connection, cutoff, fits, features, counts_zero_value_orders=is_counted)
    model = fits.predicting(None)
    change = None if model is None else fit_change(model, features, [window_days])
    return None if change is None else _Earlier(cutoff, features, fits, change)
