"""The ways in which exports write times, numbers and truth values, and the SQL that reads each.

Belongs here: one line a way: the condition that a text must meet, what a staging model writes to read it, and what it
calls the text that it expected. Does not belong here: which way a column is written (`guessing.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

_INSTANT = r"try_cast(regexp_replace($text, ' ?([+-][0-9]{2}):?([0-9]{2})$', '\1:\2') as timestamptz)"
_CLOCK = "( +[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?"


@dataclass(frozen=True)
class Reading:
    """One way to write a value.

    Attributes:
        name: a noun, as it stands in the profile.
        kinds: the kinds of columns that may be written so.
        holds: SQL condition on a filled text `$text`.
        sql: what a staging model writes to read it; `$column` is the raw column, quoted where it must be.
        expected: what a refusal says that was expected.
        value: SQL that reads a text `$text` of this writing, of times alone.
    """

    name: str
    kinds: frozenset[str]
    holds: str
    sql: str
    expected: str
    value: str = ""

    def condition(self, text: str) -> str:
        """SQL that says whether a filled text is written so."""
        return self.holds.replace("$text", text)

    def reads(self, column: str) -> str:
        """What a staging model writes to read a column."""
        return self.sql.replace("$column", column)


def _formats(date: str) -> str:
    return ", ".join(f"'{date}{clock}'" for clock in ("", " %H:%M", " %H:%M:%S"))


def _written_as(name: str, shape: str, date: str, like: str) -> Reading:
    """A wall time whose date is written with other marks or in another order."""
    return Reading(
        name,
        frozenset({"moment", "date"}),
        f"regexp_matches($text, '^{shape}{_CLOCK}$') and try_strptime($text, [{_formats(date)}]) is not null",
        f"moment_written_as($column, [{_formats(date)}])",
        f"a time like {like}",
        f"try_strptime($text, [{_formats(date)}])",
    )


READINGS: tuple[Reading, ...] = (
    Reading(
        "iso",
        frozenset({"moment", "date"}),
        "regexp_matches($text, '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}"
        "([ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]+)?)?)?$') and try_cast($text as timestamp) is not null",
        "moment($column)",
        "a time like 2025-01-31 13:45:00",
        "try_cast($text as timestamp)",
    ),
    Reading(
        "iso_with_offset",
        frozenset({"moment"}),
        "regexp_matches($text, '^[0-9]{4}-.*[0-9]( ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?))$') "
        f"and {_INSTANT} is not null",
        "instant($column)",
        "a time with its offset, like 2025-01-31 13:45:00+01:00",
        _INSTANT,
    ),
    _written_as("day_first_dots", r"[0-9]{1,2}[.][0-9]{1,2}[.][0-9]{4}", "%d.%m.%Y", "31.01.2025 13:45"),
    _written_as("day_first_slashes", r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}", "%d/%m/%Y", "31/01/2025 13:45"),
    _written_as("month_first_slashes", r"[0-9]{1,2}/[0-9]{1,2}/[0-9]{4}", "%m/%d/%Y", "01/31/2025 13:45"),
    _written_as("day_first_dashes", r"[0-9]{1,2}-[0-9]{1,2}-[0-9]{4}", "%d-%m-%Y", "31-01-2025 13:45"),
    _written_as("year_first_slashes", r"[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}", "%Y/%m/%d", "2025/01/31 13:45"),
    _written_as("unmarked_day", r"(19|20)[0-9]{6}", "%Y%m%d", "20250131"),
    Reading("whole", frozenset({"whole", "score"}), "regexp_matches($text, '^[+-]?[0-9]{1,18}$')",
            "whole_number($column)", "a whole number"),
    Reading("number", frozenset({"number"}), "regexp_matches($text, '^[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)$')",
            "number($column)", "a number below 100,000,000,000"),
    Reading("number_with_comma", frozenset({"number"}),
            "regexp_matches($text, '^[+-]?[0-9]+([.][0-9]{3})*,[0-9]+$|^[+-]?[0-9]+$')",
            "number(decimal_comma($column))", "a number like 1.234,56"),
    Reading("flag", frozenset({"flag"}), "lower($text) in ('true', 'false', 't', 'f', 'yes', 'no', 'y', 'n', '0', '1')",
            "flag($column)", "true or false"),
    Reading("currency", frozenset({"currency"}), "regexp_matches($text, '^[A-Za-z]{3}$')",
            "text($column)", "a currency like EUR"),
)  # fmt: skip
"""In the order in which they are preferred where several fit."""

READING_OF = {reading.name: reading for reading in READINGS}
