"""What a night believes of leaving, for customers in batches of any size.

Belongs here: from the champion to each customer's chance of no order, and what it is made of. Not here: how the
champion was found (`night.py`), words for causes (`reasons.py`).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from dagster_project.modelling.churn import ChurnSettings, customer_churn, risk_band
from dagster_project.modelling.histories import FloatArray, distinct_histories
from dagster_project.modelling.leaving.calibration import Calibration
from dagster_project.modelling.leaving.change import Change
from dagster_project.modelling.leaving.change_trial import ChangeTrial
from dagster_project.modelling.leaving.evenings import log_odds_of
from dagster_project.modelling.leaving.trees import OVERDUE, PACE, Trees
from dagster_project.modelling.purchase_model import PurchaseModelFit
from dagster_project.modelling.rhythm import Rhythm, days_since_last_order, gap_multiple, usual_gap_days
from dagster_project.modelling.selection import Choice


@dataclass(frozen=True)
class LeavingModel:
    """A night's belief.

    Attributes:
        as_of: the night.
        settings: horizon, bands and gate.
        purchase_fit: the purchase model, or why there is none.
        rhythm: of everybody on the night; None where too few gaps have ended.
        choices: from `chosen`; none unless fitted.
        trees: of the champion; None where it has none.
        weight_of_trees: how much of what they add is believed.
        calibration: of the champion.
        mean_log_odds: of the purchase model and its change over active customers: what contributions are measured from.
        typical_days_since: median days since the last order of active customers.
        earlier_history: for cohort shares where there is no model.
        change_trial: of how easily customers leave lately; None where it was not asked.
    """

    as_of: dt.date
    settings: ChurnSettings
    purchase_fit: PurchaseModelFit
    rhythm: Rhythm | None
    choices: tuple[Choice, ...] = ()
    trees: Trees | None = None
    weight_of_trees: float = 1.0
    calibration: Calibration = field(default_factory=Calibration)
    mean_log_odds: float = 0.0
    typical_days_since: float = 0.0
    earlier_history: pd.DataFrame | None = None
    change_trial: ChangeTrial | None = None

    @property
    def champion(self) -> str:
        """Who speaks of active customers."""
        return self.choices[-1].champion if self.choices else "cohort_share"

    @property
    def change(self) -> Change | None:
        """Since when customers leave more easily; None where nothing of the kind is believed."""
        return self.change_trial.change if self.change_trial is not None and self.change_trial.is_believed else None

    def score(self, features: pd.DataFrame) -> pd.DataFrame:
        """One row per customer: the chance of no order within the horizon, by the champion.

        Args:
            features: rows of `customer_features` on the night, with the groups that the trees read; may be empty. A
                customer's values do not depend on who else is in the batch, but where there is no model.

        Returns:
            The columns of `customer_churn`, with usual_gap_days and gap_multiple (null without a rhythm).
            `model` is the champion for active customers; for all others, who are no part of what was learned, it is
            the purchase model.
        """
        rows = customer_churn(features, self.as_of, self.settings, self.purchase_fit, self.earlier_history).customers
        rows["usual_gap_days"] = usual_gap_days(self.rhythm, features)
        rows["gap_multiple"] = gap_multiple(self.rhythm, features)
        active = rows["is_active"].to_numpy(dtype=np.bool_)
        is_plain = self.champion == self.purchase_fit.name and self.change is None
        if not self.choices or is_plain or not active.any():
            return rows
        probability = rows["probability_no_order"].to_numpy(dtype=np.float64, copy=True)
        log_odds = log_odds_of(probability[active]) + self._added_by_change(features[active])
        if self.trees is not None:
            log_odds = log_odds + self.weight_of_trees * self.trees.log_odds(features[active], self.rhythm)
        probability[active] = expit(self.calibration.of(log_odds))
        rows["probability_no_order"] = probability
        rows["risk_band"] = risk_band(probability, self.settings)
        rows["model"] = rows["model"].where(~active, self.champion)
        return rows

    def contributions(self, features: pd.DataFrame) -> dict[str, FloatArray]:
        """What each cause adds to the log odds of leaving, against the mean active customer; each of shape (n,).

        The purchase model's part falls in two: `pace` is what it would say had the last order been as long ago as is
        typical of active customers, less its mean; `overdue` is the rest, what the actual wait adds, and what a change
        adds to it: a wait says more of who leaves easily. The trees' part is theirs by cause. All are multiplied by the
        slope of the calibration, so they add up to what is published.

        Args:
            features: rows of `customer_features` on the night, of active customers.

        Raises:
            ValueError: there is no purchase model.
        """
        model = self.purchase_fit.model
        if model is None:
            raise ValueError(f"no reasons without a purchase model: {self.purchase_fit.status_reason}")
        x, t_x = (
            features[name].to_numpy(dtype=np.float64) for name in ("count_repeat_occasions", "days_first_to_last_order")
        )
        said = []
        for since in (days_since_last_order(features), np.full(x.size, self.typical_days_since)):
            one = distinct_histories(x, t_x, t_x + since)
            chance = model.probability_no_purchase(one.x, one.t_x, one.age, self.settings.horizon_days)
            said.append(log_odds_of(chance[one.row_of]))
        by_trees = {} if self.trees is None else self.trees.contributions(features, self.rhythm)
        found = {cause: self.weight_of_trees * part for cause, part in by_trees.items()}
        found[OVERDUE] = found.get(OVERDUE, 0.0) + said[0] - said[1] + self._added_by_change(features)
        found[PACE] = found.get(PACE, 0.0) + said[1] - self.mean_log_odds
        return {cause: part * self.calibration.slope for cause, part in found.items()}

    def _added_by_change(self, features: pd.DataFrame) -> FloatArray:
        """What a change adds to the log odds of active customers, shape (n,)."""
        model = self.purchase_fit.model
        if self.change is None or model is None:
            return np.zeros(len(features))
        return self.change.adds(model, features, self.settings.horizon_days)

    def to_dict(self) -> dict[str, Any]:
        """What was believed and why, JSON-able."""
        return {
            "as_of": self.as_of.isoformat(),
            "purchase_model": self.purchase_fit.to_dict(),
            "champion": self.champion,
            "choices": [choice.to_dict() for choice in self.choices],
            "calibration": self.calibration.to_dict(),
            "weight_of_trees": 0.0 if self.trees is None else self.weight_of_trees,
            "count_lesson_rows": 0 if self.trees is None else self.trees.count_rows,
            "change": None if self.change_trial is None else self.change_trial.to_dict(),
            "groups": [] if self.trees is None else [group.name for group in self.trees.groups],
        }
