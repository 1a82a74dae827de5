"""Direct identifiers in one form each: what makes two spellings of an address, a number or a name the same.

Every form is an SQL expression over the text in Unicode's NFKC form, in which wide letters, ligatures and the like are
plain ones; DuckDB evaluates it, row after row, where the clear text still is. A text that is none (an address without
an @, a number of three digits) has no form.

Belongs here: the forms. Does not belong here: hashing and keeping them (`sealing.py`), which identifiers make two
records one customer (the intermediate models).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from dagster_project.sql_text import literal

IdentifierKind = Literal["email", "phone", "name", "birthday", "card", "handle"]
MAILBOX_SUFFIX = "__mailbox"
_INVISIBLE = r"[\s\x{200b}-\x{200f}\x{2060}\x{feff}\x{ad}]"
LOOK_ALIKES = {
    "a": "\u0430\u03b1\u0251",
    "c": "\u0441\u1d04",
    "d": "\u0501",
    "e": "\u0435\u04bd\u212e",
    "f": "\u0584",
    "g": "\u0261\u0581",
    "h": "\u04bb\u0570",
    "i": "\u0456\u03b9\u0131\u026a\u0269\u04cf",
    "j": "\u0458\u03f3",
    "n": "\u0578\u057c",
    "o": "\u043e\u03bf\u03c3\u0585\u1d0f",
    "p": "\u0440\u03c1",
    "q": "\u051b\u0563\u0566",
    "r": "\u0433",
    "s": "\u0455\ua731",
    "u": "\u03c5\u057d\u1d1c\u028b",
    "v": "\u03bd\u0475\u1d20",
    "w": "\u051d\u0461\u0561\u1d21",
    "x": "\u0445",
    "y": "\u0443\u04af\u03b3\u028f",
    "z": "\u1d22",
}
"""Small Latin letters and the letters of other scripts that look like them, of Unicode's list of confusables (UTS 39):
the Latin, Greek, Cyrillic and Armenian ones. The same text always has the same form, so folding them in a text that is
truly Greek does no harm."""
_DOMAINS_OF_ONE_PROVIDER = {"googlemail.com": "gmail.com"}


@dataclass(frozen=True)
class Spelling:
    """What a shop takes for the same address and the same number.

    Attributes:
        calling_code: of the country whose numbers are written without one, as "49"; None leaves them without.
        trunk_prefix: what stands before a national number at home, as "0"; empty where nothing does.
        dotless_domains: mail domains that ignore dots in a mailbox's name; "*" for all.
        has_tags: whether what follows a + in a mailbox's name is the owner's note and no part of it.
    """

    calling_code: str | None = None
    trunk_prefix: str = "0"
    dotless_domains: tuple[str, ...] = ("gmail.com", "googlemail.com")
    has_tags: bool = True


def clean_sql(kind: IdentifierKind, text: str) -> str:
    """An identifier without what never matters in its kind, as SQL; the first of two steps.

    Args:
        kind: what it is.
        text: SQL of the text, in NFKC form.
    """
    return _CLEANED[kind](text)


def form_sql(kind: IdentifierKind, clean: str, spelling: Spelling) -> str:
    """The one form of an identifier as SQL; null where the text is none of its kind.

    Args:
        kind: what it is.
        clean: SQL of what `clean_sql` gives; a column, as it is used several times.
        spelling: the shop's rules.
    """
    return _FORMS[kind](clean, spelling)


def mailbox_sql(address: str, spelling: Spelling) -> str:
    """The mailbox behind an address, as SQL: without tag and dots where the provider ignores them, look-alikes folded.

    Args:
        address: SQL of an address in its form.
        spelling: the shop's rules.
    """
    folded = _without_look_alikes(address)
    name, domain = f"split_part({folded}, '@', 1)", f"split_part({folded}, '@', 2)"
    known = " ".join(f"when {literal(one)} then {literal(other)}" for one, other in _DOMAINS_OF_ONE_PROVIDER.items())
    bare = f"regexp_replace({name}, '(.)[+].*$', '\\1')" if spelling.has_tags else name
    if "*" in spelling.dotless_domains:
        bare = f"replace({bare}, '.', '')"
    elif spelling.dotless_domains:
        dotless = ", ".join(literal(one.lower()) for one in spelling.dotless_domains)
        bare = f"case when {domain} in ({dotless}) then replace({bare}, '.', '') else {bare} end"
    return f"({bare} || '@' || case {domain} {known} else {domain} end)"


def _clean_email(text: str) -> str:
    return f"rtrim(lower({_without_gaps(text)}), '.')"


def _email(clean: str, _: Spelling) -> str:
    return f"case when regexp_full_match({clean}, '[^@]+@[^@.]+([.][^@.]+)+') then {clean} end"


def _clean_phone(text: str) -> str:
    """The digits, after a + where the number says that a country's code comes first."""
    number = f"regexp_replace({text}, '(?i)\\s*(ext[.]?|extension|x|#)\\s*[0-9]+\\s*$', '')"
    marks = f"regexp_replace(replace({number}, '(0)', ''), '[^0-9+]', '', 'g')"
    return f"regexp_replace(regexp_replace({marks}, '^([+]|00)+', '+'), '([0-9])[+]+', '\\1', 'g')"


def _phone(clean: str, spelling: Spelling) -> str:
    """After ITU-T E.164: country code and number, 8 to 15 digits; an extension is no part of it."""
    code, trunk = spelling.calling_code or "", spelling.trunk_prefix
    bare = f"ltrim({clean}, '+')"
    has_trunk = f"starts_with({bare}, {literal(trunk)})" if trunk else "false"
    has_code = f"(starts_with({bare}, {literal(code)}) and length({bare}) > 10)" if code else "true"
    whole = (
        f"case when {has_trunk} then {literal(code)} || substr({bare}, {len(trunk) + 1}) "
        f"when starts_with({clean}, '+') or {has_code} then {bare} else {literal(code)} || {bare} end"
    )
    return f"case when length({whole}) between 8 and 15 then {whole} end"


def _clean_name(text: str) -> str:
    return _without_look_alikes(f"lower(strip_accents({text}))")


def _name(clean: str, _: Spelling) -> str:
    """The words of a name in the order of the alphabet, so that `Albers, Anna` is `Anna Albers`."""
    return f"nullif(array_to_string(list_sort(regexp_extract_all({clean}, '[\\p{{L}}\\p{{N}}]+')), ' '), '')"


def _birthday(clean: str, _: Spelling) -> str:
    return f"cast(try_cast(substr({clean}, 1, 10) as date) as varchar)"


def _clean_card(text: str) -> str:
    return f"upper(regexp_replace({text}, '[^\\p{{L}}\\p{{N}}]', '', 'g'))"


def _clean_handle(text: str) -> str:
    return f"ltrim(lower({_without_gaps(text)}), '@')"


def _without_gaps(text: str) -> str:
    """Composed anew: an accent that stood after a space then stands on the letter before it."""
    return f"nfc_normalize(regexp_replace({text}, '{_INVISIBLE}', '', 'g'))"


def _trimmed(text: str) -> str:
    return f"trim({text})"


def _unless_empty(clean: str, _: Spelling) -> str:
    return f"nullif({clean}, '')"


def _without_look_alikes(text: str) -> str:
    others = "".join(LOOK_ALIKES.values())
    letters = "".join(letter * len(alike) for letter, alike in LOOK_ALIKES.items())
    is_plain = f"strlen({text}) = length({text})"  # one byte a letter; the walk through the others is slow
    return f"case when {is_plain} then {text} else translate({text}, {literal(others)}, {literal(letters)}) end"


_CLEANED: dict[IdentifierKind, Callable[[str], str]] = {
    "email": _clean_email,
    "phone": _clean_phone,
    "name": _clean_name,
    "birthday": _trimmed,
    "card": _clean_card,
    "handle": _clean_handle,
}
_FORMS: dict[IdentifierKind, Callable[[str, Spelling], str]] = {
    "email": _email,
    "phone": _phone,
    "name": _name,
    "birthday": _birthday,
    "card": _unless_empty,
    "handle": _unless_empty,
}
