"""The rows of metrics: one per customer, order, answer or gap and period, from the tidy tables of a shop.

y stands above the line and x below it, both in ten-thousandths. What is made of them is told in `recounted.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from tidy_lifecycle import scores, standing
from tidy_periods import LONG, bought, in_one, periods, placed
from tidy_prices import followed
from tidy_shops import PARTS, WINDOW, TidyShop

Rows = Callable[[TidyShop], pd.DataFrame]

REPEAT_WINDOW = 90
"""Days in which a second purchase is asked for."""
LATE = 7
"""Days that are waited for it beyond that."""


def count(holds: pd.Series) -> pd.Series:
    """What holds, or is counted, in ten-thousandths."""
    return holds.astype("int64") * PARTS


def margin(net: pd.Series) -> pd.Series:
    """Three tenths of amounts in ten-thousandths, rounded to whole ones."""
    return (net * 3 + 5) // 10


def of_bought(chosen: str, above: str, below: str, kinds: str = "month quarter trailing_window") -> Rows:
    """Of the chosen customers of a period, one column and another; # marks counts, as money is in ten-thousandths."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        table = bought(shop)
        table = table[table["period"].isin(kinds.split())].query(chosen)
        return table.assign(y=_column(table, above), x=_column(table, below))

    return rows


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    values = table.eval(name.removeprefix("#"))
    values = values if isinstance(values, pd.Series) else pd.Series(values, table.index)
    return count(values) if name.startswith("#") else values.astype("int64")


def of_customers(above: str, below: str = "#True", mature: bool = True) -> Rows:
    """Of all customers, one column and another; not mature while a second purchase is awaited, where that matters."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        first, last = shop.customers["first"], shop.customers["last"]
        known = (shop.as_of - first).dt.days
        table = shop.customers.assign(
            days_silent=(shop.as_of - last).dt.days,
            days_buying=(last - first).dt.days,
            days_known=known + 1,
            lapses=standing(shop, shop.as_of)["count_lapses"],
            open=(known <= REPEAT_WINDOW + LATE) & (not mature),
        )
        table = table.assign(y=_column(table, above), x=_column(table, below))
        return in_one("lifetime", table.reset_index(names="customer"))

    return rows


def came_back_soon(shop: TidyShop) -> pd.DataFrame:
    """Of customers by the period of their first day, those whose second came within the window that is over."""
    rows = shop.customers.assign(day=shop.customers["first"]).reset_index(names="customer")
    rows = placed(shop, rows, "month quarter lifetime")
    is_over = (shop.as_of - rows["first"]).dt.days > REPEAT_WINDOW + LATE
    is_back = (rows["second"] - rows["first"]).dt.days <= REPEAT_WINDOW
    return rows.assign(y=count(is_over & is_back), x=count(is_over), open=~is_over & (rows["period"] != "lifetime"))


def of_orders(shop: TidyShop) -> pd.DataFrame:
    """Orders that count as revenue, guests' too, with what is left of them."""
    orders = shop.revenue[["day", "net", "country"]].reset_index()
    kinds = orders["order"].map(shop.main_kinds)
    parts = pd.DataFrame({"channel": shop.channel, "country": orders["country"], "product_kind": kinds})
    rows = orders[["day", "net"]].join(parts.fillna("unknown").astype("category"))
    return placed(shop, rows, f"day {LONG}").assign(y=lambda found: found["net"], x=PARTS)


@cache
def kinds_bought(shop: TidyShop) -> pd.DataFrame:
    """One row per period and customer: of how many kinds of goods they bought."""
    lines = shop.lines.dropna(subset="goods").merge(shop.valid[["customer"]], left_on="order", right_index=True)
    lines = placed(shop, lines.drop_duplicates(["customer", "day", "goods"]), "trailing_window lifetime")
    return lines.groupby(["place", "period", "customer"])["goods"].nunique().reset_index(name="kinds")


def of_kinds(above: str, below: str) -> Rows:
    """Of customers who bought goods of a known kind, one count and another."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        table = kinds_bought(shop)
        return table.assign(y=_column(table, above), x=_column(table, below))

    return rows


def of_window(chosen: Callable[[pd.DataFrame], pd.Series]) -> Rows:
    """Of customers chosen by how they stood on the day before the trailing window, what they spent in it."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        before = standing(shop, shop.as_of - WINDOW)
        window = bought(shop).query("period == 'trailing_window'").set_index("customer")
        spent = window["net"].reindex(before.index[chosen(before)], fill_value=0)
        return in_one("trailing_window", spent.rename("y").reset_index().assign(x=PARTS))

    return rows


def of_loyal(shop: TidyShop) -> pd.DataFrame:
    """Of the customers of the trailing window, those who are loyal as of the night."""
    rows = bought(shop).query("period == 'trailing_window' and active")
    return rows.assign(y=count(rows["customer"].map(standing(shop, shop.as_of)["is_loyal"])), x=PARTS)


def of_months(shop: TidyShop) -> pd.DataFrame:
    """Spending in the complete months of the trailing window, beside all customers of the window."""
    window = bought(shop).query("period == 'trailing_window' and active")
    begin = window["start"].iloc[0]
    months = bought(shop).query("period == 'month' and active")
    months = months[months["start"] >= begin]
    told = periods(shop).query("period == 'month'")["start"]
    rows = pd.concat([window.assign(start=pd.NaT, y=0), months.assign(y=months["net"])])
    return in_one("trailing_window", rows.assign(month=pd.Categorical(rows["start"], told[told >= begin]), x=0))


def of_gaps(shop: TidyShop) -> pd.DataFrame:
    """Gaps from each purchase day to the next, or to the night; y is whether it has closed."""
    rows = placed(shop, shop.occasions, "trailing_window lifetime")
    return rows.assign(
        y=count(rows["next_day"].notna()), x=PARTS, length=(rows["next_day"].fillna(shop.as_of) - rows["day"]).dt.days
    )


def of_tenure(shop: TidyShop) -> pd.DataFrame:
    """Margin of customers in the complete months in which they bought, by months since their first."""
    rows = bought(shop).query("period == 'month' and active")
    first = rows["customer"].map(shop.customers["first"])
    since = (rows["start"].dt.year - first.dt.year) * 12 + rows["start"].dt.month - first.dt.month
    return in_one("lifetime", rows.assign(y=margin(rows["net"]), x=PARTS, tenure_month=since.astype(str)))


def of_scores(pillar: str) -> Rows:
    """Of customers who have it, a score."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        table = scores(shop)[pillar].dropna()
        table = pd.DataFrame({"y": np.floor(table * PARTS + 0.5).astype("int64"), "x": PARTS})
        return in_one("lifetime", table.reset_index(names="customer"))

    return rows


def over_rises(shop: TidyShop) -> pd.DataFrame:
    """Of buyers before rises of prices, and of others, who came back."""
    return in_one("lifetime", followed(shop))


def around_rises(is_after: bool) -> Rows:
    """Of customers who bought what was to rise, how often, and after how many of these they came back."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        table = followed(shop)
        risen = table[table["is_risen"] & (table["is_after"] == is_after)].groupby("customer")["is_back"]
        table = pd.DataFrame({"y": count(risen.sum()), "x": count(risen.size())})
        return in_one("lifetime", table.reset_index())

    return rows


@cache
def latest_answers(shop: TidyShop) -> pd.DataFrame:
    """Each customer's latest answer of each period."""
    table = placed(shop, shop.answers.sort_values(["at", "key"]), LONG)
    return table.drop_duplicates(["place", "customer"], keep="last")


def of_answers(holds: str) -> Rows:
    """Of each customer's latest answer of a period, whether it has so many stars."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        return latest_answers(shop).assign(y=_column(latest_answers(shop), holds), x=PARTS)

    return rows
