"""Reviews of orders: stars and a text, sometimes changed later.

Belongs here: who reviews, stars, texts, edits, and their truth. Does not belong here: surveys (`surveys.py`), speaking
in public without an order (`mentions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import customer_ids_of_orders
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Drawn, ids, labels, order_ids, person_ids, times
from dagster_project.sources.simulated_shop.orders import REGULAR
from dagster_project.sources.simulated_shop.people import LANGUAGES, NEVER
from dagster_project.sources.simulated_shop.purchases import GUEST
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, kept
from dagster_project.sources.simulated_shop.voice import texts
from dagster_project.sources.simulated_shop.voice.moods import (
    contradicted,
    order_moods,
    scores,
    theme_weights,
    tones_of_scores,
)

_NEUTRAL_STARS = 3


@dataclass(frozen=True)
class _Versions:
    """One version of each review, those after the end included; shape (reviews,).

    Attributes:
        stars: 1 to 5.
        meanings: of the texts.
        is_contrary: whether the text's tone is the opposite of the stars.
    """

    stars: Ints
    meanings: texts.Meanings
    is_contrary: Bools


def review_topic(block: Block) -> Drawn:
    """The feed `reviews`, as it stands at the end, and the truth of it with the first version of what was changed."""
    order, created = _reviewed(block)
    edited = _edited_seconds(block, created)
    mood = order_moods(block)[order]
    new_noise = block.stream("reviews/new_mood").standard_normal(len(order))
    first = _version(block, "first", order, mood)
    later = _version(block, "later", order, kept(mood + new_noise))
    shown = np.flatnonzero(created < block.end_second)
    is_edited = edited[shown] < block.end_second
    words = texts.composed(block.stream("reviews/words/first"), first.meanings, shown)
    new_words = texts.composed(block.stream("reviews/words/later"), later.meanings, shown[is_edited])
    order, number = order[shown], block.number * 10_000_000 + shown
    stars = np.where(is_edited, later.stars[shown], first.stars[shown])
    standing = _standing(first.meanings.take(shown), later.meanings.take(shown), is_edited)
    person = block.purchases.person[order]
    return Drawn(
        feeds={
            "reviews": {
                "review_id": _review_ids(number),
                "customer_id": customer_ids_of_orders(block, order),
                "order_id": order_ids(block.purchases.number[order]),
                "stars": pa.array(stars, pa.int64()),
                "review_text": _replaced(words, new_words, is_edited),
                "language": labels(LANGUAGES, block.people.language[person]),
                "created_at": times(block.calendar, created[shown]),
                "updated_at": times(block.calendar, np.where(is_edited, edited[shown], created[shown])),
            }
        },
        truth={
            "texts_of_reviews": {
                "review_id": _review_ids(number),
                "person_id": person_ids(block.people.number[person]),
                **standing.truth(),
                "is_contrary": pa.array(np.where(is_edited, later.is_contrary[shown], first.is_contrary[shown])),
                "first_stars": pa.array(first.stars[shown], pa.int64()),
                "is_edited": pa.array(is_edited),
            },
            "first_versions_of_reviews": {
                "review_id": _review_ids(number[is_edited]),
                "stars": pa.array(first.stars[shown][is_edited], pa.int64()),
                "review_text": words.filter(pa.array(is_edited)),
            },
        },
    )


def _reviewed(block: Block) -> tuple[Ints, Ints]:
    """Orders that are reviewed, and when: the more extreme the mood about them, the likelier."""
    plan, bought = block.plan.voice.reviews, block.purchases
    chance = plan.review_share + plan.extreme_mood_share * np.abs(order_moods(block))
    rng = block.stream("reviews/who")
    wants = rng.random(len(bought)) < kept(chance)
    wait = rng.integers(DAY // 4, 20 * DAY, len(bought))
    order = np.flatnonzero(wants & (bought.account != GUEST) & (block.fulfilment.fate == REGULAR))
    return order, block.fulfilment.delivered_second[order] + wait[order]


def _edited_seconds(block: Block, created: Ints) -> Ints:
    rng = block.stream("reviews/edits")
    is_edited = rng.random(len(created)) < block.plan.voice.reviews.edited_share
    return np.where(is_edited, created + rng.integers(DAY // 24, 90 * DAY, len(created)), NEVER)


def _version(block: Block, name: str, order: Ints, mood: Floats) -> _Versions:
    plan = block.plan.voice
    noise = block.stream(f"reviews/stars/{name}").standard_normal(len(order))
    stars = scores(plan.moods, mood, noise, 1, 5)
    tone = tones_of_scores(stars, _NEUTRAL_STARS, _NEUTRAL_STARS)
    chance = block.stream(f"reviews/contrary/{name}").random(len(order))
    said = contradicted(tone, chance, plan.texts.contrary_share)
    language = block.people.language[block.purchases.person[order]]
    rng = block.stream(f"reviews/meanings/{name}")
    meanings = texts.drawn_meanings(rng, plan.texts, language, said, theme_weights(block, order))
    return _Versions(stars, meanings, said != tone)


def _standing(first: texts.Meanings, later: texts.Meanings, is_edited: Bools) -> texts.Meanings:
    """The meanings that stand: the later ones where the review was changed."""
    rows = np.where(is_edited, len(is_edited), 0) + np.arange(len(is_edited))
    return first.followed_by(later).take(rows)


def _replaced(words: pa.Array, new_words: pa.Array, is_edited: Bools) -> pa.Array:
    rows = np.arange(len(words))
    rows[is_edited] = len(words) + np.arange(len(new_words))
    return pa.concat_arrays([words, new_words]).take(pa.array(rows))


def _review_ids(number: Ints) -> pa.Array:
    return ids("v", number, 10)
