"""Rises of prices in a tidy shop, and who came back over them, told by hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tidy_lifecycle import DAY
from tidy_shops import TidyShop

WINDOW_DAYS = 90
ROUNDS = 12
"""Days of rises that are followed, those before which most lines of what rises were sold."""


@cache
def sold(shop: TidyShop) -> pd.DataFrame:
    """Lines of goods that customers bought and that count."""
    lines = shop.lines[shop.lines["quantity"] > 0][["order", "product", "price"]]
    lines = lines.merge(shop.valid[["customer", "day"]], left_on="order", right_index=True)
    return lines.assign(product=pd.factorize(lines["product"])[0])


@cache
def rises(shop: TidyShop) -> pd.DataFrame:
    """One row per product and day on which its price rose by a twentieth from where it had stood, and stayed there."""
    lines = sold(shop)[sold(shop)["price"] > 0]
    charged = lines.groupby(["product", "day", "price"]).size().rename("lines").reset_index()
    charged = charged.sort_values(["product", "day", "lines", "price"], ascending=[True, True, False, True])
    charged = charged.drop_duplicates(["product", "day"])
    number = (charged["day"] - shop.occasions["day"].min()).dt.days.to_numpy()
    price, product = charged["price"].to_numpy(), charged["product"].to_numpy()
    begins = np.flatnonzero(np.diff(product, prepend=-1))
    ends = np.append(begins[1:], len(product))
    rows = [
        begin + place
        for begin, end in zip(begins, ends, strict=True)
        for place in _rises_of(number[begin:end], price[begin:end])
    ]
    return charged.iloc[rows][["product", "day"]]


def _rises_of(days: NDArray[np.int64], prices: NDArray[np.int64]) -> Iterator[int]:
    dearer = np.flatnonzero(100 * prices[1:] >= 105 * prices[:-1]) + 1
    for place in dearer:
        before = prices[np.searchsorted(days, days[place] - WINDOW_DAYS) : place]
        after = prices[place : np.searchsorted(days, days[place] + WINDOW_DAYS)]
        stood = len(before) >= 3 and 100 * before.max() < 105 * before.min()
        if stood and len(after) >= 3 and 100 * after.min() >= 105 * before.max():
            yield int(place)


@cache
def followed(shop: TidyShop) -> pd.DataFrame:
    """One row per followed day of rises, window and customer who bought in it what rises, or nothing that rises near.

    Columns: customer, is_after (bought in the window up to the rise, and not in the one before), is_risen, is_back.
    """
    window = WINDOW_DAYS * DAY
    over = rises(shop)[rises(shop)["day"] + window - DAY <= shop.as_of].rename(columns={"day": "rise"})
    lines = over.merge(sold(shop), on="product")
    counts = lines[(lines["day"] < lines["rise"]) & (lines["day"] >= lines["rise"] - window)].groupby("rise").size()
    rounds = counts.reset_index(name="lines").sort_values(["lines", "rise"], ascending=[False, True])["rise"][:ROUNDS]
    tables = []
    for rise in rounds:
        is_near = (rises(shop)["day"] >= rise - 2 * window) & (rises(shop)["day"] < rise + window)
        on_the_day = rises(shop)["day"] == rise
        risen, near = (set(rises(shop)["product"][chosen]) for chosen in (on_the_day, is_near & ~on_the_day))
        for is_after, end in ((True, rise), (False, rise - window)):
            bought = sold(shop)[(sold(shop)["day"] >= end - window) & (sold(shop)["day"] < end)]
            found = (
                pd.DataFrame({"is_risen": bought["product"].isin(risen), "is_near": bought["product"].isin(near)})
                .groupby(bought["customer"])
                .any()
            )
            days = shop.occasions[(shop.occasions["day"] >= end) & (shop.occasions["day"] < end + window)]
            found = found[found["is_risen"] | ~found["is_near"]]
            found = found.assign(is_after=is_after, is_back=found.index.isin(days["customer"]))
            tables.append(found.reset_index().drop(columns="is_near"))
    return pd.concat(tables, ignore_index=True)
