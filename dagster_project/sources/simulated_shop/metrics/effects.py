"""What the planted effects came to in this very shop.

Belongs here: realised sizes of effects, from causes that only the truth knows. Does not belong here: the planted sizes
(they stand in the plan), estimates of either.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.metrics.measure import Measure
from dagster_project.sources.simulated_shop.people import HOLDOUT, TREATED
from dagster_project.sources.simulated_shop.purchases import BY_CAMPAIGN, BY_PROGRAMME, OWN


def effect_measures(block: Block) -> Iterator[Measure]:
    """Every realised effect of a block, over what was seen by the end."""
    plan, people, bought = block.plan, block.people, block.purchases
    is_seen, is_own = ~bought.is_future, bought.cause == OWN
    is_member = people.joined_day[bought.person] * 1.0 * DAY <= bought.second
    added = int((is_seen & (bought.cause == BY_PROGRAMME)).sum())
    yield Measure("programme_lift", added, int((is_seen & is_own & is_member).sum()))
    buyers = block.has_come & ~people.is_prospect
    yield Measure("member_share", int((buyers & (people.joined_day < plan.end_day)).sum()), int(buyers.sum()))
    for number, campaign in enumerate(plan.campaigns):
        yield from _campaign(block, number, campaign.name)
    for name, is_bad in (("bad", True), ("good", False)):
        rows = is_seen & is_own & (bought.is_bad_service == is_bad)
        yield Measure("leaving_after_service", int(bought.is_leaving[rows].sum()), int(rows.sum()), "service", name)
    is_fan = np.isin(people.favourite_kind, plan.price_rise.kinds)[bought.person]
    is_later = is_seen & is_own & (bought.day >= plan.price_rise_day)
    for name, touched in (("dearer", True), ("unchanged", False)):
        rows = is_later & (is_fan == touched)
        yield Measure(
            "leaving_after_price_rise", int(bought.is_leaving[rows].sum()), int(rows.sum()), "favourite", name
        )


def _campaign(block: Block, number: int, name: str) -> Iterator[Measure]:
    people, bought = block.people, block.purchases
    first, after = block.plan.campaign_days(number)
    if after > block.plan.end_day:
        return
    is_there = (block.gone_second >= first * DAY) & ~people.is_prospect
    is_added = (bought.cause == BY_CAMPAIGN) & (bought.campaign == number)
    treated = is_there & (people.arms[number] == TREATED)
    yield Measure("campaign_lift", int(is_added.sum()), int(treated.sum()), "campaign", name)
    inside = (bought.day >= first) & (bought.day < after)
    for arm, code in (("treated", TREATED), ("holdout", HOLDOUT)):
        chosen = is_there & (people.arms[number] == code)
        count = int((inside & chosen[bought.person]).sum())
        segment = ("campaign, arm", f"{name}, {arm}")
        yield Measure("campaign_purchases_per_person", count, int(chosen.sum()), *segment)
