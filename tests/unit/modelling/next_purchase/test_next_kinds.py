"""What customers buy next: counts by hand, and rules on a shop whose baskets follow each other."""

import datetime as dt

import duckdb
import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.next_purchase import next_kinds as kinds

AS_OF = dt.date(2025, 6, 30)


def shop_of(rows) -> duckdb.DuckDBPyConnection:
    """Marts of (customer, day before as-of, kind)."""
    con = duckdb.connect()
    lines = pd.DataFrame(rows, columns=["customer_key", "before", "product_kind"])
    con.register("lines", lines.assign(order_key=[str(number) for number in range(len(rows))]))
    con.execute(f"""
        create schema marts;
        create table marts.fct_order_lines as
        select order_key, customer_key, (date '{AS_OF}' - before::integer)::date as order_date, product_kind from lines;
        create table marts.fct_orders as
        select order_key, customer_key, order_date, case when product_kind = 'cancelled' then 'cancelled' end
            as exclusion_reason from marts.fct_order_lines;
    """)
    return con


TINY = [
    ("ann", 30, "tea"), ("ann", 20, "cake"), ("bob", 30, "tea"), ("bob", 20, "cake"), ("bob", 10, "tea"),
    ("eve", 5, "tea"), ("eve", 5, "cancelled"), ("eve", -1, "cake"),
]  # fmt: skip


def test_shares_are_shrunk_as_said():
    con = shop_of(TINY)
    found = {(row[0], row[3]): row[5] for row in kinds.next_kinds(con, AS_OF, "sequence").fetchall()}
    # six baskets up to as-of, four of tea, two of cake; after tea came cake twice, after cake came tea once
    tea, cake, prior = 4 / 6, 2 / 6, kinds.PRIOR_BASKETS
    assert found["eve", "cake"] == pytest.approx((2 + prior * cake) / (2 + prior))
    assert found["eve", "tea"] == pytest.approx((0 + prior * tea) / (2 + prior))
    assert found["ann", "tea"] == pytest.approx((1 + prior * tea) / (1 + prior))
    own = {(row[0], row[3]): (row[5], row[6]) for row in kinds.next_kinds(con, AS_OF, "own_and_sequence").fetchall()}
    assert own["bob", "tea"][0] == pytest.approx((2 + kinds.PRIOR_OWN * found["bob", "tea"]) / (3 + kinds.PRIOR_OWN))
    assert own["eve", "cake"][1] is False


@pytest.fixture(scope="module")
def cyclic():
    """Ten kinds; after each comes the next one, nine times in ten."""
    rng, rows = np.random.default_rng(3), []
    for customer in range(150):
        kind = int(rng.integers(10))
        for step in range(5):
            rows.append((f"c{customer}", 300 - 60 * step + int(rng.integers(20)), f"kind {kind}"))
            kind = (kind + 1) % 10 if rng.random() < 0.9 else int(rng.integers(10))
    return shop_of(rows)


def test_sequences_are_found_and_beat_popularity(cyclic):
    found = kinds.backtest_next_kinds(cyclic, AS_OF - dt.timedelta(days=90))
    hits = found.scores.set_index(["model", "score"])["score_value"]
    assert found.champion == "sequence"
    assert hits["sequence", "hit_rate_1"] > 0.8
    assert hits["popularity", "hit_rate_3"] < 0.6
    assert found.scores["count_customers"].min() >= 140


def test_without_a_sequence_popularity_stays():
    rng = np.random.default_rng(4)
    rows = [(f"c{n}", 300 - 60 * step, f"kind {rng.choice(6, p=[.4, .2, .1, .1, .1, .1])}")
            for n in range(150) for step in range(5)]  # fmt: skip
    found = kinds.backtest_next_kinds(shop_of(rows), AS_OF - dt.timedelta(days=90))
    assert found.champion == "popularity"


def test_what_comes_later_changes_no_ranking(cyclic):
    cutoff = AS_OF - dt.timedelta(days=100)
    before = kinds.next_kinds(cyclic, cutoff, "own_and_sequence").fetchall()
    with cyclic.cursor() as con:
        con.execute("begin")
        con.execute("update marts.fct_order_lines set product_kind = 'novel' where order_date > ?", [cutoff])
        assert kinds.next_kinds(con, cutoff, "own_and_sequence").fetchall() == before
        con.execute("rollback")
    assert len(before) == 150 * kinds.COUNT_KINDS


def test_a_shop_without_kinds_ranks_nothing():
    con = shop_of([("ann", 3, None)])
    assert kinds.next_kinds(con, AS_OF, "popularity").fetchall() == []
    assert kinds.backtest_next_kinds(con, AS_OF).champion == "popularity"
    with pytest.raises(ValueError, match="rule 'luck' is unknown; expected one of popularity"):
        kinds.next_kinds(con, AS_OF, "luck")
