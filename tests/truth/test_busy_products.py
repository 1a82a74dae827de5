"""What the talking shop's customers make of its lines of quality and its price rise: recounted in pandas.

Lines and list prices are those of the files that the shop delivers, the rise is the one that its plan holds; who bought
what when is taken from the published facts.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from known_shop import KnownShop

RANKS = {"basic": 1, "standard": 2, "premium": 3}
WINDOW = pd.Timedelta(days=90)
SALE_DAYS = 3


@pytest.fixture(scope="module")
def shop(talking_shop: KnownShop) -> KnownShop:
    return talking_shop


@pytest.fixture(scope="module")
def lines(shop: KnownShop) -> pd.DataFrame:
    """Each customer's days and products."""
    return shop.con.execute(
        "select customer_key, order_date::timestamp as day, product_id from warehouse.marts.fct_order_lines as lines "
        "join warehouse.marts.dim_products as products using (product_key) "
        "where lines.is_valid and line_kind = 'product' and quantity > 0 and customer_key is not null"
    ).df()


def test_customers_who_move_up_a_line_are_those_of_the_catalogue(shop: KnownShop, lines: pd.DataFrame) -> None:
    catalogue = pd.read_csv(shop.root / "deliveries" / "products.csv")
    bought = lines.merge(catalogue.assign(rank=catalogue["quality_line"].map(RANKS)), on="product_id")
    days = bought.groupby(["customer_key", "product_kind", "day"])["rank"].max().reset_index()
    kinds = days.groupby(["customer_key", "product_kind"])["rank"].agg(["size", "first", "max"])
    again = kinds[kinds["size"] >= 2]
    up = again[again["max"] > again["first"]].index.get_level_values("customer_key").nunique()
    found = (up, again.index.get_level_values("customer_key").nunique())
    assert shop.said("premium_upgrade_rate") == {None: found}
    assert 100 < found[0] < found[1]


def test_returning_over_the_price_rise_equals_pandas(shop: KnownShop, lines: pd.DataFrame) -> None:
    rise = pd.Timestamp(shop.plan.first_day + dt.timedelta(days=shop.plan.price_rise_day))
    risen = risen_products(shop, lines, rise)
    assert len(risen) > 15, "most of the two kinds whose prices rise are sold often enough"
    days = shop.con.execute(
        "select distinct customer_key, order_date::timestamp as day from warehouse.marts.fct_orders where is_valid"
    ).df()
    cells = {
        (window, is_risen): rows["back"]
        for window, begin in (("after", rise - WINDOW), ("before", rise - 2 * WINDOW))
        for is_risen, rows in returned(lines, days, begin, risen).groupby("is_risen")
    }
    for window in ("after", "before"):
        told = cells[window, True]
        assert shop.said(f"repeat_rate_{window}_price_rise") == {None: (int(told.sum()), len(told))}
        assert len(told) > 50
    [(change, low, high, customers)] = shop.rows(
        "select metric_value, ci_low, ci_high, count_customers from warehouse.marts.loyalty_metrics "
        "where metric = 'repeat_rate_change_after_price_rise'"
    )
    signs = {("after", True): 1, ("before", True): -1, ("after", False): -1, ("before", False): 1}
    assert change == pytest.approx(sum(sign * cells[cell].mean() for cell, sign in signs.items()))
    assert customers == len(cells["after", True])
    influence = pd.concat(
        [sign * (cells[cell] - cells[cell].mean()) / len(cells[cell]) for cell, sign in signs.items()]
    )
    parts = influence.groupby(level=0).sum()
    error = np.sqrt((parts**2).sum() * len(parts) / (len(parts) - 1))
    assert (high - low) / 2 == pytest.approx(1.959964 * error, rel=1e-4)


def risen_products(shop: KnownShop, lines: pd.DataFrame, rise: pd.Timestamp) -> set[str]:
    """Products whose list price rises that day and that were sold, or listed anew, on enough days on either side."""
    prices = pd.read_csv(shop.root / "deliveries" / "product_prices.csv", parse_dates=["valid_from"])
    dearer = prices.sort_values("valid_from").groupby("product_id")["list_price"].agg(["first", "last"])
    changed = set(dearer[dearer["last"] >= 1.05 * dearer["first"]].index)
    assert changed == set(prices.loc[prices["valid_from"].eq(rise), "product_id"])
    days = pd.concat(
        [lines[["product_id", "day"]], prices.rename(columns={"valid_from": "day"})[["product_id", "day"]]]
    ).drop_duplicates()
    sides = [days[days["day"].ge(begin) & days["day"].lt(begin + WINDOW)] for begin in (rise - WINDOW, rise)]
    often = [set(side["product_id"].value_counts().loc[lambda count: count >= SALE_DAYS].index) for side in sides]
    return changed & often[0] & often[1]


def returned(lines: pd.DataFrame, days: pd.DataFrame, begin: pd.Timestamp, risen: set[str]) -> pd.DataFrame:
    """By customer who bought in the window from `begin`: something that rises, and whether back in the next window."""
    end = begin + WINDOW
    bought = lines[lines["day"].ge(begin) & lines["day"].lt(end)]
    told = bought.assign(is_risen=bought["product_id"].isin(risen)).groupby("customer_key")[["is_risen"]].any()
    back = days.loc[days["day"].ge(end) & days["day"].lt(end + WINDOW), "customer_key"]
    return told.assign(back=told.index.isin(back).astype(int))
