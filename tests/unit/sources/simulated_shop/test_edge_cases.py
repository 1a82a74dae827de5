"""Every edge case of the metric definitions that a source can send, the simulated shop sends, one way or another."""

from __future__ import annotations

import datetime as dt
from dataclasses import fields
from pathlib import Path

import duckdb
import numpy as np
import pytest
from drawn_shop import block_of, with_relations

from dagster_project.sources.simulated_shop import Dirt, Habits, ShopPlan, simulate
from dagster_project.sources.simulated_shop.dirt import KINDS
from dagster_project.sources.simulated_shop.relations import tiers
from dagster_project.sources.simulated_shop.relations.membership import draw_memberships
from dagster_project.sources.simulated_shop.relations.plan import Tiers

PLANTED = {
    "refund > order": "refund_above_its_order",
    "refund without order": "refund_without_order",
    "order edited after ingestion (keep versions, latest `updated_at`)": "edited_order",
    "order edited after ingestion (tie by `_ingested_at`)": "order_versions_of_one_moment",
    "exchange": "exchanged_order",
    "re-opened order": "reopened_order",
    "e-mail in other case": "address_in_capitals",
    "e-mail with trailing space": "address_with_a_trailing_space",
    "e-mail with a unicode look-alike": "address_with_a_look_alike_letter",
    "phone formats": "phone_in_another_spelling",
    "customer erased with open refunds": "customer_erased_with_an_open_refund",
    "answer after erasure": "answer_after_erasure",
    "marketplace orders without identity": "marketplace_order",
    "wholesale outlier": "wholesale_account",
    "currency missing": "order_without_currency",
    "rate missing on holiday (last known, flagged, max age)": "missing_rate",
    "rate missing": "order_in_an_unknown_currency",
    "DST day of 23 h": "order_in_the_skipped_hour",
    "DST day of 25 h": "order_in_the_doubled_hour",
    "order at 23:59:59.999": "order_of_the_last_millisecond",
    "future-dated rows (clock skew)": "future_order",
    "negative quantity": "negative_quantity",
    "enum gets new value": "order_status_of_a_new_release",
    "survey double submit": "answer_sent_twice",
    "score as text": "score_as_text",
    "anonymous answer": "anonymous_answer",
    "answer in wave 2 to wave 1 question": "answer_to_an_earlier_wave",
    "review edited from 5★ to 1★": "review_lowered_from_five_stars",
    "points backdated": "backdated_points",
    "redeem at same timestamp as earn (order by event_seq)": "points_spent_at_the_moment_they_are_earned",
}
"""Edge case: the kind of dirt that plants it."""

DRAWN = {
    "refund before/after as-of": "select count(*) from refunds where refunded_at >= '{middle}'"
    " and order_id in (select order_id from orders where ordered_at < '{middle}')",
    "cancel after ship": "select count(*) from states where status = 'cancelled' and was = 'shipped'",
    "partial cancel": "select count(*) from refunds join lines using (order_id)"
    " where refund_amount::decimal(9, 2) < goods",
    "guest then account": "select count(*) from guests join known using (person_id) where guests.at < known.at",
    "two accounts one person": "select count(*) from (select person_id from accounts group by 1 having count(*) > 1)",
    "one e-mail shared by a family/office": "select count(*) from (select lower(trim(email)) as mail from contacts"
    " join accounts using (customer_id) where email is not null group by 1 having count(distinct person_id) > 1)",
    "plus-address": "select count(*) from contacts where email like '%+%@%'",
    "dot": "select count(*) from contacts as one join contacts as other on one.email <> other.email"
    " and replace(split_part(one.email, '@', 1), '.', '') || split_part(one.email, '@', 2)"
    " = replace(split_part(other.email, '@', 1), '.', '') || split_part(other.email, '@', 2)",
    "case": "select count(*) from contacts where email <> lower(email)",
    "first order is a gift card": "select count(*) from truth_orders where fate = 'gift_card' and occasion_number = 1",
    "$0 sample": "select count(*) from (select order_id from lines where goods = 0)",
    "subscription auto-renewal (contract, not choice: flag `is_auto`)": "select count(*) from subscription_events"
    " where is_auto = 'true'",
    "rate missing on weekends": "select count(*) from range(date '{first}', date '{last}', interval 1 day) days(day)"
    " anti join exchange_rates on day = rate_date::date",
    "leap day anniversaries": "select count(*) from contacts where birthday::varchar like '%-02-29'",
    "expiry at midnight local": "select count(*) from points_ledger where event = 'expire'"
    " and effective_at::varchar like '% 00:00:00'",
    "transfer between merged accounts": "select count(*) from points_ledger where event like 'transfer_%'",
    "tests": "select count(*) from orders where is_test = 'true'",
    "same order id from two shops": "select count(*) from orders join other_orders using (order_id)",
}
"""Edge case: a query over the feeds and the truth that counts it."""

SENT = {
    "duplicate file": "repeated_file_share",
    "no new data night": "silent_day_share",
    "source down (stale ≠ zero!)": "absent_file_share",
    "schema gains/loses/renames a column": "schema_changes",
    "late rows": "late_share",
    "corrections": "corrected_share",
}
"""Edge case: the habit of sending that makes it. The empty table of the first night is the header that every feed sends
on the first day."""

PLANNED = {"tier threshold equality": "`Tiers.from_cents` is a plan's: any sum that was reached can be the threshold"}
"""Edge case: why a plan makes it at will."""

NOT_MADE = {
    "un-merge": "the feeds merge no accounts: that is the warehouse's own act, to be undone there",
    "0/0": "a matter of metrics, not of sources",
    "one customer": "a matter of metrics: the smallest shop has 100",
    "all identical values (percent_rank = 0)": "a matter of metrics, not of sources",
}
"""Edge case: why no source sends it here."""


@pytest.fixture(scope="module")
def con(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    """A shop's feeds by their names, as text, and its truth."""
    root, con = tmp_path_factory.mktemp("edges"), duckdb.connect()
    plan = ShopPlan(customers=2_500, days=800, seed=31)
    simulate(plan, root / "shop", deliver="whole")
    simulate(ShopPlan(customers=150, days=120, seed=32), root / "other")
    for path in sorted((root / "shop").glob("*.*")):
        if path.suffix == ".parquet":
            con.execute(f"create view {path.stem} as from read_parquet('{path}')")
        elif not path.name.startswith("."):
            con.execute(f"create view {path.name.partition('.')[0]} as from read_csv('{path}', all_varchar = true)")
    con.execute(f"create view other_orders as from read_csv('{root}/other/orders.csv.gz', all_varchar = true)")
    truth = root / "shop" / "truth"
    con.execute(f"create view accounts as from '{truth}/accounts.parquet'")
    con.execute(f"create view truth_orders as from '{truth}/orders.parquet'")
    con.execute(
        "create view lines as select order_id, sum(quantity::int * unit_price::decimal(9, 2)) as goods "
        "from order_lines group by 1"
    )
    for name, condition in (("guests", "is null"), ("known", "is not null")):
        con.execute(
            f"create view {name} as select person_id, min(ordered_at) as at from truth_orders "
            f"where not is_future and customer_id {condition} group by 1"
        )
    daily = root / "daily"
    simulate(ShopPlan(customers=1_000, days=200, seed=33), daily, deliver="daily", habits=Habits(0, 1, 0, 0, 0, 0))
    con.execute(
        "create view states as select *, lag(status) over (partition by order_id order by updated_at) as was "
        f"from '{daily}/truth/order_versions.parquet'"
    )
    return con


def test_every_kind_stands_for_an_edge_case_that_is_listed() -> None:
    assert {KINDS[name].edge for name in PLANTED.values()} == set(PLANTED)
    others = {kind.edge for kind in KINDS.values()} - set(PLANTED)
    assert others == {
        "duplicate rows of an order",
        "duplicate rows of an order line",
        "order time that is none",
        "trailing space in a key",
        "row with too few fields",
        "number as text",
        "score off its scale",
        "balance below zero",
    }


def test_every_habit_of_sending_is_one() -> None:
    assert set(SENT.values()) | {"late_days"} == {habit.name for habit in fields(Habits)}


@pytest.mark.parametrize("edge", DRAWN)
def test_rare_events_that_are_true_are_drawn(con: duckdb.DuckDBPyConnection, edge: str) -> None:
    days = {"first": dt.date(2024, 6, 1), "middle": dt.date(2025, 6, 1), "last": dt.date(2025, 12, 31)}
    [(count,)] = con.execute(DRAWN[edge].format(**days)).fetchall()
    assert count > 0, edge


@pytest.mark.parametrize(("above", "reached"), [(0, True), (1, False)])
def test_a_sum_equal_to_a_tiers_threshold_reaches_it_and_a_cent_less_does_not(above: int, reached: bool) -> None:
    person, second, highest = _highest_sum_of_a_member()
    planned = with_relations(tiers=tiers_of(highest + above))
    block = block_of(planned)
    who, when, tier, _ = tiers.tier_changes(block, draw_memberships(block))
    changes = [(int(at), int(to)) for at, to in zip(when[who == person], tier[who == person], strict=True)]
    assert changes[0][1] == 0
    assert changes[1:2] == ([(second, 1)] if reached else [])


def tiers_of(cents: int) -> Tiers:
    return Tiers(names=("basic", "silver"), from_cents=(0, cents))


def _highest_sum_of_a_member() -> tuple[int, int, int]:
    """A member, the moment of the payment after which the sum of a year was highest, and that sum in cents."""
    block = block_of()
    memberships, spends = draw_memberships(block), tiers.Spends(block)
    for person in np.flatnonzero(memberships.is_member):
        joined = int(memberships.joined_second[person])
        seconds = spends.second[(spends.person == person) & (spends.second > joined + 1)]
        sums = spends.before(np.full(len(seconds), person), seconds)
        if len(sums) > 3 and sums.argmax() > 0 and sums.max() > spends.before(person, np.int64(joined + 1)):
            return int(person), int(seconds[sums.argmax()]), int(sums.max())
    raise LookupError("no member whose sum is highest after a later payment")


def test_no_edge_case_is_listed_twice() -> None:
    listed = [*PLANTED, *DRAWN, *SENT, *PLANNED, *NOT_MADE]
    assert len(listed) == len(set(listed))


def test_every_kind_of_the_levels_strikes_a_drawn_shop(tmp_path: Path) -> None:
    """The kinds find their rows among what is really drawn, not only in feeds made for tests."""
    shares = {kind.name: 0.03 if kind.eligible is None else 0.7 for kind in KINDS.values()}
    simulate(ShopPlan(customers=2_000, days=800, seed=34), tmp_path / "shop", Dirt(shares=shares))
    planted = duckdb.sql(f"select distinct kind from '{tmp_path}/shop/truth/dirt.parquet'").fetchall()
    assert {kind for (kind,) in planted} == set(KINDS)
