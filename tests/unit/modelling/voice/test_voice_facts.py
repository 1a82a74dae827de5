"""What the models of the voice read: texts that count, and facts as they were when somebody was asked."""

import datetime as dt

import duckdb
import pandas as pd
import pytest
from talking_shop import play

from dagster_project.modelling.voice import voice_facts
from dagster_project.modelling.voice.drivers import satisfaction_drivers
from dagster_project.modelling.voice.voice_facts import DRIVER_OF_FACT, NONRESPONSE_FACTS

AS_OF = dt.date(2025, 12, 31)
TABLES = {
    "scratch.intermediate.int_texts_united": (
        "stands_beside varchar, text_key varchar, written_text varchar, language_code varchar, written_date date"
    ),
    "marts.fct_feedback": (
        "feedback_key varchar, instrument varchar, band varchar, score_0_100 double, is_latest boolean, "
        "is_counted boolean, invitation_key varchar, customer_key varchar, order_key varchar, submitted_at timestamp, "
        "feedback_date date, has_text boolean"
    ),
    "marts.fct_mentions": "mention_key varchar, is_counted boolean",
    "marts.fct_orders": (
        "order_key varchar, customer_key varchar, ordered_at timestamp, order_date date, net_amount decimal(18, 4), "
        "shipping_amount decimal(18, 4), discount_amount decimal(18, 4), items_amount decimal(18, 4), "
        "channel varchar, count_units bigint, occasion_number bigint, is_valid boolean, "
        "promised_date date, delivered_at timestamp, days_late bigint"
    ),
    "marts.fct_order_lines": ("order_key varchar, line_kind varchar, product_kind varchar, line_amount decimal(18, 4)"),
    "marts.fct_support_contacts": (
        "contact_key varchar, customer_key varchar, contact_kind varchar, opened_at timestamp, "
        "first_replied_at timestamp, first_reply_calendar_hours double"
    ),
    "marts.fct_survey_invitations": (
        "invitation_key varchar, customer_key varchar, channel varchar, sent_at timestamp, sent_date date, "
        "survey varchar, is_delivered boolean, is_awaiting_answer boolean"
    ),
}


@pytest.fixture
def con() -> duckdb.DuckDBPyConnection:
    made = duckdb.connect()
    made.execute("attach ':memory:' as scratch; create schema scratch.intermediate; create schema marts")
    for table, columns in TABLES.items():
        made.execute(f"create table {table} ({columns})")
    return made


def put(con: duckdb.DuckDBPyConnection, table: str, *rows: tuple) -> None:
    con.executemany(f"insert into {table} values ({', '.join('?' * len(rows[0]))})", list(rows))


def order(key: str, customer: str, day: str, net: float, delivery: tuple = (None, None, None)) -> tuple:
    return (key, customer, f"{day} 12:00:00", day, net, 5, 10, 100, "app", 2, 1, True, *delivery)


def answer(key: str, band: str, score: float, day: str, **other: str | None) -> tuple:
    keys = [other.get(name) for name in ("invitation_key", "customer_key", "order_key")]
    return (key, other.get("instrument", "nps"), band, score, True, True, *keys, f"{day} 12:00:00", day, True)


def invitation(key: str, customer: str, day: str, *, is_delivered: bool = True, is_awaiting: bool = False) -> tuple:
    return (key, customer, "email", f"{day} 12:00:00", day, "relationship", is_delivered, is_awaiting)


def test_facts_are_those_known_when_the_invitation_was_sent(con):
    put(con, "marts.fct_orders", order("o1", "A", "2025-01-01", 80), order("o2", "A", "2025-02-01", 20),
        order("later", "A", "2025-06-02", 999), order("other", "B", "2025-01-01", 7))  # fmt: skip
    put(con, "marts.fct_support_contacts",
        ("k1", "A", "question", "2025-05-01 12:00:00", None, None),
        ("old", "A", "question", "2025-01-01 12:00:00", None, None),
        ("after", "A", "question", "2025-06-01 13:00:00", None, None))  # fmt: skip
    put(con, "marts.fct_survey_invitations", invitation("i1", "A", "2025-06-01"), invitation("i0", "A", "2024-06-01"),
        invitation("bounced", "B", "2025-06-01", is_delivered=False),
        invitation("young", "C", "2025-12-30", is_awaiting=True))  # fmt: skip
    put(con, "marts.fct_feedback", answer("f0", "detractor", 30, "2024-06-03", invitation_key="i0", customer_key="A"),
        answer("f1", "promoter", 90, "2025-06-03", invitation_key="i1", customer_key="A"))  # fmt: skip
    panel = voice_facts.survey_panel(con, "relationship", AS_OF, 365).set_index("unit_key")
    assert panel.index.tolist() == ["i0", "i1"]
    known = panel.loc["i1"]
    assert known[NONRESPONSE_FACTS].tolist() == [120, 151, 2, 100.0, "email", 1]
    assert (known["is_answered"], known["score_0_100"], known["net_score"]) == (True, 90, 100)
    assert known["earlier_score_0_100"] == 30
    assert panel["is_latest"].tolist() == [False, True]
    assert panel.loc["i0", ["count_orders", "total_net"]].tolist() == [0, 0]
    assert pd.isna(panel["earlier_score_0_100"]["i0"])


def test_an_invitation_without_an_answer_to_the_score_is_silent(con):
    put(con, "marts.fct_survey_invitations", invitation("i1", "A", "2025-06-01"))
    put(con, "marts.fct_feedback", answer("f", "satisfied", 80, "2025-06-03", invitation_key="i1", instrument="csat"))
    panel = voice_facts.survey_panel(con, "relationship", AS_OF, 365)
    assert panel["is_answered"].tolist() == [False]
    assert panel["net_score"].isna().all()


def test_answers_about_orders_see_what_was_before_them(con):
    put(con, "marts.fct_orders", order("o1", "A", "2025-01-01", 80, ("2025-01-07", "2025-01-09 12:00:00", 2)))
    put(con, "marts.fct_feedback",
        answer("f", "satisfied", 75, "2025-01-11", order_key="o1", customer_key="A", instrument="csat"))  # fmt: skip
    put(con, "marts.fct_support_contacts",
        ("k1", "A", "complaint", "2025-01-05 12:00:00", "2025-01-05 15:00:00", 3.0),
        ("k2", "A", "question", "2025-01-10 12:00:00", "2025-01-12 12:00:00", 48.0),
        ("k3", "A", "complaint", "2025-01-12 12:00:00", None, None))  # fmt: skip
    put(con, "marts.fct_order_lines", ("o1", "product", "tea", 30), ("o1", "product", "cups", 25),
        ("o1", "product", "cups", 20), ("o1", "shipping", "parcel", 99), ("o1", "product", None, 99),
        ("o2", "product", "tea", 999))  # fmt: skip
    row = voice_facts.answers_about_orders(con, "csat", 10).iloc[0]
    told = {name: row[name] for name in DRIVER_OF_FACT}
    assert told == {
        "product_kind": "cups", "order_net": 80.0,
        "shipping_share": pytest.approx(5 / 105), "discount_share": pytest.approx(0.1),
        "order_channel": "app", "count_contacts_30d": 2, "count_complaints_30d": 1, "hours_to_first_reply": 3.0,
        "days_late": 2, "count_units": 2, "occasion_number": 1, "days_from_order_to_answer": 10,
    }  # fmt: skip
    assert (row["customer_key"], row["outcome"]) == ("A", 75)
    assert list(voice_facts.order_instruments(con)) == ["csat"]


def test_an_order_still_awaited_is_as_late_as_it_was_when_its_customer_answered(con):
    put(con, "marts.fct_orders", order("awaited", "A", "2025-01-01", 80, ("2025-01-07", "2025-01-31 12:00:00", 24)),
        order("in time", "B", "2025-01-01", 80, ("2025-01-20", None, None)),
        order("not promised", "C", "2025-01-01", 80, (None, "2025-01-05 12:00:00", None)))  # fmt: skip
    put(con, "marts.fct_feedback", *(
        answer(key, "satisfied", 75, "2025-01-11", order_key=key, customer_key=customer, instrument="csat")
        for key, customer in (("awaited", "A"), ("in time", "B"), ("not promised", "C"))))  # fmt: skip
    rows = voice_facts.answers_about_orders(con, "csat", 10).set_index("customer_key")
    assert rows["days_late"].astype(object).where(rows["days_late"].notna(), None).to_dict() == {
        "A": 4,
        "B": -9,
        "C": None,
    }


def test_orders_that_nothing_followed_for_a_month_say_whether_one_followed_later(con):
    """Landmarks of 30 days, 90 to follow: A's first is followed, the last is too young, B's second is not."""
    put(con, "marts.fct_orders", order("a1", "A", "2025-01-01", 80, ("2025-01-07", "2025-01-20 12:00:00", 13)),
        order("a2", "A", "2025-05-01", 20), order("a3", "A", "2025-12-01", 20),
        order("b1", "B", "2025-02-01", 7), order("b2", "B", "2025-02-20", 9),
        order("b3", "B", "2025-06-21", 5))  # fmt: skip
    put(con, "marts.fct_support_contacts",
        ("k1", "A", "complaint", "2025-01-31 11:00:00", "2025-01-31 11:30:00", 0.5),
        ("k2", "A", "complaint", "2025-01-31 13:00:00", None, None))  # fmt: skip
    rows = voice_facts.followed_orders(con, AS_OF, 90, 10).set_index("order_net")
    assert rows["outcome"].to_dict() == {80.0: 100.0, 20.0: 0.0, 9.0: 0.0, 5.0: 0.0}
    known = rows.loc[80.0]
    assert known[["count_complaints_30d", "hours_to_first_reply", "days_late"]].tolist() == [1, 0.5, 13]
    assert set(rows["days_from_order_to_answer"]) == {30}


@pytest.mark.parametrize(("odds", "verdict"), [(8.0, "lowers"), (1.0, "cannot_say")])
def test_what_drives_buying_again_is_what_was_planted(con, odds, verdict):
    """Each fifth order of 4,000 customers comes three days late; whom that happens to may leave the more easily."""
    orders = play(4_000, 700, 3, bad_service_odds=odds).orders
    orders["moment"] = pd.Timestamp("2023-01-01 12:00:00") + pd.to_timedelta(orders["day"], unit="D")
    con.register("played", orders.reset_index(names="number"))
    con.execute("""
        insert into marts.fct_orders by name
        select 'o' || number as order_key, 'c' || customer as customer_key, moment as ordered_at,
            moment::date as order_date, 20 + hash(number) % 30 as net_amount,
            5 as shipping_amount, hash(number, 1) % 3 as discount_amount, 20 as items_amount, 'app' as channel,
            1 as count_units, true as is_valid,
            row_number() over (partition by customer order by number) as occasion_number,
            moment::date + 5 as promised_date, moment + to_days(5 + 3 * is_bad::integer) as delivered_at,
            3 * is_bad::integer as days_late
        from played
    """)
    found = satisfaction_drivers(voice_facts.followed_orders(con, dt.date(2024, 11, 30), 90, 50_000), DRIVER_OF_FACT)
    verdicts = found.effects.set_index("fact")["verdict"]
    assert verdicts["days_late"] == verdict
    assert (verdicts.drop("days_late") == "cannot_say").all()
    assert verdict == "cannot_say" or found.importance["driver"][0] == "delivery"


@pytest.mark.parametrize(("disappointment", "verdict"), [(15, "lowers"), (0, "cannot_say")])
def test_a_kind_of_goods_that_disappoints_is_told_as_the_product(con, disappointment, verdict):
    """Of 3,000 orders a third are kettles, and scored by so much worse; nothing else moves what customers say."""
    con.execute(
        """
        insert into marts.fct_orders by name
        select 'o' || number as order_key, 'c' || number % 1000 as customer_key,
            timestamp '2025-01-01 12:00:00' as ordered_at, date '2025-01-01' as order_date,
            20 + hash(number) % 30 as net_amount, 5 as shipping_amount, hash(number, 1) % 3 as discount_amount,
            20 as items_amount, if(hash(number, 2) % 2 = 0, 'app', 'web') as channel, 1 as count_units,
            true as is_valid, 1 as occasion_number
        from range(3000) as made (number);
        insert into marts.fct_order_lines
        select 'o' || number, 'product', ['tea', 'cups', 'kettle'][1 + number % 3], 20
        from range(3000) as made (number);
        """
    )
    con.execute(
        """
        insert into marts.fct_feedback by name
        select 'f' || number as feedback_key, 'o' || number as order_key, 'c' || number % 1000 as customer_key,
            'csat' as instrument, true as is_latest, timestamp '2025-01-11 12:00:00' as submitted_at,
            50 + hash(number, 3) % 50 - case when number % 3 = 2 then $less else 0 end as score_0_100,
            date '2025-01-11' as feedback_date
        from range(3000) as made (number)
        """,
        {"less": disappointment},
    )
    found = satisfaction_drivers(voice_facts.answers_about_orders(con, "csat", 50_000), DRIVER_OF_FACT)
    verdicts = found.effects.set_index("fact")["verdict"]
    assert verdicts["product_kind=kettle"] == verdict
    assert (verdicts.drop("product_kind=kettle") == "cannot_say").all()
    assert verdict == "cannot_say" or found.importance["driver"][0] == "product"


def test_posts_of_machines_are_no_texts_and_middling_scores_teach_nothing(con):
    put(con, "scratch.intermediate.int_texts_united",
        ("feedback", "f1", "fine", "en", "2025-01-01"), ("feedback", "f2", "so so", "en", "2025-01-02"),
        ("contact", "k1", "help", None, "2025-01-03"), ("mention", "m1", "nice", "en", "2025-01-04"),
        ("mention", "m2", "buy", "en", "2025-01-04"))  # fmt: skip
    put(
        con, "marts.fct_feedback", answer("f1", "promoter", 90, "2025-01-01"), answer("f2", "passive", 70, "2025-01-02")
    )
    put(con, "marts.fct_mentions", ("m1", True), ("m2", False))
    assert voice_facts.rated_texts(con, 10)[["text_key", "is_positive"]].to_numpy().tolist() == [["feedback/f1", True]]
    everything = pd.concat(voice_facts.all_texts(con))
    assert everything["text_key"].tolist() == ["feedback/f1", "feedback/f2", "contact/k1", "mention/m1"]
    assert pd.concat(voice_facts.all_texts(con, dt.date(2025, 1, 3)))["text"].tolist() == ["help", "nice"]
    assert sorted(voice_facts.texts_of_themes(con)["text"]) == ["fine", "nice", "so so"]
    scored = voice_facts.scored_answers(con, dt.date(2025, 1, 2))
    assert scored.to_numpy().tolist() == [["feedback/f2", "nps", 0.0]]
