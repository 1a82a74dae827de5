"""Distinct histories stand for all customers."""

import numpy as np

from dagster_project.modelling.histories import distinct_histories


def test_distinct_histories_map_back_to_every_customer():
    rows = np.array([[2, 0, 2, 1, 0], [9, 0, 9, 9, 0], [30, 5, 30, 30, 6]], dtype=float)
    distinct = distinct_histories(*rows)
    assert distinct.count.tolist() == [1, 1, 1, 2]
    again = np.stack([distinct.x, distinct.t_x, distinct.age])[:, distinct.row_of]
    np.testing.assert_array_equal(again, rows)


def test_no_customers_have_no_histories():
    distinct = distinct_histories(np.zeros(0), np.zeros(0), np.zeros(0))
    assert (distinct.x.size, distinct.count.size, distinct.row_of.size) == (0, 0, 0)
