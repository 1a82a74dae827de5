"""The marts behind the metrics equal a recount of the public shops' files in pandas, row by row."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import duckdb
import numpy as np
import pandas as pd
import pytest
from metric_rows import margin
from real_shops import OpenNight
from recounted import rfm_names
from same_rows import assert_same
from tidy_lifecycle import DAY, scores, standing
from tidy_periods import periods
from tidy_shops import SHOPS, TidyShop, tidy

every_shop = pytest.mark.parametrize("shop", SHOPS)
Query = Callable[..., pd.DataFrame]
MONEY = "cast({0} * 10000 as bigint) as {0}"


@pytest.fixture(scope="module")
def published(open_night: OpenNight) -> Query:
    """`published(shop, query)`: rows; `of_customers=True` puts the customer's number of the tidy tables for the key."""

    @cache
    def night(shop: str) -> duckdb.DuckDBPyConnection:
        return open_night(shop)

    @cache
    def numbers(shop: str) -> pd.Series:
        keys = night(shop).execute("select order_id, customer_key from marts.fct_orders").df()
        keys["customer"] = keys["order_id"].map(tidy(shop).orders["customer"])
        pairs = keys.dropna(subset="customer_key")[["customer_key", "customer"]].drop_duplicates()
        assert pairs["customer_key"].is_unique
        assert pairs["customer"].is_unique
        return pairs.set_index("customer_key")["customer"].astype("int64")

    def rows(shop: str, query: str, of_customers: bool = False) -> pd.DataFrame:
        table = night(shop).execute(query).df()
        if of_customers:
            table = table.assign(customer=table.pop("customer_key").map(numbers(shop)))
        return table

    return rows


def money(*names: str) -> str:
    return ", ".join(MONEY.format(name) for name in names)


# -- orders --------------------------------------------------------------------------------------------------------


@every_shop
def test_orders_have_their_amounts_and_their_one_reason(published: Query, shop: str) -> None:
    found = published(
        shop,
        "select order_id as order, cast(order_date as timestamp) as day, count_lines, exclusion_reason as reason, "
        f"coalesce(occasion_number, 0) as number, {money('gross_amount', 'refunded_amount', 'net_amount')} "
        "from marts.fct_orders",
    )
    orders = tidy(shop).orders[["day", "count_lines", "reason", "gross", "refunded", "net"]].reset_index()
    orders["number"] = orders["order"].map(tidy(shop).valid["number"]).fillna(0).astype("int64")
    found.columns = [name.removesuffix("_amount") for name in found.columns]
    assert_same(found, orders, ["order"])


@every_shop
def test_excluded_orders_are_those_that_do_not_count(published: Query, shop: str) -> None:
    found = published(
        shop, f"select order_id as order, exclusion_reason as reason, {money('net_amount')} from marts.order_exclusions"
    )
    orders = tidy(shop).orders.dropna(subset="reason").reset_index()
    assert_same(found, orders[["order", "reason"]].assign(net_amount=orders["net"]), ["order"])


@every_shop
@pytest.mark.parametrize("metric", ["average_order_value", "repeat_purchase_rate"])
def test_waterfalls_lead_from_all_orders_to_those_that_count(published: Query, shop: str, metric: str) -> None:
    found = published(
        shop,
        f"select step, count_orders, count_orders_left, {money('total_gross', 'total_gross_left')} "
        f"from marts.order_waterfalls where metric = '{metric}' order by step_number",
    )
    orders = tidy(shop).orders
    steps = orders["reason"].fillna("counted")
    if metric == "average_order_value":  # guests' orders are revenue
        steps = steps.replace("guest_unlinked", "counted")
    sums = orders.groupby(steps)["gross"].agg(["size", "sum"]).reindex(found["step"])
    counted = found["step"] == "counted"
    left = sums["size"].sum() - sums["size"].where(~counted.to_numpy(), 0).cumsum()
    gross_left = sums["sum"].sum() - sums["sum"].where(~counted.to_numpy(), 0).cumsum()
    again = pd.DataFrame(
        {
            "count_orders": sums["size"],
            "count_orders_left": left,
            "total_gross": sums["sum"],
            "total_gross_left": gross_left,
        }
    )
    assert set(found["step"]) == set(steps)
    assert found["step"].iloc[-1] == "counted"
    assert_same(found, again.reset_index(), ["step"])


# -- customers and months ------------------------------------------------------------------------------------------


def month_of(days: pd.Series) -> pd.Series:
    return days.dt.to_period("M").dt.start_time.astype("datetime64[us]")


def months_bought(shop: TidyShop) -> pd.DataFrame:
    """One row per customer and month with a purchase, the one that is not over as well."""
    table = shop.occasions.assign(month=month_of(shop.occasions["day"]))
    table = table.groupby(["customer", "month"]).agg(
        count_occasions=("day", "size"), count_orders=("count_orders", "sum"), total_net=("net", "sum")
    )
    return table.assign(total_margin=margin(table["total_net"])).reset_index()


@every_shop
def test_customer_months_hold_what_was_bought_in_them(published: Query, shop: str) -> None:
    columns = f"count_occasions, count_orders, {money('total_net', 'total_margin')}"
    found = published(
        shop,
        f"select customer_key, cast(month_start as timestamp) as month, {columns} from marts.fct_customer_months "
        "where is_active",
        of_customers=True,
    )
    assert_same(found, months_bought(tidy(shop)), ["customer", "month"])
    [(rows, sold)] = published(
        shop, "select count(*), count(*) filter (where not is_active and total_net <> 0) from marts.fct_customer_months"
    ).to_numpy()
    first = tidy(shop).customers["first"]
    end = tidy(shop).as_of
    assert rows == ((end.year - first.dt.year) * 12 + end.month - first.dt.month + 1).sum()
    assert sold == 0


@every_shop
def test_refunds_and_answers_stand_in_the_month_in_which_they_came(published: Query, shop: str) -> None:
    found = published(
        shop,
        f"select customer_key, cast(month_start as timestamp) as month, count_refunds, count_feedback, "
        f"{money('total_refund_cash')} from marts.fct_customer_months where count_refunds > 0 or count_feedback > 0",
        of_customers=True,
    )
    refunds, answers = (
        table[table["customer"].isin(tidy(shop).customers.index)] for table in (tidy(shop).refunds, tidy(shop).answers)
    )
    if shop == "cdnow":
        assert found.empty
        return
    cash = refunds.groupby(["customer", month_of(refunds["day"]).rename("month")])["amount"].agg(["size", "sum"])
    said = answers.groupby(["customer", month_of(answers["day"]).rename("month")]).size()
    again = pd.DataFrame(
        {"count_refunds": cash["size"], "total_refund_cash": cash["sum"], "count_feedback": said}
    ).fillna(0)
    again = again.astype("int64").reset_index().astype({"customer": "int64"})
    first = month_of(again["customer"].map(tidy(shop).customers["first"]))
    assert_same(found, again[again["month"] >= first], ["customer", "month"])


@every_shop
def test_cohorts_keep_the_customers_who_came_back(published: Query, shop: str) -> None:
    sums = ["count_customers", "count_active_customers", "count_orders"]
    found = published(
        shop,
        f"select cast(cohort_month as timestamp) as cohort, months_since_first_order as since, is_mature, "
        f"{', '.join(sums)}, {money('total_net', 'cumulative_net')}, retention_rate from marts.cohort_retention",
    )
    first = month_of(tidy(shop).customers["first"])
    months = months_bought(tidy(shop))
    months["cohort"] = months["customer"].map(first)
    cells = months.groupby(["cohort", "month"]).agg(
        count_active_customers=("customer", "size"),
        count_orders=("count_orders", "sum"),
        total_net=("total_net", "sum"),
    )
    pairs = [(cohort, month) for cohort in set(first) for month in pd.date_range(cohort, tidy(shop).as_of, freq="MS")]
    cells = cells.reindex(pd.MultiIndex.from_tuples(pairs, names=["cohort", "month"]), fill_value=0).reset_index()
    cells["count_customers"] = cells["cohort"].map(first.value_counts())
    cells["cumulative_net"] = cells.groupby("cohort")["total_net"].cumsum()
    cells["retention_rate"] = cells["count_active_customers"] / cells["count_customers"]
    cells["is_mature"] = cells["month"] + pd.offsets.MonthBegin(1) <= tidy(shop).as_of + DAY
    told = ["count_active_customers", "count_orders", "total_net", "cumulative_net", "retention_rate"]
    cells[told] = cells[told].where(cells["is_mature"])
    since = (cells["month"].dt.year - cells["cohort"].dt.year) * 12 + cells["month"].dt.month - cells["cohort"].dt.month
    assert_same(found, cells.drop(columns="month").assign(since=since.astype("int32")), ["cohort", "since"])


# -- where customers stand -----------------------------------------------------------------------------------------


@every_shop
def test_rfm_scores_are_shared_by_equals(published: Query, shop: str) -> None:
    scored = ["recency_score", "frequency_score", "monetary_score"]
    found = published(
        shop,
        f"select customer_key, days_since_last_order as silent, count_occasions_in_window as occasions_in_window, "
        f"{', '.join(scored)}, segment, cast(total_net_in_window * 10000 as bigint) as net_in_window "
        "from marts.rfm_segments",
        of_customers=True,
    )
    now = standing(tidy(shop), tidy(shop).as_of)
    middle = (now["frequency_score"] + now["monetary_score"] + 1) // 2
    now = now.assign(segment=[rfm_names()[pair] for pair in zip(now["recency_score"], middle, strict=True)])
    assert_same(
        found, now[["silent", "occasions_in_window", "net_in_window", *scored, "segment"]].reset_index(), ["customer"]
    )


@every_shop
def test_states_of_the_life_cycle_are_those_of_a_hand_made_machine(published: Query, shop: str) -> None:
    found = published(
        shop,
        "select customer_key, lifecycle_state as state, days_since_last_order as silent, count_lapses, is_loyal, "
        "expected_gap_days as expected_gap from marts.lifecycle_states where lifecycle_state <> 'prospect'",
        of_customers=True,
    )
    now = standing(tidy(shop), tidy(shop).as_of)[["state", "silent", "count_lapses", "is_loyal", "expected_gap"]]
    assert_same(found, now.astype({"count_lapses": "int64"}).reset_index(), ["customer"])


@every_shop
def test_transitions_count_who_moved_from_state_to_state(published: Query, shop: str) -> None:
    found = published(
        shop,
        "select cast(month_start as timestamp) as month, state_before, state_after, count_customers, count_before, "
        "transition_share from marts.lifecycle_transitions",
    )
    months = periods(tidy(shop)).query("period == 'month'")
    before, moves = pd.Series(dtype=object), []
    for start, end in zip(months["start"], months["end"], strict=True):
        after = standing(tidy(shop), end - DAY)["state"]
        moved = pd.DataFrame({"state_before": before.reindex(after.index).fillna("not_yet"), "state_after": after})
        moves.append(moved.value_counts().rename("count_customers").reset_index().assign(month=start))
        before = after
    again = pd.concat(moves)
    again["count_before"] = again.groupby(["month", "state_before"])["count_customers"].transform("sum")
    again["transition_share"] = again["count_customers"] / again["count_before"]
    assert_same(found, again, ["month", "state_before", "state_after"])


@every_shop
def test_loyalty_scores_of_customers_are_the_means_of_their_pillars(published: Query, shop: str) -> None:
    found = published(
        shop,
        "select customer_key, score_behavioural as behavioural, score_emotional as emotional, score_financial as "
        "financial, score_overall as overall, coverage_share as coverage from marts.loyalty_scores",
        of_customers=True,
    )
    assert_same(found, scores(tidy(shop)).reset_index(), ["customer"])


# -- what they said ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("horizon", [90, 180, 365])
def test_what_followed_answers_is_counted_among_all_of_them(published: Query, horizon: int) -> None:
    """Answers whose follow-up is over are equal; and who could be compared with somebody came back as often as all did.

    Of satisfied customers a part is drawn, so the matched share may be off by what a draw of that size is.
    """
    shop = tidy("olist")
    found = published(
        "olist",
        f"select band, count_answers, count_matched_answers, mean_after_answer from marts.feedback_behaviour "
        f"where instrument = 'csat' and outcome = 'repurchase_share' and horizon_days = {horizon}",
    ).set_index("band")
    bands = np.select(
        [shop.answers["stars"] >= 4, shop.answers["stars"] <= 2], ["satisfied", "dissatisfied"], "neutral"
    )
    answers = shop.answers.assign(band=bands).drop_duplicates(["customer", "band", "day"])
    month_after = answers["day"].dt.to_period("M").dt.end_time.dt.normalize() + DAY
    answers = answers[month_after + horizon * DAY <= shop.as_of + DAY]
    assert found["count_answers"].to_dict() == answers["band"].value_counts().to_dict()
    answers = answers.sort_values("day")
    later = pd.merge_asof(
        answers, shop.occasions[["customer", "day"]].rename(columns={"day": "next"}).sort_values("next"),
        left_on="day", right_on="next", by="customer", direction="forward", allow_exact_matches=False,
    )  # fmt: skip
    came_back = (later["next"] - later["day"]).dt.days <= horizon
    unmatched = came_back.groupby(later["band"]).mean()
    error = np.sqrt(unmatched * (1 - unmatched) / found["count_matched_answers"])
    assert ((found["mean_after_answer"] - unmatched).abs() < 3 * error).all()
