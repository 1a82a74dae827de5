"""Campaigns and their messages: who got which, who was held out, who opened and clicked.

Belongs here: the feeds `campaigns` and `campaign_messages`. Does not belong here: whom a campaign chooses
(`../people.py`) and what it adds (`../purchases.py`), as purchases depend on both.

A message that was held out has the second at which it would have gone out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import customer_ids_at, known_since
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY, Calendar
from dagster_project.sources.simulated_shop.columns import Drawn, dates, ids, labels, times
from dagster_project.sources.simulated_shop.people import NEVER, NOT_CHOSEN, TREATED
from dagster_project.sources.simulated_shop.streams import Ints, chosen

CHANNELS = ("email", "app")
_CHANNEL_SHARES = (0.85, 0.15)
STATUSES = ("delivered", "bounced", "held_out")
_DELIVERED, _BOUNCED, _HELD_OUT = range(3)
ARMS = ("holdout", "treated")
_LONGEST_TO_OPEN, _LONGEST_TO_CLICK = 3 * DAY, 1_800
_MOST_MESSAGES = 1_000_000  # of one campaign and block, so that each campaign has ids of its own


def campaign_topic(calendar: Calendar) -> Drawn:
    """The feed `campaigns`: those that have begun."""
    plan = calendar.plan
    begun = [number for number in range(len(plan.campaigns)) if plan.campaign_days(number)[0] < plan.end_day]
    days = np.array([plan.campaign_days(number) for number in begun], dtype=np.int64).reshape(-1, 2)
    return Drawn(
        feeds={
            "campaigns": {
                "campaign_id": campaign_ids(np.array(begun, dtype=np.int64)),
                "campaign_name": pa.array([plan.campaigns[number].name for number in begun], pa.string()),
                "purpose": pa.array([plan.campaigns[number].purpose for number in begun], pa.string()),
                "starts_on": dates(calendar, days[:, 0]),
                "ends_on": dates(calendar, days[:, 1] - 1),
                "holdout_share": pa.array([plan.campaigns[number].holdout_share for number in begun], pa.float64()),
            }
        }
    )


def message_topic(block: Block) -> Drawn:
    """The feed `campaign_messages`."""
    campaign, person, second = _sent(block)
    is_personal = np.array([planned.is_personal for planned in block.plan.campaigns] or [False])[campaign]
    arm = block.people.arms[campaign, person] if len(person) else person
    status, opened, clicked = _responses(block, campaign, person, second)
    shown = np.flatnonzero(second < block.end_second)
    campaign, person, second, arm = campaign[shown], person[shown], second[shown], arm[shown]
    opened, clicked = opened[shown], clicked[shown]
    number = (block.number * max(len(block.plan.campaigns), 1) + campaign) * _MOST_MESSAGES + person
    channel = chosen(block.stream("messages/channels"), _CHANNEL_SHARES, len(status))[shown]
    return Drawn(
        feeds={
            "campaign_messages": {
                "message_id": ids("n", number, 11),
                "campaign_id": campaign_ids(campaign),
                "customer_id": customer_ids_at(block, person, second),
                "arm": labels(ARMS, (arm == TREATED).astype(np.int64)),
                "is_personal": pa.array(is_personal[shown]),
                "channel": labels(CHANNELS, channel),
                "sent_at": times(block.calendar, second),
                "status": labels(STATUSES, status[shown]),
                "opened_at": times(block.calendar, opened, opened < block.end_second),
                "clicked_at": times(block.calendar, clicked, clicked < block.end_second),
            }
        }
    )


def campaign_ids(number: Ints) -> pa.Array:
    """The id of a campaign, from its position in the plan."""
    return ids("campaign", number + 1, 3)


def _sent(block: Block) -> tuple[Ints, Ints, Ints]:
    """Campaign, person and second of each message, held-out ones included: on the first day, to who has an account."""
    known = known_since(block)
    clock = block.stream("messages/clock").integers(9 * 3_600, 11 * 3_600, block.people.arms.shape)
    campaign, person = np.nonzero(block.people.arms != NOT_CHOSEN)
    starts = np.array([block.plan.campaign_days(number)[0] for number in range(len(clock))] or [0])[campaign]
    second = starts * DAY + clock[campaign, person]
    rows = np.flatnonzero(known[person] < starts * DAY)
    rows = rows[np.lexsort((person[rows], campaign[rows], second[rows]))]
    return campaign[rows], person[rows], second[rows]


def _responses(block: Block, campaign: Ints, person: Ints, second: Ints) -> tuple[Ints, Ints, Ints]:
    """What becomes of each message: its status, and the seconds of opening and clicking, NEVER without.

    A personal message is opened sqrt(ratio) times as often, and of the opened clicked so often that clicks of those
    delivered are `personal_response_ratio` times as many.
    """
    plan, count = block.plan.relations.messages, len(person)
    rng = block.stream("messages/responses")
    bounces, opens, clicks = rng.random((3, count))
    to_open, to_click = rng.integers(60, _LONGEST_TO_OPEN, count), rng.integers(5, _LONGEST_TO_CLICK, count)
    is_personal = np.array([planned.is_personal for planned in block.plan.campaigns] or [False])[campaign]
    opened_share = np.where(
        is_personal, min(plan.opened_share * plan.personal_response_ratio**0.5, 1.0), plan.opened_share
    )
    clicked_share = plan.clicked_share * plan.opened_share / opened_share
    clicked_share = np.where(is_personal, clicked_share * plan.personal_response_ratio, clicked_share)
    is_treated = block.people.arms[campaign, person] == TREATED if count else np.zeros(0, dtype=np.bool_)
    status = np.select([~is_treated, bounces < plan.bounced_share], [_HELD_OUT, _BOUNCED], _DELIVERED)
    is_opened = (status == _DELIVERED) & (opens < opened_share)
    is_clicked = is_opened & (clicks < clicked_share)
    opened = np.where(is_opened, second + to_open, NEVER)
    return status, opened, np.where(is_clicked, second + to_open + to_click, NEVER)
