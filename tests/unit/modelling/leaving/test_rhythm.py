"""Own rhythm: gaps shrunk to the population's, and the horizon that follows from all gaps."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from talking_shop import empty_marts

from dagster_project.modelling.leaving.rhythm import Rhythm, own_horizon_days

AS_OF = dt.date(2025, 12, 31)


def histories(*rows: tuple[int, int, int]) -> pd.DataFrame:
    names = ["count_repeat_occasions", "days_first_to_last_order", "days_observed"]
    return pd.DataFrame(list(rows), columns=names)


def test_own_gaps_are_shrunk_to_those_of_all():
    known = histories((3, 30, 100), (1, 50, 60), (0, 0, 40))
    rhythm = Rhythm.of(known)
    assert rhythm.mean_gap_days == 20, "80 days in four gaps"
    assert rhythm.usual_gap_days(known).tolist() == [(30 + 60) / 6, (50 + 60) / 4, 20]
    assert rhythm.gap_multiple(known).tolist() == pytest.approx([70 / 15, 10 / 27.5, 2.0])


def test_without_a_gap_nothing_is_usual():
    known = histories((0, 0, 40))
    assert np.isnan(Rhythm.of(known).usual_gap_days(known)).all()
    assert np.isnan(Rhythm.of(known).gap_multiple(known)).all()


def test_own_horizon_holds_four_gaps_in_five_and_sees_nothing_later():
    with empty_marts() as connection:
        assert own_horizon_days(connection, AS_OF, 90) == 90
        day = dt.date(2025, 1, 1)
        for number, gap in enumerate((10, 20, 30, 40, 50)):
            day += dt.timedelta(days=gap)
            rows = [(f"o{number}", "A", day), (f"p{number}", "A", day)]
            connection.executemany("insert into marts.fct_orders values (?, ?, ?, 9, null, 'web', 1, null, null)", rows)
        connection.execute(
            "insert into marts.fct_orders values ('q', 'A', '2024-12-22', 9, null, 'web', 1, null, null)"
        )
        assert own_horizon_days(connection, AS_OF, 90) == 40
        assert own_horizon_days(connection, dt.date(2025, 2, 1), 90) == 20, "gaps of 20 by then"
        connection.execute("delete from marts.fct_orders where order_key in ('o1', 'p1')")
        assert own_horizon_days(connection, dt.date(2025, 1, 11), 90) == 20
