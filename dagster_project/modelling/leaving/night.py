"""One night of leaving, from a connection to the marts: lessons, back-test, champion, everybody's chance in batches.

Belongs here: the order of the work and what is read for it. Not here: each step, and writing what comes out (the
assets).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb
import numpy as np
import pandas as pd

from dagster_project.modelling.churn import ChurnSettings, is_active
from dagster_project.modelling.everybody import fitted_on_all
from dagster_project.modelling.feature_groups import FeatureGroup, groups_present
from dagster_project.modelling.features import customer_features, first_order_date
from dagster_project.modelling.fits import Fits, fit_models
from dagster_project.modelling.leaving.calibration import Calibration
from dagster_project.modelling.leaving.candidates import CANDIDATES, Candidate, Record, chosen, names_tried
from dagster_project.modelling.leaving.change import OCCASIONS_LATELY
from dagster_project.modelling.leaving.change_trial import try_change
from dagster_project.modelling.leaving.evenings import Evening, evening_of, past_evenings
from dagster_project.modelling.leaving.model import LeavingModel
from dagster_project.modelling.leaving.reasons import reasons
from dagster_project.modelling.origins import plan_backtest
from dagster_project.modelling.own_clock import by_own_clock
from dagster_project.modelling.purchase_history import purchase_history
from dagster_project.modelling.purchase_model import PurchaseModelFit, Status
from dagster_project.modelling.rhythm import Rhythm, days_since_last_order
from dagster_project.modelling.scores import score_table
from dagster_project.modelling.value_night import BATCH_CUSTOMERS, Reading


@dataclass(frozen=True)
class LeavingNight:
    """What a night found.

    Attributes:
        model: scores customers.
        record: of the past evenings.
        scores: from `score_table`, for no order.
        groups: that features are read of.
    """

    model: LeavingModel
    record: Record
    scores: pd.DataFrame
    groups: tuple[FeatureGroup, ...]


def leaving_night(reading: Reading, settings: ChurnSettings) -> LeavingNight:
    """Back-test every candidate, fit tonight, choose.

    Args:
        reading: the marts and the night.
        settings: what churn means; bounds how many customers are learned from.
    """
    everybody = reading.everybody(reading.as_of)
    count_customers = int(everybody.histories["count_customers"].sum())
    share = min(1.0, settings.maximum_customers / max(count_customers, 1))
    groups = groups_present(reading.connection, reading.as_of)
    known = features_of(reading, reading.as_of, (*groups, OCCASIONS_LATELY), share).df()
    counted = reading.counts_zero_value_orders
    rhythm = Rhythm.of_shop(reading.connection, reading.as_of, counts_zero_value_orders=counted)
    refusal = settings.gate.refusal(everybody.histories)
    fits = None if refusal else fit_models(known, settings.horizon_days, settings.purchase_model, stops_at_first=True)
    first = first_order_date(reading.connection, reading.as_of) or reading.as_of
    plan = plan_backtest(first, reading.as_of, settings.horizon_days)
    if fits is None or fits.base is None:
        plan = replace(plan, origins=(), grid=())
    evenings = past_evenings(
        reading.connection,
        plan.cutoffs(),
        plan.horizon_days,
        settings.purchase_model,
        groups,
        reading.scope(share),
    )
    record = Record(plan, evenings, groups, settings.learning_threads)
    if fits is None or fits.base is None:
        fallback = _without_model(reading, settings, rhythm, refusal, fits)
        return LeavingNight(fallback, record, score_table({"no_order": []}, plan.horizon_days, {}), groups)
    fits = by_own_clock(reading.connection, reading.as_of, fits, known, counts_zero_value_orders=counted)
    if share < 1 and fits.base is not None:
        fits = fitted_on_all(fits, [fits.base], everybody)
    tonight = evening_of(reading.as_of, known, fits, settings.horizon_days)
    model = _chosen(replace(tonight, rhythm=rhythm), record, fits, settings)
    model = _changed(model, reading, known, share)
    base = fits.base or ""
    scores = score_table(
        {"no_order": record.trials(base)},
        plan.horizon_days,
        {"no_order": model.champion},
        tried={"no_order": names_tried(record, base)},
    )
    read = groups if model.change is None else (*groups, OCCASIONS_LATELY)
    return LeavingNight(model, record, scores, read)


def features_of(
    reading: Reading, cutoff: dt.date, groups: tuple[FeatureGroup, ...], customer_share: float = 1.0
) -> duckdb.DuckDBPyRelation:
    """The features of one evening with those of the groups, not fetched yet."""
    return customer_features(reading.connection, [cutoff], reading.scope(customer_share), groups)


def _chosen(tonight: Evening, record: Record, fits: Fits, settings: ChurnSettings) -> LeavingModel:
    """The champion of the back-test, fitted tonight."""
    base = fits.base or ""
    able = [base, *record.probabilities(tonight)]
    choices = chosen(record.trials(base) if settings.is_chosen_by_backtest else [], base, able)
    candidate = CANDIDATES.get(choices[-1].champion)
    since = days_since_last_order(tonight.features)
    model = LeavingModel(
        tonight.cutoff,
        settings,
        PurchaseModelFit(base, "fitted", None, fits.predicting(base)),
        tonight.rhythm,
        choices,
        mean_log_odds=float(tonight.log_odds.mean()) if tonight.log_odds.size else 0.0,
        typical_days_since=float(np.median(since)) if since.size else 0.0,
    )
    if candidate is None:
        return model
    calibration = record.calibration(tonight, candidate) if candidate.is_calibrated else Calibration()
    trees = record.trees(tonight.cutoff, record.groups_of(candidate)) if candidate.has_trees else None
    weight = candidate.weight_of_trees
    return replace(model, trees=trees, weight_of_trees=weight, calibration=calibration or Calibration())


def _changed(model: LeavingModel, reading: Reading, known: pd.DataFrame, share: float) -> LeavingModel:
    """The same belief with a change in how easily customers leave, where that is believed.

    It is asked of who reads orders alone, as they stand. Feeds tell of what befell customers, and a calibration of how
    many left after it: with either, what a change has done would be counted twice.
    """
    champion, purchase = CANDIDATES.get(model.champion, Candidate()), model.purchase_fit.model
    if champion.reads_groups or champion.is_calibrated or purchase is None or not model.settings.is_chosen_by_backtest:
        return model
    trial = try_change(reading, purchase, known, model.settings, share)
    if trial is None or not trial.is_believed:
        return replace(model, change_trial=trial)
    asked = known[is_active(known, model.settings.horizon_days)].reset_index(drop=True)
    added = trial.change.adds(purchase, asked, model.settings.horizon_days)
    return replace(model, change_trial=trial, mean_log_odds=model.mean_log_odds + float(added.mean()))


def _without_model(
    reading: Reading, settings: ChurnSettings, rhythm: Rhythm | None, refusal: str | None, fits: Fits | None
) -> LeavingModel:
    """Cohort shares, with the reason why there is no model."""
    reasons_not = "; ".join(fits.refusals.values()) if fits else refusal
    status: Status = "did_not_converge" if fits else "insufficient_data"
    fit = PurchaseModelFit(settings.purchase_model, status, reasons_not, None)
    earlier = purchase_history(
        reading.connection,
        reading.as_of - dt.timedelta(days=settings.horizon_days),
        counts_zero_value_orders=reading.counts_zero_value_orders,
    )
    return LeavingModel(reading.as_of, settings, fit, rhythm, earlier_history=earlier)


def scored_customers(
    reading: Reading, night: LeavingNight, batch_customers: int = BATCH_CUSTOMERS
) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    """Everybody's chance of no order and the reasons for it, in batches in the order of customer_key.

    Args:
        reading: the marts and the night; its connection must have nothing else to do until the last batch is taken.
        night: from `leaving_night`.
        batch_customers: rows of a batch, at most; without a model everybody comes at once, as shares of cohorts need.

    Yields:
        From `LeavingModel.score` and `reasons`.
    """
    found = features_of(reading, night.model.as_of, night.groups)
    if not night.model.choices:
        everyone = found.df()
        yield night.model.score(everyone), reasons(night.model, everyone.iloc[:0])
        return
    for batch in found.to_arrow_reader(batch_customers):
        features = batch.to_pandas()
        rows = night.model.score(features)
        active = rows["is_active"].to_numpy(dtype=np.bool_)
        yield rows, reasons(night.model, features[active].reset_index(drop=True))
