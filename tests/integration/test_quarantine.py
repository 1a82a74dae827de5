"""The quarantine as a work list: a night blocked by what it refuses, what is shown of it, and the replay of the fix."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pytest
from corner_shop import CornerShop
from typer.testing import CliRunner, Result

from dagster_project.cli import app
from dagster_project.nightly import NightFailed
from dagster_project.quarantine import QuarantineError, refusals, refused_rows, shape


@dataclass(frozen=True)
class BlockedNight:
    """A shop of whose orders more than 5 % came with a broken time, and what the night said."""

    shop: CornerShop
    before: str
    broken: int
    said: str
    good: bytes


@pytest.fixture(scope="module")
def blocked(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> BlockedNight:
    shop = published_shop.copy_to(tmp_path_factory.mktemp("blocked") / "shop")
    path = shop.deliveries / "orders.csv"
    good = path.read_bytes()
    header, *rows = csv.reader(io.StringIO(good.decode()))
    broken = len(rows) // 15
    for row in rows[:broken]:
        row[header.index("ordered_at")] = row[header.index("ordered_at")].replace("-", "/").replace("2025/", "25/")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    path.write_text(text.getvalue(), encoding="utf-8")
    with pytest.raises(NightFailed) as caught:
        shop.run()
    return BlockedNight(shop, published_shop.seen().version, broken, str(caught.value), good)


def loyalty(shop: CornerShop, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["quarantine", *arguments, "--config", str(shop.config)])


def test_a_night_that_refuses_too_much_of_a_feed_is_blocked_and_says_what_to_do(blocked: BlockedNight) -> None:
    # what belongs to refused orders is refused with them; the feed that lost most rows is told in full, others by name
    assert blocked.said.startswith(
        "marts_checks: check demo__order_lines_is_mostly_accepted failed on quality.quarantined_rows: observed "
    )
    assert "More than 5 % of feed demo.order_lines is refused" in blocked.said
    others = blocked.said.partition("; and 3 more: ")[2].partition(". ")[0].split(", ")
    assert others[0] == "demo__orders_is_mostly_accepted"
    assert set(others[1:]) == {"demo__guest_contacts_is_mostly_accepted", "demo__refunds_is_mostly_accepted"}
    assert "`loyalty quarantine list` says why; correct the file or the staging model, " in blocked.said
    assert blocked.shop.seen().version == blocked.before


def test_the_list_counts_by_reason_and_file_with_the_age(blocked: BlockedNight) -> None:
    groups = refusals(blocked.shop.settings())
    broken = [group for group in groups if group.model == "stg_demo__orders" and "is not a time" in group.reasons]
    assert sum(group.rows for group in broken) >= blocked.broken
    assert {group.file for group in broken} == {"orders.csv"}
    assert all(group.landed_at is not None for group in groups)
    assert [group.rows for group in groups] == sorted((group.rows for group in groups), reverse=True)
    found = loyalty(blocked.shop, "list")
    assert (found.exit_code, found.output.splitlines()[0].split()) == (0, ["rows", "model", "file", "age", "reasons"])
    assert f"{sum(group.rows for group in broken)}" in found.output


def test_show_gives_the_shape_of_what_the_reasons_name_and_values_only_when_asked(blocked: BlockedNight) -> None:
    settings = blocked.shop.settings()
    [row] = refused_rows(settings, "stg_demo__orders", reason="is not a time", limit=1)
    assert (row.file, row.row_number) == ("orders.csv", 1)
    assert row.fields == {"ordered_at": "99/99/99 99:99:99"}
    [whole] = refused_rows(settings, "stg_demo__orders", reason="is not a time", limit=1, with_values=True)
    assert whole.fields["order_id"] == blocked.shop.row("orders.csv", 1)[0]
    shown = loyalty(blocked.shop, "show", "stg_demo__orders", "--reason", "is not a time", "--limit", "1")
    assert shown.output.splitlines()[1] == "    ordered_at: 99/99/99 99:99:99"
    assert whole.fields["order_id"] not in shown.output
    assert refused_rows(settings, "stg_demo__orders", file="other.csv") == []


def test_an_unknown_model_lists_those_that_refused_something(blocked: BlockedNight) -> None:
    with pytest.raises(QuarantineError, match=r"nothing of 'stg_x' is quarantined; there are: .*stg_demo__orders"):
        refused_rows(blocked.shop.settings(), "stg_x")


def test_a_landed_file_that_is_gone_is_told_with_the_cure(blocked: BlockedNight) -> None:
    files = list((blocked.shop.home / "landing" / "demo" / "orders").glob("*.parquet"))
    for file in files:
        file.rename(file.with_suffix(".away"))
    try:
        with pytest.raises(
            QuarantineError, match=r"the home was moved, or the file taken away; run `loyalty run` once"
        ):
            refused_rows(blocked.shop.settings(), "stg_demo__orders")
    finally:
        for file in files:
            file.with_suffix(".away").rename(file)


def test_replay_runs_the_night_again_and_says_what_the_fix_freed(blocked: BlockedNight) -> None:
    (blocked.shop.deliveries / "orders.csv").write_bytes(blocked.good)
    found = loyalty(blocked.shop, "replay")
    assert found.exit_code == 0, found.output
    [line] = [line.split() for line in found.output.splitlines() if "`ordered_at` is not a time" in line]
    before, freed, after = (int(number.replace(",", "")) for number in line[:3])
    # some rows have a second fault, which stays
    assert blocked.broken * 0.8 < freed == before - after
    assert blocked.shop.seen().version > blocked.before


def test_a_home_without_a_build_says_what_to_run(tmp_path: Path) -> None:
    shop = CornerShop(tmp_path)
    shop.configure(lambda settings: None)
    found = loyalty(shop, "list")
    assert found.exit_code == 1
    assert found.stderr.startswith("error: no build lies in ")


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2025-13-45", "9999-99-99"),
        ("Anna Ö.", "Aaaa A."),
        ("", ""),
        ("王小明 ٣", "aaa 9"),
        ("x" * 61, "a" * 60 + "..."),
    ],
)
def test_a_shape_keeps_the_form_and_nothing_else(text: str, form: str) -> None:
    assert shape(text) == form
