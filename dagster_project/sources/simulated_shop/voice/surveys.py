"""Who the simulated shop asks, whom it spares, who answers.

Belongs here: the invitations of a block, transactional ones after a delivery and relationship ones in quarterly waves.
Does not belong here: what is answered (`answers.py`), the questions (`questions.py`).

Everybody who is to be asked is drawn first, then spared if asked shortly before, then perhaps out of reach; of those
who are reached, the satisfied and the long-standing answer more often. So raw scores are better than the truth, by an
amount that the truth shows: it has the score of everybody who was to be asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import customer_ids_at
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Columns, ids, labels, order_ids, times
from dagster_project.sources.simulated_shop.orders import REGULAR
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.purchases import GUEST
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints, chosen, kept
from dagster_project.sources.simulated_shop.voice.moods import moods_of, order_moods

SURVEYS = ("transactional", "relationship")
TRANSACTIONAL, RELATIONSHIP = range(2)
STATUSES = ("delivered", "bounced", "throttled")
DELIVERED, BOUNCED, THROTTLED = range(3)
CHANNELS = ("email", "app", "sms")
_CHANNEL_SHARES = (0.7, 0.2, 0.1)
_WAVE_MONTHS, _WAVE_DAY = (2, 5, 8, 11), 15
_LOOKS_BACK_DAYS = 365
_MOST_TENURE_YEARS = 3.0
_MEAN_DELAY_DAYS, _MOST_DELAY_DAYS = 1.5, 30


@dataclass(frozen=True)
class Invitations:
    """One entry per person and survey to be asked, in order of time, those after the end included; shape (k,).

    Attributes:
        number: of the invitation in the shop.
        person: row in the block's people.
        survey: position in `SURVEYS`.
        order: row in the block's purchases; -1 for the relationship survey.
        second: when it was sent, or would have been.
        channel: position in `CHANNELS`.
        status: position in `STATUSES`.
        mood: in which the person is.
        chance_to_answer: of an invitation that is delivered.
        answered_second: when the answer came; NEVER without one.
    """

    number: Ints
    person: Ints
    survey: Ints
    order: Ints
    second: Ints
    channel: Ints
    status: Ints
    mood: Floats
    chance_to_answer: Floats
    answered_second: Ints

    def __len__(self) -> int:
        return len(self.number)

    @property
    def is_answered(self) -> Bools:
        """Whether an answer comes some day."""
        return self.answered_second < NEVER


def draw_invitations(block: Block) -> Invitations:
    """Draw whom a block's shop is to ask, and what comes of it."""
    surveys = block.plan.voice.surveys
    order, asked_second = _after_deliveries(block)
    person, wave_second = _in_waves(block)
    person = np.concatenate([block.purchases.person[order], person])
    order = np.concatenate([order, np.full(len(wave_second), -1)])
    second = np.concatenate([asked_second, wave_second])
    rows = np.lexsort((order, person, second))
    person, order, second = person[rows], order[rows], second[rows]
    has_dead_address = block.stream("surveys/addresses").random(len(block.people)) < surveys.bounced_share
    is_spared = spared(person, second, surveys.throttle_days * DAY)
    status = np.select([is_spared, has_dead_address[person]], [THROTTLED, BOUNCED], DELIVERED)
    chance = _chances_to_answer(block, person, second)
    rng = block.stream("surveys/answering")
    answers = (rng.random(len(person)) < chance) & (status == DELIVERED)
    delay = kept(block.stream("surveys/delay").exponential(_MEAN_DELAY_DAYS, len(person)))
    wait = 120 + (np.minimum(delay, _MOST_DELAY_DAYS) * DAY).astype(np.int64)
    return Invitations(
        number=block.number * 10_000_000 + np.arange(len(person)),
        person=person,
        survey=np.where(order >= 0, TRANSACTIONAL, RELATIONSHIP),
        order=order,
        second=second,
        channel=chosen(block.stream("surveys/channel"), _CHANNEL_SHARES, len(person)),
        status=status,
        mood=_moods(block, person, order, second),
        chance_to_answer=chance,
        answered_second=np.where(answers, second + wait, NEVER),
    )


def waves(plan: ShopPlan) -> dict[str, int]:
    """The relationship waves: name and first day, those past the end included."""
    months = np.arange(np.datetime64(plan.first_day, "M"), np.datetime64(plan.last_day, "M") + 36)
    found = {}
    for month in months[np.isin(months.astype(np.int64) % 12 + 1, _WAVE_MONTHS)]:
        day = int((month.astype("datetime64[D]") + _WAVE_DAY - 1 - np.datetime64(plan.first_day, "D")).astype(int))
        if 0 <= day < plan.horizon_day:
            found[f"{str(month)[:4]}-Q{(int(str(month)[5:]) + 2) // 3}"] = day
    return found


def spared(person: Ints, second: Ints, throttle_seconds: int) -> Bools:
    """Whose invitation is held back, because another was sent to the person less than so long before.

    Args:
        person: of each invitation, shape (k,).
        second: of each, rising, shape (k,).
        throttle_seconds: an invitation exactly so long after the last one is sent.
    """
    by_person = np.argsort(person, kind="stable")
    counts = np.bincount(person)
    starts = (np.cumsum(counts) - counts)[counts > 0]
    lengths = counts[counts > 0]
    last_sent = np.full(len(starts), np.iinfo(np.int64).min // 2)
    held = np.zeros(len(person), dtype=np.bool_)
    for place in range(int(lengths.max(initial=0))):
        going = np.flatnonzero(lengths > place)
        rows = by_person[starts[going] + place]
        held[rows] = second[rows] - last_sent[going] < throttle_seconds
        last_sent[going] = np.where(held[rows], last_sent[going], second[rows])
    return held


def invitation_columns(block: Block, invited: Invitations) -> Columns:
    """The feed `survey_invitations`, as far as the shop has sent them."""
    rows = np.flatnonzero(invited.second < block.end_second)
    order, second = invited.order[rows], invited.second[rows]
    return {
        "invitation_id": invitation_ids(invited.number[rows]),
        "survey": labels(SURVEYS, invited.survey[rows]),
        "wave": wave_names(block, invited, rows),
        "customer_id": customer_ids_at(block, invited.person[rows], second),
        "order_id": order_ids(block.purchases.number[np.maximum(order, 0)], order >= 0),
        "channel": labels(CHANNELS, invited.channel[rows]),
        "sent_at": times(block.calendar, second),
        "status": labels(STATUSES, invited.status[rows]),
    }


def invitation_ids(number: Ints) -> pa.Array:
    """The id of an invitation, from `Invitations.number`."""
    return ids("i", number, 10)


def wave_names(block: Block, invited: Invitations, rows: Ints) -> pa.Array:
    """The wave of relationship invitations; null for transactional ones."""
    names, days = list(waves(block.plan)), np.array(list(waves(block.plan).values()), dtype=np.int64)
    wave = np.searchsorted(days, invited.second[rows] // DAY, side="right") - 1
    return labels(names or [""], wave, invited.survey[rows] == RELATIONSHIP)


def _after_deliveries(block: Block) -> tuple[Ints, Ints]:
    """Orders after which the customer is to be asked, and when: on the second to fourth day, in office hours."""
    count, plan = len(block.purchases), block.plan.voice.surveys
    rng = block.stream("surveys/transactional")
    is_asked = (rng.random(count) < plan.transactional_share) & (block.purchases.account != GUEST)
    wait, clock = rng.integers(2, 5, count), rng.integers(9 * 3_600, 18 * 3_600, count)
    order = np.flatnonzero(is_asked & (block.fulfilment.fate == REGULAR))
    return order, (block.fulfilment.delivered_second[order] // DAY + wait[order]) * DAY + clock[order]


def _in_waves(block: Block) -> tuple[Ints, Ints]:
    """Who is to be asked in the waves, wave after wave, and when: on its first three days, in office hours."""
    bought, count = block.purchases, len(block.people)
    counts = (bought.account != GUEST) & (block.fulfilment.fate == REGULAR)
    rng = block.stream("surveys/relationship")
    persons, seconds = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
    for day in waves(block.plan).values():
        is_recent = np.zeros(count, dtype=np.bool_)
        is_recent[bought.person[counts & (bought.day < day) & (bought.day >= day - _LOOKS_BACK_DAYS)]] = True
        is_asked = rng.random(count) < block.plan.voice.surveys.relationship_share
        moment = (day + rng.integers(0, 3, count)) * DAY + rng.integers(9 * 3_600, 18 * 3_600, count)
        persons.append(np.flatnonzero(is_recent & is_asked))
        seconds.append(moment[persons[-1]])
    return np.concatenate(persons), np.concatenate(seconds)


def _chances_to_answer(block: Block, person: Ints, second: Ints) -> Floats:
    plan, people = block.plan.voice.surveys, block.people
    tenure = np.clip((second // DAY - people.first_day[person]) / 365.25, 0, _MOST_TENURE_YEARS)
    with np.errstate(divide="ignore"):  # nobody or everybody answers: odds of 0 or infinity
        log_odds = np.log(plan.answer_share) - np.log1p(-plan.answer_share)
    log_odds = log_odds + plan.satisfaction_log_odds * people.satisfaction[person] + plan.tenure_log_odds * tenure
    return kept(1 / (1 + np.exp(-log_odds)))


def _moods(block: Block, person: Ints, order: Ints, second: Ints) -> Floats:
    """The mood about the order; for the relationship survey a new one, still lowered by a bad latest order."""
    noise = block.stream("surveys/moods").standard_normal(len(person))
    latest = latest_orders(block, person, second)
    was_bad = (latest >= 0) & block.purchases.is_bad_service[np.maximum(latest, 0)]
    general = moods_of(block.plan.voice.moods, block.people.satisfaction[person], noise, was_bad)
    return np.where(order >= 0, order_moods(block)[np.maximum(order, 0)], general)


def latest_orders(block: Block, person: Ints, second: Ints) -> Ints:
    """Rows of each person's latest purchase before a moment; -1 where there is none."""
    bought = block.purchases
    by_person = np.argsort(bought.person, kind="stable")
    span = int(max(bought.second.max(initial=0), second.max(initial=0))) + 2
    keys = bought.person[by_person] * span + bought.second[by_person]
    place = np.searchsorted(keys, person * span + second) - 1
    row = by_person[np.maximum(place, 0)]
    return np.where((place >= 0) & (bought.person[row] == person), row, -1)
