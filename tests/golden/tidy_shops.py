"""The three public shops as tidy pandas tables, straight from their files: nothing of our SQL, nothing of our marts.

What counts is told by the published definitions alone. Amounts are whole ten-thousandths of the currency, so that sums
are exact. Days are those of the files, whose times are the shops' own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
import pandas as pd
from real_data import data_folder

PARTS = 10_000
"""Parts of one unit of currency."""
WINDOW = pd.Timedelta(days=365)
COUNTRIES = {
    "United Kingdom": "GB", "EIRE": "IE", "Germany": "DE", "France": "FR", "Netherlands": "NL", "Spain": "ES",
    "Switzerland": "CH", "Belgium": "BE", "Portugal": "PT", "Australia": "AU", "Italy": "IT", "Norway": "NO",
    "Sweden": "SE", "Cyprus": "CY", "Finland": "FI", "Austria": "AT", "Denmark": "DK", "Greece": "GR", "Japan": "JP",
    "USA": "US", "Poland": "PL", "United Arab Emirates": "AE", "Singapore": "SG", "Israel": "IL", "Malta": "MT",
    "Iceland": "IS", "Canada": "CA", "Hong Kong": "HK", "RSA": "ZA", "Malaysia": "MY", "Brazil": "BR",
    "Bahrain": "BH", "Bermuda": "BM", "Korea": "KR", "Lithuania": "LT", "Thailand": "TH", "Lebanon": "LB",
    "Nigeria": "NG", "Czech Republic": "CZ", "Saudi Arabia": "SA",
}  # fmt: skip
"""ISO 3166 codes of the names in Online Retail II; the Channel Islands, West Indies and the like have none there."""
NOT_ITEMS = {
    "POST": "shipping",
    "DOT": "shipping",
    "C2": "shipping",
    "C3": "shipping",
    "D": "discount",
} | dict.fromkeys(("BANK CHARGES", "AMAZONFEE", "CRUK", "B", "ADJUST", "ADJUST2", "S"), "fee")
"""Stock codes of Online Retail II that are no goods; manual lines (M) are."""


@dataclass(frozen=True, eq=False)
class TidyShop:
    """A shop by its as-of day.

    Attributes:
        as_of: the last day that is seen.
        channel: through which all is sold.
        orders: one row per order, indexed by its id: customer (a number; null: a guest), at, day, gross, refunded, net,
            discount, count_lines, country, and reason (null: the order counts).
        lines: one row per line of goods: order, day, product, goods (its kind), quantity, price, amount.
        refunds: one row per refund: order (null: none is known), customer, day, amount.
        answers: one row per answer: key, customer, order, at, day, stars.
    """

    as_of: pd.Timestamp
    channel: str
    orders: pd.DataFrame
    lines: pd.DataFrame
    refunds: pd.DataFrame
    answers: pd.DataFrame

    @cached_property
    def revenue(self) -> pd.DataFrame:
        """Orders that count as revenue, those of guests too."""
        return self.orders[self.orders["reason"].isna() | (self.orders["reason"] == "guest_unlinked")]

    @cached_property
    def valid(self) -> pd.DataFrame:
        """Orders that count for known customers, with the number of their day among the customer's days."""
        valid = self.orders[self.orders["reason"].isna()].astype({"customer": "int64"})
        days = valid[["customer", "day"]].drop_duplicates().sort_values(["customer", "day"])
        days["number"] = days.groupby("customer").cumcount() + 1
        return valid.reset_index().merge(days, on=["customer", "day"]).set_index("order")

    @cached_property
    def occasions(self) -> pd.DataFrame:
        """One row per customer and day with a valid order: number, net, count of orders, the next such day."""
        table = self.valid.groupby(["customer", "day"]).agg(
            number=("number", "first"), net=("net", "sum"), count_orders=("net", "size")
        )
        table = table.reset_index()
        table["next_day"] = table.groupby("customer")["day"].shift(-1)
        return table

    @cached_property
    def customers(self) -> pd.DataFrame:
        """One row per customer with a valid order: first, second and last day, count of days, how they began."""
        days = self.occasions.groupby("customer")["day"]
        first_orders = self.valid.sort_values(["at", "order"]).groupby("customer").head(1).reset_index()
        first_orders = first_orders.set_index("customer")
        return pd.DataFrame(
            {
                "first": days.min(),
                "second": self.occasions[self.occasions["number"] == 2].set_index("customer")["day"],
                "last": days.max(),
                "count": days.size(),
                "country": first_orders["country"].fillna("unknown"),
                "product_kind": first_orders["order"].map(self.main_kinds).fillna("unknown"),
            }
        )

    @cached_property
    def main_kinds(self) -> pd.Series:
        """The kind that most of an order's goods were paid for, by order; of equals the first by name."""
        sums = self.lines.dropna(subset="goods").groupby(["order", "goods"])["amount"].sum().reset_index()
        return sums.sort_values(["amount", "goods"], ascending=[False, True]).groupby("order")["goods"].first()


def ten_thousandths(texts: pd.Series) -> pd.Series:
    """Amounts as they are written, in whole ten-thousandths."""
    return (texts.astype(float) * PARTS).round().astype("int64")


def judged(orders: pd.DataFrame, reasons: dict[str, pd.Series]) -> pd.DataFrame:
    """Orders with the net and the one reason for which each does not count, the first that holds.

    Args:
        orders: customer, gross and refunded are read.
        reasons: what this shop knows of before anything is said of amounts: reason to whether it holds.
    """
    orders = orders.assign(net=orders["gross"] - orders["refunded"])
    every = reasons | {
        "zero_value": orders["gross"] <= 0,
        "fully_refunded": orders["net"] <= 0,
        "guest_unlinked": orders["customer"].isna(),
    }
    found = np.select([holds.to_numpy(bool) for holds in every.values()], [*every], default="")
    return orders.assign(reason=pd.Series(found, index=orders.index).replace("", None))


NO_REFUNDS = pd.DataFrame(
    {"order": [], "customer": [], "day": pd.to_datetime([]), "amount": pd.Series([], dtype="int64")}
)
NO_ANSWERS = pd.DataFrame(columns=["key", "customer", "order", "at", "day", "stars"]).astype({"day": "datetime64[us]"})


def read_as(texts: pd.Series, meaning: Callable[[str], object]) -> pd.Series:
    """What texts in categories mean, each read once."""
    codes, meanings = pd.factorize(pd.Series([meaning(text) for text in texts.cat.categories], dtype=object))
    return pd.Series(pd.Categorical.from_codes(np.append(codes, -1)[texts.cat.codes], meanings), texts.index)


def olist_files() -> dict[str, pd.DataFrame]:
    """Olist's files as texts, by the middle of their names."""
    folder = data_folder("olist")
    names = ("orders", "order_items", "customers", "order_reviews", "products")
    files = {name: pd.read_csv(folder / f"olist_{name}_dataset.csv.gz", dtype=str) for name in names}
    return files | {"names": pd.read_csv(folder / "product_category_name_translation.csv.gz", dtype=str)}


def olist() -> TidyShop:
    """The customer is `customer_unique_id`; an order without items is worth nothing; nothing is paid back."""
    files = olist_files()
    numbers = pd.factorize(files["customers"]["customer_unique_id"])[0]
    people = pd.Series(numbers, files["customers"]["customer_id"])
    english = files["names"].set_index("product_category_name")["product_category_name_english"]
    categories = files["products"].set_index("product_id")["product_category_name"]
    kinds = categories.map(english).fillna(categories)
    orders = files["orders"].rename(columns={"order_id": "order"}).set_index("order")
    orders["customer"] = orders["customer_id"].map(people)
    orders["at"] = pd.to_datetime(orders["order_purchase_timestamp"])
    orders["day"] = orders["at"].dt.normalize()
    items = files["order_items"].rename(columns={"order_id": "order", "product_id": "product"})
    items["amount"] = items["price"] = ten_thousandths(items["price"])
    items["goods"], items["quantity"], items["day"] = items["product"].map(kinds), 1, items["order"].map(orders["day"])
    orders["gross"] = items.groupby("order")["amount"].sum()
    orders["count_lines"] = items.groupby("order").size()
    orders = orders.fillna({"gross": 0, "count_lines": 0}).astype({"gross": "int64", "count_lines": "int64"})
    orders = judged(
        orders.assign(refunded=0, discount=0, country="BR"),
        {"cancelled": orders["order_status"].isin(["canceled", "unavailable"])},
    )
    reviews = files["order_reviews"]
    at = pd.to_datetime(reviews["review_answer_timestamp"].fillna(reviews["review_creation_date"]))
    answers = pd.DataFrame(
        {
            "key": "olist:" + reviews["review_id"] + "-" + reviews["order_id"],
            "customer": reviews["order_id"].map(orders["customer"]),
            "order": reviews["order_id"],
            "at": at,
            "day": at.dt.normalize(),
            "stars": reviews["review_score"].astype(int),
        }
    ).dropna(subset="at")
    return TidyShop(pd.Timestamp("2018-10-29"), "marketplace", orders, items, NO_REFUNDS, answers)


@cache
def invoice_lines() -> pd.DataFrame:
    """Online Retail II's lines with exact amounts, the second sheet's copies of the first left out."""
    folder = data_folder("online_retail")
    names = ["Invoice", "StockCode", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
    types = dict.fromkeys(names, "category") | {"Quantity": "int64"}  # a tenth of the time that texts take
    table = pd.read_csv(folder / "online_retail_II.csv.gz", dtype=types, usecols=names, keep_default_na=False)
    table["at"] = pd.to_datetime(table["InvoiceDate"])
    table["amount"] = table["Quantity"] * ten_thousandths(table["Price"])
    falls_back = table["at"].diff() < pd.Timedelta(0)
    assert falls_back.sum() == 1
    in_second = falls_back.cumsum() == 1
    overlap = np.intersect1d(table.loc[in_second, "Invoice"].unique(), table.loc[~in_second, "Invoice"].unique())
    return table[~(in_second & table["Invoice"].isin(overlap))]


def online_retail() -> TidyShop:
    """An invoice is an order; a cancellation is paid back on the invoice that it fits, if on any."""
    file = invoice_lines()
    lines = pd.DataFrame(
        {
            "order": file["Invoice"],
            "customer": read_as(file["Customer ID"], lambda text: float(text or "nan")).astype(float),
            "country": read_as(file["Country"], COUNTRIES.get),
            "at": file["at"],
            "day": file["at"].dt.normalize(),
            "product": read_as(file["StockCode"], lambda code: code.strip().upper()),
            "quantity": file["Quantity"],
            "price": ten_thousandths(file["Price"]),
            "amount": file["amount"],
        }
    )
    lines["stands_for"], lines["goods"] = read_as(lines["product"], lambda code: NOT_ITEMS.get(code, "item")), None
    is_cancellation = lines["order"].str.startswith("C")
    sold, cancelled = lines[~is_cancellation], lines[is_cancellation]
    refunds = paid_back(cancelled, sold)
    orders = sold.groupby("order").agg(
        customer=("customer", "max"), at=("at", "min"), country=("country", "first"), count_lines=("amount", "size")
    )
    by_order = sold.assign(
        is_test=sold["product"].str.startswith("TEST"), is_gift=sold["product"].str.startswith("GIFT")
    ).groupby("order")
    sums = sold.pivot_table(index="order", columns="stands_for", values="amount", aggfunc="sum", fill_value=0)
    orders["day"] = orders["at"].dt.normalize()
    orders["discount"] = -sums["discount"]
    orders["gross"] = sums["item"] + sums["discount"]
    orders["refunded"] = refunds.groupby("order")["amount"].sum()
    orders["refunded"] = orders["refunded"].fillna(0).astype("int64")
    latest = lines.sort_values(["at", "order"]).dropna(subset="customer").groupby("customer").tail(1)
    orders["country"] = (
        orders["country"].astype(object).fillna(orders["customer"].map(latest.set_index("customer")["country"]))
    )
    orders = judged(
        orders,
        {
            "test": by_order["is_test"].any(),
            "adjustment": orders.index.to_series().str.startswith("A"),
            "gift_card": by_order["is_gift"].all(),
        },
    )
    orders.index = orders.index.astype(str)
    goods = sold[(sold["stands_for"] == "item") & (sold["product"] != "M") & ~sold["product"].str.startswith("GIFT")]
    return TidyShop(pd.Timestamp("2011-12-09"), "web", orders, goods, refunds, NO_ANSWERS)


def paid_back(cancelled: pd.DataFrame, sold: pd.DataFrame) -> pd.DataFrame:
    """Cancelled lines with the order that each takes back: the customer's latest earlier one that it fits.

    Postage and fees are no part of what an order brought, so they take nothing off it.
    """
    cancelled = cancelled.reset_index(names="line")
    goods = cancelled[~cancelled["stands_for"].isin(["shipping", "fee"])].dropna(subset="customer")
    pairs = goods.merge(sold, on=["customer", "product", "price"], suffixes=("", "_sold"))
    fits = (pairs["at_sold"] <= pairs["at"]) & (-pairs["quantity"] <= pairs["quantity_sold"])
    nearest = pairs[fits].sort_values(["at_sold", "order_sold"]).groupby("line")["order_sold"].last()
    return pd.DataFrame(
        {
            "order": cancelled["line"].map(nearest),
            "customer": cancelled["customer"],
            "day": cancelled["day"],
            "amount": -cancelled["amount"],
            "stands_for": cancelled["stands_for"],
        }
    )


def cdnow() -> TidyShop:
    """Each row of the sample is an order; customers are known by the first of its two numbers."""
    path = data_folder("cdnow") / "CDNOW_sample.txt"
    table = pd.read_csv(path, sep=r"\s+", header=None, dtype=str, names=["customer", "sample", "day", "cds", "dollars"])
    table["order"] = table["customer"] + "-" + (table.index + 1).astype(str)
    table["customer"] = table["customer"].astype("int64")
    table["at"] = table["day"] = pd.to_datetime(table["day"])
    table["gross"] = ten_thousandths(table["dollars"])
    orders = judged(table.set_index("order").assign(refunded=0, discount=0, count_lines=1, country="US"), {})
    goods = table.assign(product="cd", goods=None, quantity=table["cds"].astype(int), amount=table["gross"])
    goods["price"] = (goods["amount"] / goods["quantity"]).round()
    return TidyShop(pd.Timestamp("1998-06-30"), "web", orders, goods, NO_REFUNDS, NO_ANSWERS)


SHOPS: dict[str, Callable[[], TidyShop]] = {"olist": olist, "online_retail": online_retail, "cdnow": cdnow}


@cache
def tidy(shop: str) -> TidyShop:
    """The tables of a shop, read once a process."""
    return SHOPS[shop]()
