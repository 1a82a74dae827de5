"""Source files as bytes: finding them, fingerprinting them, and making plain UTF-8 text of them.

Belongs here: file names and globs, hashes, encodings, line ends, "is it still the same file".
Does not belong here: compression (`compression.py`), what the text means (`csv_reader.py` and its siblings).
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dagster_project.sources.compression import compression_of, uncompressed
from dagster_project.sources.tables import COMPRESSED, TEXT_FORMATS, SourceTable, delivery_name

CHUNK_BYTES = 1 << 20
HEAD_BYTES = 1 << 20
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
    if table.format in TEXT_FORMATS and not table.files.endswith(COMPRESSED):
        patterns += [table.files + suffix for suffix in COMPRESSED]
    literal = {table.folder / pattern for pattern in patterns if (table.folder / pattern).is_file()}
    found = literal or {
        path
        for pattern in patterns
        for path in table.folder.glob(pattern)
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(table.folder).parts)
    }
    seen: dict[Path, Path] = {}
    for path in sorted(found):
        other = seen.setdefault(path.with_name(delivery_name(path.name)), path)
        if other != path:
            raise table.error(
                f"both {other.name!r} and {path.name!r} are in {str(path.parent)!r}, "
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

    A plain UTF-8 file is linked, not copied. Anything else is written out once: compression is thereby checked to its
    last checksum (DuckDB 1.5 reads a cut gzip without a word, 2.0 a damaged one), and both steps together take as long
    as DuckDB's own reader of gzip.

    Args:
        table: The table, for its encoding and for messages.
        file: The file.
        folder: Where to put the link or the copy; the caller removes it.
        with_plain_line_ends: Make every line end, within quotes too, a plain newline.

    Raises:
        SourceError: When the compression is cut, damaged or none, or the text is not in the encoding at all.
    """
    compression = compression_of(table, file.name, _head(file.path))
    encoding = codecs.lookup(table.encoding).name
    is_utf8 = encoding in ("utf-8", "utf-8-sig", "ascii")
    text = folder / ("plain_line_ends.txt" if with_plain_line_ends else "text.txt")
    if compression is None and is_utf8 and not with_plain_line_ends:
        text.symlink_to(file.path.absolute())
        return text
    chunks = _raw_chunks(file.path)
    if compression is not None:
        chunks = uncompressed(table, file.path, file.name, compression, chunks)
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
