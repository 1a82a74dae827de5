"""Requests for help and complaints, and how the simulated shop deals with them.

Belongs here: who gets in touch over what, the events that follow, the rating, and their truth. Does not belong here:
bad service itself (`../purchases.py`), office hours (`../office_hours.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import customer_ids_of_orders
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Columns, Drawn, ids, labels, order_ids, person_ids, times
from dagster_project.sources.simulated_shop.office_hours import CLOSES, OPENS, second_after_work, work_seconds
from dagster_project.sources.simulated_shop.orders import REGULAR
from dagster_project.sources.simulated_shop.people import LANGUAGES, NEVER
from dagster_project.sources.simulated_shop.streams import Floats, Ints, chosen, kept
from dagster_project.sources.simulated_shop.voice import texts
from dagster_project.sources.simulated_shop.voice.moods import order_moods, scores
from dagster_project.sources.simulated_shop.voice.phrases import THEMES

CHANNELS = ("phone", "email", "chat", "social")
PHONE = 0
_CHANNEL_SHARES = (0.35, 0.35, 0.2, 0.1)
KINDS = ("question", "request", "complaint")
SEVERITIES = ("low", "medium", "high")
TOPICS = ("late_delivery", "damaged_goods", "product_question", "invoice", "account", "return", "voucher")
_LATE, _DAMAGED, _FIRST_OTHER = 0, 1, 2
_OTHER_SHARES = (0.3, 0.15, 0.15, 0.25, 0.15)
_THEME_OF_TOPIC = ("delivery", "quality", "quality", "price", "experience", "service", "promotion")
EVENTS = ("opened", "auto_reply", "agent_reply", "agent_reply", "agent_reply", "resolved")
_AGAIN = ("reopened", "agent_reply", "resolved")
_STEPS = (*EVENTS, *_AGAIN)
_AUTO, _FIRST_REPLY, _RESOLVED, _REOPENED = 1, 2, 5, 6
_MOST_REPLIES = 3
_UNSOLVED_SHARE = 0.02  # never solved: they are open whenever one looks
_HOUR = 3_600
_MOST_WAITS = 20  # an exponential wait is at most so many times its mean
_MOST_DAYS_OF_DROP = 3.0


@dataclass(frozen=True)
class Contacts:
    """One entry per contact, in order of time, those after the end included; shape (k,).

    Attributes:
        number: of the contact in the shop.
        order: row in the block's purchases.
        second: when it was opened.
        topic: position in `TOPICS`.
        kind: position in `KINDS`.
        severity: position in `SEVERITIES`.
        channel: position in `CHANNELS`.
        steps: seconds of what follows, shape (k, 9), NEVER where a step is left out.
        score: 1 to 5, what the customer gives or would give.
        rated_second: when they give it; NEVER otherwise.
    """

    number: Ints
    order: Ints
    second: Ints
    topic: Ints
    kind: Ints
    severity: Ints
    channel: Ints
    steps: Ints
    score: Ints
    rated_second: Ints

    def __len__(self) -> int:
        return len(self.number)


def support_topic(block: Block) -> Drawn:
    """The feeds `support_contacts` and `support_events`, and their truth."""
    contacts = draw_contacts(block)
    bought, calendar = block.purchases, block.calendar
    shown = np.flatnonzero(contacts.second < block.end_second)
    order = contacts.order[shown]
    person = bought.person[order]
    meanings = _meanings(block, contacts)
    is_rated = contacts.rated_second[shown] < block.end_second
    return Drawn(
        feeds={
            "support_contacts": {
                "contact_id": _contact_ids(contacts.number[shown]),
                "customer_id": customer_ids_of_orders(block, order),
                "order_id": order_ids(bought.number[order]),
                "channel": labels(CHANNELS, contacts.channel[shown]),
                "kind": labels(KINDS, contacts.kind[shown]),
                "topic": labels(TOPICS, contacts.topic[shown]),
                "severity": labels(SEVERITIES, contacts.severity[shown]),
                "opened_at": times(calendar, contacts.second[shown]),
                "csat_score": pa.array(contacts.score[shown], pa.int8(), mask=~is_rated),
                "message": texts.composed(block.stream("support/words"), meanings, shown, "request"),
                "language": labels(LANGUAGES, block.people.language[person]),
            },
            "support_events": _event_columns(block, contacts, shown),
        },
        truth={
            "texts_of_contacts": {
                "contact_id": _contact_ids(contacts.number[shown]),
                "person_id": person_ids(block.people.number[person]),
                **meanings.take(shown).truth(),
                "is_about_bad_service": pa.array(bought.is_bad_service[order]),
                "csat_score_if_rated": pa.array(contacts.score[shown], pa.int8()),
            }
        },
    )


def draw_contacts(block: Block) -> Contacts:
    """Draw who gets in touch over which order, and what follows."""
    plan, bought = block.plan.voice.support, block.purchases
    rng = block.stream("support/who")
    chance = np.where(bought.is_bad_service, plan.bad_service_share, plan.other_share)
    wants, share = rng.random(len(bought)) < chance, rng.random(len(bought))
    order = np.flatnonzero(wants & (block.fulfilment.fate == REGULAR))
    channel = chosen(block.stream("support/channel"), _CHANNEL_SHARES, len(order))
    second = _opened_seconds(block, order, share[order])
    second = np.where(channel == PHONE, second_after_work(block.calendar, second, second * 0), second)
    rows = np.lexsort((order, second))
    order, second, channel = order[rows], second[rows], channel[rows]
    is_late, is_bad = bought.is_late[order], bought.is_bad_service[order]
    other = _FIRST_OTHER + chosen(block.stream("support/topic"), _OTHER_SHARES, len(order))
    kind_draw = block.stream("support/kind").random(len(order))
    steps = _steps(block, second, channel)
    waited = work_seconds(block.calendar, steps[:, _FIRST_REPLY]) - work_seconds(block.calendar, second)
    is_rated = block.stream("support/rated").random(len(order)) < plan.csat_share
    resolved = steps[:, _RESOLVED]
    return Contacts(
        number=block.number * 10_000_000 + np.arange(len(order)),
        order=order,
        second=second,
        topic=np.select([is_late, is_bad], [_LATE, _DAMAGED], other),
        kind=np.where(is_bad, 1 + (kind_draw < 0.7), kind_draw < 0.4).astype(np.int64),
        severity=np.where(is_bad, 1 + (kind_draw < 0.35), 0).astype(np.int64),
        channel=channel,
        steps=steps,
        score=_scores(block, order, waited),
        rated_second=np.where(is_rated & (resolved < NEVER), np.minimum(resolved, NEVER - DAY) + _HOUR, NEVER),
    )


def _opened_seconds(block: Block, order: Ints, share: Floats) -> Ints:
    """Over a late parcel from the day after the promise on, over damage after delivery, otherwise after ordering."""
    bought, delivered = block.purchases, block.fulfilment.delivered_second[order]
    is_late, is_bad = bought.is_late[order], bought.is_bad_service[order]
    promise_broken = (block.fulfilment.promised_day[order] + 1) * DAY + 8 * _HOUR
    starts = np.select([is_late, is_bad], [promise_broken, delivered], bought.second[order])
    days = np.select([is_late, is_bad], [3, 5], 10)
    return starts + kept(share * days * DAY).astype(np.int64)


def _steps(block: Block, opened: Ints, channel: Ints) -> Ints:
    """The seconds of every step of every contact; replies and solutions come in office hours."""
    plan, count, calendar = block.plan.voice.support, len(opened), block.calendar
    rng = block.stream("support/steps")

    def wait(mean_hours: Floats | float) -> Ints:
        work = np.minimum(rng.standard_exponential(count), _MOST_WAITS) * mean_hours * _HOUR
        return np.maximum(kept(work).astype(np.int64), 30)

    steps = np.full((count, len(_STEPS)), NEVER)
    steps[:, 0] = opened
    has_auto = (rng.random(count) < plan.auto_reply_share) & (channel != PHONE)
    steps[has_auto, _AUTO] = opened[has_auto] + rng.integers(2, 30, count)[has_auto]
    needs_more = np.cumprod(rng.random((count, _MOST_REPLIES - 1)) < plan.touches_share, axis=1).astype(np.bool_)
    last = second_after_work(calendar, opened, 30 + wait(np.array(plan.first_reply_hours)[channel]))
    steps[:, _FIRST_REPLY] = last
    for extra in range(_MOST_REPLIES - 1):
        later = second_after_work(calendar, last, wait(plan.resolve_hours))
        last = np.where(needs_more[:, extra], later, last)
        steps[:, _FIRST_REPLY + 1 + extra] = np.where(needs_more[:, extra], later, NEVER)
    is_solved = rng.random(count) >= _UNSOLVED_SHARE
    resolved = second_after_work(calendar, last, wait(plan.resolve_hours))
    steps[:, _RESOLVED] = np.where(is_solved, resolved, NEVER)
    reopened = resolved + rng.integers(_HOUR, 6 * DAY, count)
    reply = second_after_work(calendar, reopened, wait(plan.resolve_hours))
    again = [reopened, reply, second_after_work(calendar, reply, wait(plan.resolve_hours))]
    is_reopened = is_solved & (rng.random(count) < plan.reopened_share)
    steps[:, _REOPENED:] = np.where(is_reopened[:, None], np.stack(again, axis=1), NEVER)
    return steps


def _scores(block: Block, order: Ints, waited: Ints) -> Ints:
    plan = block.plan.voice
    days = np.minimum(waited / (CLOSES - OPENS), _MOST_DAYS_OF_DROP)
    noise = block.stream("support/scores").standard_normal(len(order))
    return scores(plan.moods, kept(order_moods(block)[order] - plan.support.slow_drop * days), noise, 1, 5)


def _meanings(block: Block, contacts: Contacts) -> texts.Meanings:
    """A complaint is negative, a question neutral, a request either, each about the theme of its topic."""
    weights = np.full((len(contacts), len(THEMES)), 0.02)
    theme = np.array([THEMES.index(name) for name in _THEME_OF_TOPIC])[contacts.topic]
    weights[np.arange(len(contacts)), theme] = 1.0
    is_sore = block.stream("support/tones").random(len(contacts)) < 0.5
    tone = np.select([contacts.kind == 2, contacts.kind == 0], [-1, 0], -is_sore.astype(np.int64))
    language = block.people.language[block.purchases.person[contacts.order]]
    rng = block.stream("support/meanings")
    return texts.drawn_meanings(rng, block.plan.voice.texts, language, tone, weights)


def _event_columns(block: Block, contacts: Contacts, shown: Ints) -> Columns:
    """What happened to the contacts before the end, numbered in the order in which it happened."""
    steps = contacts.steps[shown]
    has_happened = steps < block.end_second
    row, step = np.nonzero(has_happened)
    number = np.cumsum(has_happened, axis=1)[row, step]
    return {
        "contact_id": _contact_ids(contacts.number[shown][row]),
        "event_number": pa.array(number, pa.int64()),
        "event": labels(_STEPS, step),
        "happened_at": times(block.calendar, steps[row, step]),
    }


def _contact_ids(number: Ints) -> pa.Array:
    return ids("k", number, 10)
