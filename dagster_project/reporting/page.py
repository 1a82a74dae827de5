"""What the page is made of, free of HTML: sections of cards, figures and tables, all of it text already formatted.

What does not belong here: how it looks (`templates/report.html.j2`), what it says (`sections/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True)
class Table:
    """A table; columns whose title starts with `#` hold numbers and are set to the right.

    Attributes:
        caption: what the rows are.
        columns: titles.
        rows: one text per column.
        is_folded: whether a reader unfolds it, as the numbers behind a figure.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    is_folded: bool = False


@dataclass(frozen=True)
class Figure:
    """A picture with its caption, and the numbers behind it where they are few."""

    title: str
    svg: Markup
    note: str = ""
    table: Table | None = None
    is_wide: bool = False


@dataclass(frozen=True)
class Card:
    """One headline number.

    Attributes:
        label: what it is.
        amount: the number, formatted; an en dash where there is none.
        notes: period, interval and base, or why there is no number; one line each.
        tag: a warning of two or three words, such as `not mature yet`.
        definition: shown on hover.
        metric: the row of the definitions table that the card links to.
    """

    label: str
    amount: str
    notes: tuple[str, ...]
    metric: str
    definition: str = ""
    tag: str = ""


@dataclass(frozen=True)
class Section:
    """One subject: what the numbers say first, then the numbers.

    Attributes:
        anchor: the section's name in links.
        title: its heading.
        lead: what the numbers say.
        warnings: what a reader must know before the numbers.
        cards: headline numbers.
        figures: pictures.
        tables: tables.
        notes: what a reader may want to know after the numbers.
    """

    anchor: str
    title: str
    lead: str
    warnings: Sequence[str] = ()
    cards: Sequence[Card] = ()
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()
    notes: Sequence[str] = ()
