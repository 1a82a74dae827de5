"""The shop's level: season and drift of the total, which no model of single customers sees.

In order: `activity.py` reads the evidence from the marts, `cells.py` sets it beside what a purchase model expected,
`variation.py` tells season, level and the rest apart, `orders.py` makes a clock of it, and `clock.py` lets any purchase
model run by that clock:

    activity = repeat_activity(connection, as_of)
    level = fit_orders_level(activity, ModifiedBetaGeo, x, t_x, T)
    model = SeasonalModel.fit(ModifiedBetaGeo, level.clock, x, t_x, T)
    model.expected_purchases(x, t_x, T, horizon_days)
"""
