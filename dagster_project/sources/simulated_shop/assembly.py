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
from typing import Any

import pyarrow as pa

from dagster_project.sources.simulated_shop.blocks import draw_block
from dagster_project.sources.simulated_shop.calendar import Calendar
from dagster_project.sources.simulated_shop.columns import HAPPENED, Drawn
from dagster_project.sources.simulated_shop.delivery import Habits, deliver_daily
from dagster_project.sources.simulated_shop.dirt import Dirt, soil
from dagster_project.sources.simulated_shop.order_versions import ORDER_VERSIONS, draw_order_versions
from dagster_project.sources.simulated_shop.people import count_blocks
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.topics import BLOCK_TOPICS, SHOP_TOPICS
from dagster_project.sources.simulated_shop.writer import FileFormat, PartWriter, export_sorted, feed_table
from dagster_project.sources.tables import SourceError

MARKER_NAME = ".simulated.json"
TRUTH = "truth"
DAILY = "days"
_FORMAT = 2  # raise it when the same plan gives other files
OnBlock = Callable[[int, int], None]


def simulate(
    plan: ShopPlan,
    out: Path,
    dirt: Dirt | None = None,
    file_format: FileFormat = "csv",
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
        on_block: called with the blocks done and all blocks.
        habits: how reliably the sources send, for one folder a day of the observed history; None for one delivery of
            everything.

    Returns:
        Whether anything was written: False where the folder already holds this very shop.

    Raises:
        SourceError: the folder holds something that no simulation wrote.
    """
    dirt = dirt or Dirt()
    parameters = _parameters(plan, dirt, file_format, habits)
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
        _write(plan, fresh, dirt, file_format, on_block or (lambda done, total: None), habits)
        (fresh / MARKER_NAME).write_text(parameters, encoding="utf-8")
        if out.exists():
            shutil.rmtree(out)
        fresh.rename(out)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return True


def _write(
    plan: ShopPlan, folder: Path, dirt: Dirt, file_format: FileFormat, on_block: OnBlock, habits: Habits | None
) -> None:
    calendar, total = Calendar(plan), count_blocks(plan)
    whole = folder / ".whole" if habits else folder
    parts = folder / ".parts" if file_format == "csv" else whole
    for needed in {whole, parts}:
        needed.mkdir(exist_ok=True)
    topics = [*BLOCK_TOPICS.values(), *([draw_order_versions] if habits else [])]
    dirt = dirt if file_format == "csv" else dirt.without_cut_lines()
    short_lines: dict[str, list[str]] = defaultdict(list)
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
            keep([topic(block) for topic in topics])
            on_block(number + 1, total)
    if file_format == "csv":
        export_sorted(parts, whole, parts, {} if habits else short_lines)
        shutil.rmtree(parts)
    if habits:
        days = (plan.first_day, plan.first_day + dt.timedelta(days=plan.end_day - 1))
        states = folder / TRUTH / f"{ORDER_VERSIONS}.parquet"
        feed_files = {path.name.partition(".")[0]: path for path in sorted(whole.iterdir())}
        deliver_daily(feed_files, folder / DAILY, days, plan.seed, habits, states, short_lines)
        shutil.rmtree(whole)
    _write_json(folder / TRUTH / "shop.json", {"plan": dataclasses.asdict(plan)})


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


def _parameters(plan: ShopPlan, dirt: Dirt, file_format: FileFormat, habits: Habits | None) -> str:
    """All that the files depend on, as one text."""
    asked = {"format": _FORMAT, "files": file_format, "plan": plan, "dirt": dirt, "habits": habits}
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
