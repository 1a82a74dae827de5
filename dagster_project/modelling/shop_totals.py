"""What the whole shop is expected to order and spend, with intervals from summed draws.

Belongs here: the table of totals, gathered batch by batch while customers are scored. How a sum is drawn: `intervals`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dagster_project.modelling.champion_errors import LEVELS
from dagster_project.modelling.intervals.outcomes import Forecast
from dagster_project.modelling.intervals.totals import ShopTotals, central_interval
from dagster_project.modelling.value import ValueModel
from dagster_project.modelling.value_settings import REPORTED_DAYS

COUNT_DRAWS = 2_000
"""Leave less than 1 % of error in the ends of a 95 % interval."""
SEED = 7


class ShopValue:
    """Customers gathered as they are scored; memory does not grow with the shop.

    Args:
        model: of the night.
    """

    def __init__(self, model: ValueModel) -> None:
        self.model = model
        self.horizons = sorted({*REPORTED_DAYS, model.settings.horizon_days})
        self._totals = {days: ShopTotals() for days in self.horizons}
        self._sums = dict.fromkeys(((what, days) for what in ("orders", "net") for days in self.horizons), 0.0)
        self._count = 0

    def add(self, rows: pd.DataFrame) -> None:
        """Gather a batch.

        Args:
            rows: from `ValueModel.score`.
        """
        self._count += len(rows)
        for days in self.horizons:
            suffix = "" if days == self.model.settings.horizon_days else f"_{days}d"
            orders, net, none = (
                rows[f"{name}{suffix}"].to_numpy(dtype=np.float64)
                for name in ("predicted_orders", "predicted_net", "probability_no_order")
            )
            self._sums["orders", days] += float(np.nansum(orders))
            self._sums["net", days] += float(np.nansum(net))
            if self.model.status == "fitted":
                self._totals[days].add(Forecast.of(orders, none, net))

    def table(self) -> pd.DataFrame:
        """One row per measure and horizon.

        Returns:
            as_of_date, measure (`orders`, `net`), horizon_days, count_customers, expected, low_50, high_50, low_80,
            high_80, low_95, high_95 (null unless fitted), status, status_reason, model.
        """
        return pd.DataFrame([row for days in self.horizons for row in self._rows(days)])

    def _rows(self, days: int) -> list[dict[str, Any]]:
        errors = self.model.errors
        draws: dict[str, Any] = {}
        if self.model.status == "fitted" and self._count:
            drawn = self._totals[days].draws(
                errors.intervals.outcomes,
                np.random.default_rng(SEED),
                COUNT_DRAWS,
                errors.orders_error,
                errors.spend_error,
            )
            draws = dict(zip(("orders", "net"), drawn, strict=True))
        rows = []
        for measure, champion in (("orders", self.model.champion), ("net", self.model.net_champion)):
            ends: dict[str, float | None] = {}
            for level in LEVELS:
                low, high = central_interval(draws[measure], level) if draws else (None, None)
                ends |= {f"low_{level * 100:.0f}": low, f"high_{level * 100:.0f}": high}
            rows.append(
                {
                    "as_of_date": np.datetime64(self.model.as_of, "s"),
                    "measure": measure,
                    "horizon_days": days,
                    "count_customers": self._count,
                    "expected": self._sums[measure, days],
                    **ends,
                    "status": self.model.status,
                    "status_reason": self.model.status_reason,
                    "model": champion,
                }
            )
        return rows
