"""Feeds that are standard tables under other names: their models follow from the tables' declaration.

Belongs here: how the found columns come to the declared ones, what stands for those that are not there. Does not belong
here: the declaration and the SQL (`dagster_project/standard`), which file is which (`guessing.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

from dagster_project.onboarding.readings import READING_OF
from dagster_project.onboarding.shop import HOSTILE, ColumnPlan, FeedPlan
from dagster_project.onboarding.vocabulary import identifier_kind
from dagster_project.standard.models import KINDS, Sent, filled_in
from dagster_project.standard.tables import StandardTable, standard_tables

DECLARED = frozenset({"contacts", "exchange_rates", "point_events", "support_contacts", "support_events"})
PARENTS = {"support_events": "support_contacts"}
"""Feeds whose rows belong to those of another one, and are nothing without it."""
_NUMBERED = "row_number() over (partition by {$} order by {#} nulls last, raw._file, raw._row_number)"
_ABSENT = {
    "point_events": {"event_number": _NUMBERED.replace("$", "customer_id").replace("#", "effective_at")},
    "support_contacts": {"contact_kind": "'question'"},
    "support_events": {"event_number": _NUMBERED.replace("$", "contact_id").replace("#", "happened_at")},
}
"""SQL in the place of columns that must be there, with columns as they are read in braces."""
HASHED = ("loyalty_card", "mailbox", "email", "phone", "social_handle", "full_name", "birthday")
_OF_KIND = {"card": "loyalty_card", "email": "email", "phone": "phone", "handle": "social_handle", "name": "full_name",
            "birthday": "birthday"}  # fmt: skip
_TAKES = "'redeem', 'expire', 'reverse_earn', 'transfer_out'"


def declared_table(feed: FeedPlan) -> StandardTable | None:
    """The standard table that a feed is; None where its models are written by templates of their own."""
    return standard_tables()[feed.table] if feed.table in DECLARED else None


def sent_columns(feed: FeedPlan, table: StandardTable) -> dict[str, Sent]:
    """How the columns of a declared table come from a feed."""
    sent = {name: _sent(feed, name, column.kind) for name, column in table.columns.items() if name in feed.columns}
    if has_positive_points(feed):
        kind, points = sent["event_kind"], sent["points"]
        signed = f"case when {kind.read} in ({_TAKES}) then -1 else 1 end * {points.read}"
        sent["points"] = Sent(points.name, signed, points.blank, points.expected)
    for name, sql in {**table.defaults, **_ABSENT.get(feed.table, {})}.items():
        if name not in sent and (read := filled_in(sql, sent)) is not None:
            sent[name] = Sent(name, read)
    if "email" in sent and "email" in table.identifiers:
        sent["mailbox"] = Sent("mailbox", pseudonym(feed.columns["email"].sent + "__mailbox"))
    return {name: sent[name] for name in (*table.columns, "mailbox") if name in sent}


def identifiers_of(feed: FeedPlan) -> dict[str, str]:
    """The columns of a feed that are direct identifiers, with their kinds, whether a model reads them or not."""
    table = declared_table(feed)
    found = {
        feed.columns[name].sent: kind
        for name, kind in (table.identifiers if table else {}).items()
        if name in feed.columns
    }
    told = {name: identifier_kind(name) for name in unread(feed)}
    return found | {name: kind for name, kind in told.items() if kind is not None}


def unread(feed: FeedPlan) -> list[str]:
    """The columns that no model reads as they are."""
    read = {column.sent for column in feed.columns.values()}
    return [column.name for column in feed.guess.profile.columns if column.name not in read]


def reached_by(feed: FeedPlan) -> dict[str, str]:
    """SQL with dbt's marks of the hashed identifiers that stand in a feed of accounts or orders, by our names.

    Of a kind that several columns have, as first and last names, none is the one.
    """
    found = identifiers_of(feed)
    kinds = list(found.values())
    columns = {
        _OF_KIND[kind]: name for name, kind in found.items() if kinds.count(kind) == 1 and not HOSTILE.search(name)
    }
    if not {"email", "phone", "loyalty_card", "social_handle"} & columns.keys():
        return {}
    told = {name: pseudonym(sent) for name, sent in columns.items()}
    return told | ({"mailbox": pseudonym(columns["email"] + "__mailbox")} if "email" in columns else {})


def has_positive_points(feed: FeedPlan) -> bool:
    """Whether a ledger says by the kind of an event alone that its points are taken away."""
    if feed.table != "point_events":
        return False
    low = feed.guess.matches["points"].column.low
    return low is not None and low >= 0


def pseudonym(sent: str) -> str:
    """SQL with dbt's marks of a column that landing has hashed."""
    return "{{ pseudonym(sent('" + sent + "')) }}"


def _sent(feed: FeedPlan, name: str, kind: str) -> Sent:
    column, written_as = feed.columns[name], feed.guess.matches[name].written_as
    expected = READING_OF[written_as].expected if written_as and kind not in ("text", "code", "capitals") else None
    if kind == "units":
        expected = KINDS[kind][1]
    return Sent(column.sent, _read(column, kind), "{{ text(" + column.raw + ") }}", expected)


def _read(column: ColumnPlan, kind: str) -> str:
    """SQL with dbt's marks of a column of one of the kinds of standard tables."""
    if kind == "hash":
        return pseudonym(column.sent)
    cases: Mapping[str, str] = {"code": "lower", "capitals": "upper"}
    if kind in cases and not column.sql.startswith(("case", cases[kind])):
        return f"{cases[kind]}({column.sql})"
    if kind == "units":
        return column.sql.replace("{{ whole_number(", "{{ whole_amount(")
    if kind in ("rate", "share"):
        precise = column.sql.replace("{{ number(", "{{ text(")
        return f"try_cast({precise} as " + ("{{ rate() }})" if kind == "rate" else "double)")
    return column.sql
