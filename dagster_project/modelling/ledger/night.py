"""The ledger of a night, in the order of the work.

Belongs here: which evenings are predicted anew, and what each needs. Not here: each step, and writing what comes out
(the assets).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import pandas as pd
import pyarrow as pa

from dagster_project.modelling.features import customer_features, customer_outcomes
from dagster_project.modelling.ledger import followed
from dagster_project.modelling.ledger.by_loyalty import loyal_forecast_errors
from dagster_project.modelling.ledger.drift import model_drift
from dagster_project.modelling.ledger.evenings import (
    CALIBRATION_DAYS,
    LedgerSettings,
    calibration_evening,
    ledger_evenings,
)
from dagster_project.modelling.ledger.kept import Kept, Known, made_by
from dagster_project.modelling.ledger.predictions import COLUMNS, Grade, evening_fits, evening_predictions, grade_of
from dagster_project.modelling.ledger.scores import ledger_scores
from dagster_project.modelling.loyal import loyal_customers
from dagster_project.modelling.newcomers import Newcomers
from dagster_project.modelling.value_night import Reading

EVENINGS_AT_A_TIME = 6
"""Read in one pass over the orders: with 25,000 customers their features take 70 MB."""


@dataclass(frozen=True)
class LedgerNight:
    """The ledger of a night; its rows lie in temporary tables of the reading's connection.

    Attributes:
        reading: the marts and the night.
        evenings: month ends that have predictions, earliest first.
        scores: `LEDGER_SCORES`.
        drift: `MODEL_DRIFT`.
        by_loyalty: `LOYAL_FORECAST_ERRORS`.
        count_made: evenings that were predicted anew, calibration evenings before the first included.
    """

    reading: Reading
    evenings: tuple[dt.date, ...]
    scores: pd.DataFrame
    drift: pd.DataFrame
    by_loyalty: pd.DataFrame
    count_made: int

    def rows(self) -> Iterator[pa.Table]:
        """`PREDICTION_LEDGER`, an evening at a time."""
        return followed.ledger_rows(self.reading.connection, self.evenings, self.reading.as_of)


def ledger_night(reading: Reading, settings: LedgerSettings, kept: Kept | None = None, code: str = "") -> LedgerNight:
    """Predict the evenings that are not kept, and grade all.

    Args:
        reading: the marts and the night; its connection must have nothing else to do.
        settings: of the ledger.
        kept: evenings of earlier nights; nothing is kept where absent.
        code: fingerprint of the code.
    """
    connection, is_counted = reading.connection, reading.counts_zero_value_orders
    known = Known.of(connection, counts_zero_value_orders=is_counted)
    wanted = ledger_evenings(known.first_order, reading.as_of, settings) if known.first_order else ()
    speaking = _Evenings(reading, settings, kept or Kept(), made_by(settings, is_counted, code), known)
    followed.begin(connection)
    predicted = []
    for evening in wanted:
        rows = speaking.predictions(evening, wanted)
        if not rows.empty:
            followed.add_predictions(connection, rows)
            predicted.append(evening)
    speaking.kept.drop_unused()
    for days in settings.horizons_days:
        ended = [evening for evening in predicted if evening + dt.timedelta(days=days) <= reading.as_of]
        for share, alike in groupby(ended, speaking.share):
            evenings = list(alike)
            outcomes = customer_outcomes(connection, evenings, days, reading.scope(share))
            followed.add_outcomes(connection, outcomes, days, evenings)
    scores = ledger_scores(connection, predicted, reading.as_of)
    drift = model_drift(connection, predicted, reading.as_of)
    by_loyalty = loyal_forecast_errors(connection, reading.as_of)
    return LedgerNight(reading, tuple(predicted), scores, drift, by_loyalty, speaking.count_made)


@dataclass
class _Evenings:
    """Predictions of evenings, each made once or found where it was kept."""

    reading: Reading
    settings: LedgerSettings
    kept: Kept
    made_by: str
    known: Known
    count_made: int = 0
    _found: dict[dt.date, pd.DataFrame] = field(default_factory=dict)
    _features: dict[dt.date, pd.DataFrame] = field(default_factory=dict)

    def predictions(self, evening: dt.date, wanted: Sequence[dt.date]) -> pd.DataFrame:
        """What is predicted on an evening; empty where it had too little history.

        Args:
            evening: one of the wanted.
            wanted: all that will be asked for, earliest first; from this evening on they are read together.
        """
        rows = self._kept(evening)
        if rows is None:
            earlier = calibration_evening(evening)
            self._read(evening, [day for day in wanted if day >= evening], earlier)
            rows = self._made(evening, self._grade(evening, earlier))
            self.kept.write(self.known.name(evening, self.made_by), rows)
        self._found[evening] = rows
        for old in [day for day in self._found if day < calibration_evening(evening)]:
            del self._found[old]
        return rows

    def _kept(self, evening: dt.date) -> pd.DataFrame | None:
        return self.kept.read(self.known.name(evening, self.made_by))

    def _grade(self, evening: dt.date, earlier: dt.date) -> Grade | None:
        """What the evening knows of an earlier one's predictions; None where there were none."""
        if earlier not in self._found:
            self._found[earlier] = self._made(earlier, None)
        rows = self._found[earlier]
        if rows.empty:
            return None
        con, scope = self.reading.connection, self.reading.scope()
        ended = [days for days in self.settings.horizons_days if days <= CALIBRATION_DAYS]
        return grade_of(
            rows,
            {days: customer_outcomes(con, [earlier], days, scope) for days in ended},
        )

    def _made(self, evening: dt.date, grade: Grade | None) -> pd.DataFrame:
        features = self._features.pop(evening, None)
        if features is None:
            [(_, features)] = self._features_of([evening])
        self.count_made += 1
        fits = None if features.empty else evening_fits(self.reading, evening, features, self.settings)
        if fits is None:
            return pd.DataFrame(columns=list(COLUMNS))
        newcomers = Newcomers.of(
            self.reading.connection,
            evening,
            max(self.settings.horizons_days),
            self.reading.scope(self.share(evening)),
        )
        return evening_predictions(fits, features, evening, self.settings, grade, newcomers)

    def _read(self, evening: dt.date, coming: Sequence[dt.date], earlier: dt.date) -> None:
        """Have the features of an evening, and of those that will be asked for next."""
        if evening in self._features:
            return
        needed = [*([] if earlier in self._found else [earlier]), *coming[:EVENINGS_AT_A_TIME]]
        self._features |= dict(self._features_of([day for day in needed if day not in self._features]))

    def _features_of(self, evenings: Sequence[dt.date]) -> list[tuple[dt.date, pd.DataFrame]]:
        """The features of some evenings and who is loyal, in one pass for all that read the same share of customers."""
        con = self.reading.connection
        found = []
        for share, alike in groupby(evenings, self.share):
            days, scope = list(alike), self.reading.scope(share)
            rows = customer_features(con, days, scope).df()
            loyal = loyal_customers(con, days, self.settings.loyal, scope)
            rows = rows.merge(loyal, "left", ["cutoff_date", "customer_key"], indicator="is_loyal")
            rows["is_loyal"] = rows["is_loyal"] == "both"
            found += [(day, rows[rows["cutoff_date"] == pd.Timestamp(day)].reset_index(drop=True)) for day in days]
        return found

    def share(self, evening: dt.date) -> float:
        """Which share of the customers is read on an evening; by what was known on it."""
        return min(1.0, self.settings.maximum_customers / max(self.known.count_customers(evening), 1))
