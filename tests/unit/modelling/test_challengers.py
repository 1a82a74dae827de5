"""What the learners may and may not do."""

import numpy as np
import pytest

from dagster_project.modelling.challengers import LEARNERS, MINIMUM_BUYERS, Lesson, Prior, learn


@pytest.fixture(scope="module")
def lesson():
    """5,000 customers of whom the prior knows the mean only, and the first column knows the rate."""
    rng = np.random.default_rng(3)
    rate = rng.gamma(1.0, 1.0, 5_000)
    orders = rng.poisson(rate).astype(float)
    net = orders * rng.gamma(4.0, 5.0, 5_000)
    prior = Prior(np.full(5_000, 1.3), np.full(5_000, 30.0), np.full(5_000, 0.4))
    design = np.stack([rate, rng.random(5_000)], axis=1).astype(np.float32)
    return Lesson(design, prior, orders, net)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_learner_finds_what_the_prior_does_not_know(lesson, name):
    correction = learn(name, [lesson]).keeping_total(lesson.design, lesson.prior)
    found = correction.of(lesson.design, lesson.prior)
    assert np.corrcoef(found, lesson.design[:, 0])[0, 1] > 0.6
    assert correction.to_dict()["count_rows"] == 5_000


@pytest.mark.parametrize("name", [name for name, learner in LEARNERS.items() if learner.target != "any_order"])
def test_a_correction_leaves_the_total_as_it_was(lesson, name):
    correction = learn(name, [lesson]).keeping_total(lesson.design, lesson.prior)
    expected = lesson.prior.orders if LEARNERS[name].target == "orders" else lesson.prior.net
    assert expected @ correction.of(lesson.design, lesson.prior) == pytest.approx(expected.sum())


def test_good_seasons_teach_nothing_of_the_total(lesson):
    busy = Lesson(lesson.design, lesson.prior, 3 * lesson.orders, 3 * lesson.net)
    calm, high = (learn("boosted", [one]).of(lesson.design, lesson.prior) for one in (lesson, busy))
    assert np.corrcoef(calm, high)[0, 1] > 0.95
    assert high.mean() == pytest.approx(calm.mean(), rel=0.1)


def test_learning_twice_and_on_two_threads_gives_the_same(lesson):
    first, again, threaded = (
        learn("boosted", [lesson], threads).of(lesson.design, lesson.prior) for threads in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert np.array_equal(first, threaded)


def test_too_few_buyers_teach_nothing(lesson):
    few = np.where(np.arange(5_000) < MINIMUM_BUYERS - 1, 1.0, 0.0)
    assert learn("boosted", [Lesson(lesson.design, lesson.prior, few, few)]) is None
    assert learn("boosted", []) is None
