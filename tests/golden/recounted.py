"""Every metric that the public shops tell, counted anew: a table of metric, rows, and how figures come from them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
from adding_up import Tell, add_up, beside_others, mean, median_open, odds, over_months, ratio, wilson
from metric_rows import (
    Rows,
    around_rises,
    came_back_soon,
    of_answers,
    of_bought,
    of_customers,
    of_gaps,
    of_kinds,
    of_loyal,
    of_months,
    of_orders,
    of_scores,
    of_tenure,
    of_window,
    over_rises,
)
from tidy_lifecycle import standing
from tidy_periods import LONG, periods
from tidy_shops import PARTS, WINDOW, TidyShop

from dagster_project.settings import PROJECT_ROOT

OF_ORDERS = ("channel", "device", "country", "product_kind")
STAYING = (*OF_ORDERS, "acquisition_channel", "acquisition_cohort")
"""Splits by what a customer began with."""
STANDING = ("rfm_segment", "loyalty", "tier")
"""Splits by how a customer stood on the day before the trailing window, and told for it alone."""
SPLITS = (*STAYING, *STANDING)
OF_ANSWERS = ("survey_channel", "language", *SPLITS)
BY_TENURE = ("tenure_month",)
"""Told for the parts alone."""
ALIKE = {"survey_channel": "email", "language": "pt", "device": "unknown"}
"""What these files say alike of all answers and orders, or of none."""


@dataclass(frozen=True)
class Recount:
    """How a metric is counted anew.

    Attributes:
        rows: of a shop.
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


per_customer = partial(of_bought, below="#True")
CLASSIC = "#active and not is_new"

RECOUNTED: dict[str, Recount] = {
    "repeat_purchase_rate": Recount(of_customers("#count >= 2", mature=False), wilson),
    "repeat_purchase_rate_within_window": Recount(came_back_soon, wilson),
    "purchase_frequency": Recount(per_customer("active", "#occasions", kinds="trailing_window"), mean, SPLITS),
    "purchase_frequency_per_year": Recount(
        of_bought("active", "#occasions", "#days_observed", "trailing_window"), ratio, SPLITS, 365
    ),
    "abandonment_rate": Recount(of_customers("#lapses", "#days_known"), ratio, scale=365),
    "upsell_ratio": Recount(of_kinds("#kinds >= 2", "#kinds == 1"), odds, SPLITS),
    "multi_kind_share": Recount(of_kinds("#kinds >= 2", "#True"), wilson, SPLITS),
    "average_order_value": Recount(of_orders, mean, OF_ORDERS),
    "retention_rate": Recount(per_customer("before", "#active"), wilson, SPLITS, compares=True),
    "churn_rate": Recount(per_customer("before", "#not active"), wilson, SPLITS, compares=True),
    "retention_rate_classic": Recount(of_bought("before or active", CLASSIC, "#before"), wilson, SPLITS, compares=True),
    "reactivated_customer_share": Recount(
        per_customer("active", "#not before and not is_new"), wilson, SPLITS, compares=True
    ),
    "revenue_churn_rate": Recount(of_bought("before", "net_before - net", "net_before"), ratio, SPLITS, compares=True),
    "mean_days_since_last_order": Recount(of_customers("#days_silent"), mean),
    "net_per_active_customer": Recount(per_customer("active", "net"), mean, SPLITS),
    "loyal_share": Recount(of_loyal, wilson),
    "loyal_customer_spend": Recount(of_window(lambda before: before["is_loyal"]), mean, compares=True),
    "other_customer_spend": Recount(
        of_window(lambda before: ~before["is_loyal"] & (before["silent"] < WINDOW.days)), mean, compares=True
    ),
    "first_year_customer_spend": Recount(
        of_bought("active and is_new", "net", "#days_observed", "trailing_window"), ratio, scale=365
    ),
    "margin_by_tenure": Recount(of_tenure, mean, BY_TENURE),
    "full_price_repeat_share": Recount(of_bought("active", "#full_price_again", "#orders_again", LONG), ratio, SPLITS),
    "repeat_rate_after_price_rise": Recount(around_rises(is_after=True), ratio, splits=()),
    "repeat_rate_before_price_rise": Recount(around_rises(is_after=False), ratio, splits=()),
    "repeat_rate_change_after_price_rise": Recount(over_rises, beside_others, splits=()),
    "repeat_revenue_share": Recount(of_bought("active", "net_again", "net", LONG), ratio, SPLITS),
    "revenue_variation": Recount(of_months, over_months, SPLITS),
    "purchase_gap_median_days": Recount(of_gaps, median_open, SPLITS),
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
    """The figures of a metric in every period and part, those in ten-thousandths that it divides among them.

    Columns: segment_type, segment, period, start, numerator, denominator, value, low, high, is_mature.
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
        return pd.Categorical(rows[split])
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
    return parts.apply(lambda part: pd.Categorical(part, pd.unique(pd.concat([part, pd.Series(["unknown"])]))))


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
