"""Purchase metrics of tiny shops: every figure recounted in plain Python, and what no shuffling may change."""

from __future__ import annotations

import datetime as dt
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tiny_orders import AS_OF, WINDOW_START, Found, Order, day, read, shop, tables, whole
from tiny_shop import TinyShops

PREVIOUS_WINDOW_START = WINDOW_START - dt.timedelta(days=365)
CHANNELS, KINDS = ("web", "app"), ("tea", "pots")
PARTITIONS = (
    "channel", "device", "country", "product_kind", "acquisition_channel", "acquisition_cohort", "rfm_segment",
    "loyalty", "tier",
)  # fmt: skip
NOT_ADDITIVE = ("loyal_spend_multiple", "loyal_to_other_spend_multiple", "revenue_variation")

# -- recounting in plain Python ------------------------------------------------------------------------------------


def month_after(month: dt.date, months: int) -> dt.date:
    number = month.year * 12 + month.month - 1 + months
    return dt.date(number // 12, number % 12 + 1, 1)


def periods(first: dt.date) -> Iterator[tuple[str, dt.date, dt.date, dt.date | None]]:
    """Type, first day, last day and first day of the period before."""
    for kind, length in (("month", 1), ("quarter", 3)):
        start = first.replace(day=1)
        start = month_after(start, -((start.month - 1) % length))
        while (end := month_after(start, length) - dt.timedelta(days=1)) <= AS_OF:
            yield kind, start, end, month_after(start, -length)
            start = month_after(start, length)
    yield "trailing_window", WINDOW_START, AS_OF, PREVIOUS_WINDOW_START
    yield "lifetime", first, AS_OF, None


def lapses(days: dict[str, list[dt.date]]) -> int:
    """Silences of more than three expected gaps, the one of the as-of included, with what was known when each began."""
    closed = [
        (later.replace(day=1), (later - earlier).days) for dates in days.values() for earlier, later in pairwise(dates)
    ]
    count = 0
    for dates in days.values():
        gaps = [(later - earlier).days for earlier, later in pairwise(dates)]
        for number, (date, following) in enumerate(pairwise([*dates, AS_OF])):
            known = sorted(gap for month, gap in closed if month < date.replace(day=1))
            expected = known[(len(known) - 1) // 2] if len(known) >= 30 else 90
            if number >= 3:
                expected = (number * median(gaps[:number]) + 3 * expected) / (number + 3)
            count += (following - date).days > 3 * expected
    return count


def recounted(orders: Sequence[Order]) -> dict[tuple[str, str, dt.date], tuple[int, int]]:
    """Numerator and denominator of the whole shop's metrics: metric, period type, first day."""
    valid = [order for order in orders if order.customer and not order.reason]
    revenue = [order for order in orders if not order.reason]
    days: dict[str, list[dt.date]] = defaultdict(list)
    for order in sorted(valid, key=lambda order: order.date):
        if order.date not in days[order.customer]:
            days[order.customer].append(order.date)
    found: dict[tuple[str, str, dt.date], tuple[int, int]] = {}
    for kind, start, end, before in periods(min(order.date for order in valid)):

        def tell(metric: str, top: int, base: int, kind: str = kind, start: dt.date = start) -> None:
            found[metric, kind, start] = (top, base)

        inside = [order for order in valid if start <= order.date <= end]
        active = {order.customer for order in inside}
        repeat = [order for order in inside if order.date > days[order.customer][0]]
        # a guest may have bought before the first known customer; the lifetime holds that too
        paid = [order.net for order in revenue if (start <= order.date or kind == "lifetime") and order.date <= end]
        if paid:
            tell("average_order_value", sum(paid), len(paid))
        if kind != "lifetime" or active:
            tell("repeat_revenue_share", sum(order.net for order in repeat), sum(order.net for order in inside))
        full = [order for order in repeat if order.discount == 0]
        tell("full_price_repeat_share", len(full), len(repeat))
        kinds = [len({order.kind for order in inside if order.customer == name}) for name in active]
        if kind in ("trailing_window", "lifetime"):
            several, single = sum(count >= 2 for count in kinds), sum(count == 1 for count in kinds)
            tell("upsell_ratio", several, single)
            tell("multi_kind_share", several, several + single)
        if kind == "trailing_window":
            occasions = sum(start <= day <= end for name in active for day in days[name])
            observed = sum((end - max(start, days[name][0])).days + 1 for name in active)
            tell("purchase_frequency", occasions, len(active))
            tell("purchase_frequency_per_year", occasions, observed)
            tell("net_per_active_customer", sum(order.net for order in inside), len(active))
        if kind == "lifetime":
            tell("repeat_purchase_rate", sum(len(days[name]) >= 2 for name in active), len(active))
            tell("abandonment_rate", lapses(days), sum((AS_OF - days[name][0]).days + 1 for name in active))
            tell("mean_days_since_last_order", sum((AS_OF - days[name][-1]).days for name in active), len(active))
        if kind != "trailing_window":
            over = [dates for dates in days.values() if start <= dates[0] <= end and (AS_OF - dates[0]).days > 97]
            back = [dates for dates in over if len(dates) > 1 and (dates[1] - dates[0]).days <= 90]
            tell("repeat_purchase_rate_within_window", len(back), len(over))
        if before:
            earlier = [order for order in valid if before <= order.date < start]
            base = {order.customer for order in earlier}
            kept = sum(order.net for order in inside if order.customer in base)
            known = {name for name in active if days[name][0] < start}
            tell("retention_rate", len(base & active), len(base))
            tell("churn_rate", len(base - active), len(base))
            tell("retention_rate_classic", len(known), len(base))
            tell("reactivated_customer_share", len(known - base), len(active))
            tell("revenue_churn_rate", sum(order.net for order in earlier) - kept, sum(order.net for order in earlier))
    return found


# -- properties ----------------------------------------------------------------------------------------------------

order_lists = st.lists(
    st.builds(
        Order,
        number=st.integers(0, 0),
        customer=st.sampled_from(["A", "B", "C", "D", None]),
        date=st.dates(dt.date(2023, 11, 15), AS_OF),
        net=st.integers(1, 500),
        discount=st.sampled_from([0, 0, 3]),
        channel=st.sampled_from(CHANNELS),
        kind=st.sampled_from(KINDS),
        reason=st.sampled_from([None] * 9 + ["cancelled"]),
    ),
    min_size=3,
    max_size=40,
).map(lambda orders: [replace(order, number=number) for number, order in enumerate(orders)])

in_this_house = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],  # shrinking would run hundreds of nights
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def sellable(orders: Sequence[Order]) -> bool:
    return any(order.customer and not order.reason for order in orders)


@in_this_house
@given(orders=order_lists.filter(sellable), order=st.randoms(use_true_random=False))
def test_metrics_equal_a_recount_and_keep_their_rules(shops: TinyShops, orders: list[Order], order: Any) -> None:
    rows = tables(orders)
    found = read(shops.night(rows))
    assert unlike_the_recount(found, orders) == {}
    assert parts_unlike_the_whole(found) == {}
    assert outside_their_interval(found) == {}
    for given_rows in rows.values():
        order.shuffle(given_rows)
    assert read(shops.night(rows)) == found, "shuffling the rows changed a number"


def unlike_the_recount(found: Found, orders: Sequence[Order]) -> dict[Any, Any]:
    expected = recounted(orders)
    assert sum(base > 0 for _, base in expected.values()) > 5
    if not any(order.discount and not order.reason for order in orders):
        expected = {key: numbers for key, numbers in expected.items() if key[0] != "full_price_repeat_share"}
    told = {
        (metric, period_type, start): (top, base)
        for (metric, segment_type, _, period_type, start), (top, base, *_) in found.items()
        if segment_type == "all"
    }
    return {key: (told.get(key), numbers) for key, numbers in expected.items() if told.get(key, (0, 0)) != numbers}


def parts_unlike_the_whole(found: Found) -> dict[Any, Any]:
    """Splits whose bases do not add up; a segment without a base has no row, so numerators may lack some."""
    sums: dict[Any, Decimal] = defaultdict(Decimal)
    for (metric, segment_type, _, *period), (_, base, *_) in found.items():
        if segment_type in PARTITIONS and base and metric not in NOT_ADDITIVE:
            sums[metric, segment_type, *period] += base
    assert sums
    wholes = {key: found[key[0], "all", "all", *key[2:]][1] for key in sums}
    return {key: (base, wholes[key]) for key, base in sums.items() if base != wholes[key]}


def outside_their_interval(found: Found) -> dict[Any, Any]:
    return {
        key: (value, low, high)
        for key, (_, _, value, low, high, *_) in found.items()
        if None not in (low, value) and not low - 1e-9 <= value <= (math.inf if high is None else high) + 1e-9
    }


# -- what the definitions single out -------------------------------------------------------------------------------


def test_one_time_buyers_do_not_lengthen_the_gap_to_months(shops: TinyShops) -> None:
    """Seven buy once, three every 60 days: 365 by frequency is 146 days, the gap is 60 (definitions, T14 and T15)."""
    orders = [(f"once {n}", "2025-12-01", 10) for n in range(7)]
    orders += [
        (f"regular {n}", str(day("2025-01-05") + dt.timedelta(days=60 * step)), 10)
        for n in range(3)
        for step in range(6)
    ]
    con = shops.night(tables(shop(*orders)))
    found = read(con)
    frequency = whole(found, "purchase_frequency", "trailing_window", WINDOW_START)
    assert (frequency[0], frequency[1], frequency[2]) == (25, 10, 2.5)
    gap = whole(found, "purchase_gap_median_days", "lifetime", "2025-01-05")
    assert gap[2] == 60
    once = found["purchase_gap_median_days", "acquisition_cohort", "2025-Q4", "lifetime", day("2025-01-05")]
    assert once[2] is None, "a one-time buyer's gap is unknown, not zero"


def test_two_baskets_of_a_day_are_one_occasion_and_no_repeat(shops: TinyShops) -> None:
    con = shops.night(tables(shop(("A", "2025-03-01", 10), ("A", "2025-03-01", 20), ("B", "2025-03-02", 5))))
    found = read(con)
    assert whole(found, "repeat_purchase_rate", "lifetime", "2025-03-01")[:2] == (0, 2)
    assert whole(found, "average_order_value", "lifetime", "2025-03-01")[:2] == (35, 3)


def test_excluded_orders_are_no_purchases_and_guests_are_revenue_only(shops: TinyShops) -> None:
    orders = shop(("A", "2025-03-01", 10), (None, "2025-03-05", 30), ("A", "2025-03-09", 99))
    orders[2] = replace(orders[2], reason="fully_refunded")
    con = shops.night(tables(orders))
    found = read(con)
    assert whole(found, "average_order_value", "month", "2025-03-01")[:2] == (40, 2)
    assert whole(found, "repeat_purchase_rate", "lifetime", "2025-03-01")[:2] == (0, 1)
    assert whole(found, "net_per_active_customer", "month", "2025-03-01")[:2] == (10, 1)


def test_daily_order_values_are_told_for_the_whole_shop_only(shops: TinyShops) -> None:
    con = shops.night(tables(shop(("A", "2025-03-01", 10), ("A", "2025-03-03", 20))))
    found = read(con)
    days = {key[4]: numbers[0] for key, numbers in found.items() if key[3] == "day"}
    assert days == {day("2025-03-01"): 10, day("2025-03-03"): 20}


def test_spend_of_the_loyal_counts_those_who_left(shops: TinyShops) -> None:
    """Loyal before the window: A, who spends 100 in it, and B, who never comes back. C is new, seen for half of it. E
    comes back after years: of customers of long ago only those who do are seen, so E tells nothing of the others."""
    regular = [("2024-10-01", 10), ("2024-11-01", 10), ("2024-12-01", 10)]
    orders = [(name, date, net) for name in ("A", "B") for date, net in regular]
    new_since = WINDOW_START + dt.timedelta(days=182)
    orders += [("A", "2025-06-01", 100), ("C", str(new_since), 61), ("D", "2024-12-05", 1), ("D", "2025-02-01", 7)]
    orders += [("E", "2022-05-01", 1), ("E", "2025-03-01", 500)]
    con = shops.night(tables(shop(*orders)))
    found = read(con)
    assert whole(found, "loyal_customer_spend", "trailing_window", WINDOW_START)[:3] == (100, 2, 50)
    assert whole(found, "other_customer_spend", "trailing_window", WINDOW_START)[:3] == (7, 1, 7)
    first = whole(found, "first_year_customer_spend", "trailing_window", WINDOW_START)
    assert first[:2] == (61, 183)
    assert first[2] == pytest.approx(61 * 365 / 183)
    multiple = whole(found, "loyal_spend_multiple", "trailing_window", WINDOW_START)
    assert multiple[2] == pytest.approx(50 / (61 * 365 / 183))
    loyal = whole(found, "loyal_share", "trailing_window", WINDOW_START)
    assert loyal[:2] == (0, 4)


def test_gap_median_equals_another_implementation(shops: TinyShops) -> None:
    """scipy's survival function of the same gaps, open ones censored; its log(-log) bounds, read off at one half."""
    from scipy.stats import CensoredData, ecdf

    orders, step = [], 1
    for name in range(40):
        date = day("2024-03-01") + dt.timedelta(days=name * 3)
        while date <= AS_OF:
            orders.append((f"{name:02d}", str(date), 10))
            step = step * 48271 % 2147483647
            date += dt.timedelta(days=5 + step % 120 * (1 + name % 3))
    dates: dict[str, list[dt.date]] = defaultdict(list)
    for name, date, _ in orders:
        dates[name].append(day(date))
    closed = [(later - earlier).days for found in dates.values() for earlier, later in pairwise(found)]
    still_open = [(AS_OF - found[-1]).days for found in dates.values()]
    surviving = ecdf(CensoredData(uncensored=closed, right=still_open)).sf
    bounds = surviving.confidence_interval(0.95, method="log-log")

    def first_at_half(quantiles: Any, shares: Any) -> float:
        return float(min(days for days, share in zip(quantiles, shares, strict=True) if share <= 0.5))

    con = shops.night(tables(shop(*orders)))
    found = whole(read(con), "purchase_gap_median_days", "lifetime", "2024-03-01")
    assert found[:2] == (len(closed), len(closed) + 40)
    assert found[2] == first_at_half(surviving.quantiles, surviving.probabilities)
    assert found[3] == first_at_half(bounds.low.quantiles, bounds.low.probabilities)
    assert found[4] == first_at_half(bounds.high.quantiles, bounds.high.probabilities)


def test_a_metric_without_its_feed_says_so_and_is_not_zero(shops: TinyShops) -> None:
    con = shops.night(tables(shop(("A", "2025-03-01", 10))))
    rows = con.execute(
        "select metric, numerator, denominator, metric_value, status_reason from marts.loyalty_metrics "
        "where status = 'no_source' order by metric"
    ).fetchall()
    silent = {metric for metric, *_ in rows}
    assert {"nps", "csat_share", "subscription_repurchase_ratio", "full_price_repeat_share"} <= silent
    assert {tuple(numbers[:3]) for _, *numbers in rows} == {(None, None, None)}
    assert all(reason.startswith("no source: ") for *_, reason in rows)


def test_variation_is_that_of_twelve_months_empty_ones_included(shops: TinyShops) -> None:
    con = shops.night(tables(shop(("A", "2024-11-01", 5), ("A", "2025-02-01", 120), ("A", "2025-08-01", 120))))
    found = whole(read(con), "revenue_variation", "trailing_window", WINDOW_START)
    months = [120, 120] + [0] * 10
    mean = sum(months) / 12
    deviation = math.sqrt(sum((net - mean) ** 2 for net in months) / 11)
    assert found[1] == 12
    assert found[2] == pytest.approx(deviation / mean)


def test_adoption_counts_buyers_of_the_first_ninety_days_against_the_active_before(shops: TinyShops) -> None:
    """Launched on 1 June: A and B were active before, A and C bought in time, B one day too late."""
    orders = shop(
        ("A", "2025-01-10", 9),
        ("B", "2025-05-31", 9),
        ("A", "2025-06-01", 9),
        ("C", "2025-08-29", 9),
        ("B", "2025-08-30", 9),
    )
    rows = tables(orders)
    for line in rows["fct_order_lines"][2:]:
        line["product_key"] = "s:new"
    rows["dim_products"] = [{"product_key": "s:new", "product_id": "new", "launch_date": day("2025-06-01")}]
    con = shops.night(rows)
    found = read(con)
    key = ("new_product_adoption_rate", "product", "new", "lifetime", day("2025-01-10"))
    assert found[key][:3] == (2, 2, 1)
    assert found[key][5] == 3, "customers who were active or bought"


def test_margin_by_tenure_is_per_customer_who_bought_in_that_month(shops: TinyShops) -> None:
    con = shops.night(tables(shop(("A", "2025-01-10", 100), ("B", "2025-01-11", 50), ("A", "2025-03-31", 40))))
    found = {key[2]: numbers[:2] for key, numbers in read(con).items() if key[0] == "margin_by_tenure" and numbers[1]}
    assert found == {"0": (45, 2), "2": (12, 1)}
