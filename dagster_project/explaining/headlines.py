"""Which numbers are explained: each a sum over customers, orders or answers, or one such sum divided by another.

A new headline is one line here, in words of the columns of `recount`. That a recount and the published number agree is
proven every night, to the last digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Grain = Literal["customers", "orders", "answers", "predictions"]
TOTAL = "0"
"""The denominator of a headline that divides by nothing."""
NPS_INSTRUMENTS = "('nps', 'nps_transactional', 'nps_unassigned')"
"""Whichever survey asked: the last band of a customer may come from any, a score of the shop from one alone."""
READ_INSTRUMENTS = "('csat', 'nps', 'nps_transactional', 'nps_unassigned')"
"""The answers that headlines and the loyal rule rest on."""


@dataclass(frozen=True)
class Headline:
    """A number that is explained.

    Attributes:
        metric: its name.
        period_type: the period that it is told for.
        grain: the rows that it sums.
        numerator: SQL over one row of the grain.
        denominator: SQL over one row of the grain, or `TOTAL`.
        unit: `share`, `points`, `customers`, `money` or a ratio's unit.
        scale: what the ratio is multiplied by.
        published: for a number that `marts.loyalty_metrics` does not tell: the published tables that do.
        meaning: of such a number, in words; that of others stands in `marts.metric_definitions`.
    """

    metric: str
    period_type: str
    grain: Grain
    numerator: str
    denominator: str
    unit: str
    scale: int = 1
    published: str | None = None
    meaning: str = ""

    @property
    def is_total(self) -> bool:
        """Whether it is a plain sum."""
        return self.denominator == TOTAL


HEADLINES = (
    Headline(
        "count_customers",
        "lifetime",
        "customers",
        "1",
        TOTAL,
        "customers",
        published="select count(*) from {catalogue}.marts.fct_customers where count_occasions > 0",
        meaning="Customers with at least one purchase occasion up to the as-of day",
    ),
    Headline(
        "total_net",
        "lifetime",
        "orders",
        "amount",
        TOTAL,
        "money",
        published="select coalesce(sum(net_amount), 0) from {catalogue}.marts.fct_orders where is_revenue",
        meaning=(
            "Net revenue of all orders so far, guests included: items less discounts less refunds, on the order's day"
        ),
    ),
    Headline(
        "average_order_value",
        "trailing_window",
        "orders",
        "case when is_in_window and amount > 0 then amount else 0 end",
        "cast(is_in_window and amount > 0 as integer)",
        "money per order",
    ),
    Headline("repeat_purchase_rate", "lifetime", "customers", "cast(count_occasions >= 2 as integer)", "1", "share"),
    Headline(
        "repeat_purchase_rate_within_window",
        "lifetime",
        "customers",
        "cast(is_repeat_window_closed and is_back_within_window as integer)",
        "cast(is_repeat_window_closed as integer)",
        "share",
    ),
    Headline(
        "purchase_frequency",
        "trailing_window",
        "customers",
        "count_occasions_in_window",
        "cast(count_occasions_in_window > 0 as integer)",
        "occasions per customer",
    ),
    *(
        Headline(
            f"{metric}_rate",
            period,
            "customers",
            f"cast(was_active_in_{period}_before and {was} was_active_in_{period} as integer)",
            f"cast(was_active_in_{period}_before as integer)",
            "share",
        )
        for metric, was in (("retention", ""), ("churn", "not"))
        for period in ("month", "quarter")
    ),
    Headline(
        "loyal_share",
        "trailing_window",
        "customers",
        "cast(is_loyal as integer)",
        "cast(count_occasions_in_window > 0 as integer)",
        "share",
    ),
    Headline(
        "nps",
        "trailing_window",
        "answers",
        "case when instrument <> 'nps' then 0 when band = 'promoter' then 1 when band = 'detractor' then -1 else 0 end",
        "cast(instrument = 'nps' as integer)",
        "points",
        scale=100,
    ),
    Headline(
        "csat_share",
        "trailing_window",
        "answers",
        "cast(instrument = 'csat' and coalesce(band = 'satisfied', false) as integer)",
        "cast(instrument = 'csat' as integer)",
        "share",
    ),
    Headline(
        "predicted_clv",
        "horizon",
        "predictions",
        "amount",
        TOTAL,
        "money",
        published=(
            "select coalesce(sum(cast(predicted_clv as decimal(18, 4))), 0) from {catalogue}.models.customer_clv"
        ),
        meaning="Discounted margin expected of all customers so far over the value horizon",
    ),
)


def named(metric: str) -> list[Headline]:
    """The headlines of that name, one a period type; none where the metric is not recounted."""
    return [headline for headline in HEADLINES if headline.metric == metric]
