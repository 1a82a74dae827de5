"""Names and texts as SQL: quoted, so that nothing in them is read as SQL.

What belongs here: quoting. What does not: which names are allowed in the warehouse (`warehouse.identifier`).
"""

from __future__ import annotations


def literal(text: object) -> str:
    """A text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def quoted_identifier(name: str) -> str:
    """Any name, such as a column of a source, as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
