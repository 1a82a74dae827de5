"""Versions and the pointer: whole or not at all, whatever stops in between."""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import drill_report
import duckdb
import pytest
from drill_report import write_section
from long_form import IS_LONG

from dagster_project.durable_files import LOCK, only_writer
from dagster_project.publishing import versions
from dagster_project.publishing.audit import HASHED_BY, table_facts
from dagster_project.publishing.fingerprint import code_fingerprint
from dagster_project.publishing.versions import Manifest, VersionError

PUBLISHES = 100 if IS_LONG else 20


def build_of(folder: Path, marker: int) -> Path:
    """A closed build whose two tables both say `marker`."""
    folder.mkdir(parents=True, exist_ok=True)
    build = folder / "warehouse.duckdb"
    build.unlink(missing_ok=True)
    with duckdb.connect(str(build)) as con:
        con.execute(f"create schema marts; create table marts.a as select {marker} as marker from range(3)")
        con.execute(f"create table marts.b as select {marker} as marker")
    return build


def manifest_of(
    version: str, created_at: str = "2026-01-01T00:00:00+00:00", build: Path | None = None, **wrong: object
) -> Manifest:
    """What the version of a build says of itself, with `wrong` facts of `marts.a`."""
    tables = {"marts.a": {"rows": 3, "content_hash": "a"}, "marts.b": {"rows": 1, "content_hash": "b"}}
    if build is not None:
        with duckdb.connect(str(build), read_only=True) as con:
            tables = {table: asdict(table_facts(con, table)) for table in tables}
    return Manifest(version, version[:10], created_at, "Shop", tables | {"marts.a": tables["marts.a"] | wrong}, {}, {})


def publish(root: Path, marker: int, keep: int = 14, as_of: str = "2026-01-01", *, with_parquet: bool = False) -> str:
    published = root / "published"
    version = versions.next_version(published, as_of)
    created_at = f"2026-01-01T00:{marker // 60:02d}:{marker % 60:02d}+00:00"
    build = build_of(root / "work", marker)
    versions.publish(build, published, manifest_of(version, created_at, build), keep, with_parquet=with_parquet)
    return version


def markers(database: Path) -> tuple[int, int]:
    with duckdb.connect(str(database), read_only=True) as con:
        return con.execute("select (select any_value(marker) from marts.a), (select marker from marts.b)").fetchone()


def test_nothing_is_published_before_the_first_version(tmp_path: Path) -> None:
    assert versions.current_version(tmp_path) is None
    assert versions.list_versions(tmp_path) == []
    with pytest.raises(VersionError, match=r"nothing is published in .*; run `loyalty run` first"):
        versions.current_database(tmp_path)


def test_publish_moves_the_build_and_points_readers_at_it(tmp_path: Path) -> None:
    assert publish(tmp_path, 1) == "2026-01-01_001"
    published = tmp_path / "published"
    assert not (tmp_path / "work" / "warehouse.duckdb").exists()
    assert markers(published / "loyalty.duckdb") == (1, 1)
    assert json.loads((published / "manifest.json").read_text())["version"] == "2026-01-01_001"
    assert versions.current_database(published) == published / "versions" / "2026-01-01_001" / "loyalty.duckdb"


def test_published_files_are_read_only(tmp_path: Path) -> None:
    folder = tmp_path / "published" / "versions" / publish(tmp_path, 1)
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "loyalty.duckdb": 0o444,
        "manifest.json": 0o444,
    }


def test_versions_of_a_night_are_numbered_on_and_listed_in_order(tmp_path: Path) -> None:
    published = tmp_path / "published"
    names = [publish(tmp_path, 1), publish(tmp_path, 2), publish(tmp_path, 3, as_of="2025-12-31")]
    assert names == ["2026-01-01_001", "2026-01-01_002", "2025-12-31_001"]
    assert [manifest.version for manifest in versions.list_versions(published)] == sorted(names)
    assert versions.current_version(published) == "2025-12-31_001"
    assert versions.next_version(published, "2026-01-01") == "2026-01-01_003"


def test_numbers_go_on_beyond_999(tmp_path: Path) -> None:
    for number in ("999", "1000"):
        (tmp_path / "versions" / f"2026-01-01_{number}").mkdir(parents=True)
    assert versions.next_version(tmp_path, "2026-01-01") == "2026-01-01_1001"


def test_rollback_points_back_and_the_next_version_points_on(tmp_path: Path) -> None:
    published = tmp_path / "published"
    first = publish(tmp_path, 1)
    publish(tmp_path, 2)
    assert versions.rollback(published, first).version == first
    assert markers(published / "loyalty.duckdb") == (1, 1)
    assert publish(tmp_path, 3) == "2026-01-01_003"
    assert markers(published / "loyalty.duckdb") == (3, 3)


def test_rollback_to_an_unknown_version_lists_those_there_are(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    with pytest.raises(VersionError, match=r"no version '2020-01-01_001' in .*; there are: 2026-01-01_001"):
        versions.rollback(tmp_path / "published", "2020-01-01_001")


def test_rollback_to_a_version_that_lost_rows_is_refused(tmp_path: Path) -> None:
    published = tmp_path / "published"
    first = publish(tmp_path, 1)
    publish(tmp_path, 2)
    database = published / "versions" / first / "loyalty.duckdb"
    database.chmod(0o644)
    with duckdb.connect(str(database)) as con:
        con.execute("delete from marts.b")
    with pytest.raises(VersionError, match=r"holds 0 rows in marts\.b, its manifest says 1"):
        versions.rollback(published, first)
    assert versions.current_version(published) == "2026-01-01_002"


def test_only_the_newest_versions_are_kept_and_never_the_current_removed(tmp_path: Path) -> None:
    published = tmp_path / "published"
    names = [publish(tmp_path, marker, keep=3) for marker in range(1, 6)]
    assert [manifest.version for manifest in versions.list_versions(published)] == names[-3:]
    versions.rollback(published, names[-3])
    publish(tmp_path, 6, keep=1)
    # readers have just left the third: some may be opening it still
    assert [manifest.version for manifest in versions.list_versions(published)] == [names[-3], "2026-01-01_006"]


def test_versions_made_before_an_erasure_are_withdrawn_but_for_the_current_one(tmp_path: Path) -> None:
    for marker in range(4):
        publish(tmp_path, marker)
    published = tmp_path / "published"
    versions.rollback(published, "2026-01-01_002")
    moment = dt.datetime(2026, 1, 1, 0, 0, 3, tzinfo=dt.UTC)
    assert versions.withdraw_versions(published, moment) == ["2026-01-01_001", "2026-01-01_003"]
    assert [found.version for found in versions.list_versions(published)] == ["2026-01-01_002", "2026-01-01_004"]
    assert sorted(path.name for path in (published / "versions").iterdir()) == ["2026-01-01_002", "2026-01-01_004"]
    assert versions.withdraw_versions(published, moment) == []


def test_a_build_that_does_not_hold_what_its_manifest_says_is_not_published(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    published = tmp_path / "published"
    with pytest.raises(VersionError, match=r"holds 3 rows in marts\.a, its manifest says 4"):
        versions.publish(build_of(tmp_path / "work", 2), published, manifest_of("2026-01-01_002", rows=4), 14)
    assert markers(published / "loyalty.duckdb") == (1, 1)
    assert [manifest.version for manifest in versions.list_versions(published)] == ["2026-01-01_001"]
    assert publish(tmp_path, 3) == "2026-01-01_002"
    assert not list((published / "versions").glob(".unfinished-*"))


def test_a_build_that_was_not_closed_is_not_published(tmp_path: Path) -> None:
    build = build_of(tmp_path / "work", 1)
    build.with_name("warehouse.duckdb.wal").write_bytes(b"")
    with pytest.raises(
        VersionError, match=r"warehouse\.duckdb\.wal exists: the build was not closed; run the night again"
    ):
        versions.publish(build, tmp_path / "published", manifest_of("2026-01-01_001"), 14)
    assert build.exists()
    assert versions.current_version(tmp_path / "published") is None


def test_a_version_without_manifest_is_named(tmp_path: Path) -> None:
    (tmp_path / "versions" / "2026-01-01_001").mkdir(parents=True)
    with pytest.raises(VersionError, match="version 2026-01-01_001 has no readable manifest"):
        versions.list_versions(tmp_path)


def test_a_build_whose_rows_are_others_than_the_manifest_says_is_not_published(tmp_path: Path) -> None:
    build = build_of(tmp_path / "work", 2)
    manifest = manifest_of("2026-01-01_001", build=build, content_hash=f"{HASHED_BY}-0")
    with pytest.raises(VersionError, match=r"holds other rows in marts\.a than its manifest says"):
        versions.publish(build, tmp_path / "published", manifest, 14)
    assert versions.current_version(tmp_path / "published") is None


def test_a_version_of_another_duckdb_is_compared_by_rows_alone(tmp_path: Path) -> None:
    build = build_of(tmp_path / "work", 2)
    manifest = manifest_of("2026-01-01_001", build=build, content_hash=f"{HASHED_BY}-0")
    manifest.fingerprint["duckdb"] = "0.1"
    versions.publish(build, tmp_path / "published", manifest, 14)
    assert versions.rollback(tmp_path / "published", "2026-01-01_001").version == "2026-01-01_001"


def test_a_version_whose_hashes_were_made_otherwise_is_compared_by_rows_alone(tmp_path: Path) -> None:
    build = build_of(tmp_path / "work", 2)
    versions.publish(
        build, tmp_path / "published", manifest_of("2026-01-01_001", build=build, content_hash="0" * 64), 14
    )
    assert versions.rollback(tmp_path / "published", "2026-01-01_001").version == "2026-01-01_001"


def test_a_version_with_a_damaged_block_is_not_read_back(tmp_path: Path) -> None:
    published = tmp_path / "published"
    first = publish(tmp_path, 1)
    publish(tmp_path, 2)
    database = published / "versions" / first / "loyalty.duckdb"
    content = bytearray(database.read_bytes())
    content[3 * 4096 + 512 :: 4096] = b"\xff" * len(content[3 * 4096 + 512 :: 4096])
    database.chmod(0o644)
    database.write_bytes(content)
    with pytest.raises(VersionError, match="cannot be read back"):
        versions.rollback(published, first)
    assert versions.current_version(published) == "2026-01-01_002"


def test_copies_hold_what_the_tables_hold_and_follow_the_pointer(tmp_path: Path) -> None:
    published = tmp_path / "published"
    first = publish(tmp_path, 1, with_parquet=True)
    publish(tmp_path, 2, with_parquet=True)
    copy = published / "parquet" / "marts" / "a.parquet"
    assert duckdb.sql(f"select marker, count(*) from read_parquet('{copy}') group by all").fetchall() == [(2, 3)]
    assert (published / "versions" / first / "parquet" / "marts" / "b.parquet").stat().st_mode & 0o777 == 0o444
    versions.rollback(published, first)
    assert duckdb.sql(f"select distinct marker from read_parquet('{copy}')").fetchall() == [(1,)]


def test_no_link_leads_to_copies_that_a_version_does_not_have(tmp_path: Path) -> None:
    first = publish(tmp_path, 1, with_parquet=True)
    publish(tmp_path, 2)
    assert not (tmp_path / "published" / "parquet").is_symlink()
    versions.rollback(tmp_path / "published", first)
    assert (tmp_path / "published" / "parquet" / "marts" / "a.parquet").exists()


# -- whose versions they are -----------------------------------------------------------------------------------------


def test_versions_of_another_shop_are_refused_with_what_to_do(tmp_path: Path) -> None:
    published = tmp_path / "published"
    versions.require_own_versions(published, {"Anybody"})
    publish(tmp_path, 1)
    versions.require_own_versions(published, {"New name", "Shop"})
    with pytest.raises(VersionError) as caught:
        versions.require_own_versions(published, {"Kiosk"})
    assert str(caught.value) == (
        f"{published} holds versions of 'Shop', expected those of 'Kiosk'; give each shop a home of its own (`home` in "
        "its settings, or LOYALTY_HOME); where it is one shop that was renamed, say so: "
        "`business.former_names: ['Shop']`"
    )


def test_a_night_is_compared_with_the_same_shops_night_before(tmp_path: Path) -> None:
    published = tmp_path / "published"
    for day in ("01", "02"):
        publish(tmp_path, 1, as_of=f"2026-01-{day}")
    manifest = published / "versions" / "2026-01-02_001" / "manifest.json"
    manifest.chmod(0o644)
    manifest.write_text(manifest.read_text().replace('"Shop"', '"Kiosk"'))

    def before(*names: str) -> str | None:
        found = versions.night_before(published, "2026-01-03", names)
        return found and found.version

    assert before("Kiosk") == before("Kiosk", "Shop") == "2026-01-02_001"
    assert before("Shop") == "2026-01-01_001"
    assert before("Stall") is None


# -- readers beside publishes and rollbacks ---------------------------------------------------------------------------

READER = """
import json, sys, threading, duckdb
told = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
seen, answers, errors, mixtures = set(), 0, [], 0
print("ready", flush=True)
while not told.is_set() or answers == 0:
    try:
        with duckdb.connect(sys.argv[1] + "/loyalty.duckdb", read_only=True) as con:
            query = "select (select any_value(marker) from marts.a), (select marker from marts.b)"
            a, b = con.execute(query).fetchone()
    except Exception as fault:
        errors.append(f"{type(fault).__name__}: {fault}")
        continue
    answers += 1
    mixtures += a != b
    seen.add(a)
print(json.dumps([answers, len(seen), mixtures, errors]))
"""
READERS, SWAPS = 2, 100


@pytest.fixture(scope="module")
def readers_page() -> Iterator[list[tuple[object, ...]]]:
    """What readers saw, by the number of versions that are kept."""
    rows: list[tuple[object, ...]] = []
    yield rows
    head = (
        "versions kept", "versions published", "times that the pointer moved besides", "rollbacks beside",
        "queries answered",
        "versions seen by a reader", "errors", "mixtures of versions",
    )  # fmt: skip
    told = f"{READERS} readers, each opening the warehouse anew for every query, on code `{code_fingerprint()}`."
    write_section("readers", head, rows, told)


ROLLBACKS = """
import sys, threading
from pathlib import Path
from dagster_project.publishing.versions import VersionError, list_versions, rollback
told, published, done = threading.Event(), Path(sys.argv[1]), 0
threading.Thread(target=lambda: (sys.stdin.readline(), told.set()), daemon=True).start()
print("ready", flush=True)
while not told.is_set() or done == 0:
    oldest = list_versions(published)[0].version
    try:
        rollback(published, oldest)
        done += 1
    except VersionError as fault:
        assert str(fault).startswith(f"no version '{oldest}' in "), fault
print(done)
"""


@pytest.mark.parametrize(("keep", "beside"), [(14, []), (1, [ROLLBACKS])])
def test_readers_that_reopen_through_publishes_and_rollbacks_see_each_version_whole(
    keep: int, beside: list[str], tmp_path: Path, readers_page: list[tuple[object, ...]]
) -> None:
    publish(tmp_path, 0)
    published = tmp_path / "published"
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    programs = [READER] * READERS + beside
    processes = [
        subprocess.Popen([sys.executable, "-c", program, str(published)], text=True, **pipes) for program in programs
    ]
    try:
        for process in processes:
            assert process.stdout.readline() == "ready\n"
        names = [publish(tmp_path, marker, keep) for marker in range(1, PUBLISHES + 1)]
        for swap in range(SWAPS):
            with only_writer(published):
                versions.point_to(published, names[-1 - swap % keep])
        told = [process.communicate("stop\n", timeout=60) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert [process.returncode for process in processes] == [0] * len(processes), told
    found = [json.loads(out) for out, _ in told[:READERS]]
    assert [(mixtures, errors) for _, _, mixtures, errors in found] == [(0, [])] * READERS
    assert all(answers >= seen > 1 for answers, seen, _, _ in found)
    assert {path.name for path in published.rglob(".*")} == {LOCK}
    rollbacks = sum(int(out) for out, _ in told[READERS:])
    answered, seen_by_each = sum(answers for answers, *_ in found), " and ".join(str(seen) for _, seen, *_ in found)
    readers_page.append((keep, PUBLISHES, SWAPS, rollbacks, answered, seen_by_each, 0, 0))


# -- writers beside writers ------------------------------------------------------------------------------------------


def is_held(published: Path) -> bool:
    """Whether somebody holds the folder of versions now."""
    with (published / LOCK).open("rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


STEPS = ("_sweep", "_verify", "point_to", "_prune", "_remove", "_replace_link")


@pytest.mark.parametrize(
    ("act", "steps"),
    [
        (
            lambda root: publish(root, 9, keep=1),
            ["_sweep", "_verify", "point_to", "_replace_link", "_prune", "_remove", "_sweep"],
        ),
        (
            lambda root: versions.rollback(root / "published", "2026-01-01_001"),
            ["_verify", "point_to", "_replace_link"],
        ),
        (
            lambda root: versions.withdraw_versions(root / "published", dt.datetime(2027, 1, 1, tzinfo=dt.UTC)),
            ["_remove", "_sweep"],
        ),
    ],
    ids=["publish", "rollback", "withdraw"],
)
def test_whoever_writes_among_the_versions_holds_their_folder_at_each_step(
    act: Callable[[Path], object], steps: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for marker in (1, 2):
        publish(tmp_path, marker)
    told: list[tuple[str, bool]] = []
    for name in STEPS:
        original = getattr(versions, name)

        def step(*arguments: Any, name: str = name, original: Callable[..., Any] = original) -> Any:
            told.append((name, is_held(tmp_path / "published")))
            return original(*arguments)

        monkeypatch.setattr(versions, name, step)
    act(tmp_path)
    assert told == [(name, True) for name in steps]
    assert not is_held(tmp_path / "published")


def test_a_publish_that_meets_a_rollback_waits_and_spares_what_readers_were_led_back_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publish would remove the version between its reading back and the new pointer."""
    published = tmp_path / "published"
    names = [publish(tmp_path, marker) for marker in (1, 2, 3)]
    meeting = threading.Thread(target=publish, args=(tmp_path, 4, 1))
    verified = versions._verify

    def and_meet(database: Path, manifest: Manifest) -> None:
        verified(database, manifest)
        if threading.current_thread() is threading.main_thread():
            meeting.start()

    monkeypatch.setattr(versions, "_verify", and_meet)
    assert versions.rollback(published, names[0]).version == names[0]
    meeting.join(timeout=30)
    assert markers(published / "loyalty.duckdb") == (4, 4)
    assert [manifest.version for manifest in versions.list_versions(published)] == [names[0], "2026-01-01_004"]


def test_readers_are_never_pointed_at_a_version_that_is_not_there(tmp_path: Path) -> None:
    publish(tmp_path, 1)
    published = tmp_path / "published"
    with pytest.raises(VersionError, match=r"no version '2026-01-01_002' in .*; there are: 2026-01-01_001"):
        versions.point_to(published, "2026-01-01_002")
    assert markers(published / "loyalty.duckdb") == (1, 1)


def test_a_rollback_where_nothing_is_published_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(VersionError, match="there are: none"):
        versions.rollback(tmp_path / "published", "2026-01-01_001")
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_is_removed_while_versions_are_listed_is_none_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (publish(tmp_path, marker) for marker in (1, 2))
    read = versions.read_manifest

    def too_late(folder: Path) -> Manifest:
        if folder.name == first:
            shutil.rmtree(folder)
        return read(folder)

    monkeypatch.setattr(versions, "read_manifest", too_late)
    assert [manifest.version for manifest in versions.list_versions(tmp_path / "published")] == [second]


# -- SIGKILL at each step of a publish -------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from pathlib import Path
sys.path[:0] = sys.argv[1].split(os.pathsep)
import test_versions
from dagster_project.publishing import versions

owner, name = (Path, sys.argv[3][5:]) if sys.argv[3].startswith("Path.") else (versions, sys.argv[3])
if name == "rmtree":
    owner = versions.shutil
calls, original = [0], getattr(owner, name)

def die(*arguments, **named):
    calls[0] += 1
    if calls[0] == int(sys.argv[4]):
        if name == "rmtree":  # in the middle: one file of the folder is gone
            (Path(arguments[0]) / "manifest.json").unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return original(*arguments, **named)

setattr(owner, name, die)
test_versions.publish(Path(sys.argv[2]), 9, keep=2)
"""


@pytest.mark.parametrize(
    ("step", "call"),
    [
        ("Path.rename", 1),  # the build lies in its work folder, the unfinished folder is there
        ("Path.write_text", 1),  # moved, without a manifest
        ("_verify", 1),
        ("make_durable", 1),
        ("Path.rename", 2),  # complete under its unfinished name
        ("make_durable", 4),  # under its own name, the pointer not yet replaced
        ("point_to", 1),
        ("Path.replace", 1),  # the new pointer lies beside the old one
        ("_prune", 1),  # the pointer is replaced
        ("rmtree", 1),  # an old version is half removed
    ],
)
def test_a_publish_killed_at_any_step_leaves_a_whole_version_and_the_next_succeeds(
    step: str, call: int, tmp_path: Path
) -> None:
    published = tmp_path / "published"
    for marker in (1, 2):
        publish(tmp_path, marker, keep=2)
    folders = os.pathsep.join(str(folder) for folder in (Path(__file__).parent, Path(drill_report.__file__).parent))
    command = [sys.executable, "-c", KILLED, folders, str(tmp_path), step, str(call)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    is_replaced = step in {"_prune", "rmtree"}
    assert markers(published / "loyalty.duckdb") == ((9, 9) if is_replaced else (2, 2))
    assert versions.current_version(published) == ("2026-01-01_003" if is_replaced else "2026-01-01_002")
    assert versions.list_versions(published)[-1].version >= "2026-01-01_002"
    after = publish(tmp_path, 10, keep=2)
    assert markers(published / "loyalty.duckdb") == (10, 10)
    assert [manifest.version for manifest in versions.list_versions(published)][-1] == after
    assert len(versions.list_versions(published)) == 2
    strange = {path.name for path in published.rglob(".*")}
    assert strange == {LOCK}, "a later publish removes what a killed one left"
