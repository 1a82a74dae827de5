"""A delivery with a structural fault: the night stops at the door, says why in one line, and nothing else changes."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from corner_shop import NIGHT, CornerShop, Seen

from dagster_project.nightly import NightFailed, run_night
from dagster_project.warehouse import Warehouse

Damage = Callable[[Path], None]


@pytest.fixture(scope="module")
def shop_of_faults(published_shop: CornerShop, tmp_path_factory: pytest.TempPathFactory) -> CornerShop:
    """One copy for all faults: a refused delivery must leave no trace, so the next fault finds the shop as it was."""
    return published_shop.copy_to(tmp_path_factory.mktemp("faults") / "shop")


@pytest.fixture(scope="module")
def seen_before(shop_of_faults: CornerShop) -> Seen:
    return shop_of_faults.seen()


@pytest.fixture
def faulty_shop(shop_of_faults: CornerShop) -> Iterator[CornerShop]:
    """The shop, with good deliveries put back afterwards."""
    good = {path: path.read_bytes() for path in shop_of_faults.deliveries.iterdir()}
    yield shop_of_faults
    for path in shop_of_faults.deliveries.iterdir():
        path.unlink()
    for path, content in good.items():
        path.write_bytes(content)


def missing(file: Path) -> None:
    file.unlink()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def without_column(name: bytes) -> Damage:
    return lambda file: file.write_bytes(file.read_bytes().replace(name, name + b"_old", 1))


def cut_in_the_middle(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(content[: content.index(b",", len(content) // 2)])


def delimited_by_semicolon(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b",", b";"))


def beside_its_own_gzip(file: Path) -> None:
    file.with_name(file.name + ".gz").write_bytes(gzip.compress(file.read_bytes()))


FAULTS: list[tuple[str, Damage, str]] = [
    ("orders.csv", missing, "demo.orders: no file matches 'orders.csv' in "),
    ("orders.csv", empty, "demo.orders: file 'orders.csv' has zero bytes; expected at least a header"),
    (
        "orders.csv",
        without_column(b"ordered_at"),
        "demo.orders: the header of 'orders.csv' lacks column(s) 'ordered_at'; found 'order_id', ",
    ),
    ("orders.csv", cut_in_the_middle, "demo.orders: file 'orders.csv' is cut: its last record, in line "),
    (
        "orders.csv",
        delimited_by_semicolon,
        "demo.orders: the header of 'orders.csv' looks delimited by ';', not by ','",
    ),
    ("orders.csv", beside_its_own_gzip, "demo.orders: both 'orders.csv' and 'orders.csv.gz' are in "),
    (
        "order_lines.csv.gz",
        cut_in_the_middle,
        "demo.order_lines: gzip file 'order_lines.csv.gz' is cut: it ends before",
    ),
    ("reviews.parquet", cut_in_the_middle, "demo.reviews: file 'reviews.parquet' is "),
    ("reviews.parquet", empty, "demo.reviews: file 'reviews.parquet' has zero bytes"),
]


@pytest.mark.parametrize(
    ("file", "damage", "message"), FAULTS, ids=[f"{file}-{index}" for index, (file, *_) in enumerate(FAULTS)]
)
def test_a_structural_fault_stops_the_night_and_changes_nothing(
    file: str, damage: Damage, message: str, faulty_shop: CornerShop, seen_before: Seen
) -> None:
    landed, steps = faulty_shop.landed(), []
    damage(faulty_shop.deliveries / file)
    with pytest.raises(NightFailed) as caught:
        faulty_shop.run(lambda name, state, _: steps.append((name, state)))
    said = str(caught.value)
    assert said.startswith(f"raw: {message}")
    assert said.endswith(f" (readers still see {seen_before.version})")
    assert "\n" not in said
    assert steps == [("raw", "started"), ("raw", "failed")]
    assert faulty_shop.landed() == landed
    assert Warehouse(faulty_shop.settings()).build() is None
    assert faulty_shop.seen() == seen_before


def test_the_command_line_refuses_in_one_line_and_exits_1(faulty_shop: CornerShop, seen_before: Seen) -> None:
    (faulty_shop.deliveries / "customers.csv").unlink()
    done = faulty_shop.command("run")
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("error: raw: demo.customers: no file matches 'customers.csv' in ")
    assert line.endswith("(readers still see 2025-12-30_001)")
    assert "landing source files             failed" in done.stdout
    assert faulty_shop.seen() == seen_before
    assert not (faulty_shop.root / ".loyalty").exists(), "a run keeps to its own home"


@pytest.mark.parametrize("file", ["orders.csv", "customers.csv", "products.csv"])
def test_a_required_feed_with_a_header_alone_fails_its_check(
    file: str, faulty_shop: CornerShop, seen_before: Seen
) -> None:
    path = faulty_shop.deliveries / file
    path.write_bytes(path.read_bytes().partition(b"\n")[0] + b"\n")
    with pytest.raises(NightFailed) as caught:
        faulty_shop.run()
    assert f"raw_checks: check there_are_rows failed on raw.demo__{path.stem}: observed 0. " in str(caught.value)
    assert faulty_shop.seen() == seen_before


def test_doctor_names_the_missing_file_before_the_night_does(faulty_shop: CornerShop) -> None:
    (faulty_shop.deliveries / "orders.csv").unlink()
    done = faulty_shop.command("doctor")
    assert done.returncode == 1
    assert "ill   sources: demo.orders: no file matches 'orders.csv'" in done.stdout


def test_a_night_that_may_know_nothing_yet_says_so(faulty_shop: CornerShop) -> None:
    settings = faulty_shop.settings().model_copy(update={"known_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)})
    said = r"nothing was landed by 2020-01-01T00:00:00\+00:00; expected at least one load: choose a later moment"
    with pytest.raises(NightFailed, match=said):
        run_night(settings, NIGHT, None, dg.DagsterInstance.ephemeral())
