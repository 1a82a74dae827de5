"""What one dbt stage costs through dbt's own runner in this process and through dagster-dbt's command-line resource.

    python benchmarks/dbt_invocation.py [--quick] [--runs N]

Both build the first stage of the built-in shop's night, each in a process of its own, frameworks imported and project
parsed before the clock starts. Prints one JSON line with the medians: the ratio is other / ours.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIRST_STAGE = "fqn:* !tag:after_models"


def main() -> None:
    """Run the two in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--once", nargs=2, metavar=("WAY", "HOME"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, home = arguments.once
        print(seconds_of_runner(Path(home)) if way == "runner" else seconds_of_resource(Path(home)))
        return
    runs = 1 if arguments.quick else arguments.runs
    seconds: dict[str, list[float]] = {"runner": [], "resource": []}
    with tempfile.TemporaryDirectory() as home:
        for _ in range(runs):
            for way, found in seconds.items():
                command = [sys.executable, __file__, "--once", way, home]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                found.append(float(output.splitlines()[-1]))
    ours, other = statistics.median(seconds["runner"]), statistics.median(seconds["resource"])
    figure = {
        "bench": "dbt_invocation",
        "case": "first stage of demo",
        "ours": round(ours, 3),
        "other": round(other, 3),
        "other_name": "DbtCliResource",
        "ratio": round(other / ours, 3),
        "unit": "s",
        "runs": runs,
    }
    print(json.dumps(figure))


def prepared(home: Path) -> tuple[Any, dt.date]:
    """The dbt runner of a home with a fresh build and a parsed project."""
    from dagster_project.dbt_runner import DbtRunner
    from dagster_project.settings import load_settings
    from dagster_project.sources.configured import connectors
    from dagster_project.sources.landing import raw_select_sql, rejects_select_sql

    settings = load_settings(ROOT / "examples" / "demo.yaml", home=home)
    [demo], landing = connectors(settings).values(), home / "landing"
    tables = demo.tables
    for table in tables:
        demo.land(table, landing, dt.datetime.now(dt.UTC))
    views = {table.view_name: raw_select_sql(table, landing) for table in tables}
    views["unreadable_rows"] = (
        'select source as source_name, "table" as table_name, file, row_number, reason '
        f"from ({rejects_select_sql(tables, landing)})"
    )
    runner = DbtRunner(settings)
    runner.warehouse.begin(settings.night(), views, "benchmark")
    runner.manifest()
    return runner, settings.night()


def seconds_of_runner(home: Path) -> float:
    """The stage as a night runs it."""
    import dbt.cli.main  # noqa: F401 - an import is not what is measured

    runner, as_of = prepared(home)
    began = time.perf_counter()
    runner.build(FIRST_STAGE, as_of)
    return time.perf_counter() - began


def seconds_of_resource(home: Path) -> float:
    """The same stage through dagster-dbt's resource, its events read as an asset would read them."""
    from dagster_dbt import DbtCliResource

    from dagster_project.shop_project import DBT_PROJECT

    runner, as_of = prepared(home)
    with runner.environment():
        os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        resource = DbtCliResource(project_dir=str(DBT_PROJECT), profiles_dir=str(DBT_PROJECT))
        arguments = runner.build_arguments(FIRST_STAGE, as_of)
        began = time.perf_counter()
        invocation = resource.cli(arguments, target_path=home / "dbt_resource")
        for _ in invocation.stream_raw_events():
            pass
        if not invocation.is_successful():
            raise SystemExit("the stage failed under DbtCliResource")
        return time.perf_counter() - began


if __name__ == "__main__":
    main()
