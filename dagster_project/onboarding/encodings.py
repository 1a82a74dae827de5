"""How the bytes of a text are written: in Unicode, or in the encoding that spreadsheets of a language save.

A text that is no UTF-8 could be many; it is in the one in which its first line holds words that exports use.

Belongs here: the encodings and the choice. Does not belong here: delimiters and formats (`samples.py`), the words
(`vocabulary.py`).
"""

from __future__ import annotations

import codecs
import re

from dagster_project.onboarding.vocabulary import knows

OF_SPREADSHEETS = ("cp1252", "cp950", "gb18030", "cp932")
"""Western Europe, Taiwan and Hong Kong, China, Japan; where no line tells, the first that can be read."""
_CELL_END = re.compile(r"[,;\t|\"]")


def guess_encoding(head: bytes) -> str:
    """Python's name of the encoding of a text.

    Args:
        head: the first bytes of it; the last letter may be cut.
    """
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    unicode = "utf-8-sig" if head.startswith(codecs.BOM_UTF8) else "utf-8"
    if _decoded(head, unicode) is not None:
        return unicode
    read = {name: text for name in OF_SPREADSHEETS if (text := _decoded(head, name)) is not None}
    return max(read, key=lambda name: _known_words(read[name]), default=OF_SPREADSHEETS[0])


def _decoded(head: bytes, encoding: str) -> str | None:
    """The text but for a letter that is cut at its end; None where it is not written so."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None


def _known_words(text: str) -> int:
    """How many cells of the first line are called as exports call their columns."""
    return sum(knows(cell) for cell in _CELL_END.split(text.lstrip().split("\n", 1)[0]))
