"""The register of dirt: every kind, where it strikes, how often, and what the pipeline must do with it.

A kind is added at the end of its feed's part of a table. Where two kinds want the same row the one further up has it.

Belongs here: the register and the levels. Does not belong here: the kinds themselves (`kinds_of_orders.py` and its
siblings), the mechanics (`planting.py`), dirt that lies in how files are sent rather than in their rows
(`delivery.py`), rare events that are true (they are drawn, not planted).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from dagster_project.sources.simulated_shop.dirt.kind import Kind
from dagster_project.sources.simulated_shop.dirt.kinds_of_goods import GOODS_KINDS
from dagster_project.sources.simulated_shop.dirt.kinds_of_orders import ORDER_KINDS
from dagster_project.sources.simulated_shop.dirt.kinds_of_people import PEOPLE_KINDS

Level = Literal["none", "light", "moderate", "heavy"]
LEVELS: tuple[Level, ...] = get_args(Level)
LEVEL_FACTORS: Mapping[Level, float] = {"none": 0.0, "light": 0.2, "moderate": 1.0, "heavy": 10.0}
"""Times a kind's share. The shares are guesses at what an ordinary export holds, not measurements."""

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (*ORDER_KINDS, *GOODS_KINDS, *PEOPLE_KINDS)}
"""By name, in the order in which they claim rows."""
