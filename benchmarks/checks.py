"""What the checks of all tables that grow with order lines cost, beside the same conditions as one pass of SQL a table.

    python benchmarks/checks.py [--quick] [--lines N] [--runs N] [--home HOME]

The raw, staging, intermediate and marts tables of orders, lines and customers of a night of the built-in shop, small,
stand side by side as many times as make the order lines asked for (10 million; --quick half a million), each copy
with keys of its own. HOME is a home with such a night; without it one is made. Ours is every suite of these tables as
a night evaluates it; the other is, for each table, one query with all its conditions on rows and keys, written by
`rules_in_sql.py` of the drills, and the queries that rules state or write over history as they are. Both must judge
each rule alike. They are measured with the rules over history and without, each in a process of its own; all suites
once more with little memory for the engine. Prints one JSON line per figure: {"bench", "case", "ours", "other",
"other_name", "ratio", "unit", "runs"}: medians, ratio = other / ours, so that larger is better; the aim is at most
three times the bare passes: 0.33 or more.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.checks import suites_of
from dagster_project.publishing.versions import current_database
from dagster_project.settings import load_settings
from expectations.suite import CheckResult, Suite

LINES, QUICK_LINES = 10_000_000, 500_000
LITTLE_MEMORY = "500MB"
TABLES = {
    "raw": ("demo__orders", "demo__order_lines", "demo__customers"),
    "staging": ("stg_demo__orders", "stg_demo__order_lines", "stg_demo__customers"),
    "intermediate": (
        "int_customer_identities", "int_customer_occasions", "int_customer_standings", "int_orders_valued",
    ),
    "marts": ("fct_orders", "fct_order_lines", "fct_customers", "fct_customer_months", "dim_customers"),
}  # fmt: skip
TESTS = Path(__file__).parents[1] / "tests"
sys.path += [str(TESTS), str(TESTS / "drills" / "mutations")]
NIGHT = dt.date(2025, 12, 30)
"""The night of the small shop."""
READ_BESIDES = ("marts.dim_products",)
"""Tables that their rules name."""


def main() -> None:
    """Run all ways in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--lines", type=int)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--once", nargs=2, metavar=("WAY", "DATABASE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, database = arguments.once
        print(json.dumps(WAYS[way](Path(database))))
        return
    lines = arguments.lines or (QUICK_LINES if arguments.quick else LINES)
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "warehouse.duckdb"
        lines = multiply(arguments.home or made(Path(folder) / "shop"), database, lines)
        for _ in range(arguments.runs):
            for way, figures in found.items():
                command = [sys.executable, __file__, "--once", way, str(database)]
                output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
                figures.append(json.loads(output.splitlines()[-1]))
    for ours, other in (("suites", "by_hand"), ("suites_of_rows", "by_hand_of_rows")):
        if any(one["broken"] != another["broken"] for one in found[ours] for another in found[other]):
            raise AssertionError(f"{ours} and {other} judge otherwise: {found[ours][0]}, {found[other][0]}")
    report(lines, found, arguments.runs)


def made(root: Path) -> Path:
    """The home of a small shop after its first night."""
    from corner_shop import CornerShop

    shop = CornerShop.open(root)
    shop.run()
    return shop.home


def multiply(home: Path, database: Path, lines: int) -> int:
    """Write the tables of a night as often as makes that many order lines; gives how many there are."""
    with duckdb.connect() as con:
        con.execute(f"attach '{current_database(home / 'published')}' as warehouse (read_only)")
        con.execute(f"attach '{home / 'work' / 'scratch.duckdb'}' as scratch (read_only)")
        con.execute(f"attach '{database}' as big; attach '{database.with_name('scratch.duckdb')}' as big_scratch")
        [(own,)] = con.execute("select count(*) from warehouse.marts.fct_order_lines").fetchall()
        copies = round(lines / own)
        for relation in [f"{layer}.{table}" for layer, tables in TABLES.items() for table in tables] + [*READ_BESIDES]:
            side = "warehouse" if relation.startswith("marts") else "scratch"
            target = {"warehouse": "big", "scratch": "big_scratch"}[side]
            con.execute(f"create schema if not exists {target}.{relation.partition('.')[0]}")
            columns = con.execute(f"describe {side}.{relation}").fetchall()
            keys = [name for name, kind, *_ in columns if kind == "VARCHAR" and re.search("_(key|id)$", name)]
            own_keys = ", ".join(f"{key} || '-' || copy as {key}" for key in keys)
            con.execute(
                f"create table {target}.{relation} as select * exclude (copy) replace ({own_keys}) "
                f"from {side}.{relation} cross join range({copies}) as copies (copy)"
            )
        return int(own * copies)


def report(lines: int, found: dict[str, list[dict[str, Any]]], runs: int) -> None:
    """Print the medians of all runs."""
    rules, of_rows = (int(found[way][0]["rules"]) for way in ("suites", "suites_of_rows"))
    case = f"{lines / 1e6:.1f} million order lines"
    compared = [
        (f"{case}, {rules} rules", "suites", "by_hand", "one pass a table by hand"),
        (
            f"{case}, {of_rows} rules, none over history",
            "suites_of_rows",
            "by_hand_of_rows",
            "one pass a table by hand",
        ),
        (f"{case}, {LITTLE_MEMORY} for the engine", "suites_of_little_memory", "suites", "the suites, unbounded"),
    ]
    measures = (
        ("processor time", "processor_seconds", "CPU s"),
        ("clock", "seconds", "s"),
        ("peak memory", "memory_mb", "MB"),
    )
    for told, way, beside, name in compared:
        for measure, figure, unit in measures:
            ours, other = (statistics.median(run[figure] for run in found[one]) for one in (way, beside))
            told_figure = {
                "bench": "checks",
                "case": f"{told}: {measure}",
                "ours": round(ours, 3),
                "other": round(other, 3),
                "other_name": name,
                "ratio": round(other / ours, 3),
                "unit": unit,
                "runs": runs,
            }
            print(json.dumps(told_figure), flush=True)


def chosen_suites(*, with_history: bool) -> list[Suite]:
    """The suites of the tables, as a night evaluates them."""
    from expectations import custom

    settings = load_settings(Path(__file__).parents[1] / "examples" / "demo.yaml")
    found = [suite for layer, tables in TABLES.items() for suite in suites_of(layer, settings) if suite.table in tables]
    left_out = () if with_history else custom.OVER_HISTORY
    found = [replace(one, rules=tuple(rule for rule in one.rules if rule.expect not in left_out)) for one in found]
    return [suite for suite in found if suite.rules]


def suites(database: Path, memory: str | None = None, *, with_history: bool = True) -> dict[str, Any]:
    """All suites, with a limit for the engine's memory or without; imports are not measured."""
    from expectations.runner import run_suites

    chosen = chosen_suites(with_history=with_history)
    with tempfile.TemporaryDirectory() as project, opened(database, memory) as con:
        began = time.perf_counter(), time.process_time()
        results = run_suites(con, chosen, Path(project), as_of=NIGHT)
        return measured(*began) | judged({_named(one): one.is_passed for one in results})


def _named(result: CheckResult) -> str:
    return f"{Suite(result.layer, result.table, ()).relation} {result.name}"


def by_hand(database: Path, *, with_history: bool = True) -> dict[str, Any]:
    """One query a table with every condition on its rows and keys; the queries of other rules as they are."""
    chosen = chosen_suites(with_history=with_history)
    verdicts: dict[str, bool] = {}
    with opened(database) as con:
        began = time.perf_counter(), time.process_time()
        for suite in chosen:
            verdicts |= _pass_of(con, suite)
        return measured(*began) | judged(verdicts)


def _pass_of(con: duckdb.DuckDBPyConnection, suite: Suite) -> dict[str, bool]:
    from rules_in_sql import CONDITIONS, own_query

    simple = [rule for rule in suite.rules if str(rule.expect) in CONDITIONS]
    conditions = [CONDITIONS[str(rule.expect)](suite.relation, rule.of_night(NIGHT).arguments) for rule in simple]
    found: dict[str, bool] = {}
    if simple:
        [row] = con.execute(f"select {', '.join(conditions)} from {suite.relation}").fetchall()
        found = {rule.name: bool(kept) for rule, kept in zip(simple, row, strict=True)}
    for rule in suite.rules:
        if rule not in simple:
            query = (rule.rows_that_break or own_query(rule, NIGHT)).replace("{batch}", suite.relation)
            [(count,)] = con.execute(f"select count(*) from ({query})").fetchall()
            found[rule.name] = count == 0
    return {f"{suite.relation} {name}": kept for name, kept in found.items()}


def judged(verdicts: dict[str, bool]) -> dict[str, Any]:
    """How many rules were evaluated, and which are broken."""
    return {"rules": len(verdicts), "broken": sorted(name for name, kept in verdicts.items() if not kept)}


@contextmanager
def opened(database: Path, memory: str | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Both files of the build, as a night opens them."""
    config = {"memory_limit": memory} if memory else {}
    with duckdb.connect(str(database), config=config) as con:
        con.execute(f"attach '{database.with_name('scratch.duckdb')}' as scratch")
        yield con


def measured(wall: float, processor: float) -> dict[str, float]:
    """What has passed since, and the most memory that this process ever had."""
    return {
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


WAYS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "suites": suites,
    "by_hand": by_hand,
    "suites_of_rows": partial(suites, with_history=False),
    "by_hand_of_rows": partial(by_hand, with_history=False),
    "suites_of_little_memory": partial(suites, memory=LITTLE_MEMORY),
}


if __name__ == "__main__":
    main()
