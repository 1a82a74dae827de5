"""Dirt in accounts, contacts, answers, reviews and points.

Belongs here: the kinds that choose their rows among what is known of people and what they say. Does not belong here:
several accounts of one person and shared addresses, which are true and drawn with the shop; the mechanics
(`planting.py`).
"""

from __future__ import annotations

from dagster_project.sources.simulated_shop.dirt import eligibility as rows
from dagster_project.sources.simulated_shop.dirt import texts
from dagster_project.sources.simulated_shop.dirt.kind import Follower, Kind

_ERASED = {
    **dict.fromkeys(("email", "phone", "full_name", "birthday"), texts.written(None)),
    **dict.fromkeys(("loyalty_card", "social_handle", "preferred_channel", "preferred_kind"), texts.written(None)),
    "has_marketing_consent": texts.written("false"),
}
_AN_ANSWER_OF_SOMEBODY = rows.is_present("survey_answers", "customer_id")

PEOPLE_KINDS = (
    Kind(
        "wholesale_account",
        edge="wholesale outlier",
        feed="customers",
        how="added_after",
        meets="excluded",
        columns={"customer_id": texts.marked("customer_id", "trade"), "customer_type": texts.written("wholesale")},
        followers=(
            Follower(
                "orders",
                on="customer_id",
                of=("customers", "customer_id"),
                columns={
                    "order_id": texts.marked("order_id", "trade"),
                    "customer_id": texts.marked("customer_id", "trade"),
                },
            ),
            Follower(
                "order_lines",
                on="order_id",
                of=("orders", "order_id"),
                columns={
                    "order_id": texts.marked("order_id", "trade"),
                    "quantity": texts.one_of(("120", "240", "600", "1000")),
                },
            ),
        ),
    ),
    Kind(
        "cut_customer_row",
        edge="row with too few fields",
        feed="customers",
        how="cut",
        meets="unreadable",
        columns={"customer_id": texts.marked("customer_id", "cut")},
        share=0.0002,
    ),
    Kind(
        "address_in_capitals",
        edge="e-mail in other case",
        feed="contacts",
        how="rewritten",
        meets="harmless",
        columns={"email": texts.capitals("email")},
        eligible=rows.is_present("contacts", "email"),
        share=0.002,
    ),
    Kind(
        "address_with_a_trailing_space",
        edge="e-mail with trailing space",
        feed="contacts",
        how="rewritten",
        meets="harmless",
        columns={"email": texts.trailing_space("email")},
        eligible=rows.is_present("contacts", "email"),
        share=0.002,
    ),
    Kind(
        "phone_in_another_spelling",
        edge="phone formats",
        feed="contacts",
        how="rewritten",
        meets="harmless",
        columns={"phone": texts.spelled_out_phone("phone")},
        eligible=rows.is_present("contacts", "phone"),
        share=0.005,
    ),
    Kind(
        "customer_erased_with_an_open_refund",
        edge="customer erased with open refunds",
        feed="contacts",
        how="rewritten",
        meets="harmless",
        columns={
            **_ERASED,
            "updated_at": rows.a_day_before_the_latest("refunds", "refunded_at"),
        },
        eligible=rows.is_owner_in("contacts", "refunds"),
        needs=("refunds", "orders"),
        share=0.002,
    ),
    Kind(
        "answer_after_erasure",
        edge="answer after erasure",
        feed="contacts",
        how="rewritten",
        meets="harmless",
        columns={
            **_ERASED,
            "updated_at": rows.a_day_before_the_latest("survey_answers", "answered_at"),
        },
        eligible=rows.is_owner_in("contacts", "survey_answers"),
        needs=("survey_answers",),
        share=0.002,
    ),
    Kind(
        "address_with_a_look_alike_letter",
        edge="e-mail with a unicode look-alike",
        feed="contacts",
        how="rewritten",
        meets="harmless",
        columns={"email": texts.with_look_alike("email")},
        eligible=rows.is_matching("contacts", "email", "[aeop]"),
        share=0.001,
    ),
    Kind(
        "score_as_text",
        edge="score as text",
        feed="survey_answers",
        how="rewritten",
        meets="refused",
        columns={"score": texts.one_of(texts.SCORES_IN_WORDS)},
    ),
    Kind(
        "score_off_its_scale",
        edge="score off its scale",
        feed="survey_answers",
        how="rewritten",
        meets="refused",
        columns={"score": texts.one_of(texts.SCORES_OFF_SCALE)},
    ),
    Kind(
        "answer_sent_twice",
        edge="survey double submit",
        feed="survey_answers",
        how="added_after",
        meets="harmless",
        columns={"answer_id": texts.marked("answer_id", "again"), "answered_at": texts.moved("answered_at", 20, 90)},
        eligible=_AN_ANSWER_OF_SOMEBODY,
        share=0.002,
    ),
    Kind(
        "anonymous_answer",
        edge="anonymous answer",
        feed="survey_answers",
        how="rewritten",
        meets="unlinked",
        columns=dict.fromkeys(("customer_id", "invitation_id", "order_id"), texts.written(None)),
        eligible=_AN_ANSWER_OF_SOMEBODY,
        share=0.002,
    ),
    Kind(
        "answer_to_an_earlier_wave",
        edge="answer in wave 2 to wave 1 question",
        feed="survey_answers",
        how="rewritten",
        meets="harmless",
        columns={"invitation_id": rows.invitation_of_an_earlier_wave},
        eligible=rows.answers_a_later_wave,
        needs=("survey_invitations",),
        share=0.002,
    ),
    Kind(
        "review_lowered_from_five_stars",
        edge="review edited from 5★ to 1★",
        feed="reviews",
        how="added_before",
        meets="repeats",
        columns={"stars": texts.written("5"), "updated_at": texts.copied("created_at")},
        eligible=rows.is_matching("reviews", "stars", "^[12]$"),
        share=0.1,
    ),
    Kind(
        "backdated_points",
        edge="points backdated",
        feed="points_ledger",
        how="rewritten",
        meets="harmless",
        columns={"effective_at": texts.moved("effective_at", -40 * 86_400, -20 * 86_400)},
        eligible=rows.equals("points_ledger", "event", "bonus"),
        share=0.01,
    ),
    Kind(
        "points_spent_at_the_moment_they_are_earned",
        edge="redeem at same timestamp as earn (order by event_seq)",
        feed="points_ledger",
        how="rewritten",
        meets="harmless",
        columns={"effective_at": rows.moment_of_the_event_before},
        eligible=rows.redeems_after_an_earning,
        share=0.01,
    ),
    Kind(
        "points_spent_beyond_the_balance",
        edge="balance below zero",
        feed="points_ledger",
        how="rewritten",
        meets="counted",
        columns={"points": texts.hundredfold("points")},
        eligible=rows.equals("points_ledger", "event", "redeem"),
        share=0.001,
    ),
)
