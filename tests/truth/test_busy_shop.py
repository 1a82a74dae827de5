"""A shop with every effect at work and no dirt: the warehouse counts what there was, to the unit and the cent.

Everybody writes from one mailbox of their own, so the warehouse's customers are the shop's persons, guests included.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import replace

import pytest
from known_shop import HAS_SPLINK, ONE_CURRENCY, KnownShop

from dagster_project.sources.simulated_shop import ShopPlan

EVERYBODY_CAN_BE_FOUND = (0.4, 0.2, 0.15, 0.15, 0.0, 0.1)
"""Shares of the ways to write an address, another mailbox left out: every account and guest's order is somebody's."""
OUT_OF_COUNT = {"cancelled", "unpaid", "test", "gift_card", "zero_value"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> KnownShop:
    plan = ShopPlan(customers=1_500, days=800, seed=22, countries=ONE_CURRENCY)
    plan = replace(plan, orders=replace(plan.orders, second_account_share=0.15))
    contacts = replace(plan.relations.contacts, family_share=0.0, address_style_shares=EVERYBODY_CAN_BE_FOUND)
    plan = replace(plan, relations=replace(plan.relations, contacts=contacts))
    return KnownShop.after_one_night(tmp_path_factory.mktemp("busy"), plan, resolves_identities=True)


@pytest.mark.parametrize(
    ("metric", "period"),
    [
        ("repeat_purchase_rate", "lifetime"),
        ("repeat_purchase_rate_within_window", "lifetime"),
        ("purchase_frequency", "trailing_window"),
        *(
            (metric, period)
            for metric in ("retention_rate", "retention_rate_classic", "churn_rate")
            for period in ("month", "quarter")
        ),
    ],
)
def test_counts_of_persons_are_exact(shop: KnownShop, metric: str, period: str) -> None:
    said, true = shop.said(metric, period), shop.true(metric, "persons", period)
    assert said == {start: counts for start, counts in true.items() if counts[1]}
    assert period in ("lifetime", "trailing_window") or len(said) > 7


@pytest.mark.parametrize("period", ["lifetime", "month", "quarter"])
def test_average_order_value_is_exact_to_the_cent(shop: KnownShop, period: str) -> None:
    said, true = shop.said("average_order_value", period), shop.true("average_order_value", "EUR", period)
    cents = {start: (int(total * 100), orders) for start, (total, orders) in said.items()}
    assert cents == {start: counts for start, counts in true.items() if counts[1]}


def test_every_person_is_one_customer_with_all_their_orders(shop: KnownShop) -> None:
    """Two accounts, guests' orders and all: customer and person are one to one, and their sums are the same."""
    pairs = shop.rows("""
        select distinct customer_key, person_id
        from warehouse.marts.fct_orders join memory.truth.orders using (order_id)
    """)
    customers, persons = ({pair[place] for pair in pairs} for place in (0, 1))
    assert None not in customers
    assert len(pairs) == len(customers) == len(persons) > 1_400
    sums = shop.rows("""
        select customer_key, count(*), sum(net_amount), min(order_date), max(order_date)
        from warehouse.marts.fct_orders where is_valid group by customer_key order by 1
    """)
    assert sums == shop.rows("""
        select customer_key, count_orders, total_net, first_order_date, last_order_date
        from warehouse.marts.fct_customers where count_orders > 0 order by 1
    """)


def test_a_customer_agrees_who_agreed_in_every_account(shop: KnownShop) -> None:
    """The last word of each account, by person; of the customer's own name and birthday only that they are known."""
    shop.con.execute(f"""
        create or replace temp view said_of_accounts as
        select id, person_id, full_name is not null as has_name, birthday is not null as has_birthday,
            has_marketing_consent
        from '{shop.root}/deliveries/contacts.csv'
        inner join memory.truth.identities on kind = 'account' and id = customer_id
        qualify row_number() over (partition by customer_id order by updated_at desc) = 1
    """)
    true = shop.rows("""
        select has_name, has_birthday, has_marketing_consent, count(*) from (
            select bool_or(has_name) as has_name, bool_or(has_birthday) as has_birthday,
                bool_and(has_marketing_consent) as has_marketing_consent
            from said_of_accounts group by person_id
        ) group by all order by all
    """)
    assert true == shop.rows("""
        select has_name, has_birthday, has_marketing_consent, count(*)
        from warehouse.marts.dim_customers where count_accounts > 0 group by all order by all
    """)
    assert len(true) > 3


def test_a_customer_prefers_what_the_latest_account_that_says_so_states(shop: KnownShop) -> None:
    """Recounted by person in plain Python; several hundred state something, some of them twice and differently."""
    said: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for person, account_at, channel, kind in shop.rows(f"""
        select person_id, updated_at, preferred_channel, preferred_kind
        from read_csv('{shop.root}/deliveries/contacts.csv', all_varchar = true)
        inner join memory.truth.identities on kind = 'account' and id = customer_id
    """):
        stated = said.setdefault(person, {"channel": [], "kind": []})
        stated["channel"] += [(account_at, channel)] * bool(channel)
        stated["kind"] += [(account_at, kind)] * bool(kind)
    latest = {
        person: tuple(max(stated[about])[1] if stated[about] else None for about in ("channel", "kind"))
        for person, stated in said.items()
    }
    told = shop.rows("""
        select distinct person_id, preferred_contact_channel, preferred_product_kind
        from warehouse.marts.dim_customers
        inner join memory.truth.identities as truth on truth.kind = 'account' and truth.id = customer_id
    """)
    assert {person: tuple(row) for person, *row in told} == latest
    changed = [p for p, stated in said.items() if any(len({word for _, word in told}) > 1 for told in stated.values())]
    assert len(changed) > 10
    assert sum(kind is not None for _, kind in latest.values()) > 400


def test_every_coupon_is_told_with_its_buyers_and_who_of_them_came_back(shop: KnownShop) -> None:
    """Recounted by person from the delivered file in plain Python; that an order counts is proven elsewhere."""
    placed = shop.rows(f"""
        select sent.coupon_code, truth.person_id, told.order_date, told.is_valid, told.discount_amount, told.net_amount
        from read_csv('{shop.root}/deliveries/orders.csv*', all_varchar = true) as sent
        inner join memory.truth.orders as truth using (order_id)
        inner join warehouse.marts.fct_orders as told using (order_id)
        where told.is_revenue
    """)
    days: dict[str, set[dt.date]] = defaultdict(set)
    for _, person, date, is_valid, _, _ in placed:
        if is_valid:
            days[person].add(date)
    true = []
    for coupon in sorted({row[0] for row in placed if row[0]}):
        orders = [row for row in placed if row[0] == coupon]
        first_use = {person: min(row[2] for row in orders if row[1] == person) for person in {row[1] for row in orders}}
        closed = {person: day for person, day in first_use.items() if (shop.plan.last_day - day).days > 90 + 7}
        returned = [p for p, day in closed.items() if any(0 < (later - day).days <= 90 for later in days[p])]
        firsts = [person for person, day in first_use.items() if day == min(days[person])]
        sums = [sum(row[place] for row in orders) for place in (4, 5)]
        true.append((coupon, len(orders), len(first_use), len(firsts), *sums, len(closed), len(returned)))
    assert true == shop.rows("""
        select coupon_code, count_orders, count_customers, count_first_time_customers, total_discount, total_net,
            count_mature_customers, count_returned_customers
        from warehouse.marts.coupon_use order by coupon_code
    """)
    assert [(row[0], 0 < row[-1] < row[-2]) for row in true] == [("SALE15", True), ("THANKS10", True)]


@pytest.mark.skipif(not HAS_SPLINK, reason="needs the extra [matching]")
def test_nobody_is_suggested_where_everybody_was_found(shop: KnownShop) -> None:
    """There are namesakes, and none who shares more than the name; the night publishes a model and hardly a pair."""
    assert shop.rows("select distinct status from warehouse.quality.matching_parameters") == [("fitted",)]
    [(count_customers,)] = shop.rows("select count(*) from warehouse.marts.dim_customers")
    [(count_suggested,)] = shop.rows("select count(*) from warehouse.quality.suggested_merges")
    assert count_suggested <= count_customers / 1000


def test_merges_name_every_second_account_and_every_later_order_of_a_guest(shop: KnownShop) -> None:
    [(accounts, account_owners, guests)] = shop.rows("""
        select count(*) filter (where kind = 'account'), count(distinct person_id) filter (where kind = 'account'),
            count(*) filter (where kind = 'guest_order')
        from memory.truth.identities
    """)
    [(everybody,)] = shop.rows("select count(distinct person_id) from memory.truth.identities")
    merged = shop.rows("select record_kind, count(*) from warehouse.marts.customer_merges group by 1 order by 1")
    assert accounts > account_owners
    assert sum(count for _, count in merged) == accounts + guests - everybody


def test_every_order_counts_or_not_as_it_truly_does(shop: KnownShop) -> None:
    """Orders of the last months are left out: they may be cancelled or refunded yet."""
    last = shop.plan.last_day - dt.timedelta(days=90)
    wrong = shop.rows(
        """
        select orders.fate, orders.is_counted, fct.exclusion_reason, count(*)
        from memory.truth.orders as orders join warehouse.marts.fct_orders as fct using (order_id)
        where orders.ordered_at < ? and not orders.is_future
            and (coalesce(fct.exclusion_reason, 'guest_unlinked') = 'guest_unlinked') <> orders.is_counted
        group by all
        """,
        [last],
    )
    assert wrong == []
    fates = {fate for (fate,) in shop.rows("select distinct fate from memory.truth.orders where not is_counted")}
    assert fates == {*OUT_OF_COUNT, "regular"}


@pytest.mark.parametrize(("rule_set", "owner"), [("as_set", "persons"), ("accounts_only", "accounts")])
def test_sensitivity_is_exact_for_persons_and_for_accounts(shop: KnownShop, rule_set: str, owner: str) -> None:
    [counts] = shop.true("repeat_purchase_rate", owner).values()
    assert shop.rows(
        "select numerator, denominator from warehouse.marts.identity_sensitivity "
        "where metric = 'repeat_purchase_rate' and rule_set = ?",
        [rule_set],
    ) == [counts]


def test_accounts_hide_repeats_of_persons(shop: KnownShop) -> None:
    """What identity resolution finds: persons come back more often than their accounts show."""
    (of_accounts,), (of_persons,) = (
        shop.true("repeat_purchase_rate", owner).values() for owner in ("accounts", "persons")
    )
    assert of_persons[0] / of_persons[1] > of_accounts[0] / of_accounts[1] + 0.005


def test_customers_who_buy_several_kinds_are_counted(shop: KnownShop) -> None:
    [(several, any_kind)] = shop.true("multi_kind_share", "persons").values()
    assert shop.rows(
        "select count(*) filter (where count_product_kinds >= 2), count(*) from warehouse.marts.fct_customers "
        "where count_product_kinds >= 1"
    ) == [(several, any_kind)]


def test_members_buy_more_than_the_programme_makes_them_buy(shop: KnownShop) -> None:
    """Members choose themselves: comparing them with others says several times the true lift."""
    [(added, own)] = shop.true("programme_lift").values()
    assert 0.04 < added / own < 0.22
    naive = shop.rows("""
        select avg(count_orders) filter (where joined_on <= last_order_date)
            / avg(count_orders) filter (where joined_on is null) - 1
        from memory.truth.accounts_at_end join memory.truth.persons using (person_id)
    """)
    assert naive[0][0] > 3 * added / own


def test_every_member_has_the_points_that_they_truly_have(shop: KnownShop) -> None:
    """Of both accounts of a person together: points that move from one to the other are given once."""
    said = shop.rows("""
        select person_id, sum(points) filter (where is_gift),
            coalesce(sum(points) filter (where event_kind = 'redeem'), 0),
            coalesce(sum(points) filter (where event_kind = 'expire'), 0),
            coalesce(sum(points) filter (where event_kind in ('reverse_earn', 'adjust') and not is_gift), 0),
            sum(points)
        from warehouse.marts.fct_points_ledger join warehouse.marts.dim_customers using (customer_key)
        join memory.truth.accounts using (customer_id) group by person_id order by person_id
    """)
    true = shop.rows("""
        select person_id, points_given, points_redeemed, points_expired, points_taken_back, balance
        from memory.truth.point_balances order by person_id
    """)
    assert len(true) > 200
    assert said == true
    assert shop.rows("select min(points_balance) >= 0 from warehouse.marts.fct_points_ledger") == [(True,)]


def test_every_member_holds_the_badges_that_they_were_given(shop: KnownShop) -> None:
    """Recounted from the truth: orders that arrived since joining, and years in the programme, by person."""
    told = shop.rows("""
        select person_id, badge_name, badge_level, award_number
        from warehouse.marts.fct_badges inner join warehouse.marts.dim_customers using (customer_key)
        inner join memory.truth.accounts using (customer_id) order by all
    """)
    joined = shop.rows(f"""
        select person_id, min(valid_from) from '{shop.root}/deliveries/tier_changes.csv'
        inner join memory.truth.accounts using (customer_id) group by person_id
    """)
    arrivals = defaultdict(list)
    for person, at in shop.rows(f"""
        select person_id, delivered_at from memory.truth.orders inner join (
            select order_id, try_cast(delivered_at as timestamp) as delivered_at
            from read_csv('{shop.root}/deliveries/orders.csv*', all_varchar = true)
            where customer_id is not null
        ) as sent using (order_id)
        where fate = 'regular' and delivered_at is not null
    """):
        arrivals[person].append(at)
    end = dt.datetime.combine(shop.plan.last_day + dt.timedelta(days=1), dt.time())
    true = []
    for person, since in joined:
        count = sum(at >= since for at in arrivals[person])
        levels = {"regular": sum(count >= n for n in (3, 10, 25)), "anniversary": (end - since).days // 365}
        true += [(person, badge, level, level) for badge, last in levels.items() for level in range(1, last + 1)]
    assert told == sorted(true)
    assert len(told) > 300


def test_balances_of_the_last_month_are_those_of_the_ledger(shop: KnownShop) -> None:
    rows = shop.rows("""
        with ends as (
            select customer_key, sum(points) as points from warehouse.marts.fct_points_ledger group by customer_key
        )
        select count(*), count(*) filter (where months.points_balance <> coalesce(ends.points, 0)),
            count(*) filter (where ends.points <> 0)
        from warehouse.marts.fct_customer_months as months left join ends using (customer_key)
        where not months.is_complete_month or months.month_start = (
            select max(month_start) from warehouse.marts.fct_customer_months
        )
    """)
    [(months, wrong, members)] = rows
    assert (wrong, months > 1_000, members > 200) == (0, True, True)


def test_subscription_repurchase_is_exact(shop: KnownShop) -> None:
    assert shop.said("subscription_repurchase_ratio") == shop.true("subscription_repurchase_ratio")


@pytest.mark.parametrize("kind", ["personal", "general"])
def test_response_to_messages_is_exact(shop: KnownShop, kind: str) -> None:
    """Every campaign ended long before, so each window is over."""
    assert shop.said(f"{kind}_message_response_rate") == shop.true("message_response_rate", kind)


def test_personal_messages_are_answered_as_much_more_often_as_planted(shop: KnownShop) -> None:
    [(low, high, claimed, verdict)] = shop.rows("""
        select metrics.ci_low, metrics.ci_high, claims.claimed_low, claims.verdict
        from warehouse.marts.loyalty_metrics as metrics
        join warehouse.marts.spec_claims as claims using (metric)
        where metrics.metric = 'personal_response_multiple' and metrics.period_type = 'trailing_window'
    """)
    assert low < shop.plan.relations.messages.personal_response_ratio < high
    assert verdict == ("does_not_hold" if high < claimed else "cannot_say")


def test_referrals_are_told_with_what_came_of_them(shop: KnownShop) -> None:
    """Those of people to themselves, from one account to the other, are all seen through."""
    truth = "from warehouse.marts.fct_referrals as told join memory.truth.referrals as truth using (referral_id)"
    counts = shop.rows(f"select count(told.converted_at), count(*) {truth} where not truth.is_self_referral")
    assert counts == list(shop.true("referral_conversion").values())
    referrers = shop.rows(f"select count(distinct truth.referrer_person_id) {truth} where not truth.is_self_referral")
    assert referrers[0][0] == shop.true("referral_rate")[None][0]
    assert shop.rows(f"""
        select count(*) {truth}
        where (told.reward_status = 'rewarded') <> (truth.is_rewarded and told.converted_at is not null)
    """) == [(0,)]
    told = shop.rows(
        f"select truth.is_self_referral, told.is_self_referral, count(*) > 0 {truth} group by all order by 1"
    )
    assert told == [(False, False, True), (True, True, True)]
