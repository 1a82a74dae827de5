"""What landing costs: files beside DuckDB's bare COPY, a database's table beside PostgreSQL's own copy to a file.

    python benchmarks/loading.py [--quick] [--runs N]

A CSV of 4 million order lines (--quick: 400,000) is landed, with its hash, provenance, a proof that no line is missing
and a ledger; the other is `COPY (FROM read_csv(...)) TO parquet` of the same file. A table of 2 million such rows
(200,000) is landed from a PostgreSQL server on loopback, typed columns as exact texts; the other is psql's copy of it
to a CSV; processor time is of both ends of the wire. In turn, in one process. Prints one JSON line per figure:
{"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}: medians, ratio = other / ours, so that larger
is better; files are to reach 0.70, databases 0.30.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.sources.database import Database
from dagster_project.sources.landing import land
from dagster_project.sources.sql_connector import SqlDatabase, SqlTable
from dagster_project.sources.tables import SourceTable

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES, QUICK_FILE_LINES = 4_000_000, 400_000
TABLE_ROWS, QUICK_TABLE_ROWS = 2_000_000, 200_000
NOON = dt.datetime(2025, 6, 1, 12, tzinfo=dt.UTC)
LINES = """
select 'o' || (i // 3) as order_id, i % 3 + 1 as line_number, 'p' || (i * 31 % 5000) as product_id,
    1 + i % 4 as quantity, (i * 15485863 % 9000 / 100)::decimal(12, 2) as unit_price,
    timestamp '2023-01-01' + to_seconds(i * 17) as updated_at
from range({rows}) as t(i)
"""


def main() -> None:
    """Run both pairs and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        files(Path(folder), QUICK_FILE_LINES if arguments.quick else FILE_LINES, arguments.runs)
        database(Path(folder), QUICK_TABLE_ROWS if arguments.quick else TABLE_ROWS, arguments.runs)


def files(folder: Path, rows: int, runs: int) -> None:
    """A CSV into the landing zone, and into a bare Parquet."""
    shop = folder / "shop"
    shop.mkdir()
    with duckdb.connect() as con:
        con.execute(f"copy ({LINES.format(rows=rows)}) to '{shop / 'order_lines.csv'}' (header)")
    table = SourceTable("shop", "order_lines", shop, "order_lines.csv", "csv", ("order_id", "line_number"))

    def ours(run: int) -> None:
        require(land(table, folder / f"landing{run}", NOON).rows, rows)

    def bare(run: int) -> None:
        source = f"read_csv('{shop / 'order_lines.csv'}', all_varchar = true)"
        with duckdb.connect(config={"threads": 2}) as con:
            con.execute(f"copy (from {source}) to '{folder / f'bare{run}.parquet'}' (format parquet, compression zstd)")

    tell(f"CSV of {rows:,} lines", "bare COPY", runs, ours, bare, clock=time.process_time)
    tell(f"CSV of {rows:,} lines, by the clock", "bare COPY", runs, ours, bare, first=runs)


def database(folder: Path, rows: int, runs: int) -> None:
    """A table of PostgreSQL into the landing zone, and into a CSV by its own client."""
    sys.path.insert(0, str(ROOT / "tests"))
    from database_servers import POSTGRES, Postgres

    if not POSTGRES:
        print("the programs of postgresql are not installed: databases are left out", file=sys.stderr)
        return
    server = Postgres()
    try:
        server.create().start()
        server.execute(
            "create table order_lines as select 'o' || i / 3 as order_id, i % 3 + 1 as line_number, "
            "'p' || (i * 31 % 5000) as product_id, 1 + i % 4 as quantity, "
            "(i::bigint * 15485863 % 9000 / 100.0)::numeric(12, 2) as unit_price, "
            f"timestamp '2023-01-01' + i * interval '17 seconds' as updated_at from generate_series(0, {rows - 1}) i",
            "alter table order_lines add primary key (order_id, line_number)",
            "analyze order_lines",
        )
        os.environ["BENCHMARK_DATABASE"] = server.url
        psql = str(POSTGRES[-1].with_name("psql"))

        def ours(run: int) -> None:
            inbox = folder / "inbox" / str(run) / "order_lines"
            table = SourceTable("shop", "order_lines", inbox, "*.parquet", "parquet", ("order_id",))
            source = Database("shop", "BENCHMARK_DATABASE")
            feeds = {"order_lines": SqlTable("order_lines", key=("order_id", "line_number"))}
            require(SqlDatabase([table], source, feeds).land(table, folder / f"zone{run}", NOON).rows, rows)

        def bare(run: int) -> None:
            target = folder / f"copied{run}.csv"
            command = f"\\copy order_lines to '{target}' csv header"
            subprocess.run([psql, server.url.replace("+psycopg2", ""), "-qc", command], check=True)

        case, other = f"PostgreSQL table of {rows:,} rows", "psql \\copy to a file"
        tell(f"{case}, both ends", other, runs, ours, bare, clock=lambda: processor_of(server))
        tell(f"{case}, by the clock", other, runs, ours, bare, first=runs)
    finally:
        server.stop()


def processor_of(server: Any) -> float:
    """Processor seconds of this process, the programs that it ran, and the server with all its sessions so far."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            program, fields = int(path.parent.name), path.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended, and its parent has its time
            continue
        if program == server.process.pid:
            ticks += sum(map(int, fields[11:15]))  # user and system, its own and that of its ended children
        elif int(fields[1]) == server.process.pid:
            ticks += sum(map(int, fields[11:13]))
    own = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return ticks / os.sysconf("SC_CLK_TCK") + sum(usage.ru_utime + usage.ru_stime for usage in own)


def require(landed: int, sent: int) -> None:
    """End where rows are missing: what loses rows is not fast."""
    if landed != sent:
        raise SystemExit(f"{landed} rows were landed, {sent} were sent")


def tell(
    case: str,
    other_name: str,
    runs: int,
    ours: Callable[[int], None],
    other: Callable[[int], None],
    *,
    clock: Callable[[], float] = time.perf_counter,
    first: int = 0,
) -> None:
    """Run two things in turn and print the medians of what a clock says that they take."""
    found: dict[Callable[[int], None], list[float]] = {ours: [], other: []}
    for run in range(first, first + runs):
        for act, seconds in found.items():
            start = clock()
            act(run)
            seconds.append(clock() - start)
    mine, theirs = (statistics.median(seconds) for seconds in found.values())
    figure = {
        "bench": "loading", "case": case, "ours": round(mine, 2), "other": round(theirs, 2), "other_name": other_name,
        "ratio": round(theirs / mine, 2), "unit": "s" if clock is time.perf_counter else "CPU s", "runs": runs,
    }  # fmt: skip
    print(json.dumps(figure))


if __name__ == "__main__":
    main()
