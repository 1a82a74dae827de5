"""What the simulated shop asks: every question with its instrument and scale, and which survey asks it.

Belongs here: the questionnaire. Does not belong here: who is asked (`surveys.py`), what they say (`answers.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.columns import Drawn


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        question: its code in the feeds.
        instrument: what is measured; questions of one instrument are averaged, never those of two.
        scale_min: lowest answer.
        scale_max: highest answer.
        wording: as the customer reads it.
        is_reversed: whether a high answer is bad.
    """

    question: str
    instrument: str
    scale_min: int
    scale_max: int
    wording: str
    is_reversed: bool = False


QUESTIONS = (
    Question("nps", "nps", 0, 10, "How likely are you to recommend us to a friend or colleague?"),
    Question("csat", "csat", 1, 5, "How satisfied are you with this order on the whole?"),
    Question("csat_product", "csat_product", 1, 5, "How satisfied are you with the goods that you received?"),
    Question("csat_service", "csat_service", 1, 5, "How satisfied are you with our delivery and service?"),
    Question("cli_recommend", "cli", 1, 6, "I would recommend this shop to others."),
    Question("cli_buy_again", "cli", 1, 6, "I will buy here again."),
    Question("cli_try_others", "cli", 1, 6, "I would like to try other products of this shop."),
    Question("trust_keeps_promises", "trust", 1, 7, "This shop keeps its promises."),
    Question("trust_is_open", "trust", 1, 7, "This shop speaks openly of its mistakes."),
    Question("bond_feels_close", "bond", 1, 7, "I feel close to this shop."),
    Question("bond_would_not_miss", "bond", 1, 7, "If this shop closed, I would not miss it.", is_reversed=True),
    Question("value_fit", "value_fit", 1, 7, "What this shop stands for is what I stand for."),
    Question("dependence", "dependence", 1, 7, "I would find it hard to replace this shop."),
    Question("belonging", "belonging", 1, 7, "I feel that I belong to the circle of this shop's customers."),
    Question("expectation_met", "expectation", 1, 5, "How far did we meet what you expected?"),
    Question(
        "brand_awareness", "awareness", 1, 5, "When you think of things for the home, how soon do we come to mind?"
    ),
    Question("wallet_share", "wallet_share", 0, 10, "Of ten purchases of this kind, how many do you make with us?"),
)

TRANSACTIONAL = ("nps", "csat", "csat_product", "csat_service")
"""Asked after a delivery."""

RELATIONSHIP = ("nps", "cli_recommend", "cli_buy_again", "cli_try_others")
"""Asked of everybody in a quarterly wave; one of `ROTATING` follows."""

ROTATING = (
    ("trust_keeps_promises", "trust_is_open", "bond_feels_close", "bond_would_not_miss"),
    ("value_fit", "dependence", "belonging"),
    ("expectation_met", "brand_awareness", "wallet_share"),
)
"""Pages of the relationship survey of which each invitation shows one, so that no survey is long."""


def questionnaire(calendar: Calendar) -> Drawn:
    """The feed `survey_questions`, which is the same in every shop."""
    del calendar
    return Drawn(
        feeds={
            "survey_questions": {
                "question": pa.array([asked.question for asked in QUESTIONS]),
                "instrument": pa.array([asked.instrument for asked in QUESTIONS]),
                "scale_min": pa.array([asked.scale_min for asked in QUESTIONS], pa.int8()),
                "scale_max": pa.array([asked.scale_max for asked in QUESTIONS], pa.int8()),
                "is_reversed": pa.array([asked.is_reversed for asked in QUESTIONS]),
                "wording": pa.array([asked.wording for asked in QUESTIONS]),
            }
        }
    )
