"""A simulated shop with one night behind it: what the warehouse says of it, and what is true.

What belongs here: making the shop, and reading both sides. Comparisons stand in the tests.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import numpy as np
import numpy.typing as npt
import yaml
from corner_shop import MAY_BE_EMPTY

from dagster_project.nightly import run_night
from dagster_project.publishing.versions import current_database
from dagster_project.settings import DEFAULT_CONFIG, load_settings
from dagster_project.sources.simulated_shop import Dirt, ShopPlan, simulate

HAS_SPLINK = importlib.util.find_spec("splink") is not None
ONE_CURRENCY = (("DE", "EUR", 0.8), ("AT", "EUR", 0.2))
"""Countries of a shop whose every order is in the reporting currency: the truth is in each person's own."""


@dataclass(frozen=True)
class KnownShop:
    """The shop's folder: `deliveries` with its truth, and `home`."""

    root: Path
    plan: ShopPlan

    @classmethod
    def after_one_night(
        cls,
        root: Path,
        plan: ShopPlan,
        dirt: Dirt | None = None,
        *,
        resolves_identities: bool = False,
        judges_models: bool = False,
    ) -> KnownShop:
        """Simulate a shop and run the night of its last day.

        Args:
            root: the folder.
            plan: of the shop.
            dirt: what is planted.
            resolves_identities: Whether people are found, and merges suggested where the extra for it is installed;
                every account is a customer otherwise.
            judges_models: Whether models are back-tested and past evenings scored, for tests that read what they give.
        """
        simulate(plan, root / "deliveries", dirt)
        write_settings(root / "loyalty.yaml", root / "home", root / "deliveries")
        settings = yaml.safe_load((root / "loyalty.yaml").read_text(encoding="utf-8"))
        settings["definitions"]["identity"] = {"suggests_merges": HAS_SPLINK} if resolves_identities else {"rules": []}
        if not judges_models:
            settings["definitions"]["is_model_chosen_by_backtest"] = False
        (root / "loyalty.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        chosen = {} if judges_models else {"ledger": {"count_evenings": 0}}
        run_night(load_settings(root / "loyalty.yaml", **chosen), plan.last_day, None, dg.DagsterInstance.ephemeral())
        return cls(root, plan)

    @cached_property
    def con(self) -> duckdb.DuckDBPyConnection:
        """The published warehouse, and beside it the truth as the schema `truth` of views."""
        con = duckdb.connect()
        con.execute(f"attach '{current_database(self.root / 'home' / 'published')}' as warehouse (read_only)")
        con.execute("create schema truth")
        for path in sorted((self.root / "deliveries" / "truth").glob("*.parquet")):
            con.execute(f"create view truth.{path.stem} as from read_parquet('{path}')")
        con.execute("set search_path = 'warehouse.marts,memory.main'")
        return con

    def rows(self, sql: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
        """Rows of a query over `warehouse.*` and `memory.truth.*`."""
        return self.con.execute(sql, parameters).fetchall()

    def columns(self, sql: str) -> dict[str, npt.NDArray[Any]]:
        """Columns of a query, as numbers."""
        return {name: np.asarray(values) for name, values in self.con.execute(sql).fetchnumpy().items()}

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What `shop.json` says."""
        return json.loads((self.root / "deliveries" / "truth" / "shop.json").read_text(encoding="utf-8"))

    def true(
        self, metric: str, segment: str = "all", period: str = "lifetime"
    ) -> dict[dt.date | None, tuple[int, int]]:
        """Numerator and denominator of a true metric by the first day of its periods; None for the whole."""
        found = {
            dt.date.fromisoformat(row["period_start"]) if row["period_start"] else None: (
                row["numerator"],
                row["denominator"],
            )
            for row in self.facts["metrics"]
            if (row["metric"], row["segment"], row["period_type"]) == (metric, segment, period)
        }
        assert found, (metric, segment, period)
        return found

    def said(self, metric: str, period: str = "lifetime") -> dict[dt.date | None, tuple[Decimal, int]]:
        """The same as the warehouse publishes it, where it has a base."""
        rows = self.rows(
            "select period_start, numerator, denominator from warehouse.marts.loyalty_metrics "
            "where metric = ? and period_type = ? and segment_type = 'all' and denominator <> 0",
            [metric, period],
        )
        whole = period in ("lifetime", "trailing_window")
        return {None if whole else start: (numerator, denominator) for start, numerator, denominator in rows}


def write_settings(path: Path, home: Path, deliveries: Path, pattern: str = "{name}") -> None:
    """Settings of the built-in shop on files in a folder.

    Args:
        path: where the settings go.
        home: LOYALTY_HOME.
        deliveries: folder of the files.
        pattern: of a table's files, from the `name` that they have in one delivery.
    """
    settings = yaml.safe_load(DEFAULT_CONFIG.read_text(encoding="utf-8"))
    settings["home"] = str(home)
    settings["engine"] = {"threads": 1}  # tests run side by side
    settings["business"]["first_night"] = dt.date(2020, 1, 1)
    demo = settings["sources"]["demo"]
    del demo["simulated"], settings["as_of"]
    demo |= {"connector": "files", "folder": str(deliveries)}
    for name, table in demo["tables"].items():
        table["files"] = pattern.format(
            name=table["files"], stem=Path(table["files"]).stem, suffix=Path(table["files"]).suffix
        )
        table["is_optional"] = name in MAY_BE_EMPTY
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")


def standard_errors(observed: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """How many standard errors the sum of what happened lies from the sum of what was expected, row by row."""
    gap = observed - expected
    return float(gap.sum() / np.sqrt((gap**2).sum()))


def standard_errors_of_chances(observed: npt.NDArray[np.float64], chance: npt.NDArray[np.float64]) -> float:
    """The same where what happened lies between 0 and 1, and its mean is to be the chance.

    No such quantity varies more than yes and no do, so the distance is understated, never overstated.
    """
    return float((observed - chance).sum() / np.sqrt((chance * (1 - chance)).sum()))
