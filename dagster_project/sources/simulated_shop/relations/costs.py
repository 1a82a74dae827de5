"""What the simulated shop's marketing costs: winning customers, keeping them, campaigns, the programme.

Belongs here: the feed `marketing_costs`, planned costs as they fall due. Does not belong here: what points are worth
(`points.py`), what goods cost (`../catalogue.py`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.columns import Drawn, dates, labels, money
from dagster_project.sources.simulated_shop.relations.messages import campaign_ids
from dagster_project.sources.simulated_shop.streams import Floats, Ints, kept

PURPOSES = ("acquisition", "retention", "win_back", "programme")
_ACQUISITION, _RETENTION, _PROGRAMME = 0, 1, 3
_NO_CAMPAIGN = -1
_EMAIL, _ALL = "email", "all"


def cost_topic(calendar: Calendar) -> Drawn:
    """The feed `marketing_costs`: a row a day, purpose, channel and campaign."""
    parts = [*_of_winning(calendar), _of_keeping(calendar), *_of_campaigns(calendar), _of_the_programme(calendar)]
    channels = sorted({channel for _, _, channel, _, _ in parts})
    day = np.concatenate([days for days, _, _, _, _ in parts])
    size = [len(days) for days, _, _, _, _ in parts]
    purpose = np.repeat([place for _, place, _, _, _ in parts], size)
    channel = np.repeat([channels.index(name) for _, _, name, _, _ in parts], size)
    campaign = np.repeat([number for _, _, _, number, _ in parts], size)
    cents = np.concatenate([spent for _, _, _, _, spent in parts])
    rows = np.flatnonzero((cents > 0) & (day < calendar.plan.end_day))
    rows = rows[np.lexsort((campaign[rows], channel[rows], purpose[rows], day[rows]))]
    number = campaign[rows]
    named = campaign_ids(np.arange(len(calendar.plan.campaigns) + 1))
    return Drawn(
        feeds={
            "marketing_costs": {
                "cost_date": dates(calendar, day[rows]),
                "purpose": labels(PURPOSES, purpose[rows]),
                "channel": labels(channels, channel[rows]),
                "campaign_id": named.take(pa.array(number, mask=number == _NO_CAMPAIGN)),
                "currency": pa.repeat("EUR", len(rows)),
                "amount": money(cents[rows]),
            }
        }
    )


_Part = tuple[Ints, int, str, int, Ints]  # days, purpose, channel, campaign, cents


def expected_arrivals(calendar: Calendar) -> Floats:
    """New people to be expected on each planned day, shape (days,)."""
    plan = calendar.plan
    growth = 1 + plan.rhythm.arrival_growth * np.arange(plan.days) / plan.days
    weight = calendar.busyness[: plan.days] * growth
    return kept(plan.customers * weight / weight.sum())


def _of_winning(calendar: Calendar) -> list[_Part]:
    arrivals, plan = expected_arrivals(calendar), calendar.plan
    days = np.arange(plan.days)
    costs = plan.relations.costs.per_new_customer
    return [
        (days, _ACQUISITION, name, _NO_CAMPAIGN, _cents(arrivals * share * costs[place % len(costs)]))
        for place, (name, share) in enumerate(plan.channels)
    ]


def _of_keeping(calendar: Calendar) -> _Part:
    known = np.cumsum(expected_arrivals(calendar))
    cents = _cents(known / 1_000 * calendar.plan.relations.costs.per_customer_day)
    return np.arange(len(known)), _RETENTION, _EMAIL, _NO_CAMPAIGN, cents


def _of_campaigns(calendar: Calendar) -> list[_Part]:
    plan, known = calendar.plan, np.cumsum(expected_arrivals(calendar))
    parts: list[_Part] = []
    for number, campaign in enumerate(plan.campaigns):
        start = plan.campaign_days(number)[0]
        sent = known[max(start - 1, 0)] * campaign.target_share * (1 - campaign.holdout_share)
        cents = _cents(np.array([sent * plan.relations.costs.per_message]))
        parts.append((np.array([start]), PURPOSES.index(campaign.purpose), _EMAIL, number, cents))
    return parts


def _of_the_programme(calendar: Calendar) -> _Part:
    """On the first of each month from the programme's start on."""
    plan = calendar.plan
    days = calendar.days[: plan.days]
    firsts = np.flatnonzero(days.astype("datetime64[M]").astype("datetime64[D]") == days)
    firsts = firsts[(firsts >= plan.programme_day) & (plan.programme.member_share > 0)]
    return firsts, _PROGRAMME, _ALL, _NO_CAMPAIGN, np.full(len(firsts), plan.relations.costs.programme_per_month)


def _cents(amounts: Floats) -> Ints:
    return np.rint(kept(amounts)).astype(np.int64)
