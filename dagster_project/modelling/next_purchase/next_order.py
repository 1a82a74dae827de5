"""When each customer orders next: a date with its interval, and whether they are overdue.

Belongs here: the rules that predict it, and the table. Which rule did best before: `next_order_trial.py`; what a rhythm
is: `modelling/rhythm.py`.

Whether somebody orders at all is said by a probability; the date is of those who do, within a year. Two rules are tried
on those who came back before: the purchase model, for which waiting has no memory but for drop-out, and the customer's
own rhythm. A third, everybody's rhythm, is what both must beat.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from scipy.special import ndtri

from dagster_project.modelling.btyd import PURCHASE_MODELS, PurchaseModel
from dagster_project.modelling.histories import FloatArray, distinct_histories
from dagster_project.modelling.history_statistics import history_statistics
from dagster_project.modelling.maximum_likelihood import DidNotConverge
from dagster_project.modelling.purchase_model import ModelGate, ModelName
from dagster_project.modelling.rhythm import (
    HISTORIES,
    Rhythm,
    days_since_last_order,
    gap_multiple,
    usual_gap_days,
)

HORIZON_DAYS = 365
SHARES = np.array([0.1, 0.5, 0.9])
"""The ends of the interval of 80 % and its middle."""
GRID_DAYS = np.unique(np.rint(np.geomspace(1, HORIZON_DAYS, 40)))
BATCH_CUSTOMERS = 100_000
TRIED: tuple[ModelName, ...] = ("mbg_nbd", "bg_nbd")
"""Purchase models; the one that is wished for comes first, another where it is not certified."""
LATE = float(ndtri(0.9))
"""Standard deviations above the mean of the log of a gap: nine gaps in ten are shorter."""
CUSTOMER_NEXT_ORDER = {
    "customer_key": "varchar not null",
    "as_of_date": "date not null",
    "horizon_days": "integer not null",
    "status": "varchar not null",
    "status_reason": "varchar",
    "model": "varchar",
    "last_order_date": "date not null",
    "days_since_last_order": "bigint not null",
    "probability_order": "double",
    "expected_order_date": "date",
    "earliest_order_date_80": "date",
    "latest_order_date_80": "date",
    "usual_gap_days": "double",
    "gap_multiple": "double",
    "is_overdue": "boolean",
}
_CUSTOMERS = HISTORIES + " select * from histories order by customer_key"
Rule = Callable[[pd.DataFrame], FloatArray]


@dataclass(frozen=True)
class NextOrders:
    """What a night believes of the next order.

    Attributes:
        as_of: the night.
        status: `fitted`, or `insufficient_data`, `did_not_converge`.
        status_reason: None when fitted.
        model: the purchase model; None unless fitted.
        rhythm: of the shop; None where it has too few gaps.
        champion: who dates the next order of those who have come back before, where it is not the model.
    """

    as_of: dt.date
    status: str
    status_reason: str | None = None
    model: PurchaseModel | None = None
    rhythm: Rhythm | None = None
    champion: str | None = None

    def dated_by(self, earlier_champion: str | None) -> NextOrders:
        """The same, where those who came back are dated by the rule that did best; by the model where it cannot speak.

        Args:
            earlier_champion: from `next_order_trial.backtest_next_orders`.
        """
        return replace(self, champion="own_rhythm" if earlier_champion == "own_rhythm" and self.rhythm else None)

    def rules(self) -> dict[str, Rule]:
        """Who can date the next order: name to days at `SHARES`, shape (n, 3); nobody without a purchase model."""
        if self.model is None:
            return {}
        found: dict[str, Rule] = {self.model.name: self._by_model}
        if self.rhythm is not None:
            rhythm, alike = (
                self.rhythm,
                replace(self.rhythm, within=self.rhythm.within + self.rhythm.between, between=0),
            )
            found["own_rhythm"] = lambda rows: rhythm.days_to_next(rows, SHARES, HORIZON_DAYS)
            found["everybodys_rhythm"] = lambda rows: alike.days_to_next(rows, SHARES, HORIZON_DAYS)
        return found

    def score(self, histories: pd.DataFrame) -> pd.DataFrame:
        """One row per customer, `CUSTOMER_NEXT_ORDER`.

        Args:
            histories: rows of `HISTORIES` on the night.
        """
        count = len(histories)
        days, names = np.full((count, SHARES.size), np.nan), np.full(count, None, dtype=object)
        rules = self.rules()
        if self.model is not None:
            has_rhythm = (histories["count_repeat_occasions"] > 0).to_numpy()
            speaker = np.where(has_rhythm, self.champion or self.model.name, self.model.name)
            for name in np.unique(speaker.astype(str)):
                chosen = speaker == name
                days[chosen] = rules[name](histories[chosen].reset_index(drop=True))
                names[chosen] = name
        since = days_since_last_order(histories)
        limit = np.full(count, np.nan)
        if self.rhythm is not None:
            mean, spread = self.rhythm.of_customers(histories)
            limit = np.exp(mean + spread * LATE)
        dates = [self._dates(days[:, place]) for place in range(SHARES.size)]
        return pd.DataFrame(
            {
                "customer_key": histories["customer_key"].to_numpy(),
                "as_of_date": np.full(count, np.datetime64(self.as_of, "s")),
                "horizon_days": np.full(count, HORIZON_DAYS),
                "status": pd.Series([self.status] * count, dtype="str"),
                "status_reason": pd.Series([self.status_reason] * count, dtype="str"),
                "model": pd.Series(names, dtype="str"),
                "last_order_date": histories["last_order_date"].to_numpy(),
                "days_since_last_order": since,
                "probability_order": self._probability(histories),
                "earliest_order_date_80": dates[0],
                "expected_order_date": dates[1],
                "latest_order_date_80": dates[2],
                "usual_gap_days": usual_gap_days(self.rhythm, histories),
                "gap_multiple": gap_multiple(self.rhythm, histories),
                "is_overdue": pd.Series(since > limit, dtype="boolean").where(~np.isnan(limit)),
            }
        )

    def _probability(self, histories: pd.DataFrame) -> FloatArray:
        if self.model is None:
            return np.full(len(histories), np.nan)
        return 1 - self._none(histories, np.array([float(HORIZON_DAYS)]))[:, 0]

    def _by_model(self, histories: pd.DataFrame) -> FloatArray:
        """The wait of those who order within the horizon, by the chance of no order up to each day of a grid."""
        ordered = 1 - self._none(histories, GRID_DAYS)
        reached = ordered / np.maximum(ordered[:, -1:], np.finfo(np.float64).tiny)
        steps = np.concatenate((np.zeros((len(histories), 1)), reached), axis=1)
        days = np.concatenate(([0.0], GRID_DAYS))
        found = np.empty((len(histories), SHARES.size))
        for place, share in enumerate(SHARES):
            after = np.argmax(steps >= share, axis=1)
            before = np.maximum(after - 1, 0)
            rows = np.arange(len(histories))
            low, high = steps[rows, before], steps[rows, after]
            part = np.where(high > low, (share - low) / np.where(high > low, high - low, 1.0), 0.0)
            found[:, place] = days[before] + part * (days[after] - days[before])
        return found

    def _none(self, histories: pd.DataFrame, days: FloatArray) -> FloatArray:
        if self.model is None:
            raise ValueError("no purchase model was fitted; ask `rules` who can speak")
        columns = ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
        one = distinct_histories(*(histories[name].to_numpy(dtype=np.float64) for name in columns))
        said = self.model.probability_no_purchase(one.x[:, None], one.t_x[:, None], one.age[:, None], days)
        return np.asarray(said[one.row_of], dtype=np.float64)

    def _dates(self, days: FloatArray) -> np.ndarray[Any, Any]:
        """The day that so many days later lie in."""
        dates = np.full(days.size, np.datetime64("NaT"), dtype="datetime64[s]")
        known = ~np.isnan(days)
        whole = whole_days(days[known]).astype("timedelta64[D]")
        dates[known] = (np.datetime64(self.as_of, "D") + whole).astype("datetime64[s]")
        return dates


def whole_days(days: FloatArray) -> FloatArray:
    """Days from an evening to the day that so many days later lie in, from 1 to the horizon; shape as given.

    Args:
        days: from 0, or NaN.
    """
    return np.clip(np.ceil(days), 1, HORIZON_DAYS)


def fit_next_orders(
    connection: duckdb.DuckDBPyConnection,
    as_of: dt.date,
    gate: ModelGate,
    name: ModelName,
    *,
    counts_zero_value_orders: bool = False,
) -> NextOrders:
    """What an evening believes, without a champion.

    Args:
        connection: as in `purchase_history`.
        as_of: the evening.
        gate: how much history a model needs.
        name: the purchase model.
        counts_zero_value_orders: as in `purchase_history`.
    """
    is_counted = counts_zero_value_orders
    histories = history_statistics(connection, as_of, counts_zero_value_orders=is_counted)
    rhythm = Rhythm.of_shop(connection, as_of, counts_zero_value_orders=is_counted)
    refusal = gate.refusal(histories)
    if refusal is not None:
        return NextOrders(as_of, "insufficient_data", refusal, rhythm=rhythm)
    x, t_x, age, customers = (histories[column].to_numpy(dtype=np.float64) for column in histories)
    refusals = []
    for tried in sorted(TRIED, key=lambda one: one != name):
        try:
            model = PURCHASE_MODELS[tried].fit(x, t_x, age, customers)
        except DidNotConverge as fault:
            refusals.append(str(fault))
            continue
        return NextOrders(as_of, "fitted", None, model, rhythm)
    return NextOrders(as_of, "did_not_converge", "; ".join(refusals), rhythm=rhythm)


def next_orders(
    connection: duckdb.DuckDBPyConnection, believed: NextOrders, *, counts_zero_value_orders: bool = False
) -> Iterator[pd.DataFrame]:
    """Everybody's next order, in batches in the order of customer_key.

    Args:
        connection: as in `purchase_history`, with nothing else to do until the last batch is taken.
        believed: of the night.
        counts_zero_value_orders: as in `purchase_history`.
    """
    given = {"cutoff": believed.as_of, "counts_zero_value_orders": counts_zero_value_orders}
    for batch in connection.sql(_CUSTOMERS, params=given).to_arrow_reader(BATCH_CUSTOMERS):
        yield believed.score(batch.to_pandas())
