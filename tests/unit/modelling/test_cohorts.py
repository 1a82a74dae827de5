"""Cohort averages, and who is pooled with everybody."""

import numpy as np
import pandas as pd

from dagster_project.modelling.cohorts import cohort_ratio


def ratio(cohorts, numerator, denominator, wanted):
    columns = (pd.Series(column) for column in (cohorts, numerator, denominator, wanted))
    return cohort_ratio(*columns)


def test_large_cohorts_keep_their_own_ratio_and_others_get_everybodys():
    cohorts = ["a"] * 30 + ["b"] * 29 + ["c"] * 30
    numerator = [3.0] * 30 + [1.0] * 29 + [5.0] * 30
    denominator = [6.0] * 30 + [1.0] * 29 + [0.0] * 30
    pooled = (90 + 29 + 150) / (180 + 29)
    np.testing.assert_allclose(ratio(cohorts, numerator, denominator, ["a", "b", "c", "d"]), [0.5] + [pooled] * 3)


def test_missing_numerators_do_not_count():
    cohorts, denominator = ["a"] * 40, [1.0] * 20 + [0.0] * 20
    assert ratio(cohorts, [4.0] * 20 + [np.nan] * 20, denominator, ["a"]).tolist() == [4.0]


def test_no_base_at_all_gives_nan():
    assert np.isnan(ratio(["a"] * 40, [1.0] * 40, [0.0] * 40, ["a"])).all()
