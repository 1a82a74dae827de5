"""Public mentions of the simulated shop: by customers, known or not, by those who repost them, by bots.

Belongs here: who speaks, where, with what reach, and the truth of it. Does not belong here: reviews of orders
(`reviews.py`), who owns which handle as far as the shop knows (`../relations/contacts.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop import names
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Drawn, ids, labels, person_ids, times
from dagster_project.sources.simulated_shop.people import LANGUAGES
from dagster_project.sources.simulated_shop.streams import Bools, Ints, kept
from dagster_project.sources.simulated_shop.voice import texts
from dagster_project.sources.simulated_shop.voice.moods import moods_of, theme_weights
from dagster_project.sources.simulated_shop.voice.surveys import latest_orders

PLATFORMS = ("facebook", "instagram", "threads", "xiaohongshu")
_OWN, _ECHO, _BOT = range(3)
_STRANGERS_FROM = 5_000_000  # numbers of handles that belong to no person of the shop
_BOTS = 6
_BOT_TEXTS = 12  # a bot says the same few things again and again
_NEUTRAL_MOODS = (-0.6, 0.3)  # moods between them speak neutrally
_MEAN_FOLLOWERS = 180.0


@dataclass(frozen=True)
class _Posts:
    """One entry per post, in order of time, those after the end included; shape (k,).

    Attributes:
        second: local second.
        person: row in the block's people; -1 for strangers who repost and for bots.
        author: number of the handle.
        text_of: row of the post whose text it repeats; its own row if it says something itself.
        source: a customer of their own accord, a stranger who reposts, or a machine.
        language: position in `LANGUAGES`.
        platform: position in `PLATFORMS`.
    """

    second: Ints
    person: Ints
    author: Ints
    text_of: Ints
    source: Ints
    language: Ints
    platform: Ints

    def __len__(self) -> int:
        return len(self.second)


def mention_topic(block: Block) -> Drawn:
    """The feed `social_mentions` and its truth."""
    posts = _draw_posts(block)
    meanings = _meanings(block, posts)
    shown = np.flatnonzero(posts.second < block.end_second)
    likes, shares, reach = _echo(block, len(posts))
    number = block.number * 10_000_000 + np.arange(len(posts))
    words = texts.composed(block.stream("mentions/words"), meanings, shown, "tag")
    place = np.searchsorted(shown, posts.text_of[shown])
    is_person = posts.person[shown] >= 0
    person_number = block.people.number[np.maximum(posts.person[shown], 0)]
    return Drawn(
        feeds={
            "social_mentions": {
                "mention_id": _mention_ids(number[shown]),
                "platform": labels(PLATFORMS, posts.platform[shown]),
                "author_handle": _author_handles(posts, shown),
                "repost_of": _mention_ids(number[posts.text_of[shown]], posts.source[shown] == _ECHO),
                "text": words.take(pa.array(place)),
                "language": labels(LANGUAGES, posts.language[shown]),
                "likes": pa.array(likes[shown], pa.int64()),
                "shares": pa.array(shares[shown], pa.int64()),
                "reach": pa.array(reach[shown], pa.int64()),
                "created_at": times(block.calendar, posts.second[shown]),
            }
        },
        truth={
            "texts_of_mentions": {
                "mention_id": _mention_ids(number[shown]),
                "platform": labels(PLATFORMS, posts.platform[shown]),
                "person_id": pc.if_else(pa.array(is_person), person_ids(person_number), pa.scalar(None, pa.string())),
                **meanings.take(posts.text_of[shown]).truth(),
                "is_bot": pa.array(posts.source[shown] == _BOT),
                "is_repost": pa.array(posts.source[shown] == _ECHO),
            }
        },
    )


def speaks(block: Block) -> Bools:
    """Which people speak in public, shape (people,)."""
    return block.stream("mentions/speakers").random(len(block.people)) < block.plan.voice.mentions.speaking_share


def _draw_posts(block: Block) -> _Posts:
    """Posts of customers; then those that repeat one of them, and those of bots, which repeat one another."""
    plan, people = block.plan.voice.mentions, block.people
    rng = block.stream("mentions/posts")
    starts = people.first_day * DAY
    ends = np.clip(block.gone_second, starts, block.plan.horizon_day * DAY)
    expected = plan.per_year * (ends - starts) / (365.25 * DAY) * speaks(block)
    person = np.repeat(np.arange(len(people)), rng.poisson(kept(expected)))
    own = starts[person] + kept(rng.random(len(person)) * (ends - starts)[person]).astype(np.int64)
    original = np.flatnonzero(rng.random(len(own)) < plan.repost_share)
    echo = own[original] + rng.integers(600, 5 * DAY, len(original))
    count_bots = int(rng.poisson(plan.bot_share / (1 - plan.bot_share) * (len(own) + len(echo))))
    bot = np.sort(rng.integers(0, block.plan.horizon_day * DAY, count_bots))
    turn = np.arange(count_bots)
    text_of = np.concatenate([np.arange(len(own)), original, len(own) + len(echo) + turn % _BOT_TEXTS])
    source = np.repeat([_OWN, _ECHO, _BOT], [len(own), len(echo), count_bots])
    language = rng.integers(0, len(LANGUAGES), len(source))
    language[: len(own)] = people.language[person]
    platform = rng.integers(0, len(PLATFORMS), len(source))
    strangers = _STRANGERS_FROM + rng.integers(0, 4_000_000, len(echo))
    posts = _Posts(
        second=np.concatenate([own, echo, bot]),
        person=np.concatenate([person, np.full(len(echo) + count_bots, -1)]),
        author=np.concatenate([people.number[person], strangers, turn % _BOTS]),
        text_of=text_of,
        source=source,
        language=language[text_of],
        platform=np.where(source == _ECHO, platform[text_of], platform),
    )
    return _in_order(posts)


def _in_order(posts: _Posts) -> _Posts:
    rows = np.lexsort((np.arange(len(posts)), posts.second))
    place = np.empty_like(rows)
    place[rows] = np.arange(len(rows))
    columns = {column.name: getattr(posts, column.name)[rows] for column in fields(posts)}
    return _Posts(**(columns | {"text_of": place[posts.text_of[rows]]}))


def _meanings(block: Block, posts: _Posts) -> texts.Meanings:
    """A customer speaks in their mood about their latest order; a bot praises."""
    plan, person = block.plan.voice, np.maximum(posts.person, 0)
    noise = block.stream("mentions/moods").standard_normal(len(posts))
    latest = np.where(posts.person >= 0, latest_orders(block, person, posts.second), -1)
    was_bad = (latest >= 0) & block.purchases.is_bad_service[np.maximum(latest, 0)]
    mood = moods_of(plan.moods, block.people.satisfaction[person], noise, was_bad)
    tone = np.where(posts.source == _BOT, 1, np.digitize(mood, _NEUTRAL_MOODS) - 1)
    weights = theme_weights(block, latest)
    return texts.drawn_meanings(block.stream("mentions/meanings"), plan.texts, posts.language, tone, weights)


def _echo(block: Block, count: int) -> tuple[Ints, Ints, Ints]:
    """Likes, shares and reach of posts: few followers for most, many for a few."""
    rng = block.stream("mentions/echo")
    reach = (_MEAN_FOLLOWERS * kept(np.minimum(rng.pareto(1.5, count), 5_000.0))).astype(np.int64) + 5
    return rng.binomial(reach, 0.03), rng.binomial(reach, 0.004), reach


def _author_handles(posts: _Posts, shown: Ints) -> pa.Array:
    author = posts.author[shown]
    bots = pc.binary_join_element_wise("deal_alerts", ids("", author % _BOTS, 1), "_")
    return pc.if_else(pa.array(posts.source[shown] == _BOT), bots, names.handles(author))


def _mention_ids(number: Ints, present: Bools | None = None) -> pa.Array:
    return ids("m", number, 10, present)
