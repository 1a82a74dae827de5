"""A whole delivery cut into one folder a day, as the sources would have sent it over the history.

Each night the shop exports what is new and what has changed. So an order comes again with every state that it passed
through, some rows come days late, some come wrong and are corrected later, some files are sent twice, and on some days
nothing comes. All days together hold the whole delivery: the latest version of each key is its row there.

Belongs here: on which day which version of a row is sent, and the folders. Does not belong here: what the rows say
(the topics), what is wrong within a row (`dirt`).

Everything is drawn from hashes of keys, so that a day's folder does not depend on the days after it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import duckdb
import pyarrow as pa

from dagster_project.sources.engine import private_connection
from dagster_project.sources.simulated_shop.feeds import FEEDS
from dagster_project.sources.tables import SourceError
from dagster_project.sql_text import literal, quoted_identifier

_MEMORY = "2GB"
AGAIN = "-again"
"""Stands at the end of the name of a file that was sent twice; `orders*.csv` finds both."""
_ARRIVES, _HAPPENED, _PLACE = "_arrives_on", "_happened_at", "_place"
_INHERITED = ("order_lines", "guest_contacts")
"""Feeds without a time of their own, that are sent with the order they name."""
_VERSIONED = "orders"
_LAUNCHED = {"products": "launched_on"}
_CORRECTED_DAYS = 5
_WRONG_AT_FIRST = {"refunds": ("refund_amount", "0.01"), "customers": ("country", "ZZ")}
"""Feeds whose rows may come wrong at first: the column, and what it then says."""


@dataclass(frozen=True)
class SchemaChange:
    """From one day on a feed's file has a column more, or lacks one, or calls it something else."""

    feed: str
    how: Literal["gained", "lost", "renamed"]
    column: str
    day: dt.date


@dataclass(frozen=True)
class Habits:
    """How reliably the sources send.

    Attributes:
        late_share: of rows that come one to `late_days` days after they should.
        late_days: the longest that a row is late.
        corrected_share: of the rows of some feeds that come wrong and are sent again right, one to five days later.
        repeated_file_share: of files that are sent twice on their day.
        silent_day_share: of days on which no source sends anything; the rows come on the next day that is not silent.
        absent_file_share: of files that do not come on their day; their rows come with the feed's next file.
        schema_changes: none unless given, as a column lost or renamed stops the night that reads it.
    """

    late_share: float = 0.01
    late_days: int = 9
    corrected_share: float = 0.01
    repeated_file_share: float = 0.01
    silent_day_share: float = 0.02
    absent_file_share: float = 0.01
    schema_changes: tuple[SchemaChange, ...] = ()

    def __post_init__(self) -> None:
        for name in (
            "late_share",
            "corrected_share",
            "repeated_file_share",
            "silent_day_share",
            "absent_file_share",
        ):
            if not 0 <= getattr(self, name) <= 1:
                raise SourceError(f"{name} of a daily delivery is {getattr(self, name)}; expected 0 to 1")
        for change in self.schema_changes:
            if change.feed not in FEEDS or (change.how != "gained" and change.column not in FEEDS[change.feed].columns):
                raise SourceError(
                    f"feed {change.feed!r} with column {change.column!r} is unknown; see the list of feeds"
                )


def deliver_daily(
    whole: Mapping[str, Path],
    out: Path,
    days: tuple[dt.date, dt.date],
    seed: int,
    habits: Habits | None = None,
    order_versions: Path | None = None,
) -> None:
    """Write one folder a day, `out/2025-01-31/<feed>.csv`, from a whole delivery.

    A feed has a file on the days on which it has rows, and on the first day in any case, if only with a header. The
    last day sends all that is still to come.

    Args:
        whole: Feed name to its file: CSV, gzipped or not, or Parquet; the days' files have the same format, CSV plain.
        out: Folder to write to; absent or empty.
        days: First and last day of the history.
        seed: The shop's seed.
        habits: How reliably the sources send; as most do unless given.
        order_versions: Parquet of `order_id` and the columns in which an order's earlier states differ from its row in
            the whole delivery, `updated_at` among them; without it an order is sent once.

    Raises:
        SourceError: When the folder holds something already.
    """
    habits = habits or Habits()
    if out.exists() and any(out.iterdir()):
        raise SourceError(f"folder {str(out)!r} is not empty; expected a new one for the daily folders: choose another")
    with private_connection(_MEMORY, out.parent) as con:
        con.execute("set threads = 1")  # a file's rows keep their order
        for feed in sorted(whole, key=lambda name: name != _VERSIONED):  # feeds without a time ask the orders
            con.execute(f"create temp table {_whole(feed)} as {_whole_sql(feed, whole[feed])}")
            post = _Post(feed, days, seed, habits)
            con.execute(f"create temp table sent as {_sent_sql(con, feed, post, order_versions)}")
            _write_days(con, post, out, "parquet" if whole[feed].suffix == ".parquet" else "csv")
            con.execute("drop table sent")
            if feed != _VERSIONED:
                con.execute(f"drop table {_whole(feed)}")


@dataclass(frozen=True)
class _Post:
    """One feed's way from the source to us: which days bring a file."""

    feed: str
    days: tuple[dt.date, dt.date]
    seed: int
    habits: Habits
    sending: list[dt.date] = field(init=False)

    def __post_init__(self) -> None:
        first, last = self.days
        every = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
        absent = self.habits.absent_file_share
        sending = [
            day
            for day in every
            if day in self.days
            or not (
                self.chance("silent", day) < self.habits.silent_day_share
                or self.chance(f"absent/{self.feed}", day) < absent
            )
        ]
        object.__setattr__(self, "sending", sending)

    def chance(self, what: str, day: dt.date) -> float:
        """A uniform number for a day."""
        digest = hashlib.sha256(f"{self.seed}/delivery/{what}/{day.isoformat()}".encode()).digest()
        return int.from_bytes(digest[:6], "big") / 2**48

    def is_repeated(self, day: dt.date) -> bool:
        """Whether the day's file is sent twice."""
        return self.chance(f"again/{self.feed}", day) < self.habits.repeated_file_share

    def drawn(self, what: str, *texts: str) -> str:
        """SQL of a uniform number from 0 to 1 for some texts of a row."""
        key = " || '/' || ".join([literal(f"{self.seed}/{what}/{self.feed}"), *texts])
        return f"(md5_number_lower({key}) % 1000000007 / 1000000007.0)"


def _whole(feed: str) -> str:
    return quoted_identifier(f"whole_{feed}")


def _whole_sql(feed: str, path: Path) -> str:
    file = literal(str(path))
    if path.suffix == ".parquet":
        rows, place = f"read_parquet({file}, file_row_number = true)", "file_row_number"
        return f"select * exclude ({place}), {place} as {_PLACE} from {rows}"
    columns = ", ".join(f"{literal(name)}: 'varchar'" for name in FEEDS[feed].columns)
    written = "header = true, delim = ',', quote = '\"', escape = '\"', auto_detect = false"
    rows = f"read_csv({file}, columns = {{{columns}}}, {written})"
    return f"select *, row_number() over () as {_PLACE} from {rows}"


def _sent_sql(con: duckdb.DuckDBPyConnection, feed: str, post: _Post, order_versions: Path | None) -> str:
    """All versions of a feed's rows with the day on which each reaches us, in the order of its files."""
    whole = f"select *, {_time_sql(feed)} as {_HAPPENED}, 0 as _delay from {_whole(feed)}"
    key = " || '|' || ".join(f"coalesce({quoted_identifier(name)}::varchar, '')" for name in FEEDS[feed].key)
    version = "''"
    if feed == _VERSIONED and order_versions is not None:
        whole, version = _with_states(con, whole, order_versions), f"coalesce({_HAPPENED}::varchar, '')"
    if feed in _WRONG_AT_FIRST:
        whole = _with_wrong_versions(con, whole, feed, key, post)
    lateness = f"1 + floor({post.drawn('days', key, version)} * {post.habits.late_days})::int"
    is_late = f"{post.drawn('late', key, version)} < {post.habits.late_share}"
    first, last = (f"date '{day}'" for day in post.days)
    due = (
        f"least({last}, greatest({first}, coalesce({_HAPPENED}::date, {first})) "
        f"+ case when {is_late} then {lateness} else 0 end + _delay)"
    )
    con.register("_sending", pa.table({"day": pa.array(post.sending, pa.date32())}))
    return (
        f"select versions.* exclude (_due), sending.day as {_ARRIVES} "
        f"from (select *, {due} as _due from ({whole})) as versions "
        "asof join _sending as sending on sending.day >= versions._due "
        f"order by {_ARRIVES}, {_HAPPENED} nulls first, {_PLACE}, _delay"
    )


def _time_sql(feed: str) -> str:
    """When a row was last changed, or took place; that of its order where it has no time; null where nothing has."""
    if feed in _INHERITED:
        return (
            f"(select min(try_cast(parent.ordered_at as timestamp)) from {_whole(_VERSIONED)} as parent "
            f"where parent.order_id = {_whole(feed)}.order_id)"
        )
    names = [FEEDS[feed].updated_at, FEEDS[feed].happened_at, _LAUNCHED.get(feed)]
    times = [f"try_cast({quoted_identifier(name)} as timestamp)" for name in names if name]
    return f"coalesce({', '.join([*times, 'null::timestamp'])})"


def _with_states(con: duckdb.DuckDBPyConnection, whole: str, order_versions: Path) -> str:
    """Each order's state at the end of each day on which it changed, then the row of the whole delivery."""
    states = f"read_parquet({literal(str(order_versions))})"
    kinds = _types(con, whole)
    own = [name for name in _types(con, f"from {states}") if name != "order_id"]
    replaced = ", ".join(f"state.{quoted_identifier(name)}::{kinds[name]} as {quoted_identifier(name)}" for name in own)
    return (
        f"select final.* replace ({replaced}, state.updated_at as {_HAPPENED}) "
        f"from ({whole}) as final inner join {states} as state on final.order_id = state.order_id "
        f"where state.updated_at::date < final.{_HAPPENED}::date "
        f"qualify row_number() over (partition by final.{_PLACE}, state.updated_at::date "
        f"order by state.updated_at desc) = 1 union all {whole}"
    )


def _with_wrong_versions(con: duckdb.DuckDBPyConnection, whole: str, feed: str, key: str, post: _Post) -> str:
    """A wrong version on the day of the row, and the row itself some days later, for a share of the rows."""
    column, wrong = _WRONG_AT_FIRST[feed]
    written = f"{literal(wrong)}::{_types(con, whole)[column]}"
    is_wrong = f"{post.drawn('wrong', key)} < {post.habits.corrected_share}"
    delay = f"case when {is_wrong} then 1 + floor({post.drawn('corrected', key)} * {_CORRECTED_DAYS})::int else 0 end"
    return (
        f"select * replace ({written} as {quoted_identifier(column)}) from ({whole}) where {is_wrong} "
        f"union all select * replace ({delay} as _delay) from ({whole})"
    )


def _types(con: duckdb.DuckDBPyConnection, query: str) -> dict[str, str]:
    return {name: kind for name, kind, *_ in con.execute(f"describe {query}").fetchall()}


def _write_days(con: duckdb.DuckDBPyConnection, post: _Post, out: Path, kind: Literal["csv", "parquet"]) -> None:
    first = post.days[0]
    days = [day for (day,) in con.execute(f"select distinct {_ARRIVES} from sent order by 1").fetchall()]
    columns = [name for name in _types(con, "from sent") if not name.startswith("_")]
    for day in dict.fromkeys([first, *days]):
        folder = out / day.isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        rows = f"select {_selected(columns, post, day)} from sent where {_ARRIVES} = date '{day}'"
        for name in [post.feed, post.feed + AGAIN] if post.is_repeated(day) else [post.feed]:
            how = "format parquet, compression zstd" if kind == "parquet" else "format csv, header"
            con.execute(f"copy ({rows}) to {literal(str(folder / f'{name}.{kind}'))} ({how})")


def _selected(columns: Sequence[str], post: _Post, day: dt.date) -> str:
    """The columns of a day's file."""
    selected = {name: quoted_identifier(name) for name in columns}
    for change in post.habits.schema_changes:
        if change.feed != post.feed or day < change.day:
            continue
        if change.how == "gained":
            selected[change.column] = f"'' as {quoted_identifier(change.column)}"
        elif change.how == "lost":
            del selected[change.column]
        else:
            selected[change.column] = f"{quoted_identifier(change.column)} as {quoted_identifier(change.column + '_2')}"
    return ", ".join(selected.values())
