"""How good the predictions were on the held-out end of the shop's own history, beside plain baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from dagster_project.reporting import formats, model_queries
from dagster_project.reporting.metrics import Metrics
from dagster_project.reporting.page import Section, Table
from dagster_project.reporting.published import Published, Row


class Score(NamedTuple):
    """A score: its title, and which way is better."""

    name: str
    title: str
    better: str


AMOUNT_SCORES = (
    Score("rmse", "RMSE", "↓"),
    Score("total_bias", "Total bias", "→ 0"),
    Score("normalised_gini", "Gini, normalised", "↑"),
    Score("top_decile_capture", "Top tenth captures", "↑"),
    Score("mae", "MAE", "↓"),
)
EVENT_SCORES = (
    Score("roc_auc", "AUC", "↑"),
    Score("brier", "Brier", "↓"),
    Score("calibration_error", "Calibration error", "↓"),
    Score("log_loss", "Log loss", "↓"),
)
SUBJECTS = {
    "orders": "Orders per customer",
    "net": "Net revenue per customer",
    "no_order": "No order, yes or no, of active customers",
}
MODEL_WORDS = {
    "zero": "all zero: nobody buys again",
    "same_as_last_period": "same as the last period",
    "rate_times_time": "own rate times time",
    "cohort_mean": "mean of the cohort",
    "days_since_last_order": "days since last order (ranking only)",
    "base_rate": "the hold-out's own share",
}


def model_scores(shop: Published, metrics: Metrics) -> Section:
    """One table per prediction, the model below its baselines."""
    title = "How good the predictions were"
    rows = shop.rows(model_queries.SCORES)
    if not rows:
        return Section(
            "scores",
            title,
            "Nothing was back-tested: the history is too short to hold a part of it out. Take the "
            "predictions above as untested.",
        )
    by_subject = {name: [row for row in rows if row["prediction"] == name] for name in SUBJECTS}
    found = {name: of for name, of in by_subject.items() if of}
    sentences = [_amount_sentence(found["orders"])] if "orders" in found else []
    sentences += [_event_sentence(found["no_order"])] if "no_order" in found else []
    return Section(
        anchor="scores",
        title=title,
        lead=" ".join(sentences) or "The back-test of tonight scored nothing that can be compared.",
        warnings=_reasons(found),
        tables=[_table(name, of) for name, of in found.items()],
        notes=(
            "Arrows say which way is better. RMSE is the root of the mean squared error; total bias is predicted "
            "over actual, less one; Gini is 1 for the "
            "right order of customers and 0 for a random one. MAE rewards predicting zero wherever most customers do "
            "not "
            "come back: read it beside the all-zero row. AUC is 0.5 for a random ranking; Brier is a mean squared "
            "error of "
            "probabilities; calibration error is the mean gap between predicted and actual shares. One hold-out is "
            "one draw: "
            "small differences may be chance.",
        ),
    )


def _reasons(found: Mapping[str, Sequence[Row]]) -> list[str]:
    """Why models were not back-tested, one sentence per model and reason."""
    subjects: dict[tuple[str, str, str], dict[str, None]] = {}
    for name, rows in found.items():
        for row in rows:
            if row["status"] not in {"fitted", "baseline"}:
                reason = (row["model"], formats.words(row["status"]), row["status_reason"] or "no reason given")
                subjects.setdefault(reason, {})[SUBJECTS[name].lower()] = None
    return [
        f"{model} was not back-tested for {' and '.join(names)} ({status}: {reason})."
        for (model, status, reason), names in subjects.items()
    ]


def _score(rows: Sequence[Row], score: str, statuses: Sequence[str], model: str | None = None) -> float | None:
    matches = [
        row["score_value"]
        for row in rows
        if row["score"] == score and row["status"] in statuses and (model is None or row["model"] == model)
    ]
    return matches[0] if matches and not formats.is_absent(matches[0]) else None


def _amount_sentence(rows: Sequence[Row]) -> str:
    error, plain = _score(rows, "rmse", ["fitted"]), _score(rows, "rmse", ["baseline"], "zero")
    bias = _score(rows, "total_bias", ["fitted"])
    if error is None or not plain or bias is None:
        return "The value model was not back-tested, so only the baselines have scores."
    better = formats.share(abs(error / plain - 1))
    verdict = f"{better} {'smaller' if error < plain else 'larger'} than that of predicting that nobody buys again"
    way = "above" if bias > 0 else "below"
    return (
        f"On the held-out days the model's typical error (RMSE) in orders per customer was {verdict}, and its total "
        "was "
        f"{formats.share(abs(bias))} {way} what happened."
    )


def _event_sentence(rows: Sequence[Row]) -> str:
    auc, recency = _score(rows, "roc_auc", ["fitted"]), _score(rows, "roc_auc", ["baseline"], "days_since_last_order")
    brier, base = _score(rows, "brier", ["fitted"]), _score(rows, "brier", ["baseline"], "base_rate")
    if auc is None:
        return "The churn model was not back-tested, so only the baselines have scores."
    text = f"The churn model ranked who would not order with an AUC of {formats.number(auc, 3)}"
    if recency is not None:
        text += f", against {formats.number(recency, 3)} by days since the last order alone"
    if brier is not None and base is not None:
        beat = "were closer to what happened than" if brier < base else "were no closer to what happened than"
        text += f"; its probabilities {beat} the one overall share, known only afterwards"
    return text + "."


def _table(prediction: str, rows: Sequence[Row]) -> Table:
    """Models as rows, baselines first; MAE only where the all-zero row stands beside it."""
    order = list(MODEL_WORDS)
    ranked = sorted(rows, key=lambda row: order.index(row["model"]) if row["status"] == "baseline" else len(order))
    models = list(dict.fromkeys(row["model"] for row in ranked))
    scores = EVENT_SCORES if prediction == "no_order" else AMOUNT_SCORES
    shown = [score for score in scores if score.name != "mae" or "zero" in models]
    cells = {(row["model"], row["score"]): row for row in rows}
    status = {row["model"]: row["status"] for row in rows}
    body = []
    for model in models:
        label = MODEL_WORDS.get(model, model) if status[model] == "baseline" else f"model: {model}"
        numbers = [_cell(score.name, cells.get((model, score.name))) for score in shown]
        body.append((label, *numbers, formats.words(status[model])))
    first = rows[0]
    caption = (
        f"{SUBJECTS[prediction]}: {first['horizon_days']} days from {formats.day(first['cutoff_date'])} on, "
        f"{formats.plural(first['count_customers'], 'customer')}"
    )
    return Table(caption, ("Prediction by", *(f"# {score.title} {score.better}" for score in shown), "Status"), body)


def _cell(score: str, row: Row | None) -> str:
    if row is None or formats.is_absent(row["score_value"]):
        return formats.ABSENT
    amount = row["score_value"]
    if score == "total_bias":
        return f"{'+' if amount > 0 else ''}{formats.share(amount)}"
    return formats.share(amount) if score == "top_decile_capture" else formats.significant(amount)
