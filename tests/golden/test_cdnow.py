"""CDNOW's sample: the night's fitted parameters are the published ones."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest
from real_shops import OpenNight, models_of_a_day

END_OF_CALIBRATION = dt.date(1997, 9, 30)  # the first 39 of 78 weeks


@pytest.fixture(scope="module")
def night(open_night: OpenNight) -> duckdb.DuckDBPyConnection:
    return open_night("cdnow")


@pytest.fixture(scope="module")
def calibrated(
    night: duckdb.DuckDBPyConnection, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    copy = models_of_a_day(night, "cdnow", END_OF_CALIBRATION, tmp_path_factory.mktemp("calibrated"))
    with duckdb.connect(str(copy), read_only=True) as con:
        yield con


@pytest.fixture(scope="module")
def parameters(calibrated: duckdb.DuckDBPyConnection) -> dict[tuple[str, str], tuple[float, float]]:
    found = calibrated.execute("select model, parameter, estimate, log_likelihood from models.model_parameters")
    return {(model, parameter): (estimate, fit) for model, parameter, estimate, fit in found.fetchall()}


@pytest.mark.parametrize(
    ("parameter", "published", "unit_days"), [("r", 0.243, 1), ("alpha", 4.414, 7), ("a", 0.793, 1), ("b", 2.426, 1)]
)
def test_purchase_parameters_equal_the_published_ones(
    parameters: dict[tuple[str, str], tuple[float, float]], parameter: str, published: float, unit_days: int
) -> None:
    """Fader, Hardie and Lee (2005), table 2; alpha there is in weeks."""
    estimate, _ = parameters["bg_nbd", parameter]
    assert estimate / unit_days == pytest.approx(published, abs=0.0005)


@pytest.mark.parametrize(("parameter", "published"), [("p", 6.25), ("q", 3.74), ("gamma", 15.44)])
def test_spend_parameters_equal_the_published_ones(
    parameters: dict[tuple[str, str], tuple[float, float]], parameter: str, published: float
) -> None:
    """Fader and Hardie (2013), page 4."""
    estimate, log_likelihood = parameters["gamma_gamma", parameter]
    assert estimate == pytest.approx(published, abs=0.005)
    assert log_likelihood == pytest.approx(-4055.92, abs=0.01)


def test_purchases_of_nothing_are_excluded_from_revenue_and_kept_for_the_model(
    calibrated: duckdb.DuckDBPyConnection,
) -> None:
    [(customers, scored, excluded)] = calibrated.execute(
        "select (select count(*) from marts.dim_customers), (select count(*) from models.customer_clv), "
        "(select count(*) from marts.order_exclusions where exclusion_reason = 'zero_value')"
    ).fetchall()
    assert customers == scored == 2_357
    assert excluded > 0


def test_the_whole_sample_is_landed_and_reconciled(night: duckdb.DuckDBPyConnection) -> None:
    assert night.execute("select count(*) from marts.fct_orders").fetchall() == [(6_919,)]
    assert night.execute("select count(*) from quality.reconciliation where not is_reconciled").fetchall() == [(0,)]
