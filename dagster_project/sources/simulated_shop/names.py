"""What the simulated people are called, and how they are reached: made-up names, addresses, numbers and handles.

Belongs here: direct identifiers as functions of a person's number. Does not belong here: who shares an address or has
two accounts (`relations/contacts.py`).

Mail addresses end in the reserved domain `.example`, and telephone numbers lie in a range that no network gives out.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop.columns import ids, labels
from dagster_project.sources.simulated_shop.streams import Ints

GIVEN = (
    *("Anna", "Ben", "Clara", "David", "Elena", "Felix", "Greta", "Hugo", "Ida", "Jonas", "Klara", "Lukas", "Marta"),
    *("Nils", "Olga", "Paul", "Rosa", "Simon", "Tessa", "Uwe", "Vera", "Wim", "Yara", "Zoe", "Wei", "Mei", "Jun", "Li"),
    *("Hao", "Ying", "Chen", "Xin", "Yu", "Lan", "Ming", "Qing"),
)
FAMILY = (
    *("Albers", "Brandt", "Conti", "Dupont", "Ebner", "Fischer", "Garcia", "Huber", "Ivens", "Jansen", "Keller"),
    *("Lorenz", "Moreau", "Novak", "Olsen", "Peters", "Quint", "Rossi", "Sommer", "Tanner", "Ulrich", "Vogel"),
    *("Winter", "Zeller", "Wang", "Lin", "Chang", "Huang", "Zhao", "Liu", "Wu", "Xu", "Tsai", "Zhou", "Sun", "Guo"),
)
DOMAINS = ("mail.example", "post.example", "inbox.example", "net.example")


def _wide(name: str) -> str:
    """A name in the wide letters of East Asian keyboards, which look almost like the others."""
    return "".join(chr(ord(letter) + 0xFEE0) for letter in name.lower())


_SPELLINGS = {  # how names are spelt, what stands between them, and what tag follows
    "as_registered": (str.lower, ".", ""),
    "with_tag": (str.lower, ".", "+shop"),
    "without_dot": (str.lower, "", ""),
    "in_other_case": (str.title, ".", ""),
    "other_mailbox": (str.lower, "_", ""),
    "in_wide_letters": (_wide, ".", ""),
}
ADDRESS_STYLES = tuple(_SPELLINGS)
OTHER_MAILBOX = ADDRESS_STYLES.index("other_mailbox")
PHONE_STYLES = ("+49 1999 {0} {1}", "01999/{0}{1}", "00491999{0}{1}", "(01999) {0}-{1}", "+49-1999-{0}{1}")
_STEP = 77_368_787  # no factor of 10, so that it visits every number once, and neighbours far apart
_SCATTER = 10**8
_HANDLES_FROM, _PHONES_FROM = 40_000_000, 70_000_000  # so that no two kinds of identifier share their digits


def given_names(name: Ints) -> pa.Array:
    """The given name of a name's number."""
    return labels(GIVEN, name % len(GIVEN))


def family_names(name: Ints) -> pa.Array:
    """The family name of a name's number."""
    return labels(FAMILY, name // len(GIVEN) % len(FAMILY))


def full_names(name: Ints) -> pa.Array:
    """Given and family name; names repeat after some 1,300 numbers, as names do."""
    return pc.binary_join_element_wise(given_names(name), family_names(name), " ")


def addresses(name: Ints, mailbox: Ints, style: Ints) -> pa.Array:
    """Mail addresses; the style is how the same mailbox may be written.

    Args:
        name: number of the name.
        mailbox: number of the person who has the mailbox.
        style: position in `ADDRESS_STYLES`; these providers ignore case, tags, dots and the width of letters.
    """
    spellings, separators, tags = zip(*_SPELLINGS.values(), strict=True)
    given = labels([spell(given) for spell in spellings for given in GIVEN], style * len(GIVEN) + name % len(GIVEN))
    family_place = name // len(GIVEN) % len(FAMILY)
    family = labels([spell(family) for spell in spellings for family in FAMILY], style * len(FAMILY) + family_place)
    number = _digits(2 * mailbox + (style == OTHER_MAILBOX))
    domain = labels(DOMAINS, mailbox % len(DOMAINS))
    return pc.binary_join_element_wise(
        given, labels(separators, style), family, number, labels(tags, style), "@", domain, ""
    )


def phones(number: Ints, style: Ints) -> pa.Array:
    """Telephone numbers of persons, in a position of `PHONE_STYLES`; one person has one number."""
    digits = _digits(_PHONES_FROM + number)
    begin, end = pc.utf8_slice_codeunits(digits, 0, 4), pc.utf8_slice_codeunits(digits, 4)
    pieces = [[piece.split("{1}") for piece in written.split("{0}")] for written in PHONE_STYLES]
    before = labels([piece[0][0] for piece in pieces], style)
    between = labels([piece[1][0] for piece in pieces], style)
    return pc.binary_join_element_wise(before, begin, between, end, "")


def handles(number: Ints) -> pa.Array:
    """Social handles of persons, each their own."""
    words = ("maple", "linen", "ember", "pebble", "willow", "copper", "meadow", "harbor")
    return pc.binary_join_element_wise(labels(words, number % len(words)), _digits(_HANDLES_FROM + number), "_")


def loyalty_cards(number: Ints) -> pa.Array:
    """Numbers of loyalty cards of persons."""
    return ids("LC", number, 8)


def days_of_birth(birthday: Ints) -> pa.Array:
    """Dates of birth, from days since 1970-01-01."""
    return pa.array(np.datetime64("1970-01-01", "D") + birthday.astype("timedelta64[D]"))


def _digits(number: Ints) -> pa.Array:
    return ids("", number * _STEP % _SCATTER, 8)
