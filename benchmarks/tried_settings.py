"""What `loyalty explain METRIC --try` costs on a shop that has been published: processor time, and memory at its peak.

    python benchmarks/tried_settings.py [--quick] [--config FILE]

The shop is the one of the settings (the built-in shop unless told), whose last night must be done: `make run`. Each
metric is of another family; its time holds dbt, the proof that the published number comes out again, and every other
value of every setting that enters it. Allowed are 20 seconds, over which a person would rather ask for it than wait.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; the ratio is
allowed / ours. --quick tries the first two.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import time
from pathlib import Path

from dagster_project.explaining.explanation import explain_metric
from dagster_project.headlines import reading
from dagster_project.metric_trials import with_settings_tried
from dagster_project.publishing.versions import current_database, read_manifest
from dagster_project.settings import load_settings

METRICS = (
    "active_member_share", "first_reply_in_time_share", "personal_message_response_rate", "new_product_adoption_rate",
    "repeat_rate_change_after_price_rise", "customer_loyalty_index", "loyalty_score", "retention_rate",
    "abandonment_rate", "lapse_after_bad_contacts",
)  # fmt: skip
ALLOWED_SECONDS, ALLOWED_MEGABYTES = 20.0, 6_144.0


def main() -> None:
    """Try the metrics, one after another in one process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--config", type=Path)
    chosen = parser.parse_args()
    settings = load_settings(chosen.config)
    database = current_database(settings.home / "published")
    manifest = read_manifest(database.parent)
    for metric in METRICS[:2] if chosen.quick else METRICS:
        values: list[str] = []
        began, clock = time.process_time(), time.perf_counter()
        with reading(database) as con:
            found = explain_metric(con, metric, dt.date.fromisoformat(manifest.as_of), manifest.definitions)
            with_settings_tried(con, found, settings, database, manifest, values.append)
        seconds, by_clock = time.process_time() - began, time.perf_counter() - clock
        _print(f"{metric}: {len(values) - 1} values, processor time", seconds, ALLOWED_SECONDS, "CPU s")
        _print(f"{metric}: by the clock", by_clock, ALLOWED_SECONDS, "s")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    _print("all of them in one process: peak memory", peak, ALLOWED_MEGABYTES, "MB")


def _print(case: str, ours: float, allowed: float, unit: str) -> None:
    told = {"bench": "tried_settings", "case": case, "ours": round(ours, 1), "other": allowed, "other_name": "allowed"}
    print(json.dumps({**told, "ratio": round(allowed / ours, 2), "unit": unit, "runs": 1}), flush=True)


if __name__ == "__main__":
    main()
