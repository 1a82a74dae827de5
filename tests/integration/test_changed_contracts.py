"""Deliveries that are written otherwise than before, on real nights: told, set aside, or refused with their readers."""

from __future__ import annotations

from typing import Any

import pytest
from corner_shop import CornerShop

from dagster_project.nightly import NightFailed
from dagster_project.publishing.versions import current_database, read_manifest


def rewrite_header(shop: CornerShop, file: str, before: bytes, after: bytes) -> None:
    path = shop.deliveries / file
    header, _, rows = path.read_bytes().partition(b"\n")
    assert before in header
    path.write_bytes(header.replace(before, after) + b"\n" + rows)


def policy(shop: CornerShop, **policies: str) -> None:
    def change(settings: dict[str, Any]) -> None:
        for table, chosen in policies.items():
            settings["sources"]["demo"]["tables"][table]["when_changed"] = chosen

    shop.configure(change)


def test_a_change_is_refused_with_its_readers_or_set_aside_and_told(shop: CornerShop) -> None:
    refunds = shop.query("select count(*), sum(refund_amount) from marts.fct_refunds")
    rewrite_header(shop, "refunds.csv", b"refund_amount", b"amount_refunded")
    with pytest.raises(NightFailed) as caught:
        shop.run()
    assert "demo.refunds: the header of 'refunds.csv' lacks column(s) 'refund_amount'" in str(caught.value)
    assert "column 'refund_amount' is missing and 'amount_refunded' is new, which looks like a rename" in str(
        caught.value
    )
    assert "'refund_amount' is read by stg_demo__refunds. Have the source restore it" in str(caught.value)

    policy(shop, refunds="quarantine", products="evolve")
    rewrite_header(shop, "products.csv", b"unit_cost", b"unit_cost,shelf")
    path = shop.deliveries / "products.csv"
    header, *rows = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([header, *(row + b",A1" for row in rows)]) + b"\n")
    shop.run()
    assert shop.query("select count(*), sum(refund_amount) from marts.fct_refunds") == refunds
    told = dict(
        shop.query(
            "select table_name, observed from quality.check_results "
            "where check_name = 'deliveries_are_written_as_before' and not is_passed"
        )
    )
    assert told == {
        "demo__products": "products.csv: column 'shelf' is new",
        "demo__refunds": "set aside: refunds.csv; refunds.csv: column 'refund_amount' is missing and "
        "'amount_refunded' is new, which looks like a rename",
    }
    warnings = read_manifest(current_database(shop.home / "published").parent).checks["warnings"]
    assert any("deliveries_are_written_as_before on raw.demo__refunds: set aside" in warning for warning in warnings)
