"""Dirt: what goes wrong between a shop and its exports, planted on purpose and listed row by row.

Belongs here: kinds that lie in the rows of a feed. Does not belong here: dirt of whole files and days (`delivery.py`),
events that are rare but true (drawn with the shop), any reading of what was planted (tests alone do that).
"""

from __future__ import annotations

from dagster_project.sources.simulated_shop.dirt.kinds import KINDS, LEVELS, Level
from dagster_project.sources.simulated_shop.dirt.planting import PLANTED, Dirt, DirtError, Soiled, soil

__all__ = ["KINDS", "LEVELS", "PLANTED", "Dirt", "DirtError", "Level", "Soiled", "soil"]
