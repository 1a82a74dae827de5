"""The words of the true metrics: what each number in `shop.json` is.

Belongs here: definitions and the windows that they name. Does not belong here: the counting.
"""

from __future__ import annotations

from collections.abc import Mapping

WINDOW_DAYS = 365
REPEAT_WINDOW_DAYS = 90
GRACE_DAYS = 7
ADOPTION_DAYS = 90
LOYAL_OCCASIONS = 3
LOYAL_GAP_FACTOR = 1.5

DEFINITIONS: Mapping[str, str] = {
    "repeat_purchase_rate": "Customers with two or more purchase occasions divided by customers with one or more.",
    "repeat_purchase_rate_within_window": (
        f"Customers whose second purchase occasion came within {REPEAT_WINDOW_DAYS} days of the first divided by all "
        f"whose first came more than {REPEAT_WINDOW_DAYS + GRACE_DAYS} days before the last day."
    ),
    "purchase_frequency": (
        f"Purchase occasions in the last {WINDOW_DAYS} days divided by customers with at least one of them."
    ),
    "average_order_value": (
        "Net of orders that count (goods less discounts less refunds known by the end, in cents of the segment's "
        "currency) divided by those orders; guests included."
    ),
    "retention_rate": (
        "Customers with an occasion in the period and in the one before divided by customers with an occasion in the "
        "one before."
    ),
    "retention_rate_classic": (
        "Customers with an occasion in the period and an earlier one before it divided by customers with an occasion "
        "in the period before."
    ),
    "churn_rate": "Customers of the period before without an occasion in the period divided by those customers.",
    "multi_kind_share": "Customers who bought two or more kinds of product divided by customers who bought any.",
    "upsell_ratio": "Customers who bought two or more kinds of product divided by customers who bought one kind.",
    "loyal_share": (
        f"Customers with {LOYAL_OCCASIONS} or more occasions in the last {WINDOW_DAYS} days whose last occasion is not "
        f"further back than {LOYAL_GAP_FACTOR} times their median gap, divided by customers with an occasion in those "
        "days; by purchases alone."
    ),
    "repeat_revenue_share": (
        "Net of orders on a second or later occasion divided by net of all orders of customers, in cents; orders in "
        "the currency of the plan's first country alone."
    ),
    "full_price_share_of_repeats": (
        "Orders on a second or later occasion without promotion or coupon divided by all orders on such occasions."
    ),
    "new_product_adoption": (
        f"Customers who bought the product within {ADOPTION_DAYS} days of its launch divided by customers with an "
        f"occasion in the {WINDOW_DAYS} days before it."
    ),
    "programme_lift": (
        "Purchases that membership added divided by members' own purchases from joining on; prospects left out."
    ),
    "campaign_lift": (
        "Purchases that the campaign's message added divided by treated persons who were customers on its first day."
    ),
    "campaign_purchases_per_person": (
        "All purchases in the campaign's days divided by persons of the arm who were customers on its first day."
    ),
    "leaving_after_service": (
        "Own purchases after which the person left divided by own purchases, by how they were served."
    ),
    "leaving_after_price_rise": (
        "Own purchases from the price rise on after which the person left divided by those purchases, by whether the "
        "person's favourite kind became dearer."
    ),
    "member_share": "Persons who joined the programme by the end divided by persons who have bought by then.",
    "nps_of_everybody": (
        f"Promoters less detractors, divided by all persons who were to be asked in the last {WINDOW_DAYS} days, those "
        "spared and out of reach included: the score that each gave or would have given when last to be asked."
    ),
    "nps_of_answers": (
        f"Promoters less detractors, divided by all accounts with an answer in the last {WINDOW_DAYS} days: the latest "
        "answer of each."
    ),
    "csat_of_answers": (
        f"Accounts whose latest answer on overall satisfaction in the last {WINDOW_DAYS} days is 4 or 5 of 5, divided "
        "by all accounts with such an answer."
    ),
    "referral_rate": (
        "Persons who invited somebody by the end, themselves left out, divided by persons with an order that counts."
    ),
    "referral_conversion": "Invitations whose invited person has ordered by the end divided by invitations.",
    "subscription_repurchase_ratio": (
        "Accounts with a subscription that was renewed, or with a later second one, divided by accounts with any."
    ),
    "message_response_rate": "Messages that were clicked by the end divided by messages delivered.",
    "survey_answer_rate": "Invitations answered by the end divided by invitations delivered.",
}
"""By metric. Money is in cents of the currency named."""
