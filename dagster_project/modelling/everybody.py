"""The whole shop, where the work before was on a part of it: what is published is fitted on everybody.

Belongs here: the second fit of the models that speak tonight. Which customers the first was on, and who speaks:
`value_night.py`, `value.py`.

A choice among models needs no million customers: its error is that of the few past evenings, and the evenings are read
from a part of the customers. So every candidate is fitted on that part, and whoever is used once more on all. On a shop
that is read whole the first fit is the last.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.btyd.condensed import CondensedBetaGeometric
from dagster_project.modelling.fits import Fits
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.history_statistics import (
    SpendOf,
    history_statistics,
    spend_statistics,
    total_log_gap_days,
)
from dagster_project.modelling.level.clock import SeasonalModel
from dagster_project.modelling.maximum_likelihood import DidNotConverge
from dagster_project.modelling.spend import GammaGamma

SPENDS_OF: dict[str, SpendOf] = {"gamma_gamma": "repeats", "gamma_gamma_all": "all_purchases"}


@dataclass(frozen=True)
class Everybody:
    """All customers of one evening, aggregated by the engine: memory in proportion to what differs.

    Attributes:
        connection: as in `purchase_history`.
        cutoff: the evening.
        counts_zero_value_orders: as in `purchase_history`.
    """

    connection: duckdb.DuckDBPyConnection
    cutoff: dt.date
    counts_zero_value_orders: bool = False

    @cached_property
    def histories(self) -> pd.DataFrame:
        """From `history_statistics`."""
        is_counted = self.counts_zero_value_orders
        return history_statistics(self.connection, self.cutoff, counts_zero_value_orders=is_counted)

    @cached_property
    def total_log_gap(self) -> float:
        """From `total_log_gap_days`."""
        is_counted = self.counts_zero_value_orders
        return total_log_gap_days(self.connection, self.cutoff, counts_zero_value_orders=is_counted)

    def spends(self, of: SpendOf) -> pd.DataFrame:
        """From `spend_statistics`.

        Args:
            of: as there.
        """
        is_counted = self.counts_zero_value_orders
        return spend_statistics(self.connection, self.cutoff, of, counts_zero_value_orders=is_counted)


def fitted_on_all(fits: Fits, names: Iterable[str], everybody: Everybody) -> Fits:
    """The same fits, some of them made again on the whole shop.

    Args:
        fits: of a part of the customers.
        names: keys of its `purchase` and `spend`; others are left alone.
        everybody: the same evening.

    Returns:
        Fits in the same order. The number of stages of the CNBD models is kept. A model that cannot be certified on all
        customers stays as it was on the part, with the reason in `refusals` under `<name>_on_all`.
    """
    purchase, in_season, spend = dict(fits.purchase), dict(fits.in_season), dict(fits.spend)
    refusals = dict(fits.refusals)
    for name in names:
        try:
            if name in purchase:
                x, t_x, age, customers = _columns(everybody.histories)
                log_gap = everybody.total_log_gap if isinstance(purchase[name], CondensedBetaGeometric) else None
                purchase[name] = purchase[name].refitted(x, t_x, age, customers, log_gap)
                if name in in_season:
                    clock = in_season[name].clock
                    by_clock = clock.histories(t_x, age)
                    in_season[name] = SeasonalModel(purchase[name].refitted(x, *by_clock, customers), clock)
            elif name in spend:
                spend[name] = GammaGamma.fit(*_columns(everybody.spends(SPENDS_OF[name])))
        except DidNotConverge as refusal:
            refusals[f"{name}_on_all"] = str(refusal)
    return replace(fits, purchase=purchase, in_season=in_season, spend=spend, refusals=refusals)


def _columns(frame: pd.DataFrame) -> list[FloatArray]:
    return [frame[name].to_numpy(dtype=np.float64) for name in frame]
