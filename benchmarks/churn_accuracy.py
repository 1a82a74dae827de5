"""How well a night would have told who orders again, on the splits of open data and on the built-in shop.

    python benchmarks/churn_accuracy.py [--quick] [--homes FOLDER] [--only PART]

Ours is what the night at the cut-off would have published, champion and calibration chosen inside the history without
sight of the hold-out (`leaving_night`). Beside it on the same customers: days since the last order, the purchase model
as it stands (exact probability of no purchase), and the hold-out's own share; and the best figure measured on the split
in November 2026 among lifetimes 0.11.3, pymc-marketing 0.19.2, CLVTools 0.12.1, LightGBM and blends of them (quoted,
not run again; on all customers, whichever row was best in that figure alone). Active customers are those whom the
probability is made for, an order in the last two horizons; all are those whom the quoted figures are of.

Calibration maps are compared inside the history: fitted to what had ended by an evening, scored on that evening.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; the ratio is
other / ours. Needs LOYALTY_DATA. --quick runs the CDNOW sample only.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from clv_accuracy import SPLITS, Split, marts
from clv_accuracy import tell as tell_of
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from dagster_project.modelling import event_evaluation
from dagster_project.modelling.churn import ChurnSettings
from dagster_project.modelling.features import customer_outcomes
from dagster_project.modelling.fits import aligned_outcomes
from dagster_project.modelling.histories import FloatArray
from dagster_project.modelling.leaving.ablation import ablation
from dagster_project.modelling.leaving.calibration import Calibration
from dagster_project.modelling.leaving.candidates import CANDIDATES, Record
from dagster_project.modelling.leaving.evenings import known_by
from dagster_project.modelling.leaving.night import features_of, leaving_night
from dagster_project.modelling.value_night import Reading
from dagster_project.modelling.voice.logistic import logistic

SHOP = Split("demo", dt.date(2025, 9, 30), 90, 0, 0, 0, 0)
QUOTED = {
    "cdnow_sample_39_39": {"auc": 0.771, "brier": 0.157, "ece": 0.029},
    "cdnow_full_39_39": {"auc": 0.766, "brier": 0.160, "ece": 0.026},
    "cdnow_full_65_13": {"auc": 0.839, "brier": 0.089, "ece": 0.010},
    "online_retail_18m_6m": {"auc": 0.813, "brier": 0.177, "ece": 0.013},
    "online_retail_21m_3m": {"auc": 0.815, "brier": 0.185, "ece": 0.081},
    "olist_14m_6m": {"auc": 0.596, "brier": 0.012, "ece": 0.002},
}
FIGURES: Mapping[str, Callable[[Any, Any], float | None]] = {
    "auc": event_evaluation.roc_auc,
    "brier": event_evaluation.brier,
    "log loss": event_evaluation.log_loss,
    "ece": event_evaluation.calibration_error,
    "top decile lift": event_evaluation.top_decile_lift,
}


def main() -> None:
    """Run the splits and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--homes", type=Path, help="folder that keeps the marts, one home for each data set")
    parser.add_argument("--only", help="a part of the name of the splits to run")
    arguments = parser.parse_args()
    if not os.environ.get("LOYALTY_DATA"):
        raise SystemExit("LOYALTY_DATA is not set; it names the folder that holds cdnow/ online_retail/ olist/")
    splits = SPLITS | {"built_in_shop": SHOP}
    with tempfile.TemporaryDirectory() as folder:
        for case, split in list(splits.items())[: 1 if arguments.quick else None]:
            if arguments.only is None or arguments.only in case:
                measure(case, split, marts(split.example, arguments.homes or Path(folder)))


def measure(case: str, split: Split, published: Path) -> None:
    """One split: ours and the others on the same customers, then what was learned on the way."""
    with duckdb.connect(str(published), read_only=True) as con:
        reading = Reading(con, split.cutoff, counts_zero_value_orders=split.example.startswith("cdnow"))
        began = time.process_time()
        night = leaving_night(reading, ChurnSettings(horizon_days=split.horizon_days))
        features = features_of(reading, split.cutoff, night.groups).df()
        rows = night.model.score(features)
        tell(case, "cpu of the night", time.process_time() - began, None, None, "s")
        outcomes = customer_outcomes(con, [split.cutoff], split.horizon_days, reading.scope())
    has_left = (aligned_outcomes(features, outcomes)["orders"] == 0).to_numpy(dtype=np.float64)
    tell(case, f"champion: {night.model.champion}", None, None, None, "")
    x, t_x, age = (
        features[name].to_numpy(dtype=np.float64)
        for name in ("count_repeat_occasions", "days_first_to_last_order", "days_observed")
    )
    purchase_model = night.model.purchase_fit.model
    others = {"days since the last order": age - t_x}
    if purchase_model is not None:
        others["purchase model"] = purchase_model.probability_no_purchase(x, t_x, age, split.horizon_days)
    active = rows["is_active"].to_numpy(dtype=np.bool_)
    ours = rows["probability_no_order"].to_numpy(dtype=np.float64)
    for population, chosen in (("active", active), ("all", np.ones(active.size, dtype=np.bool_))):
        left, count = has_left[chosen], int(chosen.sum())
        for figure, score in FIGURES.items():
            found = score(left, ours[chosen])
            name = f"{figure}, {count} {population}"
            quoted = QUOTED.get(case, {}).get(figure) if population == "all" else None
            if quoted is not None:
                tell(case, name, found, quoted, "best of all, quoted", "")
            for other, said in others.items():
                if other == "purchase model" or figure in {"auc", "top decile lift"}:
                    tell(case, name, found, score(left, said[chosen]), other, "")
        tell(
            case,
            f"brier, {count} {population}",
            event_evaluation.brier(left, ours[chosen]),
            event_evaluation.brier(left, np.full(count, left.mean())),
            "the hold-out's own share",
            "",
        )
    compare_maps(case, night.record)
    added = ablation(night.record)
    for row in added[added["verdict"] != "not_measured"].itertuples():
        name = f"log-loss gained by {row.feature_group}: {row.verdict}, 95 % {row.ci_low:.4f} to {row.ci_high:.4f}"
        tell(case, name, row.log_loss_gain, None, None, "nats")


def compare_maps(case: str, record: Record) -> None:
    """Mean log-loss and calibration error of calibration maps on evenings that they were not fitted to."""
    found: dict[str, list[tuple[float | None, float | None]]] = {}
    for name, candidate in CANDIDATES.items():
        if candidate.is_calibrated:
            continue
        evenings = [one for one in known_by(record.evenings, record.plan.origins) if one.has_left is not None]
        for place, evening in enumerate(evenings[:-1]):
            ended = evening.cutoff - dt.timedelta(days=record.plan.horizon_days)
            before = [one for one in evenings[place + 1 :] if one.cutoff <= ended][:2]
            said = [record.log_odds(one, candidate) for one in (evening, *before)]
            if not before or any(one is None for one in said):
                continue
            log_odds, left = np.concatenate(said[1:]), np.concatenate([one.has_left for one in before])
            for map_name, fit in MAPS.items():
                probability = fit(log_odds, left)(said[0])
                scores = (
                    event_evaluation.log_loss(evening.has_left, probability),
                    event_evaluation.calibration_error(evening.has_left, probability),
                )
                found.setdefault(f"{name}, {map_name}", []).append(scores)
    for name, scores in found.items():
        losses, errors = zip(*scores, strict=True)
        tell(case, f"inside the history, {name}: log loss", float(np.mean(losses)), None, None, "")
        tell(case, f"inside the history, {name}: ece", float(np.mean(errors)), None, None, "")


Map = Callable[[FloatArray], FloatArray]


def as_it_stands(_log_odds: FloatArray, _left: FloatArray) -> Map:
    """No map."""
    return expit


def platt(log_odds: FloatArray, left: FloatArray) -> Map:
    """A line on log odds: what the night uses."""
    fitted = Calibration.fit(log_odds, left) or Calibration()
    return lambda said: expit(fitted.of(said))


def beta(log_odds: FloatArray, left: FloatArray) -> Map:
    """Beta calibration (Kull, Silva Filho and Flach 2017): log p and log(1 - p) with slopes of their own."""

    def design(said: FloatArray) -> FloatArray:
        return np.stack([np.ones(said.size), np.log(expit(said)), -np.log(expit(-said))], axis=1)

    coefficients = logistic(design(log_odds), left > 0, np.zeros(3)).coefficients
    return lambda said: expit(design(said) @ coefficients)


def isotonic(log_odds: FloatArray, left: FloatArray) -> Map:
    """Steps that rise with the prediction, kept a thousandth off 0 and 1."""
    fitted = IsotonicRegression(out_of_bounds="clip").fit(log_odds, left)
    return lambda said: np.clip(fitted.predict(said), 0.001, 0.999)


MAPS = {"as it stands": as_it_stands, "platt": platt, "beta": beta, "isotonic": isotonic}


def tell(case: str, name: str, ours: float | None, other: float | None, other_name: str | None, unit: str) -> None:
    """Print one figure."""
    tell_of(case, name, ours, other, other_name, unit, bench="churn_accuracy")


if __name__ == "__main__":
    main()
