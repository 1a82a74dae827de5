"""How fast the simulated shop is made, beside writing the same Parquet without drawing anything.

    python benchmarks/simulator.py [--quick] [--runs N]

A shop of 1,000,000 people over five years, some 20 million order lines, all feeds and the truth, as Parquet; --quick
makes 20,000 people. Ours draws and writes it, the other reads the finished tables row group by row group, clock
stopped, and writes them with the same writer. Each runs in a process of its own, in turn. Prints one JSON line per
figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}: medians, ratio = other / ours for
times and memory, ours / other for rows a second, so that larger is better.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DAYS = 1_826
PEOPLE, QUICK_PEOPLE = 1_000_000, 20_000


def main() -> None:
    """Run the two in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--once", nargs=3, metavar=("WAY", "PEOPLE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        way, people, folder = arguments.once
        work = drawn if way == "drawn" else rewritten
        print(json.dumps(work(int(people), Path(folder))))
        return
    people, runs = (QUICK_PEOPLE, 1) if arguments.quick else (PEOPLE, arguments.runs)
    found: dict[str, list[dict[str, float]]] = {"drawn": [], "rewritten": []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            for way, figures in found.items():
                command = [sys.executable, __file__, "--once", way, str(people), folder]
                output = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ).stdout
                figures.append(json.loads(output.splitlines()[-1]))
    report(people, found, runs)


def report(people: int, found: dict[str, list[dict[str, float]]], runs: int) -> None:
    """Print the medians of all runs."""

    def median(way: str, figure: str) -> float:
        return statistics.median(run[figure] for run in found[way])

    case = f"{people:,} people, {median('drawn', 'lines') / 1e6:.1f} million order lines"
    ours, other = median("drawn", "seconds"), median("rewritten", "seconds")
    tell(case, ours, other, other / ours, "s", runs)
    ours_cpu, other_cpu = median("drawn", "processor_seconds"), median("rewritten", "processor_seconds")
    tell(f"{case}: processor time", ours_cpu, other_cpu, other_cpu / ours_cpu, "s", runs)
    rows = median("drawn", "rows")
    tell(f"{case}: rows of all feeds and truth", rows / ours, rows / other, other / ours, "rows/s", runs)
    memory, beside = median("drawn", "memory_mb"), median("rewritten", "memory_mb")
    tell(f"{case}: peak memory", memory, beside, beside / memory, "MB", runs)


def tell(case: str, ours: float, other: float, ratio: float, unit: str, runs: int) -> None:
    """Print one figure."""
    figure = {
        "bench": "simulator",
        "case": case,
        "ours": round(ours, 3),
        "other": round(other, 3),
        "other_name": "writing the same Parquet",
        "ratio": round(ratio, 3),
        "unit": unit,
        "runs": runs,
    }
    print(json.dumps(figure), flush=True)


def drawn(people: int, folder: Path) -> dict[str, float]:
    """Draw and write the shop."""
    from dagster_project.sources.simulated_shop import ShopPlan, simulate

    shop, clock = folder / "shop", Clock()
    with clock:
        simulate(ShopPlan(customers=people, days=DAYS), shop, file_format="parquet")
    rows = sum(count_rows(path) for path in files_of(shop))
    return clock.measured(rows) | {"lines": count_rows(shop / "order_lines.parquet")}


def rewritten(people: int, folder: Path) -> dict[str, float]:
    """Write the tables of the drawn shop again; only the writing is timed."""
    import pyarrow.parquet as pq

    from dagster_project.sources.simulated_shop.writer import PartWriter

    clock, rows = Clock(), 0
    for path in files_of(folder / "shop"):
        target = folder / f"again_{path.parent.name}"
        target.mkdir(exist_ok=True)
        source = pq.ParquetFile(path)
        rows += source.metadata.num_rows
        with PartWriter(target) as writer:
            for number in range(source.num_row_groups):
                table = source.read_row_group(number).combine_chunks()
                with clock:
                    writer.write(path.stem, table)
    return clock.measured(rows)


class Clock:
    """Adds up the time of what runs within it: on the wall, and of all processors."""

    def __init__(self) -> None:
        self.wall = self.processors = 0.0

    def __enter__(self) -> None:
        self.wall -= time.perf_counter()
        self.processors -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter()
        self.processors += time.process_time()

    def measured(self, rows: int) -> dict[str, float]:
        """What this process found."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        return {"seconds": self.wall, "processor_seconds": self.processors, "rows": rows, "memory_mb": peak}


def files_of(shop: Path) -> list[Path]:
    """The Parquet files of a shop, its truth too."""
    return sorted(shop.rglob("*.parquet"))


def count_rows(path: Path) -> int:
    """Rows of a Parquet file."""
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


if __name__ == "__main__":
    main()
