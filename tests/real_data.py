"""Where the real data sets lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dagster_project.settings import PROJECT_ROOT


def data_folder(shop: str) -> Path:
    """The folder of a real data set, or a skip that says what is missing."""
    root = Path(os.environ.get("LOYALTY_DATA") or PROJECT_ROOT.parent / "shared" / "data")
    if not (root / shop).is_dir():
        pytest.skip(f"real data set {shop} is not in {root}; set LOYALTY_DATA to the folder that holds it")
    return root / shop
