"""What the checks of a table cost, beside the same conditions written by hand as one pass of SQL.

    python benchmarks/checks.py [--quick] [--runs N]

Ten million order lines with hashed keys, as the marts have them; --quick makes a tenth. Ours is the suite of
`marts.fct_order_lines` as a night evaluates it; the other is one query with every condition on rows and keys, and the
rules over history as they are. Each runs in a process of its own, in turn; the suite a second time with little memory
for the engine, to show that its need does not follow the rows. Prints one JSON line per figure:
{"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}: medians, ratio = other / ours, so that larger
is better; the aim is at most three times the bare pass: 0.33 or more.
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
from functools import partial
from pathlib import Path

import duckdb

LINES, QUICK_LINES = 10_000_000, 1_000_000
LITTLE_MEMORY = "500MB"
NIGHT = dt.date(2025, 12, 31)
BUILD = """
create schema marts;
create table marts.fct_order_lines as
select sha256('l' || i) as order_line_key, 'product' as line_kind, 1 + i % 4 as quantity,
    (i * 15485863 % 9000 / 100)::decimal(18, 4) as original_unit_price,
    ((1 + i % 4) * (i * 15485863 % 9000 / 100))::decimal(18, 4) as original_line_amount,
    ((1 + i % 4) * (i * 15485863 % 9000 / 100))::decimal(18, 4) as line_amount,
    date '2025-12-31' - (i * 7919 % 1000)::integer as order_date
from range({lines}) as t(i);
"""
BY_HAND = """
select count(*) - count(distinct order_line_key), count(*) filter (original_line_amount is null),
    count(*) filter (line_kind not in ('product', 'manual', 'gift_card', 'shipping', 'discount', 'fee')),
    count(*) filter (
        abs(quantity * original_unit_price - original_line_amount) > 0.01 * greatest(1, abs(quantity))
    ),
    avg((quantity >= 1)::integer), avg((original_unit_price >= 0)::integer)
from marts.fct_order_lines
"""


def main() -> None:
    """Run the two in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--once", nargs=2, metavar=("WAY", "DATABASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, database = arguments.once
        print(json.dumps(WAYS[way](Path(database))))
        return
    lines, runs = (QUICK_LINES, 1) if arguments.quick else (LINES, arguments.runs)
    found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "warehouse.duckdb"
        with duckdb.connect(str(database)) as con:
            con.execute(BUILD.format(lines=lines))
        for _ in range(runs):
            for way, figures in found.items():
                command = [sys.executable, __file__, "--once", way, str(database)]
                output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
                figures.append(json.loads(output.splitlines()[-1]))
    report(f"{lines / 1e6:.0f} million order lines", found, runs)


def report(case: str, found: dict[str, list[dict[str, float]]], runs: int) -> None:
    """Print the medians of all runs."""
    bounded = f"{case}, {LITTLE_MEMORY} for the engine"
    figures = [
        (case, "seconds", "s", "suite", "by_hand"),
        (f"{case}: processor time", "processor_seconds", "s", "suite", "by_hand"),
        (f"{case}: peak memory", "memory_mb", "MB", "suite", "by_hand"),
        (f"{bounded}: processor time", "processor_seconds", "s", "suite_of_little_memory", "suite"),
        (f"{bounded}: peak memory", "memory_mb", "MB", "suite_of_little_memory", "suite"),
    ]
    names = {"by_hand": "one pass by hand", "suite": "the suite, unbounded"}
    for told, figure, unit, way, beside in figures:
        ours, other = (statistics.median(run[figure] for run in found[one]) for one in (way, beside))
        told_figure = {
            "bench": "checks",
            "case": told,
            "ours": round(ours, 3),
            "other": round(other, 3),
            "other_name": names[beside],
            "ratio": round(other / ours, 3),
            "unit": unit,
            "runs": runs,
        }
        print(json.dumps(told_figure), flush=True)


def suite(database: Path, memory: str | None = None) -> dict[str, float]:
    """The suite as a night evaluates it, with a limit for the engine's memory or without; imports are not measured."""
    from expectations.runner import run_suites
    from expectations.suite import load_suites

    suites = load_suites("marts", ["fct_order_lines"])
    config = {"memory_limit": memory} if memory else {}
    with tempfile.TemporaryDirectory() as project, duckdb.connect(str(database), read_only=True, config=config) as con:
        began = time.perf_counter(), time.process_time()
        results = run_suites(con, suites, Path(project), as_of=NIGHT)
        found = measured(*began)
    broken = [result.name for result in results if not result.is_passed]
    if broken:
        raise AssertionError(f"the table was to keep every rule, it breaks {', '.join(broken)}")
    return found


def by_hand(database: Path) -> dict[str, float]:
    """The same conditions in one query, and the rules over history as they are."""
    from expectations import custom
    from expectations.suite import load_suites

    [chosen] = load_suites("marts", ["fct_order_lines"])
    queries = [BY_HAND]
    for rule in chosen.rules:
        if rule.expect in custom.OVER_HISTORY:
            kind = "Expect" + "".join(word.capitalize() for word in rule.expect.split("_"))
            written = getattr(custom, kind)(**rule.arguments, as_of=f"{NIGHT}").unexpected_rows_query
            queries.append(written.replace("{batch}", "marts.fct_order_lines"))
    with duckdb.connect(str(database), read_only=True) as con:
        began = time.perf_counter(), time.process_time()
        for query in queries:
            con.execute(query).fetchall()
        return measured(*began)


def measured(wall: float, processor: float) -> dict[str, float]:
    """What has passed since, and the most memory that this process ever had."""
    return {
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


WAYS: dict[str, Callable[[Path], dict[str, float]]] = {
    "suite": suite,
    "by_hand": by_hand,
    "suite_of_little_memory": partial(suite, memory=LITTLE_MEMORY),
}


if __name__ == "__main__":
    main()
