"""What an alert says: as text for people, as a subject line, as the JSON that chat services read.

What belongs here: wording and masking. What does not: noticing problems (`watch`), sending (`channels.py`), saying a
thing only once (`outbox.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning"]
Ending = Literal["well again", "superseded"]
"""How a problem ends: it is cured, or it has been overtaken and nobody need act, though it was never cured."""
MOST_LISTED = 20
LONGEST_TEXT = 600
_ADDRESS = re.compile(r"[^\s@'\"<>()]+@[^\s@'\"<>()]+")
_QUOTED = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_PHONE = re.compile(r"(?<![\w.-])\+?\(?\d{2,4}\)?[ /.()-]{1,2}\d{2,5}(?:[ /.-]?\d{2,5}){1,3}(?![\w-])")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CHAT_ESCAPES = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


@dataclass(frozen=True)
class Alert:
    """One problem.

    Attributes:
        key: what makes two sightings the same problem.
        title: the problem in one line.
        text: what was found and what to do.
        severity: whether readers still get a new version (`warning`) or not (`critical`).
    """

    key: str
    title: str
    text: str
    severity: Severity = "critical"


@dataclass(frozen=True)
class Message:
    """What is sent at one moment: problems that are new or last, and titles of those that were cured or overtaken."""

    number: int
    made_at: str
    business: str
    alerts: tuple[Alert, ...]
    recovered: tuple[str, ...] = ()
    superseded: tuple[str, ...] = ()

    @property
    def subject(self) -> str:
        """One line: whose shop, how bad, the first title, how many more."""
        titles = [alert.title for alert in self.alerts] or [*self.recovered, *self.superseded]
        is_critical = any(alert.severity == "critical" for alert in self.alerts)
        ending: Ending = "superseded" if self.superseded and not self.recovered else "well again"
        word = "CRITICAL" if is_critical else "warning" if self.alerts else ending
        more = f" (and {len(titles) - 1} more)" if titles[1:] else ""
        return _one_line(f"[{self.business}] {word}: {titles[0] if titles else 'test'}{more}")

    def text(self) -> str:
        """The whole message for people."""
        paragraphs = [f"{alert.severity.upper()}: {alert.title}\n{alert.text}" for alert in self.alerts[:MOST_LISTED]]
        if self.alerts[MOST_LISTED:]:
            paragraphs.append(f"and {len(self.alerts) - MOST_LISTED} more; `loyalty status` shows the published state")
        paragraphs += [f"WELL AGAIN: {title}" for title in self.recovered[:MOST_LISTED]]
        paragraphs += [f"SUPERSEDED: {title}, and a later one is" for title in self.superseded[-MOST_LISTED:]]
        return "\n\n".join(paragraphs)

    def payload(self) -> dict[str, Any]:
        """The body of a webhook call: `text` is what Slack and its like show, the rest is for programs."""
        return {
            "text": f"*{self.subject.translate(_CHAT_ESCAPES)}*\n{self.text().translate(_CHAT_ESCAPES)}",
            "number": self.number,
            "made_at": self.made_at,
            "alerts": [{"key": alert.key, "severity": alert.severity, "title": alert.title} for alert in self.alerts],
            "recovered": list(self.recovered),
            "superseded": list(self.superseded),
        }


def masked(text: str, is_known: Callable[[str], bool]) -> str:
    """A fault's text in which nothing of a row is left: it may have quoted a field, or a whole line taken for a header.

    Args:
        text: what a program said.
        is_known: whether a quoted word is the shop's own, such as a table, a column or a file of its settings.

    Returns:
        One line of at most 600 characters; other quoted words, e-mail addresses and telephone numbers are `...`.
    """

    def quoted(match: re.Match[str]) -> str:
        word = match.group(1) if match.group(1) is not None else match.group(2)
        mark = match.group(0)[0]
        return match.group(0) if is_known(word) else f"{mark}...{mark}"

    def phone(match: re.Match[str]) -> str:
        return match.group(0) if _DAY.match(match.group(0)) else "..."

    line = _PHONE.sub(phone, _ADDRESS.sub("...", _QUOTED.sub(quoted, _one_line(text))))
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 4] + " ..."


def _one_line(text: str) -> str:
    return " ".join(text.split())
