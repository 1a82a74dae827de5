"""The next purchase of a customer: when (`next_order.py`) and of what kind (`next_kinds.py`).

Each predicts tonight by the rule that did best on a past cut-off, and shows the scores of all.
"""

NEXT_PURCHASE_SCORES = {
    "as_of_date": "date not null",
    "prediction": "varchar not null",
    "model": "varchar not null",
    "is_champion": "boolean not null",
    "cutoff_date": "date not null",
    "horizon_days": "integer not null",
    "segment": "varchar not null",
    "count_customers": "bigint not null",
    "score": "varchar not null",
    "score_value": "double",
}
"""One row per prediction (`next_order`, `next_kind`), model, segment of customers and score."""
