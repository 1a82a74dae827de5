"""Every state that an order passed through, as the shop's system would have exported it that day.

Belongs here: versions of orders. Does not belong here: on which day a version reaches us (`delivery.py`), the moments
themselves (`orders.py`).
"""

from __future__ import annotations

import numpy as np

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import Drawn, labels, order_ids, times
from dagster_project.sources.simulated_shop.orders import PAYMENTS, STATUSES
from dagster_project.sources.simulated_shop.people import NEVER

ORDER_VERSIONS = "order_versions"


def draw_order_versions(block: Block) -> Drawn:
    """One row per order and moment at which it changed, its placing included; a topic.

    Returns:
        The truth table `order_versions`: `order_id`, and the columns of the feed `orders` that a version has to itself.
    """
    moments, end = block.fulfilment, block.end_second
    changes = (
        np.where(block.purchases.is_future, NEVER, block.purchases.second),
        moments.paid_second,
        moments.cancelled_second,
        moments.reopened_second,
        moments.shipped_second,
        moments.delivered_second,
        moments.failed_second,
    )
    parts = []
    for change in changes:
        status, payment, _ = moments.status_at(np.minimum(change, end) + 1)
        order = np.flatnonzero((change < end) & ~block.purchases.is_future)
        parts.append((order, change[order], status[order], payment[order]))
    order, second, status, payment = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    rows = np.lexsort((second, order))
    is_last = np.append((np.diff(order[rows]) != 0) | (np.diff(second[rows]) != 0), True)
    rows = rows[is_last[: len(rows)]]  # two changes of one moment are one version
    order, second = order[rows], second[rows]
    delivered = moments.delivered_second[order]
    return Drawn(
        truth={
            ORDER_VERSIONS: {
                "order_id": order_ids(block.purchases.number[order]),
                "status": labels(STATUSES, status[rows]),
                "payment_status": labels(PAYMENTS, payment[rows]),
                "delivered_at": times(block.calendar, delivered, delivered <= second),
                "updated_at": times(block.calendar, second),
            }
        }
    )
