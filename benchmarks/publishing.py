"""What publishing a night costs, beside `cp` of the same bytes.

    python benchmarks/publishing.py [--quick] [--runs N]

A build of about 1 GB, orders and their lines with hashed keys as the marts have them; --quick makes a tenth. Ours
hashes every table for the manifest, moves the file, reads every row back, makes it last on disk and swaps the pointer.
The other is `cp` and a sync of the copy. Each runs in a process of its own, in turn, on a file that was just written.
Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}: medians,
ratio = other / ours, so that larger is better; publishing is to take at most three times as long: 0.33 or more.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import duckdb

LINES, QUICK_LINES = 8_000_000, 800_000
BUILD = """
create schema marts;
create table marts.fct_orders as
select sha256('o' || i) as order_key, sha256('c' || (i * 7919 % {customers})) as customer_key,
    date '2023-01-01' + (i % 1000)::integer as order_date, 'EUR' as currency_code,
    (i * 104729 % 20000 / 100)::decimal(18, 4) as gross_amount,
    (i * 1299709 % 15000 / 100)::decimal(18, 4) as net_amount,
    case when i % 9 = 0 then 'fully_refunded' end as exclusion_reason, i % 9 <> 0 as is_valid,
    case i % 3 when 0 then 'web' when 1 then 'app' else 'store' end as channel
from range({orders}) as t(i);
create table marts.fct_order_lines as
select sha256('l' || i) as order_line_key, sha256('o' || (i // 3)) as order_key,
    sha256('p' || (i * 31 % 5000)) as product_key,
    1 + i % 4 as quantity, (i * 15485863 % 9000 / 100)::decimal(18, 4) as unit_price,
    (i * 32452843 % 30000 / 100)::decimal(18, 4) as line_amount,
    date '2023-01-01' + (i // 3 % 1000)::integer as order_date
from range({lines}) as t(i);
create table marts.fct_customers as
select customer_key, count(*) as count_orders, sum(net_amount)::decimal(18, 4) as total_net,
    min(order_date) as first_order_date, max(order_date) as last_order_date, avg(net_amount)::double as mean_net
from marts.fct_orders group by customer_key;
"""


def main() -> None:
    """Run the two in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--once", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, folder = arguments.once
        print(json.dumps({"published": published, "copied": copied}[way](Path(folder))))
        return
    lines, runs = (QUICK_LINES, 1) if arguments.quick else (LINES, arguments.runs)
    found: dict[str, list[dict[str, float]]] = {"published": [], "copied": []}
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "template.duckdb"
        make_build(template, lines)
        for _ in range(runs):
            for way, figures in found.items():
                (Path(folder) / "work").mkdir(exist_ok=True)
                subprocess.run(["cp", template, Path(folder) / "work" / "warehouse.duckdb"], check=True)
                command = [sys.executable, __file__, "--once", way, folder]
                output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
                figures.append(json.loads(output.splitlines()[-1]))
        report(f"{template.stat().st_size / 1e9:.2f} GB, {lines / 1e6:.1f} million order lines", found, runs)


def make_build(path: Path, lines: int) -> None:
    """The template of the builds, closed."""
    with duckdb.connect(str(path)) as con:
        con.execute(BUILD.format(lines=lines, orders=lines // 3, customers=lines // 30))


def report(case: str, found: dict[str, list[dict[str, float]]], runs: int) -> None:
    """Print the medians of all runs."""
    cases = {
        "seconds": (case, "s"),
        "processor_seconds": (f"{case}: processor time", "s"),
    }
    for figure, (told, unit) in cases.items():
        ours, other = (statistics.median(run[figure] for run in found[way]) for way in ("published", "copied"))
        told_figure = {
            "bench": "publishing",
            "case": told,
            "ours": round(ours, 3),
            "other": round(other, 3),
            "other_name": "cp and sync",
            "ratio": round(other / ours, 3),
            "unit": unit,
            "runs": runs,
        }
        print(json.dumps(told_figure), flush=True)


def published(folder: Path) -> dict[str, float]:
    """Publish the build, from its audit's hashes to the pointer."""
    from dagster_project.publishing.audit import published_tables, table_facts
    from dagster_project.publishing.versions import Manifest, next_version, publish

    build, home = folder / "work" / "warehouse.duckdb", folder / "published"
    began = time.perf_counter(), processors()
    with duckdb.connect(str(build)) as con:
        tables = {table: asdict(table_facts(con, table)) for table in published_tables(con)}
    version = next_version(home, "2025-12-31")
    manifest = Manifest(version, "2025-12-31", version, "Bench", tables, {}, {"duckdb": duckdb.__version__})
    publish(build, home, manifest, keep=1)
    return measured(*began)


def copied(folder: Path) -> dict[str, float]:
    """Copy the build, and have the disk hold the copy."""
    build, copy = folder / "work" / "warehouse.duckdb", folder / "copy.duckdb"
    began = time.perf_counter(), processors()
    subprocess.run(["cp", build, copy], check=True)
    with copy.open("rb") as handle:
        os.fsync(handle.fileno())
    found = measured(*began)
    copy.unlink()
    return found


def processors() -> float:
    """User and system time of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def measured(wall: float, processor: float) -> dict[str, float]:
    """What has passed since."""
    return {"seconds": time.perf_counter() - wall, "processor_seconds": processors() - processor}


if __name__ == "__main__":
    main()
