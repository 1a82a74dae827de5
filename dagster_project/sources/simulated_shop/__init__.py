"""A shop with known truth: its feeds as real shops export them, and apart from them what is true of every customer.

Belongs here: all that is drawn, soiled and written. Does not belong here: reading any of it
(`dagster_project.sources`), and whoever reads the truth: no pipeline code does.
"""

from __future__ import annotations

from dagster_project.sources.simulated_shop.assembly import simulate
from dagster_project.sources.simulated_shop.delivery import Habits
from dagster_project.sources.simulated_shop.dirt import Dirt
from dagster_project.sources.simulated_shop.plan import ShopPlan, plain_plan

__all__ = ["Dirt", "Habits", "ShopPlan", "plain_plan", "simulate"]
