"""What it costs to set what happened to customers against others who were alike, on a large shop.

    python benchmarks/matched_states.py [--quick] [--customers N] [--memory-limit SIZE]

The shop is drawn inside DuckDB: a million customers of three years with four purchase occasions, 2.6 answers and half a
request for help each, 40 % of them members. Ours is the SQL that dbt compiled, from paced occasions to
`feedback_behaviour`, `bad_contact_behaviour` and `programme_effect`, one table after another as a night builds them,
under a limit of the engine's memory. Allowed are 6 GB whatever the number of customers.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; the ratio is
allowed / ours. Rows and time of each table go to standard error. --quick draws 50,000 customers.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from metric_layer import connected, ours, prepared

CUSTOMERS, QUICK_CUSTOMERS, ALLOWED_MEGABYTES = 1_000_000, 50_000, 6_144.0
WANTED = ("feedback_behaviour", "bad_contact_behaviour", "programme_effect")
DRAWN = (
    "int_customer_occasions", "int_answer_sheets", "int_feeds_present", "fct_support_contacts", "fct_points_ledger",
    "fct_tier_changes", "fct_referrals", "fct_costs",
)  # fmt: skip
SHOP = """
create macro drawn(number, part) as hash(number * 32 + part) / 18446744073709551616.0;
create temp table drawn_customers as
select
    number,
    'c' || number as customer_key,
    date '2008-12-09' + cast(floor(drawn(number, 1) * 1000) as integer) as first_date,
    1 + cast(floor(-3.5 * ln(1 - drawn(number, 2))) as bigint) as count_days
from range({customers}) as numbers (number);
create temp table drawn_days as
with placed as (
    select distinct
        number,
        customer_key,
        first_date + cast(floor(
            case when day_number = 0 then 0 else drawn(number * 64 + day_number, 3) end
            * (date '2011-12-09' - first_date)
        ) as integer) as order_date
    from drawn_customers, unnest(range(least(count_days, 40))) as days (day_number)
)
select *, row_number() over (partition by number order by order_date) as occasion_number from placed;
insert into scratch.intermediate.int_customer_occasions by name
select
    customer_key,
    order_date,
    occasion_number,
    lag(order_date) over own as previous_order_date,
    lead(order_date) over own as next_order_date,
    1 as count_orders,
    cast(5 + 90 * drawn(number * 64 + occasion_number, 4) as decimal(18, 4)) as total_net
from drawn_days
window own as (partition by number order by order_date);
insert into scratch.intermediate.int_answer_sheets by name
select
    'a' || number || ':' || occasion_number || instrument as sheet_key,
    instrument,
    customer_key,
    order_date + 5 as feedback_date,
    case when instrument = 'nps_transactional'
        then ['promoter', 'promoter', 'passive', 'detractor'][1 + (hash(number, occasion_number) % 4)::integer]
        else ['satisfied', 'satisfied', 'neutral', 'dissatisfied'][1 + (hash(number, occasion_number, 1) % 4)::integer]
    end as band
from drawn_days, unnest(['nps_transactional', 'csat', 'review']) as instruments (instrument)
where drawn(number * 64 + occasion_number, case instrument when 'csat' then 5 when 'review' then 6 else 7 end) < 0.22;
insert into marts.fct_support_contacts by name
select
    'k' || number || ':' || occasion_number as contact_key,
    customer_key,
    order_date + 3 as opened_date,
    (order_date + 3)::timestamp as opened_at,
    drawn(number * 64 + occasion_number, 9) < 0.5 as is_bad_contact
from drawn_days where drawn(number * 64 + occasion_number, 8) < 0.12;
insert into marts.fct_points_ledger by name
select
    'p' || number as point_event_key,
    customer_key,
    first_date + cast(floor(drawn(number, 10) * (date '2011-12-09' - first_date)) as integer) as effective_date
from drawn_customers where drawn(number, 11) < 0.4;
insert into marts.fct_referrals by name
select
    'r' || number || ':' || occasion_number as referral_key,
    customer_key as referrer_customer_key,
    order_date as invite_date,
    false as is_self_referral
from drawn_days where drawn(number * 64 + occasion_number, 12) < 0.03;
insert into scratch.intermediate.int_feeds_present values ('referrals');
"""


def main() -> None:
    """Draw the shop, work the models, print their cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--memory-limit", default="5GB", help="of the engine, as DuckDB takes it")
    arguments = parser.parse_args()
    customers = QUICK_CUSTOMERS if arguments.quick else arguments.customers
    with tempfile.TemporaryDirectory() as folder:
        work = prepared(Path(folder), SHOP.format(customers=customers), WANTED, DRAWN)
        with connected(work, arguments.memory_limit) as con:
            figures = ours(con, work)
            for name, (worked, seconds) in figures["steps"].items():
                schema = "scratch.intermediate" if name.startswith("int_") else "marts"
                [(rows,)] = con.execute(f"select count(*) from {schema}.{name}").fetchall()
                print(f"{name}: {rows:,} rows, {worked:.1f} CPU s, {seconds:.1f} s", file=sys.stderr)
    case = f"{customers:,} customers"
    told(case, figures["seconds"], None, "s")
    told(f"{case}: processor time", figures["processor_seconds"], None, "CPU s")
    told(f"{case}: peak memory", figures["memory_mb"], ALLOWED_MEGABYTES, "MB")


def told(case: str, ours: float, allowed: float | None, unit: str) -> None:
    """Print one figure."""
    figure = {
        "bench": "matched_states",
        "case": case,
        "ours": round(ours, 2),
        "other": allowed,
        "other_name": "allowed" if allowed else None,
        "ratio": round(allowed / ours, 2) if allowed else None,
        "unit": unit,
        "runs": 1,
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
