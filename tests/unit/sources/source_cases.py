"""What the tests of sources share besides fixtures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

FIRST_NIGHT = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)

Rows = Callable[..., list[tuple[Any, ...]]]
