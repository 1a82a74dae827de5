"""A few keys of the rows that break a rule, so that whoever is told of it finds them; never anything else of a row.

What belongs here: which columns may be told, and how. A raw or staged row is told by its file and its place in it. Keys
of customers, of their records and of authors are keyed hashes and told as they are. All other keys hold an id that a
source gave, in some shops an e-mail address, so their keyed hash is told; `loyalty find` names the rows of one. Rows
without a key are told by words of ours: a metric, a month, a prediction. Which rows break a rule: `broken_rows`.
"""

from __future__ import annotations

import duckdb

from dagster_project.keyed_hashes import HASH_DIGITS, keyed_hash_sql
from dagster_project.warehouse import identifier
from expectations.suite import Suite

COUNT = 5
PLACES = frozenset({"_file", "_row_number", "file", "row_number"})
HASHED_KEYS = frozenset(
    {"customer_key", "other_customer_key", "referrer_customer_key", "referred_customer_key", "record_key", "author_key"}
)
HASHED_LAYERS = frozenset({"intermediate", "marts", "models", "quality"})
"""Layers in which a column of that name is ours; in the others it is what a source calls so."""
HASH_SUFFIX = "_hash"
OUR_WORDS = frozenset(
    {
        "agreement", "base", "calendar_date", "cause", "claim", "column_name", "count_renewals", "cutoff_date",
        "day_date", "driver", "entity", "exclusion_reason", "fact", "field", "horizon_days", "instrument",
        "last_date", "layer_from", "layer_to", "lifecycle_state", "measure", "metric", "model", "month_start",
        "period_start", "period_type", "predicted_date", "prediction", "rule_set", "segment_type",
        "stability_index", "state_before", "valid_date", "wave_start",
    }
)  # fmt: skip
"""Columns that hold nothing which a source wrote, and no more than a day or a number of many rows together; in raw,
where a source gives the names, none is told."""


def sample_keys(connection: duckdb.DuckDBPyConnection, suite: Suite, rows: str | None) -> str | None:
    """Keys of the first rows of a query, in the order of the keys.

    Args:
        connection: an open connection to the build that can compute keyed hashes (`keyed_hashes.set_keys`); without
            that no hash is told.
        suite: whose table the rows are of.
        rows: the query for the rows that break one of its rules, or nothing.

    Returns:
        `customer_key=..; customer_key=..` or `order_key_hash=..; order_key_hash=..`, at most five; nothing where there
        are no rows or they have no key.
    """
    if rows is None:
        return None
    names = [column[0] for column in connection.execute(f"select * from ({rows}) as broken limit 0").description or ()]
    told = _told(names, suite.layer)
    if not told:
        return None
    columns = ", ".join(identifier(name) for name in told)
    texts = ", ".join(_text_sql(name, suite.layer) for name in told)
    found = connection.execute(
        f"select concat_ws(', ', {texts}) from "
        f"(select distinct {columns} from ({rows}) as broken order by all limit {COUNT}) as few"
    ).fetchall()
    return "; ".join(key for (key,) in found if key) or None


def _told(names: list[str], layer: str) -> list[str]:
    """The places of landed rows; else the first key, as a table's own stands before others'; else words of ours."""
    if PLACES.intersection(names):
        return [name for name in names if name in PLACES or name == "model"]
    keys = [name for name in names if name.endswith("_key")]
    return keys[:1] or [name for name in names if name in OUR_WORDS and layer != "raw"]


def _text_sql(name: str, layer: str) -> str:
    """`name=value` of a column, or `name_hash=` and the hash of what it holds; null where it holds nothing."""
    column = f"cast({identifier(name)} as varchar)"
    as_it_is = f"'{name}=' || {column}"
    if not name.endswith("_key"):
        return as_it_is
    hashed = f"'{name}{HASH_SUFFIX}=' || {keyed_hash_sql(column)}"
    if name not in HASHED_KEYS or layer not in HASHED_LAYERS:
        return hashed
    # what has not the form of our hashes is none, whatever its column is called
    return f"case when regexp_full_match({column}, '[0-9a-f]{{{HASH_DIGITS}}}') then {as_it_is} else {hashed} end"
