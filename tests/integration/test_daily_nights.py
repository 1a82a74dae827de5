"""A shop that sends day by day: the last of its nights holds what one delivery of everything would give.

All that SQL makes before the Python models is built and compared; nothing is published.
"""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from corner_shop import MAY_BE_EMPTY, SOON, CornerShop

from dagster_project.sources.simulated_shop import Dirt, Habits, ShopPlan, simulate

PLAN = ShopPlan(customers=500, days=90, seed=41)
REPEATED = ("repeated_order", "edited_order", "order_versions_of_one_moment", "repeated_order_line")
DIRT = Dirt("moderate", {**dict.fromkeys(REPEATED, 0.02), "review_lowered_from_five_stars": 0.5})
DISORDER = Habits(
    late_share=0.1,
    late_days=20,
    corrected_share=0.1,
    repeated_file_share=0.1,
    silent_day_share=0.1,
    absent_file_share=0.1,
)
LAST = PLAN.last_day
EARLIER = LAST - dt.timedelta(days=25)
LATER = SOON + dt.timedelta(days=1)
OF_THE_WAY_HERE = {"quality.quarantined_rows", "quality.reconciliation"}
"""Each version of a row that was sent is a raw row, and all but the latest are refused as repeats."""


@dataclass(frozen=True)
class Built:
    """A shop after its last night, with a hash of each table by night."""

    shop: CornerShop
    nights: dict[dt.date, dict[str, str]]


def _whole(settings: dict[str, Any]) -> None:
    for name in MAY_BE_EMPTY:
        settings["sources"]["demo"]["tables"][name]["is_optional"] = True


def _daily(settings: dict[str, Any]) -> None:
    _whole(settings)
    for table in settings["sources"]["demo"]["tables"].values():
        file = PurePosixPath(table["files"])
        table["files"] = f"2*/{file.stem}*{file.suffix}"


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[Built, Built]:
    """The shop after two nights on what had been sent by then, and the shop after one night on everything at once."""
    root = tmp_path_factory.mktemp("daily")
    daily, whole = CornerShop(root / "daily"), CornerShop(root / "whole")
    simulate(PLAN, whole.deliveries, DIRT)
    whole.configure(_whole)
    simulate(PLAN, root / "sent", DIRT, deliver="daily", habits=DISORDER)
    daily.deliveries.mkdir(parents=True)
    daily.configure(_daily)
    nights = {}
    for night, moment in ((EARLIER, SOON), (LAST, LATER)):
        for day in _sent_until(root / "sent", night):
            shutil.copytree(day, daily.deliveries / day.name, dirs_exist_ok=True)
        nights[night] = daily.build(night, landed_at=moment)
    return Built(daily, nights), Built(whole, {LAST: whole.build(LAST)})


def _sent_until(folder: Path, night: dt.date) -> list[Path]:
    return [day for day in sorted(folder.glob("2*")) if day.name <= night.isoformat()]


def test_the_sources_sent_in_disorder(shops: tuple[Built, Built]) -> None:
    daily, whole = (built.shop for built in shops)
    assert len(list(daily.deliveries.iterdir())) < PLAN.days
    assert list(daily.deliveries.glob("*/*-again.csv"))
    repeats = "select count(*) from quality.quarantined_rows where contains(reasons, 'repeats: a later row stands')"
    [(sent_daily,)], [(sent_whole,)] = daily.built(repeats), whole.built(repeats)
    assert sent_daily > 3 * sent_whole > 0


def test_the_last_night_equals_a_rebuild_from_the_whole_delivery(shops: tuple[Built, Built]) -> None:
    by_days, at_once = (built.nights[LAST] for built in shops)
    assert by_days.keys() == at_once.keys()
    different = {table for table in by_days if by_days[table] != at_once[table]} - OF_THE_WAY_HERE
    assert different == set()
    assert len(by_days) > 40


def test_both_accepted_the_same_amounts_and_lost_no_row(shops: tuple[Built, Built]) -> None:
    for built in shops:
        assert built.shop.built("select bool_and(is_reconciled) from quality.reconciliation") == [(True,)]
    sql = "select entity, measure, total_to from quality.reconciliation where layer_from <> 'raw' order by all"
    by_days, at_once = (built.shop.built(sql) for built in shops)
    assert by_days == at_once != []


def test_a_night_known_at_an_earlier_moment_is_the_night_of_that_moment(
    shops: tuple[Built, Built], tmp_path: Path
) -> None:
    """Asked again after late and changed rows have come, the earlier night is what it was, table by table."""
    daily, _ = shops
    again = daily.shop.copy_to(tmp_path / "again")

    def known_then(settings: dict[str, Any]) -> None:
        _daily(settings)
        settings["known_at"] = SOON

    again.configure(known_then)
    assert again.build(EARLIER, landed_at=LATER) == daily.nights[EARLIER]
    orders = f"select count(*) from marts.fct_orders where order_date <= date '{EARLIER}'"
    [(known_now,)], [(known_before,)] = daily.shop.built(orders), again.built(orders)
    assert 0 < known_before < known_now
