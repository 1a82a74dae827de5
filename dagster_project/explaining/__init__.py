"""Why a number is what it is: recounted from published facts, split into causes, and tried under other rules.

What belongs here: reading published tables again and explaining them. What does not: making metrics (`dbt_models`),
versions and their pointer (`publishing`), how an explanation looks on a terminal (`explaining_terminal`).

    rules.py         the windows and rules that a recount follows
    headlines.py     which numbers are explained, and what each counts of a customer
    recount.py       the SQL that counts them from orders and answers
    states.py        the facts of two versions, and every state between them
    exact_parts.py   differences of rates as exact sums
    changes.py       the difference between two versions, cause by cause and customer by customer
"""
