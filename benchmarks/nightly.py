"""What a night costs, layer by layer, beside the bare work: the same landing, SQL and fits with nothing around them.

    python benchmarks/nightly.py [--quick] [--runs N]

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}. Times are
medians over the runs, ours and the bare work in turn; the ratio is other / ours, so that larger is better. The two real
shops need LOYALTY_DATA and are left out, saying so, where it is absent. --quick runs the built-in shop once.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CASES = {"demo": None, "olist": "2018-08-31", "online_retail": None}
LAYERS = {
    "raw": ("landing source files",),
    "staging to marts": ("staging, intermediate, marts", "customer 360"),
    "models": ("back-test and customer value", "churn"),
    "checks": ("checking raw tables", "checking marts", "checking models", "checking customer 360"),
    "publish": ("audit and publish",),
    "report": ("report",),
}
STEP_LINE = re.compile(r"^  (.+?) +finished +([\d.]+) s$", re.MULTILINE)
OVERHEADS = {
    "python and dagster imports": "import dagster, dagster_dbt",
    "dbt import": "import dbt.cli.main",
    "great expectations import": "import expectations.runner",
}


def main() -> None:
    """Run the cases and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--bare", nargs=2, metavar=("CONFIG", "HOME"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.bare:
        print(json.dumps(bare_night(Path(arguments.bare[0]), Path(arguments.bare[1]))))
        return
    runs = 1 if arguments.quick else arguments.runs
    for case, as_of in CASES.items():
        if case != "demo" and (arguments.quick or not os.environ.get("LOYALTY_DATA")):
            if not arguments.quick:
                print(f"{case}: left out, LOYALTY_DATA is not set", file=sys.stderr)
            continue
        measure(case, as_of, runs)


def measure(case: str, as_of: str | None, runs: int) -> None:
    """One shop: whole nights and the bare work in turn, each from an empty home."""
    nights: list[dict[str, Any]] = []
    bares: list[dict[str, Any]] = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder) / "home"
            nights.append(whole_night(case, as_of, home))
            bares.append(alone(case, as_of, home))
    ours = median(nights, "wall")
    bare = median(bares, "total")
    tell(case, ours, bare, "bare SQL and fits", "s", runs)
    tell(f"{case}: allowed (3 x bare + 15 s)", ours, 3 * bare + 15, "aim", "s", runs)
    tell(f"{case}: peak memory", median(nights, "memory_mb"), median(bares, "memory_mb"), "bare work", "MB", runs)
    for layer in LAYERS:
        tell(f"{case}: {layer}", median(nights, layer), median(bares, layer), "bare work", "s", runs)
    steps = statistics.median(night["wall"] - night["outside steps"] for night in nights)
    tell(f"{case}: outside the steps", ours - steps, None, None, "s", runs)
    if case == "demo":
        overheads(runs)


def overheads(runs: int) -> None:
    """What starting the frameworks costs by itself, each in a new process, less the imports before it."""
    before = "pass"
    for name, statement in OVERHEADS.items():
        with_it = [seconds_of(f"{before}; {statement}") - seconds_of(before) for _ in range(max(runs, 2))]
        tell(f"overhead: {name}", statistics.median(with_it), None, None, "s", len(with_it))
        before = f"{before}; {statement}"
    parse = "from dagster_project.dbt_runner import DbtRunner; from dagster_project.settings import load_settings"
    code = f"{parse}; DbtRunner(load_settings('{ROOT / 'examples' / 'demo.yaml'}', home='HOME')).manifest()"
    with tempfile.TemporaryDirectory() as folder:
        first = seconds_of(code.replace("HOME", folder)) - seconds_of(f"import dbt.cli.main; {parse}")
    tell("overhead: first dbt parse", first, None, None, "s", 1)


def whole_night(case: str, as_of: str | None, home: Path) -> dict[str, Any]:
    """`loyalty run` in a process of its own: seconds, peak memory, seconds of each layer."""
    command = [str(Path(sys.executable).parent / "loyalty"), "run", "--config", str(ROOT / "examples" / f"{case}.yaml")]
    command += ["--as-of", as_of] if as_of else []
    output, wall, memory = timed(command, home)
    steps = {name.strip(): float(seconds) for name, seconds in STEP_LINE.findall(output)}
    layers = {layer: sum(steps[name] for name in names) for layer, names in LAYERS.items()}
    return {"wall": wall, "memory_mb": memory, "outside steps": wall - sum(steps.values())} | layers


def alone(case: str, as_of: str | None, home: Path) -> dict[str, Any]:
    """The bare work in a process of its own, from what the night's dbt has compiled."""
    config = home / "bare.yaml"
    shutil.copyfile(ROOT / "examples" / f"{case}.yaml", config)
    command = [sys.executable, __file__, "--bare", str(config), str(home)]
    output, _, memory = timed(command, home, LOYALTY_AS_OF=as_of)
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found | {"memory_mb": memory}


def bare_night(config: Path, home: Path) -> dict[str, float]:
    """Seconds of the same landing, SQL and fits with nothing around them; what has no bare form is left at zero."""
    import datetime as dt

    import duckdb
    import pandas as pd

    from dagster_project.assets.models import churn_settings, value_settings
    from dagster_project.keyed_hashes import set_keys
    from dagster_project.modelling.churn import customer_churn
    from dagster_project.modelling.purchase_history import purchase_history
    from dagster_project.modelling.value_night import Reading, scored_customers, value_night
    from dagster_project.settings import load_settings
    from dagster_project.sources.configured import source_tables
    from dagster_project.sources.forgotten import forgotten_select_sql
    from dagster_project.sources.landing import land, raw_select_sql, rejects_select_sql

    settings = load_settings(config)
    as_of, tables, landing = settings.night(), source_tables(settings), home / "bare_landing"
    manifest = json.loads((home / "dbt" / "manifest.json").read_text(encoding="utf-8"))
    con = duckdb.connect(str(home / "bare_warehouse.duckdb"))
    con.execute(f"attach '{home / 'bare_scratch.duckdb'}' as scratch; attach ':memory:' as warehouse")

    def land_all() -> None:
        for table in tables:
            land(table, landing, dt.datetime.now(dt.UTC))
        for schema in ("raw", "staging", "quarantine", "intermediate"):
            con.execute(f"create schema scratch.{schema}")
        for schema in ("marts", "models", "quality"):
            con.execute(f"create schema warehouse.{schema}")
        for table in tables:
            con.execute(f"create view scratch.raw.{table.view_name} as {raw_select_sql(table, landing)}")
        con.execute(
            'create view scratch.raw.unreadable_rows as select source as source_name, "table" as table_name, file, '
            f"row_number, reason from ({rejects_select_sql(tables, landing)})"
        )

        con.execute(f"create view scratch.raw.forgotten_records as {forgotten_select_sql(home)}")

    def build(after_models: bool) -> None:
        for node in in_order(manifest):
            if ("after_models" in node["tags"]) == after_models:
                build_node(con, node, home)

    def fit() -> None:
        con.execute("use warehouse")
        counts_zero = settings.definitions.counts_zero_value_orders
        reading = Reading(con, as_of, counts_zero)
        night = value_night(reading, value_settings(settings), settings.definitions.churn_horizon_days)
        value = pd.concat(scored_customers(reading, night.model), ignore_index=True)
        history = purchase_history(con, as_of, counts_zero_value_orders=counts_zero)
        churn = customer_churn(history, as_of, churn_settings(settings))
        for name, frame in (("customer_clv", value), ("customer_churn", churn.customers), ("scores", night.scores)):
            con.register("frame", frame)
            con.execute(f"create table warehouse.models.{name} as select * from frame")
            con.unregister("frame")

    seconds = dict.fromkeys(LAYERS, 0.0)
    seconds["raw"] = clocked(land_all)
    set_keys(con, "benchmark")  # the padded keys that the customer hashes need
    seconds["staging to marts"] = clocked(lambda: build(after_models=False))
    seconds["models"] = clocked(fit)
    seconds["staging to marts"] += clocked(lambda: build(after_models=True))
    return seconds | {"total": sum(seconds.values())}


def build_node(con: Any, node: dict[str, Any], home: Path) -> None:
    """Build one dbt node from its compiled SQL, as its materialisation would."""
    relation = f"{node['database']}.{node['schema']}.{node['alias']}"
    if node["resource_type"] == "seed":
        con.execute(f"create table {relation} as from read_csv('{ROOT / 'dbt_models' / node['original_file_path']}')")
        return
    sql = (home / "dbt" / "compiled" / "loyalty" / node["original_file_path"]).read_text(encoding="utf-8")
    kind = node["config"]["materialized"]
    if kind == "components":
        con.execute(
            f"create table {relation} as with recursive edges as ({sql}), "
            "neighbours as (select node, other_node from edges union select other_node, node from edges), "
            "reached (node, other) as (select node, node from neighbours "
            "union select neighbours.other_node, reached.other from reached join neighbours using (node)) "
            "select node, min(other) as component from reached group by node"
        )
        return
    if kind != "staged":
        con.execute(f"create {kind} {relation} as ({sql}\n)")
        return
    con.execute(f"create table {relation}__judged as ({sql}\n)")
    con.execute(f"create view {relation} as select * from {relation}__judged where reasons = '' and is_seen")
    con.execute(
        f"create view {node['database']}.quarantine.{node['alias']} as "
        f"select * from {relation}__judged where reasons <> '' and is_seen"
    )


def in_order(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """Seeds and models, parents first."""
    nodes = {key: node for key, node in manifest["nodes"].items() if node["resource_type"] in {"model", "seed"}}
    done: dict[str, dict[str, Any]] = {}

    def visit(key: str) -> None:
        if key in done or key not in nodes:
            return
        for parent in sorted(nodes[key].get("depends_on", {}).get("nodes", ())):
            visit(parent)
        done[key] = nodes[key]

    for key in sorted(nodes):
        visit(key)
    return list(done.values())


def timed(command: list[str], home: Path, **variables: str | None) -> tuple[str, float, float]:
    """Standard output, seconds, and peak memory in MB of a command; a failure ends the benchmark with its stderr."""
    given = {"LOYALTY_HOME": str(home)} | {name: text for name, text in variables.items() if text}
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=os.environ | given)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed: {err.read()[-2000:]}")
        return out.read(), wall, usage.ru_maxrss / 1024


def seconds_of(code: str) -> float:
    """Seconds that a new interpreter takes for a statement."""
    return clocked(lambda: subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT))


def clocked(work: Callable[[], object]) -> float:
    """Seconds that a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def median(rows: list[dict[str, Any]], key: str) -> float:
    """The median of one figure over the runs."""
    return statistics.median(row[key] for row in rows)


def tell(case: str, ours: float, other: float | None, other_name: str | None, unit: str, runs: int) -> None:
    """Print one figure."""
    figure = {
        "bench": "nightly",
        "case": case,
        "ours": round(ours, 3),
        "other": None if other is None else round(other, 3),
        "other_name": other_name,
        "ratio": None if not other or not ours else round(other / ours, 3),
        "unit": unit,
        "runs": runs,
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
