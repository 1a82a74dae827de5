"""Every metric that the public shops tell equals a recount of their files in pandas, to the cent and to the row.

All periods and all splits, with numerator, denominator, value, interval and maturity.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pandas as pd
import pytest
from real_shops import OpenNight
from recounted import MULTIPLES, RECOUNTED, recounted
from same_rows import assert_same
from tidy_shops import SHOPS, tidy

SCORES = ("behavioural_score", "emotional_score", "financial_score", "loyalty_score", "loyalty_score_coverage")
ROUNDED = dict.fromkeys(SCORES, 1e-6) | {"repeat_rate_change_after_price_rise": 1e-5}
"""How far off metrics may be whose fractions are rounded before they are added up, so that order does not matter."""
PRICE_RISES = {name for name in RECOUNTED if "price_rise" in name}
UNTOLD = {
    "olist": {"full_price_repeat_share"},
    "online_retail": {"upsell_ratio", "multi_kind_share", "csat_share", "csat_dissatisfied_share", "emotional_score"},
    "cdnow": {
        "upsell_ratio", "multi_kind_share", "csat_share", "csat_dissatisfied_share", "emotional_score",
        "full_price_repeat_share", "first_year_customer_spend", "loyal_spend_multiple", *PRICE_RISES,
    },
}  # fmt: skip
"""What a shop's files say nothing of: kinds of goods, answers, discounts; nobody who came new in the last year."""

BOUNDS = {"low": "value", "high": "value"}
"""Where all are alike, rounding leaves something of their variance."""

every_shop = pytest.mark.parametrize("shop", SHOPS)


@pytest.fixture(scope="module")
def told(open_night: OpenNight) -> Callable[[str], pd.DataFrame]:
    """All numbers that a shop's night tells; amounts and counts in ten-thousandths."""

    @cache
    def numbers(shop: str) -> pd.DataFrame:
        query = (
            "select metric, segment_type, segment, period_type as period, cast(period_start as timestamp) as start, "
            "cast(numerator * 10000 as bigint) as numerator, cast(denominator * 10000 as bigint) as denominator, "
            "metric_value as value, ci_low as low, ci_high as high, is_mature "
            "from marts.loyalty_metrics where status = 'told'"
        )
        return open_night(shop).execute(query).df()

    return numbers


@every_shop
def test_every_metric_that_is_told_is_recounted(told: Callable[[str], pd.DataFrame], shop: str) -> None:
    found = set(told(shop)["metric"])
    assert found | UNTOLD[shop] == {*RECOUNTED, *MULTIPLES}
    assert not found & UNTOLD[shop]


@pytest.mark.parametrize(
    ("shop", "metric"),
    [(shop, metric) for shop in SHOPS for metric in (*RECOUNTED, *MULTIPLES) if metric not in UNTOLD[shop]],
)
def test_metric_equals_its_recount_in_every_period_and_part(
    told: Callable[[str], pd.DataFrame], shop: str, metric: str
) -> None:
    published, again = told(shop), recounted(tidy(shop), metric)
    published = published[published["metric"] == metric].drop(columns="metric")
    keys = ["segment_type", "segment", "period", "start"]
    if metric in ROUNDED:
        assert_same(published, again, keys, ROUNDED[metric], BOUNDS)
    else:
        assert_same(published, again.astype({"numerator": "int64", "denominator": "int64"}), keys, beside=BOUNDS)
