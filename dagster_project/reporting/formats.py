"""How a number, an amount or a date reads on the page.

What belongs here: one function per kind of thing. What does not: which number is shown (`sections/`), how it looks
(`templates/`). What is absent is an en dash everywhere; the sentence beside it says why.
"""

from __future__ import annotations

import calendar
import datetime as dt
import math
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

ABSENT = "\N{EN DASH}"
NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"


def is_absent(amount: Any) -> bool:
    """Whether there is no number: null, or not finite."""
    return amount is None or not math.isfinite(amount)


def count(amount: Any) -> str:
    """A whole number with thousands separators."""
    return ABSENT if is_absent(amount) else _signed(f"{round(amount):,}")


def number(amount: Any, decimals: int = 2) -> str:
    """A number with separators and a fixed number of decimals."""
    if is_absent(amount):
        return ABSENT
    return _signed(f"{_rounded(amount, decimals):,}")


def significant(amount: Any, digits: int = 4) -> str:
    """A number whose size is not known beforehand, such as an error, to so many digits."""
    if is_absent(amount):
        return ABSENT
    if not amount:
        return "0"
    size = math.floor(math.log10(abs(amount)))
    return number(amount, max(0, min(8, digits - 1 - size)))


def money(amount: Any, currency: str | None) -> str:
    """An amount with its currency, to two decimals."""
    if is_absent(amount):
        return ABSENT
    return f"{currency}{NBSP}{number(amount)}" if currency else number(amount)


def share(amount: Any) -> str:
    """A share of 0 to 1 as percent; what is not quite none, or not quite all, does not read as none or all."""
    if is_absent(amount):
        return ABSENT
    if 0 < amount < 0.0005:
        return f"<0.1{NBSP}%"
    if 0.9995 <= amount < 1:
        return f">99.9{NBSP}%"
    return f"{number(100 * Decimal(repr(float(amount))), 1)}{NBSP}%"


def change(later: Any, earlier: Any) -> str:
    """How much more or less the later of two amounts is, in words."""
    if is_absent(later) or is_absent(earlier) or not earlier:
        return "which cannot be compared with"
    relative = float(later) / float(earlier) - 1
    if abs(relative) < 0.0005:
        return "as much as"
    return f"{share(abs(relative))} {'more' if relative > 0 else 'less'} than"


def plural(amount: Any, noun: str) -> str:
    """A count and its noun: `1 order`, `2 orders`."""
    return f"{count(amount)} {noun}{'' if amount == 1 else 's'}"


def day(date: dt.date) -> str:
    """A date as `29 October 2018`."""
    return f"{date.day} {calendar.month_name[date.month]} {date.year}"


def month(date: dt.date) -> str:
    """A month as `October 2018`."""
    return f"{calendar.month_name[date.month]} {date.year}"


def quarter(date: dt.date) -> str:
    """A quarter as `July to September 2018`."""
    return f"{calendar.month_name[date.month]} to {calendar.month_name[date.month + 2]} {date.year}"


def words(name: str) -> str:
    """A name of the warehouse as words: `cannot_lose` becomes `cannot lose`."""
    return name.replace("_", " ")


def _rounded(amount: Any, decimals: int) -> Decimal:
    exact = amount if isinstance(amount, Decimal) else Decimal(repr(amount))
    return exact.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)


def _signed(text: str) -> str:
    return text.replace("-", MINUS)
