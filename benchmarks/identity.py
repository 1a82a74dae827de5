"""What it costs to know who is one customer, and to hash identifiers at the door.

    python benchmarks/identity.py [--quick] [--runs N]

Ten million identifiers of some four million accounts and guests' orders, drawn inside DuckDB, families and second
accounts among them; --quick draws 200,000. Ours is all models of identity, built by dbt from staged contacts to the
customer of each record, under one set of rules, and under all that the sensitivity table compares. The other is one
bare hash join of the same identifiers with the list of distinct ones, the least that any resolver must do. Merges are
suggested for a tenth as many, beside resolving them (extra `[matching]`). At the door, ours is sealing a Parquet file
of contacts in clear, the other copying it. Prints one JSON line per figure:
{"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}: medians, ratio = other / ours, so that larger
is better.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dagster_project.dbt_runner import DbtRunner

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
IDENTIFIERS, QUICK_IDENTIFIERS = 10_000_000, 200_000
IDENTIFIERS_PER_PERSON = 3.35  # of the people drawn below
DOOR_ROWS, QUICK_DOOR_ROWS = 1_000_000, 50_000
NIGHT = dt.date(2025, 12, 31)
MODELS = (
    "int_identity_records int_identity_evidence int_identity_links int_identity_components int_identity_groups "
    "int_customer_identities"
)
PEOPLE = """
    select
        person,
        'm' || case when person % 25 = 1 then person - 1 else person end as mailbox,
        case when person % 4 <> 0 then 'p' || case when person % 25 = 1 then person - 1 else person end end as phone,
        'n' || hash(person) % 500000 as full_name,
        case when person % 2 = 0 then 'b' || hash(person + 1) % 20000 end as birthday,
        case when person % 3 = 0 then 'c' || person end as loyalty_card,
        case when person % 4 = 1 then 'h' || person end as social_handle
    from (select range as person from range({people}))
"""
CONTACTS = """
    with people as ({people})
    select
        'demo' as source_name, 'a' || person || '-' || number as customer_id, null::varchar as order_id,
        timestamp '2025-01-01' as known_at, md5(mailbox) as mailbox, md5(mailbox) as email, md5(phone) as phone,
        case when number = 0 then md5(loyalty_card) end as loyalty_card, md5(social_handle) as social_handle,
        md5(full_name) as full_name, md5(birthday) as birthday, null::boolean as has_marketing_consent,
        null::varchar as preferred_channel, null::varchar as preferred_kind
    from people, range(2) as accounts (number) where number = 0 or person % 7 = 0
    union all
    select
        'demo', null, 'o' || person || '-' || number, timestamp '2025-02-01', md5(mailbox), md5(mailbox),
        case when number % 2 = 0 then md5(phone) end, null, null, null, null, null, null, null
    from people, range(1, 4) as orders (number) where person % 10 < number
"""


def main() -> None:
    """Measure both, each run in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--once", nargs=2, metavar=("CASE", "SIZE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(CASES[arguments.once[0]](int(arguments.once[1]))))
        return
    runs = 1 if arguments.quick else arguments.runs
    identifiers = QUICK_IDENTIFIERS if arguments.quick else IDENTIFIERS
    rows = QUICK_DOOR_ROWS if arguments.quick else DOOR_ROWS
    for case, size in (
        ("one set of rules", identifiers),
        ("all sets of rules", identifiers),
        ("suggested merges", identifiers // 10),
        ("door", rows),
    ):
        command = [sys.executable, __file__, "--once", case, str(size)]
        found = [
            json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
            for _ in range(runs)
        ]
        for figure in found[0]:
            ours, other = (statistics.median(run[figure][side] for run in found) for side in ("ours", "other"))
            print(
                json.dumps(
                    {
                        "bench": "identity",
                        "case": f"{case}: {figure}",
                        "ours": round(ours, 2),
                        "other": round(other, 2),
                        "other_name": found[0][figure]["other_name"],
                        "ratio": round(other / ours, 3) if ours else None,
                        "unit": found[0][figure]["unit"],
                        "runs": runs,
                    }
                ),
                flush=True,
            )


def resolved(identifiers: int, *, compares_rules: bool) -> dict[str, dict[str, object]]:
    """Seconds of the models of identity beside a hash join of the same identifiers, and what they found."""
    with tempfile.TemporaryDirectory() as folder:
        dbt, seconds = built(Path(folder), identifiers, compares_rules=compares_rules)
        with dbt.warehouse.connect() as con:
            columns = ("loyalty_card", "mailbox", "phone", "social_handle")
            parts = (
                f"select record_number, '{name}' as rule, {name} as identifier "
                f"from scratch.intermediate.int_identity_records where {name} is not null"
                for name in columns
            )
            con.execute(f"create temp table told as {' union all '.join(parts)}")
            con.execute("create temp table distinct_ones as select distinct rule, identifier from told")
            bare = clocked(
                lambda: con.execute(
                    "create temp table joined as select told.record_number, distinct_ones.identifier "
                    "from told join distinct_ones using (rule, identifier)"
                )
            )
            [(count, records, customers)] = con.execute(
                "select (select count(*) from told), count(*), count(distinct customer_key) "
                "from scratch.intermediate.int_customer_identities"
            ).fetchall()
    case = f"{count:,} identifiers, {records:,} records, {customers:,} customers"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        case: {"ours": seconds, "other": bare, "other_name": "bare hash join", "unit": "s"},
        "peak memory": {"ours": peak, "other": 0.0, "other_name": "", "unit": "MB"},
    }


def built(folder: Path, identifiers: int, **identity: bool) -> tuple[DbtRunner, float]:
    """A build of the models of identity from staged contacts, and the seconds of these models."""
    from dagster_project.dbt_runner import DbtRunner
    from dagster_project.settings import load_settings

    settings = load_settings(
        ROOT / "examples" / "demo.yaml",
        home=folder,
        definitions={"identity": identity},
        engine={"memory_limit": "6GB"},
    )
    dbt = DbtRunner(settings)
    dbt.warehouse.begin(NIGHT, {"forgotten_records": "select null::varchar as record_key where false"}, "benchmark")
    people = PEOPLE.format(people=int(identifiers / IDENTIFIERS_PER_PERSON))
    with dbt.warehouse.connect() as con:
        con.execute(f"create table scratch.staging.stg_demo__contacts as {CONTACTS.format(people=people)}")
        con.execute(
            "create table scratch.staging.stg_demo__customers as select source_name, customer_id, known_at as "
            "created_at, null as country_code, null as acquisition_channel, null as customer_type "
            "from scratch.staging.stg_demo__contacts where customer_id is not null"
        )
        con.execute(
            "create table scratch.intermediate.int_orders_united as select source_name, order_id, null::varchar as "
            "customer_id, known_at as ordered_at from scratch.staging.stg_demo__contacts where order_id is not null"
        )
    results = dbt.build(f"{MODELS} !resource_type:test", NIGHT)
    failed = [result.message for result in results if not result.has_passed]
    if failed:
        raise SystemExit(failed[0])
    return dbt, sum(result.seconds for result in results)


def suggested(identifiers: int) -> dict[str, dict[str, object]]:
    """Seconds of suggesting merges, from hashes alone, beside the models that resolved the same records."""
    from dagster_project.matching.suggestions import write_suggested_merges

    with tempfile.TemporaryDirectory() as folder:
        dbt, resolving = built(Path(folder), identifiers, compares_rules=False, suggests_merges=True)
        with dbt.warehouse.connect() as con:
            con.execute(
                "create table marts.dim_customers as select distinct customer_key "
                "from scratch.intermediate.int_customer_identities"
            )
            con.execute(
                "create table marts.fct_customers as select customer_key, 0 as count_orders, null::date as "
                "first_order_date, null::date as last_order_date from marts.dim_customers"
            )
            seconds = clocked(lambda: write_suggested_merges(con, dbt.settings))
            [(records, pairs)] = con.execute(
                "select count(*), (select count(*) from quality.suggested_merges) "
                "from scratch.intermediate.int_customer_identities"
            ).fetchall()
    case = f"{records:,} records, {pairs:,} pairs"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        case: {"ours": seconds, "other": resolving, "other_name": "resolving them by rules", "unit": "s"},
        "peak memory": {"ours": peak, "other": 0.0, "other_name": "", "unit": "MB"},
    }


def sealed(rows: int) -> dict[str, dict[str, object]]:
    """Seconds of sealing a file of contacts beside copying it."""
    import duckdb

    from dagster_project.sources.identifiers import Spelling
    from dagster_project.sources.protection import Protection
    from dagster_project.sources.sealing import Sealer

    with tempfile.TemporaryDirectory() as folder:
        clear, done, copied = Path(folder) / "clear", Path(folder) / "done", Path(folder) / "copied.parquet"
        for path in (clear, done):
            path.mkdir()
        with duckdb.connect() as con:
            con.execute(
                "copy (select 'c' || range as customer_id, 'Anna.Albers' || range || '+shop@Mail.Example' as email, "
                "'(01512) ' || (1000000 + range) as phone, 'Anna Albers' || range % 90000 as full_name, "
                f"'note ' || range as note from range({rows})) to '{clear / 'load.parquet'}' (format parquet)"
            )
            bare = clocked(
                lambda: con.execute(f"copy (from '{clear / 'load.parquet'}') to '{copied}' (format parquet)")
            )
        protection = Protection(
            home=Path(folder),
            identifiers=(("email", "email"), ("phone", "phone"), ("full_name", "name")),
            identifies=("account", "customer_id"),
            spelling=Spelling(calling_code="49"),
        )
        sealer = Sealer(protection, "shop", Path(folder))
        ours = clocked(lambda: sealer.seal_load("load", clear, done)) + clocked(sealer.keep_originals)
    case = f"{rows:,} rows of three identifiers, originals kept"
    return {case: {"ours": ours, "other": bare, "other_name": "copying the Parquet", "unit": "s"}}


def clocked(work: Callable[[], object]) -> float:
    """Seconds that a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


CASES: dict[str, Callable[[int], dict[str, dict[str, object]]]] = {
    "one set of rules": lambda size: resolved(size, compares_rules=False),
    "all sets of rules": lambda size: resolved(size, compares_rules=True),
    "suggested merges": suggested,
    "door": sealed,
}

if __name__ == "__main__":
    main()
