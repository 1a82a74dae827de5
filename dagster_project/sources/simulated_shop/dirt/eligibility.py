"""Which rows of a block can have a kind of dirt at all: a reopened order was changed after it was placed.

Belongs here: conditions on clean rows, and look-ups in other feeds of the same block. Does not belong here: how many of
the eligible rows are taken (`choosing.py`), what is written (`texts.py`).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop.dirt.choosing import Mask
from dagster_project.sources.simulated_shop.dirt.kind import Block, Change, Chosen, as_text

Eligible = Callable[[Block], Mask]

ZONE = ZoneInfo("Europe/Berlin")
"""The zone of the shop's local times."""


def equals(feed: str, column: str, text: str) -> Eligible:
    """Rows whose column holds this text."""
    return lambda block: _mask(pc.equal(as_text(block[feed].column(column)), text))


def is_present(feed: str, column: str) -> Eligible:
    """Rows whose column is not empty."""
    return lambda block: _mask(pc.greater(pc.utf8_length(as_text(block[feed].column(column))), 0))


def is_matching(feed: str, column: str, pattern: str) -> Eligible:
    """Rows whose column has a place that matches a regular expression."""
    return lambda block: _mask(pc.match_substring_regex(as_text(block[feed].column(column)), pattern))


def is_absent(feed: str, column: str) -> Eligible:
    """Rows whose column is empty."""
    present = is_present(feed, column)
    return lambda block: ~present(block)


def all_of(*conditions: Eligible) -> Eligible:
    """Rows for which every condition holds."""
    return lambda block: np.logical_and.reduce([condition(block) for condition in conditions])


def is_later(feed: str, column: str, than: str) -> Eligible:
    """Rows whose time lies after another time of the same row."""
    return lambda block: _mask(pc.greater(as_text(block[feed].column(column)), as_text(block[feed].column(than))))


def on_a_day_of(feed: str, column: str, hours: int) -> Eligible:
    """Rows whose time lies on a day of 23 or of 25 hours, when the clocks change."""

    def condition(block: Block) -> Mask:
        days = pc.utf8_slice_codeunits(as_text(block[feed].column(column)), 0, 10)
        changing = [day for day in pc.unique(days).to_pylist() if day and hours_of(dt.date.fromisoformat(day)) == hours]
        return _mask(pc.is_in(days, pa.array(changing, pa.string())))

    return condition


def hours_of(day: dt.date) -> int:
    """The length of a day in the shop's zone, in hours."""
    first, last = (dt.datetime.combine(day + dt.timedelta(days=after), dt.time(), ZONE) for after in (0, 1))
    return round((last.timestamp() - first.timestamp()) / 3600)


def a_day_before_the_latest(feed: str, when: str) -> Change:
    """A day before another feed last names the chosen row's customer, by an order where it has no customer."""

    def change(chosen: Chosen) -> list[str | None]:
        named = pa.table({"owner": _owners(chosen.block, feed), "moment": as_text(chosen.block[feed].column(when))})
        latest = named.group_by("owner").aggregate([("moment", "max")])
        places = pc.index_in(pa.array(chosen.texts("customer_id"), pa.string()), latest.column("owner"))
        moments = latest.column("moment_max").take(places).to_pylist()
        return [str(dt.datetime.fromisoformat(moment) - dt.timedelta(days=1)) for moment in moments]

    return change


def is_owner_in(feed: str, other: str) -> Eligible:
    """Rows whose customer another feed names, by an order where it has no customer."""
    return lambda block: _mask(
        pc.is_in(as_text(block[feed].column("customer_id")), pc.unique(_owners(block, other)).drop_null())
    )


def answers_a_later_wave(block: Block) -> Mask:
    """Answers to an invitation whose customer had one of an earlier wave of the same survey."""
    return _mask(pc.is_valid(_invitation_before(block)))


def invitation_of_an_earlier_wave(chosen: Chosen) -> list[str | None]:
    """The invitation before the one that was answered."""
    return _invitation_before(chosen.block).take(pa.array(chosen.at)).to_pylist()


def redeems_after_an_earning(block: Block) -> Mask:
    """Redemptions whose customer's event before is an earning."""
    events = as_text(block["points_ledger"].column("event")).to_numpy()
    before = _row_before(block["points_ledger"], ("customer_id",), ("event_number",))
    return np.asarray((events == "redeem") & (before >= 0) & (events[before] == "earn"), dtype=bool)


def moment_of_the_event_before(chosen: Chosen) -> list[str | None]:
    """The moment of the event that the customer's ledger has before the chosen one."""
    ledger = chosen.block["points_ledger"]
    before = _row_before(ledger, ("customer_id",), ("event_number",))[chosen.at]
    return as_text(ledger.column("effective_at")).take(pa.array(before)).to_pylist()


def _invitation_before(block: Block) -> pa.ChunkedArray:
    """For each answer, the invitation of another wave that went to the same customer before its own; null without."""
    sent, answers = block["survey_invitations"], block["survey_answers"]
    before = _row_before(sent, ("customer_id", "survey"), ("sent_at", "invitation_id"))
    waves = as_text(sent.column("wave")).to_numpy()
    named = as_text(sent.column("invitation_id"))
    earlier = pa.array(np.where((before >= 0) & (waves[before] != waves), before, -1))
    places = pc.if_else(pc.greater_equal(earlier, 0), earlier, None)
    answered = pc.index_in(as_text(answers.column("invitation_id")), named)
    return named.take(places.take(answered))


def _owners(block: Block, feed: str) -> pa.ChunkedArray:
    table = block[feed]
    if "customer_id" in table.column_names:
        return as_text(table.column("customer_id"))
    orders = block["orders"]
    places = pc.index_in(as_text(table.column("order_id")), as_text(orders.column("order_id")))
    return as_text(orders.column("customer_id")).take(places)


def _row_before(table: pa.Table, group: tuple[str, ...], order: tuple[str, ...]) -> npt.NDArray[np.int64]:
    """For each row the number of the row that precedes it in its group, or -1."""
    columns = {name: table.column(name) for name in (*group, *order)}
    placed = pc.sort_indices(pa.table(columns), sort_keys=[(name, "ascending") for name in columns]).to_numpy()
    before = np.full(table.num_rows, -1, dtype=np.int64)
    is_same = np.ones(max(len(placed) - 1, 0), dtype=bool)
    for name in group:
        owner = as_text(table.column(name)).to_numpy()[placed]
        is_same &= owner[1:] == owner[:-1]
    before[placed[1:]] = np.where(is_same, placed[:-1].astype(np.int64), -1)
    return before


def _mask(found: pa.ChunkedArray | pa.Array) -> Mask:
    return np.asarray(pc.fill_null(found, False).to_numpy(zero_copy_only=False), dtype=bool)
