"""Metrics of referrals, the programme, costs, lines of quality, prices and posts: tiny shops, counted by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from tiny_orders import WINDOW_START, Found, day, read, shop, tables
from tiny_shop import TinyShops

FIRST_DAY = day("2024-06-01")
ORDERS = shop(
    ("A", "2024-06-01", 10), ("B", "2024-07-01", 20), ("A", "2025-02-01", 30), ("C", "2025-03-15", 100),
    ("D", "2025-03-20", 50),
)  # fmt: skip
# A brings C for a reward, C brings D for none, B invites in vain before the window and themselves in it
REFERRALS = [
    ("A", "2025-03-01", "rewarded", True, False),
    ("A", "2025-04-01", "not_due", False, False),
    ("C", "2025-03-18", "unrewarded", True, False),
    ("B", "2024-12-01", "not_due", False, False),
    ("B", "2025-05-01", "rewarded", False, True),
]
# A renews, B is lost for want of payment, C has just begun, D comes back after an end
SUBSCRIPTIONS = [
    ("A", "2025-01-10", None, None, 2, True, False, False),
    ("B", "2025-05-01", "2025-06-10", "2025-06-24", 0, True, False, True),
    ("C", "2025-12-20", None, None, 0, False, False, False),
    ("D", "2025-02-01", "2025-03-01", "2025-03-15", 0, True, False, False),
    ("D", "2025-04-01", None, None, 0, True, True, False),
]
# personal: 2 of 4 answer, a fifth bounces, the window of a sixth is open; to all: 1 of 10
MESSAGES = [
    *(
        (True, True, closed, answered)
        for closed, answered in [(True, True)] * 2 + [(True, False)] * 2 + [(False, True)]
    ),
    (True, False, True, False),
    *((False, True, True, number == 0) for number in range(10)),
]
COSTS = [
    ("2025-03-01", "acquisition", "search", 10),
    ("2025-03-31", "acquisition", "social", 30),
    ("2025-03-31", "retention", "email", 8),
]
# of A's 100 points 60 expire; B's can still be spent, C's on the last day; Z never bought
LEDGER = [
    ("A", "2024-06-01", "bonus", 100, "2025-06-01"),
    ("A", "2025-01-01", "redeem", -40, None),
    ("A", "2025-06-02", "expire", -60, None),
    ("B", "2025-11-15", "earn", 50, "2026-11-15"),
    ("C", "2024-12-31", "bonus", 100, "2025-12-31"),
    ("Z", "2025-01-01", "bonus", 10, "2026-01-01"),
]
BADGE_HOLDERS = ("A", "A", "Z", "D", None)
"""D has no points and is no member; nobody knows the last one any more."""


def rows(facts: Sequence[tuple[Any, ...]], *names: str) -> list[dict[str, Any]]:
    """Rows with names; texts that are days become days."""
    return [
        {name: day(text) if name.endswith("_date") and text else text for name, text in zip(names, fact, strict=True)}
        for fact in facts
    ]


def numbered(found: list[dict[str, Any]], key: str) -> list[dict[str, Any]]:
    return [row | {key: f"s:{number}"} for number, row in enumerate(found)]


def relations() -> dict[str, list[dict[str, Any]]]:
    ledger = rows(LEDGER, "customer_key", "effective_date", "event_kind", "points", "expiry_date")
    return tables(ORDERS) | {
        "fct_referrals": numbered(
            rows(
                REFERRALS, "referrer_customer_key", "invite_date", "reward_status", "is_converted", "is_self_referral"
            ),
            "referral_key",
        ),
        "fct_subscriptions": numbered(
            rows(
                SUBSCRIPTIONS, "customer_key", "start_date", "ended_date", "churn_date", "count_renewals", "is_due",
                "is_resubscription", "is_involuntary",
            ),
            "subscription_key",
        ),
        "fct_campaign_messages": numbered(
            [
                row | {"sent_date": day("2025-10-01"), "customer_key": "A"}
                for row in rows(MESSAGES, "is_personal", "is_delivered", "is_response_window_closed", "has_responded")
            ],
            "message_key",
        ),
        "fct_costs": [
            row | {"cost_amount": Decimal(row["cost_amount"])}
            for row in numbered(rows(COSTS, "cost_date", "cost_kind", "channel", "cost_amount"), "cost_key")
        ],
        "fct_points_ledger": numbered(
            [row | {"is_gift": row["points"] > 0} for row in ledger], "point_event_key"
        ),
        "fct_badges": [
            {"badge_key": f"s:{number}", "customer_key": holder, "badge_name": "regular"}
            for number, holder in enumerate(BADGE_HOLDERS)
        ],
        "fct_tier_changes": [{"tier_change_key": "A:1", "customer_key": "A", "tier": "gold", "change_date": FIRST_DAY}],
    }  # fmt: skip


@pytest.fixture(scope="module")
def found(shops: TinyShops) -> Found:
    return read(shops.night(relations()))


@pytest.mark.parametrize(
    ("metric", "period_type", "start", "numerator", "denominator"),
    [
        ("referral_rate", "trailing_window", WINDOW_START, 1, 2),
        ("rewarded_referral_rate", "trailing_window", WINDOW_START, 1, 2),
        ("unrewarded_referral_rate", "trailing_window", WINDOW_START, 0, 2),
        ("lifetime_referral_rate", "lifetime", FIRST_DAY, 3, 4),
        ("referral_conversion_rate", "lifetime", FIRST_DAY, 2, 4),
        ("referral_conversion_rate", "trailing_window", WINDOW_START, 2, 3),
        ("referral_conversion_rate", "month", day("2025-03-01"), 2, 2),
        ("customers_brought_per_customer", "trailing_window", WINDOW_START, 1, 2),
        ("subscription_repurchase_ratio", "lifetime", FIRST_DAY, 2, 4),
        ("resubscription_rate", "lifetime", FIRST_DAY, 1, 2),
        ("subscription_churn_rate", "month", day("2025-06-01"), 1, 3),
        ("subscription_involuntary_churn_rate", "month", day("2025-06-01"), 1, 3),
        ("subscription_churn_rate", "month", day("2025-07-01"), 0, 2),
        ("subscription_churn_rate", "month", day("2025-03-01"), 1, 2),
        ("subscription_involuntary_churn_rate", "month", day("2025-03-01"), 0, 2),
        ("personal_message_response_rate", "trailing_window", WINDOW_START, 2, 4),
        ("general_message_response_rate", "month", day("2025-10-01"), 1, 10),
        ("customer_acquisition_cost", "month", day("2025-03-01"), 40, 2),
        ("customer_acquisition_cost", "trailing_window", WINDOW_START, 40, 2),
        ("retention_cost_per_retained_customer", "trailing_window", WINDOW_START, 8, 1),
        ("programme_enrolment_rate", "lifetime", FIRST_DAY, 3, 4),
        ("active_member_share", "lifetime", FIRST_DAY, 1, 4),
        ("badge_holder_share", "lifetime", FIRST_DAY, 2, 4),
        ("points_breakage_share", "lifetime", FIRST_DAY, 60, 100),
        ("points_breakage_share", "month", day("2025-06-01"), 60, 100),
    ],
)
def test_metric_of_the_whole_shop(
    found: Found, metric: str, period_type: str, start: dt.date, numerator: int, denominator: int
) -> None:
    told = found[metric, "all", "all", period_type, start]
    assert told[:2] == (numerator, denominator)
    assert told[2] == pytest.approx(numerator / denominator)
    assert told[-1] == "told"


def test_a_month_without_customers_to_keep_has_no_retention_cost_of_one(found: Found) -> None:
    told = found["retention_cost_per_retained_customer", "all", "all", "month", day("2025-03-01")]
    assert (told[:3], told[-1]) == ((8, 0, None), "no_base")


def test_multiples_divide_the_two_rates(found: Found) -> None:
    response = found["personal_response_multiple", "all", "all", "trailing_window", WINDOW_START]
    assert response[2] == pytest.approx(5)
    assert response[3] < 5 < response[4]
    cost = found["acquisition_to_retention_cost", "all", "all", "trailing_window", WINDOW_START]
    assert cost[2] == pytest.approx(20 / 8)


def test_what_a_channel_cost_is_divided_by_whom_it_brought(found: Found) -> None:
    """C and D came by social; nobody came by search, whose costs are in the whole all the same."""
    key = ("customer_acquisition_cost", "acquisition_channel")
    assert found[*key, "social", "month", day("2025-03-01")][:2] == (30, 2)
    assert (*key, "search", "month", day("2025-03-01")) not in found


def test_profit_by_tenure_shares_costs_out(found: Found) -> None:
    """March costs 8 to keep four customers, one of them in the eighth month, and 40 to win two; margins are 30 %."""
    profits = {key[2]: told[:2] for key, told in found.items() if key[0] == "profit_by_tenure" and told[1]}
    first_months = Decimal("0.3") * (10 + 20 + 100 + 50) - 40 - 4
    assert profits == {"0": (first_months, 4), "8": (Decimal("0.3") * 30 - 2, 1)}


def test_tier_is_that_of_the_day_before_the_window(found: Found) -> None:
    split = {
        key[2]: told[:2] for key, told in found.items() if key[:2] == ("purchase_frequency", "tier") and told[1]
    }  # fmt: skip
    assert split == {"gold": (1, 1), "no_tier": (2, 2)}


def test_a_shop_without_such_feeds_says_no_source(shops: TinyShops) -> None:
    silent = {key[0] for key, told in read(shops.night(tables(ORDERS))).items() if told[-1] == "no_source"}
    assert silent >= {
        "referral_rate", "lifetime_referral_rate", "referral_conversion_rate", "subscription_repurchase_ratio",
        "subscription_churn_rate", "personal_response_multiple", "customer_acquisition_cost", "profit_by_tenure",
        "acquisition_to_retention_cost", "programme_enrolment_rate", "active_member_share", "points_breakage_share",
        "badge_holder_share",
        "premium_upgrade_rate", "repeat_rate_after_price_rise", "repeat_rate_change_after_price_rise",
        "net_mention_sentiment",
    }  # fmt: skip


def of_products(*sales: tuple[str, str, str, int]) -> dict[str, list[dict[str, Any]]]:
    """Orders of one line each: customer, day, product, unit price; a product's kind stands before its blank."""
    made = tables(shop(*((customer, date, price) for customer, date, _, price in sales)))
    for order, line, (_, _, product, price) in zip(
        made["int_orders_valued"], made["fct_order_lines"], sales, strict=True
    ):
        order["original_currency_code"] = "EUR"
        line |= {"product_key": product, "original_unit_price": Decimal(price)}
    places = {"basic": 1, "premium": 3}
    made["dim_products"] = [
        {"product_key": name, "product_kind": name.split()[0], "quality_rank": places.get(name.split()[1])}
        for name in sorted({sale[2] for sale in sales})
    ]
    return made


def test_who_moves_up_a_line_is_counted_among_those_who_bought_in_it_again(shops: TinyShops) -> None:
    """A moves up, B down, C moves up from tea to pots, which is no line of tea, and stays in pots; D came once."""
    told = read(
        shops.night(
            of_products(
                ("A", "2025-01-01", "tea basic", 5), ("A", "2025-02-01", "tea premium", 9),
                ("B", "2025-01-01", "tea premium", 9), ("B", "2025-02-01", "tea basic", 5),
                ("C", "2025-01-01", "tea basic", 5), ("C", "2025-02-01", "pots premium", 9),
                ("C", "2025-03-01", "pots premium", 9), ("D", "2025-02-01", "tea premium", 9),
            )
        )
    )["premium_upgrade_rate", "all", "all", "lifetime", day("2025-01-01")]  # fmt: skip
    assert told[:2] == (1, 3)


RISE = (
    # over the rise of 1 June: A and B come back for what rose, C on the first day after the 90
    ("A", "2025-05-01", "tea risen", 10), ("B", "2025-05-02", "tea risen", 10), ("C", "2025-05-03", "tea risen", 10),
    ("A", "2025-06-01", "tea risen", 11), ("B", "2025-06-02", "tea risen", 11), ("D", "2025-06-03", "tea risen", 11),
    ("C", "2025-08-30", "tea same", 7),
    # up to it: E comes back for something else, F does not
    ("E", "2025-01-10", "tea risen", 10), ("F", "2025-01-11", "tea risen", 10), ("E", "2025-03-03", "tea same", 7),
    # of others G comes back both times, H does not
    ("G", "2025-01-20", "tea same", 7), ("H", "2025-01-21", "tea same", 7), ("G", "2025-05-05", "tea same", 7),
    ("G", "2025-07-01", "tea same", 7),
)  # fmt: skip


def test_returning_over_a_price_rise_is_set_against_the_window_before_and_against_others(shops: TinyShops) -> None:
    found = read(shops.night(of_products(*RISE)))
    after, before, change = (
        found[f"repeat_rate_{metric}_price_rise", "all", "all", "lifetime", day("2025-01-10")]
        for metric in ("after", "before", "change_after")
    )
    assert after[:2] == (2, 3)
    assert before[:2] == (1, 2)
    assert change[2] == pytest.approx((2 / 3 - 1 / 2) - (1 / 2 - 1 / 2))
    influence = {
        "A": 1 / 3 / 3, "B": 1 / 3 / 3, "C": -2 / 3 / 3, "E": -(1 / 2) / 2 - (0 - 1 / 2) / 2, "F": 1 / 2 / 2,
        "G": -(1 - 1 / 2) / 2 + (1 - 1 / 2) / 2, "H": (0 - 1 / 2) / 2,
    }  # fmt: skip
    customers = len(influence)
    error = (sum(part**2 for part in influence.values()) * customers / (customers - 1)) ** 0.5
    assert change[4] - change[2] == pytest.approx(1.959964 * error, rel=1e-5)


def test_a_shop_whose_prices_stood_says_so_and_not_that_it_has_no_prices(shops: TinyShops) -> None:
    con = shops.night(of_products(*(sale for sale in RISE if sale[1] < "2025-06-01")))
    rows = con.execute(
        "select distinct metric_value, status, status_reason from marts.loyalty_metrics where metric like '%price_rise'"
    ).fetchall()
    assert rows == [(None, "no_base", "no price rise of which the follow-up is over")]


def said_in_public(*tones: tuple[str, str, bool, str | None]) -> dict[str, list[dict[str, Any]]]:
    """Posts: key, language, counted or not, tone; a post that is not counted is nobody's to read."""
    reason = "too few good and bad rated texts in this language to learn from"
    return tables(ORDERS) | {
        "fct_mentions": [
            {
                "mention_key": key, "language_code": language, "is_counted": counted, "is_bot": False,
                "count_reached": 1, "platform": "forum", "mentioned_date": day("2025-05-01"),
            }
            for key, language, counted, _ in tones
        ],
        "text_sentiment": [
            {
                "stands_beside": "mention", "text_key": key, "language": language, "tone": tone,
                "status": "read" if tone else "too_little_rated_text", "status_reason": None if tone else reason,
            }
            for key, language, counted, tone in tones if counted
        ] + [{"stands_beside": "feedback", "text_key": "m1", "tone": "negative", "status": "read"}],
    }  # fmt: skip


def test_tone_of_mentions_is_that_of_texts_that_were_read(shops: TinyShops) -> None:
    """Three glad, one neutral, one angry; of a language that is not read one, and a repost, which counts not at all."""
    posts = [("m1", "en", True, "positive"), ("m2", "en", True, "positive"), ("m3", "en", True, "positive")]
    posts += [("m4", "en", True, "neutral"), ("m5", "en", True, "negative"), ("m6", "zh", True, None)]
    found = read(shops.night(said_in_public(*posts, ("m7", "en", False, "negative"))))
    told = found["net_mention_sentiment", "all", "all", "month", day("2025-05-01")]
    assert told[:2] == (2, 5)
    assert told[2] == pytest.approx(0.4)
    glad, angry, read_posts = 3.75 / 8, 1.75 / 8, 8
    error = ((glad + angry - (glad - angry) ** 2) / read_posts) ** 0.5
    assert told[3:5] == pytest.approx((glad - angry - 1.96 * error, glad - angry + 1.96 * error), abs=1e-4)
    parts = {key[2] for key in found if key[0] == "net_mention_sentiment" and key[1] == "language"}
    assert parts == {"en"}


def test_tone_of_mentions_that_nothing_can_read_is_unknown_for_the_reason_of_the_reader(shops: TinyShops) -> None:
    con = shops.night(said_in_public(("m1", "zh", True, None), ("m2", "zh", True, None)))
    rows = con.execute(
        "select distinct metric_value, status, status_reason from marts.loyalty_metrics "
        "where metric = 'net_mention_sentiment'"
    ).fetchall()
    assert rows == [(None, "no_base", "too few good and bad rated texts in this language to learn from")]
