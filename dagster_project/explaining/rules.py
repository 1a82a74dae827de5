"""The windows and rules that a recount follows: those of the settings, or others to see what hangs on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Rules:
    """What decides which orders and answers count.

    Attributes:
        active_window_days: length of the trailing window.
        repeat_window_days: how soon a second occasion must follow the first.
        late_grace_days: days that a repeat window must have been over.
        loyal_minimum_occasions: occasions in the window that make a customer loyal.
        loyal_gap_multiple: own median gaps that a loyal customer may be silent for.
        counts_guests: whether orders without a known customer are among the orders.
        counts_refunds: whether refunds are taken off the amounts.
        counts_orders_apart: whether two orders of one day are two purchases.
        counts_latest_answer_only: whether a customer has one answer in a period, the latest.
    """

    active_window_days: int = 365
    repeat_window_days: int = 90
    late_grace_days: int = 7
    loyal_minimum_occasions: int = 3
    loyal_gap_multiple: float = 1.5
    counts_guests: bool = True
    counts_refunds: bool = True
    counts_orders_apart: bool = False
    counts_latest_answer_only: bool = True

    @classmethod
    def of(cls, definitions: Mapping[str, Any]) -> Rules:
        """The rules of a night, from the definitions in its manifest or its settings; the rest are the project's."""
        known = {field.name for field in fields(cls)}
        return cls(**{name: given for name, given in definitions.items() if name in known})
