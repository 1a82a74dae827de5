"""From a key that a check told back to its rows, on a published night; and that told keys are what they are told as."""

from __future__ import annotations

import hmac
import re
from typing import Any

import duckdb
from corner_shop import CornerShop

from dagster_project.finding import TableRows, find_rows
from dagster_project.publishing.versions import current_database
from dagster_project.warehouse import Warehouse
from expectations.samples import HASHED_KEYS, HASHED_LAYERS

KEY = "a key for tests only"  # as conftest sets it


def hashed(text: str) -> str:
    return hmac.new(KEY.encode(), text.encode(), "sha256").hexdigest()[:32]


def test_a_line_a_customer_and_an_event_lead_to_their_landed_rows(published_shop: CornerShop) -> None:
    settings, version = published_shop.settings(), published_shop.seen().version
    [(line, order, customer)] = published_shop.query(
        "select order_line_key, order_key, customer_key from marts.fct_order_lines order by order_line_key limit 1"
    )
    found = find_rows(settings, f"order_line_key_hash={hashed(line)}")
    assert (found.value, found.build) == (line, f"version {version}")
    assert found.tables[0] == TableRows("marts.fct_order_lines", 1)
    [staged] = [table for table in found.tables if table.table == "staging.stg_demo__order_lines"]
    [(count_lines,)] = published_shop.query(f"select count(*) from marts.fct_order_lines where order_key = '{order}'")
    assert (staged.rows, len(staged.places)) == (count_lines, min(count_lines, 5))

    of_customer = find_rows(settings, f" customer_key={customer} ")
    [(count_orders,)] = published_shop.query(f"select count(*) from marts.fct_orders where customer_key = '{customer}'")
    assert TableRows("marts.fct_orders", count_orders) in of_customer.tables

    [(event,)] = published_shop.query("select point_event_key from marts.fct_points_ledger order by all limit 1")
    [row] = [
        table
        for table in find_rows(settings, f"point_event_key_hash={hashed(event)}").tables
        if table.table.startswith("staging.")
    ]
    [(file, number)] = row.places
    place = published_shop.place(file, "event_id")
    assert f"demo:{published_shop.row(file, number)[place]}" == event


def test_keys_that_are_told_as_they_are_hold_nothing_but_keyed_hashes(published_shop: CornerShop) -> None:
    of_any: dict[str, Any] = {}
    with duckdb.connect() as con:
        for name, path in (
            ("warehouse", current_database(published_shop.home / "published")),
            ("scratch", Warehouse(published_shop.settings()).scratch_path),
        ):
            con.execute(f"attach '{path}' as {name} (read_only)")
        columns = con.execute(
            "select database_name || '.' || schema_name || '.' || table_name, column_name from duckdb_columns() "
            "where list_contains(?, schema_name) and list_contains(?, column_name)",
            [sorted(HASHED_LAYERS), sorted(HASHED_KEYS)],
        ).fetchall()
        for relation, column in columns:
            keys = con.execute(f"select distinct {column} from {relation} where {column} is not null").fetchall()
            of_any |= {key: (relation, column) for (key,) in keys if not re.fullmatch("[0-9a-f]{32}", key)}
    assert {column for _, column in columns} == HASHED_KEYS
    assert of_any == {}
