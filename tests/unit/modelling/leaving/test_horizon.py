"""The horizon that follows from all gaps between orders."""

import datetime as dt

from talking_shop import empty_marts

from dagster_project.modelling.leaving.horizon import own_horizon_days

AS_OF = dt.date(2025, 12, 31)


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
