"""What the fitted models consist of, and how far each parameter has moved in a month.

Belongs here: one row per parameter, with its error and its drift. Drift is against a fit as of 30 days before from the
same orders, not against the version published then: so the table is a function of orders, night and settings, and a
rebuilt night gives the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from dagster_project.modelling.fits import Fits
from dagster_project.modelling.value import ValueModel

DRIFT_DAYS = 30
"""A month: long enough for new orders to tell, short enough to be noticed."""
COLUMNS = (
    "model",
    "as_of_date",
    "parameter",
    "estimate",
    "standard_error",
    "log_likelihood",
    "time_unit",
    "estimate_30_days_before",
    "drift_in_standard_errors",
)


def parameter_table(model: ValueModel, before: Fits | None) -> pd.DataFrame:
    """One row per parameter of every certified purchase and spend model.

    Args:
        model: of the night.
        before: fits as of 30 days earlier; None where none were made.

    Returns:
        model, as_of_date, parameter, estimate, standard_error (in the unit of the estimate, by the delta method from
        the information in log parameters; null where the covariance is not known), log_likelihood, time_unit (`day`
        for purchase models, null for spend), estimate_30_days_before (null where that fit was not certified),
        drift_in_standard_errors (change of the logarithm over tonight's standard error of it).
    """
    rows = [
        {"model": name, "as_of_date": np.datetime64(model.as_of, "s"), "time_unit": unit} | row
        for part, unit in (("purchase", "day"), ("spend", None))
        for name, fitted in getattr(model.fits, part).items()
        for row in _rows(fitted, None if before is None else getattr(before, part).get(name))
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(fitted: Any, before: Any) -> Iterator[dict[str, object]]:
    described = fitted.to_dict()
    past = {} if before is None else before.to_dict()["params"]
    covariance = fitted.log_covariance_
    # k of the CNBD models is chosen, not estimated: it stands first and has no error
    count_chosen = len(described["params"]) - (0 if covariance is None else len(covariance))
    errors = np.full(len(described["params"]), np.nan)
    if covariance is not None:
        errors[count_chosen:] = np.sqrt(np.diag(covariance))
    for (name, estimate), error in zip(described["params"].items(), errors.tolist(), strict=True):
        moved = np.log(estimate / past[name]) / error if name in past and error > 0 else np.nan
        yield {
            "parameter": name,
            "estimate": estimate,
            "standard_error": estimate * error,
            "log_likelihood": described["log_likelihood"],
            "estimate_30_days_before": past.get(name, np.nan),
            "drift_in_standard_errors": moved,
        }
