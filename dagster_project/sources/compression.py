"""Compressed text: what a file's first bytes say it is, and its content, checked to the end.

Belongs here: gzip and Zstandard. Does not belong here: what the content means.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa

from dagster_project.sources.tables import SourceTable

Compression = Literal["gzip", "zstd"]

_CHUNK_BYTES = 1 << 20
_MAGIC: dict[bytes, Compression] = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_SUFFIXES: dict[str, Compression] = {".gz": "gzip", ".zst": "zstd"}


def compression_of(table: SourceTable, name: str, head: bytes) -> Compression | None:
    """How a file is compressed, by its first bytes; None when it is not.

    Raises:
        SourceError: When its name says otherwise.
    """
    found = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    for suffix, named in _SUFFIXES.items():
        if name.endswith(suffix) and found != named:
            raise table.error(
                f"file {name!r} is not {named}; expected it by its name: compress it, or drop the '{suffix}'"
            )
    return found


def uncompressed(
    table: SourceTable, path: Path, name: str, compression: Compression, chunks: Iterator[bytes]
) -> Iterator[bytes]:
    """The content of all members or frames of a file, each checked as its format allows.

    Args:
        table: The table, for messages.
        path: The file.
        name: Its name, for messages.
        compression: As `compression_of` found it.
        chunks: Its bytes.

    Raises:
        SourceError: When it is damaged or ends too early.
    """
    if compression == "gzip":
        return _gunzipped(table, name, chunks)
    return _unzstd(table, name, path)


def _gunzipped(table: SourceTable, name: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Text of all members of a gzip file, each checked against its checksum and length."""
    member = zlib.decompressobj(wbits=31)
    try:
        for chunk in chunks:
            pending = chunk
            while pending:
                if member.eof:
                    pending = pending.lstrip(b"\0")  # some writers pad the end to a block
                    if not pending:
                        break
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(pending, _CHUNK_BYTES)
                pending = member.unconsumed_tail or member.unused_data
    except zlib.error as error:
        raise table.error(f"gzip file {name!r} is damaged ({error}); deliver it again") from None
    if not member.eof:
        raise table.error(f"gzip file {name!r} is cut: it ends before its checksum; deliver it again")


def _unzstd(table: SourceTable, name: str, path: Path) -> Iterator[bytes]:
    """Text of all frames; Arrow's stream raises where the last one is not whole."""
    try:
        with pa.CompressedInputStream(pa.OSFile(str(path), "rb"), "zstd") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except (pa.ArrowException, OSError) as error:
        text = str(error).partition("\n")[0]
        fault = "is cut" if "runcated" in text else "is damaged"
        raise table.error(f"zstd file {name!r} {fault} ({text}); deliver it again") from None
