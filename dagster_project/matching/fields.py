"""What of two records is compared, in which ways it may agree, and the words for them.

Whether two values are the same is known from keyed hashes; how far they are apart only where the shop keeps originals.
A mailbox and a telephone are one field: who shares one of them mostly shares the other, so that each says little more.

Belongs here: fields and agreements, over the columns of the table `people`. Does not belong here: what an agreement
weighs, which is estimated (`model.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

OTHER = "other"


@dataclass(frozen=True)
class Agreement:
    """A way to agree.

    Attributes:
        words: for it, in the published tables.
        condition: SQL over `<column>_l` and `<column>_r`.
        same_person: share among one person's pairs, from which estimation begins, and which stands where a shop has no
            pair to estimate it from.
        other_people: the same among pairs of different people.
        needs_originals: whether the condition reads clear forms.
    """

    words: str
    condition: str
    same_person: float
    other_people: float
    needs_originals: bool = False


@dataclass(frozen=True)
class ComparedField:
    """What two records may agree in.

    Attributes:
        name: in the words of the published tables.
        columns: keyed hashes of its identifiers; known of a pair where one of them is known of both.
        agreements: the closest first; what is known and agrees in none of these ways is `OTHER`.
        is_weighed_by_rareness: whether the first agreement says more of a rare value than of a common one.
    """

    name: str
    columns: tuple[str, ...]
    agreements: tuple[Agreement, ...]
    is_weighed_by_rareness: bool = False

    def possible(self, *, has_originals: bool) -> tuple[Agreement, ...]:
        """The agreements that can be seen, without `OTHER`."""
        return tuple(one for one in self.agreements if has_originals or not one.needs_originals)

    @property
    def unknown(self) -> str:
        """SQL: no identifier of the field is known of both records."""
        return " and ".join(f"({name}_l is null or {name}_r is null)" for name in self.columns)


def _same(column: str) -> str:
    return f"{column}_l = {column}_r"


def _an_edit_apart(column: str, shortest: int) -> str:
    """Whether two texts are one edit or swap of neighbours apart, and long enough for that to say something.

    Such texts begin or end with the same half, which spares nearly all pairs the count of edits.
    """
    one, other = f"{column}_l", f"{column}_r"
    half = f"(least(length({one}), length({other})) - 2) // 2"
    is_near = f"(left({one}, {half}) = left({other}, {half}) or right({one}, {half}) = right({other}, {half}))"
    return (
        f"case when least(length({one}), length({other})) >= {shortest} and {is_near} "
        f"then damerau_levenshtein({one}, {other}) = 1 else false end"
    )


FIELDS = (
    ComparedField(
        "name",
        ("full_name",),
        (
            Agreement("same", _same("full_name"), 0.92, 1e-3),
            Agreement("alike", "jaro_winkler_similarity(name_text_l, name_text_r) >= 0.92", 0.04, 2e-3, True),
            Agreement("a word in common", "list_has_any(name_words_l, name_words_r)", 0.03, 2e-2, True),
        ),
        is_weighed_by_rareness=True,
    ),
    ComparedField(
        "birthday",
        ("birthday",),
        (
            Agreement("same", _same("birthday"), 0.96, 5e-5),
            Agreement("a digit apart", _an_edit_apart("birthday_text", 10), 0.02, 1e-3, True),
        ),
    ),
    ComparedField(
        "contact",
        ("mailbox", "phone"),
        (
            Agreement("same mailbox and telephone", f"{_same('mailbox')} and {_same('phone')}", 0.3, 1e-6),
            Agreement("same mailbox", _same("mailbox"), 0.2, 1e-6),
            Agreement("same telephone", _same("phone"), 0.2, 1e-6),
            Agreement("mailbox same before the @", _same("mailbox_name"), 0.03, 1e-6, True),
            Agreement("mailbox a letter apart", _an_edit_apart("mailbox_name", 6), 0.02, 1e-6, True),
            Agreement("telephone a digit apart", _an_edit_apart("phone_text", 8), 0.02, 1e-6, True),
        ),
    ),
    ComparedField("card", ("loyalty_card",), (Agreement("same", _same("loyalty_card"), 0.6, 1e-6),)),
    ComparedField("handle", ("social_handle",), (Agreement("same", _same("social_handle"), 0.6, 1e-6),)),
)
