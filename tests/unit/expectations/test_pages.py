"""The Data Docs open offline: nothing outside the site is named, and the first page lists what was evaluated."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from expectations.pages import make_offline

PAGE = """<html><head><link rel="stylesheet" href="https://cdn.example/x.css"><script src="https://cdn.example/x.js"></script>
</head><body><img src="https://cdn.example/logo.png?d=1"><p>kept</p><a href="../index.html">home</a>
<footer><a href="https://cdn.example/news">Subscribe</a></footer></body></html>"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for suite, passed in (("marts__fct_orders", 2), ("raw__<b>", 1)):
        page = tmp_path / "site" / "validations" / suite / "night.html"
        result = tmp_path / "results" / suite / "night.json"
        for path in (page, result):
            path.parent.mkdir(parents=True)
        page.write_text(PAGE)
        rules = [
            {
                "success": n < passed,
                "expectation_config": {"meta": {"name": f"{suite}_{n}", "why": "Why.", "cure": "<b>"}},
            }
            for n in range(2)
        ]
        result.write_text(json.dumps({"results": rules}))
    return tmp_path / "site"


def test_pages_name_nothing_outside_the_site(site: Path) -> None:
    make_offline(site, site.parent / "results", "The night of <u>")
    for page in site.rglob("*.html"):
        assert "cdn.example" not in page.read_text()
    assert "<p>kept</p>" in (site / "validations" / "marts__fct_orders" / "night.html").read_text()


def test_the_first_page_counts_and_links_every_suite(site: Path) -> None:
    text = make_offline(site, site.parent / "results", "The night of <u>").read_text()
    assert "3 of 4 rules passed, in 2 suites" in text
    assert 'href="validations/marts__fct_orders/night.html"' in text
    assert text.index("night.html") > text.index("The night of &lt;u&gt;.")
    assert '<td class="failed">1</td>' in text
    assert "<td>raw  &lt;b&gt; 1</td><td>Why.</td><td>&lt;b&gt;</td>" in text
    assert "<td>marts" not in text.partition("What failed")[2].partition("</table>")[0]


def test_names_are_escaped(site: Path) -> None:
    text = make_offline(site, site.parent / "results", "The night of <u>").read_text()
    assert [tag for tag in ("<b>", "<i>", "<u>") if tag in text] == []
