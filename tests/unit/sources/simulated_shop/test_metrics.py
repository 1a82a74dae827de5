"""The true metrics: equal to what pandas counts in the clean feeds, customer by customer."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from dagster_project.sources.simulated_shop import ShopPlan, simulate
from dagster_project.sources.simulated_shop.metrics.definitions import DEFINITIONS
from dagster_project.sources.simulated_shop.metrics.measure import Measure, measure_table, true_metrics

PLAN = ShopPlan(customers=800, days=500, seed=51)
LAST = pd.Timestamp(PLAN.last_day)
Metrics = dict[tuple[str, str, str, str | None], tuple[int, int]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("metrics") / "shop"
    simulate(PLAN, out)
    return out


@pytest.fixture(scope="module")
def metrics(folder: Path) -> Metrics:
    rows = json.loads((folder / "truth" / "shop.json").read_text(encoding="utf-8"))["metrics"]
    return {
        (row["metric"], row["segment"], row["period_type"], row["period_start"]): (row["numerator"], row["denominator"])
        for row in rows
    }


@pytest.fixture(scope="module")
def orders(folder: Path) -> pd.DataFrame:
    """The orders that count by the feeds, with day, net in cents, account and real person."""
    orders = feed(folder, "orders.csv.gz")
    lines = feed(folder, "order_lines.csv.gz")
    goods = (lines["quantity"].astype(int) * cents(lines["unit_price"])).groupby(lines["order_id"]).sum()
    refunds = feed(folder, "refunds.csv")
    refunded = cents(refunds["refund_amount"]).groupby(refunds["order_id"]).sum()
    orders["gross"] = orders["order_id"].map(goods).fillna(0) - cents(orders["discount_amount"])
    orders["net"] = (orders["gross"] - orders["order_id"].map(refunded).fillna(0)).astype("int64")
    orders["day"] = pd.to_datetime(orders["ordered_at"]).dt.normalize()
    truth = pd.read_parquet(folder / "truth" / "orders.parquet").set_index("order_id")
    orders["persons"] = orders["order_id"].map(truth["person_id"])
    orders["accounts"] = orders["customer_id"].where(orders["customer_id"] != "")
    counts = (orders["status"] != "cancelled") & (orders["payment_status"] == "paid") & (orders["net"] > 0)
    counts &= (orders["is_test"] == "false") & (orders["is_gift_card_only"] == "false")
    return orders[counts]


def feed(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False)


def cents(texts: pd.Series) -> pd.Series:
    return (texts.astype(float) * 100).round().astype("int64")


def days_of(orders: pd.DataFrame, owner: str) -> pd.Series:
    """Each owner's purchase occasions, sorted."""
    return (
        orders.dropna(subset=[owner])
        .drop_duplicates([owner, "day"])
        .sort_values("day")
        .groupby(owner)["day"]
        .apply(list)
    )


@pytest.mark.parametrize("owner", ["persons", "accounts"])
def test_counts_of_owners_are_those_of_pandas(owner: str, metrics: Metrics, orders: pd.DataFrame) -> None:
    days = days_of(orders, owner)
    window = LAST - pd.Timedelta(days=364)
    recent = days.map(lambda found: sum(day >= window for day in found))
    over = days[days.map(lambda found: (LAST - found[0]).days > 97)]
    within = over.map(lambda found: len(found) > 1 and (found[1] - found[0]).days <= 90)
    loyal = days.map(
        lambda found: (
            sum(day >= window for day in found) >= 3
            and (LAST - found[-1]).days <= 1.5 * pd.Series(found).diff().dt.days.median()
        )
    )
    expected = {
        ("repeat_purchase_rate", "lifetime"): ((days.map(len) >= 2).sum(), len(days)),
        ("repeat_purchase_rate_within_window", "lifetime"): (within.sum(), len(over)),
        ("purchase_frequency", "trailing_window"): (recent.sum(), (recent > 0).sum()),
        ("loyal_share", "trailing_window"): (loyal.sum(), (recent > 0).sum()),
    }
    assert {key: metrics[key[0], owner, key[1], None] for key in expected} == expected
    assert loyal.sum() > 10


@pytest.mark.parametrize("owner", ["persons", "accounts"])
@pytest.mark.parametrize("month", ["2025-03-01", "2025-11-01"])
def test_retention_is_that_of_pandas(owner: str, month: str, metrics: Metrics, orders: pd.DataFrame) -> None:
    known = orders.dropna(subset=[owner])
    start = pd.Timestamp(month)
    before_start, after = start - pd.DateOffset(months=1), start + pd.DateOffset(months=1)
    before = set(known[(known["day"] >= before_start) & (known["day"] < start)][owner])
    now = set(known[(known["day"] >= start) & (known["day"] < after)][owner])
    earlier = set(known[known["day"] < start][owner])
    assert metrics["retention_rate", owner, "month", month] == (len(before & now), len(before))
    assert metrics["retention_rate_classic", owner, "month", month] == (len(earlier & now), len(before))
    assert metrics["churn_rate", owner, "month", month] == (len(before - now), len(before))


def test_money_is_that_of_pandas(metrics: Metrics, orders: pd.DataFrame) -> None:
    for currency, own in orders.groupby("currency"):
        assert metrics["average_order_value", str(currency), "lifetime", None] == (own["net"].sum(), len(own))
    january = orders[(orders["day"] >= "2025-01-01") & (orders["day"] < "2025-02-01") & (orders["currency"] == "EUR")]
    assert metrics["average_order_value", "EUR", "month", "2025-01-01"] == (january["net"].sum(), len(january))
    first = orders.groupby("persons")["day"].transform("min")
    euros = orders[orders["currency"] == "EUR"]
    repeats = euros[euros["day"] > first[euros.index]]
    assert metrics["repeat_revenue_share", "persons", "lifetime", None] == (repeats["net"].sum(), euros["net"].sum())
    later = orders[orders["day"] > first]
    full = later[(later["coupon_code"] == "")]
    assert metrics["full_price_share_of_repeats", "persons", "lifetime", None] == (len(full), len(later))


def test_kinds_and_new_products_are_those_of_pandas(metrics: Metrics, orders: pd.DataFrame, folder: Path) -> None:
    products = feed(folder, "products.csv").set_index("product_id")
    lines = feed(folder, "order_lines.csv.gz").merge(orders[["order_id", "persons", "day"]], on="order_id")
    lines["kind"] = lines["product_id"].map(products["product_kind"])
    kinds = lines[lines["kind"] != "gift_card"].groupby("persons")["kind"].nunique()
    several, one = (kinds >= 2).sum(), (kinds == 1).sum()
    assert metrics["multi_kind_share", "persons", "lifetime", None] == (several, several + one)
    assert metrics["upsell_ratio", "persons", "lifetime", None] == (several, one)
    product, launch = max(
        (product, launch)
        for product, launch in products["launched_on"].items()
        if launch > "2024-12-01" and launch < "2025-09-01"
    )
    start = pd.Timestamp(launch)
    early = lines[(lines["product_id"] == product) & (lines["day"] < start + pd.Timedelta(days=90))]
    before = orders[(orders["day"] < start) & (orders["day"] >= start - pd.Timedelta(days=365))]
    assert metrics["new_product_adoption", f"persons, {product}", "lifetime", None] == (
        early["persons"].nunique(),
        before["persons"].nunique(),
    )


def test_scores_are_those_of_pandas(metrics: Metrics, folder: Path) -> None:
    window = LAST - pd.Timedelta(days=364)
    answers = feed(folder, "survey_answers.csv")
    answers["at"] = pd.to_datetime(answers["answered_at"])
    given = answers[(answers["question"] == "nps") & (answers["at"] >= window)].sort_values("at")
    last = given.groupby("customer_id").tail(1)["score"].astype(int)
    assert metrics["nps_of_answers", "all", "trailing_window", None] == (
        (last >= 9).sum() - (last <= 6).sum(),
        len(last),
    )
    asked = pd.read_parquet(folder / "truth" / "invitations.parquet")
    sent = feed(folder, "survey_invitations.csv.gz").set_index("invitation_id")["sent_at"]
    asked["at"] = pd.to_datetime(asked["invitation_id"].map(sent))
    everybody = asked[asked["at"] >= window].sort_values("at").groupby("person_id").tail(1)["nps_score"]
    assert metrics["nps_of_everybody", "all", "trailing_window", None] == (
        (everybody >= 9).sum() - (everybody <= 6).sum(),
        len(everybody),
    )


def test_referrals_and_subscriptions_are_those_of_pandas(metrics: Metrics, folder: Path, orders: pd.DataFrame) -> None:
    asked = pd.read_parquet(folder / "truth" / "referrals.parquet")
    true = asked[~asked["is_self_referral"]]
    assert metrics["referral_rate", "all", "lifetime", None] == (
        true["referrer_person_id"].nunique(),
        orders["persons"].nunique(),
    )
    events = feed(folder, "subscription_events.csv")
    starts = events[events["event"] == "started"].groupby("customer_id").size()
    returned = set(events[events["event"] == "renewed"]["customer_id"]) | set(starts[starts > 1].index)
    assert metrics["subscription_repurchase_ratio", "all", "lifetime", None] == (len(returned), len(starts))


def test_every_metric_has_words_and_every_word_a_metric(metrics: Metrics) -> None:
    assert {name for name, *_ in metrics} == set(DEFINITIONS)


def test_the_metrics_do_not_depend_on_the_end_of_the_plan_but_on_what_is_seen(tmp_path: Path, metrics: Metrics) -> None:
    simulate(PLAN.cut(400), tmp_path / "cut")
    rows = json.loads((tmp_path / "cut" / "truth" / "shop.json").read_text(encoding="utf-8"))["metrics"]
    last_day = PLAN.first_day + dt.timedelta(days=399)
    cut = {
        (row["metric"], row["segment"], row["period_type"], row["period_start"]): (row["numerator"], row["denominator"])
        for row in rows
    }
    months = {key for key in cut if key[2] == "month"}
    assert max(str(key[3]) for key in months) <= last_day.replace(day=1).isoformat()
    assert (
        cut["repeat_purchase_rate", "persons", "lifetime", None]
        != metrics["repeat_purchase_rate", "persons", "lifetime", None]
    )


def test_measures_of_blocks_add_up_and_have_no_value_without_a_base() -> None:
    blocks = [
        measure_table([Measure("churn_rate", 3, 10), Measure("referral_rate", 0, 0)]),
        measure_table([Measure("churn_rate", 2, 15)]),
        measure_table([]),
    ]
    found: list[dict[str, Any]] = true_metrics(pa.concat_tables(blocks))
    assert [(row["metric"], row["numerator"], row["denominator"], row["value"]) for row in found] == [
        ("churn_rate", 5, 25, 0.2),
        ("referral_rate", 0, 0, None),
    ]
    assert found[0]["definition"] == DEFINITIONS["churn_rate"]
