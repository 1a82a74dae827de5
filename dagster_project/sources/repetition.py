"""Whether a feed that says again what it said before still does: the contract of its rows.

Many sources send all their rows each time, and most of those never change. So when a file takes the place of one that
it used to repeat, and suddenly repeats little of it, its content was scaled, shifted, cut, re-encoded or mixed up, each
value perhaps still plausible. No rule about single values sees that.

Belongs here: comparing the rows of two deliveries under one name. Does not belong here: columns and codes
(`contract.py`), what follows from a change (`door.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from dagster_project.sources.contract import ContractChange
from dagster_project.sources.engine import private_connection
from dagster_project.sources.ledger import Load
from dagster_project.sql_text import literal, quoted_identifier

USUAL_SHARE = 0.95
"""A feed repeats itself when this share of a delivery stands unchanged in the next; the simulated shop's feeds, which
edit orders, contacts and referrals as shops do, have 0.99 and more from one night to the next, 0.98 from one week."""
USUAL_EDITS = 2  # rows; of a feed of ten, one edit would be a tenth
DELIVERIES = 30
"""So many of the last deliveries say what is usual of a feed."""
ENOUGH_DELIVERIES = 7  # before that, nothing but USUAL_SHARE is known of its edits
SPREADS = 6
"""Robust standard deviations by which the edits of a delivery may exceed the usual number. Of 3,536 deliveries of 21
simulated feeds 6 exceeded 3 and none 4."""


def repeated_share(before: Path, after: Path, load: Load) -> float | None:
    """Share of the rows of a delivery that stand unchanged in the next; none where it had none.

    Args:
        before: the Parquet of the earlier delivery.
        after: that of the later one.
        load: the later one; a column that the earlier one lacks counts as absent from its rows.
    """
    with private_connection() as con:
        known = {name for name, *_ in con.execute(f"describe {_rows(before)}").fetchall()}
        columns = ", ".join(quoted_identifier(name) for name in load.columns if name in known)
        if not columns:
            return None
        [(rows, repeated)] = con.execute(
            "select count(*), count(*) filter (where fingerprint in "
            f"(select hash({columns}) from ({_rows(after)}))) "
            f"from (select hash({columns}) as fingerprint from ({_rows(before)}))"
        ).fetchall()
    return repeated / rows if rows else None


def rewritten(load: Load, before: Sequence[Load]) -> list[ContractChange]:
    """What a delivery no longer says that its feed used to repeat; nothing where the feed did not repeat itself.

    Rows may be edited, and as many as are edited at most times: within the share that makes a feed one that repeats
    itself, and within SPREADS robust deviations of what its last deliveries had edited; two in any case, but not all.
    It may not become shorter where none of them did.

    Args:
        load: the delivery, which knows what it repeats of the one before.
        before: the deliveries under the same name before it, oldest first.
    """
    recent = list(before[-DELIVERIES:])
    told = [earlier.repeats for earlier in recent if earlier.repeats is not None]
    if not told or load.repeats is None or median(told) < USUAL_SHARE:
        return []
    rows, usual = recent[-1].rows, f"in the deliveries before {median(told):.1%} did"
    edits = round((1 - load.repeats) * rows)
    if edits > most_edits([(1 - share) * rows for share in told], rows) or edits == rows > 1:
        text = f"only {load.repeats:.1%} of the rows of the delivery before stand in it unchanged, {usual}"
        return [ContractChange(load.file, "rewritten", "", text)]
    lengths = [earlier.rows for earlier in recent]
    if load.rows < rows - USUAL_EDITS and lengths == sorted(lengths):
        text = f"it has {load.rows} rows, the delivery before had {rows}, and none before was shorter than its last"
        return [ContractChange(load.file, "shrunk", "", text)]
    return []


def most_edits(edits: Sequence[float], rows: int) -> float:
    """How many rows of a delivery may differ in the next, given how many did after the deliveries before.

    A deviation is no less than the root of the mean, which is what chance alone does to a count.
    """
    most = (1 - USUAL_SHARE) * rows
    if len(edits) >= ENOUGH_DELIVERIES:
        middle, chance = median(edits), (sum(edits) / len(edits)) ** 0.5
        spread = 1.4826 * median(abs(count - middle) for count in edits)
        most = min(most, middle + SPREADS * max(spread, chance))
    return max(most, USUAL_EDITS)


def _rows(parquet: Path) -> str:
    return f"select * from read_parquet({literal(str(parquet))}, hive_partitioning=false)"
