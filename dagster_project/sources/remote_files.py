"""Files in an S3-compatible store, kept as a mirror of this machine that landing reads like any folder.

An object is fetched when its ETag or size is another than that of the one kept; one that is gone from the store is
removed from the mirror too, while landing keeps what it landed. Objects already fetched stay when a mirroring is
interrupted. Keys of access are read from the environment by Arrow, as AWS's own tools do, and are never seen here.

Belongs here: listing, fetching, the record of what is kept. Does not belong here: which files a table takes in the end
(`files.py`), reading them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from pyarrow import fs

from dagster_project.sources.tables import COMPRESSED, SourceError, SourceTable

SCHEME = "s3://"
OnObject = Callable[[str, int, int], None]
"""Hears an object's name, the bytes fetched so far and the bytes to fetch in all."""

_CHUNK_BYTES = 8 << 20
_RECORD = ".mirror.json"
_TEMPORARY = ".fetching"


@dataclass(frozen=True)
class Store:
    """Where the objects are: `s3://bucket/prefix`, and how to reach it."""

    url: str
    endpoint: str | None = None
    region: str | None = None
    is_anonymous: bool = False
    timeout_seconds: float = 60
    attempts: int = 5

    def opened(self) -> tuple[Any, str]:
        """Arrow's file system and the path in it.

        Raises:
            SourceError: The address is not usable.
        """
        path = self.url.removeprefix(SCHEME).strip("/")
        if not path:
            raise SourceError(f"folder {self.url!r} names no bucket; write it as s3://bucket/prefix")
        options: dict[str, Any] = {"region": self.region} if self.region else {}
        if self.endpoint:
            scheme, _, address = self.endpoint.rpartition("://")
            options |= {"endpoint_override": address, "scheme": scheme or "https"}
        try:
            system = fs.S3FileSystem(
                anonymous=self.is_anonymous,
                connect_timeout=self.timeout_seconds,
                request_timeout=self.timeout_seconds,
                retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=self.attempts),
                **options,
            )
        except (pa.ArrowException, OSError, ValueError) as fault:
            raise SourceError(f"store of {self.url!r} cannot be used ({_first_line(fault)})") from None
        return system, path


@dataclass(frozen=True)
class _Object:
    name: str
    path: str
    size: int


def mirror(store: Store, table: SourceTable, on_object: OnObject | None = None) -> int:
    """Bring a table's folder to what the store holds of its files; gives how many objects were fetched.

    Args:
        store: The store.
        table: Its `files` count from the store's prefix; its `folder` is the mirror, which nobody else writes.
        on_object: Hears of the fetching.

    Raises:
        SourceError: The store does not answer, refuses, or an object changed while it was fetched.
    """
    folder = table.folder
    folder.mkdir(parents=True, exist_ok=True)
    system, prefix = store.opened()
    try:
        found = _listed(table, store, system, prefix)
        known = _read_record(folder)
        etags = {one.name: _etag(system, one) for one in found}
        wanted = [
            one
            for one in found
            if known.get(one.name) != [etags[one.name], one.size] or not (folder / one.name).is_file()
        ]
        total, done = sum(one.size for one in wanted), 0
        for one in wanted:
            _fetch(table, system, one, etags[one.name])
            known[one.name] = [etags[one.name], one.size]
            _write_record(folder, known)
            done += one.size
            if on_object is not None:
                on_object(one.name, done, total)
    except (pa.ArrowException, OSError) as fault:
        raise table.error(
            f"store {store.url!r} could not be read ({_first_line(fault)}); expected to list and read its objects: "
            "check address, bucket, region and the AWS_* variables of the environment; what was fetched is kept"
        ) from None
    _remove_gone(folder, known, {one.name for one in found})
    return len(wanted)


def _listed(table: SourceTable, store: Store, system: Any, prefix: str) -> list[_Object]:
    found, pattern = [], _pattern(table)
    for entry in system.get_file_info(fs.FileSelector(prefix, recursive=True, allow_not_found=True)):
        name = entry.path.removeprefix(prefix).lstrip("/")
        if entry.type != fs.FileType.File or not pattern.fullmatch(name):
            continue
        if ".." in PurePosixPath(name).parts or "\0" in name:
            raise table.error(f"object {name!r} of {store.url!r} has a name that leaves its folder; rename it")
        found.append(_Object(name, entry.path, entry.size))
    return sorted(found, key=lambda one: one.name)


def _pattern(table: SourceTable) -> re.Pattern[str]:
    """The table's glob, or its very name, compressed or not, as an expression over whole names."""
    glob = "".join(_translated(piece) for piece in re.findall(r"\*\*/|\*|\?|\[[^]]+\]|.", table.files, re.DOTALL))
    endings = "|".join(re.escape(suffix) for suffix in COMPRESSED)
    return re.compile(f"(?:{glob}|{re.escape(table.files)})(?:{endings})?", re.DOTALL)


def _translated(piece: str) -> str:
    fixed = {"**/": "(?:[^/]+/)*", "*": "[^/]*", "?": "[^/]"}
    if piece in fixed:
        return fixed[piece]
    if len(piece) > 1:
        return "[" + ("^" if piece[1] == "!" else "") + piece[1:-1].removeprefix("!").replace("\\", r"\\") + "]"
    return re.escape(piece)


def _etag(system: Any, one: _Object) -> str:
    with system.open_input_file(one.path) as stream:
        told = stream.metadata() or {}
    return str((told.get("ETag") or told["Last-Modified"]).decode())


def _fetch(table: SourceTable, system: Any, one: _Object, etag: str) -> None:
    """Fetch an object under its name in one rename, if it is still the one that was listed."""
    target = table.folder / one.name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = table.folder / _TEMPORARY
    with system.open_input_file(one.path) as stream, temporary.open("wb") as out:
        while chunk := stream.read(_CHUNK_BYTES):
            out.write(chunk)
        written = out.tell()
    if written != one.size or _etag(system, one) != etag:
        raise table.error(f"object {one.name!r} changed while it was fetched; run again when its upload has ended")
    temporary.replace(target)


def _remove_gone(folder: Path, known: dict[str, list[Any]], there: set[str]) -> None:
    gone = known.keys() - there
    for name in gone:
        (folder / name).unlink(missing_ok=True)
        del known[name]
    if gone:
        _write_record(folder, known)


def _read_record(folder: Path) -> dict[str, list[Any]]:
    try:
        record = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}  # the mirror is then fetched anew
    return record if isinstance(record, dict) else {}


def _write_record(folder: Path, known: dict[str, list[Any]]) -> None:
    temporary = folder / f"{_RECORD}.new"
    temporary.write_text(json.dumps(known, sort_keys=True), encoding="utf-8")
    temporary.replace(folder / _RECORD)


def _first_line(fault: BaseException) -> str:
    return str(fault).partition("\n")[0][:300]
