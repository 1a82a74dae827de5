"""Predictive intervals of customers and of the shop, around any forecast, calibrated on a back-test.

`outcomes.py` holds the distributions, `calibration.py` the intervals and their score, `totals.py` the whole shop:

    intervals = Intervals.fit(Forecast.of(orders, no_order, net), orders_of_origin, net_of_origin)
    low, high = intervals.orders(Forecast.of(orders, no_order, net), 0.80)
"""
