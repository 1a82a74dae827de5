"""`loyalty explain --try`: numbers under other settings, against recounts of the published facts."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from corner_shop import NIGHT, CornerShop
from typer.testing import CliRunner

from dagster_project.cli import app
from dagster_project.explaining.explanation import explain_metric
from dagster_project.explaining.sensitivity import Decisions, Tried
from dagster_project.explaining.trials import NotMadeAgain, subject_of, try_settings
from dagster_project.metric_trials import opened_trial, with_settings_tried
from dagster_project.publishing.versions import Manifest, current_database, read_manifest


@pytest.fixture(scope="module")
def database(published_shop: CornerShop) -> Path:
    return current_database(published_shop.home / "published")


@pytest.fixture(scope="module")
def manifest(database: Path) -> Manifest:
    return read_manifest(database.parent)


@pytest.fixture(scope="module")
def con(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy of the version, to be recounted."""
    copy = tmp_path_factory.mktemp("version") / "loyalty.duckdb"
    shutil.copyfile(database, copy)
    with duckdb.connect(str(copy), read_only=True) as found:
        yield found


class Tries:
    """Tries settings of metrics, all in one database."""

    def __init__(self, shop: CornerShop, database: Path, manifest: Manifest, con: duckdb.DuckDBPyConnection) -> None:
        self.settings, self.database, self.manifest, self.con = shop.settings(), database, manifest, con

    def __call__(self, metric: str, *settings: str, decisions: Decisions | None = None) -> dict[tuple[str, str], Tried]:
        subject = subject_of(self.con, metric)
        assert set(settings) <= set(subject.settings)
        with opened_trial(self.settings, self.database, self.manifest, subject.lines) as trial:
            definitions = self.manifest.definitions
            found = try_settings(trial, subject, settings, definitions, decisions or Decisions())
        return {(tried.rule, tried.segment): tried for tried in found}


@pytest.fixture(scope="module")
def tries(published_shop: CornerShop, database: Path, manifest: Manifest, con: duckdb.DuckDBPyConnection) -> Tries:
    return Tries(published_shop, database, manifest, con)


def table(con: duckdb.DuckDBPyConnection, name: str) -> pd.DataFrame:
    return con.execute(f"select * from marts.{name}").df()


def days(later: Any, earlier: Any) -> Any:
    return (pd.to_datetime(later) - pd.to_datetime(earlier)).dt.days


def test_a_service_level_is_recounted_and_turns_its_threshold(con: duckdb.DuckDBPyConnection, tries: Tries) -> None:
    contacts = table(con, "fct_support_contacts")
    told, waited = contacts["first_reply_business_hours"], contacts["waited_business_hours"]

    def share(hours: float) -> float:
        return float((told <= hours).sum() / (told.notna() | (waited > hours)).sum())

    found = tries("first_reply_in_time_share", "first_reply_hours", decisions=Decisions(threshold=0.8))
    values = {rule: tried.value for (rule, _), tried in found.items()}
    assert values == {"first_reply_hours 4.0": share(4), "first_reply_hours 16.0": share(16)}
    assert share(4) < 0.8 <= share(8) < share(16)
    assert found["first_reply_hours 4.0", "all"].fragile == ("threshold of 0.8",)
    assert found["first_reply_hours 4.0", "all"].leaves_number
    assert found["first_reply_hours 16.0", "all"].fragile == ()
    assert found["first_reply_hours 4.0", "all"].difference == pytest.approx(share(4) - share(8), abs=1e-15)


def test_a_response_window_is_recounted(con: duckdb.DuckDBPyConnection, tries: Tries) -> None:
    messages = table(con, "fct_campaign_messages").query("is_personal and is_delivered")
    clicked = messages["clicked_at"].dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin").dt.tz_localize(None)
    wait = days(clicked.dt.normalize(), messages["sent_date"])
    age = days(pd.Series(pd.Timestamp(NIGHT), index=messages.index), messages["sent_date"])
    found = tries("personal_message_response_rate", "response_window_days")
    expected = {}
    for window in (7, 28):
        over = age >= window - 1
        expected[f"response_window_days {window}"] = float((wait[over] < window).sum() / over.sum())
    assert {rule: tried.value for (rule, _), tried in found.items()} == expected
    assert expected["response_window_days 28"] > 0


def test_an_adoption_window_is_recounted_product_by_product(con: duckdb.DuckDBPyConnection, tries: Tries) -> None:
    lines = table(con, "fct_order_lines").query("is_valid and quantity > 0")
    orders = table(con, "fct_orders").query("is_valid")
    found = tries("new_product_adoption_rate", "adoption_window_days")
    for product in table(con, "dim_products").itertuples():
        for window in (45, 180):
            tried = found.get((f"adoption_window_days {window}", product.product_id))
            if tried is None:
                continue
            before = days(pd.Series(product.launch_date, index=orders.index), orders["order_date"])
            active = set(orders.loc[(before > 0) & (before <= 365), "customer_key"])
            of_product = lines[lines["product_key"] == product.product_key]
            after = days(of_product["order_date"], pd.Series(product.launch_date, index=of_product.index))
            adopters = set(of_product.loc[(after >= 0) & (after < window), "customer_key"].dropna())
            assert tried.value == pytest.approx(len(adopters & active) / len(active), abs=1e-15)
    assert len(found) > 10


def test_a_metric_without_a_number_may_have_one_under_another_setting(tries: Tries) -> None:
    found = tries("excess_lapse_after_bad_contacts", "effect_horizon_days")
    assert {(tried.rule, tried.difference, tried.fragile) for tried in found.values()} == {
        ("effect_horizon_days 90", None, ()),
        ("effect_horizon_days 365", None, ()),
    }


def test_nothing_is_tried_where_the_published_number_does_not_come_out_again(
    con: duckdb.DuckDBPyConnection, tries: Tries
) -> None:
    other = replace(tries.manifest, definitions={**tries.manifest.definitions, "first_reply_hours": 1.0})
    usual = explain_metric(con, "first_reply_in_time_share", NIGHT, other.definitions)
    found = with_settings_tried(con, usual, tries.settings, tries.database, other)
    assert found.tried == ()
    assert re.fullmatch(
        r"first_reply_in_time_share \(lifetime, all\): the published number is 0\.85\d+ \(41\.0000 / 48\.0000\), "
        r"its models now give 0\.\d+ \(.* / 48\.0000\); code or settings have changed since, "
        r"so no other setting is tried",
        str(found.not_tried),
    )


def test_a_version_of_earlier_code_is_named_with_what_it_has_not(tries: Tries) -> None:
    opened = opened_trial(tries.settings, tries.database, tries.manifest, ["nps"])
    with (
        pytest.raises(
            NotMadeAgain,
            match=r"2025-12-30_001 was made by other code, and the models of today read what it has not: .*fct_parcels"
            r".*; `loyalty run --as-of 2025-12-30` makes the version anew",
        ),
        opened as trial,
    ):
        trial.database.make_again({trial.lineage.end: "select * from warehouse.marts.fct_parcels"})


def explain(shop: CornerShop, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["explain", *arguments, "--config", str(shop.config)])


def files_of(shop: CornerShop) -> dict[str, str]:
    """Every file of the home with a hash of its bytes."""
    return {
        path.relative_to(shop.home).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in shop.home.rglob("*")
        if path.is_file()
    }


def test_the_command_gives_all_of_it_and_leaves_the_home_as_it_was(shop: CornerShop) -> None:
    before = files_of(shop)
    found = json.loads(explain(shop, "active_member_share", "--try", "--json").output)
    assert files_of(shop) == before
    assert (found["untried"], found["not_tried"]) == ([], None)
    assert [tried["rule"] for tried in found["tried"]] == ["member_active_days 45", "member_active_days 180"]
    assert found["tried"][0]["value"] < found["told"][0]["value"]
    assert found["decisions"] == {"minimum base of 30": "reached"}
    (shop.home / "work" / "became").unlink()
    refused = explain(shop, "active_member_share", "--try")
    assert refused.exit_code == 1
    assert "another night was begun since; `loyalty run --as-of 2025-12-30` makes the version anew" in refused.stderr


def test_what_is_left_to_try_is_said_in_words(shop: CornerShop) -> None:
    assert "made again under other values of member_active_days" in explain(shop, "active_member_share").output
    for metric in ("mean_days_buying", "count_customers"):
        assert "no window or rule of the settings enters it" in explain(shop, metric, "--try").output
    assert "models that a night fits foretell it" in explain(shop, "predicted_clv", "--try").output
    assert "there is no source for it, so no window or rule can move it" in explain(shop, "closed_loop_rate").output
