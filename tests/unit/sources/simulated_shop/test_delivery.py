"""The daily delivery: all days together are the whole delivery, in the disorder that its habits say."""

from __future__ import annotations

import datetime as dt
import gzip
from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from clean_block import clean_block
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dagster_project.sources.simulated_shop import ShopPlan, simulate
from dagster_project.sources.simulated_shop.delivery import AGAIN, Habits, SchemaChange, deliver_daily
from dagster_project.sources.simulated_shop.dirt import Dirt, soil
from dagster_project.sources.simulated_shop.feeds import FEEDS
from dagster_project.sources.tables import SourceError

DAYS = (dt.date(2024, 1, 1), dt.date(2025, 3, 31))
PROMPT = Habits(0, 9, 0, 0, 0, 0)
DIRT = Dirt("heavy", {"repeated_order": 0.05, "edited_order": 0.05, "order_versions_of_one_moment": 0.05})
Row = tuple[str | None, ...]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The soiled feeds as files of three formats."""
    folder = tmp_path_factory.mktemp("whole")
    paths: dict[str, Path] = {}
    for feed, table in soil(clean_block(40), DIRT, seed=3).feeds.items():
        paths[feed] = folder / f"{feed}.csv"
        if feed == "reviews":
            paths[feed] = folder / "reviews.parquet"
            pq.write_table(table, paths[feed])
        elif feed == "orders":
            paths[feed] = folder / "orders.csv.gz"
            with gzip.open(paths[feed], "wb") as out:
                pacsv.write_csv(table, out)
        else:
            pacsv.write_csv(table, paths[feed])
    return paths


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every order was placed at its time and paid a day later, before it was delivered."""
    orders = clean_block(40)["orders"]
    rows = [
        (order, status, payment, None, at + after)
        for order, at in zip(orders["order_id"].to_pylist(), orders["ordered_at"].to_pylist(), strict=True)
        for status, payment, after in (
            ("placed", "pending", dt.timedelta()),
            ("paid", "paid", dt.timedelta(days=1)),
        )
    ]
    names = ("order_id", "status", "payment_status", "delivered_at", "updated_at")
    columns = dict(zip(names, zip(*rows, strict=True), strict=True))
    path = tmp_path_factory.mktemp("states") / "order_versions.parquet"
    pq.write_table(pa.table({name: pa.array(values) for name, values in columns.items()}), path)
    return path


def delivered(out: Path, feed: str) -> list[tuple[str, Row]]:
    """Every row that was sent, in the order of sending, with the path of its file; texts as a reader of all text."""
    rows: list[tuple[str, Row]] = []
    for path in sorted(out.glob(f"2*/{feed}*")):
        if path.stem.removesuffix(AGAIN) == feed:
            rows += [(f"{path.parent.name}/{path.name}", row) for row in read(path)]
    return rows


def read(path: Path) -> list[Row]:
    if path.suffix == ".parquet":
        return duckdb.sql(f"select columns(*)::varchar from read_parquet('{path}')").fetchall()
    return duckdb.sql(
        f"from read_csv('{path}', all_varchar = true, header = true, quote = '\"', delim = ',', ignore_errors = true)"
    ).fetchall()


def latest(feed: str, rows: list[Row]) -> dict[tuple[str | None, ...], Row]:
    """The last row of each key, by `updated_at` where the feed has it."""
    places = [FEEDS[feed].columns.index(name) for name in FEEDS[feed].key]
    changed = FEEDS[feed].updated_at
    found: dict[tuple[str | None, ...], Row] = {}
    for row in rows:
        key = tuple(row[place] for place in places)
        if key in found and changed:
            at = FEEDS[feed].columns.index(changed)
            if (row[at] or "") < (found[key][at] or ""):
                continue
        found[key] = row
    return found


@settings(max_examples=6, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    seed=st.integers(0, 10**6),
    shares=st.tuples(*[st.sampled_from([0.0, 0.05, 0.5])] * 5),
    late_days=st.integers(1, 30),
)
def test_all_days_together_are_the_whole_delivery(
    whole: dict[str, Path],
    states: Path,
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    shares: tuple[float, ...],
    late_days: int,
) -> None:
    out = tmp_path_factory.mktemp("daily")
    late, corrected, repeated, silent, absent = shares
    deliver_daily(whole, out, DAYS, seed, Habits(late, late_days, corrected, repeated, silent, absent), states)
    for feed, path in whole.items():
        sent, rows = [row for _, row in delivered(out, feed)], read(path)
        assert latest(feed, sent) == latest(feed, rows), feed
        assert not Counter(rows) - Counter(sent), feed
        if repeated == corrected == 0 and feed != "orders":
            assert Counter(rows) == Counter(sent), feed


def test_an_order_comes_with_every_state_of_a_day(whole: dict[str, Path], states: Path, tmp_path: Path) -> None:
    deliver_daily(whole, tmp_path / "daily", DAYS, 7, PROMPT, states)
    rows = delivered(tmp_path / "daily", "orders")
    clean = clean_block(40)["orders"]
    status, updated = FEEDS["orders"].columns.index("status"), FEEDS["orders"].columns.index("updated_at")
    seen: dict[str | None, list[str | None]] = {}
    for path, row in rows:
        if row[updated] is not None and row[updated] < "2025-03-31":  # type: ignore[operator]
            assert path.startswith(str(row[updated])[:10]), (path, row)
        seen.setdefault(row[0], []).append(row[status])
    exchanges = {order for order in seen if str(order).endswith("-exchange")}
    assert set(clean["order_id"].to_pylist()) == set(seen) - exchanges
    complete = [states for states in seen.values() if states == ["placed", "paid", "delivered"]]
    assert len(complete) > 0.7 * len(seen)


def test_lines_come_with_their_order(whole: dict[str, Path], states: Path, tmp_path: Path) -> None:
    deliver_daily(whole, tmp_path / "daily", DAYS, 7, PROMPT, states)
    placed = {row[0]: str(row[2])[:10] for row in map(tuple, zip_rows("orders"))}
    days = {(path[:10], row[0]) for path, row in delivered(tmp_path / "daily", "order_lines")}
    on_time = [day for day, order in days if placed.get(order) == day]
    assert len(on_time) > 0.9 * len(days)


def zip_rows(feed: str) -> list[Row]:
    table = clean_block(40)[feed]
    return list(zip(*(column.cast(pa.string()).to_pylist() for column in table.columns), strict=True))


def test_rows_are_late_but_never_early(whole: dict[str, Path], tmp_path: Path) -> None:
    deliver_daily(whole, tmp_path / "daily", DAYS, 7, Habits(0.3, 9, 0, 0, 0, 0))
    place = FEEDS["refunds"].columns.index("refunded_at")
    waits = [
        (dt.date.fromisoformat(path[:10]) - dt.date.fromisoformat(str(row[place])[:10])).days
        for path, row in delivered(tmp_path / "daily", "refunds")
    ]
    assert min(waits) == 0
    assert 1 <= max(waits) <= 9
    assert 0.15 < sum(wait > 0 for wait in waits) / len(waits) < 0.45


def test_a_wrong_row_is_corrected_some_days_later(whole: dict[str, Path], tmp_path: Path) -> None:
    deliver_daily(whole, tmp_path / "daily", DAYS, 7, Habits(0, 9, 0.3, 0, 0, 0))
    by_key: dict[str | None, list[tuple[str, str | None]]] = {}
    for path, row in delivered(tmp_path / "daily", "refunds"):
        by_key.setdefault(row[0], []).append((path[:10], row[3]))
    corrected = [versions for versions in by_key.values() if len(versions) == 2]
    assert len(corrected) > 5
    for (first_day, wrong), (second_day, _) in corrected:
        assert wrong == "0.01"
        assert 1 <= (dt.date.fromisoformat(second_day) - dt.date.fromisoformat(first_day)).days <= 5


def test_silent_days_have_no_folder_and_absent_files_come_later(whole: dict[str, Path], tmp_path: Path) -> None:
    prompt, patchy = tmp_path / "prompt", tmp_path / "patchy"
    deliver_daily(whole, prompt, DAYS, 7, PROMPT)
    deliver_daily(whole, patchy, DAYS, 7, Habits(0, 9, 0, 0, 0.3, 0.2))
    before, after = ({path.name for path in folder.iterdir()} for folder in (prompt, patchy))
    assert len(after) < 0.9 * len(before)
    with_orders, with_lines = (
        {path.parent.name for path in patchy.glob(f"*/{name}.csv")} for name in ("orders", "order_lines")
    )
    assert with_orders - with_lines
    assert with_lines - with_orders


def test_the_first_day_has_a_header_of_every_feed(whole: dict[str, Path], tmp_path: Path) -> None:
    deliver_daily(whole, tmp_path / "daily", DAYS, 7)
    first = tmp_path / "daily" / DAYS[0].isoformat()
    assert {path.stem.removesuffix(AGAIN) for path in first.iterdir()} == set(whole)
    assert (first / "refunds.csv").read_text() == ",".join(FEEDS["refunds"].columns) + "\n"


def test_a_repeated_file_is_the_same_bytes(whole: dict[str, Path], tmp_path: Path) -> None:
    deliver_daily(whole, tmp_path / "daily", DAYS, 7, Habits(0, 9, 0, 0.5, 0, 0))
    again = list((tmp_path / "daily").glob(f"*/*{AGAIN}.*"))
    assert len(again) > 50
    for path in again:
        assert path.read_bytes() == path.with_stem(path.stem.removesuffix(AGAIN)).read_bytes()


def test_the_same_seed_sends_the_same_bytes_and_another_does_not(whole: dict[str, Path], tmp_path: Path) -> None:
    sent = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        deliver_daily(whole, tmp_path / name, DAYS, seed)
        sent.append({p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).glob("*/*")})
    assert sent[0] == sent[1] != sent[2]


@pytest.mark.parametrize(
    ("how", "has_new", "has_old"), [("gained", True, True), ("lost", False, False), ("renamed", True, False)]
)
def test_a_feed_changes_its_columns_on_a_day(
    how: str, has_new: bool, has_old: bool, whole: dict[str, Path], tmp_path: Path
) -> None:
    day = dt.date(2024, 6, 1)
    column = "gift_note" if how == "gained" else "reason"
    change = SchemaChange("refunds", how, column, day)  # type: ignore[arg-type]
    deliver_daily(whole, tmp_path / "daily", DAYS, 7, Habits(0, 9, 0, 0, 0, 0, (change,)))
    for path in (tmp_path / "daily").glob("*/refunds.csv"):
        header = path.read_text().splitlines()[0].split(",")
        is_after = path.parent.name >= day.isoformat()
        assert ("reason" in header) == (not is_after or how == "gained")
        assert (header != list(FEEDS["refunds"].columns)) == is_after


def test_a_simulated_shop_sent_daily_is_the_shop_sent_whole(tmp_path: Path) -> None:
    plan, dirt = ShopPlan(customers=150, days=120, seed=5), Dirt("heavy", {"cut_customer_row": 0.05})
    simulate(plan, tmp_path / "whole", dirt)
    habits = Habits(late_share=0.2, corrected_share=0.2)
    simulate(plan, tmp_path / "daily", dirt, deliver="daily", habits=habits)
    for path in (tmp_path / "whole").glob("*.*"):
        feed = path.name.partition(".")[0]
        if feed in FEEDS:
            rows = [row for _, row in delivered(tmp_path / "daily", feed)]
            assert latest(feed, rows) == latest(feed, read(path)), feed


def test_a_simulated_order_has_passed_through_its_states(tmp_path: Path) -> None:
    simulate(ShopPlan(customers=150, days=120, seed=5), tmp_path / "shop", deliver="daily", habits=PROMPT)
    states = duckdb.sql(f"""
        select status, lead(status) over (partition by order_id order by updated_at) as later, payment_status
        from read_parquet('{tmp_path}/shop/truth/order_versions.parquet') order by order_id, updated_at
    """)
    steps = set(states.fetchall())
    possible = {"placed": {"paid", "cancelled", "placed", None}, "paid": {"shipped", "cancelled", "delivered", None}}
    possible |= {"shipped": {"delivered", "cancelled", None}, "delivered": {None}, "cancelled": {"paid", None}}
    assert {("placed", "paid"), ("paid", "shipped"), ("shipped", "delivered")} <= {step[:2] for step in steps}
    assert not [step for step in steps if step[1] not in possible[step[0]]]
    days = sorted(path.name for path in (tmp_path / "shop").glob("2*"))
    assert (days[0], days[-1]) == ("2025-09-03", "2025-12-31")


def test_a_folder_with_something_in_it_is_refused(whole: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError, match="is not empty; expected a new one"):
        deliver_daily(whole, tmp_path, DAYS, 7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"late_share": 1.5}, "late_share of a daily delivery is 1.5; expected 0 to 1"),
        ({"schema_changes": (SchemaChange("refunds", "lost", "mood", DAYS[0]),)}, "column 'mood' is unknown"),
    ],
)
def test_habits_that_cannot_be_are_errors(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(SourceError, match=message):
        Habits(**arguments)  # type: ignore[arg-type]
