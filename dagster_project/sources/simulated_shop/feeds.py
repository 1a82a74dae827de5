"""The feeds that the simulated shop exports: names, columns, keys, times.

Belongs here: the shape of each feed, which the drawing modules fill, dirt corrupts and the daily delivery cuts up. Does
not belong here: where the rows come from, how they become bytes (`writer.py`).

Times are naive local times of the shop's zone, prices hold the tax. Direct identifiers (mail address, telephone number,
name, card, handle) stand in `contacts`, `guest_contacts` and `social_mentions` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Feed:
    """One feed of the shop.

    Attributes:
        columns: in the order in which they stand in the file.
        key: columns that identify a row.
        happened_at: the column that says when the event took place; None where rows are a description, not an event.
        updated_at: the column that says when the row last changed; None where rows never change.
    """

    columns: tuple[str, ...]
    key: tuple[str, ...]
    happened_at: str | None = None
    updated_at: str | None = None


def _columns(names: str) -> tuple[str, ...]:
    return tuple(names.split())


FEEDS: Mapping[str, Feed] = {
    "customers": Feed(
        _columns("customer_id created_at country acquisition_channel customer_type updated_at"),
        key=("customer_id",),
        happened_at="created_at",
        updated_at="updated_at",
    ),
    "contacts": Feed(
        _columns(
            "customer_id email phone full_name birthday loyalty_card social_handle has_marketing_consent"
            " preferred_channel preferred_kind updated_at"
        ),
        key=("customer_id",),
        updated_at="updated_at",
    ),
    "products": Feed(
        _columns("product_id product_name product_kind quality_line launched_on unit_cost"),
        key=("product_id",),
    ),
    "product_prices": Feed(
        _columns("product_id valid_from list_price"),
        key=("product_id", "valid_from"),
        happened_at="valid_from",
    ),
    "exchange_rates": Feed(_columns("rate_date currency rate"), key=("rate_date", "currency"), happened_at="rate_date"),
    "orders": Feed(
        _columns(
            "order_id customer_id ordered_at status payment_status currency discount_amount shipping_amount tax_amount"
            " channel device coupon_code is_test is_gift_card_only delivery_promised_on delivered_at updated_at"
        ),
        key=("order_id",),
        happened_at="ordered_at",
        updated_at="updated_at",
    ),
    "guest_contacts": Feed(_columns("order_id email phone"), key=("order_id",)),
    "order_lines": Feed(
        _columns("order_id line_number product_id quantity unit_price"), key=("order_id", "line_number")
    ),
    "refunds": Feed(
        _columns("refund_id order_id refunded_at refund_amount reason"), key=("refund_id",), happened_at="refunded_at"
    ),
    "survey_questions": Feed(
        _columns("question instrument scale_min scale_max is_reversed wording"), key=("question",)
    ),
    "survey_invitations": Feed(
        _columns("invitation_id survey wave customer_id order_id channel sent_at status"),
        key=("invitation_id",),
        happened_at="sent_at",
    ),
    "survey_answers": Feed(
        _columns("answer_id invitation_id customer_id order_id question score channel language answered_at comment"),
        key=("answer_id",),
        happened_at="answered_at",
    ),
    "reviews": Feed(
        _columns("review_id customer_id order_id stars review_text language created_at updated_at"),
        key=("review_id",),
        happened_at="created_at",
        updated_at="updated_at",
    ),
    "social_mentions": Feed(
        _columns("mention_id platform author_handle repost_of text language likes shares reach created_at"),
        key=("platform", "mention_id"),
        happened_at="created_at",
    ),
    "support_contacts": Feed(
        _columns("contact_id customer_id order_id channel kind topic severity opened_at csat_score message language"),
        key=("contact_id",),
        happened_at="opened_at",
    ),
    "support_events": Feed(
        _columns("contact_id event_number event happened_at"),
        key=("contact_id", "event_number"),
        happened_at="happened_at",
    ),
    "points_ledger": Feed(
        _columns("event_id event_number customer_id event points order_id effective_at recorded_at expires_on"),
        key=("event_id",),
        happened_at="effective_at",
    ),
    "tier_changes": Feed(
        _columns("customer_id tier valid_from reason"), key=("customer_id", "valid_from"), happened_at="valid_from"
    ),
    "badges": Feed(
        _columns("customer_id badge awarded_at level"),
        key=("customer_id", "badge", "awarded_at"),
        happened_at="awarded_at",
    ),
    "referrals": Feed(
        _columns(
            "referral_id referrer_customer_id channel invited_at referred_customer_id order_id converted_at"
            " reward_amount updated_at"
        ),
        key=("referral_id",),
        happened_at="invited_at",
        updated_at="updated_at",
    ),
    "campaigns": Feed(
        _columns("campaign_id campaign_name purpose starts_on ends_on holdout_share"),
        key=("campaign_id",),
        happened_at="starts_on",
    ),
    "campaign_messages": Feed(
        _columns("message_id campaign_id customer_id arm is_personal channel sent_at status opened_at clicked_at"),
        key=("message_id",),
        happened_at="sent_at",
    ),
    "subscription_events": Feed(
        _columns(
            "subscription_id event_number customer_id plan event happened_at period_start period_end amount is_auto"
            " reason"
        ),
        key=("subscription_id", "event_number"),
        happened_at="happened_at",
    ),
    "visits": Feed(
        _columns("visit_id customer_id device channel started_at count_pages has_cart"),
        key=("visit_id",),
        happened_at="started_at",
    ),
    "marketing_costs": Feed(
        _columns("cost_date purpose channel campaign_id currency amount"),
        key=("cost_date", "purpose", "channel", "campaign_id"),
        happened_at="cost_date",
    ),
}
"""By feed name.

`customer_type`: consumer, wholesale or employee. `arm` of a message: treated, or holdout (never sent, kept to measure
against). `event` of a support contact: opened, auto_reply, agent_reply, resolved, reopened; of the ledger: earn, bonus,
redeem, expire, reverse_earn, reimburse, adjust, transfer_in, transfer_out; of a subscription: started, renewed, paused,
resumed, payment_failed, cancelled, ended. `rate`: units of the shop's currency for one unit of `currency`.
"""
