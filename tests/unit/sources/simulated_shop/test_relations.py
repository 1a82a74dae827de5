"""What the simulated shop and its customers have with each other follows what is planted."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from drawn_shop import PLAN, SIGMAS, assert_share, block_of, column, feed, truth, with_relations
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.sources.simulated_shop import names
from dagster_project.sources.simulated_shop.account_use import known_since
from dagster_project.sources.simulated_shop.behaviour import KINDS
from dagster_project.sources.simulated_shop.calendar import DAY, Calendar
from dagster_project.sources.simulated_shop.people import NEVER, TREATED
from dagster_project.sources.simulated_shop.purchases import GUEST
from dagster_project.sources.simulated_shop.relations import badges, lots, messages, referrals, subscriptions, tiers
from dagster_project.sources.simulated_shop.relations.contacts import CHANNEL_SHARES, draw_identity
from dagster_project.sources.simulated_shop.relations.costs import expected_arrivals
from dagster_project.sources.simulated_shop.relations.lots import NONE, PointEvents, settled
from dagster_project.sources.simulated_shop.relations.membership import draw_memberships
from dagster_project.sources.simulated_shop.relations.plan import Badges, Contacts, Messages, Points, Referrals, Tiers
from dagster_project.sources.tables import SourceError

RELATIONS = PLAN.relations


# -- contacts ------------------------------------------------------------------------------------------------------


def mailbox(address: str) -> str:
    """An address as its provider reads it."""
    local, domain = unicodedata.normalize("NFKC", address).lower().split("@")
    return local.split("+")[0].replace(".", "") + "@" + domain


def digits(phone: str) -> str:
    return re.sub(r"^(0049|0)", "49", re.sub(r"\D", "", phone))


def test_addresses_of_one_mailbox_differ_in_spelling_only() -> None:
    told = truth("identities").to_pandas()
    told["mailbox"] = told["email"].map(mailbox)
    own = told[(told["address_style"] != "other_mailbox") & ~told["is_family_address"]]
    assert (own.groupby("person_id")["mailbox"].nunique() == 1).all()
    assert (own.groupby("mailbox")["person_id"].nunique() == 1).all()
    assert own.groupby("person_id")["email"].nunique().max() > 1
    assert set(told["address_style"]) == set(names.ADDRESS_STYLES)
    assert not told["email"].map(str.isascii).all()
    other = told[told["address_style"] == "other_mailbox"]
    assert not set(other["mailbox"]) & set(own["mailbox"])
    assert told["email"].str.endswith(".example").all()


def test_address_styles_that_are_too_few_are_refused() -> None:
    with pytest.raises(SourceError, match=r"address_style_shares are \(1\.0,\); expected 6 that add up to 1"):
        Contacts(address_style_shares=(1.0,))


def test_families_share_a_mailbox_and_a_name() -> None:
    identity = draw_identity(block_of())
    everybody = np.arange(len(identity.name))
    follows = identity.household != everybody
    assert_share(follows, RELATIONS.contacts.family_share * (1 - RELATIONS.contacts.family_share))
    assert (identity.household[identity.household] == identity.household).all()
    family = names.family_names(identity.name).to_pylist()
    assert [family[row] for row in everybody[follows]] == [family[row] for row in identity.household[follows]]
    told = truth("identities").to_pandas()
    shared = told[told["is_family_address"]]
    assert (shared.groupby(shared["email"].map(mailbox))["person_id"].nunique()).max() == 2


def test_namesakes_are_other_people_with_other_mailboxes() -> None:
    contacts = feed("contacts").to_pandas().assign(is_namesake=truth_of_accounts()["is_namesake"].to_numpy())
    namesakes = contacts[contacts["is_namesake"]]
    assert len(namesakes) > 50
    boxes = contacts["email"].map(mailbox)
    for name, box in zip(namesakes["full_name"], namesakes["email"].map(mailbox), strict=True):
        assert (boxes[contacts["full_name"] == name] != box).any()


def truth_of_accounts() -> pd.DataFrame:
    told = truth("identities").to_pandas()
    return told[told["kind"] == "account"]


def test_one_person_has_one_telephone_number_in_many_spellings() -> None:
    contacts = feed("contacts").to_pandas().assign(person_id=truth_of_accounts()["person_id"].to_numpy())
    known = contacts.dropna(subset=["phone"])
    assert (known["phone"].map(digits).groupby(known["person_id"]).nunique() == 1).all()
    assert known["phone"].map(lambda phone: re.sub(r"\d", "9", phone)).nunique() == len(names.PHONE_STYLES)
    assert set(known["phone"].map(lambda phone: digits(phone)[:6])) == {"491999"}
    assert_share(draw_identity(block_of()).has_phone, RELATIONS.contacts.phone_share)


def test_campaigns_write_to_people_who_agreed_only() -> None:
    agreed = set(feed("contacts").to_pandas().query("has_marketing_consent")["customer_id"])
    assert set(feed("campaign_messages")["customer_id"].to_pylist()) <= agreed


def test_preferences_are_stated_by_account_and_mostly_candid() -> None:
    block, contacts = block_of(), feed("contacts").to_pandas()
    stated = contacts["preferred_kind"].notna()
    assert (stated == contacts["preferred_channel"].notna()).all()
    assert_share(stated, RELATIONS.contacts.stated_share)
    is_favourite = (contacts["preferred_kind"] == np.array(KINDS)[block.people.favourite_kind[block.accounts.person]])[
        stated
    ]
    candid = RELATIONS.contacts.candid_share
    assert_share(is_favourite, candid + (1 - candid) / len(KINDS))
    for channel, share in CHANNEL_SHARES.items():
        assert_share(contacts["preferred_channel"][stated] == channel, share)


# -- points --------------------------------------------------------------------------------------------------------


def replayed(events: PointEvents, redeem_from: int) -> list[int]:
    """The same rules written for one member after the other, with lists."""
    moved, left = [0] * len(events), [0] * len(events)
    rows_of = defaultdict(list)
    for row, member in enumerate(events.member.tolist()):
        rows_of[member].append(row)

    def take(rows: list[int], points: int) -> None:
        for row in rows:
            taken = min(left[row], points)
            left[row] -= taken
            points -= taken

    for rows in rows_of.values():
        for row in rows:
            kind, amount, about = int(events.kind[row]), int(events.amount[row]), int(events.about[row])
            balance = sum(left[other] for other in rows)
            if kind in (lots.BONUS, lots.EARN, lots.GOODWILL):
                moved[row] = left[row] = amount
            elif kind == lots.REIMBURSE:
                moved[row] = left[row] = -moved[about]
            elif kind == lots.TRANSFER:
                moved[row] = balance
            elif kind == lots.EXPIRE:
                moved[row], left[about] = -left[about], 0
            elif kind == lots.REDEEM:
                wanted = balance * amount // 100 // 100 * 100 if balance >= redeem_from else 0
                take(rows, wanted)
                moved[row] = -wanted
            else:
                wanted = min(amount, balance)
                take(([about] if about != NONE else []) + rows, wanted)
                moved[row] = -wanted
    return moved


@st.composite
def point_events(draw: st.DrawFn) -> PointEvents:
    """Any events of three members, in an order in which they can happen."""
    entries: list[tuple[int, int, int, int]] = []
    for member in range(draw(st.integers(1, 3))):
        gifts: list[int] = []
        redemptions: list[int] = []
        for _ in range(draw(st.integers(1, 12))):
            row = len(entries)
            kinds = [lots.BONUS, lots.EARN, lots.GOODWILL, lots.REDEEM, lots.CORRECTION, lots.TRANSFER]
            kinds += [lots.EXPIRE, lots.REVERSE] * bool(gifts) + [lots.REIMBURSE] * bool(redemptions)
            kind = draw(st.sampled_from(kinds))
            about, amount = NONE, draw(st.integers(0, 100 if kind == lots.REDEEM else 400))
            if kind in (lots.EXPIRE, lots.REVERSE):
                about = draw(st.sampled_from(gifts))
            if kind == lots.REIMBURSE:
                about = redemptions.pop()
            if kind == lots.REDEEM:
                redemptions.append(row)
            if kind in (lots.BONUS, lots.EARN, lots.GOODWILL, lots.REIMBURSE):
                gifts.append(row)
            entries.append((member, kind, amount, about))
    member, kind, amount, about = (np.array(columns, dtype=np.int64) for columns in zip(*entries, strict=True))
    return PointEvents(member, np.arange(len(entries)), kind, amount, about, np.full(len(entries), NONE))


@given(events=point_events(), redeem_from=st.sampled_from([100, 200, 350]))
def test_points_settle_as_they_do_one_member_at_a_time(events: PointEvents, redeem_from: int) -> None:
    assert settled(events, redeem_from).tolist() == replayed(events, redeem_from)


def ledger() -> pd.DataFrame:
    rows = feed("points_ledger").to_pandas()
    owner = truth("accounts").to_pandas().set_index("customer_id")["person_id"]
    return rows.assign(person_id=rows["customer_id"].map(owner)).sort_values(["person_id", "event_number"])


def test_balances_are_never_negative_and_end_as_the_truth_says() -> None:
    rows = ledger()
    assert rows.groupby("person_id")["effective_at"].apply(lambda moments: moments.is_monotonic_increasing).all()
    assert (rows.groupby("person_id")["points"].cumsum() >= 0).all()
    by_account = rows.groupby("customer_id")["points"].cumsum()
    assert (by_account >= 0).all()
    told = truth("point_balances").to_pandas().set_index("person_id")
    pd.testing.assert_series_equal(
        rows.groupby("person_id")["points"].sum(), told["balance"], check_names=False, check_index_type=False
    )
    parts = told[["points_given", "points_redeemed", "points_expired", "points_taken_back"]].sum(axis=1)
    assert (parts == told["balance"]).all()


def test_every_kind_of_event_stands_in_the_ledger_with_its_sign() -> None:
    rows = ledger()
    lowest, highest = rows.groupby("event")["points"].min(), rows.groupby("event")["points"].max()
    gives = ["earn", "bonus", "reimburse", "transfer_in"]
    takes = ["redeem", "expire", "reverse_earn", "transfer_out"]
    assert set(lowest.index) == {*gives, *takes, "adjust"}
    assert (lowest[gives] > 0).all()
    assert (highest[takes] < 0).all()
    assert lowest["adjust"] < 0 < highest["adjust"]
    assert (rows["expires_on"].notna() == (rows["points"] > 0) & (rows["event"] != "transfer_in")).all()


def test_transfers_take_the_whole_balance_along() -> None:
    rows = ledger()
    out, into = rows[rows["event"] == "transfer_out"], rows[rows["event"] == "transfer_in"]
    assert len(out) > 10
    assert (out["points"].to_numpy() == -into["points"].to_numpy()).all()
    assert (out["customer_id"].to_numpy() != into["customer_id"].to_numpy()).all()
    upto = rows.groupby("customer_id")["points"].cumsum()
    assert (upto[out.index] == 0).all()


def test_points_expire_at_midnight_after_their_last_day_and_are_what_is_left() -> None:
    rows = ledger()
    expired = rows[rows["event"] == "expire"]
    assert (expired["effective_at"] == expired["effective_at"].dt.normalize()).all()
    last_days = rows.groupby("person_id")["expires_on"].agg(set)
    before = expired["effective_at"].dt.date - pd.Timedelta(days=1)
    assert all(day in last_days[person] for person, day in zip(expired["person_id"], before, strict=True))


def test_orders_earn_a_point_for_every_unit_paid() -> None:
    rows, block = ledger(), block_of()
    paid = dict(zip((f"o{number:010d}" for number in block.purchases.number), block.purchases.paid_cents, strict=True))
    earned = rows[rows["event"] == "earn"]
    assert (earned["points"] == [paid[order] // 100 for order in earned["order_id"]]).all()
    cancelled = feed("orders").to_pandas().query("status == 'cancelled'")["order_id"]
    of_cancelled = rows[rows["order_id"].isin(cancelled) & rows["event"].isin(["earn", "reverse_earn"])]
    assert (of_cancelled.groupby("order_id")["points"].sum() >= 0).all()
    assert (of_cancelled.groupby("order_id")["points"].sum() == 0).mean() > 0.9


def test_members_are_those_whom_purchases_depend_on() -> None:
    memberships, people = draw_memberships(block_of()), block_of().people
    assert not (memberships.is_member & ~people.is_member).any()
    never = people.is_member & ~memberships.is_member
    assert (known_since(block_of())[never] == NEVER).all()
    assert (memberships.joined_second[memberships.is_member] >= known_since(block_of())[memberships.is_member]).all()


def test_points_that_no_rule_can_follow_are_refused() -> None:
    with pytest.raises(SourceError, match="50 points to spend any, valid for 365 days; expected 100 for 90 or more"):
        Points(redeem_from=50)


# -- tiers ---------------------------------------------------------------------------------------------------------


def test_tiers_rise_at_once_and_fall_only_after_a_year_end_and_its_grace() -> None:
    """Each member's tier, replayed from the sums that were paid and refunded."""
    block = block_of()
    memberships, from_cents = draw_memberships(block), np.array(RELATIONS.tiers.from_cents)
    person, second, tier, _ = tiers.tier_changes(block, memberships)
    paid = defaultdict(list)
    for row in np.flatnonzero(block.fulfilment.fate == 0):
        paid[int(block.purchases.person[row])].append(
            (int(block.fulfilment.paid_second[row]), int(block.purchases.paid_cents[row]))
        )
    for order, moment, cents in zip(block.refunds.order, block.refunds.second, block.refunds.cents, strict=True):
        paid[int(block.purchases.person[order])].append((int(moment), -int(cents)))
    days = block.calendar.days
    new_years = [day * DAY for day in range(len(days)) if str(days[day]).endswith("-01-01")]
    grace = RELATIONS.tiers.grace_days * DAY

    def earned(who: int, moment: int) -> int:
        net = sum(cents for at, cents in paid[who] if moment - 365 * DAY < at <= moment)
        return max(int(np.searchsorted(from_cents, net, side="right")) - 1, 0)

    found = defaultdict(list)
    for who, at, to in zip(person.tolist(), second.tolist(), tier.tolist(), strict=True):
        found[who].append((at, to))
    members = np.flatnonzero(memberships.is_member)[:400].tolist()
    for who in members:
        joined = int(memberships.joined_second[who])
        looks = [(at, 0) for at, _ in paid[who] if at >= joined] + [(joined + 1, 0)]
        looks += [(end + grace, 1) for end in new_years if end + grace >= joined]
        held, expected = 0, [(joined, 0)]
        for at, is_review in sorted(looks):
            now = max(earned(who, at), earned(who, at - grace)) if is_review else earned(who, at)
            if (now < held) if is_review else (now > held):
                held = now
                expected.append((at, now))
        assert found[who] == expected
    fallen = feed("tier_changes").to_pandas().query("reason == 'spend_missed'")
    assert len(fallen) > 20
    assert set(fallen["valid_from"].dt.strftime("%m-%d")) <= {"04-01", "03-31"}


def test_tiers_without_a_lowest_one_are_refused() -> None:
    with pytest.raises(SourceError, match="expected one rising sum each, from 0"):
        Tiers(names=("one", "two"), from_cents=(100, 200))


# -- badges --------------------------------------------------------------------------------------------------------


def test_badges_are_given_for_orders_that_arrived_and_for_years_in_the_programme() -> None:
    """Each member's badges, replayed from their orders one after the other."""
    block, plan = block_of(), RELATIONS.badges
    memberships, arrived, bought = draw_memberships(block), block.fulfilment.delivered_second, block.purchases
    given_to = defaultdict(list)
    for who, at, badge, level in zip(*badges.badges_given(block, memberships), strict=True):
        given_to[int(who)].append((int(at), badges.BADGES[badge], int(level)))
    moments = defaultdict(list)
    for row in np.flatnonzero((block.fulfilment.fate == 0) & (bought.account != GUEST)):
        moments[int(bought.person[row])].append(int(arrived[row]))
    members = np.flatnonzero(memberships.is_member).tolist()
    for who in members:
        joined = int(memberships.joined_second[who])
        since = sorted(at for at in moments[who] if at >= joined)
        expected = [(since[n - 1], "regular", level) for level, n in enumerate(plan.order_counts, 1) if n <= len(since)]
        expected += [(joined + year * 365 * DAY, "anniversary", year) for year in (1, 2, 3)]
        assert sorted(given_to[who]) == sorted(row for row in expected if row[0] < block.end_second)
    assert {row[1:] for rows in given_to.values() for row in rows} >= {("regular", 3), ("anniversary", 2)}
    assert set(given_to) <= set(members)
    assert len(feed("badges")) == sum(map(len, given_to.values()))


def test_badges_can_be_turned_off() -> None:
    off = replace(block_of(), calendar=Calendar(with_relations(badges=Badges(order_counts=(), span_days=0))))
    assert [len(told) for told in badges.badges_given(off, draw_memberships(block_of()))] == [0, 0, 0, 0]


@pytest.mark.parametrize("counts", [(10, 3), (0, 3), (3, 3)])
def test_badges_for_numbers_that_do_not_rise_from_one_are_refused(counts: tuple[int, ...]) -> None:
    with pytest.raises(SourceError, match="expected rising numbers from 1, and days from 0"):
        Badges(order_counts=counts)


# -- referrals -----------------------------------------------------------------------------------------------------


def test_the_satisfied_bring_others_by_the_planted_weight() -> None:
    block = block_of()
    moment = 600 * DAY
    tries = np.random.default_rng(3).random((40_000, 12))
    found = referrals.referrers(block, np.full(40_000, moment), tries)
    there = (known_since(block) < moment) & (block.gone_second > moment) & ~block.people.is_prospect
    satisfaction = block.people.satisfaction[there]
    weight = np.exp(RELATIONS.referrals.satisfaction_log_weight * satisfaction)
    mean = (weight * satisfaction).sum() / weight.sum()
    spread = np.sqrt((weight * (satisfaction - mean) ** 2).sum() / weight.sum())
    chosen = block.people.satisfaction[found[found >= 0]]
    assert there[found[found >= 0]].all()
    assert abs(chosen.mean() - mean) <= SIGMAS * spread / np.sqrt(len(chosen))
    assert mean > satisfaction.mean() + 0.5


def test_who_came_by_referral_was_invited_by_somebody_before() -> None:
    block, made = block_of(), referrals.draw_referrals(block_of())
    comes = (made.referred >= 0) & ~made.is_self
    channel = [name for name, _ in PLAN.channels].index("referral")
    assert set(block.people.acquisition_channel[made.referred[comes]]) == {channel}
    assert (made.referrer[comes] != made.referred[comes]).all()
    assert (made.invited_second[comes] < block.purchases.second[made.order[comes]]).all()
    assert len(set(made.referred[comes])) == comes.sum()
    came = (block.people.acquisition_channel == channel) & (referrals.first_orders(block, 0) >= 0)
    assert np.isin(np.flatnonzero(came), made.referred[comes]).mean() > 0.95
    invited = ~made.is_self
    # The invitations in vain are Poisson in number, so the share spreads wider than a binomial one.
    share, count = comes[invited].mean(), invited.sum()
    assert abs(share - RELATIONS.referrals.converted_share) <= SIGMAS * 1.5 * np.sqrt(share * (1 - share) / count)


def test_rewards_are_paid_for_conversions_of_rewarded_referrals_only() -> None:
    rows, told = feed("referrals").to_pandas(), truth("referrals").to_pandas()
    is_paid = rows["reward_amount"] > 0
    assert (is_paid == rows["converted_at"].notna() & told["is_rewarded"]).all()
    voluntary = told["is_rewarded"][~told["is_self_referral"]]
    assert_share(voluntary.to_numpy(), RELATIONS.referrals.rewarded_share)
    own = rows[told["is_self_referral"]]
    person = truth("accounts").to_pandas().set_index("customer_id")["person_id"]
    assert (person[own["referrer_customer_id"]].to_numpy() == person[own["referred_customer_id"]].to_numpy()).all()
    assert (own["referrer_customer_id"] != own["referred_customer_id"]).all()


def test_referrals_without_conversions_are_refused() -> None:
    with pytest.raises(SourceError, match="converted_share is 0; expected more"):
        Referrals(converted_share=0.0)


# -- messages ------------------------------------------------------------------------------------------------------


def test_holdouts_are_a_random_share_and_get_nothing() -> None:
    rows = feed("campaign_messages").to_pandas()
    for number, campaign in enumerate(PLAN.campaigns):
        sent = rows[rows["campaign_id"] == f"campaign{number + 1:03d}"]
        assert_share((sent["arm"] == "holdout").to_numpy(), campaign.holdout_share)
        assert (sent["is_personal"] == campaign.is_personal).all()
    held = rows[rows["arm"] == "holdout"]
    assert set(held["status"]) == {"held_out"}
    assert held[["opened_at", "clicked_at"]].isna().all(axis=None)
    assert len(rows) < (block_of().people.arms == TREATED).sum() + len(held)


def test_personal_messages_are_answered_by_the_planted_ratio() -> None:
    rows = feed("campaign_messages").to_pandas().query("status == 'delivered'")
    plan = RELATIONS.messages
    opened, clicked = rows["opened_at"].notna().to_numpy(), rows["clicked_at"].notna().to_numpy()
    is_personal = rows["is_personal"].to_numpy()
    general = plan.opened_share * plan.clicked_share
    assert_share(opened[~is_personal], plan.opened_share)
    assert_share(clicked[~is_personal], general)
    assert_share(clicked[is_personal], general * plan.personal_response_ratio)
    assert not (clicked & ~opened).any()
    assert (rows["clicked_at"].dropna() > rows["opened_at"][clicked]).all()


def test_responses_beyond_everybody_are_refused() -> None:
    with pytest.raises(SourceError, match="expected at most all of them"):
        Messages(clicked_share=0.5, personal_response_ratio=3.0)


def test_a_shop_without_campaigns_has_no_messages() -> None:
    quiet = replace(PLAN, campaigns=())
    assert feed("campaign_messages", quiet).num_rows == feed("campaigns", quiet).num_rows == 0
    assert messages.campaign_ids(np.array([0])).to_pylist() == ["campaign001"]


# -- subscriptions -------------------------------------------------------------------------------------------------


def test_cancellations_follow_the_shifted_beta_geometric_hazard() -> None:
    """At the k-th renewal a / (a + b + k - 1) of those who came so far cancel: 1 less their retention rate."""
    plan = with_relations(subscriptions=replace(RELATIONS.subscriptions, subscriber_share=0.9))
    contracts, (contract, _, event, _) = subscriptions.draw_subscriptions(block_of(plan))
    a, b = plan.relations.subscriptions.a, plan.relations.subscriptions.b
    first = np.unique(contracts.person, return_index=True)[1]
    is_first = np.isin(contract, first)
    renewals = np.bincount(contract[is_first & (event == 1)], minlength=len(contracts.person))[first]
    cancelled = np.isin(first, contract[event == 5])
    ended = np.isin(first, contract[event == 6])
    for k in range(1, 7):
        came = (renewals >= k) | (ended & (renewals == k - 1))
        assert_share((cancelled & (renewals == k - 1))[came], a / (a + b + k - 1))


def test_contracts_end_once_and_begin_again_as_planned() -> None:
    rows = feed("subscription_events").to_pandas().sort_values(["subscription_id", "event_number"])
    by_contract = rows.groupby("subscription_id")["event"]
    assert (by_contract.first() == "started").all()
    assert by_contract.agg(lambda events: list(events).count("ended")).max() == 1
    ended = rows[rows["event"] == "ended"]
    assert (by_contract.last()[ended["subscription_id"]] == "ended").all()
    assert set(ended["reason"]) == {"cancelled", "payment_failed"}
    assert rows.groupby("subscription_id")["happened_at"].apply(lambda moments: moments.is_monotonic_increasing).all()
    cancelled = rows[rows["event"] == "cancelled"]["subscription_id"]
    by_choice = ended[ended["reason"] == "cancelled"]["subscription_id"]
    assert set(by_choice) <= set(cancelled)
    renewed = rows["event"] == "renewed"
    assert (rows["is_auto"] == renewed).all()
    assert (rows["amount"].notna() == (renewed | (rows["event"] == "started"))).all()
    contracts, (contract, second, event, _) = subscriptions.draw_subscriptions(block_of())
    over = contract[(event == 6) & (second < (PLAN.horizon_day - 700) * DAY)]
    order = np.lexsort((contracts.started_second, contracts.person))
    follows = np.zeros(len(order), dtype=bool)
    follows[order[:-1]] = contracts.person[order[:-1]] == contracts.person[order[1:]]
    assert_share(follows[over], RELATIONS.subscriptions.again_share)


def test_failed_payments_and_pauses_come_as_often_as_planned() -> None:
    _, (_, _, event, reason) = subscriptions.draw_subscriptions(block_of())
    count = {kind: int((event == place).sum()) for place, kind in enumerate(subscriptions.EVENTS)}
    lost = int(((event == 6) & (reason == 4)).sum())
    due = count["renewed"] + lost  # renewals that nobody cancelled
    failed = np.arange(due) < count["payment_failed"]
    assert_share(failed, RELATIONS.subscriptions.failed_payment_share)
    assert_share(np.arange(count["payment_failed"]) < lost, 0.5)
    assert_share(np.arange(due - count["payment_failed"]) < count["paused"], RELATIONS.subscriptions.paused_share)


# -- visits and costs ----------------------------------------------------------------------------------------------


def test_visits_before_orders_have_their_device_and_a_basket() -> None:
    visits, orders = feed("visits").to_pandas(), feed("orders").to_pandas()
    online = orders[(orders["channel"] != "store") & orders["customer_id"].notna()]
    matched = pd.merge_asof(
        online.sort_values("ordered_at"),
        visits.dropna(subset=["customer_id"]).query("has_cart").sort_values("started_at"),
        left_on="ordered_at",
        right_on="started_at",
        by=["customer_id", "device", "channel"],
        tolerance=pd.Timedelta(minutes=40),
    )
    assert matched["visit_id"].notna().all()
    assert visits["customer_id"].isna().any()


def test_visits_without_an_order_are_as_many_as_planned() -> None:
    """Active customers look in as often as they are expected to buy: own purchases after the first estimate that."""
    block, visits = block_of(), feed("visits")
    own = (block.purchases.cause == 0) & ~block.purchases.is_future & (block.purchases.occasion_number > 1)
    online = int(((block.purchases.channel != 2) & ~block.purchases.is_future).sum())
    looks = visits.num_rows - online
    lingering = 0.7 * ((block.gone_second < block.end_second) & ~block.people.is_prospect).sum()
    prospects = 2.0 * (block.people.is_prospect & (block.people.first_day < block.plan.end_day)).sum()
    expected = RELATIONS.visits.per_purchase * own.sum() + lingering + prospects
    assert abs(looks - expected) <= 0.04 * expected


def test_costs_add_up_to_the_plan() -> None:
    costs = feed("marketing_costs").to_pandas()
    spent = costs.groupby("purpose")["amount"].sum().astype(float)
    shares = np.array([share for _, share in PLAN.channels])
    planned = PLAN.customers * (shares * RELATIONS.costs.per_new_customer).sum() / 100
    assert abs(spent["acquisition"] - planned) <= 0.005 * len(costs)
    assert expected_arrivals(block_of().calendar).sum() == pytest.approx(PLAN.customers)
    months = (costs["purpose"] == "programme").sum()
    assert spent["programme"] == months * RELATIONS.costs.programme_per_month / 100
    assert costs["campaign_id"].notna().sum() == len(PLAN.campaigns)
    assert not column(feed("marketing_costs"), "amount").astype(float).min() <= 0
