"""The corner shop, published once and copied for each test that breaks it."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from corner_shop import CornerShop
from made_once import made_once

from dagster_project.cli import hide_shutdown_noise

atexit.register(hide_shutdown_noise)


@pytest.fixture(scope="session", autouse=True)
def _plain_environment() -> Iterator[None]:
    """One customer key for all homes, and nothing of the developer's own shop."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LOYALTY_") and name != "LOYALTY_DATA"]:
            patch.delenv(name)
        patch.setenv("LOYALTY_KEY", "a key for tests only")
        yield


@pytest.fixture(scope="session")
def published_shop(tmp_path_factory: pytest.TempPathFactory) -> CornerShop:
    """The shop after its first night, not to be changed; one for all processes of a test run."""
    return CornerShop(made_once(tmp_path_factory, "published_shop", lambda root: CornerShop.open(root).run()))


@pytest.fixture
def shop(published_shop: CornerShop, tmp_path: Path) -> CornerShop:
    """The published shop, to be broken."""
    return published_shop.copy_to(tmp_path / "shop")
