"""How well each rule dated the next orders after a past evening, and which of them is believed.

Belongs here: who came again and after how long, the losses, and the champion. The rules: `next_order.py`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.next_purchase.next_order import HORIZON_DAYS, SHARES, NextOrders
from dagster_project.modelling.rhythm import HISTORIES

_WAITED = (
    HISTORIES
    + """,
later as (
    select orders.customer_key, min(orders.order_date) as next_date
    from marts.fct_orders as orders
    where orders.customer_key is not null and coalesce(orders.exclusion_reason, 'fully_refunded') = 'fully_refunded'
        and orders.order_date > $cutoff and orders.order_date <= $until
    group by orders.customer_key
)
select histories.*, date_diff('day', $cutoff::date, later.next_date) as days_waited
from histories
inner join later on histories.customer_key = later.customer_key
where md5(histories.customer_key) <= $last_md5
order by histories.customer_key
"""
)


def backtest_next_orders(
    connection: duckdb.DuckDBPyConnection,
    earlier: NextOrders,
    maximum_customers: int,
    *,
    counts_zero_value_orders: bool = False,
) -> tuple[pd.DataFrame, str | None]:
    """How each rule dated the next orders after a past evening, of those who had come back before and came again.

    An order that was returned later was an order on its day.

    Args:
        connection: as in `purchase_history`.
        earlier: beliefs of the evening, whose horizon has ended.
        maximum_customers: read at most about so many, by a hash of their key.
        counts_zero_value_orders: as in `purchase_history`.

    Returns:
        model, count_customers, score (`coverage_80`; `pinball_days`, the mean loss of the three quantiles;
        `median_error_days`, the mean absolute error of the middle), score_value; empty where nobody could speak. And
        the champion: the purchase model, unless its loss was above the rhythm's by more than one standard error.
    """
    given: dict[str, Any] = {"cutoff": earlier.as_of, "counts_zero_value_orders": counts_zero_value_orders}
    [(count,)] = connection.execute(HISTORIES + " select count(*) from histories", given).fetchall()
    share = min(1.0, maximum_customers / max(count, 1))
    given |= {"until": earlier.as_of + dt.timedelta(days=HORIZON_DAYS)}
    given |= {"last_md5": f"{min(round(share * 16**8), 16**8 - 1):08x}" + "f" * 24}
    rows = connection.execute(_WAITED, given).df()
    rows = rows[rows["count_repeat_occasions"] > 0].reset_index(drop=True)
    waited = rows["days_waited"].to_numpy(dtype=np.float64)
    found: list[dict[str, Any]] = []
    losses: dict[str, FloatArray] = {}
    for name, rule in (earlier.rules() if len(rows) else {}).items():
        days = rule(rows)
        losses[name] = _pinball(days, waited).mean(axis=1)
        scores = {
            "coverage_80": _held(days, waited),
            "pinball_days": float(losses[name].mean()),
            "median_error_days": float(np.abs(waited - days[:, 1]).mean()),
        }
        found += [
            {"model": name, "count_customers": len(rows), "score": score, "score_value": amount}
            for score, amount in scores.items()
        ]
    return pd.DataFrame(found, columns=["model", "count_customers", "score", "score_value"]), _champion(earlier, losses)


def _champion(earlier: NextOrders, losses: Mapping[str, FloatArray]) -> str | None:
    if earlier.model is None or earlier.model.name not in losses:
        return None
    incumbent = earlier.model.name
    if "own_rhythm" in losses:
        change = losses["own_rhythm"] - losses[incumbent]
        if change.mean() + change.std() / change.size**0.5 < 0:
            return "own_rhythm"
    return incumbent


def _pinball(days: FloatArray, waited: FloatArray) -> FloatArray:
    """Loss of predicted days at `SHARES`, shape (n, 3), against days waited, shape (n,)."""
    off = waited[:, None] - days
    return np.asarray(np.maximum(SHARES * off, (SHARES - 1) * off), dtype=np.float64)


def _held(days: FloatArray, waited: FloatArray) -> float:
    """Share within the interval; an order on the day that an end lies in is within."""
    return float(((waited >= np.floor(days[:, 0])) & (waited <= np.ceil(days[:, 2]))).mean())
