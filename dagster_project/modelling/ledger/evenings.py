"""Which evenings the ledger is of: the last month ends up to as-of.

Belongs here: dates only, and the settings of the ledger.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from dagster_project.modelling.loyal import LoyalRule
from dagster_project.modelling.purchase_model import ModelGate, ModelName

CALIBRATION_DAYS = 90
"""Intervals of an evening are calibrated on the latest evening whose predictions this far ahead were known by then."""


@dataclass(frozen=True)
class LedgerSettings:
    """What the ledger rests on.

    Attributes:
        count_evenings: month ends, the latest ones; 0 for no ledger.
        horizons_days: days ahead, rising; the calibration's own among them.
        churn_horizon_days: customers are asked for no order who ordered within twice as many days.
        purchase_model: who speaks where it is certified.
        gate: how much history an evening needs; one with less is left out.
        maximum_customers: customers of the shop that are read, by a hash of their key.
        followed_customers: customers of them whose predictions are kept one by one.
        loyal: who is told apart as loyal.
    """

    count_evenings: int = 24
    horizons_days: tuple[int, ...] = (30, CALIBRATION_DAYS, 365)
    churn_horizon_days: int = 90
    purchase_model: ModelName = "mbg_nbd"
    gate: ModelGate = field(default_factory=ModelGate)
    maximum_customers: int = 10_000
    followed_customers: int = 2_000
    loyal: LoyalRule = field(default_factory=LoyalRule)

    def __post_init__(self) -> None:
        """Refuse horizons that nothing could be calibrated on."""
        if list(self.horizons_days) != sorted(set(self.horizons_days)) or CALIBRATION_DAYS not in self.horizons_days:
            raise ValueError(
                f"horizons are {self.horizons_days}; expected different days, rising, {CALIBRATION_DAYS} among them"
            )


def ledger_evenings(first_order: dt.date, as_of: dt.date, settings: LedgerSettings) -> tuple[dt.date, ...]:
    """The month ends that are in the ledger, earliest first.

    Args:
        first_order: day of the shop's first order.
        as_of: the night; itself among them where it ends a month.
        settings: how many, and how much history each needs.
    """
    evenings: list[dt.date] = []
    evening = as_of if (as_of + dt.timedelta(days=1)).day == 1 else month_end_before(as_of)
    while len(evenings) < settings.count_evenings:
        if (evening - first_order).days < settings.gate.minimum_history_days:
            break
        evenings.append(evening)
        evening = month_end_before(evening)
    return tuple(reversed(evenings))


def calibration_evening(evening: dt.date) -> dt.date:
    """The latest month end whose predictions `CALIBRATION_DAYS` ahead were known on another one.

    Args:
        evening: a month end.
    """
    known = evening - dt.timedelta(days=CALIBRATION_DAYS)
    return known if (known + dt.timedelta(days=1)).day == 1 else month_end_before(known)


def month_end_before(day: dt.date) -> dt.date:
    """The last day of the month before.

    Args:
        day: any day.
    """
    return day.replace(day=1) - dt.timedelta(days=1)
