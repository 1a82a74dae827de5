"""What the talking shop's customers do after what they said or met: recounted in pandas from the published facts."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import pytest
from known_shop import KnownShop

from dagster_project.explaining.sensitivity import Decisions
from dagster_project.explaining.trials import subject_of, try_settings
from dagster_project.headlines import reading
from dagster_project.metric_trials import opened_trial
from dagster_project.publishing.versions import current_database, read_manifest
from dagster_project.settings import load_settings

HORIZON = 90
CUTS = {
    "silence": (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8),
    "occasions": (0.33, 0.66, 0.85, 0.95),
    "net": (0.4, 0.8, 0.95),
    "tenure": (0.33, 0.66),
}


@pytest.fixture(scope="module")
def shop(talking_shop: KnownShop) -> KnownShop:
    return talking_shop


@pytest.fixture(scope="module")
def occasions(shop: KnownShop) -> pd.DataFrame:
    found = shop.con.execute(
        "select customer_key, order_date::timestamp as day, sum(net_amount)::double as net "
        "from warehouse.marts.fct_orders where is_valid group by all order by all"
    ).df()
    found["number"] = found.groupby("customer_key").cumcount() + 1
    found["net"] = found.groupby("customer_key")["net"].cumsum()
    found["first"] = found.groupby("customer_key")["day"].transform("min")
    return found.sort_values("day", ignore_index=True)


def events_of(shop: KnownShop, comparison: str) -> pd.DataFrame:
    """Customer, day and kind of what happened, one a day."""
    if comparison == "bad_contacts":
        sql = """
            select customer_key, opened_date::timestamp as day, row_number() over (
                partition by customer_key order by opened_at, contact_key
            )::varchar as kind
            from warehouse.marts.fct_support_contacts where is_bad_contact and customer_key is not null
            qualify kind <= '3' and length(kind) = 1
        """
    else:
        sql = f"""
            select distinct customer_key, feedback_date::timestamp as day, band as kind
            from warehouse.marts.fct_feedback where instrument = '{comparison}' and customer_key is not null
        """
    found = shop.con.execute(sql).df()
    found["month"] = found["day"].dt.to_period("M")
    return found


def known_at(days: pd.DataFrame, occasions: pd.DataFrame, offset: int = 0) -> pd.DataFrame:
    """The last occasion by so many days after each day, in the order of the rows; missing where there was none."""
    wanted = days[["customer_key"]].assign(day=days["day"] + pd.Timedelta(days=offset), place=range(len(days)))
    found = pd.merge_asof(
        wanted.sort_values("day"), occasions.rename(columns={"day": "last"}), left_on="day", right_on="last",
        by="customer_key",
    )  # fmt: skip
    return found.sort_values("place", ignore_index=True)


def states_of(days: pd.DataFrame, occasions: pd.DataFrame) -> pd.DataFrame:
    now, year_before, after = (known_at(days, occasions, offset) for offset in (0, -365, HORIZON))
    states = days.reset_index(drop=True).assign(
        silence=(now["day"] - now["last"]).dt.days,
        occasions=now["number"] - year_before["number"].fillna(0),
        net=(now["net"] - year_before["net"].fillna(0)).round(4),
        tenure=(now["day"] - now["first"]).dt.days,
        repurchase=(after["number"] > now["number"]).astype(float),
        spent=after["net"] - now["net"],
    )
    return states[now["last"].notna().to_numpy()]


def everybody_by_month(events: pd.DataFrame, occasions: pd.DataFrame) -> pd.DataFrame:
    """Each customer on one day of each month, drawn from the two."""
    months = pd.DataFrame({"month": events["month"].unique()})
    days = occasions[["customer_key"]].drop_duplicates().merge(months, how="cross")
    texts = days["customer_key"] + ":" + days["month"].dt.start_time.dt.strftime("%Y-%m-%d")
    days["draw"] = [int(hashlib.md5(text.encode()).hexdigest()[:7], 16) for text in texts]  # noqa: S324
    days["day"] = days["month"].dt.start_time + pd.to_timedelta(days["draw"] % 28, unit="D")
    return days


def with_strata(states: pd.DataFrame, everybody: pd.DataFrame) -> pd.DataFrame:
    """The levels of each state, cut at shares of everybody of the month."""
    levels = {}
    for name, shares in CUTS.items():
        cuts = everybody.groupby("month")[name].agg(
            lambda values, shares=shares: np.quantile(values, shares, method="inverted_cdf")
        )
        levels[name] = [
            int((value > cuts[month]).sum()) for value, month in zip(states[name], states["month"], strict=True)
        ]
    keys = [
        states["month"].astype(str),
        *(pd.Series(level, index=states.index).astype(str) for level in levels.values()),
    ]
    return states.assign(stratum=keys[0].str.cat(keys[1:], sep=":"))


def effects_of(shop: KnownShop, comparison: str, occasions: pd.DataFrame) -> dict[str, tuple[int, int, float, float]]:
    """By kind: matched events, states compared with, repurchase share and net after the event less the others'."""
    events = events_of(shop, comparison)
    end = pd.Timestamp(shop.plan.last_day) - pd.Timedelta(days=HORIZON)
    events_followed = events[events["month"].dt.end_time.dt.normalize() <= end]
    others = states_of(everybody_by_month(events_followed, occasions), occasions)
    exposed = with_strata(states_of(events_followed, occasions), others)
    others = with_strata(others, others)
    first = others["customer_key"].map(events.groupby("customer_key")["day"].min())
    others = others[~(first <= others["day"])].sort_values(["draw", "customer_key"])
    sizes = exposed["stratum"].value_counts()
    others = others[
        others["stratum"].isin(sizes.index) & (others["stratum"].map(others["stratum"].value_counts()) >= 2)
    ]
    others = others[others.groupby("stratum").cumcount() < others["stratum"].map(sizes) * 5]
    means = others.groupby("stratum")[["repurchase", "spent"]].mean()
    counts = others["stratum"].value_counts()
    found = {}
    for kind, rows in exposed[exposed["stratum"].isin(means.index)].groupby("kind"):
        gaps = rows[["repurchase", "spent"]].to_numpy() - means.loc[rows["stratum"]].to_numpy()
        compared = int(counts.loc[rows["stratum"].unique()].sum())
        found[str(kind)] = (len(rows), compared, *map(float, gaps.mean(axis=0)))
    return found


def said_of(shop: KnownShop, table: str, kind: str, count: str, where: str) -> dict[str, tuple[int, int, float, float]]:
    rows = shop.rows(
        f"select {kind}::varchar, max({count}), max(count_compared), "
        "max(difference) filter (where outcome = 'repurchase_share'), "
        "max(difference) filter (where outcome = 'net_per_customer') "
        f"from warehouse.marts.{table} where horizon_days = {HORIZON} and {count} > 0 and {where} group by all"
    )
    return {str(name): (matched, compared, share, net) for name, matched, compared, share, net in rows}


def assert_same(
    said: dict[str, tuple[int, int, float, float]], counted: dict[str, tuple[int, int, float, float]]
) -> None:
    assert said.keys() == counted.keys()
    for kind, found in counted.items():
        assert said[kind] == pytest.approx(found, abs=1e-6), kind


@pytest.mark.parametrize("instrument", ["nps", "nps_transactional", "review"])
def test_what_customers_do_after_they_said_so_equals_pandas(
    shop: KnownShop, occasions: pd.DataFrame, instrument: str
) -> None:
    said = said_of(shop, "feedback_behaviour", "band", "count_matched_answers", f"instrument = '{instrument}'")
    assert len(said) == 3
    assert_same(said, effects_of(shop, instrument, occasions))


def test_what_customers_do_after_bad_contacts_equals_pandas(shop: KnownShop, occasions: pd.DataFrame) -> None:
    said = said_of(shop, "bad_contact_behaviour", "count_bad_contacts", "count_matched_customers", "true")
    assert "1" in said
    assert_same(said, effects_of(shop, "bad_contacts", occasions))


def test_effect_of_the_programme_is_not_told_where_members_choose_themselves(shop: KnownShop) -> None:
    """Who buys much joins more often. The matched difference is several times the planted lift, and nobody reads it."""
    assert shop.plan.programme.rate_log_odds > 0
    rows = shop.rows(
        "select is_estimable, estimate_reason is null, margin_effect, return_on_cost "
        "from warehouse.marts.programme_effect"
    )
    assert len(rows) == 6
    assert set(rows) == {(False, False, None, None)}
    told = shop.rows(
        "select metric_value, status, status_reason like 'not estimable: %' from warehouse.marts.loyalty_metrics "
        "where metric in ('programme_effect', 'programme_return')"
    )
    assert told == [(None, "no_base", True)] * 2


def test_loyalty_scores_equal_pandas(shop: KnownShop) -> None:
    """Anchors of the definitions; the latest answers of a year; nothing known is nothing, and never a zero."""
    scores = shop.con.execute(
        "select scores.*, states.silence_in_expected_gaps as silence, "
        "customers.count_occasions_in_window as occasions, "
        "customers.total_net_in_window::double as net from warehouse.marts.loyalty_scores as scores "
        "join warehouse.marts.lifecycle_states as states using (customer_key) "
        "join warehouse.marts.fct_customers as customers using (customer_key)"
    ).df().set_index("customer_key")  # fmt: skip
    answers = shop.con.execute(
        "select customer_key, case when instrument like 'nps%' then 'nps' else instrument end as instrument, "
        "coalesce(invitation_key, feedback_key) as sheet, max(submitted_at) as moment, max(feedback_key) as place, "
        "avg(score_0_100) as points, count(*) as items from warehouse.marts.fct_feedback "
        "where customer_key is not null and (instrument in ('csat', 'cli') or instrument like 'nps%') "
        f"and feedback_date > date '{shop.plan.last_day}' - 365 group by all"
    ).df()  # fmt: skip
    answers = answers[(answers["instrument"] != "cli") | (answers["items"] >= 2)].sort_values(["moment", "place"])
    latest = answers.groupby(["customer_key", "instrument"])["points"].last().groupby("customer_key").mean()
    known = pd.DataFrame({
        "behavioural": (100 * (1 - scores["silence"] / 3).clip(0, 1) + 100 * (scores["occasions"] / 6).clip(0, 1)) / 2,
        "emotional": latest.reindex(scores.index),
        "financial": 100 * (scores["net"] / 500).clip(0, 1),
    })  # fmt: skip
    for pillar in known:
        np.testing.assert_allclose(scores[f"score_{pillar}"].astype(float), known[pillar], atol=1e-4)
    overall = known.mean(axis=1).mask(scores["count_open_severe_complaints"] > 0, known.mean(axis=1).clip(upper=40))
    np.testing.assert_allclose(scores["score_overall"], overall, atol=1e-4)
    assert 100 < known["emotional"].notna().sum() < len(known) - 100
    [(total, count)] = shop.said("loyalty_score").values()
    assert float(total) / float(count) == pytest.approx(overall.mean(), abs=1e-3)


def test_an_effect_tried_over_another_horizon_is_the_one_that_its_table_tells(shop: KnownShop) -> None:
    settings = load_settings(shop.root / "loyalty.yaml")
    database = current_database(settings.home / "published")
    manifest = read_manifest(database.parent)
    with reading(database) as con:
        subject = subject_of(con, "lapse_after_bad_contacts")
    with opened_trial(settings, database, manifest, subject.lines) as trial:
        tried = try_settings(trial, subject, ["effect_horizon_days"], manifest.definitions, Decisions())
    told = shop.rows(
        "select 'effect_horizon_days ' || horizon_days, mean_after_contact from bad_contact_behaviour "
        "where count_bad_contacts = 2 and outcome = 'lapse_share' and horizon_days <> 180"
    )
    assert {one.rule: one.value for one in tried} == dict(told)
    assert len(tried) == 2
    assert any(one.difference for one in tried)
