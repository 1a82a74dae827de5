"""`loyalty explain` on a published shop: the number again, what is left out, and what other rules would make of it."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from collections.abc import Iterator
from typing import Any

import duckdb
import pytest
from corner_shop import NIGHT, CornerShop
from typer.testing import CliRunner, Result

from dagster_project.cli import app
from dagster_project.explaining.changes import NotExplained
from dagster_project.explaining.explanation import Explanation, explain_metric
from dagster_project.explaining.headlines import HEADLINES
from dagster_project.explaining.inputs import TABLES_OF_FEEDS
from dagster_project.publishing.versions import current_database, read_manifest

HEADLINE_METRICS = sorted({headline.metric for headline in HEADLINES})


def explain(shop: CornerShop, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["explain", *arguments, "--config", str(shop.config)])


@pytest.fixture(scope="module")
def con(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the version: the commands open the version itself, and one process opens a file in one way."""
    copy = tmp_path_factory.mktemp("version") / "loyalty.duckdb"
    shutil.copyfile(current_database(published_shop.home / "published"), copy)
    with duckdb.connect(str(copy), read_only=True) as found:
        yield found


@pytest.fixture(scope="module")
def definitions(published_shop: CornerShop) -> dict[str, Any]:
    return read_manifest(current_database(published_shop.home / "published").parent).definitions


def explained(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any], metric: str, threshold: float | None = None
) -> Explanation:
    return explain_metric(con, metric, NIGHT, definitions, threshold)


@pytest.mark.parametrize("metric", [name for name in HEADLINE_METRICS if name != "predicted_clv"])
def test_the_query_that_is_printed_gives_the_number_again(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any], metric: str
) -> None:
    headline = next(one for one in HEADLINES if one.metric == metric)
    found = explained(con, definitions, metric)
    [(numerator, denominator, value)] = con.execute(found.sql).fetchall()
    if headline.published:
        [(told,)] = con.execute(headline.published.replace("{catalogue}.", "")).fetchall()
        assert numerator == told > 0
        return
    [told] = [told for told in found.told if told.period_type == headline.period_type]
    assert (numerator, denominator) == (told.numerator, told.denominator)
    assert value == pytest.approx(told.value, rel=1e-12)


def test_the_waterfall_of_orders_ends_at_those_that_count(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]
) -> None:
    found = explained(con, definitions, "average_order_value")
    [told] = [told for told in found.told if told.period_type == "trailing_window"]
    start, *steps = found.left_out
    assert start.count_left == con.execute("select count(*) from marts.fct_orders").fetchone()[0]
    assert start.count_left - sum(step.count_rows for step in steps) == steps[-1].count_left == told.denominator
    excluded = dict(con.execute("select exclusion_reason, count(*) from marts.order_exclusions group by 1").fetchall())
    excluded.pop("guest_unlinked", None)
    assert {step.reason: step.count_rows for step in steps if step.reason in excluded} == excluded


def test_the_waterfall_of_answers_keeps_one_a_customer(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]
) -> None:
    found = explained(con, definitions, "nps")
    [told] = [told for told in found.told if told.period_type == "trailing_window"]
    assert found.left_out[-1].count_left == told.denominator
    assert [step.reason for step in found.left_out[1:]] == ["a later answer of the same customer stands"]


def test_a_rule_that_turns_a_decision_is_fragile(con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]) -> None:
    usual = explained(con, definitions, "purchase_frequency")
    shorter = next(tried for tried in usual.tried if tried.rule == "a trailing window of 90 days")
    assert shorter.fragile == ()
    told = usual.told[0].value
    threshold = (shorter.value + told) / 2
    found = explained(con, definitions, "purchase_frequency", threshold)
    name = f"threshold of {threshold:g}"
    assert found.decisions == {name: "reached"}
    assert found.fragile == (name,)
    turned = {tried.rule for tried in found.tried if tried.fragile}
    assert turned == {tried.rule for tried in usual.tried if tried.value is not None and tried.value < threshold}
    assert explained(con, definitions, "purchase_frequency", 0.5).fragile == ()


def test_a_rule_without_a_base_turns_nothing(con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]) -> None:
    found = explained(con, definitions, "repeat_purchase_rate_within_window", 0.0)
    [year] = [tried for tried in found.tried if tried.rule == "365 days to come back"]
    assert (year.value, year.difference, year.fragile) == (None, None, ())


def test_rules_are_tried_one_at_a_time_on_the_same_orders(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]
) -> None:
    tried = {one.rule: one.value for one in explained(con, definitions, "total_net").tried}
    [(gross, known)] = con.execute(
        "select sum(gross_amount) filter (where is_revenue), sum(net_amount) filter (where is_valid) "
        "from marts.fct_orders"
    ).fetchall()
    assert tried == {"amounts before refunds": float(gross), "orders of known customers only": float(known)}


def test_a_metric_that_is_not_recounted_still_says_what_it_is(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]
) -> None:
    found = explained(con, definitions, "revenue_variation")
    assert found.inputs == {"marts.fct_orders": con.execute("select count(*) from marts.fct_orders").fetchone()[0]}
    assert found.settings == {"active_window_days": 365}
    start, *steps = found.left_out
    assert start.count_left == found.inputs["marts.fct_orders"]
    assert {step.reason for step in steps} >= {"cancelled", "unpaid"}
    assert steps[-1].count_left == start.count_left - sum(step.count_rows for step in steps)
    assert found.bases == {"numerator": "total_net_of_months", "denominator": "count_months"}
    assert found.beside.keys() == {"repeat_revenue_share"}
    assert con.execute(found.sql).fetchall() != []


def test_a_metric_that_has_no_whole_is_told_by_its_parts(published_shop: CornerShop) -> None:
    found = json.loads(explain(published_shop, "nps_score_share", "--json").output)
    told = {one["segment"]: one["numerator"] for one in found["told"]}
    assert set(told) <= {str(score) for score in range(11)}
    assert len(told) > 5
    shown = CliRunner().invoke(app, ["metrics", "nps_score_share", "--config", str(published_shop.config)])
    assert "nps_score_share, 10" in shown.output


def test_every_metric_of_the_registry_can_be_explained(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]
) -> None:
    for (metric,) in con.execute("select metric from marts.metric_definitions").fetchall():
        found = explained(con, definitions, metric)
        assert found.definition
        assert "{" not in found.definition
        assert found.formulas
        assert None not in found.settings.values()
        assert found.told, "each has a number or says why not"
        assert all(told.value is not None or told.status != "told" for told in found.told)
        assert con.execute(found.sql).fetchall() != []
        feed = con.execute("select feeds from marts.metric_definitions where metric = ?", [metric]).fetchone()[0]
        asked = con.execute("select count(*) from marts.fct_feedback where instrument = ?", [feed]).fetchone()[0]
        assert feed in {*TABLES_OF_FEEDS, "answers", "feedback_replies"} or asked or found.told[0].status == "no_source"


def test_an_unknown_metric_lists_those_that_there_are(
    con: duckdb.DuckDBPyConnection, definitions: dict[str, Any]
) -> None:
    with pytest.raises(NotExplained, match=r"no metric 'happiness'; there are: .*count_customers.*nps"):
        explained(con, definitions, "happiness")


def test_the_command_prints_definition_waterfall_and_other_rules(published_shop: CornerShop) -> None:
    found = explain(published_shop, "repeat_purchase_rate_within_window")
    assert found.exit_code == 0
    for text in ("came within 90 days", "cancelled", "180 days to come back", "from marts.fct_orders"):
        assert text in found.output


def test_the_command_gives_json(published_shop: CornerShop) -> None:
    found = json.loads(explain(published_shop, "nps", "--json").output)
    assert (found["metric"], found["as_of"], found["fragile"]) == ("nps", NIGHT.isoformat(), [])
    assert dt.date.fromisoformat(found["told"][0]["period_start"])


def test_a_threshold_of_the_settings_is_judged(shop: CornerShop) -> None:
    shop.configure(lambda chosen: chosen.update(decisions={"purchase_frequency": 1.01}))
    assert "threshold of 1.01: reached" in explain(shop, "purchase_frequency").output


def test_a_version_explains_no_change_from_itself(published_shop: CornerShop) -> None:
    found = explain(published_shop, "nps", "--since", f"{NIGHT}_001", "--customers", "3")
    assert found.exit_code == 0
    assert "nothing has moved it" in found.output


def test_changes_are_told_of_headlines_only(published_shop: CornerShop) -> None:
    found = explain(published_shop, "revenue_variation", "--since", f"{NIGHT}_001")
    assert found.exit_code == 1
    assert (
        "changes are told of headlines, and 'revenue_variation' is none; there are: average_order_value" in found.stderr
    )
