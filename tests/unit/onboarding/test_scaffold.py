"""What `loyalty init` writes, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from dagster_project.onboarding.guessing import guess_feeds
from dagster_project.onboarding.origins import Origin, origin_of
from dagster_project.onboarding.profiling import profile
from dagster_project.onboarding.samples import file_samples
from dagster_project.onboarding.scaffold import Business, checked_business, scaffold
from dagster_project.onboarding.shop import plan_feed
from dagster_project.onboarding.staging_models import staging_models
from dagster_project.settings import load_settings
from dagster_project.sources.tables import SourceError
from expectations.suite import load_suites

SHOP = Business("Corner shop", "Europe/Paris", "EUR")
RECORDS = "\n".join(f"A-{row},C{row % 7},2025-0{1 + row % 9}-11 10:00:00,Paid,{row}.50" for row in range(40))
TOTALS = f"order_id,customer_id,order_date,status,total\n{RECORDS}"


def written(folder: Path, **files: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def origin(folder: Path) -> Origin:
    return origin_of(str(folder), "SHOP_DATABASE")


def models_of(folder: Path) -> dict[str, str]:
    guesses, _ = guess_feeds(profile(sample) for sample in file_samples(folder)[0])
    feeds = {guess.feed.name: plan_feed(guess, "shop", {None: {1.0: 3, 5.0: 9}}) for guess in guesses}
    return {model.name: model.sql for model in staging_models(feeds, "EUR")}


def test_orders_with_totals_alone_have_one_line_each(tmp_path: Path) -> None:
    models = models_of(written(tmp_path / "in", orders=TOTALS))
    assert sorted(models) == ["stg_shop__order_lines", "stg_shop__orders"]
    assert "total_amount as line_amount" in models["stg_shop__order_lines"]
    assert "'EUR' as currency_code" in models["stg_shop__orders"]


def test_codes_are_called_as_the_models_call_them(tmp_path: Path) -> None:
    text = TOTALS.replace("Paid", "Canceled", 5).replace("Paid", "On a boat", 1)
    folder = written(tmp_path / "in", orders=text)
    assert "when 'canceled' then 'cancelled'" in models_of(folder)["stg_shop__orders"]
    made = scaffold(tmp_path / "shop", origin(folder), SHOP)
    assert "orders: order_status has codes that no model knows: On a boat; map them in its model" in made.found.doubts


def test_sales_lines_become_orders_lines_products_and_refunds(tmp_path: Path) -> None:
    records = "\n".join(f"{row // 3},P{row},{1 - row % 5},2025-01-02 10:00:00,9.95,C{row % 4},Cup" for row in range(60))
    header = "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID,Description"
    models = models_of(written(tmp_path / "in", export=f"{header}\n{records}"))
    assert sorted(models) == [
        f"stg_shop__{name}" for name in ("order_lines", "orders", "products", "refunds", "sales_lines")
    ]
    assert "{{ text(sent('Customer ID')) }} as customer_id" in models["stg_shop__sales_lines"]


def test_suites_and_settings_are_readable_by_those_who_read_them(tmp_path: Path) -> None:
    made = scaffold(tmp_path / "shop", origin(written(tmp_path / "in", orders=TOTALS)), SHOP)
    [suite] = load_suites("raw", folders=[tmp_path / "shop" / "suites"])
    assert suite.table == "shop__orders"
    settings = yaml.safe_load((tmp_path / "shop" / "loyalty.yaml").read_text(encoding="utf-8"))
    assert settings["sources"]["shop"]["tables"]["orders"]["columns"] == [
        "order_id", "customer_id", "order_date", "status", "total",
    ]  # fmt: skip
    tables = load_settings(tmp_path / "shop" / "loyalty.yaml").sources["shop"].tables
    assert tables["orders"].enumerations == ("status",), "a new status is told at the door"
    assert all(path.exists() for path in made.written)


def test_direct_identifiers_are_named_so_that_they_are_hashed(tmp_path: Path) -> None:
    rows = "\n".join(f"C{row},p{row}@example.com,0{row},Ann,DE" for row in range(20))
    people = f"customer_id,E-Mail,Telefon,First Name,country\n{rows}"
    made = scaffold(tmp_path / "shop", origin(written(tmp_path / "in", orders=TOTALS, customers=people)), SHOP)
    tables = load_settings(tmp_path / "shop" / "loyalty.yaml").sources["shop"].tables
    assert tables["customers"].identifiers == {"E-Mail": "email", "Telefon": "phone", "First Name": "name"}
    assert tables["customers"].identifies == {"account": "customer_id"}
    assert tables["orders"].identifiers == {}
    asked = "customers: stored as keyed hashes: E-Mail, Telefon, First Name; are there more direct identifiers?"
    assert asked in made.found.doubts


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"nps": range(11)}, [("nps", "nps", "recommend", (0, 10))]),
        ({"would you recommend us": range(1, 11)}, [("would you recommend us", "nps", "recommend", (0, 10))]),
        ({None: range(1, 6)}, [("score", "csat", "overall_satisfaction", (1, 5))]),
        ({"cli_recommend": range(1, 7)}, [("cli_recommend", "other", "cli_recommend", (1, 6))]),
        ({"a, b": range(1, 8)}, [("a, b", "other", "a_b", (1, 7))]),
        (
            {"csat": range(1, 6), "satisfaction": range(1, 6)},
            [("csat", "csat", "overall_satisfaction", (1, 5)), ("satisfaction", "other", "satisfaction", (1, 5))],
        ),
    ],
)
def test_questions_have_the_scale_of_their_answers(
    answers: dict[str | None, range], expected: list[tuple[object, ...]], tmp_path: Path
) -> None:
    records = "\n".join(f"R{row},C{row % 7},{row % 5},2025-01-02 10:00:00" for row in range(30))
    folder = written(tmp_path / "in", reviews=f"review_id,customer_id,score,created_at\n{records}")
    [guess], _ = guess_feeds(profile(sample) for sample in file_samples(folder)[0])
    counts = {code: {**dict.fromkeys(map(float, scores), 100), 999.0: 1} for code, scores in answers.items()}
    plan = plan_feed(guess, "shop", counts)
    assert [(asked.code, asked.instrument, asked.name, asked.scale) for asked in plan.questions] == expected


@pytest.mark.parametrize(
    "name", ['cust"omer id', "customer {{ id }}", "customer ' id", "customer %} id", "customer` id"]
)
def test_a_hostile_name_reaches_no_sql(tmp_path: Path, name: str) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    text = TOTALS.replace("status", quoted)
    folder = written(tmp_path / "in", orders=text)
    for sql in models_of(folder).values():
        assert name not in sql
    scaffold(tmp_path / "shop", origin(folder), SHOP)
    assert yaml.safe_load((tmp_path / "shop" / "loyalty.yaml").read_text(encoding="utf-8"))["business"]["name"]


def test_a_file_name_cannot_break_out_of_the_page_or_the_settings(tmp_path: Path) -> None:
    folder = written(tmp_path / "in")
    (folder / "orders <b>|x: [y].csv").write_text(TOTALS, encoding="utf-8")
    scaffold(tmp_path / "shop", origin(folder), SHOP)
    settings = yaml.safe_load((tmp_path / "shop" / "loyalty.yaml").read_text(encoding="utf-8"))
    assert settings["sources"]["shop"]["tables"]["orders"]["files"] == "orders <b>|x: [y].csv"
    assert "<b>" not in (tmp_path / "shop" / "README.md").read_text(encoding="utf-8")


def test_files_without_orders_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", weather="station,rain\n1,2\n2,3\n")
    said = r"no table looks like orders in .*: expected an order id, .*; found weather\.csv with station, rain\."
    with pytest.raises(SourceError, match=said):
        scaffold(tmp_path / "shop", origin(folder), SHOP)
    assert not (tmp_path / "shop").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("Shop", "Europe/Atlantis", "EUR"), "'Europe/Atlantis' is no time zone of the IANA data base"),
        (("Shop", "UTC", "euro"), "currency 'euro' is none; expected three capital letters, like EUR"),
        (("Sh\nop", "UTC", "EUR"), "holds marks that are not printed; give another with --name"),
    ],
)
def test_what_no_shop_can_be_is_refused(arguments: tuple[str, str, str], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        checked_business(*arguments)


def test_a_source_is_named_in_snake_case(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="source name 'My Shop' is not snake case; expected one like 'online_shop'"):
        scaffold(tmp_path / "shop", origin(written(tmp_path / "in", orders=TOTALS)), SHOP, "My Shop")
