"""In what mood customers are, and what scores and themes a mood makes.

Belongs here: the mood about an order, from mood to score, what speaks for a theme. Does not belong here: who is asked
or writes (`surveys.py`, `reviews.py`, `mentions.py`, `support.py`).
"""

from __future__ import annotations

import numpy as np

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, kept
from dagster_project.sources.simulated_shop.voice.phrases import THEMES
from dagster_project.sources.simulated_shop.voice.plan import Moods


def moods_of(plan: Moods, satisfaction: Floats, noise: Floats, is_bad_service: Bools) -> Floats:
    """Moods of persons of some satisfaction.

    Args:
        plan: how moods come about.
        satisfaction: standard normal, shape (n,).
        noise: standard normal, shape (n,); what the occasion adds.
        is_bad_service: whether the mood is about a badly served order, shape (n,).
    """
    weight = plan.satisfaction_weight
    return kept(weight * satisfaction + (1 - weight**2) ** 0.5 * noise - plan.bad_service_drop * is_bad_service)


def order_moods(block: Block) -> Floats:
    """The mood about each purchase of a block, shape (m,): the same whoever asks about it."""
    bought = block.purchases
    noise = block.stream("voice/moods").standard_normal(len(bought))
    satisfaction = block.people.satisfaction[bought.person]
    return moods_of(block.plan.voice.moods, satisfaction, noise, bought.is_bad_service)


def scores(plan: Moods, mood: Floats, noise: Floats, scale_min: Ints | int, scale_max: Ints | int) -> Ints:
    """Scores that moods make on a scale; any shapes that go together.

    Args:
        plan: centre and spread of the answers, and how far they follow the mood.
        mood: in standard deviations.
        noise: standard normal, of each answer.
        scale_min: lowest score.
        scale_max: highest score.
    """
    answer = kept(plan.item_weight * mood + (1 - plan.item_weight**2) ** 0.5 * noise)
    width = np.asarray(scale_max) - scale_min
    raw = np.rint(kept(scale_min + width * (plan.centre + plan.spread * answer)))
    return np.clip(raw, scale_min, scale_max).astype(np.int64)


def tones_of_scores(score: Ints, lowest_neutral: Ints | int, highest_neutral: Ints | int) -> Ints:
    """The tone that fits a score: -1 below the neutral ones, 1 above."""
    return (score > highest_neutral).astype(np.int64) - (score < lowest_neutral)


def contradicted(tone: Ints, chance: Floats, contrary_share: float) -> Ints:
    """Tones of texts that stand beside scores: a share of them says the opposite of the score."""
    return np.where(chance < contrary_share, -tone, tone)


def theme_weights(block: Block, order: Ints) -> Floats:
    """What speaks for each theme in a text about an order, shape (texts, themes).

    Args:
        block: the block.
        order: row in the block's purchases; -1 for a text about the shop in general.
    """
    place = {theme: number for number, theme in enumerate(THEMES)}
    bought, plan = block.purchases, block.plan
    weights = np.ones((len(order), len(THEMES)))
    about = np.flatnonzero(order >= 0)
    rows = order[about]
    favourite = block.people.favourite_kind[bought.person[rows]]
    has_risen = bool(plan.price_rise.percent) & (bought.day[rows] >= plan.price_rise_day)
    causes = {
        "delivery": bought.is_late[rows],
        "quality": bought.is_bad_service[rows] & ~bought.is_late[rows],
        "promotion": bought.is_promoted[rows] | bought.has_coupon[rows],
        "price": has_risen & np.isin(favourite, plan.price_rise.kinds),
    }
    for theme, speaks in causes.items():
        weights[about[speaks], place[theme]] = plan.voice.texts.cause_weight
    return weights
