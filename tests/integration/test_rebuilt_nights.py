"""The same rows, as-of, settings and code give the same tables, in another home and after later rows have come."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from built_models import land
from corner_shop import NIGHT, CornerShop


def test_another_home_gives_the_same_tables_even_after_later_rows(published_shop: CornerShop, tmp_path: Path) -> None:
    """Rows of later, and what became of its own orders later: one is cancelled, one moved to a day it cannot see.

    They are landed beside what the published night had seen.
    """
    shop = CornerShop.open(tmp_path / "other")
    land(shop.settings(), dt.datetime.now(dt.UTC))
    soon = f"{NIGHT + dt.timedelta(days=3)} 12:00:00"
    for file, columns_of_time in {
        "customers.csv": ("created_at", "updated_at"),
        "orders.csv": ("ordered_at", "updated_at"),
        "refunds.csv": ("refunded_at",),
        "survey_invitations.csv.gz": ("sent_at",),
        "survey_answers.csv": ("answered_at",),
        "support_contacts.csv": ("opened_at",),
        "support_events.csv": ("happened_at",),
        "points_ledger.csv.gz": ("effective_at", "recorded_at"),
        "tier_changes.csv": ("valid_from",),
        "badges.csv": ("awarded_at",),
        "referrals.csv": ("invited_at", "updated_at"),
        "campaign_messages.csv.gz": ("sent_at",),
        "subscription_events.csv": ("happened_at",),
    }.items():
        row = shop.row(file, 1)
        row[0] = "later"
        for column in columns_of_time:
            row[shop.place(file, column)] = soon
        shop.append(file, row)
    shop.append("order_lines.csv.gz", ["later", "1", "p001", "2", "10.00"])
    shop.append("exchange_rates.csv", [soon[:10], "CHF", "2.000000"])
    shop.append("marketing_costs.csv", [soon[:10], "retention", "email", "", "EUR", "5.00"])
    cancelled, moved = shop.row("orders.csv", 1), shop.row("orders.csv", 2)
    status, ordered_at, updated_at = (shop.place("orders.csv", name) for name in ("status", "ordered_at", "updated_at"))
    cancelled[status], cancelled[updated_at] = "cancelled", soon
    moved[ordered_at] = moved[updated_at] = soon
    shop.append("orders.csv", cancelled, moved)
    shop.run()
    assert shop.seen().content == published_shop.seen().content
    passed = "select layer, table_name, check_name, is_passed from quality.check_results order by all"
    assert shop.query(passed) == published_shop.query(passed)
