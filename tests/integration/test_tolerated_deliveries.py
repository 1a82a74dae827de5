"""What a shop lets pass for a while or for good: a waived rule, and deliveries written otherwise than before.

One shop sends products without a name, refunds under a renamed column, and a new column of products. Two nights stop at
that; what is settled about each lets the third end, and everybody is told.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest
from corner_shop import NIGHT, CornerShop
from typer.testing import CliRunner, Result

from dagster_project.cli import app
from dagster_project.nightly import NightFailed
from dagster_project.publishing.versions import current_database, read_manifest
from dagster_project.reporting.report import render_report

RULES = {
    "raw.demo__products": "product_id_is_mostly_present",
    "quality.quarantined_rows": "demo__products_is_mostly_accepted",
}
PERIOD = "from 2025-12-01 until 2025-12-30: the catalogue moves house"
REFUNDS = "select count(*), sum(refund_amount) from marts.fct_refunds"


@dataclass(frozen=True)
class Nights:
    """The shop after its third night, what the first two said, what the third printed, and the refunds before them."""

    shop: CornerShop
    refused: str
    expired: str
    done: Result
    refunds: list[tuple[Any, ...]]


@pytest.fixture(scope="module")
def nights(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> Nights:
    shop = published_shop.copy_to(tmp_path_factory.mktemp("tolerant") / "shop")
    nameless = ["", *shop.row("products.csv", 1)[1:]]
    shop.append("products.csv", *[nameless] * 20)
    rewrite_header(shop, "refunds.csv", b"refund_amount", b"amount_refunded")
    refused = failure(shop)

    settle(shop, waived_until=NIGHT - dt.timedelta(days=1))
    expired = failure(shop)

    rewrite_header(shop, "products.csv", b"unit_cost", b"unit_cost,shelf")
    path = shop.deliveries / "products.csv"
    header, *rows = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([header, *(row + b",A1" for row in rows)]) + b"\n")
    settle(shop, waived_until=NIGHT)
    done = CliRunner().invoke(app, ["run", "--config", str(shop.config)])
    assert done.exit_code == 0, done.output
    return Nights(shop, refused, expired, done, published_shop.query(REFUNDS))


def rewrite_header(shop: CornerShop, file: str, before: bytes, after: bytes) -> None:
    path = shop.deliveries / file
    header, _, rows = path.read_bytes().partition(b"\n")
    assert before in header
    path.write_bytes(header.replace(before, after) + b"\n" + rows)


def failure(shop: CornerShop) -> str:
    """What a night that must fail says."""
    with pytest.raises(NightFailed) as caught:
        shop.run()
    return str(caught.value)


def settle(shop: CornerShop, waived_until: dt.date) -> None:
    """Refunds written otherwise are set aside, new columns of products are followed, lost ids are waived."""

    def change(settings: dict[str, Any]) -> None:
        for table, chosen in (("refunds", "quarantine"), ("products", "evolve")):
            settings["sources"]["demo"]["tables"][table]["when_changed"] = chosen
        period = {"from": dt.date(2025, 12, 1), "until": waived_until, "reason": "the catalogue moves house"}
        settings["waivers"] = [{"table": table, "rule": rule, **period} for table, rule in RULES.items()]

    shop.configure(change)


def test_a_changed_delivery_is_refused_with_what_reads_it(nights: Nights) -> None:
    assert "demo.refunds: the header of 'refunds.csv' lacks column(s) 'refund_amount'" in nights.refused
    assert "column 'refund_amount' is missing and 'amount_refunded' is new, which looks like a rename" in nights.refused
    assert "'refund_amount' is read by stg_demo__refunds. Have the source restore it" in nights.refused


def test_a_change_that_may_be_is_followed_or_set_aside_and_told(nights: Nights) -> None:
    shop = nights.shop
    assert shop.query(REFUNDS) == nights.refunds
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


def test_once_its_waiver_has_expired_a_rule_stops_the_night(nights: Nights) -> None:
    assert nights.expired.startswith("raw_checks: check product_id_is_mostly_present failed")


def test_a_waived_failure_is_told_everywhere(nights: Nights) -> None:
    for table, rule in RULES.items():
        assert f"waiver  waived: {rule} on {table}, {PERIOD}" in nights.done.output
    database = current_database(nights.shop.home / "published")
    checks = read_manifest(database.parent).checks
    assert [text.partition(":")[0] for text in checks["waived"]] == [
        "demo__products_is_mostly_accepted on quality.quarantined_rows",
        "product_id_is_mostly_present on raw.demo__products",
    ]
    assert all(text.endswith(f"; waived {PERIOD}") for text in checks["waived"])
    assert len(checks["waivers"]) == 2
    assert nights.shop.query(
        "select check_name, waiver from quality.check_results "
        "where not is_passed and severity = 'critical' order by all"
    ) == [(rule, PERIOD) for rule in sorted(RULES.values())]
    page = render_report(database, read_manifest(database.parent).version)
    assert "A failed check was waived: product_id_is_mostly_present on raw.demo__products" in page
