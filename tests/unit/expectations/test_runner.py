"""Rules evaluated inside DuckDB: pass, failure and crash are three things, and no value of a row ever gets out."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import duckdb
import pytest

from expectations.cures import cure_of
from expectations.suite import CheckCrashed, CheckResult, Rule, Suite

PERSONAL = "ada.lovelace@example.org"


@pytest.fixture
def build(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as con:
        con.execute("create schema marts")
        con.execute(
            "create table marts.people as select * from (values "
            f"(1, 'a', 10.0), (2, '{PERSONAL}', -5.0), (3, '{PERSONAL}', null), (4, null, 2.5)) as t (id, email, spend)"
        )
        yield con


def rule(
    name: str, expect: str | None = None, query: str | None = None, severity: Any = "critical", **arguments: Any
) -> Rule:
    return Rule(name, f"Why {name}.", severity, "till", expect, query, arguments)


def run(build: duckdb.DuckDBPyConnection, project: Path, *rules: Rule) -> list[CheckResult]:
    from expectations.runner import run_suites

    return run_suites(build, [Suite("marts", "people", rules)], project / "gx")


PASSING = rule("id_is_unique", "column_values_to_be_unique", column="id")
FAILING = (
    rule("email_is_unique", "column_values_to_be_unique", column="email"),
    rule("email_is_present", "column_values_to_not_be_null", column="email"),
    rule("email_is_one_of_few", "column_values_to_be_in_set", column="email", value_set=["a", "b"]),
    rule("spend_is_never_negative", "column_values_to_be_between", severity="warning", column="spend", min_value=0),
    rule("no_email_looks_real", query="select * from {batch} where email like '%@%'"),
)


def test_rules_pass_or_fail_with_counts_and_in_order(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    results = run(build, tmp_path, PASSING, *FAILING)
    assert [(result.name, result.is_passed, result.failing_rows) for result in results] == [
        ("id_is_unique", True, 0),
        ("email_is_unique", False, 2),
        ("email_is_present", False, 1),
        ("email_is_one_of_few", False, 2),
        ("spend_is_never_negative", False, 1),
        ("no_email_looks_real", False, 2),
    ]
    assert {result.severity for result in results if result.name.startswith("spend")} == {"warning"}


@pytest.mark.parametrize(
    "query",
    [
        "select id from {batch} as people where people.email like '%@%'",
        "select id from {batch} as one where exists (select 1 from {batch} as other where other.id = one.id + 1)",
        "select one.id from {batch} as one inner join {batch} as other on other.id = one.id + 1 where one.id < 3",
        "select id from {batch} where regexp_matches(email, '^.{3,}$') or email = '{}'",
    ],
)
def test_a_query_may_name_its_table_and_hold_braces(
    query: str, build: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    build.execute("delete from marts.people where id = 4")
    [result] = run(build, tmp_path, rule("no_row_is_found", query=query))
    assert (result.is_passed, result.failing_rows) == (False, 2)


def test_suites_share_one_connection_which_stays_usable(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    for _ in range(2):
        assert [result.is_passed for result in run(build, tmp_path, PASSING)] == [True]
        build.execute("create or replace table marts.other as select 1")


@pytest.mark.parametrize(
    ("crashing", "message"),
    [
        (rule("mood_is_good", "column_values_to_not_be_null", column="mood"), "could not be evaluated: "),
        (
            rule("mood_is_warned", "column_values_to_not_be_null", severity="warning", column="mood"),
            "could not be evalu",
        ),
        (rule("query_is_sql", query="select nonsense from {batch}"), "could not be evaluated: "),
        (rule("rule_exists", "column_values_to_be_nice", column="id"), "rule rule_exists: "),
        (rule("rule_is_whole", "column_values_to_be_unique"), "rule rule_is_whole"),
    ],
)
def test_a_rule_that_cannot_be_evaluated_is_a_crash_and_no_result(
    crashing: Rule, message: str, build: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    with pytest.raises(CheckCrashed) as caught:
        run(build, tmp_path, PASSING, crashing)
    assert str(caught.value).startswith(f"suite marts__people, rule {crashing.name}")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_that_is_missing_is_a_crash(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    build.execute("drop table marts.people")
    with pytest.raises(CheckCrashed, match="suite marts__people"):
        run(build, tmp_path, PASSING)


def test_no_value_of_a_row_is_in_results_project_or_pages(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    from expectations.runner import build_docs

    results = run(build, tmp_path, PASSING, *FAILING)
    page = build_docs(tmp_path / "gx", tmp_path / "data_docs", "A night")
    assert PERSONAL not in repr(results)
    written = [path for folder in ("gx", "data_docs") for path in (tmp_path / folder).rglob("*") if path.is_file()]
    pages = [path for path in written if b"email_is_unique" in path.read_bytes()]
    assert pages, "the failing rule is shown somewhere, so that its values could have been"
    assert [path for path in written if PERSONAL.encode() in path.read_bytes()] == []
    assert page.is_file()
    shown = unescape(page.read_text(encoding="utf-8"))
    assert f"Why {PASSING.name}." not in shown
    for failing in FAILING:
        assert f"<td>Why {failing.name}.</td>" in shown
        assert cure_of(Suite("marts", "people", FAILING), failing) in shown


def test_a_site_gives_way_to_a_whole_one_only(
    build: duckdb.DuckDBPyConnection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from expectations import runner

    site = tmp_path / "data_docs"
    run(build, tmp_path, PASSING)
    runner.build_docs(tmp_path / "gx", site, "The first night")
    before = {path: path.read_bytes() for path in site.rglob("*.html")}
    with monkeypatch.context() as patched:
        patched.setattr(runner, "make_offline", lambda *_: (_ for _ in ()).throw(OSError("no space")))
        with pytest.raises(OSError, match="no space"):
            runner.build_docs(tmp_path / "gx", site, "The second night")
    assert {path: path.read_bytes() for path in site.rglob("*.html")} == before
    assert "The third night." in runner.build_docs(tmp_path / "gx", site, "The third night").read_text()
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_no_value_of_a_row_is_in_the_message_of_a_crash(build: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    with pytest.raises(CheckCrashed) as caught:
        run(build, tmp_path, rule("email_is_a_number", query="select * from {batch} where email::integer > 0"))
    assert PERSONAL not in str(caught.value)
    written = [path for path in (tmp_path / "gx").rglob("*") if path.is_file()]
    assert [path for path in written if PERSONAL.encode() in path.read_bytes()] == []
