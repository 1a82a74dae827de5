"""States and repeats by period, on shops small enough to count by hand."""

import datetime as dt

import numpy as np
import pytest

from dagster_project.modelling.level.activity import repeat_activity, spend_activity

AS_OF = dt.date(2026, 3, 31)


def _day(days_before: int) -> dt.date:
    return AS_OF - dt.timedelta(days=days_before)


def _orders(*rows: tuple[str, int, float]) -> list[tuple]:
    return [(f"o{i}", customer, _day(before), amount, None) for i, (customer, before, amount) in enumerate(rows)]


ORDERS = _orders(("ann", 40, 10), ("ann", 27, 30), ("ann", 3, 20), ("bob", 28, 10), ("cem", 20, 10), ("cem", 16, 90))


def test_states_are_those_of_the_evening_before_each_period(marts):
    seen = repeat_activity(marts(ORDERS), AS_OF)
    assert (seen.period_days, seen.history_days) == (14, 40)
    states = {tuple(row) for row in np.stack([seen.days_before, seen.x, seen.t_x, seen.age, seen.count], axis=1)}
    assert states == {
        (28, 0, 0, 12, 1),  # ann after her first
        (28, 0, 0, 0, 1),  # bob on the day of his
        (14, 1, 13, 26, 1),  # ann
        (14, 0, 0, 14, 1),  # bob
        (14, 1, 4, 6, 1),  # cem
    }


def test_repeats_count_from_the_first_period_after_the_first_purchase(marts):
    seen = repeat_activity(marts(ORDERS), AS_OF)
    rows = np.stack([seen.repeat_days_before, seen.repeat_days_since_first, seen.repeat_count], axis=1)
    # Cem came first within the period in which he came back: that repeat was exposed to by nobody.
    assert rows.tolist() == [[14, 40, 1], [28, 40, 1]]


def test_activity_sees_nothing_after_as_of(marts):
    later = [("later", "bob", AS_OF + dt.timedelta(days=1), 10, None)]
    before, after = repeat_activity(marts(ORDERS), AS_OF), repeat_activity(marts(ORDERS + later), AS_OF)
    for name in ("days_before", "x", "t_x", "age", "count", "repeat_days_before", "repeat_count"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))


def test_activity_does_not_depend_on_the_order_of_rows(marts):
    one, other = repeat_activity(marts(ORDERS), AS_OF), repeat_activity(marts(ORDERS[::-1]), AS_OF)
    for name in ("days_before", "x", "t_x", "age", "count", "repeat_days_since_first", "repeat_count"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_activity_of_an_empty_shop_is_empty(marts):
    seen = repeat_activity(marts([]), AS_OF)
    assert (seen.history_days, seen.count.size, seen.repeat_count.size) == (0, 0, 0)
    assert spend_activity(marts([]), AS_OF, 10.0, 1.0).count.size == 0


def test_periods_of_a_long_history_are_longer_and_whole_weeks(marts):
    seen = repeat_activity(marts(_orders(("ann", 104 * 14 + 1, 10), ("ann", 100, 10))), AS_OF)
    assert seen.period_days == 21


def test_large_shop_is_read_from_a_share_of_its_customers(marts):
    connection = marts(_orders(*((f"c{i}", before, 10) for i in range(60) for before in (40, 10))))
    whole = repeat_activity(connection, AS_OF)
    part = repeat_activity(connection, AS_OF, maximum_repeats=30)
    assert whole.repeat_count.sum() == 60
    assert 15 <= part.repeat_count.sum() <= 45
    assert part.count[part.days_before == 28].sum() == part.repeat_count.sum()


def test_spend_is_compared_with_what_the_customer_spent_before(marts):
    seen = spend_activity(marts(ORDERS), AS_OF, prior_mean=20.0, prior_occasions=2.0)
    ann_first, ann_second = np.log(30 / ((40 + 10) / 3)), np.log(20 / ((40 + 40) / 4))
    cem = np.log(90 / ((40 + 10) / 3))
    assert seen.days_before.tolist() == [28, 14]
    assert seen.count.tolist() == [2, 1]
    assert seen.mean_log_ratio == pytest.approx([(ann_first + cem) / 2, ann_second])
    assert seen.var_log_ratio == pytest.approx([np.var([ann_first, cem]), 0])


@pytest.mark.parametrize(("mean", "occasions"), [(0.0, 1.0), (np.inf, 1.0), (10.0, -1.0), (10.0, np.nan)])
def test_spend_refuses_an_impossible_prior(marts, mean, occasions):
    with pytest.raises(ValueError, match="above 0 and from 0"):
        spend_activity(marts(ORDERS), AS_OF, mean, occasions)
