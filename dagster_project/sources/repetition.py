"""Whether a feed that says again what it said before still does: the contract of its rows.

Many sources send all their rows each time, and most of those never change. So when a file takes the place of one that
it used to repeat, and suddenly repeats little of it, its content was scaled, shifted, cut, re-encoded or mixed up, each
value perhaps still plausible. No rule about single values sees that.

Belongs here: comparing the rows of two deliveries under one name. Does not belong here: columns and codes
(`contract.py`), what follows from a change (`door.py`).
"""

from __future__ import annotations

from pathlib import Path

from dagster_project.sources.contract import ContractChange
from dagster_project.sources.engine import private_connection
from dagster_project.sources.ledger import Load
from dagster_project.sources.raw_views import identifier, literal

USUAL_SHARE = 0.95
"""A feed repeats itself when this share of a delivery stands unchanged in the next; the simulated shop's feeds, which
edit orders, contacts and referrals as shops do, have 0.99 and more from one night to the next, 0.98 from one week."""
USUAL_EDITS = 2  # rows; of a feed of ten, one edit would be a tenth


def repeated_share(before: Path, after: Path, load: Load) -> float | None:
    """Share of the rows of a delivery that stand unchanged in the next; none where it had none.

    Args:
        before: the Parquet of the earlier delivery.
        after: that of the later one.
        load: the later one; a column that the earlier one lacks counts as absent from its rows.
    """
    with private_connection() as con:
        known = {name for name, *_ in con.execute(f"describe {_rows(before)}").fetchall()}
        columns = ", ".join(identifier(name) for name in load.columns if name in known)
        if not columns:
            return None
        [(rows, repeated)] = con.execute(
            "select count(*), count(*) filter (where fingerprint in "
            f"(select hash({columns}) from ({_rows(after)}))) "
            f"from (select hash({columns}) as fingerprint from ({_rows(before)}))"
        ).fetchall()
    return repeated / rows if rows else None


def rewritten(file: str, share: float | None, since: Load | None) -> list[ContractChange]:
    """The change of a delivery that repeats less than its feed used to; nothing where the feed did not repeat itself.

    Args:
        file: the delivered file.
        share: what it repeats of the delivery before.
        since: that delivery, which knows what it repeated of the one before it.
    """
    usual = since.repeats if since else None
    if since is None or share is None or usual is None or share >= USUAL_SHARE or usual < USUAL_SHARE:
        return []
    if round((1 - share) * since.rows) <= USUAL_EDITS:
        return []
    text = f"only {share:.1%} of the rows of the delivery before stand in it unchanged, in that one {usual:.1%} did"
    return [ContractChange(file, "rewritten", "", text)]


def _rows(parquet: Path) -> str:
    return f"select * from read_parquet({literal(str(parquet))}, hive_partitioning=false)"
