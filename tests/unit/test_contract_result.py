"""What the check of a feed's contract says: what matters about it always, who reads what has changed when it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dagster_project.assets.raw import contract_result
from dagster_project.sources.contract import ContractChange
from dagster_project.sources.landing import Landed
from dagster_project.sources.tables import SourceTable

FEED = SourceTable(
    source="till", table="orders", folder=Path(), files="orders.csv", format="csv", columns=("id", "total")
)
FOLLOW = "Have the source restore it, or follow it in the models, their tests and the settings of till.orders."


class Readers:
    """A project in which one model reads the totals."""

    def readers(self, view: str, column: str) -> list[str]:
        return ["stg_till__orders"] if (view, column) == ("till__orders", "total") else []


def result_of(*changed: str) -> Any:
    changes = tuple(ContractChange("orders.csv", "missing", column, f"column '{column}' differs") for column in changed)
    return contract_result(FEED, Landed(changes=changes), Readers())  # type: ignore[arg-type]


def test_a_delivery_as_before_passes_and_says_what_would_be_to_do() -> None:
    result = result_of()
    assert (result.is_passed, result.observed, result.cure) == (True, "no change", FOLLOW)


def test_a_delivery_that_differs_says_who_reads_it_in_its_cure_and_why_in_its_why() -> None:
    result = result_of("total", "shelf")
    assert not result.is_passed
    assert result.cure == f"'total' is read by stg_till__orders. {FOLLOW}"
    assert result.why == result_of().why
    assert result_of("shelf").cure == f"No model reads it. {FOLLOW}"
    assert result_of("").cure == f"Every model of the feed reads it. {FOLLOW}"
