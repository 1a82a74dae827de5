"""Makes the Data Docs open offline: the library's pages name scripts, styles and pictures of other people's servers.

What belongs here: taking those out of finished pages, a plain style in their place, a first page without scripts. What
the pages say is the library's; what was evaluated is the runner's.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from pathlib import Path

EXTERNAL = re.compile(
    r"<script\b.*?</script>|<footer\b.*?</footer>|<link\b[^>]*>|<img\b[^>]*\bsrc=[\"']?https?:[^>]*>",
    re.DOTALL | re.IGNORECASE,
)
STYLE = """<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; color: #1d2733 }
table { border-collapse: collapse; margin: .5rem 0 } td, th { text-align: left; padding: .25rem .9rem .25rem 0;
border-bottom: 1px solid #dde3ea; vertical-align: top } a { color: #0b5cad }
.passed { color: #1a7f4b } .failed { color: #b3261e }
</style>"""


@dataclass(frozen=True)
class Evaluated:
    """What became of one suite, the page that tells it, and of each failed rule its name, why and cure."""

    suite: str
    page: str
    count_rules: int
    failed: tuple[dict[str, str], ...]


def make_offline(site: Path, results: Path, about: str) -> Path:
    """Rewrite the pages of a site so that they name nothing outside it; gives its first page.

    Args:
        site: the folder that the library wrote.
        results: the folder in which it keeps its results, one JSON file per evaluated suite.
        about: which night the pages tell of.
    """
    for page in site.rglob("*.html"):
        text = EXTERNAL.sub("", page.read_text(encoding="utf-8"))
        page.write_text(text.replace("</head>", f"{STYLE}</head>", 1), encoding="utf-8")
    first = site / "index.html"
    first.write_text(_first_page(_evaluated(site, results), about), encoding="utf-8")
    return first


def _evaluated(site: Path, results: Path) -> list[Evaluated]:
    found: list[Evaluated] = []
    for path in sorted(results.rglob("*.json")):
        rules = json.loads(path.read_text(encoding="utf-8"))["results"]
        page = (Path("validations") / path.relative_to(results)).with_suffix(".html")
        if (site / page).exists():
            found.append(
                Evaluated(
                    suite=page.parts[1],
                    page=page.as_posix(),
                    count_rules=len(rules),
                    failed=tuple(rule["expectation_config"]["meta"] for rule in rules if not rule["success"]),
                )
            )
    return found


def _row(suite: Evaluated) -> str:
    state = "failed" if suite.failed else "passed"
    return (
        f'<tr><td><a href="{escape(suite.page)}">{escape(suite.suite)}</a></td><td>{suite.count_rules}</td>'
        f'<td class="{state}">{suite.count_rules - len(suite.failed)}</td></tr>'
    )


def _failed_rows(suite: Evaluated) -> list[str]:
    return [
        f'<tr><td><a href="{escape(suite.page)}">{escape(suite.suite)}</a></td>'
        f"<td>{escape(rule['name'].replace('_', ' '))}</td><td>{escape(rule['why'])}</td>"
        f"<td>{escape(rule['cure'])}</td></tr>"
        for rule in suite.failed
    ]


def _failed_table(evaluated: list[Evaluated]) -> str:
    """The failed rules with what to do about each; nothing where none failed."""
    rows = "\n".join(row for suite in evaluated for row in _failed_rows(suite))
    heading = "<tr><th>suite</th><th>rule</th><th>why it matters</th><th>what to do</th></tr>"
    return f"<h2>What failed</h2>\n<table>{heading}\n{rows}\n</table>" if rows else ""


def _first_page(evaluated: list[Evaluated], about: str) -> str:
    """What failed, then what became of each suite."""
    rows = "\n".join(_row(suite) for suite in evaluated)
    total = sum(suite.count_rules for suite in evaluated)
    passed = total - sum(len(suite.failed) for suite in evaluated)
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Data Docs</title>{STYLE}</head><body>
<h1>What was checked</h1>
<p>{escape(about)}.</p>
<p>{passed} of {total} rules passed, in {len(evaluated)} suites.
A suite's page tells each rule and what was observed.</p>
{_failed_table(evaluated)}
<h2>The suites</h2>
<table><tr><th>suite</th><th>rules</th><th>passed</th></tr>
{rows}
</table></body></html>
"""
