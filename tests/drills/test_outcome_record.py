"""A drill that was stopped goes on where it was, and never takes an outcome for one of other code."""

from __future__ import annotations

from pathlib import Path

import pytest
from outcome_record import OutcomeRecord

CASES = {"a kill": 1, "a full disk": 2, "a clock": 3}


def left(record: OutcomeRecord) -> list[str]:
    return [name for name, _ in record.left(CASES)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "drills" / "faults.jsonl"


def test_a_record_that_is_opened_again_leaves_only_what_was_not_drilled(path: Path) -> None:
    first = OutcomeRecord(path)
    assert (left(first), first.outcomes()) == (["a kill", "a full disk", "a clock"], {})
    first.add("a kill", {"step": "dbt_facts", "said": "nothing: é"})
    again = OutcomeRecord(path)
    assert left(again) == ["a full disk", "a clock"]
    assert again.outcomes() == {"a kill": {"step": "dbt_facts", "said": "nothing: é"}}


def test_a_line_that_was_cut_short_is_drilled_again_and_harms_no_other(path: Path) -> None:
    record = OutcomeRecord(path)
    record.add("a kill", {"step": "raw"})
    record.add("a full disk", {"step": "raw"})
    path.write_bytes(path.read_bytes()[:-9])
    assert left(record) == ["a full disk", "a clock"]
    record.add("a full disk", {"step": "publish"})
    assert record.outcomes() == {"a kill": {"step": "raw"}, "a full disk": {"step": "publish"}}


def test_a_failure_is_drilled_again_and_its_last_outcome_counts(path: Path) -> None:
    record = OutcomeRecord(path)
    record.add("a kill", {"failure": "readers saw another version"})
    assert left(record) == ["a kill", "a full disk", "a clock"]
    record.add("a kill", {"step": "raw"})
    assert left(record) == ["a full disk", "a clock"]
    assert record.outcomes() == {"a kill": {"step": "raw"}}


def test_a_case_that_was_missed_is_still_to_be_done(path: Path) -> None:
    record = OutcomeRecord(path)
    record.add("a kill", {"missed": "the night had ended"})
    assert left(record) == ["a kill", "a full disk", "a clock"]
    record.add("a kill", {"step": "raw", "exitcode": -9})
    assert left(record) == ["a full disk", "a clock"]


def test_outcomes_of_other_code_do_not_count(path: Path) -> None:
    record = OutcomeRecord(path)
    record.add("a kill", {"step": "raw"})
    record.code = "another"
    assert (left(record), record.outcomes()) == (list(CASES), {})


def test_no_case_is_begun_after_the_time_that_was_given(path: Path) -> None:
    assert left(OutcomeRecord(path, minutes=0)) == []
