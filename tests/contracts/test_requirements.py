"""The page that says where each requirement stands names only what is there, and leaves none out, nor a metric."""

from __future__ import annotations

import csv
import re
from functools import cache
from typing import NamedTuple

import pytest
import typer
import yaml

from dagster_project.assets import changes, churn, ledger, models, voice
from dagster_project.checks import CHECK_RESULTS
from dagster_project.cli import app
from dagster_project.definition_settings import Definitions
from dagster_project.matching.suggestions import MATCHING_TABLES
from dagster_project.modelling.forecast import REVENUE_FORECAST
from dagster_project.modelling.next_purchase import NEXT_PURCHASE_SCORES
from dagster_project.modelling.next_purchase.next_kinds import CUSTOMER_NEXT_KINDS
from dagster_project.modelling.next_purchase.next_order import CUSTOMER_NEXT_ORDER
from dagster_project.settings import PROJECT_ROOT
from expectations.suite import load_suites

PAGE = PROJECT_ROOT / "docs" / "requirements.md"
SEEDS = PROJECT_ROOT / "dbt_models" / "seeds"
ASKED = [
    *(f"M{number}" for number in (*range(1, 37), 39)),
    *(f"D{number}" for number in range(1, 17)),
    *(f"C{number}" for number in range(1, 12)),
    *(f"A{number}" for number in range(1, 8)),
    *(f"Q{number}" for number in range(1, 7)),
]
"""The ids of the specification; M37 and M38 do not exist."""
NAMED = re.compile(r"`([^`]+)`")


class Line(NamedTuple):
    """A requirement's line of the page."""

    id: str
    asked: str
    answers: str
    proofs: str


def lines_of(page: str) -> list[Line]:
    rows = [line.strip("|").split("|") for line in page.splitlines() if re.match(r"\| [MDCAQ]\d+ \|", line)]
    assert {len(row) for row in rows} == {4}
    return [Line(*(cell.strip() for cell in row)) for row in rows]


LINES = lines_of(PAGE.read_text(encoding="utf-8"))
every_line = pytest.mark.parametrize("line", LINES, ids=lambda line: line.id)


@cache
def tables() -> dict[str, set[str]]:
    """Schema and table → columns, of all that is published, from where each is declared."""
    found = {
        f"models.{name}": set(getattr(models, name.upper()))
        for name in ("customer_clv", "value_totals", "model_scores", "model_parameters")
    }
    found |= {
        f"models.{name}": set(columns) for name, columns in {**churn.CHURN_TABLES, **churn.SUBSCRIPTION_TABLES}.items()
    }
    found["models.churn_ablation"] = set(churn.CHURN_ABLATION)
    found |= {f"models.{name}": set(getattr(ledger, name.upper())) for name in ledger.LEDGER_TABLES}
    found["models.revenue_forecast"] = set(REVENUE_FORECAST)
    found["models.customer_next_order"] = set(CUSTOMER_NEXT_ORDER)
    found["models.customer_next_kinds"] = set(CUSTOMER_NEXT_KINDS)
    found["models.next_purchase_scores"] = set(NEXT_PURCHASE_SCORES)
    found |= {f"models.{name}": set(columns) for name, columns in voice.TABLES.items()}
    found |= {f"quality.{name}": set() for name in changes.CHANGE_TABLES}
    found |= {f"quality.{name}": set(columns) for name, columns in MATCHING_TABLES.items()}
    found["quality.check_results"] = set(re.findall(r"(\w+) (?:varchar|boolean|bigint)", CHECK_RESULTS))
    for path in SEEDS.glob("*.csv"):
        with path.open(encoding="utf-8") as file:
            found[f"marts.{path.stem}"] = set(next(csv.reader(file)))
    for layer in ("marts", "quality"):
        for path in (PROJECT_ROOT / "dbt_models" / "models" / layer).glob("[!_]*.yml"):
            [model] = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
            found[f"{layer}.{model['name']}"] = {column["name"] for column in model["columns"]}
    return found


@cache
def requirement_of_metric() -> dict[str, str]:
    with (SEEDS / "metric_definitions.csv").open(encoding="utf-8") as file:
        return {row["metric"]: row["requirement"] for row in csv.DictReader(file)}


def is_there(name: str) -> bool:
    """Whether a table, column, command, setting or metric of this name exists."""
    if name.startswith("loyalty "):
        return name.removeprefix("loyalty ") in typer.main.get_command(app).commands  # type: ignore[attr-defined]
    if name.startswith("definitions."):
        return name.removeprefix("definitions.") in Definitions.model_fields
    if "." in name:
        table, _, column = name.partition(".")[2].partition(".")
        columns = tables().get(f"{name.partition('.')[0]}.{table}")
        return columns is not None and (not column or column in columns)
    return name in requirement_of_metric()


def is_proof(name: str) -> bool:
    """Whether a test function or a rule of a suite exists."""
    if "::" in name:
        file, _, function = name.partition("::")
        path = PROJECT_ROOT / file
        return path.is_file() and f"\ndef {function}(" in path.read_text(encoding="utf-8")
    suite, _, rule = name.partition(": ")
    layer = suite.partition("__")[0]
    return any(rule in {known.name for known in found.rules} for found in load_suites(layer) if found.name == suite)


def test_every_requirement_has_its_line_in_order() -> None:
    assert [line.id for line in LINES] == ASKED


@every_line
def test_all_that_a_line_names_is_there(line: Line) -> None:
    assert [name for name in NAMED.findall(line.answers) if not is_there(name)] == []
    assert [name for name in NAMED.findall(line.proofs) if not is_proof(name)] == []


@every_line
def test_a_line_answers_with_proof_or_says_not_yet(line: Line) -> None:
    answered, _, missing = line.answers.partition("not yet")
    assert NAMED.findall(answered) or "not yet" in line.answers, f"{line.id}: name the answer, or say 'not yet'"
    assert bool(NAMED.findall(answered)) == bool(line.proofs) or missing, f"{line.id}: name what proves it"


@every_line
def test_a_line_names_every_metric_of_its_requirement(line: Line) -> None:
    registered = {metric for metric, requirement in requirement_of_metric().items() if requirement == line.id}
    named = {name for name in NAMED.findall(line.answers) if name in requirement_of_metric()}
    assert named == registered, f"docs/requirements.md, {line.id}: name the metrics of metric_definitions.csv"


@pytest.mark.parametrize(
    "name",
    [
        "marts.fct_order",
        "marts.fct_orders.hue",
        "models.customer_clv.price",
        "loyalty dance",
        "definitions.mood",
        "joy",
    ],
)
def test_what_is_not_there_is_noticed(name: str) -> None:
    assert not is_there(name)


@pytest.mark.parametrize(
    "name",
    [
        "tests/golden/test_demo.py::test_nothing",
        "tests/golden/test_none.py::test_nothing",
        "marts__fct_orders: all_is_well",
        "marts__nothing: order_key_is_unique",
    ],
)
def test_a_proof_that_is_not_there_is_noticed(name: str) -> None:
    assert not is_proof(name)
