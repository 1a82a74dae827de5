"""How well a night would have predicted what followed, on the splits of open data, beside other libraries.

    python benchmarks/clv_accuracy.py [--quick] [--homes FOLDER] [--peers-python PYTHON]

Ours is what the nightly choice would have published at the cut-off, without sight of the hold-out: `value_night` with
its own back-test inside the history. The marts of each data set are built once by `loyalty run` at the end of its data
and read at every cut-off; `--homes` keeps them for the next time. The other rows are lifetimes' BG/NBD with its
Gamma-Gamma, on the same customers in this run, where `--peers-python` names a Python that has lifetimes; and the best
row that was measured on the split in November 2026 among lifetimes 0.11.3, pymc-marketing 0.19.2, CLVTools 0.12.1,
BTYDplus 1.2.0, LightGBM, blends of them and naive rows (quoted, not run again; its readers kept other orders, so
amounts of Online Retail II are not comparable). The built-in shop is drawn at its first run, the shop of one-time
buyers inside DuckDB. `population mean` is the error of everybody's mean, at the total of ours.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; the ratio is
other / ours. Needs LOYALTY_DATA. --quick runs the CDNOW sample only.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
from clv_night import SHOP

from dagster_project.modelling import evaluation
from dagster_project.modelling.features import customer_outcomes
from dagster_project.modelling.fits import aligned_outcomes
from dagster_project.modelling.intervals.calibration import randomised_coverage
from dagster_project.modelling.intervals.outcomes import Forecast
from dagster_project.modelling.value import ValueModel
from dagster_project.modelling.value_night import Reading, scored_customers, value_night
from dagster_project.modelling.value_settings import ValueSettings

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Split:
    """A data set cut in two, and the best row measured on it before.

    Attributes:
        example: settings under `examples/`, or of CDNOW's whole file.
        cutoff: last day of the history.
        horizon_days: of the hold-out.
        orders_rmse: quoted best; the built-in shop and the thin one have none.
        net_rmse: quoted best.
        gini: quoted best, of net.
        top_decile: quoted best, of net.
    """

    example: str
    cutoff: dt.date
    horizon_days: int
    orders_rmse: float | None = None
    net_rmse: float | None = None
    gini: float | None = None
    top_decile: float | None = None


SPLITS = {
    "cdnow_sample_39_39": Split("cdnow", dt.date(1997, 9, 30), 273, 1.601, 69.670, 0.698, 0.506),
    "cdnow_full_39_39": Split("cdnow_full", dt.date(1997, 9, 30), 273, 1.664, 91.986, 0.721, 0.525),
    "cdnow_full_65_13": Split("cdnow_full", dt.date(1998, 3, 31), 91, 0.618, 31.099, 0.782, 0.618),
    "online_retail_18m_6m": Split("online_retail", dt.date(2011, 6, 1), 182, 1.712, 2161, 0.872, 0.637),
    "online_retail_21m_3m": Split("online_retail", dt.date(2011, 9, 9), 91, 1.190, 3072, 0.777, 0.585),
    "olist_14m_6m": Split("olist", dt.date(2018, 2, 28), 182, 0.122, 22.095, 0.404, 0.240),
}
DRAWN = {
    "simulated_30m_6m": Split("demo", dt.date(2025, 7, 1), 183),
    "simulated_33m_3m": Split("demo", dt.date(2025, 10, 1), 91),
    "one_time_buyers": Split("thin", dt.date(2025, 3, 27), 184),
}
NIGHTS = {"olist": "2018-08-31"}
PEERS = """
import sys, pandas as pd
from lifetimes import BetaGeoFitter, GammaGammaFitter
path, horizon = sys.argv[1], float(sys.argv[2])
one = pd.read_csv(path)
model = BetaGeoFitter(penalizer_coef=0.0).fit(one.x, one.t_x, one.age)
one["orders"] = model.conditional_expected_number_of_purchases_up_to_time(horizon, one.x, one.t_x, one.age)
has = one[one.n > 0]
spend = GammaGammaFitter(penalizer_coef=0.0).fit(has.n, has.mean_net)
one["net"] = one.orders * spend.conditional_expected_average_profit(one.n, one.mean_net.fillna(0))
one[["orders", "net"]].to_csv(path, index=False)
"""


def main() -> None:
    """Run the splits and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--homes", type=Path, help="folder that keeps the marts, one home for each data set")
    parser.add_argument("--peers-python", help="a Python that has lifetimes")
    parser.add_argument("--only", help="a part of the name of the splits to run")
    arguments = parser.parse_args()
    chosen = {case: split for case, split in (SPLITS | DRAWN).items() if (arguments.only or "") in case}
    if not os.environ.get("LOYALTY_DATA") and any(split.orders_rmse for split in chosen.values()):
        raise SystemExit("LOYALTY_DATA is not set; it names the folder that holds cdnow/ online_retail/ olist/")
    if not arguments.peers_python:
        print("lifetimes is left out: --peers-python names no Python that has it", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        homes = arguments.homes or Path(folder)
        for case, split in list(chosen.items())[: 1 if arguments.quick else None]:
            measure(case, split, marts(split.example, homes), arguments.peers_python)


def marts(example: str, homes: Path) -> Path:
    """The published warehouse of a data set at the end of its data, built where it is not there yet."""
    home = homes / example
    published = home / "published" / "loyalty.duckdb"
    if published.exists():
        return published
    home.mkdir(parents=True, exist_ok=True)
    if example == "thin":
        published.parent.mkdir()
        return thin_shop(published)
    config = ROOT / "examples" / f"{example}.yaml"
    if example == "cdnow_full":
        config = home / "cdnow_full.yaml"
        sample = (ROOT / "examples" / "cdnow.yaml").read_text(encoding="utf-8")
        config.write_text(whole_cdnow(sample), encoding="utf-8")
    command = [str(Path(sys.executable).parent / "loyalty"), "run", "--config", str(config)]
    command += ["--as-of", NIGHTS[example]] if example in NIGHTS else []
    variables = os.environ | {"LOYALTY_HOME": str(home)}
    done = subprocess.run(command, check=False, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr[-2000:]}")
    return published


def thin_shop(path: Path) -> Path:
    """Marts of a shop of which few customers ever come back: that of `clv_night.py` less most of its repeats."""
    with duckdb.connect(str(path), config={"threads": 1}) as con:
        con.execute(SHOP.format(customers=50_000))
        con.execute(
            "delete from marts.fct_orders where hash(order_key) % 60 > 0 and order_key not in "
            "(select min_by(order_key, (order_date, order_key)) from marts.fct_orders group by customer_key)"
        )
    return path


def whole_cdnow(sample: str) -> str:
    """The settings of CDNOW's whole file, from those of its sample: another file, and no second id in it."""
    changes = {
        "CDNOW_sample.txt": "CDNOW_master.txt",
        "          - {name: sample_id, start: 8, width: 4}\n": "",
        "start: 13, width: 8": "start: 8, width: 8",
        "start: 22, width: 2": "start: 17, width: 2",
        "start: 25, width: 7": "start: 20, width: 7",
    }
    for before, after in changes.items():
        if before not in sample:
            raise SystemExit(f"examples/cdnow.yaml lacks {before!r}, which the settings of the whole file change")
        sample = sample.replace(before, after)
    return sample


def measure(case: str, split: Split, published: Path, peers_python: str | None) -> None:
    """One split: ours, then the others, on the same customers."""
    with duckdb.connect(str(published), read_only=True) as con:
        reading = Reading(con, split.cutoff, counts_zero_value_orders=split.example.startswith("cdnow"))
        began = time.process_time()
        night = value_night(reading, ValueSettings(horizon_days=split.horizon_days))
        ours = pd.concat(scored_customers(reading, night.model), ignore_index=True)
        seconds = time.process_time() - began
        features = reading.features(split.cutoff).df()
        outcomes = customer_outcomes(con, [split.cutoff], split.horizon_days, reading.scope())
    followed = aligned_outcomes(features, outcomes)
    found = scores(followed, ours["predicted_orders"], ours["predicted_net"])
    tell(case, "champion of orders", night.model.champion, None, None, "")
    tell(case, "champion of net", night.model.net_champion, None, None, "")
    quoted = {
        "orders rmse": split.orders_rmse,
        "net rmse": split.net_rmse,
        "net gini": split.gini,
        "net top decile": split.top_decile,
    }
    for name, figure in found.items():
        best = quoted.get(name)
        tell(case, name, figure, best, None if best is None else "best of all, quoted", "")
    for name, figure in coverages(night.model, ours, followed):
        tell(case, name, figure, float(name[-2:]) / 100, "nominal", "")
    tell(case, "cpu of the night", seconds, None, None, "s")
    if peers_python:
        other = lifetimes(features, split.horizon_days, peers_python)
        if other is None:
            tell(case, "lifetimes", "did not converge", None, "lifetimes BG/NBD + Gamma-Gamma, same customers", "")
            return
        for name, figure in scores(followed, other["orders"], other["net"]).items():
            tell(case, name, found[name], figure, "lifetimes BG/NBD + Gamma-Gamma, same customers", "")


def scores(followed: pd.DataFrame, orders: pd.Series, net: pd.Series) -> dict[str, float | None]:
    """The figures of one row."""
    return {
        "orders rmse": evaluation.rmse(followed["orders"], orders),
        "orders bias": evaluation.total_bias(followed["orders"], orders),
        "orders spearman": evaluation.spearman(followed["orders"], orders),
        "net rmse": evaluation.rmse(followed["net"], net),
        "net bias": evaluation.total_bias(followed["net"], net),
        "net gini": evaluation.normalised_gini(followed["net"], net),
        "net top decile": evaluation.top_decile_capture(followed["net"], net),
        "population mean rmse": evaluation.rmse(
            followed["orders"], np.full(len(followed), float(np.asarray(orders, dtype=np.float64).mean()))
        ),
    }


def coverages(model: ValueModel, ours: pd.DataFrame, followed: pd.DataFrame) -> Iterator[tuple[str, float | None]]:
    """Randomised coverage of the customers' intervals."""
    if model.status != "fitted":
        return
    columns = ("predicted_orders", "probability_no_order", "predicted_net")
    forecast = Forecast.of(*(ours[name] for name in columns))
    intervals = model.errors.intervals
    around = {
        "orders": intervals.orders_around(forecast, followed["orders"]),
        "net": intervals.net_around(forecast, followed["net"]),
    }
    for what, edges in around.items():
        for level in (0.50, 0.80, 0.95):
            yield f"{what} coverage {level * 100:.0f}", randomised_coverage(*edges, level)


def lifetimes(features: pd.DataFrame, horizon_days: int, python: str) -> pd.DataFrame | None:
    """What lifetimes expects of the same customers; nothing where its fit does not converge."""
    names = {
        "count_repeat_occasions": "x",
        "days_first_to_last_order": "t_x",
        "days_observed": "age",
        "count_repeat_occasions_with_spend": "n",
        "mean_repeat_occasion_net": "mean_net",
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "customers.csv"
        features[list(names)].rename(columns=names).to_csv(path, index=False)
        command = [python, "-c", PEERS, str(path), str(horizon_days)]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if "ConvergenceError" in done.stderr:
            return None
        if done.returncode:
            raise SystemExit(f"lifetimes failed: {done.stderr[-2000:]}")
        return pd.read_csv(path)


def tell(
    case: str,
    name: str,
    ours: Any,
    other: float | None,
    other_name: str | None,
    unit: str,
    bench: str = "clv_accuracy",
) -> None:
    """Print one figure."""
    is_number = isinstance(ours, float)
    figure = {
        "bench": bench,
        "case": f"{case}: {name}",
        "ours": round(ours, 4) if is_number else ours,
        "other": None if other is None else round(other, 4),
        "other_name": other_name,
        "ratio": round(other / ours, 4) if is_number and ours and other is not None else None,
        "unit": unit,
        "runs": 1,
    }
    print(json.dumps(figure), flush=True)


if __name__ == "__main__":
    main()
