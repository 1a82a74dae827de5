"""The prediction ledger: what would have been predicted on past month ends, and what became of it.

`evenings.py` says which month ends, `predictions.py` what is predicted on one of them, `followed.py` what followed,
`scores.py` how good it was, `by_loyalty.py` whether it was better of loyal customers, `drift.py` what has changed
since, `kept.py` what need not be computed twice, and `night.py` puts them in order.

A ledger that is written once a night and never again would depend on which nights were run. This one is a function of
the raw rows, the as-of, the settings and the code: each evening is predicted from what was known on it, by the code of
tonight, and graded with what is known tonight. So a shop with a history has a record on its first night, a rebuilt
night has the same, and a change of code is graded on the whole past.
"""
