"""Small files that last: whole or not there at all, on the disk before anything rests on them, by one writer at a time.

What belongs here: how such files are written, and how a folder is held. What does not: what is in them.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"


def make_durable(path: Path) -> None:
    """Have the disk hold what was written to a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a small file so that a reader sees the old text or the new one, and the new one survives a power cut."""
    with _written_beside(path, text, mode) as temporary:
        temporary.replace(path)


def create_once(path: Path, text: str, mode: int = 0o644) -> str:
    """Write a file that is not there yet, as `write_atomically` does; gives what it holds, of whoever came first."""
    with _written_beside(path, text, mode) as temporary:
        with suppress(FileExistsError):  # another process was faster, and its text is the one that counts
            path.hardlink_to(temporary)
        temporary.unlink()
    return path.read_text(encoding="utf-8")


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a folder alone; those who meet wait for each other, and the system lets go when a process ends.

    It does not nest: who holds a folder and asks for it again waits for ever.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _written_beside(path: Path, text: str, mode: int) -> Iterator[Path]:
    """The text in a durable file of another name in the same folder, for the caller to give it its own; names last."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}")
    temporary.unlink(missing_ok=True)  # of a killed process that had this number, perhaps with another mode
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        yield temporary
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    make_durable(path.parent)
