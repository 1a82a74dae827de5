"""Every metric that the public shops tell, counted anew: metric, rows, and how figures come from them.

Rows are one per customer, order, answer or gap and period: y above the line, x below it, in ten-thousandths.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
from adding_up import Z, Tell, add_up, mean, median_open, odds, over_months, plain, ratio, wilson
from tidy_lifecycle import DAY, paced, scores, standing
from tidy_periods import LONG, bought, in_lifetime, periods, placed
from tidy_shops import PARTS, WINDOW, TidyShop

from dagster_project.settings import PROJECT_ROOT

Rows = Callable[[TidyShop], pd.DataFrame]

OF_ORDERS = ("channel", "device", "country", "product_kind")
STAYING = (*OF_ORDERS, "acquisition_channel", "acquisition_cohort")
"""Splits by what a customer began with."""
STANDING = ("rfm_segment", "loyalty", "tier")
"""Splits by how a customer stood on the day before the trailing window, and told for it alone."""
OF_ANSWERS = ("survey_channel", "language", *STAYING, *STANDING)
BY_TENURE = ("tenure_month",)
"""Told for the parts alone."""
ALIKE = {"survey_channel": "email", "language": "pt", "device": "unknown"}
"""What these files say alike of all answers and orders, or of none."""
REPEAT_WINDOW = 90
LATE = 7
MARGIN = (3, 10)
BACK = f"second <= first + {REPEAT_WINDOW}"


@dataclass(frozen=True)
class Recount:
    """How a metric is counted anew.

    Attributes:
        rows: of a shop; None where it has none to tell of.
        tell: how figures come from rows.
        splits: that it is told for.
        scale: of values and bounds.
        compares: whether it is mature only where the period before is.
    """

    rows: Rows
    tell: Tell
    splits: tuple[str, ...] = STAYING
    scale: float = 1
    compares: bool = False


# -- rows ----------------------------------------------------------------------------------------------------------


def count(holds: pd.Series) -> pd.Series:
    """What holds, or is counted, in ten-thousandths."""
    return holds.astype("int64") * PARTS


def of_bought(chosen: str, above: str, below: str, kinds: str = "month quarter trailing_window") -> Rows:
    """Of the chosen customers of a period, one column and another; names of counts begin with #, those of money do not."""

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
    """Of all customers, one column and another, as of the night; not mature where a second purchase is still awaited."""

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
        return in_lifetime(shop, table.reset_index(names="customer"))

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
    rows = shop.revenue.reset_index().assign(channel=shop.channel)
    rows["product_kind"] = rows["order"].map(shop.main_kinds).fillna("unknown")
    return placed(shop, rows, f"day {LONG}").assign(y=lambda found: found["net"], x=PARTS)


def of_kinds(above: str, below: str) -> Rows:
    """Of customers by period, of how many kinds of goods they bought."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        lines = shop.lines.dropna(subset="goods").merge(shop.valid[["customer"]], left_on="order", right_index=True)
        lines = lines.drop_duplicates(["customer", "day", "goods"])
        lines = placed(shop, lines, "trailing_window lifetime")
        table = lines.groupby(["place", "period", "customer"])["goods"].nunique().reset_index(name="kinds")
        return table.assign(y=_column(table, above), x=_column(table, below))

    return rows


def of_window(chosen: Callable[[pd.DataFrame], pd.Series]) -> Rows:
    """Of customers chosen by how they stood on the day before the trailing window, what they spent in it."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        before = standing(shop, shop.as_of - WINDOW)
        window = bought(shop).query("period == 'trailing_window'").set_index("customer")
        spent = window["net"].reindex(before.index[chosen(before)], fill_value=0)
        return spent.rename("y").reset_index().assign(x=PARTS, period="trailing_window", place=1)

    return rows


def of_loyal(shop: TidyShop) -> pd.DataFrame:
    """Of the customers of the trailing window, those who are loyal as of the night."""
    rows = bought(shop).query("period == 'trailing_window' and active")
    return rows.assign(y=count(rows["customer"].map(standing(shop, shop.as_of)["is_loyal"])), x=PARTS)


def of_months(shop: TidyShop) -> pd.DataFrame:
    """Spending in the complete months of the trailing window, beside all customers of the window."""
    window = bought(shop).query("period == 'trailing_window' and active")
    months = bought(shop).query("period == 'month' and active")
    months = months[months["start"] >= window["start"].iloc[0]]
    told = periods(shop).query("period == 'month'")["start"]
    told = told[told >= window["start"].iloc[0]]
    rows = pd.concat([window.assign(start=pd.NaT, y=0), months.assign(y=months["net"])])
    return rows.assign(month=pd.Categorical(rows["start"], told), x=0, period="trailing_window", place=1)


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
    margin = (rows["net"] * MARGIN[0] * 2 + MARGIN[1]) // (MARGIN[1] * 2)
    return in_lifetime(shop, rows.assign(y=margin, x=PARTS, tenure_month=since.astype(str)))


def of_scores(pillar: str) -> Rows:
    """Of customers who have it, a score."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        table = scores(shop)[pillar].dropna()
        table = pd.DataFrame({"y": np.rint(table * PARTS).astype("int64"), "x": PARTS})
        return in_lifetime(shop, table.reset_index(names="customer"))

    return rows


def of_answers(holds: str) -> Rows:
    """Of each customer's latest answer of a period, whether it has so many stars."""

    def rows(shop: TidyShop) -> pd.DataFrame:
        table = placed(shop, shop.answers.sort_values(["at", "key"]), LONG)
        table = table.drop_duplicates(["place", "customer"], keep="last")
        return table.assign(y=_column(table, holds), x=PARTS)

    return rows


share = partial(of_bought, below="#True")
CLASSIC = "#active and not is_new"

RECOUNTED: dict[str, Recount] = {
    "repeat_purchase_rate": Recount(of_customers("#count >= 2", mature=False), wilson),
    "repeat_purchase_rate_within_window": Recount(came_back_soon, wilson),
    "purchase_frequency": Recount(
        share("active", "#occasions", kinds="trailing_window"), mean, (*STAYING, *STANDING)
    ),
    "purchase_frequency_per_year": Recount(
        of_bought("active", "#occasions", "#days_observed", "trailing_window"), ratio, (*STAYING, *STANDING), 365
    ),
    "abandonment_rate": Recount(of_customers("#lapses", "#days_known"), ratio, scale=365),
    "upsell_ratio": Recount(of_kinds("#kinds >= 2", "#kinds == 1"), odds, (*STAYING, *STANDING)),
    "multi_kind_share": Recount(of_kinds("#kinds >= 2", "#True"), wilson, (*STAYING, *STANDING)),
    "average_order_value": Recount(of_orders, mean, OF_ORDERS),
    "retention_rate": Recount(share("before", "#active"), wilson, (*STAYING, *STANDING), compares=True),
    "churn_rate": Recount(share("before", "#not active"), wilson, (*STAYING, *STANDING), compares=True),
    "retention_rate_classic": Recount(
        of_bought("before or active", CLASSIC, "#before"), wilson, (*STAYING, *STANDING), compares=True
    ),
    "reactivated_customer_share": Recount(
        share("active", "#not before and not is_new"), wilson, (*STAYING, *STANDING), compares=True
    ),
    "revenue_churn_rate": Recount(
        of_bought("before", "net_before - net", "net_before"), ratio, (*STAYING, *STANDING), compares=True
    ),
    "mean_days_since_last_order": Recount(of_customers("#days_silent"), mean),
    "net_per_active_customer": Recount(share("active", "net"), mean, (*STAYING, *STANDING)),
    "loyal_share": Recount(of_loyal, wilson),
    "loyal_customer_spend": Recount(of_window(lambda before: before["is_loyal"]), mean, compares=True),
    "other_customer_spend": Recount(
        of_window(lambda before: ~before["is_loyal"] & (before["silent"] < WINDOW.days)), mean, compares=True
    ),
    "first_year_customer_spend": Recount(
        of_bought("active and is_new", "net", "#days_observed", "trailing_window"), ratio, scale=365
    ),
    "margin_by_tenure": Recount(of_tenure, mean, BY_TENURE),
    "full_price_repeat_share": Recount(
        of_bought("active", "#full_price_again", "#orders_again", LONG), ratio, (*STAYING, *STANDING)
    ),
    "repeat_revenue_share": Recount(of_bought("active", "net_again", "net", LONG), ratio, (*STAYING, *STANDING)),
    "revenue_variation": Recount(of_months, over_months, (*STAYING, *STANDING)),
    "purchase_gap_median_days": Recount(of_gaps, median_open, (*STAYING, *STANDING)),
    "mean_days_buying": Recount(of_customers("#days_buying", "#count >= 2", mature=False), mean),
    "csat_share": Recount(of_answers("#stars >= 4"), wilson, OF_ANSWERS),
    "csat_dissatisfied_share": Recount(of_answers("#stars <= 2"), wilson, OF_ANSWERS),
    "behavioural_score": Recount(of_scores("behavioural"), mean),
    "emotional_score": Recount(of_scores("emotional"), mean),
    "financial_score": Recount(of_scores("financial"), mean),
    "loyalty_score": Recount(of_scores("overall"), mean),
    "loyalty_score_coverage": Recount(of_scores("coverage"), mean),
}
"""Metric to how it is counted anew."""

MULTIPLES = {
    "loyal_spend_multiple": ("loyal_customer_spend", "first_year_customer_spend"),
    "loyal_to_other_spend_multiple": ("loyal_customer_spend", "other_customer_spend"),
}
"""Metric to the two that it divides."""

# -- figures -------------------------------------------------------------------------------------------------------

KEYS = ["segment_type", "segment", "period", "start"]


@cache
def recounted(shop: TidyShop, metric: str) -> pd.DataFrame:
    """The figures of a metric: segment_type, segment, period, start, numerator, denominator, value, low, high, is_mature.

    Numerator and denominator are in ten-thousandths.
    """
    if metric in MULTIPLES:
        return _divided(*(recounted(shop, part) for part in MULTIPLES[metric]))
    recount = RECOUNTED[metric]
    rows = recount.rows(shop)
    told = [_figures(recount, rows, "all", pd.Categorical(["all"]).repeat(len(rows)))]
    for split in recount.splits:
        chosen = rows[rows["period"] == "trailing_window"] if split in STANDING else rows[rows["period"] != "day"]
        parts = part_of(shop, chosen, split)
        if parts.codes.min(initial=0) < parts.codes.max(initial=0):
            told.append(_figures(recount, chosen, split, parts))
        elif len(chosen):  # all in one part
            whole = told[0][told[0]["place"].isin(chosen["place"])]
            told.append(whole.assign(segment_type=split, segment=parts[0]))
    if recount.splits == BY_TENURE:
        del told[0]
    table = pd.concat(told, ignore_index=True).merge(periods(shop), on="place")
    table["is_mature"] = table["is_over"] & table["is_mature"] & (table["is_comparable"] | (not recount.compares))
    return table[[*KEYS, "numerator", "denominator", "value", "low", "high", "is_mature"]]


def _figures(recount: Recount, rows: pd.DataFrame, split: str, parts: pd.Categorical) -> pd.DataFrame:
    return add_up(rows, parts, recount.tell, recount.scale).assign(segment_type=split)


def part_of(shop: TidyShop, rows: pd.DataFrame, split: str) -> pd.Categorical:
    """The part of the shop that each row is in."""
    if split in rows:  # an order's own, or the tenure
        return pd.Categorical(rows[split].fillna("unknown"))
    if split in ALIKE:
        return pd.Categorical([ALIKE[split]]).repeat(len(rows))
    parts = customer_parts(shop)[split]
    places = parts.index.get_indexer(rows["customer"])
    return pd.Categorical.from_codes(
        np.where(places < 0, parts.cat.categories.get_loc("unknown"), parts.cat.codes.to_numpy()[places]),
        dtype=parts.dtype,
    )


@cache
def customer_parts(shop: TidyShop) -> pd.DataFrame:
    """The parts of the shop that each customer is in: what they began with, and how they stood before the window."""
    before = standing(shop, shop.as_of - WINDOW)
    first = shop.customers["first"]
    loyalty = before["is_loyal"].map({True: "loyal", False: "other"})
    middle = ((before["frequency_score"] + before["monetary_score"] + 1) // 2).to_list()
    segments = pd.Series(
        [rfm_names()[pair] for pair in zip(before["recency_score"], middle, strict=True)], before.index, dtype=object
    )
    parts = shop.customers[["country", "product_kind"]].assign(
        channel=shop.channel,
        acquisition_channel="unknown",
        tier="no_tier",
        acquisition_cohort=first.dt.year.astype(str) + "-Q" + first.dt.quarter.astype(str),
        loyalty=loyalty.reindex(first.index).fillna("first_order_since"),
        rfm_segment=segments.reindex(first.index).fillna("first_order_since"),
    )
    return parts.apply(lambda part: pd.Categorical(part, [*dict.fromkeys([*part, "unknown"])]))


@cache
def rfm_names() -> dict[tuple[int, int], str]:
    """The map of scores to segments, which is a definition: recency and the mean of the others, rounded up."""
    with (PROJECT_ROOT / "dbt_models" / "seeds" / "rfm_segment_map.csv").open(encoding="utf-8") as file:
        return {
            (int(row["recency_score"]), int(row["frequency_monetary_score"])): row["segment"]
            for row in csv.DictReader(file)
        }


def _divided(above: pd.DataFrame, below: pd.DataFrame) -> pd.DataFrame:
    """One metric over another, bounded by the delta method on logarithms."""
    both = above.merge(below, on=KEYS, suffixes=("", "_below"))
    both = both[both["value_below"] != 0]
    value = both["value"] / both["value_below"]
    spread = [(both[f"high{end}"] - both[f"low{end}"]) / both[f"value{end}"] for end in ("", "_below")]
    factor = np.exp(np.hypot(*spread) / 2)
    return both[KEYS].assign(
        numerator=np.rint(both["value"] * PARTS),
        denominator=np.rint(both["value_below"] * PARTS),
        value=value,
        low=value / factor,
        high=value * factor,
        is_mature=both["is_mature"] & both["is_mature_below"],
    )
