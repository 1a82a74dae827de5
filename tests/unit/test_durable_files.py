"""Small files: whole or not there, on the disk, and of whoever came first."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dagster_project.durable_files import create_once, write_atomically
from dagster_project.warehouse import WarehouseError, shop_key


def test_a_small_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_atomically(path, "old")
    write_atomically(path, "new", mode=0o600)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_write_that_fails_leaves_the_old_text_and_nothing_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    write_atomically(path, "old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("write", [write_atomically, create_once])
def test_the_text_is_on_the_disk_before_it_has_its_name_and_the_name_is_thereafter(
    write: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, synced = tmp_path / "file", []
    original = os.fsync

    def note(descriptor: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
        synced.append((kind, path.exists()))
        original(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    write(path, "text", mode=0o600)
    assert synced == [("file", False), ("folder", True)]
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("text", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_of_the_same_number_left_lends_its_mode_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    names = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Path, "replace", lambda self, target: names.append(self))
        write_atomically(path, "left", mode=0o644)
    write_atomically(path, "text", mode=0o600)
    assert names
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_was_created_by_another_meanwhile_stays_and_is_what_both_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert create_once(path, "first") == "first"
    assert create_once(path, "second") == "first"
    assert list(tmp_path.iterdir()) == [path]


# -- the key of a shop -----------------------------------------------------------------------------------------------

SLOWER = """
import sys
from pathlib import Path
from dagster_project import warehouse
made = warehouse.secrets.token_hex

def and_wait(size):
    print("none there yet", flush=True)
    sys.stdin.readline()
    return made(size)

warehouse.secrets.token_hex = and_wait
print(warehouse.shop_key(Path(sys.argv[1])))
"""


def test_two_processes_that_find_no_key_agree_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have seen that there is none, and only then does either write."""
    monkeypatch.delenv("LOYALTY_KEY", raising=False)
    command = [sys.executable, "-c", SLOWER, str(tmp_path)]
    with subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as slower:
        assert slower.stdout is not None
        assert slower.stdout.readline() == "none there yet\n"
        key = shop_key(tmp_path)
        told, _ = slower.communicate("go on\n", timeout=60)
    assert told.strip() == key
    assert (tmp_path / "customer_key.secret").stat().st_mode & 0o777 == 0o600
    assert shop_key(tmp_path) == key


def test_a_key_that_is_empty_is_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOYALTY_KEY", raising=False)
    (tmp_path / "customer_key.secret").write_text("")
    with pytest.raises(WarehouseError, match=r"customer_key\.secret is empty; .* restore it from a backup"):
        shop_key(tmp_path)
