"""The periods that metrics of a tidy shop are told for, and what customers bought in each of them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from tidy_lifecycle import DAY
from tidy_shops import WINDOW, TidyShop

LONG = "month quarter trailing_window lifetime"
ONLY_ONES = ("lifetime", "trailing_window")
"""Kinds of which there is one period each; these come first."""


@cache
def periods(shop: TidyShop) -> pd.DataFrame:
    """One row per period that is over: kind, start, end (the day after), previous start, and what may be said of it.

    A trailing window is mature once the shop is older than it. A period can be compared when the one before began no
    earlier than the shop did (its month, for months and quarters).
    """
    first, after = shop.occasions["day"].min(), shop.as_of + DAY
    window = after - WINDOW
    rows = [("lifetime", first, after, pd.NaT), ("trailing_window", window, after, window - WINDOW)]
    rows += [("day", day, day + DAY, day - DAY) for day in pd.date_range(first, shop.as_of)]
    for kind, letter in (("month", "M"), ("quarter", "Q")):
        for period in pd.period_range(first, shop.as_of, freq=letter):
            rows.append((kind, period.start_time, (period + 1).start_time, (period - 1).start_time))
    table = pd.DataFrame(rows, columns=["period", "start", "end", "previous"])
    table = table[table["end"] <= after].reset_index(drop=True)
    is_window = table["period"] == "trailing_window"
    table["is_mature"] = ~is_window | (table["start"] >= first)
    table["is_comparable"] = table["previous"] >= np.where(is_window, first, first.to_period("M").start_time)
    return table.rename_axis("place").reset_index()


def dated(shop: TidyShop, rows: pd.DataFrame, kinds: str) -> pd.DataFrame:
    """Rows with a day once for each kind of period, with its start; the window before the trailing one has one, too."""
    first, window = shop.occasions["day"].min(), shop.as_of + DAY - WINDOW
    day = rows["day"].to_numpy()
    starts = {
        "day": lambda: day,
        "month": lambda: day.astype("M8[M]"),
        "quarter": rows["day"].dt.to_period("Q").dt.start_time.to_numpy,
        "trailing_window": lambda: np.where(day >= window.to_numpy(), window, window - WINDOW),
        "lifetime": lambda: np.full(len(day), first),
    }
    return pd.concat(
        [rows.assign(period=kind, start=starts[kind]().astype("M8[us]")) for kind in kinds.split()], ignore_index=True
    )


def placed(shop: TidyShop, rows: pd.DataFrame, kinds: str) -> pd.DataFrame:
    """The same, of periods that are told, with the place of each among them."""
    told = periods(shop)
    found = []
    for kind in kinds.split():
        table = dated(shop, rows, kind)
        places = told[told["period"] == kind].set_index("start")["place"]
        found.append(table.assign(place=table["start"].map(places)).dropna(subset="place"))
    return pd.concat(found, ignore_index=True).astype({"place": "int64"})


def in_one(period: str, rows: pd.DataFrame) -> pd.DataFrame:
    """Rows that are all of the lifetime, or all of the trailing window."""
    return rows.assign(place=ONLY_ONES.index(period), period=period)


@cache
def bought(shop: TidyShop) -> pd.DataFrame:
    """One row per period and customer who bought in it or in the one before: what, and how often."""
    again = shop.valid["number"] > 1
    orders = shop.valid[["customer", "day", "net"]].assign(
        net_again=shop.valid["net"] * again,
        orders_again=again.astype("int64"),
        full_price_again=(again & (shop.valid["discount"] <= 0)).astype("int64"),
    )
    orders = dated(shop, orders, LONG)
    orders = orders[(orders["period"] != "trailing_window") | (orders["day"] > shop.as_of - 2 * WINDOW)]
    keys = ["period", "start", "customer"]
    sums = ["net", "net_again", "orders_again", "full_price_again"]
    now = orders.groupby(keys)[sums].sum()
    now["occasions"] = orders.drop_duplicates([*keys, "day"]).groupby(keys).size()
    told = periods(shop)[["place", "period", "start", "end", "previous"]]
    before = now["net"].rename("net_before").reset_index().rename(columns={"start": "previous"})
    before = before.merge(told.dropna()[["period", "start", "previous"]], on=["period", "previous"])
    both = now.reset_index().merge(before.drop(columns="previous"), on=keys, how="outer").merge(told, on=keys[:2])
    both["active"], both["before"] = both["occasions"].notna(), both["net_before"].notna()
    whole = [*sums, "occasions", "net_before"]
    both[whole] = both[whole].fillna(0).astype("int64")
    first = both["customer"].map(shop.customers["first"])
    both["is_new"] = first >= both["start"]
    both["days_observed"] = (both["end"] - first.where(both["is_new"], both["start"])).dt.days
    return both
