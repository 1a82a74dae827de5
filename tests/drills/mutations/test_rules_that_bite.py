"""Rules are counted once a corruption, and those that notice nothing are named."""

from __future__ import annotations

from pathlib import Path

import drill_report
import pytest
import rules_that_bite
from rules_that_bite import counted, write_rules

NOTICED = [
    [("suite, critical", "key_is_unique on marts.a"), ("dbt", "one_row_per_a")],
    [("suite, critical", "key_is_unique on marts.a"), ("suite, critical", "key_is_unique on marts.a")],
    [],
]


def test_a_rule_is_counted_once_a_corruption() -> None:
    assert counted(NOTICED) == {("suite, critical", "key_is_unique on marts.a"): 2, ("dbt", "one_row_per_a"): 1}


def test_the_page_tells_who_noticed_how_much_and_who_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "<!-- rules -->\n<!-- end of rules -->\n<!-- silent rules -->\n<!-- end of silent rules -->\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(drill_report, "IS_LONG", True)
    monkeypatch.setattr(rules_that_bite, "RULES_PAGE", page)
    asked = {("suite, critical", "key_is_unique on marts.a"), ("suite, warning", "net_is_usual on marts.a")}
    write_rules("rules", NOTICED, asked)
    lines = page.read_text(encoding="utf-8").splitlines()
    assert "2 rules noticed at least one of 3 corruptions." in lines
    assert "| key_is_unique on marts.a | suite, critical | 2 | 1 |" in lines
    assert "| one_row_per_a | dbt | 1 | 0 |" in lines
    assert "1 of 3 rules noticed none." in lines
    assert "| net_is_usual on marts.a | suite, warning |" in lines
