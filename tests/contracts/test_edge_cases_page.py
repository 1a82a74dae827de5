"""The page of edge cases names only proofs that are there."""

from __future__ import annotations

import re
from functools import cache

import pytest
import yaml
from test_requirements import NAMED, is_proof

from dagster_project.settings import PROJECT_ROOT

PAGE = PROJECT_ROOT / "docs" / "edge_cases.md"
LINES = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if re.match(r"\| (?!---)", line) and "proven by" not in line
]


@cache
def unit_tests() -> set[str]:
    """Unit tests of the models, as `model: name`."""
    return {
        f"{test['model']}: {test['name']}"
        for path in (PROJECT_ROOT / "dbt_models" / "models").rglob("[!_]*.yml")
        for test in yaml.safe_load(path.read_text(encoding="utf-8")).get("unit_tests", [])
    }


def test_the_page_has_its_cases() -> None:
    assert len(LINES) > 60
    assert {len(line) for line in LINES} == {2}


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[0][:40])
def test_all_proofs_of_a_case_are_there(line: tuple[str, str]) -> None:
    proofs = NAMED.findall(line[1])
    assert proofs or line[1].startswith("not yet: ")
    assert [name for name in proofs if name not in unit_tests() and not is_proof(name)] == []
