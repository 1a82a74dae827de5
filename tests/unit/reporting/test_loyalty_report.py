import html
import re
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
import yaml
from published_shop import COLUMNS, HOSTILE, KEYS, VERSION, publish

from dagster_project.reporting.published import ReportError
from dagster_project.reporting.report import render_report, write_report

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return render_report(publish(tmp_path_factory.mktemp("whole") / "v"), VERSION)


@pytest.fixture(scope="module")
def empty_page(tmp_path_factory):
    return render_report(publish(tmp_path_factory.mktemp("empty") / "v", is_empty=True), VERSION)


def text_of(page, anchor=None):
    """The words of the page, or of one section, as a reader sees them."""
    if anchor:
        page = re.search(rf'<section id="{anchor}".*?</section>', page, re.DOTALL)[0]
    page = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)).replace("\xa0", " "))


def card(page, label):
    found = re.search(rf'<a class="card"[^>]*>\s*<span class="label">{re.escape(label)}</span>.*?</a>', page, re.DOTALL)
    return text_of(found[0])


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("Customers", "30 whole history of 40 known customers"),
        ("Active customers", "24 365 days to 31 March 2025 80.0 % of customers"),
        ("Net revenue", "EUR 2,275.00 365 days to 31 March 2025 n = 26 orders"),
        ("Repeat purchase rate", "16.7 % since 1 February 2025 95 % interval 11.7 % to 21.7 % n = 30 customers not"),
        ("Repeat purchase within the window", "not shown"),
        ("Purchase frequency, per customer", "1.250"),
        ("Average order value, all time", "EUR 65.00 since 1 February 2025 95 % interval EUR 55.00 to EUR 75.00"),
        ("Average order value", "not shown 365 days to 31 March 2025 n = 26 orders, below the minimum base of 30"),
        ("Retention rate, last month", "25.0 % March 2025"),
        ("Churn rate, last month", "75.0 % March 2025"),
        ("Retention rate, last quarter", "not shown January to March 2025 n = 29 customers"),
        ("Churn rate, last quarter", "\N{EN DASH} January to March 2025 no base in this period"),
        ("Net Promoter Score (NPS)", "+25.0 365 days to 31 March 2025 95 % interval +15.0 to +35.0 n = 80 answers"),
        ("Satisfied customers (CSAT)", "75.0 %"),
    ],
)  # fmt: skip
def test_headline_card_tells_number_period_interval_and_base(page, label, told):
    assert told in card(page, label)


def test_headline_card_carries_its_definition_and_links_to_the_table(page):
    assert 'href="#definition-nps" title="defined nps"' in page
    assert 'id="definition-nps"' in page
    assert "defined repeat_purchase_rate" in text_of(page, "definitions")


@pytest.mark.parametrize(
    ("anchor", "told"),
    [
        ("revenue", "In March 2025, the last complete month, 16 orders brought EUR 1,275.00 net, 27.5 % more than"),
        ("revenue", "11.0 % of net came from repeat purchases"),
        ("retention", "Of the 48 customers who bought in February 2025, 12 bought again in March 2025: 25.0 %"),
        ("retention", "lower than in February 2025 (75.0 %) by more than chance explains"),
        ("cohorts", "22.9 % in month 1 (n = 105)"),
        ("nps", "NPS is +25.0 over the trailing window"),
        ("csat", "The share of satisfied customers is 75.0 % over the trailing window"),
        ("silence", "Relationship: 30.0 points from those who answered, 12.5 (5.0 to 20.0) weighed for the silent."),
        ("silence", "transactional 90 9 0.0 too few answers"),
        ("themes", "2 themes were found"),
        ("themes", "1 theme rose or fell in the last quarter beyond chance"),
        ("themes", "en delivery 40 25.0 % rising"),
        ("drivers", "1 of 2 facts can be said to move it"),
        ("drivers", "csat service waits 500 0.10 cannot say"),
        ("segments", "The largest segment is champions with 66.7 % of customers"),
        ("segments", "bring 100.0 % of the net revenue"),
        ("value", "bring EUR 570.00 of discounted margin in the next 365 days; the most valuable tenth (3 customers)"),
        ("value", "is expected to bring 52.6 % of it"),
        ("value", "Net revenue EUR 2,250.00 EUR 9,000.00"),
        ("churn", "Of 24 active customers about 7 are expected to order within 90 days (30.0 %)"),
        ("churn", "between 3 and 11"),
        ("churn", "high not shown 12 not shown not shown"),
        ("churn", "graded on 6 past month ends, 90 days ahead: Brier 0.125 (the best rule of thumb: 0.250), AUC 0.750"),
        ("next", "mbg nbd 3 300 57.3 77.5 %"),
        ("next", "last gap (rule of thumb) 3 300 68.1 \N{EN DASH}"),
        ("next", "The record is of month ends whose year is over"),
        ("ledger", "within 90 days was off by 12.5 % of what came"),
        ("ledger", "Orders, 30 days 12 12.5 % 25.0 % -12.5 (-20.0 to -5.0) yes"),
        ("ledger", "Net revenue, 90 days 6 37.5 % 25.0 % +12.5 cannot say"),
        ("scores", "was 25.0 % smaller than that of predicting that nobody buys again, and its total was 12.5 % below"),
        ("scores", "AUC of 0.750, against 0.625 by days since the last order alone; its probabilities were no closer"),
        ("exclusions", "2 of 27 orders (7.4 %), worth EUR 124.00 (EUR 25.00 of it still counts as revenue), are not"),
        ("exclusions", "2 raw rows could not be used and were refused"),
        ("reconciliation", "All 1 total agree"),
        ("checks", "3 of 4 checks passed; 1 check below did not"),
        ("checks", "mend"),
    ],
)  # fmt: skip
def test_section_says_what_the_numbers_say(page, anchor, told):
    assert told in text_of(page, anchor)


def test_cohort_cell_that_is_immature_or_small_is_blank(page):
    picture = re.search(r'<section id="cohorts".*?</section>', page, re.DOTALL)[0]
    assert ">20.0<" in picture
    assert ">87.7<" not in picture


def test_mean_absolute_error_stands_only_beside_the_all_zero_row(page, tmp_path):
    assert "MAE ↓" in text_of(page, "scores")
    database = publish(tmp_path / "v")
    with duckdb.connect(str(database)) as con:
        con.execute("delete from models.model_scores where model = 'zero'")
    assert "MAE ↓" not in text_of(render_report(database, VERSION), "scores")


def test_fallback_is_said_with_its_reason(tmp_path):
    page = render_report(publish(tmp_path / "v", is_fitted=False), VERSION)
    for anchor in ("value", "churn"):
        assert "No model was fitted" in text_of(page, anchor)
        assert "(insufficient data: too few" in text_of(page, anchor)
    assert "mbg_nbd was not back-tested for orders per customer and no order" in text_of(page, "scores")


def test_shop_without_feedback_says_no_source_and_never_zero(tmp_path):
    page = render_report(publish(tmp_path / "v", has_feedback=False), VERSION)
    assert "\N{EN DASH} 365 days to 31 March 2025 no source of NPS answers" in card(page, "Net Promoter Score (NPS)")
    assert "No source sends NPS answers" in text_of(page, "nps")
    assert "No source sends satisfaction ratings" in text_of(page, "csat")


@pytest.mark.parametrize(
    ("anchor", "told"),
    [
        ("headline", "No customer has a valid order yet"),
        ("revenue", "There is no revenue order yet"),
        ("retention", "there is no retention to show"),
        ("cohorts", "No cohort has reached its second month"),
        ("silence", "No source sends invitations"),
        ("themes", "There are too few texts"),
        ("drivers", "There are too few answers about orders"),
        ("segments", "There are no customers to put into segments"),
        ("value", "There are no customers to value"),
        ("churn", "There are no recently active customers"),
        ("next", "No date said on a past month end has come due yet"),
        ("scores", "Nothing was back-tested"),
        ("exclusions", "There are no orders yet"),
        ("reconciliation", "No total was compared"),
        ("checks", "No check result"),
    ],
)
def test_empty_shop_says_what_is_missing(empty_page, anchor, told):
    assert told in text_of(empty_page, anchor)


def test_empty_shop_shows_no_rate(empty_page):
    assert card(empty_page, "Repeat purchase rate").split()[3] == "\N{EN DASH}"
    assert "<svg" not in empty_page


def test_names_and_reasons_are_escaped(tmp_path, page):
    fallback = render_report(publish(tmp_path / "v", is_fitted=False), VERSION)
    for text in (page, fallback):
        assert "<script" not in text.lower()
        assert html.escape(HOSTILE)[:20] in text
    assert HOSTILE in html.unescape(page)


def test_page_is_self_contained(page):
    for pattern in (r"https?://", r"\ssrc\s*=", r"@import", r"url\((?!#)", r"<(?:script|link|iframe|img|object)"):
        assert not re.search(pattern, page, re.IGNORECASE), pattern
    assert all(target.startswith("#") for target in re.findall(r'href\s*=\s*"([^"]*)"', page))


def test_page_holds_no_customer(page):
    assert not [key for key in KEYS if key in page]


def test_every_link_has_its_target_and_every_id_is_unique(page):
    names = re.findall(r'\sid="([^"]+)"', page)
    assert len(names) == len(set(names))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(names)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(names)


def test_every_picture_has_a_name(page):
    assert page.count("<svg") == page.count('<svg role="img"') == page.count("</title>") - 1
    assert page.count("<svg") == 14


def test_same_version_gives_the_same_bytes(tmp_path, page):
    again = publish(tmp_path / "v")
    assert render_report(again, VERSION) == page


def test_write_report_writes_version_and_latest_and_nothing_else(tmp_path):
    database, folder = publish(tmp_path / "v"), tmp_path / "reports"
    before = database.read_bytes()
    path = write_report(database, folder, VERSION)
    assert path == folder / f"{VERSION}.html"
    assert sorted(found.name for found in folder.iterdir()) == [f"{VERSION}.html", "latest.html"]
    assert path.read_bytes() == (folder / "latest.html").read_bytes()
    assert database.read_bytes() == before


def test_another_version_is_refused(tmp_path):
    with pytest.raises(ReportError, match=r"is of version 2025-03-31_001, expected 2025-03-30_001"):
        write_report(publish(tmp_path / "v"), tmp_path / "reports", "2025-03-30_001")
    assert not (tmp_path / "reports").exists()


def test_absent_manifest_and_absent_table_are_said_with_the_cure(tmp_path):
    database = publish(tmp_path / "v")
    with duckdb.connect(str(database)) as con:
        con.execute("drop table models.model_scores")
    with pytest.raises(ReportError, match=r"model_scores.*run that night again"):
        render_report(database, VERSION)
    (database.parent / "manifest.json").unlink()
    with pytest.raises(ReportError, match=r"is no manifest of a version"):
        render_report(database, VERSION)


def test_importing_the_report_does_not_load_the_chart_libraries():
    heavy = "{'altair', 'vl_convert', 'jinja2', 'pandas'}"
    code = f"import sys, dagster_project.reporting.report; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_columns_that_the_page_reads_are_those_of_the_contracts():
    contracts = {}
    for folder in ("marts", "quality"):
        for path in (ROOT / "dbt_models" / "models" / folder).glob("*.yml"):
            for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models", []):
                columns = {column["name"]: column["data_type"] for column in model.get("columns", [])}
                contracts[f"{folder}.{model['name']}"] = columns
    for table, declared in COLUMNS.items():
        if table in contracts:
            with duckdb.connect() as con:
                con.execute(f"create table ours ({declared})")
                ours = {name: kind.lower() for name, kind, *_ in con.execute("describe ours").fetchall()}
            theirs = {name: contracts[table].get(name, "").replace(", ", ",") for name in ours}
            assert ours == theirs, table
