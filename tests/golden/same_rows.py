"""Two tables of the same rows, one published and one recounted: which rows differ, and by what."""

from __future__ import annotations

import numpy as np
import pandas as pd

TINY = 1e-12
"""What rounding leaves of a zero."""


def differing(
    published: pd.DataFrame,
    recounted: pd.DataFrame,
    keys: list[str],
    relative: float = 1e-9,
    beside: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Rows that are in one table only, or of which a column differs; empty where the tables are the same.

    Whole numbers, texts, days and truth values are equal or differ. Nulls equal nulls.

    Args:
        published: by the warehouse, with unique keys.
        recounted: with the same columns.
        keys: that name a row in both.
        relative: by how much of its size a fraction may be off.
        beside: of a column the one of whose size a millionth is allowed, too.
    """
    assert len(recounted), "nothing to compare with"
    both = published.merge(
        recounted, on=keys, how="outer", suffixes=("", "_recounted"), indicator="found_in", validate="one_to_one"
    )
    differs = (both["found_in"] != "both").to_numpy()
    for column in published.columns.difference(keys):
        left, right = both[column], both[f"{column}_recounted"]
        if left.dtype.kind == "f" or right.dtype.kind == "f":
            off = np.abs(left.astype(float) - right.astype(float))
            allowed = relative * np.abs(right.astype(float)) + TINY
            if beside and column in beside:
                allowed = allowed + 1e-6 * np.abs(both[beside[column]])
            unlike = (off > allowed) | (left.isna() != right.isna())
        else:
            unlike = (left != right) & ~(left.isna() & right.isna())
        differs = differs | unlike.to_numpy(bool)
    return both[differs]


def assert_same(
    published: pd.DataFrame,
    recounted: pd.DataFrame,
    keys: list[str],
    relative: float = 1e-9,
    beside: dict[str, str] | None = None,
) -> None:
    """The tables are the same, or a failure that shows the first rows that differ."""
    rows = differing(published, recounted, keys, relative, beside)
    assert rows.empty, f"{len(rows)} of {len(published)} rows differ, first of all\n{rows.head(5).T.to_string()}"
