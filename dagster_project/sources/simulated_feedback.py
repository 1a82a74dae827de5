"""What the simulated shop's customers send back: goods, answers, reviews.

Belongs here: refunds, survey answers and reviews as columns. Does not belong here: the sentences
(`simulated_text.py`), files and planted faults (`simulated.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dagster_project.sources.simulated_baskets import Amounts
from dagster_project.sources.simulated_people import Ints, People, Visits
from dagster_project.sources.simulated_text import COMMENTS, LANGUAGES

Texts = npt.NDArray[np.object_]
Flags = npt.NDArray[np.bool_]
_DAY = 86_400


@dataclass(frozen=True)
class Refunds:
    """One entry per refund."""

    order: Ints
    second: Ints
    cents: Ints
    reason: Texts


@dataclass(frozen=True)
class Answers:
    """One entry per answer or review; `order` is -1 where it is about the shop as a whole."""

    customer: Ints
    order: Ints
    second: Ints
    score: Ints
    is_nps: Flags
    comment: Texts


def refunds(rng: np.random.Generator, orders: Visits, paid: Amounts, is_delivered: Flags, end: int) -> Refunds:
    """One delivered order in twenty comes back, two in five of them whole."""
    order = np.flatnonzero(is_delivered & (rng.random(len(is_delivered)) < 0.057))
    goods = paid.goods[order] - paid.discount[order]
    part = goods * rng.integers(20, 71, len(order)) // 100
    cents = np.where(rng.random(len(order)) < 0.4, goods, part)
    second = orders.second[order] + rng.integers(3 * _DAY, 30 * _DAY, len(order))
    reasons = np.array(["damaged", "wrong_size", "not_as_described", "changed_mind", "late"], dtype=object)
    reason = reasons[rng.integers(0, len(reasons), len(order))]
    kept = (second < end) & (cents > 0)
    return Refunds(order=order[kept], second=second[kept], cents=cents[kept], reason=reason[kept])


def survey_answers(rng: np.random.Generator, crowd: People, orders: Visits, is_asked: Flags, end: int) -> Answers:
    """NPS after one order in five and of one customer in ten without an order; CSAT after one order in five."""
    asked = [np.flatnonzero(is_asked & (rng.random(len(is_asked)) < 0.2)) for _ in range(2)]
    general = np.flatnonzero(rng.random(len(crowd.first_day)) < 0.1)
    order = np.concatenate([*asked, np.full(len(general), -1)])
    customer = np.concatenate([orders.customer[asked[0]], orders.customer[asked[1]], general])
    is_nps = np.concatenate([np.ones(len(asked[0]), bool), np.zeros(len(asked[1]), bool), np.ones(len(general), bool)])
    about = np.concatenate([orders.second[asked[0]], orders.second[asked[1]], crowd.first_day[general] * _DAY + _DAY])
    wait = np.where(order >= 0, rng.integers(2 * _DAY, 14 * _DAY, len(order)), rng.integers(0, 300 * _DAY, len(order)))
    mood = crowd.satisfaction[customer] + 0.7 * rng.standard_normal(len(order))
    score = np.where(is_nps, np.clip(np.rint(8.0 + 1.7 * mood), 0, 10), np.clip(np.rint(4.1 + 0.8 * mood), 1, 5))
    comment = _sentences(rng, crowd.language[customer], mood)
    comment[rng.random(len(order)) >= 0.35] = ""
    made = Answers(customer, order, about + wait, score.astype(np.int64), is_nps, comment)
    return _sorted_until(made, end)


def reviews(rng: np.random.Generator, crowd: People, orders: Visits, is_asked: Flags, end: int) -> Answers:
    """Stars and a sentence for three orders in ten."""
    order = np.flatnonzero(is_asked & (rng.random(len(is_asked)) < 0.3))
    customer = orders.customer[order]
    mood = crowd.satisfaction[customer] + 0.7 * rng.standard_normal(len(order))
    stars = np.clip(np.rint(4.0 + 0.9 * mood), 1, 5).astype(np.int64)
    second = orders.second[order] + rng.integers(3 * _DAY, 21 * _DAY, len(order))
    comment = _sentences(rng, crowd.language[customer], mood)
    return _sorted_until(Answers(customer, order, second, stars, np.zeros(len(order), bool), comment), end)


def _sentences(rng: np.random.Generator, language: Ints, mood: npt.NDArray[np.float64]) -> Texts:
    band = np.digitize(mood, [-0.9, 0.0])
    said = np.empty(len(language), dtype=object)
    for code, name in enumerate(LANGUAGES):
        for level, sentences in enumerate(COMMENTS[name]):
            here = np.flatnonzero((language == code) & (band == level))
            said[here] = np.array(sentences, dtype=object)[rng.integers(0, len(sentences), len(here))]
    return said


def _sorted_until(made: Answers, end: int) -> Answers:
    kept = np.flatnonzero(made.second < end)
    kept = kept[np.lexsort((kept, made.second[kept]))]
    return Answers(
        made.customer[kept],
        made.order[kept],
        made.second[kept],
        made.score[kept],
        made.is_nps[kept],
        made.comment[kept],
    )
