"""Readers while a night is built: an open file stays what it was, a new open sees the new version, whole."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys

import dagster as dg
import pyarrow.parquet as pq
from corner_shop import NIGHT, CornerShop

from dagster_project.catalogue import own_tables
from dagster_project.nightly import run_night
from dagster_project.publishing.diff import compare_versions
from dagster_project.publishing.versions import list_versions

CONTENT = """
select (select count(*) from marts.fct_orders), (select max(order_date)::varchar from marts.fct_orders),
    (select sum(total_net)::varchar from marts.fct_customers), (select count(*) from quality.check_results)
"""
READER = """
import json, sys, threading, time, duckdb

def content(con):
    return con.execute(sys.argv[2]).fetchone()

told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
with duckdb.connect(sys.argv[1], read_only=True, config={"threads": 1}) as con:
    seen, queries = {content(con)}, 1
    print("open", flush=True)
    while not told.is_set():
        seen.add(content(con))
        queries += 1
        time.sleep(0.02)
with duckdb.connect(sys.argv[1], read_only=True) as con:
    print(json.dumps({"seen": sorted(seen), "queries": queries, "reopened": content(con)}))
"""


def test_a_reader_keeps_its_version_through_a_whole_night_and_sees_the_next_when_it_reopens(shop: CornerShop) -> None:
    shop.configure(lambda settings: settings.update(publishing={"parquet_copies": True}))
    before = shop.query(CONTENT)
    next_day = NIGHT + dt.timedelta(days=1)
    reader = [sys.executable, "-c", READER, str(shop.home / "published" / "loyalty.duckdb"), CONTENT]
    with subprocess.Popen(
        reader, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as at:
        assert at.stdout is not None
        try:
            assert at.stdout.readline() == "open\n"
            run_night(shop.settings(), next_day, instance=dg.DagsterInstance.ephemeral())
            out, err = at.communicate("reopen\n", timeout=60)
        finally:
            at.kill()
    assert at.returncode == 0, err
    found = json.loads(out)
    assert found["seen"] == [list(row) for row in before]
    assert found["queries"] > 20
    assert [tuple(found["reopened"])] == shop.query(CONTENT)
    assert found["reopened"][1] == str(next_day)
    assert found["seen"][0][1] == str(NIGHT)
    copies = sorted((shop.home / "published" / "parquet").glob("*/*.parquet"))
    assert {f"{path.parent.name}.{path.stem}" for path in copies} >= {"marts.fct_orders", "models.customer_clv"}
    [(rows,)] = shop.query("select count(*) from marts.fct_orders")
    assert pq.read_table(shop.home / "published" / "parquet" / "marts" / "fct_orders.parquet").num_rows == rows
    differing = {change.table for change in compare_versions(shop.home / "published", *versions_of(shop)).tables}
    assert {"marts.fct_orders", "marts.fct_customers"} <= differing


def versions_of(shop: CornerShop) -> list[str]:
    return [manifest.version for manifest in list_versions(shop.home / "published")]


def test_every_table_and_column_that_readers_get_says_what_it_holds(published_shop: CornerShop) -> None:
    silent = """
        select schema_name || '.' || table_name from duckdb_tables() where coalesce(comment, '') = ''
        union all
        select schema_name || '.' || table_name || '.' || column_name from duckdb_columns()
        where not internal and coalesce(comment, '') = ''
        order by all
    """
    assert published_shop.query(silent) == []
    [(columns,)] = published_shop.query("select count(*) from duckdb_columns() where comment is not null")
    assert columns > 500


def test_the_columns_of_tables_that_python_writes_are_those_described_in_their_order(
    published_shop: CornerShop,
) -> None:
    described = {key: list(node["columns"]) for key, node in own_tables().items()}
    found = published_shop.query("""
        select schema_name, table_name, list(column_name order by column_index) from duckdb_columns()
        where not internal
        group by schema_name, table_name
    """)
    written = {(schema, table): columns for schema, table, columns in found if (schema, table) in described}
    assert written == described
