"""The rules that every model of the dbt project keeps, read from its files; nothing here starts dbt.

Whether the columns that a yml names are those that the model has is tested where the models are built
(`tests/integration/dbt_models`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from dagster_project.settings import PROJECT_ROOT

PROJECT = PROJECT_ROOT / "dbt_models"
MODELS = PROJECT / "models"
PUBLIC_LAYERS = ("marts", "quality")
NAMES = {
    "staging": r"stg_{source}__[a-z]+(_[a-z]+)*s|stg_{source}__feedback",
    "intermediate": r"int_[a-z]+(_[a-z]+)*",
    "marts": r"(dim|fct)_[a-z]+(_[a-z]+)*|(?!stg_|int_|mart_|rpt_)[a-z]+(_[a-z0-9]+)*",
    "quality": r"(?!stg_|int_|fct_|dim_)[a-z]+(_[a-z]+)*",
}
CLOCKS = r"\b(current_(date|time|timestamp)|local(time|timestamp)|transaction_timestamp|getdate|today|now)\b"
NOT_PORTABLE = {
    "distinct on": r"\bdistinct\s+on\b",
    "exclude": r"\bexclude\s*\(",
    "strftime": r"\bstrftime\b",
    "generate_series": r"\bgenerate_series\b",
}
TYPES = {  # what a public column's name promises about its type
    r"(is|has|was)_.*|counts_as_.*": r"boolean",
    r"count_.*": r"bigint",
    r"total_.*": r"decimal\(.*\)",
    r"mean_.*|probability_.*|.*_share|ci_(low|high)": r"double",
    r".*_at": r"timestamp",
    r"(?!is_).*(_date|_month|_start)": r"date",
    r".*_(key|id|code)": r"varchar",
    r".*_days": r"bigint|double",
    r".*_score": r"integer|bigint",
    r".*_amount": r"decimal\(18,4\)",
}
# Their rule is a macro's, or the graph's, and is tested there; bases are, by what the metrics of tiny shops come to.
WITHOUT_UNIT_TESTS = {
    "dim_customers",
    "int_adoption_bases",
    "int_answer_bases",
    "int_contact_bases",
    "int_cost_bases",
    "int_customer_bases",
    "int_feedback_bases",
    "int_feedback_united",
    "int_identity_components",
    "int_invitation_bases",
    "int_mention_bases",
    "int_mentions_united",
    "int_metric_bases",
    "int_month_bases",
    "int_order_bases",
    "int_order_lines_united",
    "int_price_rise_bases",
    "int_support_contacts_united",
    "int_survey_invitations_united",
    "int_relation_bases",
    "int_score_bases",
    "int_tenure_bases",
    "int_texts_united",
    "quarantined_rows",
    "reconciliation",
    "stg_demo__contacts",
    "stg_demo__texts",
    "stg_olist__texts",
}


@dataclass(frozen=True)
class Model:
    """A model's SQL and the yml beside it."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def layer(self) -> str:
        return self.path.relative_to(MODELS).parts[0]

    @property
    def sql(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def file(self) -> dict[str, Any]:
        content: dict[str, Any] = yaml.safe_load(self.path.with_suffix(".yml").read_text(encoding="utf-8"))
        return content

    @property
    def properties(self) -> dict[str, Any]:
        [described] = self.file["models"]
        return described

    @property
    def columns(self) -> list[dict[str, Any]]:
        return list(self.properties["columns"])


ALL_MODELS = [Model(path) for path in sorted(MODELS.rglob("*.sql"))]
SQL_FILES = sorted(PROJECT.rglob("*.sql"))
PUBLIC = [model for model in ALL_MODELS if model.layer in PUBLIC_LAYERS]

every_model = pytest.mark.parametrize("model", ALL_MODELS, ids=lambda model: model.name)
every_public_model = pytest.mark.parametrize("model", PUBLIC, ids=lambda model: model.name)
every_sql_file = pytest.mark.parametrize("path", SQL_FILES, ids=lambda path: str(path.relative_to(PROJECT)))


def without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*|\{#.*?#\}", "", sql, flags=re.DOTALL)


def windows(sql: str) -> Iterator[str]:
    """The inside of each `over (...)` that needs an order: of a row number, and of a neighbour's value."""
    for match in re.finditer(r"\b(row_number|lag|lead|first_value|last_value)\s*\(", sql):
        after_arguments = closing(sql, match.end() - 1)
        over = re.match(r"\s*over\s*(\(|\w+)", sql[after_arguments:])
        assert over, f"{match.group(1)} without over"
        begin = after_arguments + over.start(1)
        if over.group(1) != "(":
            defined = re.search(rf"\b{over.group(1)}\s+as\s*(\()", sql)
            assert defined, f"no window is called {over.group(1)}"
            begin = defined.start(1)
        yield sql[begin + 1 : closing(sql, begin) - 1]


def closing(sql: str, opening: int) -> int:
    """The place after the parenthesis that closes the one at `opening`."""
    depth = 0
    for place in range(opening, len(sql)):
        depth += {"(": 1, ")": -1}.get(sql[place], 0)
        if depth == 0:
            return place + 1
    raise AssertionError("a parenthesis is not closed")


def test_every_layer_has_models() -> None:
    assert {model.layer for model in ALL_MODELS} == set(NAMES)


@every_model
def test_model_has_a_yml_that_describes_it_and_its_columns(model: Model) -> None:
    assert model.properties["name"] == model.name
    assert model.properties["description"].startswith("One row per ")
    names = [column["name"] for column in model.columns]
    assert names
    assert len(names) == len(set(names))
    undescribed = [column["name"] for column in model.columns if not column.get("description", "").strip()]
    assert undescribed == []


@every_model
def test_model_states_its_grain_first(model: Model) -> None:
    assert model.sql.startswith("-- Grain: one row per ")


@every_model
def test_model_is_named_after_its_layer(model: Model) -> None:
    rule = NAMES[model.layer].replace("{source}", model.path.parent.name)
    assert re.fullmatch(rule, model.name)


def test_model_names_are_unique() -> None:
    names = [model.name for model in ALL_MODELS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("layer", PUBLIC_LAYERS)
def test_contract_of_a_public_layer_is_enforced(layer: str) -> None:
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["models"]["loyalty"][layer]["+contract"] == {"enforced": True}


@every_public_model
def test_public_model_keeps_the_contract_of_its_layer(model: Model) -> None:
    assert "contract" not in model.properties.get("config", {})
    assert not re.search(r"\bcontract\b", without_comments(model.sql))
    untyped = [column["name"] for column in model.columns if not column.get("data_type")]
    assert untyped == []


@pytest.mark.parametrize(
    "model", [model for model in ALL_MODELS if model.layer != "staging"], ids=lambda model: model.name
)
def test_model_has_a_test_of_its_grain(model: Model) -> None:
    names = {column["name"] for column in model.columns}
    grains = [
        tuple(test["one_row_per"]["arguments"]["columns"])
        for test in model.properties.get("data_tests", [])
        if "one_row_per" in test
    ]
    grains += [(column["name"],) for column in model.columns if "unique" in column.get("data_tests", [])]
    assert grains
    assert all(set(grain) <= names for grain in grains)


@every_public_model
def test_public_column_is_named_after_its_type(model: Model) -> None:
    wrong = [
        f"{column['name']} is {column['data_type']}, expected {kind}"
        for column in model.columns
        for pattern, kind in TYPES.items()
        if re.fullmatch(pattern, column["name"]) and not re.fullmatch(kind, column["data_type"])
    ]
    wrong += [
        f"{column['name']} is boolean, expected is_, has_, was_ or counts_as_ before it"
        for column in model.columns
        if column["data_type"] == "boolean" and not re.match(r"(is|has|was|counts_as)_", column["name"])
    ]
    assert wrong == []


@every_sql_file
def test_sql_reads_no_clock(path: Path) -> None:
    assert re.search(CLOCKS, without_comments(path.read_text(encoding="utf-8")), flags=re.IGNORECASE) is None


@every_sql_file
def test_sql_is_portable(path: Path) -> None:
    sql = without_comments(path.read_text(encoding="utf-8"))
    assert [word for word, pattern in NOT_PORTABLE.items() if re.search(pattern, sql, flags=re.IGNORECASE)] == []


@every_sql_file
def test_sql_numbers_rows_in_a_stated_order(path: Path) -> None:
    sql = without_comments(path.read_text(encoding="utf-8"))
    assert [window for window in windows(sql) if "order by" not in window] == []


@every_sql_file
def test_sql_lines_fit(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [number for number, line in enumerate(lines, start=1) if len(line) > 120] == []


def test_models_without_a_unit_test_are_the_ones_without_a_rule() -> None:
    untested = {model.name for model in ALL_MODELS if not model.file.get("unit_tests")}
    assert untested == WITHOUT_UNIT_TESTS


def test_unit_tests_test_the_model_beside_them() -> None:
    misplaced = [
        test["name"] for model in ALL_MODELS for test in model.file.get("unit_tests", []) if test["model"] != model.name
    ]
    assert misplaced == []
