"""The gate before a fit, and the status that comes out of it."""

import datetime as dt
import json

import pytest

from dagster_project.modelling.purchase_model import ModelGate, check_as_of, fit_purchase_model

AS_OF = dt.date(2026, 6, 30)
ENOUGH = [(2, 100, 200, 30.0)] * 50 + [(0, 0, 30, 30.0)] + [(1, 180, 200, 20.0)] * 449


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (ENOUGH, None),
        ([], "no customer has an order"),
        (ENOUGH[:-1], "499 customers, at least 500 needed"),
        ([(min(x, 9), min(t, 179), min(age, 179), net) for x, t, age, net in ENOUGH], "179 days of history"),
        ([(x, t, age + 31, net) for x, t, age, net in ENOUGH], "last order 51 days ago, at most 30 allowed"),
        ([*ENOUGH[1:], (1, 100, 200, 30.0)], "49 customers with three purchase occasions, at least 50 needed"),
    ],
    ids=["enough", "none", "few_customers", "short", "silent", "few_loyal"],
)
def test_gate_says_what_a_history_lacks(history_of, rows, reason):
    refusal = ModelGate().refusal(history_of(rows, AS_OF))
    assert refusal == reason if reason is None else reason in refusal


def test_refused_history_is_not_fitted_and_says_why(history_of):
    fit = fit_purchase_model(history_of(ENOUGH[:40], AS_OF), ModelGate(), "mbg_nbd")
    assert (fit.status, fit.model) == ("insufficient_data", None)
    assert "40 customers" in fit.status_reason


def test_undetermined_fit_is_a_status_not_a_crash(history_of):
    fit = fit_purchase_model(history_of([(3, 150, 200, 10.0)] * 600, AS_OF), ModelGate(0, 0, 365, 0), "bg_nbd")
    assert (fit.status, fit.model) == ("did_not_converge", None)
    assert "no certified maximum" in fit.status_reason


def test_fit_describes_itself_in_json(cdnow_history):
    described = json.loads(json.dumps(fit_purchase_model(cdnow_history, ModelGate(), "bg_nbd").to_dict()))
    assert (described["status"], described["unit"], described["model"]) == ("fitted", "day", "bg_nbd")
    assert described["params"]["alpha"] == pytest.approx(4.4136 * 7, abs=1e-2)


def test_unknown_model_and_other_night_are_refused(history_of):
    history = history_of(ENOUGH, AS_OF)
    with pytest.raises(ValueError, match="unknown"):
        fit_purchase_model(history, ModelGate(), "gompertz")
    with pytest.raises(ValueError, match="observed up to 2026-06-30"):
        check_as_of(history, dt.date(2026, 7, 1))
