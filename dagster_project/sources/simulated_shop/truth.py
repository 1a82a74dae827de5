"""What is true of every person and every order of a block, and what no feed says.

Belongs here: the truth about persons, accounts and orders. Does not belong here: the truth about texts, answers, dirt
and metrics, which stands beside what draws them.

"Counted" orders are regular and not wholly refunded; "net" is what was paid for goods less all refunds, whenever they
come, in the person's currency. "Realised" is what then happened in the continuation past the observed end, "expected"
what was to be expected at that end of a person like this (`futures.py`).
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop import columns as col
from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.calendar import DAY
from dagster_project.sources.simulated_shop.columns import Columns, Drawn
from dagster_project.sources.simulated_shop.futures import HORIZONS, counted_share, expected_purchases, kept_share
from dagster_project.sources.simulated_shop.orders import FATES, REGULAR
from dagster_project.sources.simulated_shop.people import NEVER
from dagster_project.sources.simulated_shop.purchases import CAUSES
from dagster_project.sources.simulated_shop.sales import account_ids
from dagster_project.sources.simulated_shop.streams import Bools, Ints, kept


def truth_of_buying(block: Block) -> Drawn:
    """Persons, accounts and orders of a block."""
    net_cents, is_counted = order_outcomes(block)
    return Drawn(
        truth={
            "persons": _persons(block, net_cents, is_counted),
            "accounts": _accounts(block),
            "orders": _orders(block, net_cents, is_counted),
        }
    )


def order_outcomes(block: Block) -> tuple[Ints, Bools]:
    """Per purchase, what stays of it after all refunds in cents, and whether it counts as a purchase at all."""
    refunded = np.zeros(len(block.purchases), dtype=np.int64)
    np.add.at(refunded, block.refunds.order, block.refunds.cents)
    is_regular = block.fulfilment.fate == REGULAR
    net_cents = np.where(is_regular, block.purchases.paid_cents - refunded, 0)
    return net_cents, is_regular & (net_cents > 0)


def _persons(block: Block, net_cents: Ints, is_counted: Bools) -> Columns:
    people, plan, calendar = block.people, block.plan, block.calendar
    rows = np.flatnonzero(block.has_come)
    is_gone = (block.gone_second < NEVER) & ~people.is_prospect
    mean_spend = kept(plan.spending.p / people.nu)
    made: dict[str, pa.Array] = {
        "person_id": col.person_ids(people.number),
        "first_date": col.dates(calendar, people.first_day),
        "is_prospect": pa.array(people.is_prospect),
        "purchases_per_shop_day": pa.array(people.rate),
        "chance_to_leave": pa.array(people.leaving),
        "dropouts_per_shop_day": pa.array(people.dropout_rate),
        "mean_spend": pa.array(mean_spend),
        "satisfaction": pa.array(people.satisfaction),
        "favourite_kind": col.labels(KINDS, people.favourite_kind),
        "currency": col.labels([currency for _, currency, _ in plan.countries], people.country),
        "joined_on": col.dates(calendar, people.joined_day, people.is_member),
        "left_at": col.times(calendar, block.gone_second, is_gone),
        "is_customer_at_end": pa.array(block.is_customer_at_end),
    }
    observed = is_counted & ~block.purchases.is_future
    made |= _sums(block, "observed", observed, net_cents)
    for days in HORIZONS:
        if plan.end_day + days > plan.horizon_day:
            continue
        expected = expected_purchases(block, days)
        made[f"expected_orders_{days}d"] = pa.array(kept(expected * counted_share(plan)))
        made[f"expected_net_{days}d"] = pa.array(kept(expected * mean_spend * kept_share(plan)))
        within = block.purchases.is_future & (block.purchases.second < block.end_second + days * DAY)
        made |= _sums(block, f"realised_{days}d", is_counted & within, net_cents)
    return {name: values.take(pa.array(rows)) for name, values in made.items()}


def _sums(block: Block, name: str, is_chosen: Bools, net_cents: Ints) -> dict[str, pa.Array]:
    """Orders and net of each person, over the chosen purchases."""
    person, count = block.purchases.person[is_chosen], len(block.people)
    net = np.zeros(count, dtype=np.int64)
    np.add.at(net, person, net_cents[is_chosen])
    return {f"{name}_orders": pa.array(np.bincount(person, minlength=count)), f"{name}_net": col.money(net)}


def _accounts(block: Block) -> Columns:
    made = block.accounts
    number = block.people.number[made.person]
    return {"customer_id": col.customer_ids(number, made.account), "person_id": col.person_ids(number)}


def _orders(block: Block, net_cents: Ints, is_counted: Bools) -> Columns:
    made, plan = block.purchases, block.plan
    return {
        "order_id": col.order_ids(made.number),
        "person_id": col.person_ids(block.people.number[made.person]),
        "customer_id": account_ids(block, made),
        "ordered_at": col.times(block.calendar, made.second),
        "occasion_number": pa.array(made.occasion_number.astype(np.int32)),
        "cause": col.labels(CAUSES, made.cause),
        "campaign": col.labels(
            [campaign.name for campaign in plan.campaigns] or [""], made.campaign, made.campaign >= 0
        ),
        "fate": col.labels(FATES, block.fulfilment.fate),
        "is_future": pa.array(made.is_future),
        "is_counted": pa.array(is_counted),
        "is_bad_service": pa.array(made.is_bad_service),
        "days_late": pa.array(block.fulfilment.days_late.astype(np.int32)),
        "is_leaving": pa.array(made.is_leaving),
        "paid_amount": col.money(made.paid_cents),
        "net_amount": col.money(net_cents),
    }
