"""What is to be written for a shop: its feeds with their columns as a staging model reads them.

Belongs here: from guesses to the words that the templates need. Does not belong here: the templates and the files
(`scaffold.py`), the guesses (`guessing.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dagster_project.onboarding.guessing import Guess, Match
from dagster_project.onboarding.readings import READING_OF
from dagster_project.onboarding.vocabulary import code_of, has_codes, words

SIMPLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
HOSTILE = re.compile(r"[\"'`{}%\\\x00-\x1f\x7f-\x9f\u2028\u2029]")
"""Marks that neither a quoted identifier nor a text of SQL in Jinja can hold as they are."""
_CASES = {"country_code": "upper", "currency_code": "upper", "customer_type": "lower", "language_code": "lower"}
_BLANKS = {"orders": frozenset({"customer_id"}), "sales_lines": frozenset({"customer_id"})}
"""Columns that a feed must have and a row need not fill: guests order too."""
_WALL_TIMES = frozenset({"moment"})
_KNOWN_WHEN_THEY_ARE = frozenset({"delivered_at"})
"""Times that a row learns after it was made: what lies behind the night is not known to it."""
SCALES = ((1, 3), (1, 5), (0, 5), (1, 6), (1, 7), (1, 10), (0, 10), (0, 100))
"""Scales that surveys use, the shortest first."""
DEFAULT_SCALE = (1, 5)
WHOLE_FILE = "score"
"""The code of the question of a file that asks one and does not name it."""
OTHER = "other"
"""The instrument of a question that no metric takes; its answers are kept."""
_RECOMMENDING = words("nps recommend recommendation empfehlung weiterempfehlung recommander recomendar consigliare")
_SATISFYING = words("csat overall satisfaction satisfied zufriedenheit satisfacao satisfaccion soddisfazione")
LEAST_ON_SCALE = 0.97
"""Share of the answers that must lie on a scale; the others are slips."""


@dataclass(frozen=True)
class ColumnPlan:
    """One column of a staging model.

    Attributes:
        name: ours.
        sent: the file's name.
        raw: the raw column, as an expression of a template of dbt.
        sql: SQL with dbt's marks that reads it.
        rules: calls of the rules that refuse it.
    """

    name: str
    sent: str
    raw: str
    sql: str
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Question:
    """A question of a survey: the text that names it, in lower case, and what it measures."""

    code: str
    instrument: str
    name: str
    scale: tuple[int, int]


@dataclass(frozen=True)
class FeedPlan:
    """One feed of the shop, ready to be written.

    Attributes:
        guess: what it was made from.
        source: name of the source.
        table: name of its raw table.
        columns: by our name.
        unknown_codes: by our name, codes that the models do not know.
        questions: of feedback.
    """

    guess: Guess
    source: str
    table: str
    columns: Mapping[str, ColumnPlan]
    unknown_codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    questions: tuple[Question, ...] = ()


def plan_feed(guess: Guess, source: str, answers: Mapping[str | None, Mapping[float, int]] | None = None) -> FeedPlan:
    """How one file becomes a feed.

    Args:
        guess: what the file is.
        source: name of the source.
        answers: how often each score was given, by question, of feedback; by None where it has one question.
    """
    usable = {role: match for role, match in guess.matches.items() if not HOSTILE.search(match.column.name)}
    name = guess.feed.name
    unknown = {role: _unknown_codes(name, role, match.column.codes) for role, match in usable.items()}
    return FeedPlan(
        guess,
        source,
        name,
        {role: _column(match, name) for role, match in usable.items()},
        {role: codes for role, codes in unknown.items() if codes},
        _questions(answers or {}),
    )


def _column(match: Match, feed: str) -> ColumnPlan:
    may_be_blank = _BLANKS.get(feed, frozenset())
    name, sent = match.role.name, match.column.name
    raw = f"'raw.{sent}'" if SIMPLE.fullmatch(sent) else f"sent('{sent}')"
    rules = [f"rule_missing('{sent}')"] if match.role.is_required and match.role.name not in may_be_blank else []
    if match.written_as is None:
        read = f"text({raw})"
    else:
        way = READING_OF[match.written_as]
        read = way.reads(raw)
        if match.role.kind != "currency":
            rules.append(f"rule_unreadable('{sent}', {read}, '{way.expected}')")
        if match.role.kind in _WALL_TIMES and match.written_as != "iso_with_offset":
            read = f"local_to_utc({read})"
    sql = "{{ " + read + " }}"
    if name in _CASES:
        sql = f"{_CASES[name]}({sql})"
    elif match.role.kind == "date":
        sql = f"cast({sql} as date)"
    elif match.role.kind == "flag":
        sql = f"coalesce({sql}, false)"
    elif name in _KNOWN_WHEN_THEY_ARE:
        sql = "{{ if_known(" + f"{read}, {read}" + ") }}"
    elif codes := _renamed_codes(feed, name, match.column.codes):
        sql = _case(f"lower({sql})", codes)
    elif name in ("order_status", "payment_status"):
        sql = f"lower({sql})"
    return ColumnPlan(name, sent, raw, sql, tuple(rules))


def _renamed_codes(feed: str, role: str, codes: Sequence[str]) -> dict[str, str]:
    """Codes, in lower case, that the models call otherwise."""
    known = {code.lower(): code_of(role, code, feed) for code in codes if not HOSTILE.search(code)}
    return {code: ours for code, ours in known.items() if ours is not None and ours != code}


def _unknown_codes(feed: str, role: str, codes: Sequence[str]) -> tuple[str, ...]:
    return tuple(code for code in codes if code_of(role, code, feed) is None) if has_codes(role, feed) else ()


def _case(sql: str, codes: Mapping[str, str]) -> str:
    lines = "".join(f"\n            when '{code}' then '{ours}'" for code, ours in codes.items())
    return f"case {sql}{lines}\n            else {sql}\n        end"


def _questions(answers: Mapping[str | None, Mapping[float, int]]) -> tuple[Question, ...]:
    """The questions, the most asked first; what an earlier one measures already is kept under its own name."""
    found: list[Question] = []
    for code, scores in answers.items():
        question = _question(code, _scale(scores))
        if question.instrument in {other.instrument for other in found}:
            question = Question(question.code, OTHER, _name(question.code), question.scale)
        found.append(question)
    return tuple(found)


def _question(code: str | None, scale: tuple[int, int]) -> Question:
    """What a question measures: only what names itself is an NPS or a CSAT; the others are kept under their names."""
    told = words(code or "")
    if scale in ((0, 10), (1, 10)) and (code is None or not told.isdisjoint(_RECOMMENDING)):
        return Question(code or WHOLE_FILE, "nps", "recommend", (0, 10))
    if code is None or (told and told <= _SATISFYING):
        return Question(code or WHOLE_FILE, "csat", "overall_satisfaction", scale)
    return Question(code, OTHER, _name(code), scale)


def _name(code: str) -> str:
    return re.sub(r"\W+", "_", code.lower()).strip("_") or "question"


def _scale(scores: Mapping[float, int]) -> tuple[int, int]:
    """The shortest scale that holds nearly all answers."""
    answers = sum(scores.values())
    for low, high in SCALES:
        if sum(count for score, count in scores.items() if low <= score <= high) >= LEAST_ON_SCALE * answers:
            return low, high
    return DEFAULT_SCALE
