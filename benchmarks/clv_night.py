"""What a night of value costs on a large shop: every candidate, the whole back-test, and everybody's score.

    python benchmarks/clv_night.py [--quick] [--customers N]

The shop is drawn inside DuckDB: exponential gaps, a uniform life, three years. Its marts have the columns that the
features read. Allowed are three minutes on two cores for a million customers; fewer are allowed the same share of them.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; the ratio is
allowed / ours. --quick draws 50,000 customers.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import time

import duckdb

from dagster_project.modelling.value_night import Reading, scored_customers, value_night
from dagster_project.modelling.value_settings import ValueSettings

ALLOWED_SECONDS_A_MILLION = 180.0
AS_OF = dt.date(2025, 9, 27)
HORIZON_DAYS = 365
SHOP = """
create schema marts;
select setseed(0.5);
create table marts.fct_orders as
with
customers as (
    select
        number,
        cast(random() * 900 as integer) as first_day,
        -ln(random() + 1e-12) * 0.01 as orders_a_day,
        30 + random() * 600 as days_of_life
    from range({customers}) as numbers (number)
),
orders as (
    select *, unnest(generate_series(0, least(40, cast(days_of_life * orders_a_day as integer)))) as repeat_number
    from customers
)
select
    cast(row_number() over () as varchar) as order_key,
    md5(cast(number as varchar)) as customer_key,
    cast(date '2023-01-01' + least(
        1000, first_day + case when repeat_number = 0 then 0 else cast(random() * days_of_life as integer) end
    ) as date) as order_date,
    cast(10 + random() * 90 as decimal(18, 4)) as gross_amount,
    cast(null as varchar) as exclusion_reason,
    'web' as channel,
    cast(1 as bigint) as count_units
from orders;
create table marts.fct_refunds (
    refund_key varchar, order_key varchar, refund_date date, refund_amount decimal(18, 4)
);
create table marts.fct_order_lines as
select order_key, 'kind ' || (hash(order_key) % 5) as product_kind from marts.fct_orders;
"""


def main() -> None:
    """Draw the shop, work the night, print its cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--customers", type=int, default=1_000_000)
    arguments = parser.parse_args()
    customers = 50_000 if arguments.quick else arguments.customers
    with duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute(SHOP.format(customers=customers))
        reading, began, worked = Reading(con, AS_OF), time.perf_counter(), time.process_time()
        night = value_night(reading, ValueSettings(horizon_days=HORIZON_DAYS))
        chosen, chosen_cpu = time.perf_counter() - began, time.process_time() - worked
        count_scored = sum(len(batch) for batch in scored_customers(reading, night.model))
    if count_scored != customers or night.model.status != "fitted":
        raise SystemExit(f"{count_scored} of {customers} customers were scored, status {night.model.status}")
    whole, whole_cpu = time.perf_counter() - began, time.process_time() - worked
    allowed = ALLOWED_SECONDS_A_MILLION * customers / 1_000_000
    tell(customers, f"back-test and choice ({night.model.champion})", chosen, None, "s")
    tell(customers, "back-test and choice: processor time", chosen_cpu, None, "CPU s")
    tell(customers, "back-test, choice and everybody's score", whole, allowed, "s")
    tell(customers, "back-test, choice and everybody's score: processor time", whole_cpu, None, "CPU s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    tell(customers, "peak memory, the drawn shop in memory with it", peak, None, "MB")


def tell(customers: int, name: str, ours: float, allowed: float | None, unit: str) -> None:
    """Print one figure."""
    figure = {
        "bench": "clv_night",
        "case": f"{customers:,} customers: {name}",
        "ours": round(ours, 1),
        "other": allowed,
        "other_name": None if allowed is None else "allowed",
        "ratio": None if allowed is None else round(allowed / ours, 2),
        "unit": unit,
        "runs": 1,
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
