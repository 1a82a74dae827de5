"""A waived rule on real nights: the night goes on and everybody is told; once expired, the rule stops nights again."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from corner_shop import NIGHT, CornerShop
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.nightly import NightFailed
from dagster_project.publishing.versions import current_database, read_manifest
from dagster_project.reporting.report import render_report

RULES = {
    "raw.demo__products": "product_id_is_mostly_present",
    "quality.quarantined_rows": "demo__products_is_mostly_accepted",
}


def waive(shop: CornerShop, until: dt.date) -> None:
    def change(settings: dict[str, Any]) -> None:
        period = {"from": dt.date(2025, 12, 1), "until": until, "reason": "the catalogue moves house"}
        settings["waivers"] = [{"table": table, "rule": rule, **period} for table, rule in RULES.items()]

    shop.configure(change)


def test_a_waived_failure_is_told_everywhere_and_an_expired_waiver_lets_the_rule_bite_again(shop: CornerShop) -> None:
    nameless = ["", *shop.row("products.csv", 1)[1:]]
    shop.append("products.csv", *[nameless] * 20)
    waive(shop, NIGHT - dt.timedelta(days=1))
    with pytest.raises(NightFailed, match="raw_checks: check product_id_is_mostly_present failed"):
        shop.run()

    waive(shop, NIGHT)
    done = CliRunner().invoke(app, ["run", "--config", str(shop.config)])
    assert done.exit_code == 0, done.output
    period = "from 2025-12-01 until 2025-12-30: the catalogue moves house"
    for table, rule in RULES.items():
        assert f"waiver  waived: {rule} on {table}, {period}" in done.output
    database = current_database(shop.home / "published")
    checks = read_manifest(database.parent).checks
    assert [text.partition(":")[0] for text in checks["waived"]] == [
        "demo__products_is_mostly_accepted on quality.quarantined_rows",
        "product_id_is_mostly_present on raw.demo__products",
    ]
    assert all(text.endswith(f"; waived {period}") for text in checks["waived"])
    assert len(checks["waivers"]) == 2
    assert shop.query(
        "select check_name, waiver from quality.check_results "
        "where not is_passed and severity = 'critical' order by all"
    ) == [(rule, period) for rule in sorted(RULES.values())]
    page = render_report(database, read_manifest(database.parent).version)
    assert "A failed check was waived: product_id_is_mostly_present on raw.demo__products" in page
