"""What the metric layer costs on a large shop, beside one script written by hand that computes the same tables.

    python benchmarks/metric_layer.py [--quick] [--runs N] [--lines N] [--memory-limit SIZE]

The shop is drawn inside DuckDB: ten million order lines in the shape that every source is brought to, three years, some
800,000 customers, guests, refunds, cancelled orders and tests. Ours is the SQL that dbt compiled, from valued orders to
`loyalty_metrics`, one table after another as a night builds them. The other is `metric_layer_by_hand.sql`: orders,
lines, customers, customer-months with their state of the life cycle, cohorts, RFM, and the metrics of purchases over
all periods and segments with their intervals. What both have must be the same, row by row; ours computes also what
it says on standard error. Each runs in a process of its own, in turn; dbt and the drawing are outside the clock.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}: medians,
ratio = other / ours, so that larger is better; the aim is 0.67 or more, and 6 GB. --quick draws 500,000 lines.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

LINES, QUICK_LINES = 10_000_000, 500_000
SECRET = "benchmark"  # noqa: S105
ROOT = Path(__file__).resolve().parent.parent
BY_HAND = Path(__file__).with_name("metric_layer_by_hand.sql")
WANTED = (
    "fct_orders", "fct_order_lines", "fct_customers", "fct_customer_months", "cohort_retention", "rfm_segments",
    "loyalty_metrics",
)  # fmt: skip
DRAWN = ("int_orders_united", "int_order_lines_united", "int_refunds_united", "dim_products")
SLOWEST = 12

RAW = {
    "online_retail__invoice_lines": (
        "Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country", "_source",
        "_file", "_loaded_at timestamp", "_load_id", "_row_number bigint", "_is_deleted boolean",
    ),
    "unreadable_rows": ("source_name", "table_name", "file", "row_number bigint", "reason"),
    "forgotten_records": ("record_key",),
}  # fmt: skip

# Four orders hold ten lines. The power makes some customers buy much more often than others.
SHOP = """
create macro drawn(number, part) as hash(number * 32 + part) / 18446744073709551616.0;
create temp table drawn_orders as
with placed as (
    select
        number,
        cast(floor({orders} / 5 * power(drawn(number, 1), 1.3)) as bigint) as customer,
        drawn(number, 2) as moment
    from range({orders}) as numbers (number)
)
select
    number,
    case when drawn(number, 3) >= 0.05 then cast(customer as varchar) end as customer_id,
    date '2009-01-01' + cast(floor(drawn(customer, 4) * 1000) as integer)
    + cast(floor(moment * (1073 - floor(drawn(customer, 4) * 1000))) as integer) as order_date
from placed;
insert into scratch.intermediate.int_orders_united by name
select
    'shop' as source_name,
    cast(number as varchar) as order_id,
    customer_id,
    order_date + interval 8 hour + to_seconds(number % 40000) as ordered_at,
    case when drawn(number, 5) < 0.02 then 'cancelled' else 'delivered' end as order_status,
    'GBP' as currency_code,
    case when drawn(number, 6) < 0.15 then 1.5 else 0 end as discount_amount,
    3.9 as shipping_amount,
    ['web', 'app', 'store'][1 + number % 3] as channel,
    ['phone', 'desktop', 'tablet'][1 + cast(floor(drawn(number, 7) * 3) as bigint)] as device,
    ['GB', 'DE', 'FR', 'NL', 'IE', 'ES'][1 + cast(floor(drawn(number, 8) * 6) as bigint)] as country_code,
    drawn(number, 9) < 0.01 as is_test,
    'shop:' || number as order_key,
    order_date
from drawn_orders;
insert into scratch.intermediate.int_order_lines_united by name
with lines as (
    select number, unnest(range(1, 2 + number % 4)) as line_number from drawn_orders
),
chosen as (
    select
        number,
        line_number,
        cast(floor(drawn(number * 4 + line_number, 10) * 2000) as bigint) as product,
        1 + cast(floor(drawn(number * 4 + line_number, 11) * 3) as bigint) as quantity
    from lines
)
select
    'shop' as source_name,
    cast(number as varchar) as order_id,
    line_number,
    cast(product as varchar) as product_id,
    'product' as line_kind,
    quantity,
    cast(2.49 + product % 97 as decimal(18, 4)) as unit_price,
    cast(quantity * (2.49 + product % 97) as decimal(18, 4)) as line_amount,
    'shop:' || number as order_key,
    'shop:' || product as product_key
from chosen;
insert into scratch.intermediate.int_refunds_united by name
select
    'shop' as source_name,
    cast(number as varchar) as refund_id,
    cast(number as varchar) as order_id,
    order_date + interval 30 hour as refunded_at,
    2.4 as refund_amount,
    'GBP' as currency_code,
    'returned' as refund_reason,
    'shop:' || number as refund_key,
    'shop:' || number as order_key,
    order_date + 1 as refund_date
from drawn_orders
where drawn(number, 12) < 0.06 and order_date < date '2011-12-09';
insert into marts.dim_products by name
select
    'shop:' || product as product_key,
    'shop' as source_name,
    cast(product as varchar) as product_id,
    'kind ' || product % 8 as product_kind
from range(2000) as products (product);
"""


@dataclass(frozen=True)
class Model:
    """One compiled model: its table and its SQL."""

    name: str
    relation: str
    sql: str


def main() -> None:
    """Build the empty night, draw the shop, run the two in turn, compare what they made, print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--lines", type=int, default=LINES)
    parser.add_argument("--memory-limit", default="80%", help="of the engine, for both sides, as DuckDB takes it")
    parser.add_argument("--once", nargs=2, metavar=("WAY", "WORK"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, work = arguments.once
        with connected(Path(work), arguments.memory_limit) as con:
            print(json.dumps({"ours": ours, "by_hand": by_hand}[way](con, Path(work))))
        return
    lines, runs = (QUICK_LINES, 1) if arguments.quick else (arguments.lines, arguments.runs)
    found: dict[str, list[dict[str, Any]]] = {"ours": [], "by_hand": []}
    with tempfile.TemporaryDirectory() as folder:
        work = prepared(Path(folder), SHOP.format(orders=lines * 2 // 5), WANTED, DRAWN)
        for _ in range(runs):
            for way, figures in found.items():
                command = [sys.executable, __file__, "--once", way, str(work), "--memory-limit", arguments.memory_limit]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
                figures.append(json.loads(output.splitlines()[-1]))
        with connected(work) as con:
            compare(con)
    tell_slowest(found["ours"])
    report(f"{lines / 1e6:g} million order lines", found, runs)


def prepared(folder: Path, shop: str, wanted: Collection[str], drawn: Collection[str]) -> Path:
    """The two files of an empty night with a drawn shop in them, and beside them the models in the order to run.

    Args:
        folder: a folder of its own.
        shop: SQL that fills tables of the empty night.
        wanted: the models to run at last.
        drawn: those that the shop fills; what they are made of is not run.

    Raises:
        SystemExit: dbt did not build the empty night.
    """
    os.environ.setdefault("LOYALTY_DATA", str(folder))
    from dagster_project.assets.churn import CHURN_TABLES
    from dagster_project.assets.models import CUSTOMER_CLV
    from dagster_project.assets.voice import TABLES as VOICE_TABLES
    from dagster_project.dbt_runner import DbtRunner
    from dagster_project.replaced_tables import replace_table_in_batches
    from dagster_project.settings import load_settings

    settings = load_settings(ROOT / "examples" / "online_retail.yaml", home=folder)
    dbt = DbtRunner(settings)
    night = settings.night()
    dbt.warehouse.begin(night, {name: no_rows(columns) for name, columns in RAW.items()}, run="benchmark")
    with dbt.warehouse.connect() as con:
        for name, columns in {"customer_clv": CUSTOMER_CLV, **CHURN_TABLES, **VOICE_TABLES}.items():
            replace_table_in_batches(con, "models", name, [], columns)
    built = dbt.build("resource_type:model resource_type:seed !resource_type:test", night)
    broken = [result.message for result in built if not result.has_passed]
    if broken:
        raise SystemExit(f"the empty night was to be built: {broken[0]}")
    work = dbt.warehouse.path.parent
    models = [asdict(model) for model in in_order(dbt.manifest(), dbt.target, wanted, drawn)]
    (work / "models.json").write_text(json.dumps(models), encoding="utf-8")
    with connected(work) as con:
        con.execute(shop)
    return work


def no_rows(columns: tuple[str, ...]) -> str:
    """A SELECT of typed columns without a row; a column is text unless it says otherwise."""
    typed = ((column.rsplit(" ", 1) if re.search(" [a-z]+$", column) else (column, "varchar")) for column in columns)
    return "select " + ", ".join(f'cast(null as {kind}) as "{name}"' for name, kind in typed) + " where false"


def in_order(manifest: Mapping[str, Any], target: Path, wanted: Collection[str], drawn: Collection[str]) -> list[Model]:
    """The wanted models and what they are made of but the drawn tables, parents first."""
    nodes = {node["name"]: node for node in manifest["nodes"].values() if node["resource_type"] == "model"}
    found: dict[str, Model] = {}

    def visit(name: str) -> None:
        node = nodes.get(name)
        if node is None or name in found or name in drawn or node["schema"] in {"staging", "quality"}:
            return
        for parent in sorted(node["depends_on"]["nodes"]):
            visit(parent.rpartition(".")[2])
        if node["config"]["materialized"] != "table":  # identities, of which this shop tells nothing
            return
        path = target / "compiled" / "loyalty" / node["original_file_path"]
        relation = f"{node['database']}.{node['schema']}.{node['alias']}"
        found[name] = Model(name, relation, path.read_text(encoding="utf-8"))

    for name in wanted:
        visit(name)
    return list(found.values())


def connected(work: Path, memory_limit: str = "80%") -> duckdb.DuckDBPyConnection:
    """A connection to the two files, as a night has it."""
    from dagster_project.keyed_hashes import set_keys

    con = duckdb.connect(str(work / "warehouse.duckdb"), config={"memory_limit": memory_limit})
    con.execute(f"attach '{work / 'scratch.duckdb'}' as scratch")
    set_keys(con, SECRET)
    return con


def ours(con: duckdb.DuckDBPyConnection, work: Path) -> dict[str, Any]:
    """Every model in turn."""
    models = [Model(**model) for model in json.loads((work / "models.json").read_text(encoding="utf-8"))]
    return measured(con, {m.name: f"create or replace table {m.relation} as ({m.sql}\n)" for m in models})


def by_hand(con: duckdb.DuckDBPyConnection, work: Path) -> dict[str, Any]:
    """The script, into tables of its own."""
    con.execute("create schema if not exists by_hand")
    return measured(con, {"script": BY_HAND.read_text(encoding="utf-8")})


def measured(con: duckdb.DuckDBPyConnection, steps: Mapping[str, str]) -> dict[str, Any]:
    """What the SQL of the steps takes together and each, and the most memory that this process ever had."""
    began, worked, taken = time.perf_counter(), time.process_time(), {}
    for name, sql in steps.items():
        step_began, step_worked = time.perf_counter(), time.process_time()
        con.execute(sql)
        taken[name] = (time.process_time() - step_worked, time.perf_counter() - step_began)
    return {
        "seconds": time.perf_counter() - began,
        "processor_seconds": time.process_time() - worked,
        "memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "steps": taken,
    }


def compare(con: duckdb.DuckDBPyConnection) -> None:
    """Hold every table of the script against ours on all columns that it has.

    Raises:
        SystemExit: they differ; says in which table and by how many rows.
    """
    for table in WANTED:
        columns = [f"{name}" for name, *_ in con.execute(f"describe by_hand.{table}").fetchall()]
        kinds = dict(row[:2] for row in con.execute(f"describe marts.{table}").fetchall())
        chosen = ", ".join(
            # doubles are sums in another order; the last digits may differ
            f"printf('%.6e', {name})" if kinds[name] == "DOUBLE" else f"cast({name} as {kinds[name]})"
            for name in columns
        )
        metrics = f" where metric in (select metric from by_hand.{table})" if table == "loyalty_metrics" else ""
        sides = (f"select {chosen} from marts.{table}{metrics}", f"select {chosen} from by_hand.{table}")
        [mine, other] = [
            con.execute(f"select count(*), sum(hash(row_told)) from ({side}) as row_told").fetchall() for side in sides
        ]
        [(rows, _)] = mine
        if mine != other or not rows:
            missing = [f"select count(*) from ({a} except all {b})" for a, b in (sides, sides[::-1])]
            [(only_ours,), (only_by_hand,)] = (con.execute(query).fetchone() or () for query in missing)
            raise SystemExit(
                f"{table}: ours and the script were to be the same; of {rows:,} rows {only_ours:,} are only in ours, "
                f"and {only_by_hand:,} only in the script's"
            )
        print(f"{table}: {rows:,} rows, the same in {len(columns)} columns", file=sys.stderr)


def tell_slowest(runs: list[dict[str, Any]]) -> None:
    """A line for each model that takes longest, to standard error."""
    medians = {
        name: [statistics.median(run["steps"][name][part] for run in runs) for part in (0, 1)]
        for name in runs[0]["steps"]
    }
    for name, (worked, seconds) in sorted(medians.items(), key=lambda item: -item[1][0])[:SLOWEST]:
        print(f"{name}: {worked:.1f} CPU s, {seconds:.1f} s", file=sys.stderr)


def report(case: str, found: Mapping[str, list[dict[str, Any]]], runs: int) -> None:
    """Print the medians of all runs."""
    cases = {
        "seconds": (case, "s"),
        "processor_seconds": (f"{case}: processor time", "CPU s"),
        "memory_mb": (f"{case}: peak memory", "MB"),
    }
    for figure, (told, unit) in cases.items():
        mine, other = (statistics.median(run[figure] for run in found[way]) for way in ("ours", "by_hand"))
        told_figure = {
            "bench": "metric_layer",
            "case": told,
            "ours": round(mine, 2),
            "other": round(other, 2),
            "other_name": "one script by hand",
            "ratio": round(other / mine, 2),
            "unit": unit,
            "runs": runs,
        }
        print(json.dumps(told_figure), flush=True)


if __name__ == "__main__":
    main()
