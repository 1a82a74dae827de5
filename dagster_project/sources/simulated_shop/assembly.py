"""A simulated shop as a folder of files: its feeds as a shop exports them, and beside them the truth.

Belongs here: drawing block after block, handing the rows to the writer, and replacing the folder whole or not at all.
Does not belong here: what is drawn (`topics.py`), dirt (`dirt/`), bytes (`writer.py`).
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import draw_block
from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.columns import HAPPENED, Drawn
from dagster_project.sources.simulated_shop.delivery import Habits, deliver_daily
from dagster_project.sources.simulated_shop.dirt import Dirt, soil
from dagster_project.sources.simulated_shop.metrics import count_block, true_metrics
from dagster_project.sources.simulated_shop.order_versions import ORDER_VERSIONS
from dagster_project.sources.simulated_shop.people import count_blocks
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.topics import BLOCK_TOPICS, DAILY_TOPICS, SHOP_TOPICS
from dagster_project.sources.simulated_shop.writer import FileFormat, PartWriter, export_sorted, feed_table
from dagster_project.sources.tables import SourceError

MARKER_NAME = ".simulated.json"
TRUTH = "truth"
_FORMAT = 7  # raise it when the same plan gives other files
OnBlock = Callable[[int, int], None]
Delivery = Literal["whole", "daily"]
ShortLines = dict[str, list[str]]


def simulate(
    plan: ShopPlan,
    out: Path,
    dirt: Dirt | None = None,
    file_format: FileFormat = "csv",
    deliver: Delivery = "whole",
    on_block: OnBlock | None = None,
    habits: Habits | None = None,
) -> bool:
    """Write a shop's feeds, and in the folder `truth` what is true of it; the same arguments give the same bytes.

    Args:
        plan: the shop.
        out: where the files go. It may be absent, empty, or written by an earlier call, which is then replaced.
        dirt: what goes wrong in the exports; None for nothing.
        file_format: `csv` for files as shops export them, in order of time; `parquet` for one Parquet file a feed,
            sorted within each block of people only, which is how to make a large shop fast.
        deliver: `whole` for one file a feed; `daily` for a folder a day, with what the sources would have sent then.
        on_block: called with the blocks done and all blocks.
        habits: how reliably the sources send day by day; as most do unless given.

    Returns:
        Whether anything was written: False where the folder already holds this very shop.

    Raises:
        SourceError: the folder holds something that no simulation wrote.
    """
    dirt = dirt or Dirt()
    parameters = _parameters(plan, dirt, file_format, deliver, habits)
    marker = out / MARKER_NAME
    if marker.is_file():
        if marker.read_text(encoding="utf-8") == parameters:
            return False
    elif out.exists() and any(out.iterdir()):
        raise SourceError(
            f"folder {str(out)!r} holds files that no simulation wrote; expected an empty folder: choose another"
        )
    out.parent.mkdir(parents=True, exist_ok=True)
    fresh = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        (fresh / TRUTH).mkdir(parents=True)
        short_lines = _write(plan, fresh, dirt, file_format, deliver, on_block or (lambda done, total: None))
        if deliver == "daily":
            _cut_into_days(plan, fresh, short_lines, habits)
        (fresh / MARKER_NAME).write_text(parameters, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def _write(
    plan: ShopPlan, folder: Path, dirt: Dirt, file_format: FileFormat, deliver: Delivery, on_block: OnBlock
) -> ShortLines:
    """The whole shop into a folder; gives the lines with too few fields that a CSV file is to hold."""
    calendar, total = Calendar(plan), count_blocks(plan)
    dirt = dirt if file_format == "csv" else dirt.without_cut_lines()
    topics = [*BLOCK_TOPICS.values(), *(DAILY_TOPICS.values() if deliver == "daily" else ())]
    parts = folder / ".parts" if file_format == "csv" else folder
    parts.mkdir(exist_ok=True)
    short_lines: ShortLines = defaultdict(list)
    measures: list[pa.Table] = []
    with PartWriter(parts, "lz4" if file_format == "csv" else "zstd") as feeds, PartWriter(folder / TRUTH) as truth:

        def keep(drawn: list[Drawn]) -> None:
            soiled = soil(_feed_tables(drawn), dirt, plan.seed)
            for feed, table in soiled.feeds.items():
                feeds.write(feed, table if file_format == "csv" else table.drop_columns([HAPPENED]))
            for feed, lines in soiled.cut_lines.items():
                short_lines[feed] += lines
            for name, columns in _truth_columns(drawn).items():
                truth.write(name, pa.table(dict(columns)))
            truth.write("dirt", soiled.planted)

        keep([topic(calendar) for topic in SHOP_TOPICS.values()])
        for number in range(total):
            block = draw_block(calendar, number)
            drawn = [topic(block) for topic in topics]
            counts, accounts = count_block(block, drawn)
            measures.append(counts)
            keep([*drawn, accounts])
            on_block(number + 1, total)
    if file_format == "csv":
        export_sorted(parts, folder, parts, short_lines if deliver == "whole" else {})
        shutil.rmtree(parts)
    metrics = true_metrics(pa.concat_tables(measures))
    _write_json(folder / TRUTH / "shop.json", {"plan": dataclasses.asdict(plan), "metrics": metrics})
    return short_lines


def _cut_into_days(plan: ShopPlan, folder: Path, short_lines: ShortLines, habits: Habits | None) -> None:
    """Turn the whole delivery of a folder into a folder a day."""
    whole = {path.name.split(".")[0]: path for path in sorted(folder.iterdir()) if path.is_file()}
    days = folder / ".days"
    last = plan.first_day + dt.timedelta(days=plan.end_day - 1)
    states = folder / TRUTH / f"{ORDER_VERSIONS}.parquet"
    deliver_daily(whole, days, (plan.first_day, last), plan.seed, habits, states)
    for feed, lines in short_lines.items():
        latest = max(days.glob(f"*/{feed}.csv"))
        with latest.open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)
    for path in whole.values():
        path.unlink()
    for day in days.iterdir():
        day.rename(folder / day.name)
    days.rmdir()


def _feed_tables(drawn: list[Drawn]) -> dict[str, pa.Table]:
    """Every feed that the topics fill; each by one topic."""
    tables: dict[str, pa.Table] = {}
    for made in drawn:
        for feed, columns in made.feeds.items():
            if feed in tables:
                raise SourceError(f"feed {feed!r} is filled by two topics; expected one: correct topics.py")
            tables[feed] = feed_table(feed, columns)
    return tables


def _truth_columns(drawn: list[Drawn]) -> Mapping[str, Mapping[str, pa.Array]]:
    tables: dict[str, Mapping[str, pa.Array]] = {}
    for made in drawn:
        for name, columns in made.truth.items():
            if name in tables:
                raise SourceError(f"truth {name!r} is filled by two topics; expected one: correct topics.py")
            tables[name] = columns
    return tables


def _parameters(plan: ShopPlan, dirt: Dirt, file_format: FileFormat, deliver: Delivery, habits: Habits | None) -> str:
    """All that the files depend on, as one text."""
    asked = {"format": _FORMAT, "files": file_format, "deliver": deliver, "habits": habits, "plan": plan, "dirt": dirt}
    return json.dumps(asked, default=_plain, sort_keys=True)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, default=_plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(found: object) -> object:
    if isinstance(found, dt.date):
        return found.isoformat()
    if dataclasses.is_dataclass(found) and not isinstance(found, type):
        return {column.name: getattr(found, column.name) for column in dataclasses.fields(found)}
    if isinstance(found, Mapping):
        return dict(found)
    raise TypeError(f"{type(found).__name__} is in a plan, expected what JSON can hold")
