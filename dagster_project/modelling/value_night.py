"""One night of value, from a connection to the marts: the back-test, the champions, and everybody's value in batches.

Belongs here: the order of the work and what is read for it. Not here: each step (`backtest.py`, `selection.py`,
`value.py`, `scores.py`), and writing what comes out (the assets).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace

import duckdb
import pandas as pd

from dagster_project.modelling.backtest import Past, read_past
from dagster_project.modelling.candidates import parts_of
from dagster_project.modelling.everybody import Everybody, fitted_on_all
from dagster_project.modelling.features import customer_features, first_order_date
from dagster_project.modelling.fits import Fits, fit_models, prior_parts
from dagster_project.modelling.level.activity import repeat_activity
from dagster_project.modelling.origins import Plan, plan_backtest
from dagster_project.modelling.parameters import DRIFT_DAYS, parameter_table
from dagster_project.modelling.scope import Scope
from dagster_project.modelling.scores import score_table
from dagster_project.modelling.selection import Prediction
from dagster_project.modelling.shop_totals import ShopValue
from dagster_project.modelling.value import VALUE_PREDICTIONS, ValueModel, fit_value
from dagster_project.modelling.value_settings import ValueSettings

BATCH_CUSTOMERS = 100_000
"""Customers scored at a time: 60 columns of them are 50 MB."""


@dataclass(frozen=True)
class ValueNight:
    """What a night found.

    Attributes:
        model: scores customers.
        scores: from `score_table`, for orders and net.
        parameters: from `parameter_table`.
    """

    model: ValueModel
    scores: pd.DataFrame
    parameters: pd.DataFrame


@dataclass(frozen=True)
class Reading:
    """Where a night reads from, and how.

    Attributes:
        connection: a connection that sees the marts, as in `customer_features`.
        as_of: the night.
        counts_zero_value_orders: as in `purchase_history`.
    """

    connection: duckdb.DuckDBPyConnection
    as_of: dt.date
    counts_zero_value_orders: bool = False

    def features(self, cutoff: dt.date, customer_share: float = 1.0) -> duckdb.DuckDBPyRelation:
        """The features of one evening, not fetched yet."""
        return customer_features(self.connection, [cutoff], self.scope(customer_share))

    def scope(self, customer_share: float = 1.0) -> Scope:
        """Which orders are read, and of which share of the customers."""
        return Scope(self.counts_zero_value_orders, customer_share)

    def everybody(self, cutoff: dt.date) -> Everybody:
        """All customers of one evening."""
        return Everybody(self.connection, cutoff, self.counts_zero_value_orders)

    def past(self, plan: Plan, settings: ValueSettings, predictions: tuple[Prediction, ...], share: float) -> Past:
        """The past evenings of a plan."""
        return read_past(
            self.connection,
            plan,
            settings.purchase_model,
            predictions,
            self.scope(share),
            threads=settings.learning_threads,
        )


def value_night(reading: Reading, settings: ValueSettings) -> ValueNight:
    """Back-test every candidate, fit tonight, choose.

    Args:
        reading: the marts and the night.
        settings: what value rests on; bounds how many customers are read.
    """
    everybody = reading.everybody(reading.as_of)
    count_customers = int(everybody.histories["count_customers"].sum())
    share = min(1.0, settings.maximum_customers / max(count_customers, 1))
    features = reading.features(reading.as_of, share).df()
    first = first_order_date(reading.connection, reading.as_of) or reading.as_of
    plan = plan_backtest(first, reading.as_of, settings.horizon_days)
    if settings.gate.refusal(everybody.histories) is not None:
        plan = replace(plan, origins=(), grid=())
    activity = repeat_activity(
        reading.connection, reading.as_of, counts_zero_value_orders=reading.counts_zero_value_orders
    )
    past = reading.past(plan, settings, VALUE_PREDICTIONS, share)
    trials = past.trials()
    whole = everybody if share < 1 else None
    model = fit_value(features, reading.as_of, settings, whole, activity, past, trials)
    champions: dict[Prediction, str] = {name: choice.champion for name, choice in model.choices.items()}
    scores = score_table(trials, plan.horizon_days, champions, model.errors.coverages)
    before = _month_before(reading, model, share) if model.choices else None
    return ValueNight(model, scores, parameter_table(model, before))


def _month_before(reading: Reading, model: ValueModel, share: float) -> Fits:
    """The fits as of a month earlier, each on the customers that tonight's is on."""
    month_ago = reading.as_of - dt.timedelta(days=DRIFT_DAYS)
    fits = fit_models(reading.features(month_ago, share).df(), model.fits.lesson_days, model.settings.purchase_model)
    if share == 1:
        return fits
    names = {*prior_parts(model.fits), *parts_of(model.fits, model.champion, model.net_champion)}
    return fitted_on_all(fits, sorted(names), reading.everybody(month_ago))


def scored_customers(
    reading: Reading, model: ValueModel, totals: ShopValue | None = None, batch_customers: int = BATCH_CUSTOMERS
) -> Iterator[pd.DataFrame]:
    """Everybody's value, in batches in the order of customer_key; memory does not grow with the shop.

    Args:
        reading: the marts and the night; its connection must have nothing else to do until the last batch is taken.
        model: from `value_night`.
        totals: gathers every batch, where the whole shop is wanted too.
        batch_customers: rows of a batch, at most.
    """
    reader = reading.features(model.as_of).to_arrow_reader(batch_customers)
    for batch in reader:
        rows = model.score(batch.to_pandas())
        if totals is not None:
            totals.add(rows)
        yield rows
