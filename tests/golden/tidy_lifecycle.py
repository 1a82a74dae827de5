"""Where customers of a tidy shop stand at the end of a day: pace, life cycle, RFM and loyalty scores, told by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from statistics import median

import numpy as np
import pandas as pd
from tidy_shops import PARTS, WINDOW, TidyShop

DAY = pd.Timedelta(days=1)
EXPECTED_OF_A_YOUNG_SHOP = 90
"""Days until the next order, as long as the shop knows fewer than thirty gaps."""


@cache
def gaps_of_months(shop: TidyShop) -> dict[pd.Period, float]:
    """The lower median of all gaps that had closed when a month began, by month."""
    closing = shop.occasions.assign(gap=shop.occasions.groupby("customer")["day"].diff().dt.days).dropna(subset="gap")
    by_month = closing.groupby(closing["day"].dt.to_period("M"))["gap"].agg(Counter)
    known: Counter[float] = Counter()
    found = {}
    for month in pd.period_range(shop.occasions["day"].min(), shop.as_of, freq="M"):
        total = sum(known.values())
        passed = np.cumsum([known[gap] for gap in sorted(known)])
        enough = total >= 30
        found[month] = sorted(known)[int(np.argmax(passed * 2 >= total))] if enough else EXPECTED_OF_A_YOUNG_SHOP
        known.update(by_month.get(month, {}))
    return found


@cache
def paced(shop: TidyShop) -> pd.DataFrame:
    """Occasions with what was known at each: the gap to expect, comebacks so far, whether a loyal pace is kept."""
    table = shop.occasions.assign(shop_gap=shop.occasions["day"].dt.to_period("M").map(gaps_of_months(shop)))
    often = table[table["customer"].duplicated(keep=False)]
    told = [
        row
        for _, history in often.groupby("customer", sort=False)
        for row in _pace_of(history["day"].to_list(), history["shop_gap"].to_list())
    ]
    columns = ["own_gap", "expected_gap", "count_win_backs", "last_win_back", "keeps_pace", "kept_since", "loyal_since"]
    table = table.join(pd.DataFrame(told, columns=columns, index=often.index))
    once = {"expected_gap": table["shop_gap"], "count_win_backs": 0, "keeps_pace": False}
    return table.fillna(once).astype({"keeps_pace": bool})


def _pace_of(days: list[pd.Timestamp], shop_gaps: list[float]) -> Iterator[tuple[object, ...]]:
    gaps: list[int] = []
    expected = win_backs = 0.0
    last_win_back, keeps_pace = pd.NaT, False
    for place, (day, shop_gap) in enumerate(zip(days, shop_gaps, strict=True)):
        three_ago = days[place - 2] if place >= 2 else pd.NaT
        if place:
            gap = (day - days[place - 1]).days
            gaps.append(gap)
            if gap > 3 * expected:
                win_backs, last_win_back = win_backs + 1, day
            if place >= 2 and (day - three_ago) < WINDOW:
                keeps_pace = True
            elif gap > 1.5 * expected or (place >= 2 and (day - three_ago) > WINDOW):
                keeps_pace = False
        own = median(gaps) if gaps else np.nan
        expected = (len(gaps) * own + 3 * shop_gap) / (len(gaps) + 3) if len(gaps) >= 3 else shop_gap
        yield own, expected, win_backs, last_win_back, keeps_pace, days[place - 1] if place else pd.NaT, three_ago


@cache
def standing(shop: TidyShop, date: pd.Timestamp) -> pd.DataFrame:
    """Customers by the end of a day: state, loyalty, lapses, the three RFM scores. Nobody here is a detractor."""
    known = paced(shop)[paced(shop)["day"] <= date].groupby("customer").tail(1).set_index("customer")
    silent = (date - known["day"]).dt.days
    states = {
        "new": (known["number"] == 1) & (silent <= 30),
        "lapsed": silent > 3 * known["expected_gap"],
        "at_risk": silent > 1.5 * known["expected_gap"],
        "won_back": date - known["last_win_back"] <= 90 * DAY,
        "early": known["number"] <= 2,
        "loyal": known["keeps_pace"] & (date - known["kept_since"] < WINDOW),
    }
    recent = shop.occasions[(shop.occasions["day"] <= date) & (date - shop.occasions["day"] < WINDOW)]
    in_window = recent.groupby("customer")["net"].agg(["size", "sum"]).reindex(known.index).fillna(0)
    return known.assign(
        silent=silent,
        state=np.select([*states.values()], [*states], default="developing"),
        is_loyal=(date - known["loyal_since"] < WINDOW) & (silent <= 1.5 * known["own_gap"]),
        count_lapses=known["count_win_backs"] + states["lapsed"],
        occasions_in_window=in_window["size"].astype("int64"),
        net_in_window=in_window["sum"].astype("int64"),
        recency_score=quintile(-silent),
        frequency_score=quintile(in_window["size"]),
        monetary_score=quintile(in_window["sum"]),
    )


def quintile(values: pd.Series) -> pd.Series:
    """1 for the least, 5 for the most; equals share the score of the least of them."""
    share_below = (values.rank(method="min") - 1) / max(len(values) - 1, 1)
    return (1 + np.floor(5 * share_below)).clip(upper=5).astype(int)


@cache
def scores(shop: TidyShop) -> pd.DataFrame:
    """The three pillars on 0 to 100, null where nothing is known, and the mean of those that are."""
    now = standing(shop, shop.as_of)
    silence = 1 - (now["silent"] / now["expected_gap"] / 3).clip(0, 1)
    often = (now["occasions_in_window"] / 6).clip(0, 1)
    recent = shop.answers[shop.answers["day"] > shop.as_of - WINDOW].dropna(subset="customer")
    stars = recent.sort_values(["at", "key"]).groupby("customer")["stars"].last().reindex(now.index)
    pillars = pd.DataFrame(
        {
            "behavioural": 100 * (silence + often) / 2,
            "emotional": 25 * (stars.astype(float) - 1),
            "financial": 100 * (now["net_in_window"] / PARTS / 500).clip(0, 1),
        }
    )
    return pillars.assign(overall=pillars.mean(axis=1), coverage=pillars.notna().mean(axis=1))
