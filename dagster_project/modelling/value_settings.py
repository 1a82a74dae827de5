"""What a value rests on besides the orders: horizon, discount, margin, cost of a customer, and how much is learned.

Belongs here: the settings and the days that value is stated at. Not here: value itself (`value.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.purchase_model import ModelGate, ModelName

COUNT_DISCOUNT_STEPS = 12
"""Steps of the horizon over which predicted purchases are discounted: months, when the horizon is a year."""
DAYS_PER_YEAR = 365
REPORTED_DAYS = (30, 90, 365)
"""Horizons that every shop gets beside its own."""


@dataclass(frozen=True)
class ValueSettings:
    """What a value rests on besides the orders.

    Attributes:
        horizon_days: days ahead, at least 1.
        lifetime_days: where a customer's life is cut off for the residual, at least a year and the horizon:
            what lies beyond is discounted away or guessed.
        annual_discount_rate: of future margin, above -1; 0.10 is ten per cent a year.
        margin_share: margin over net sales, 0 to 1.
        acquisition_cost: what winning a customer costs, in money; None where it is not known.
        purchase_model: the incumbent, who stays unless another is better.
        is_chosen_by_backtest: whether a challenger may replace the incumbent.
        gate: how much history a model needs.
        maximum_customers: customers that the back-test and the learners read, by a hash of their key.
        learning_threads: of LightGBM; the results are the same for any number.
    """

    horizon_days: int = 365
    lifetime_days: int = 5 * DAYS_PER_YEAR
    annual_discount_rate: float = 0.10
    margin_share: float = 0.30
    acquisition_cost: float | None = None
    purchase_model: ModelName = "mbg_nbd"
    is_chosen_by_backtest: bool = True
    gate: ModelGate = field(default_factory=ModelGate)
    maximum_customers: int = 25_000
    learning_threads: int = 1

    def __post_init__(self) -> None:
        """Refuse settings that no value can be made of."""
        if self.horizon_days < 1:
            raise ValueError(f"horizon_days is {self.horizon_days}; expected at least 1")
        if self.lifetime_days < max(self.horizon_days, *REPORTED_DAYS):
            raise ValueError(
                f"lifetime_days is {self.lifetime_days}; expected at least a year and the horizon of "
                f"{self.horizon_days} days"
            )
        if not self.annual_discount_rate > -1:
            raise ValueError(
                f"annual_discount_rate is {self.annual_discount_rate}; expected above -1, as 0.10 for 10 %"
            )
        if not 0 <= self.margin_share <= 1:
            raise ValueError(f"margin_share is {self.margin_share}; expected 0 to 1")
        if self.acquisition_cost is not None and self.acquisition_cost < 0:
            raise ValueError(f"acquisition_cost is {self.acquisition_cost}; expected at least 0, or none")

    def steps_days(self) -> FloatArray:
        """Days ahead at which expectations are taken, rising: the steps of the horizon, those reported, then years."""
        within = self.horizon_days * np.arange(1, COUNT_DISCOUNT_STEPS + 1) / COUNT_DISCOUNT_STEPS
        beyond = np.arange(self.horizon_days + DAYS_PER_YEAR, self.lifetime_days, DAYS_PER_YEAR)
        return np.unique(np.concatenate((within, REPORTED_DAYS, beyond, [self.lifetime_days])))

    def discounts(self) -> FloatArray:
        """Present worth of one unit that comes in the days before each step, at the step; shape as `steps_days`."""
        # one by one: the vectorised power may differ in its last digit from call to call
        growth = 1 + self.annual_discount_rate
        return np.array([growth ** (-days / DAYS_PER_YEAR) for days in self.steps_days().tolist()])
