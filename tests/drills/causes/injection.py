"""The causes that are injected: what the sources send besides, or which setting or day changes, and whom it touches.

Belongs here: one line per injection, in SQL over the rows that the shop's sources had sent and over `chosen_orders`,
`chosen_guests` and `chosen_answers` of `injected_night.py`. What `explain` must say of each stands in the test.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from corner_shop import NIGHT

SENT_AT = f"{NIGHT} 10:00:00"
DAYS_ON = 31
"""Days that go by where some do: a month ends, and orders leave the trailing window."""
NOBODY = "select null::varchar as customer_key, 0::decimal(18, 4) as amount where false"
OF_ORDERS = "select customer_key from chosen_orders where {where}"


@dataclass(frozen=True)
class Injection:
    """One change and nothing else.

    Attributes:
        cause: what `explain` must name.
        moves: headlines that it must move; it may move others.
        customers: SQL: whom it touches, by their keys before and after; None for whoever time touches.
        sent: feed -> SQL of rows like those of `base`, which the source sends besides.
        definitions: settings that change.
        days: that go by until the night that is explained.
        spent: SQL: customer_key and amount by which what the customer has spent moves; as told by what is injected.
    """

    cause: str
    moves: frozenset[str]
    customers: str | None
    sent: Mapping[str, str] = field(default_factory=dict)
    definitions: Mapping[str, Any] = field(default_factory=dict)
    days: int = 0
    spent: str = NOBODY


def _orders_again(where: str, **columns: str) -> str:
    """Chosen orders as they were sent, with other columns."""
    changed = {"updated_at": f"'{SENT_AT}'", **columns}
    named = ", ".join(f"{sql} as {column}" for column, sql in changed.items())
    return (
        f"select orders.* replace ({named}) from base.demo__orders as orders "
        f"inner join chosen_orders using (order_id) where {where}"
    )


def _more_orders(where: str, ordered_at: str) -> dict[str, str]:
    """An order of two pieces at 10.00 more of each chosen order's customer."""
    line = (
        "select lines.* replace ('more' || lines.order_id as order_id, '2' as quantity, '10.00' as unit_price) "
        f"from base.demo__order_lines as lines inner join chosen_orders using (order_id) where {where} "
        "and try_cast(line_number as integer) = 1"
    )
    order = _orders_again(
        where,
        order_id="'more' || orders.order_id",
        ordered_at=f"'{ordered_at}'",
        updated_at=f"'{ordered_at}'",
        discount_amount="'0.00'",
    )
    return {"demo__orders": order, "demo__order_lines": line}


def _contacts_of(others: str, owner: str, identified_by: str) -> str:
    """Rows of contacts by which what `others` names is its owner's too."""
    return (
        f"select owner.* replace ({identified_by}, '{SENT_AT}' as updated_at, "
        "'injected' || chosen.number as loyalty_card) "
        f"from chosen_orders as chosen inner join base.demo__contacts as owner on {owner} {others}"
    )


WITH_NEW_OWNERS = """
earlier.marts.fct_orders as before inner join marts.fct_orders as after using (order_key)
where before.customer_key is distinct from after.customer_key and before.customer_key in ({customers})"""
MOVED_MONEY = """
select before.customer_key, -before.net_amount as amount from {orders} and before.is_revenue
union all
select after.customer_key, before.net_amount from {orders} and before.is_revenue"""
ACCOUNTS_OF_ONE = OF_ORDERS.format(where="number between 49 and 60")
GUESTS_AND_ACCOUNTS = "select customer_key from chosen_guests where number <= 4 union all " + OF_ORDERS.format(
    where="number between 61 and 64"
)


def _and_who_they_became(customers: str) -> str:
    """Customers, and those to whom their orders went."""
    return f"{customers} union all select after.customer_key from {WITH_NEW_OWNERS.format(customers=customers)}"


def _money_that_moved(customers: str) -> str:
    """What customers had spent goes to those to whom their orders went."""
    return MOVED_MONEY.format(orders=WITH_NEW_OWNERS.format(customers=customers))


INJECTIONS: Mapping[str, Injection] = {
    "refunds of a part of old orders": Injection(
        cause="refunds",
        moves=frozenset({"total_net", "average_order_value", "predicted_clv"}),
        customers=OF_ORDERS.format(where="number <= 12"),
        sent={
            "demo__refunds": "select like_it.* replace ('injected' || number as refund_id, chosen_orders.order_id as "
            f"order_id, '{SENT_AT}' as refunded_at, '1.50' as refund_amount) from chosen_orders cross join "
            "(from base.demo__refunds order by refund_id limit 1) as like_it where number <= 12"
        },
        spent="select customer_key, -1.50::decimal(18, 4) as amount from chosen_orders where number <= 12",
    ),
    "refunds of all of old orders": Injection(
        cause="refunds",
        moves=frozenset({"total_net", "average_order_value", "purchase_frequency", "predicted_clv"}),
        customers=OF_ORDERS.format(where="number between 13 and 18"),
        sent={
            "demo__refunds": "select like_it.* replace ('injected' || number as refund_id, chosen_orders.order_id as "
            f"order_id, '{SENT_AT}' as refunded_at, cast(net_amount::decimal(18, 2) as varchar) as refund_amount) "
            "from chosen_orders cross join (from base.demo__refunds order by refund_id limit 1) as like_it "
            "where number between 13 and 18"
        },
        spent="select customer_key, -net_amount as amount from chosen_orders where number between 13 and 18",
    ),
    "cancellations of old orders": Injection(
        cause="edits",
        moves=frozenset({"total_net", "average_order_value", "purchase_frequency", "predicted_clv"}),
        customers=OF_ORDERS.format(where="number between 19 and 28"),
        sent={"demo__orders": _orders_again("number between 19 and 28", status="'cancelled'")},
        spent="select customer_key, -net_amount as amount from chosen_orders where number between 19 and 28",
    ),
    "one piece more in old orders": Injection(
        cause="edits",
        moves=frozenset({"total_net", "average_order_value", "predicted_clv"}),
        customers=OF_ORDERS.format(where="number between 29 and 38"),
        sent={
            "demo__order_lines": "select lines.* replace (cast(quantity::integer + 1 as varchar) as quantity) "
            "from base.demo__order_lines as lines inner join chosen_orders using (order_id) "
            "where number between 29 and 38 and line_number = '1'"
        },
        spent="select customer_key, unit_price::decimal(18, 4) as amount from chosen_orders "
        "inner join base.demo__order_lines using (order_id) where number between 29 and 38 and line_number = '1'",
    ),
    "other scores in old answers": Injection(
        cause="edits",
        moves=frozenset({"nps"}),
        customers="select customer_key from chosen_answers where band = 'promoter'",
        sent={
            "demo__survey_answers": "select answers.* replace ('0' as score) from base.demo__survey_answers as answers "
            "inner join chosen_answers on answer_id = feedback_id where band = 'promoter'"
        },
    ),
    "orders that come a month late": Injection(
        cause="late_data",
        moves=frozenset({"total_net", "average_order_value", "purchase_frequency", "predicted_clv"}),
        customers=OF_ORDERS.format(where="number between 39 and 48"),
        sent=_more_orders("number between 39 and 48", "2025-11-28 12:00:00"),
        spent="select customer_key, 20::decimal(18, 4) as amount from chosen_orders where number between 39 and 48",
    ),
    "answers that come days late": Injection(
        cause="late_data",
        moves=frozenset({"nps"}),
        customers="select customer_key from chosen_answers where band <> 'detractor'",
        sent={
            "demo__survey_answers": "select answers.* replace ('late' || answer_id as answer_id, '0' as score, "
            "'2025-12-28 12:00:00' as answered_at) from base.demo__survey_answers as answers "
            "inner join chosen_answers on answer_id = feedback_id where band <> 'detractor'"
        },
    ),
    "accounts that are one person's": Injection(
        cause="identity_merges",
        moves=frozenset({"count_customers", "repeat_purchase_rate", "purchase_frequency", "predicted_clv"}),
        customers=_and_who_they_became(ACCOUNTS_OF_ONE),
        spent=_money_that_moved(ACCOUNTS_OF_ONE),
        sent={
            "demo__contacts": "select contacts.* replace (other.customer_id as customer_id, "
            f"'{SENT_AT}' as updated_at) from base.demo__contacts as contacts "
            "inner join chosen_orders as chosen using (customer_id) "
            "inner join chosen_orders as other on other.number = chosen.number + 6 "
            "where chosen.number between 49 and 54"
        },
    ),
    "guests who turn out to have an account": Injection(
        cause="identity_merges",
        moves=frozenset({"count_customers", "repeat_purchase_rate", "predicted_clv"}),
        customers=_and_who_they_became(GUESTS_AND_ACCOUNTS),
        spent=_money_that_moved(GUESTS_AND_ACCOUNTS),
        sent={
            "demo__guest_contacts": "select guests.* replace (contacts.email as email, contacts.email__mailbox as "
            "email__mailbox, contacts.phone as phone) from base.demo__guest_contacts as guests "
            "inner join chosen_guests using (order_id) "
            "inner join chosen_orders on chosen_orders.number = chosen_guests.number + 60 "
            "inner join base.demo__contacts as contacts on contacts.customer_id = chosen_orders.customer_id "
            "where chosen_guests.number <= 4"
        },
    ),
    "another rule of who is loyal": Injection(
        cause="definitions_or_code",
        moves=frozenset({"loyal_share"}),
        customers="select customer_key from earlier.marts.fct_customers where count_occasions_in_window = 2",
        definitions={"loyal_minimum_occasions": 2},
    ),
    "revenue with shipping": Injection(
        cause="definitions_or_code",
        moves=frozenset({"total_net", "average_order_value", "predicted_clv"}),
        customers="select customer_key from earlier.marts.fct_orders where shipping_amount <> 0",
        definitions={"revenue_includes_shipping": True},
        spent="select customer_key, if(is_valid, shipping_amount, greatest(net_amount + shipping_amount, 0)) as amount "
        "from earlier.marts.fct_orders where is_valid or exclusion_reason in ('zero_value', 'fully_refunded')",
    ),
    "days in which nothing happens": Injection(
        cause="window_roll",
        moves=frozenset({"retention_rate", "churn_rate", "loyal_share", "purchase_frequency", "predicted_clv"}),
        customers=None,
        days=DAYS_ON,
    ),
    "orders of the days since": Injection(
        cause="new_events",
        moves=frozenset({"total_net", "average_order_value", "purchase_frequency", "predicted_clv"}),
        customers=OF_ORDERS.format(where="number between 39 and 48"),
        sent=_more_orders("number between 39 and 48", "2026-01-20 12:00:00"),
        days=DAYS_ON,
        spent="select customer_key, 20::decimal(18, 4) as amount from chosen_orders where number between 39 and 48",
    ),
}
