"""A shop that sends day by day: the last of its nights publishes what one delivery of everything would."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path, PurePosixPath
from typing import Any

import dagster as dg
import pytest
from corner_shop import BESIDE_THE_NIGHT, MAY_BE_EMPTY, CornerShop

from dagster_project.nightly import run_night
from dagster_project.publishing.versions import Manifest, list_versions
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
OF_THE_WAY_HERE = {
    "quality.quarantined_rows", "quality.reconciliation", "quality.metric_changes", "quality.metric_change_customers",
}  # fmt: skip
"""Each version of a row that was sent is a raw row, and all but the latest are refused as repeats, which two tables
say; the others compare with the night before, which one of the shops had."""


def _whole(settings: dict[str, Any]) -> None:
    """So small a shop has few refunds: one that is refused is more than the usual limit."""
    for name in MAY_BE_EMPTY:
        settings["sources"]["demo"]["tables"][name] |= {"is_optional": True, "maximum_quarantined_share": 0.5}


def _daily(settings: dict[str, Any]) -> None:
    _whole(settings)
    for table in settings["sources"]["demo"]["tables"].values():
        file = PurePosixPath(table["files"])
        table["files"] = f"2*/{file.stem}*{file.suffix}"


def _run(shop: CornerShop, night: dt.date) -> None:
    run_night(shop.settings(), night, None, dg.DagsterInstance.ephemeral())


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[CornerShop, CornerShop]:
    """The shop after two nights on what had been sent by then, and the shop after one night on everything at once."""
    root = tmp_path_factory.mktemp("daily")
    daily, whole = CornerShop(root / "daily"), CornerShop(root / "whole")
    simulate(PLAN, whole.deliveries, DIRT)
    whole.configure(_whole)
    _run(whole, LAST)
    simulate(PLAN, root / "sent", DIRT, deliver="daily", habits=DISORDER)
    daily.deliveries.mkdir(parents=True)
    daily.configure(_daily)
    for night in (EARLIER, LAST):
        for day in _sent_until(root / "sent", night):
            shutil.copytree(day, daily.deliveries / day.name, dirs_exist_ok=True)
        _run(daily, night)
    return daily, whole


def _sent_until(folder: Path, night: dt.date) -> list[Path]:
    return [day for day in sorted(folder.glob("2*")) if day.name <= night.isoformat()]


def test_the_sources_sent_in_disorder(shops: tuple[CornerShop, CornerShop]) -> None:
    daily, whole = shops
    assert len(list(daily.deliveries.iterdir())) < PLAN.days
    assert list(daily.deliveries.glob("*/*-again.csv"))
    repeats = "select count(*) from quality.quarantined_rows where contains(reasons, 'repeats: a later row stands')"
    [(sent_daily,)], [(sent_whole,)] = daily.query(repeats), whole.query(repeats)
    assert sent_daily > 3 * sent_whole > 0


def test_the_last_night_equals_a_rebuild_from_the_whole_delivery(shops: tuple[CornerShop, CornerShop]) -> None:
    by_days, at_once = (shop.seen().content for shop in shops)
    assert by_days.keys() == at_once.keys()
    different = {table for table in by_days if by_days[table] != at_once[table]} - OF_THE_WAY_HERE
    assert different == set()
    assert len(by_days) > 20


def test_both_accepted_the_same_amounts_and_lost_no_row(shops: tuple[CornerShop, CornerShop]) -> None:
    for shop in shops:
        assert shop.query("select bool_and(is_reconciled) from quality.reconciliation") == [(True,)]
    sql = "select entity, measure, total_to from quality.reconciliation where layer_from <> 'raw' order by all"
    assert shops[0].query(sql) == shops[1].query(sql) != []


def test_a_night_in_between_knew_only_what_had_been_sent(shops: tuple[CornerShop, CornerShop]) -> None:
    """Late rows are missing that night, and stand there in the last one."""
    daily, _ = shops
    earlier = daily.home / "published" / "versions"
    assert sorted(path.name for path in earlier.iterdir())[0].startswith(EARLIER.isoformat())
    assert daily.query(f"select count(*) > 0 from marts.fct_orders where order_date <= date '{EARLIER}'") == [(True,)]


def test_a_night_known_at_an_earlier_moment_is_the_night_of_that_moment(
    shops: tuple[CornerShop, CornerShop], tmp_path: Path
) -> None:
    """Asked again after late and changed rows have come, the earlier night is what it was, table by table."""
    daily, _ = shops
    then = _manifest(daily, EARLIER)
    again = daily.copy_to(tmp_path / "again")

    def known_then(settings: dict[str, Any]) -> None:
        _daily(settings)
        settings["known_at"] = dt.datetime.fromisoformat(then.created_at)

    again.configure(known_then)
    _run(again, EARLIER)
    now = _manifest(again, EARLIER)
    assert now.version != then.version
    before, after = ({name: facts["content_hash"] for name, facts in one.tables.items()} for one in (then, now))
    assert {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)} <= {BESIDE_THE_NIGHT}
    assert len(before) > 60
    orders = f"select count(*) from marts.fct_orders where order_date <= date '{EARLIER}'"
    assert again.query(orders) < daily.query(orders)


def _manifest(shop: CornerShop, night: dt.date) -> Manifest:
    """Of the latest version of a night."""
    return max(
        (found for found in list_versions(shop.home / "published") if found.as_of == night.isoformat()),
        key=lambda found: found.version,
    )
