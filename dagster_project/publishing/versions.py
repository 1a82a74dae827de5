"""Published versions: immutable folders, and the one pointer that readers follow.

    published/current -> versions/2025-12-31_001     the pointer, replaced atomically
    published/loyalty.duckdb -> current/loyalty.duckdb
    published/manifest.json -> current/manifest.json
    published/parquet -> current/parquet             where the settings ask for copies

A reader who holds a file open keeps the version that it opened, and holds up nobody; who writes here holds the folder
alone, so that none removes what another is about to point at. What does not belong here: what a build must satisfy
(`audit.py`), how a build is made (`warehouse`).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.durable_files import make_durable, only_writer
from dagster_project.publishing.audit import are_comparable, table_facts
from dagster_project.publishing.copies import write_copies

DATABASE = "loyalty.duckdb"
MANIFEST = "manifest.json"
PARQUET = "parquet"
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}_\d{3,}")
UNFINISHED = ".unfinished-"


class VersionError(RuntimeError):
    """A version cannot be made, found or read; the message says what was found and what to do."""


@dataclass(frozen=True)
class Manifest:
    """What a version says of itself."""

    version: str
    as_of: str
    created_at: str
    business: str
    tables: dict[str, dict[str, Any]]
    checks: dict[str, Any]
    fingerprint: dict[str, str]
    definitions: dict[str, Any] = field(default_factory=dict)
    compared_with: str | None = None
    """The version that `quality.metric_changes` explains the difference from; None where there was none."""


def publish(build: Path, published: Path, manifest: Manifest, keep: int, *, with_parquet: bool = False) -> Path:
    """Turn a finished, closed build into a version and point readers at it; gives the version's folder.

    Nothing is copied: the build's file becomes the version's by a rename. Until the pointer is replaced readers see the
    version before, and from then on the new one, whole.

    Args:
        build: the database file, on the same file system as `published`.
        published: the folder of all versions.
        manifest: what to write beside it; its `version` comes from `next_version`.
        keep: how many versions to keep, the current one included; the one before it stays in any case.
        with_parquet: put a Parquet copy of each table of marts and models beside the database, for other engines.

    Raises:
        VersionError: the build has an unfinished write-ahead log, is on another file system, or does not hold what the
            manifest says.
    """
    log = build.with_name(build.name + ".wal")
    if log.exists():
        raise VersionError(f"{log} exists: the build was not closed; run the night again")
    with only_writer(published):
        folder = _make_version(build, published, manifest, with_parquet=with_parquet)
        left = current_version(published)
        point_to(published, manifest.version)
        _prune(published, keep, left)
    return folder


def _make_version(build: Path, published: Path, manifest: Manifest, *, with_parquet: bool) -> Path:
    """The version's folder, whole and on the disk, which nobody is pointed at yet."""
    versions = published / "versions"
    unfinished = versions / f"{UNFINISHED}{manifest.version}"
    versions.mkdir(parents=True, exist_ok=True)
    _sweep(published)
    unfinished.mkdir()
    database = unfinished / DATABASE
    try:
        build.rename(database)
    except OSError as fault:
        raise VersionError(f"{build} cannot be moved to {published}: {fault.strerror}") from fault
    (unfinished / MANIFEST).write_text(json.dumps(asdict(manifest), indent=2) + "\n", encoding="utf-8")
    _verify(database, manifest)
    copies = write_copies(database, unfinished / PARQUET, manifest) if with_parquet else []
    for path in (database, unfinished / MANIFEST, *copies):
        path.chmod(0o444)
        make_durable(path)
    for directory in (*sorted({path.parent for path in copies}), *([unfinished / PARQUET] if copies else [])):
        make_durable(directory)
    make_durable(unfinished)
    folder = versions / manifest.version
    unfinished.rename(folder)
    make_durable(versions)
    return folder


def point_to(published: Path, version: str) -> None:
    """Let readers see this version, from one moment to the next; the caller holds the folder (`only_writer`).

    Raises:
        VersionError: there is no such version; readers keep the one that they see.
    """
    require_version(published, version)
    _replace_link(published / "current", Path("versions") / version)
    for name in (DATABASE, MANIFEST, PARQUET):
        is_there = (published / "versions" / version / name).exists()
        if is_there and not (published / name).is_symlink():
            _replace_link(published / name, Path("current") / name)
        elif not is_there:
            (published / name).unlink(missing_ok=True)  # a link to nothing would read as a fault
    make_durable(published)


def rollback(published: Path, version: str) -> Manifest:
    """Point readers at an earlier version, after reading it back; waits for a publish that is under way.

    Raises:
        VersionError: there is no such version, or it does not hold what its manifest says.
    """
    require_version(published, version)  # before anything is made in a folder that holds no versions
    with only_writer(published):
        require_version(published, version)
        manifest = read_manifest(published / "versions" / version)
        _verify(published / "versions" / version / DATABASE, manifest)
        point_to(published, version)
    return manifest


def withdraw_versions(published: Path, made_before: dt.datetime) -> list[str]:
    """Remove every version but the current one that was made before a moment, as somebody in it was erased then.

    No row is deleted from a file, as its bytes would stay; the files go. Gives the names of the versions.

    Args:
        published: the folder of all versions.
        made_before: the moment, with a time zone.
    """
    with only_writer(published):
        current = current_version(published)
        withdrawn = [
            manifest.version
            for manifest in list_versions(published)
            if manifest.version != current and dt.datetime.fromisoformat(manifest.created_at) < made_before
        ]
        _remove(published, withdrawn)
    return withdrawn


def list_versions(published: Path) -> list[Manifest]:
    """All versions, oldest first; one that is removed while they are read is none of them.

    Raises:
        VersionError: a version that is there has no readable manifest.
    """
    found = []
    for folder in sorted((published / "versions").glob("*")):
        if not VERSION.fullmatch(folder.name):
            continue
        try:
            found.append(read_manifest(folder))
        except VersionError:
            if folder.exists():
                raise
    return found


def current_version(published: Path) -> str | None:
    """The version that readers see; nothing before the first."""
    pointer = published / "current"
    return pointer.readlink().name if pointer.is_symlink() and pointer.exists() else None


def current_database(published: Path) -> Path:
    """The file that readers see, as the version's own path: one process may then open several versions.

    Raises:
        VersionError: nothing has been published yet.
    """
    version = current_version(published)
    if version is None:
        raise VersionError(f"nothing is published in {published}; run `loyalty run` first")
    return published / "versions" / version / DATABASE


def require_own_versions(published: Path, names: Collection[str]) -> None:
    """Refuse a home whose readers see another shop.

    Args:
        published: the folder of all versions.
        names: what the shop is called, now or formerly.

    Raises:
        VersionError: the current version is of another shop, or has no readable manifest.
    """
    version = current_version(published)
    if version is None:
        return
    found = read_manifest(published / "versions" / version).business
    if found not in names:
        raise VersionError(
            f"{published} holds versions of '{found}', expected those of {' or '.join(map(repr, sorted(names)))}; give "
            "each shop a home of its own (`home` in its settings, or LOYALTY_HOME); where it is one shop that was "
            f"renamed, say so: `business.former_names: ['{found}']`"
        )


def night_before(published: Path, as_of: str, names: Collection[str]) -> Manifest | None:
    """The latest version of a shop's last night before this one, whatever readers see now; None where there is none.

    A rebuilt night is compared with the same night as when it was first built, and not with itself.

    Args:
        published: the folder of all versions.
        as_of: the business day, as a manifest writes it.
        names: what the shop is called, now or formerly; versions of another are not compared with.
    """
    earlier = [found for found in list_versions(published) if found.as_of < as_of and found.business in names]
    return max(earlier, key=lambda manifest: (manifest.as_of, manifest.version), default=None)


def next_version(published: Path, as_of: str) -> str:
    """The name of the next version of a night: the night and a running number."""
    numbers = [
        int(folder.name.rpartition("_")[2])
        for folder in (published / "versions").glob(f"{as_of}_*")
        if VERSION.fullmatch(folder.name)
    ]
    return f"{as_of}_{max(numbers, default=0) + 1:03d}"


def read_manifest(folder: Path) -> Manifest:
    """What a version says of itself.

    Raises:
        VersionError: its manifest is absent or unreadable.
    """
    try:
        return Manifest(**json.loads((folder / MANIFEST).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as fault:
        raise VersionError(f"version {folder.name} has no readable manifest: {fault}") from fault


def require_version(published: Path, version: str) -> None:
    """Refuse a version that is not there.

    Raises:
        VersionError: it is not; the message lists those that are.
    """
    known = [manifest.version for manifest in list_versions(published)]
    if version not in known:
        raise VersionError(f"no version '{version}' in {published}; there are: {', '.join(known) or 'none'}")


def _verify(database: Path, manifest: Manifest) -> None:
    """Read a version back, every row and column: each table of its manifest is there with that very content."""
    try:
        with duckdb.connect(str(database), read_only=True) as con:
            found = {table: table_facts(con, table) for table in manifest.tables}
    except duckdb.Error as fault:
        raise VersionError(f"{database} cannot be read back: {str(fault).splitlines()[0]}") from fault
    # another DuckDB may hash the same row otherwise, so hashes compare within one
    is_same_engine = manifest.fingerprint.get("duckdb", duckdb.__version__) == duckdb.__version__
    for table, facts in manifest.tables.items():
        rows, content_hash = found[table].rows, found[table].content_hash
        if rows != facts["rows"]:
            raise VersionError(f"{database} holds {rows} rows in {table}, its manifest says {facts['rows']}")
        is_comparable = is_same_engine and are_comparable(content_hash, facts["content_hash"])
        if is_comparable and content_hash != facts["content_hash"]:
            raise VersionError(f"{database} holds other rows in {table} than its manifest says; publish it again")


def _prune(published: Path, keep: int, left: str | None) -> None:
    """Remove the oldest versions; the one that readers have just left stays, as some may be opening it still."""
    spared = {current_version(published), left}
    by_age = sorted(list_versions(published), key=lambda manifest: (manifest.created_at, manifest.version))
    others = [manifest.version for manifest in by_age if manifest.version not in spared]
    allowed = max(0, keep - len(by_age) + len(others))
    _remove(published, others[: max(0, len(others) - allowed)])


def _remove(published: Path, versions: Iterable[str]) -> None:
    for version in versions:
        # under its own name a version is whole, or a removal cut short would break every later listing
        folder = published / "versions" / version
        folder.rename(folder.with_name(f"{UNFINISHED}{version}"))
    _sweep(published)


def _sweep(published: Path) -> None:
    """Remove what lies under no version's name: of pruned versions, and what a killed run left."""
    for leftover in (published / "versions").glob(f"{UNFINISHED}*"):
        shutil.rmtree(leftover)
    for name in ("current", DATABASE, MANIFEST, PARQUET):
        for leftover in published.glob(f".{name}.*"):
            leftover.unlink()


def _replace_link(link: Path, target: Path) -> None:
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(link)
