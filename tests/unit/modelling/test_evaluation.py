"""Each score on vectors worked out by hand, and against SciPy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, spearmanr

from dagster_project.modelling import evaluation, event_evaluation

AMOUNT_SCORES = [
    evaluation.rmse,
    evaluation.mae,
    evaluation.total_bias,
    evaluation.spearman,
    evaluation.normalised_gini,
    evaluation.top_decile_capture,
]
EVENT_SCORES = [
    event_evaluation.roc_auc,
    event_evaluation.brier,
    event_evaluation.log_loss,
    event_evaluation.calibration_error,
]


def test_errors_of_a_vector_worked_by_hand():
    actual, predicted = [0, 2, 4], [1, 2, 2]
    assert evaluation.mae(actual, predicted) == 1
    assert evaluation.rmse(actual, predicted) == pytest.approx((5 / 3) ** 0.5)
    assert evaluation.total_bias(actual, predicted) == pytest.approx(-1 / 6)


def test_gini_of_a_vector_worked_by_hand():
    # Centred, (0, 0, 1, 3) is (-1, -1, 0, 2): 5 along its own ranks (1.5, 1.5, 3, 4), 4 along (1, 3, 2, 4).
    assert evaluation.normalised_gini([0, 0, 1, 3], [1, 3, 2, 4]) == pytest.approx(4 / 5)
    assert evaluation.normalised_gini([0, 0, 1, 3], [0, 0, 2, 9]) == 1
    assert evaluation.normalised_gini([0, 1, 2], [3, 2, 1]) == -1
    assert evaluation.normalised_gini([0, 0, 1, 3], [5, 5, 5, 5]) == 0


def test_top_decile_shares_the_customers_tied_at_its_edge():
    actual = [10.0] + [0.0] * 19
    assert evaluation.top_decile_capture(actual, range(20, 0, -1)) == 1
    assert evaluation.top_decile_capture(actual, range(20)) == 0
    assert evaluation.top_decile_capture(actual, [1] * 20) == pytest.approx(0.1)
    assert evaluation.top_decile_capture(actual, [3, 3, 3, 3] + [1] * 16) == pytest.approx(0.5)
    assert evaluation.top_decile_capture([1, 3], [0, 1]) == 0.75


def test_probabilities_of_a_vector_worked_by_hand():
    happened, probability = [1, 0, 1, 0], [0.8, 0.4, 0.5, 0.1]
    assert event_evaluation.brier(happened, probability) == pytest.approx((0.04 + 0.16 + 0.25 + 0.01) / 4)
    assert event_evaluation.log_loss(happened, probability) == pytest.approx(-np.log([0.8, 0.6, 0.5, 0.9]).mean())
    assert event_evaluation.calibration_error(happened, probability) == pytest.approx((0.2 + 0.4 + 0.5 + 0.1) / 4)
    assert event_evaluation.roc_auc(happened, probability) == 1
    assert event_evaluation.log_loss([1], [0.0]) == pytest.approx(-np.log(1e-15))


def test_calibration_error_uses_ten_bins_of_equal_count():
    probability = np.repeat(np.arange(10) / 10, 10)
    happened = np.concatenate([[1] * hits + [0] * (10 - hits) for hits in range(10)])
    assert event_evaluation.calibration_error(happened, probability) == pytest.approx(0, abs=1e-12)
    assert event_evaluation.calibration_error(happened, np.clip(probability + 0.05, 0, 1)) == pytest.approx(0.05)


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=60))
def test_auc_and_spearman_agree_with_scipy_under_ties(rows):
    happened, ranking = np.array(rows).T
    if happened.min() < happened.max():
        positive, negative = ranking[happened == 1], ranking[happened == 0]
        expected = mannwhitneyu(positive, negative).statistic / (positive.size * negative.size)
        assert event_evaluation.roc_auc(happened, ranking) == pytest.approx(expected)
        if ranking.min() < ranking.max():
            assert evaluation.spearman(happened, ranking) == pytest.approx(spearmanr(happened, ranking).statistic)
    else:
        assert event_evaluation.roc_auc(happened, ranking) is None


def test_the_error_of_a_difference_of_areas_is_that_of_a_bootstrap():
    rng = np.random.default_rng(4)
    happened = (rng.random(600) < 0.3).astype(float)
    shared = happened + rng.normal(0, 1, 600)
    one, other = (shared + rng.normal(0, 0.5, 600)).round(1), (shared + rng.normal(0, 1.5, 600)).round(1)
    difference, error = event_evaluation.auc_difference(happened, one, other)
    areas = [event_evaluation.roc_auc(happened, ranking) for ranking in (one, other)]
    assert difference == pytest.approx(areas[0] - areas[1], abs=1e-12)
    drawn = []
    for _ in range(400):
        rows = rng.integers(0, 600, 600)
        areas = [event_evaluation.roc_auc(happened[rows], ranking[rows]) for ranking in (one, other)]
        drawn.append(areas[0] - areas[1])
    assert error == pytest.approx(np.std(drawn), rel=0.15)
    assert event_evaluation.auc_difference(happened, one, one) == (0.0, 0.0)
    assert event_evaluation.auc_difference([1.0, 0.0, 0.0], [3, 2, 1], [1, 2, 3]) is None


@settings(derandomize=True, deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 4)), min_size=1, max_size=50), st.randoms())
def test_scores_do_not_depend_on_the_order_of_rows(rows, random):
    shuffled = random.sample(rows, len(rows))
    for score in AMOUNT_SCORES + EVENT_SCORES:
        results = [score([row[0] for row in case], [row[1] / 4 for row in case]) for case in (rows, shuffled)]
        assert results[0] == (None if results[1] is None else pytest.approx(results[1], abs=1e-12))


@pytest.mark.parametrize("score", AMOUNT_SCORES + EVENT_SCORES, ids=lambda score: score.__name__)
def test_undefined_scores_are_none(score):
    assert score([], []) is None
    assert score([0, 1], [0.5, np.nan]) is None


def test_scores_without_a_base_are_none():
    assert evaluation.total_bias([0, 0], [1, 2]) is None
    assert evaluation.top_decile_capture([0, 0], [1, 2]) is None
    assert evaluation.normalised_gini([2, 2], [1, 2]) is None
    assert evaluation.spearman([0, 1], [2, 2]) is None
    assert event_evaluation.roc_auc([1, 1], [0.2, 0.4]) is None
    assert event_evaluation.brier([1, 1], [1, 1]) == 0


@pytest.mark.parametrize(
    ("actual", "predicted", "message"),
    [([1, 2], [1], "one length"), ([np.nan], [1], "outcome 0"), ([2], [0.5], "neither"), ([1], [1.5], "within")],
)
def test_impossible_input_is_refused(actual, predicted, message):
    with pytest.raises(ValueError, match=message):
        event_evaluation.brier(actual, predicted)
