"""What a night of churn costs on a large shop: lessons, back-test, ablation, everybody's chance with its reasons.

    python benchmarks/churn_night.py [--quick] [--customers N]

The shop is that of `clv_night.py` with visits, answers, contacts, points and messages drawn beside its orders. Allowed
are three minutes on two cores and 6 GB for a million customers; fewer are allowed the same share of the time. The
features of one evening are set against a bare scan: the same columns of the same tables read and aggregated by customer
without cut-offs, refunds, gaps or joins.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; the ratio is
allowed / ours, or bare / ours. --quick draws 50,000 customers.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Callable

import duckdb
from clv_night import AS_OF, SHOP

from dagster_project.modelling.churn import ChurnSettings
from dagster_project.modelling.leaving.ablation import ablation
from dagster_project.modelling.leaving.night import features_of, leaving_night, scored_customers
from dagster_project.modelling.value_night import Reading

ALLOWED_SECONDS_A_MILLION, ALLOWED_MEGABYTES = 180.0, 6_144.0
TALK = """
alter table marts.fct_orders add column promised_date date;
alter table marts.fct_orders add column days_late bigint;
update marts.fct_orders set promised_date = order_date + 5, days_late = (hash(order_key) % 5)::bigint - 2;
create table marts.fct_visits as
select order_key || '/' || n as visit_key, customer_key, order_date - (hash(order_key, n) % 40)::integer as visit_date,
    hash(order_key, n) % 7 = 0 as has_cart
from marts.fct_orders, range(2) as numbers (n);
create table marts.fct_feedback as
select order_key as feedback_key, customer_key, (hash(order_key, 1) % 5 * 25)::double as score_0_100,
    order_date + 7 as feedback_date, (order_date + 7)::timestamp as submitted_at
from marts.fct_orders where hash(order_key, 2) % 5 = 0;
create table marts.fct_support_contacts as
select order_key as contact_key, customer_key, order_date + 4 as opened_date,
    (order_date + 5)::timestamp as first_replied_at, (order_date + 6)::timestamp as first_resolved_at,
    (hash(order_key, 3) % 40)::double as first_reply_calendar_hours, (1 + hash(order_key, 4) % 5)::bigint as csat_score,
    hash(order_key, 5) % 3 = 0 as is_complaint
from marts.fct_orders where hash(order_key, 6) % 10 = 0;
create table marts.fct_points_ledger as
select order_key as point_event_key, customer_key, case when hash(order_key, 7) % 6 = 0 then 'redeem' else 'earn' end
        as event_kind, (hash(order_key, 8) % 200)::bigint as points, order_date as effective_date,
    order_date::timestamp as recorded_at, false as is_backdated
from marts.fct_orders where hash(customer_key) % 3 = 0;
create table marts.fct_mentions as
select order_key as mention_key, customer_key, order_date as mentioned_date, false as is_repost
from marts.fct_orders where hash(order_key, 9) % 50 = 0;
create table marts.fct_referrals as
select order_key as referral_key, customer_key as referrer_customer_key, order_date as invite_date
from marts.fct_orders where hash(order_key, 10) % 50 = 0;
create table marts.fct_campaign_messages as
select order_key as message_key, customer_key, order_date + 30 as sent_date, (order_date + 31)::timestamp as opened_at,
    cast(null as timestamp) as clicked_at, true as is_delivered
from marts.fct_orders where hash(order_key, 11) % 2 = 0;
"""
BARE = """
select count(*) from (
    select customer_key, count(*), min(order_date), max(order_date), sum(gross_amount), sum(count_units), max(channel),
        max(days_late)
    from marts.fct_orders group by 1
) as orders
left join (select customer_key, max(visit_date), count(*), count(*) filter (where has_cart) from marts.fct_visits
    group by 1) as visits using (customer_key)
left join (select customer_key, max(feedback_date), sum(score_0_100) from marts.fct_feedback group by 1) as feedback
    using (customer_key)
left join (select customer_key, max(opened_date), min(csat_score), max(first_reply_calendar_hours)
    from marts.fct_support_contacts group by 1) as contacts using (customer_key)
left join (select customer_key, sum(points), max(effective_date) from marts.fct_points_ledger group by 1) as points
    using (customer_key)
left join (select customer_key, count(*), count(opened_at) from marts.fct_campaign_messages group by 1) as messages
    using (customer_key)
left join (select customer_key, count(distinct product_kind) from marts.fct_order_lines
    inner join marts.fct_orders using (order_key) group by 1) as kinds using (customer_key)
"""


def main() -> None:
    """Draw the shop, work the night, print its cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--customers", type=int, default=1_000_000)
    arguments = parser.parse_args()
    customers = 50_000 if arguments.quick else arguments.customers
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
        con.execute("set threads = 2")
        con.execute("set memory_limit = '3GB'")
        con.execute(f"set temp_directory = '{folder}'")
        con.execute(SHOP.format(customers=customers))
        con.execute(TALK)
        reading, began, worked = Reading(con, AS_OF), time.perf_counter(), time.process_time()
        night = leaving_night(reading, ChurnSettings())
        chosen, chosen_cpu = time.perf_counter() - began, time.process_time() - worked
        ablation(night.record)
        compared, compared_cpu = time.perf_counter() - began, time.process_time() - worked
        count_scored = sum(len(rows) for rows, _ in scored_customers(reading, night))
        whole, whole_cpu = time.perf_counter() - began, time.process_time() - worked
        if count_scored != customers or night.model.purchase_fit.status != "fitted":
            raise SystemExit(f"{count_scored} of {customers} customers scored, {night.model.purchase_fit.status}")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        features = clocked(lambda: drained(features_of(reading, AS_OF, night.groups)))
        bare = clocked(lambda: con.execute(BARE).fetchall())
    allowed = ALLOWED_SECONDS_A_MILLION * customers / 1_000_000
    tell(customers, f"back-test and choice ({night.model.champion})", chosen, None, None, "s")
    tell(customers, "back-test and choice: processor time", chosen_cpu, None, None, "CPU s")
    tell(customers, "ablation", compared - chosen, None, None, "s")
    tell(customers, "ablation: processor time", compared_cpu - chosen_cpu, None, None, "CPU s")
    tell(customers, "everything, with everybody's chance and reasons", whole, allowed, "allowed", "s")
    tell(customers, "everything: processor time", whole_cpu, None, None, "CPU s")
    tell(customers, "peak memory, the drawn shop in memory with it", peak, ALLOWED_MEGABYTES, "allowed", "MB")
    tell(customers, "features of one evening", features, bare, "bare scan of the same columns", "CPU s")


def drained(relation: duckdb.DuckDBPyRelation) -> None:
    """Take every batch of a relation and keep none."""
    for _ in relation.to_arrow_reader(100_000):
        pass


def clocked(work: Callable[[], object]) -> float:
    """Processor seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


def tell(customers: int, name: str, ours: float, other: float | None, other_name: str | None, unit: str) -> None:
    """Print one figure."""
    figure = {
        "bench": "churn_night",
        "case": f"{customers:,} customers: {name}",
        "ours": round(ours, 1),
        "other": None if other is None else round(other, 1),
        "other_name": other_name,
        "ratio": None if other is None else round(other / ours, 2),
        "unit": unit,
        "runs": 1,
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
