"""What a night that checks have stopped says in one line."""

from __future__ import annotations

from pathlib import Path

from dagster_project.checks import explained
from expectations.suite import CheckResult


def broken(name: str, rows: int, sample: str | None = None) -> CheckResult:
    return CheckResult(
        layer="marts", table="fct_orders", name=name, engine="great_expectations", severity="critical",
        why="Totals are wrong.", is_passed=False, failing_rows=rows, observed=f"{rows} of 900 rows", sample=sample,
        cure="Mend the join.",
    )  # fmt: skip


def test_the_rule_that_most_rows_break_is_told_first_and_three_others_are_named() -> None:
    said = explained(
        [broken("a", 2), broken("b", 97, "order_key_hash=7"), broken("c", 0), broken("d", 5), broken("e", 1)]
    )
    assert said == (
        "check b failed on marts.fct_orders: 97 of 900 rows (order_key_hash=7). Totals are wrong; and 4 more: d, a, e. "
        "Mend the join."
    )


def test_rules_that_break_alike_stand_in_the_order_of_their_suites() -> None:
    assert explained([broken("a", 2), broken("b", 2)]).endswith("Totals are wrong; and 1 more: b. Mend the join.")
    assert explained([broken("a", 2)]).endswith("Totals are wrong. Mend the join.")


def test_the_page_of_the_night_is_named_last() -> None:
    page = Path("/home/data_docs/index.html")
    said = "2 of 900 rows. Totals are wrong. Mend the join. Every rule is in /home/data_docs/index.html."
    assert explained([broken("a", 2)], page).endswith(said)
