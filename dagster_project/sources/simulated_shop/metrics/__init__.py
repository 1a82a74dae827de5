"""The true value of every metric that has one, counted block by block from what was drawn, never from the warehouse.

Belongs here: what is counted of a block. Does not belong here: the counting (`purchases.py`, `effects.py`, `voice.py`,
`relations.py`), the truth about single persons and orders (`../truth.py`), metrics as the warehouse estimates them.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import Columns, Drawn
from dagster_project.sources.simulated_shop.metrics.effects import effect_measures
from dagster_project.sources.simulated_shop.metrics.measure import measure_table, true_metrics
from dagster_project.sources.simulated_shop.metrics.purchases import purchase_measures
from dagster_project.sources.simulated_shop.metrics.relations import relation_measures
from dagster_project.sources.simulated_shop.metrics.sightings import account_table, sightings
from dagster_project.sources.simulated_shop.metrics.voice import voice_measures

__all__ = ["count_block", "true_metrics"]


def count_block(block: Block, drawn: Sequence[Drawn]) -> tuple[pa.Table, Drawn]:
    """All counts of a block, and what each of its accounts has come to.

    Args:
        block: the block.
        drawn: what its topics made, clean.

    Returns:
        Rows of `MEASURES`, to be added up over blocks, and the truth table `accounts_at_end`.
    """
    feeds: dict[str, Columns] = {name: columns for made in drawn for name, columns in made.feeds.items()}
    truth: dict[str, Columns] = {name: columns for made in drawn for name, columns in made.truth.items()}
    seen = sightings(block)
    counts = measure_table(
        [
            *purchase_measures(seen),
            *effect_measures(block),
            *voice_measures(block, feeds, truth),
            *relation_measures(seen, feeds, truth),
        ]
    )
    return counts, Drawn(truth={"accounts_at_end": account_table(seen)})
