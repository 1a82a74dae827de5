"""How fast histories are aggregated, models fitted and customers scored, beside lifetimes, pymc-marketing and clvkit.

    python benchmarks/clv_speed.py [--quick] [--runs N] [--peers PYTHON]

The peers run under a Python of their own, with lifetimes, pymc-marketing and clvkit installed, that --peers or
LOYALTY_PEERS_PYTHON names; without one ours runs alone, and the figures say so. Every measurement is a process of its
own on one thread, and ours and the peers' take turns. Times are CPU seconds of the work alone, inputs in memory (for
ours of the history: in the warehouse), libraries imported; ours after one fit of 2,000 customers, whose compilation is
the figure `cold start`. Memory is the peak of the whole process. Buyers are simulated with MBG/NBD in whole days.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; medians, the
ratio is other / ours, so that larger is better. --quick stops at 100,000 customers.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SIZES = {"quick": (10_000, 100_000), "full": (10_000, 100_000, 1_000_000, 10_000_000)}
TASKS = ("bg_nbd fit", "mbg_nbd fit", "score", "history of text keys", "history of whole-number keys")
# beyond these a peer takes minutes or more memory than the machine has
LARGEST = {"ours": 10_000_000, "lifetimes": 1_000_000, "pymc_marketing": 1_000_000, "clvkit": 100_000}
LARGEST_HISTORY = 1_000_000
HORIZON_DAYS = 90.0
PARAMS = {"r": 0.5, "alpha": 60.0, "a": 0.9, "b": 2.0}
LAST_DAY = "2026-06-30"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def main() -> None:
    """Make the inputs, run everybody in turn, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", default=os.environ.get("LOYALTY_PEERS_PYTHON"))
    parser.add_argument("--once", nargs=3, metavar=("WHO", "TASK", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        who, task, folder = arguments.once
        print(json.dumps(measured(who, task, Path(folder))))
        return
    runs = 1 if arguments.quick else arguments.runs
    if not arguments.peers:
        print("peers left out: name their Python with --peers or LOYALTY_PEERS_PYTHON", file=sys.stderr)
    with tempfile.TemporaryDirectory() as temporary:
        cold_start(Path(temporary) / "cold", runs)
        for size in SIZES["quick" if arguments.quick else "full"]:
            folder = Path(temporary) / str(size)
            make_inputs(folder, size)
            for task in TASKS:
                if not task.startswith("history") or size <= LARGEST_HISTORY:
                    compare(task, size, folder, runs, arguments.peers)


def compare(task: str, size: int, folder: Path, runs: int, peers: str | None) -> None:
    """Run one task for everybody in turn and print a time and a memory figure per peer."""
    names = [name for name in LARGEST if size <= LARGEST[name] and (peers or name == "ours")]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(runs):
        for name in names:
            python = sys.executable if name == "ours" else str(peers)
            found[name].append(run_once(python, name, task, folder))
    for measure, unit in (("seconds", "CPU s"), ("peak", "MB peak")):
        median = {name: statistics.median(each[measure] for each in found[name]) for name in names}
        for name in names[1:] or [None]:
            show(f"{task} {size:,}", median["ours"], median.get(name or ""), name, unit, runs)


def cold_start(folder: Path, runs: int) -> None:
    """The CPU of a first fit in a new process whose compiled code nobody has kept, beside the 10 s allowed."""
    make_inputs(folder, 2_000)
    seconds = []
    for run in range(runs):
        cache = {"NUMBA_CACHE_DIR": str(folder / f"cache_{run}")}
        seconds.append(run_once(sys.executable, "ours", "cold", folder, cache)["seconds"])
    show("cold start: import, compile, fit and score", statistics.median(seconds), 10.0, "allowed", "CPU s", runs)


def run_once(
    python: str, who: str, task: str, folder: Path, environment: dict[str, str] | None = None
) -> dict[str, float]:
    """One measurement in a process of its own."""
    command = [python, str(Path(__file__).resolve()), "--once", who, task, str(folder)]
    variables = os.environ | ONE_THREAD | {"PYTHONPATH": str(ROOT) if who == "ours" else ""} | (environment or {})
    output = subprocess.run(command, check=True, capture_output=True, text=True, env=variables).stdout
    return json.loads(output.splitlines()[-1])


def show(case: str, ours: float, other: float | None, name: str | None, unit: str, runs: int) -> None:
    """Print a figure."""
    figure = {
        "bench": "clv_speed",
        "case": case,
        "ours": float(f"{ours:.4g}"),
        "other": None if other is None else float(f"{other:.4g}"),
        "other_name": name,
        "ratio": None if other is None else round(other / ours, 2),
        "unit": unit,
        "runs": runs,
    }
    print(json.dumps(figure), flush=True)


def make_inputs(folder: Path, size: int) -> None:
    """Histories of simulated buyers, and up to the largest history their purchases, as arrays on disk."""
    import numpy as np

    folder.mkdir(parents=True)
    rng = np.random.default_rng(size)
    age = rng.integers(30, 730, size)
    rate = rng.gamma(PARAMS["r"], 1 / PARAMS["alpha"], size)
    drop_out = rng.beta(PARAMS["a"], PARAMS["b"], size)
    x, t_x, clock = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size)
    customers, days = [np.arange(size)], [-age]
    going = np.flatnonzero(rng.random(size) >= drop_out)
    while going.size:
        # at least a day between purchases, as occasions are
        clock[going] += np.ceil(rng.exponential(1, going.size) / np.maximum(rate[going], 1e-12))
        going = going[clock[going] <= age[going]]
        x[going] += 1
        t_x[going] = clock[going]
        customers.append(going)
        days.append(t_x[going] - age[going])
        going = going[rng.random(going.size) >= drop_out[going]]
    np.save(folder / "histories.npy", np.stack([x, t_x, age]))
    if size <= LARGEST_HISTORY:
        order = rng.permutation(sum(map(len, days)))
        np.save(folder / "purchases.npy", np.stack([np.concatenate(customers), np.concatenate(days)])[:, order])


def measured(who: str, task: str, folder: Path) -> dict[str, float]:
    """CPU seconds of a task, and the peak memory of this process in MB."""
    work = WORKS[who](task, folder)
    began = time.process_time()
    work()
    seconds = time.process_time() - began
    return {"seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def histories_of(folder: Path) -> Any:
    """The three columns as floats, as a table of the warehouse gives them to any of the libraries."""
    import numpy as np

    return np.load(folder / "histories.npy").astype(np.float64)


def frame_of(folder: Path) -> Any:
    """The histories as the peers name their columns."""
    import numpy as np
    import pandas as pd

    x, t_x, age = histories_of(folder)
    return pd.DataFrame({"customer_id": np.arange(x.size), "frequency": x, "recency": t_x, "T": age})


def purchases_of(folder: Path, task: str) -> Any:
    """One row per purchase: customer (text, as the marts have it, or a whole number), date, amount."""
    import numpy as np
    import pandas as pd

    customer, day = np.load(folder / "purchases.npy")
    dates = pd.Timestamp(LAST_DAY) + pd.to_timedelta(day, unit="D")
    keys = pd.Series(customer).astype("str") if "text" in task else customer
    return pd.DataFrame({"customer_id": keys, "date": dates, "amount": 10.0 + customer % 90})


def ours(task: str, folder: Path) -> Callable[[], object]:
    """The work of this repository."""
    if task == "cold":
        return lambda: first_fit_and_score(folder)
    if task.startswith("history"):
        return our_history(purchases_of(folder, task))
    from dagster_project.modelling.btyd import PURCHASE_MODELS

    x, t_x, age = histories_of(folder)
    first_fit_and_score(folder, 2_000)
    if task == "score":
        known = PURCHASE_MODELS["bg_nbd"].from_params(**PARAMS)
        return lambda: known.predict(x, t_x, age, HORIZON_DAYS)
    return lambda: PURCHASE_MODELS[task.split(maxsplit=1)[0]].fit(x, t_x, age)


def first_fit_and_score(folder: Path, size: int | None = None) -> None:
    """What compiles everything: the first fit and score of a process, imports included."""
    from dagster_project.modelling.btyd import BetaGeo

    x, t_x, age = histories_of(folder)[:, :size]
    BetaGeo.fit(x, t_x, age).predict(x, t_x, age, HORIZON_DAYS)


def our_history(purchases: Any) -> Callable[[], object]:
    """The SQL over the marts' orders, on one thread, into a frame of one row per customer."""
    import datetime as dt

    import duckdb

    from dagster_project.modelling.purchase_history import purchase_history

    con = duckdb.connect(config={"threads": 1})
    con.register("purchases", purchases)
    con.execute("""
        create schema marts;
        create table marts.fct_refunds (
            refund_key varchar, order_key varchar, refund_date date, refund_amount decimal(18, 4));
        create table marts.fct_orders as
        select
            (row_number() over ())::varchar as order_key,
            customer_id as customer_key,
            date::date as order_date,
            amount::decimal(18, 4) as gross_amount,
            null::varchar as exclusion_reason
        from purchases
    """)
    con.unregister("purchases")
    return lambda: purchase_history(con, dt.date.fromisoformat(LAST_DAY))


def lifetimes(task: str, folder: Path) -> Callable[[], object]:
    """The work of lifetimes."""
    import pandas as pd
    from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter
    from lifetimes.utils import summary_data_from_transaction_data

    if task.startswith("history"):
        rows = purchases_of(folder, task)
        return lambda: summary_data_from_transaction_data(
            rows, "customer_id", "date", monetary_value_col="amount", observation_period_end=LAST_DAY
        )
    x, t_x, age = histories_of(folder)
    if task != "score":
        fitter = {"bg_nbd fit": BetaGeoFitter, "mbg_nbd fit": ModifiedBetaGeoFitter}[task]
        return lambda: fitter(penalizer_coef=0.0).fit(x, t_x, age)
    known = BetaGeoFitter()
    known.params_ = pd.Series(PARAMS)
    return lambda: (
        known.conditional_probability_alive(x, t_x, age),
        known.conditional_expected_number_of_purchases_up_to_time(HORIZON_DAYS, x, t_x, age),
    )


def pymc_marketing(task: str, folder: Path) -> Callable[[], object]:
    """The work of pymc-marketing, at the mode of its default priors."""
    import warnings

    from pymc_marketing.clv import BetaGeoModel, ModifiedBetaGeoModel
    from pymc_marketing.clv.utils import rfm_summary

    warnings.filterwarnings("ignore")
    if task.startswith("history"):
        rows = purchases_of(folder, task)
        return lambda: rfm_summary(
            rows, "customer_id", "date", monetary_value_col="amount", observation_period_end=LAST_DAY
        )
    frame = frame_of(folder)
    if task != "score":
        model = {"bg_nbd fit": BetaGeoModel, "mbg_nbd fit": ModifiedBetaGeoModel}[task]
        return lambda: model(data=frame).fit(method="map", progressbar=False)
    known = BetaGeoModel(data=frame.head(5_000))
    known.fit(method="map", progressbar=False)
    return lambda: (
        known.expected_probability_alive(frame),
        known.expected_purchases(frame, future_t=HORIZON_DAYS),
    )


def clvkit(task: str, folder: Path) -> Callable[[], object]:
    """The work of clvkit."""
    import pandas as pd
    from clvkit import BGNBD, MBGNBD, CustomerBase

    end = pd.Timestamp(LAST_DAY)
    if task.startswith("history"):
        rows = purchases_of(folder, task)
        return lambda: CustomerBase.from_transactions(rows, observation_period_end=end)
    frame = frame_of(folder).set_index("customer_id")
    base = CustomerBase(
        frame, time_unit="D", observation_period_end=end, has_monetary=False, on_negative="net", collapse="D"
    )
    if task != "score":
        model = {"bg_nbd fit": BGNBD, "mbg_nbd fit": MBGNBD}[task]
        return lambda: model().fit(base)
    known = BGNBD().fit(base)
    return lambda: (known.probability_alive(), known.predict(t=HORIZON_DAYS))


WORKS = {"ours": ours, "lifetimes": lifetimes, "pymc_marketing": pymc_marketing, "clvkit": clvkit}

if __name__ == "__main__":
    main()
