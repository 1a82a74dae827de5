"""What the warehouse knows of feedback, as frames for the models of the voice.

Belongs here: the queries, and which texts, invitations and answers count. Does not belong here: models.

Texts come from `intermediate.int_texts_united` of the scratch file, which is never published; everything else from
marts. Whatever is limited is limited by a hash of its key, so that every run takes the same rows. Posts by machines,
reposts and repeated posts are left out. Facts are those known when a customer was asked or answered.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import pandas as pd

from dagster_project.modelling.voice.drivers import CONTROL

NONRESPONSE_FACTS = [
    "days_since_last_order",
    "tenure_days",
    "count_orders",
    "total_net",
    "channel",
    "count_contacts_90d",
]
INSTRUMENT_OF_SURVEY = {"relationship": "nps", "transactional": "nps_transactional"}
DRIVER_OF_FACT = {
    "product_kind": "product",
    "order_net": "price",
    "shipping_share": "price",
    "discount_share": "promotion",
    "order_channel": "experience",
    "count_contacts_30d": "service",
    "count_complaints_30d": "service",
    "hours_to_first_reply": "service",
    "days_late": "delivery",
    "count_units": CONTROL,
    "occasion_number": CONTROL,
    "days_from_order_to_answer": CONTROL,
}
_CHUNK = 10  # vectors of 2,048 rows
_PER_QUARTER = 20_000  # texts of a language and quarter that themes are found in
_TEXTS = """
from scratch.intermediate.int_texts_united as texts
left join marts.fct_feedback as feedback
    on texts.stands_beside = 'feedback' and texts.text_key = feedback.feedback_key
left join marts.fct_mentions as mentions
    on texts.stands_beside = 'mention' and texts.text_key = mentions.mention_key
where texts.written_text is not null and (texts.stands_beside <> 'mention' or mentions.is_counted)
"""
_TEXT = """
select
    texts.stands_beside || '/' || texts.text_key as text_key,
    texts.written_text as text,
    texts.language_code as language,
    texts.written_date
"""
_NET_SCORE = """
case
    when band in ('promoter', 'satisfied') then 100.0
    when band in ('passive', 'neutral') then 0.0
    when band in ('detractor', 'dissatisfied') then -100.0
end
"""
_BEFORE = """
select
    asked.unit_key,
    count(orders.order_key) as count_orders,
    coalesce(sum(orders.net_amount), 0)::double as total_net,
    date_diff('day', max(orders.order_date), any_value(asked.asked_date)) as days_since_last_order,
    date_diff('day', min(orders.order_date), any_value(asked.asked_date)) as tenure_days
from asked
left join marts.fct_orders as orders
    on asked.customer_key = orders.customer_key and orders.ordered_at < asked.asked_at and orders.is_valid
group by asked.unit_key
"""
_CONTACTS = """
select
    asked.unit_key,
    count(contacts.contact_key) as count_contacts,
    count(contacts.contact_key) filter (where contacts.contact_kind = 'complaint') as count_complaints,
    max(contacts.first_reply_calendar_hours) filter (where contacts.first_replied_at < asked.asked_at)
        as hours_to_first_reply
from asked
left join marts.fct_support_contacts as contacts
    on asked.customer_key = contacts.customer_key
    and contacts.opened_at < asked.asked_at
    and contacts.opened_at >= asked.asked_at - to_days($days)
group by asked.unit_key
"""
_PANEL = f"""
with answers as (
    select invitation_key, any_value(score_0_100) as score_0_100, any_value({_NET_SCORE}) as net_score,
        min(submitted_at) as submitted_at
    from marts.fct_feedback
    where instrument = $instrument and is_counted and invitation_key is not null
    group by invitation_key
),
asked as (
    select
        invitations.invitation_key as unit_key,
        invitations.customer_key,
        invitations.channel,
        invitations.sent_at as asked_at,
        invitations.sent_date as asked_date,
        answers.score_0_100,
        answers.net_score,
        answers.invitation_key is not null as is_answered,
        row_number() over (
            partition by invitations.customer_key order by invitations.sent_at desc, invitations.invitation_key
        ) as rank_from_last
    from marts.fct_survey_invitations as invitations
    left join answers on invitations.invitation_key = answers.invitation_key
    where invitations.survey = $survey
        and invitations.is_delivered
        and not invitations.is_awaiting_answer
        and invitations.customer_key is not null
),
before as ({_BEFORE}),
contacts as ({_CONTACTS})
select
    asked.* exclude (rank_from_last),
    rank_from_last = 1 and asked_date > $as_of::date - $window_days::integer as is_latest,
    (
        select max_by(earlier.score_0_100, earlier.submitted_at)
        from marts.fct_feedback as earlier
        where earlier.instrument = $instrument and earlier.customer_key = asked.customer_key
            and earlier.submitted_at < asked.asked_at
    ) as earlier_score_0_100,
    before.count_orders,
    before.total_net,
    before.days_since_last_order,
    before.tenure_days,
    contacts.count_contacts as count_contacts_90d
from asked
inner join before on asked.unit_key = before.unit_key
inner join contacts on asked.unit_key = contacts.unit_key
order by asked.unit_key
"""
_ANSWERED = """
asked as (
    select feedback_key as unit_key, customer_key, order_key, score_0_100 as outcome,
        submitted_at as asked_at, feedback_date as asked_date
    from marts.fct_feedback
    where order_key is not null and is_latest and score_0_100 is not null and instrument = $instrument
)
"""
_FOLLOWED = """
placed as (
    select
        order_key, customer_key, order_date,
        ordered_at + to_days($days) as asked_at,
        lead(ordered_at) over (partition by customer_key order by ordered_at, order_key) as next_ordered_at
    from marts.fct_orders
    where is_valid and customer_key is not null
),
asked as (
    select order_key as unit_key, customer_key, order_key, asked_at, order_date + $days::integer as asked_date,
        case when next_ordered_at <= asked_at + to_days($horizon_days) then 100.0 else 0.0 end as outcome
    from placed
    where coalesce(next_ordered_at > asked_at, true)
        and order_date + ($days + $horizon_days)::integer <= $as_of::date
)
"""
_MAIN_KIND = """
select order_key, product_kind
from marts.fct_order_lines
where line_kind = 'product' and product_kind is not null
group by order_key, product_kind
qualify row_number() over (partition by order_key order by sum(line_amount) desc nulls last, product_kind) = 1
"""
_FACTS_OF_ORDERS = f"""
contacts as ({_CONTACTS}),
main_kinds as ({_MAIN_KIND})
select
    coalesce(asked.customer_key, asked.unit_key) as customer_key,
    asked.outcome,
    main_kinds.product_kind,
    orders.net_amount::double as order_net,
    orders.shipping_amount::double / nullif(orders.items_amount + orders.shipping_amount, 0) as shipping_share,
    orders.discount_amount::double / nullif(orders.items_amount, 0) as discount_share,
    orders.channel as order_channel,
    contacts.count_contacts as count_contacts_30d,
    contacts.count_complaints as count_complaints_30d,
    contacts.hours_to_first_reply,
    coalesce(
        case when orders.delivered_at < asked.asked_at then orders.days_late end,
        date_diff('day', orders.promised_date, asked.asked_date)
    ) as days_late,
    orders.count_units,
    orders.occasion_number,
    date_diff('day', orders.order_date, asked.asked_date) as days_from_order_to_answer
from asked
inner join marts.fct_orders as orders on asked.order_key = orders.order_key and orders.ordered_at < asked.asked_at
inner join contacts on asked.unit_key = contacts.unit_key
left join main_kinds on asked.order_key = main_kinds.order_key
order by md5(asked.unit_key), asked.unit_key
limit $most
"""
REPURCHASE = "repurchase"
"""What stands in place of an instrument where the outcome is another order."""
_DAYS = 30
"""Before an answer or after an order, in which a customer's contacts count."""


def rated_texts(con: duckdb.DuckDBPyConnection, most: int) -> pd.DataFrame:
    """Texts beside a good or bad score: text_key, text, language, is_positive; at most so many."""
    return con.execute(
        f"{_TEXT}, {_NET_SCORE} > 0 as is_positive {_TEXTS} and {_NET_SCORE} <> 0"
        " order by md5(texts.text_key), texts.text_key limit $most",
        {"most": most},
    ).df()


def all_texts(con: duckdb.DuckDBPyConnection, since: object | None = None) -> Iterator[pd.DataFrame]:
    """Texts in batches: text_key, text, language, written_date; those from a day on where one is given."""
    found = con.execute(
        f"{_TEXT} {_TEXTS} and ($since is null or texts.written_date >= $since::date)"
        " order by texts.written_date, texts.stands_beside, texts.text_key",
        {"since": since},
    )
    while len(batch := found.fetch_df_chunk(_CHUNK)):
        yield batch


def texts_of_themes(con: duckdb.DuckDBPyConnection) -> pd.DataFrame:
    """Texts that themes are found in: text, language, written_date; at most 20,000 of a language and quarter."""
    return con.execute(
        f"{_TEXT} {_TEXTS} and texts.language_code is not null"
        " qualify row_number() over ("
        "partition by texts.language_code, date_trunc('quarter', texts.written_date)"
        " order by md5(texts.text_key), texts.text_key, texts.stands_beside) <= $most",
        {"most": _PER_QUARTER},
    ).df()


def scored_answers(con: duckdb.DuckDBPyConnection, since: object) -> pd.DataFrame:
    """The latest answers from a day on to questions that some text stands beside: text_key, instrument, net_score."""
    return con.execute(
        f"""
        select 'feedback/' || feedback_key as text_key, instrument, {_NET_SCORE} as net_score
        from marts.fct_feedback
        where is_latest and band is not null and feedback_date >= $since::date
            and instrument in (select distinct instrument from marts.fct_feedback where has_text)
        order by feedback_key
        """,
        {"since": since},
    ).df()


def survey_panel(con: duckdb.DuckDBPyConnection, survey: str, as_of: object, window_days: int) -> pd.DataFrame:
    """Delivered invitations to a survey that have had their time, with what was known when they were sent.

    Returns:
        unit_key (of the invitation), customer_key, is_answered, score_0_100, net_score, earlier_score_0_100,
        is_latest (the customer's last invitation, sent within the window), and `NONRESPONSE_FACTS`.
    """
    chosen = {"survey": survey, "instrument": INSTRUMENT_OF_SURVEY[survey], "as_of": as_of, "window_days": window_days}
    return con.execute(_PANEL, chosen | {"days": 90}).df()


def order_instruments(con: duckdb.DuckDBPyConnection) -> Sequence[str]:
    """The instruments by which orders are judged, in order of their names."""
    rows = con.execute("select distinct instrument from marts.fct_feedback where order_key is not null order by 1")
    return [str(instrument) for (instrument,) in rows.fetchall()]


def answers_about_orders(con: duckdb.DuckDBPyConnection, instrument: str, most: int) -> pd.DataFrame:
    """Latest answers about orders with what was known before: customer_key, outcome (0 to 100), `DRIVER_OF_FACT`."""
    chosen = {"instrument": instrument, "days": _DAYS, "most": most}
    return con.execute(f"with {_ANSWERED}, {_FACTS_OF_ORDERS}", chosen).df()


def followed_orders(con: duckdb.DuckDBPyConnection, as_of: object, horizon_days: int, most: int) -> pd.DataFrame:
    """Whether customers ordered again, by what was known 30 days after an order; orders that nothing had followed yet.

    Returns:
        customer_key, outcome (100 where an order followed within the horizon after those 30 days, else 0), and
        `DRIVER_OF_FACT`; only orders whose horizon is over by the as-of.
    """
    chosen = {"as_of": as_of, "days": _DAYS, "horizon_days": horizon_days, "most": most}
    return con.execute(f"with {_FOLLOWED}, {_FACTS_OF_ORDERS}", chosen).df()
