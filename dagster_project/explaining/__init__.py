"""Why a number is what it is: recounted from published facts, split into causes, and tried under other rules.

What belongs here: reading published tables again and explaining them. What does not: making metrics (`dbt_models`),
versions and their pointer (`publishing`), how an explanation looks on a terminal (`explaining_terminal`).

    rules.py         the windows and rules that a recount follows
    headlines.py     which numbers are explained, and what each counts of a customer
    recount.py       the SQL that counts them from orders and answers
    states.py        the facts of two versions, and every state between them
    exact_parts.py   differences of rates as exact sums
    changes.py       the difference between two versions, cause by cause and customer by customer
    sensitivity.py   headlines under other rules, by a recount, and which decisions turn
    alternatives.py  which other values of a setting are tried
    lineage.py       which models a setting touches, on the way to a metric
    trial_database.py  where models are made again, in memory
    trials.py        any metric under other settings
"""
