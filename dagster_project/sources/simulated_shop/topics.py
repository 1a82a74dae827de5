"""Everything that a simulated shop's feeds and truth are made of, in one table.

Belongs here: which functions are asked, for each block of people and once for the shop. Does not belong here: what they
draw.
"""

from __future__ import annotations

from collections.abc import Mapping

from dagster_project.sources.simulated_shop.blocks import Topic
from dagster_project.sources.simulated_shop.columns import ShopTopic
from dagster_project.sources.simulated_shop.sales import assortment, sales
from dagster_project.sources.simulated_shop.truth import truth_of_buying

BLOCK_TOPICS: Mapping[str, Topic] = {
    "sales": sales,
    "truth_of_buying": truth_of_buying,
}
"""Asked for every block. Two topics may not fill the same feed."""

SHOP_TOPICS: Mapping[str, ShopTopic] = {
    "assortment": assortment,
}
"""Asked once."""
