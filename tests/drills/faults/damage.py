"""What is done to a shop before a night, and what a person does about it afterwards.

What belongs here: breaking files, folders and settings, and mending them. Which fault is made of what stands in
`fault.py`; what is arranged in the night's own process in `night_process.py`.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from corner_shop import CornerShop

OnShop = Callable[[CornerShop], None]


def nothing(shop: CornerShop) -> None:
    """Nothing is damaged, or nothing has to be done."""


def scribble(path: str, seed: int = 3) -> None:
    """Overwrite a third of a file's blocks, its head spared, with noise."""
    chance, file = random.Random(seed), Path(path)  # noqa: S311
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    step = max(64, min(32_768, len(content) // 16))
    for begin in range(step, len(content) - step, step):
        if chance.random() < 1 / 3:
            content[begin : begin + step // 2] = chance.randbytes(step // 2)
    file.write_bytes(content)


def scribble_over_work() -> None:
    """In the night's own process, which runs in the shop's folder."""
    for file in ("warehouse.duckdb", "scratch.duckdb"):
        scribble(f"home/work/{file}")


def leave_damaged_work(shop: CornerShop) -> None:
    """What a killed night may leave: two files that are no databases, a log beside them, a build that nobody owns."""
    work = shop.home / "work"
    work.mkdir(exist_ok=True)
    for name in ("warehouse.duckdb", "scratch.duckdb", "warehouse.duckdb.wal", "scratch.duckdb.wal", "build.json"):
        (work / name).write_bytes(b"\x00no database\xff" * 1000)


def newest_landed(shop: CornerShop, table: str) -> Path:
    return max((shop.home / "landing" / "demo" / table).glob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)


def damage_landed(shop: CornerShop) -> None:
    scribble(str(newest_landed(shop, "customers")))


def damage_landed_and_lose_its_file(shop: CornerShop) -> None:
    shop.configure(lambda settings: settings["sources"]["demo"]["tables"]["reviews"].update(is_optional=True))
    shutil.copy(newest_landed(shop, "reviews"), shop.root / "backup.parquet")
    (shop.deliveries / "reviews.parquet").rename(shop.root / "lost.parquet")
    scribble(str(newest_landed(shop, "reviews")))


def restore_landed_and_its_file(shop: CornerShop) -> None:
    (shop.root / "backup.parquet").replace(newest_landed(shop, "reviews"))
    (shop.root / "lost.parquet").rename(shop.deliveries / "reviews.parquet")
    shop.configure(lambda settings: None)


def keep_orders(shop: CornerShop) -> None:
    shutil.copy(shop.deliveries / "orders.csv", shop.root / "orders.whole")


def send_orders_again(shop: CornerShop) -> None:
    (shop.root / "orders.whole").replace(shop.deliveries / "orders.csv")


def cut(file: str) -> None:
    os.truncate(file, Path(file).stat().st_size // 2)


def lock_folder(folder: str) -> OnShop:
    return lambda shop: (shop.home / folder).chmod(0o555)


def unlock_folder(folder: str) -> OnShop:
    return lambda shop: (shop.home / folder).chmod(0o755)


def lock_work(shop: CornerShop) -> None:
    (shop.home / "work").mkdir(exist_ok=True)
    shop.home.chmod(0o555)


def little_engine_memory(shop: CornerShop) -> None:
    shop.configure(lambda settings: settings.update(engine={"memory_limit": "4MB"}))


def usual_settings(shop: CornerShop) -> None:
    shop.configure(lambda settings: None)
