"""What became of past predictions: the record of the ledger, beside naive rules."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dagster_project.reporting import formats, model_queries
from dagster_project.reporting.metrics import Metrics
from dagster_project.reporting.page import Section, Table
from dagster_project.reporting.published import Published, Row

CHURN_DAYS = 90
EVENT = "no_order"


class Subject(NamedTuple):
    """A table of the section: what is predicted, of whom, and the error that it is judged by."""

    part: str
    predictions: Sequence[str]
    error: str
    caption: str


SUBJECTS = (
    Subject("existing_customers", ("orders", "net"), "wape", "The customers so far together"),
    Subject("all_customers", ("orders", "net"), "wape", "New customers included"),
    Subject("customer", ("orders", "net"), "rmse", "Customer by customer"),
    Subject("customer", (EVENT,), "brier", "No order, yes or no, of active customers"),
)
WORDS = {"orders": "Orders", "net": "Net revenue", EVENT: "No order"}
VERDICTS = {"holds": "yes", "does_not_hold": "no, worse", "cannot_say": "cannot say"}
ERRORS = {"wape": "Error, share of what came", "rmse": "RMSE", "brier": "Brier"}


@dataclass(frozen=True)
class Record:
    """Scores of one prediction and horizon: of the model that spoke on most evenings, and of the best naive rule."""

    prediction: str
    horizon_days: int
    count_evenings: int
    scores: dict[str, float]
    best_naive: float | None


def ledger(shop: Published, metrics: Metrics) -> Section:
    """Every prediction whose horizon has ended, graded."""
    title = "What became of past predictions"
    rows = shop.rows(model_queries.LEDGER_RECORD)
    if not rows:
        return Section(
            "ledger", title, "No prediction of a past month end has come due yet: there is no record to show."
        )
    tables = [_table(subject, records_of(rows, subject)) for subject in SUBJECTS]
    return Section(
        anchor="ledger",
        title=title,
        lead=_lead(rows),
        tables=[*(table for table in tables if table.rows), *_by_loyalty(shop), *_tenths(shop)],
        notes=(
            "Each month end is predicted from what was known on it, and graded when its horizon has ended. Naive: the "
            "best of three rules of thumb (the same as last period, own rate times time, mean of the cohort). "
            "An interval that says 80\u00a0% should hold about 80\u00a0% of what came; of whole numbers it holds more. "
            "Month ends whose horizons overlap share their luck. Loyal and other customers are compared in groups of "
            "which as much was expected, as what many do is easier to foresee than what few do.",
        ),
    )


def record_of_leaving(shop: Published) -> str | None:
    """How chances of no order said on past month ends came true, in a sentence; none where none has come due.

    Args:
        shop: the published version.
    """
    found = [one for one in records_of(shop.rows(model_queries.LEDGER_RECORD), SUBJECTS[-1]) if "brier" in one.scores]
    if not found:
        return None
    record = min(found, key=lambda one: (abs(one.horizon_days - CHURN_DAYS), one.horizon_days))
    naive = "" if record.best_naive is None else f" (the best rule of thumb: {formats.number(record.best_naive, 3)})"
    figures = {name: formats.number(record.scores.get(name), 3) for name in ("brier", "roc_auc", "calibration_error")}
    evenings = formats.plural(record.count_evenings, "past month end")
    return (
        f"The purchase model behind these chances was graded on {evenings}, {record.horizon_days} days ahead: "
        f"Brier {figures['brier']}{naive}, AUC {figures['roc_auc']}, calibration error {figures['calibration_error']}."
    )


def records_of(rows: Sequence[Row], subject: Subject) -> list[Record]:
    """The record of each prediction and horizon.

    Args:
        rows: of `LEDGER_RECORD`.
        subject: which of them.
    """
    found = []
    ours = [row for row in rows if row["part"] == subject.part and row["prediction"] in subject.predictions]
    for key in dict.fromkeys((row["prediction"], row["horizon_days"]) for row in ours):
        alike = [row for row in ours if (row["prediction"], row["horizon_days"]) == key]
        spoken = [row for row in alike if not row["is_baseline"]]
        naive = [row["score_value"] for row in alike if row["is_baseline"] and row["score"] == subject.error]
        speaker = spoken[0]["model"]
        scores = {row["score"]: row["score_value"] for row in spoken if row["model"] == speaker}
        found.append(Record(*key, spoken[0]["count_evenings"], scores, min(naive, default=None)))
    return found


def _lead(rows: Sequence[Row]) -> str:
    records = records_of(rows, SUBJECTS[0])
    net = [record for record in records if record.prediction == "net" and "wape" in record.scores]
    if not net:
        return "The ledger holds predictions of past month ends; too little came of them to be judged."
    record = min(net, key=lambda one: abs(one.horizon_days - CHURN_DAYS))
    naive = "" if record.best_naive is None else f"; the best rule of thumb was off by {_share(record.best_naive)}"
    return (
        f"On {formats.plural(record.count_evenings, 'past month end')} the net revenue of the customers so far within "
        f"{record.horizon_days} days was off by {_share(record.scores['wape'])} of what came{naive}."
    )


def _table(subject: Subject, records: Sequence[Record]) -> Table:
    is_event = EVENT in subject.predictions
    columns = ["Prediction", "# Month ends", f"# {ERRORS[subject.error]}", "# Best naive"]
    columns += ["# AUC", "# Calibration error"] if is_event else ["# Total predicted", "# 80 % intervals held"]
    body = []
    for record in records:
        says = _share if subject.error == "wape" else formats.significant
        last = (
            [formats.number(record.scores.get("roc_auc"), 3), formats.number(record.scores.get("calibration_error"), 3)]
            if is_event
            else [_bias(record.scores.get("total_bias")), _share(record.scores.get("coverage_80"))]
        )
        body.append(
            (
                f"{WORDS[record.prediction]}, {record.horizon_days} days",
                formats.count(record.count_evenings),
                says(record.scores.get(subject.error)),
                says(record.best_naive),
                *last,
            )
        )
    return Table(subject.caption, columns, body)


def _by_loyalty(shop: Published) -> list[Table]:
    """Whether loyal customers are forecast better."""
    body = []
    for row in shop.rows(model_queries.LOYAL_FORECAST_ERRORS):
        is_sure = not formats.is_absent(row["ci_low"])
        interval = f" ({_points(row['ci_low'])} to {_points(row['ci_high'])})" if is_sure else ""
        body.append(
            (
                f"{WORDS[row['prediction']]}, {row['horizon_days']} days",
                formats.count(row["count_evenings"]),
                _share(row["loyal_error"]),
                _share(row["other_error"]),
                _points(row["error_difference"]) + interval,
                VERDICTS[row["verdict"]],
            )
        )
    columns = ("Prediction", "# Month ends", "# Loyal: off by", "# Others: off by", "# Difference, points", "Better?")
    return [Table("Are loyal customers easier to foresee?", columns, body)] if body else []


def _tenths(shop: Published) -> list[Table]:
    """What was said and what came, by tenth of the active customers."""
    rows = shop.rows(model_queries.LEDGER_TENTHS, horizon_days=CHURN_DAYS)
    by_tenth: dict[str, dict[str, float]] = {}
    for row in rows:
        found = by_tenth.setdefault(row["segment"], {"count": row["count_customers"]})
        found[row["score"]] = row["score_value"]
    body = [
        (tenth.lstrip("0"), formats.count(of["count"]), _share(of["mean_predicted"]), _share(of["mean_outcome"]))
        for tenth, of in by_tenth.items()
    ]
    columns = ("Tenth, the likeliest to stay away first", "# Predictions", "# Said", "# Came")
    return [Table("No order: said and came", columns, body, is_folded=True)] if body else []


def _share(amount: float | None) -> str:
    return formats.share(amount)


def _points(difference: float) -> str:
    return f"{100 * difference:+.1f}"


def _bias(amount: float | None) -> str:
    if formats.is_absent(amount) or amount is None:
        return formats.ABSENT
    return f"{formats.share(abs(amount))} too {'much' if amount > 0 else 'little'}"
