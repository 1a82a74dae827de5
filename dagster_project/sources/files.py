"""Source files as bytes: finding them, fingerprinting them, and making plain UTF-8 text of them.

Belongs here: file names and globs, hashes, gzip, encodings, line ends, "is it still the same file".
Does not belong here: what the text means (`csv_reader.py`, `fixed_width_reader.py`), Parquet (`parquet_reader.py`).
"""

from __future__ import annotations

import codecs
import hashlib
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster_project.sources.tables import SourceTable

CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_LISTED_FILES = 10


@dataclass(frozen=True)
class SourceFile:
    """A file as it stood when it was found. `name` is its path relative to the table's folder."""

    path: Path
    name: str
    size: int
    modified_ns: int

    def is_unchanged(self) -> bool:
        """Whether size and modification time are still those at the start."""
        try:
            status = self.path.stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size, self.modified_ns)


def find_files(table: SourceTable) -> list[SourceFile]:
    """The files of a table, by name; none when an optional table has none.

    Raises:
        SourceError: Folder or file missing, an empty file, a file beside its own gzip, a name that is not Unicode.
    """
    if not table.folder.is_dir():
        if table.is_optional:
            return []
        raise table.error(
            f"folder {str(table.folder)!r} does not exist; expected the files {table.files!r} in it: "
            "correct the path in the settings, or set LOYALTY_DATA where the path starts from it"
        )
    paths = _matching_paths(table)
    if not paths and not table.is_optional:
        there = sorted(path.name for path in table.folder.iterdir() if not path.name.startswith("."))
        listed = ", ".join(map(repr, there[:_LISTED_FILES])) or "nothing"
        more = f" and {len(there) - _LISTED_FILES} more" if len(there) > _LISTED_FILES else ""
        raise table.error(
            f"no file matches {table.files!r} in {str(table.folder)!r}; found {listed}{more}: "
            "deliver the file, or correct the path in the settings (LOYALTY_DATA, where the path starts from it)"
        )
    return [_described(table, path) for path in paths]


def _matching_paths(table: SourceTable) -> list[Path]:
    patterns = [table.files]
    if table.format != "parquet" and not table.files.endswith(".gz"):
        patterns.append(table.files + ".gz")
    literal = {table.folder / pattern for pattern in patterns if (table.folder / pattern).is_file()}
    found = literal or {
        path
        for pattern in patterns
        for path in table.folder.glob(pattern)
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(table.folder).parts)
    }
    for path in found:
        plain = path.with_name(path.name.removesuffix(".gz"))
        if plain != path and plain in found:
            raise table.error(
                f"both {plain.name!r} and {path.name!r} are in {str(path.parent)!r}, "
                "which would count every row twice: remove one of them"
            )
    return sorted(found, key=lambda path: path.relative_to(table.folder).as_posix())


def _described(table: SourceTable, path: Path) -> SourceFile:
    name = path.relative_to(table.folder).as_posix()
    if not _is_unicode(name):
        raise table.error(f"file name {name!a} is not valid Unicode; rename the file")
    status = path.stat()
    if status.st_size == 0:
        raise table.error(
            f"file {name!r} has zero bytes; expected at least a header: deliver it again, "
            "or remove it if there is nothing to deliver"
        )
    return SourceFile(path=path, name=name, size=status.st_size, modified_ns=status.st_mtime_ns)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def sha256_of(file: SourceFile, on_bytes: Callable[[int], None]) -> str:
    """Fingerprint of a file's bytes, in one pass; `on_bytes` hears how many more were read."""
    digest = hashlib.sha256()
    for chunk in _raw_chunks(file.path):
        digest.update(chunk)
        on_bytes(len(chunk))
    return digest.hexdigest()


def as_plain_text(table: SourceTable, file: SourceFile, folder: Path, *, with_plain_line_ends: bool = False) -> Path:
    """A path to the file as uncompressed UTF-8, under a name that no glob can misread.

    A plain UTF-8 file is linked, not copied. Anything else is written out once: gzip is thereby checked to its last
    checksum (DuckDB 1.5 reads a cut gzip without a word, 2.0 a damaged one), and DuckDB reads the plain file in
    parallel, so that both steps together take as long as its own single-threaded gzip reader.

    Args:
        table: The table, for its encoding and for messages.
        file: The file.
        folder: Where to put the link or the copy; the caller removes it.
        with_plain_line_ends: Make every line end, within quotes too, a plain newline.

    Raises:
        SourceError: When the gzip is cut, damaged or none, or the text is not in the encoding at all.
    """
    head = _head(file.path)
    is_gzip = head.startswith(_GZIP_MAGIC)
    if file.name.endswith(".gz") and not is_gzip:
        raise table.error(f"file {file.name!r} is not gzip; expected it by its name: compress it, or drop the '.gz'")
    encoding = codecs.lookup(table.encoding).name
    is_utf8 = encoding in ("utf-8", "utf-8-sig", "ascii")
    text = folder / ("plain_line_ends.txt" if with_plain_line_ends else "text.txt")
    if not (is_gzip or with_plain_line_ends or not is_utf8):
        text.symlink_to(file.path.absolute())
        return text
    chunks = _gunzipped(table, file) if is_gzip else _raw_chunks(file.path)
    if not is_utf8:
        chunks = _as_utf8(table, file, chunks)
    if with_plain_line_ends:
        chunks = _with_plain_line_ends(chunks)
    with text.open("wb") as out:
        for chunk in chunks:
            out.write(chunk)
    return text


def refuse_binary(table: SourceTable, file: SourceFile, text: Path) -> bytes:
    """The head of the plain text, or an error when it is no text.

    Raises:
        SourceError: On NUL bytes in the head or at the very end, and when nothing is inside the compression.
    """
    head = _head(text)
    if not head:
        raise table.error(f"file {file.name!r} holds nothing once uncompressed; expected at least a header")
    with text.open("rb") as stream:
        stream.seek(-min(64, text.stat().st_size), 2)
        tail = stream.read()
    if b"\0" in head[: 1 << 16]:
        raise table.error(
            f"file {file.name!r} holds NUL bytes: it is binary or UTF-16, not {table.encoding}; "
            "export it as text, or set its encoding (such as utf-16) in the settings"
        )
    if tail.endswith(b"\0"):
        raise table.error(f"file {file.name!r} ends in NUL bytes, as an unfinished copy does: deliver it again")
    return head


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _raw_chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk


def _gunzipped(table: SourceTable, file: SourceFile) -> Iterator[bytes]:
    """Text of all members of a gzip file, each checked against its checksum and length."""
    member = zlib.decompressobj(wbits=31)
    try:
        for chunk in _raw_chunks(file.path):
            pending = chunk
            while pending:
                if member.eof:
                    pending = pending.lstrip(b"\0")  # some writers pad the end to a block
                    if not pending:
                        break
                    member = zlib.decompressobj(wbits=31)
                yield member.decompress(pending, CHUNK_BYTES)
                pending = member.unconsumed_tail or member.unused_data
    except zlib.error as error:
        raise table.error(f"gzip file {file.name!r} is damaged ({error}); deliver it again") from None
    if not member.eof:
        raise table.error(f"gzip file {file.name!r} is cut: it ends before its checksum; deliver it again")


def _as_utf8(table: SourceTable, file: SourceFile, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The text in UTF-8; a byte that has no meaning stays a lone byte, so that only its own row is refused."""
    decoder = codecs.getincrementaldecoder(table.encoding)("surrogateescape")
    try:
        for chunk in chunks:
            yield decoder.decode(chunk).encode("utf-8", "surrogateescape")
        yield decoder.decode(b"", final=True).encode("utf-8", "surrogateescape")
    except UnicodeError as error:
        raise table.error(
            f"file {file.name!r} is not {table.encoding} ({error}); set its encoding in the settings"
        ) from None


def _with_plain_line_ends(chunks: Iterator[bytes]) -> Iterator[bytes]:
    held = b""
    for chunk in chunks:
        joined = held + chunk
        held = b"\r" if joined.endswith(b"\r") else b""
        yield joined[: len(joined) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if held:
        yield b"\n"
