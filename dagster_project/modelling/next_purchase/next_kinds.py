"""What kinds of product each customer is likely to buy next: set work in SQL, three rules, back-tested.

Belongs here: the counts, their shrinkage, the ranking, and the hit rates. When: `next_order.py`.

`popularity` ranks kinds by the baskets that held them. `sequence` counts, for each kind of a basket, the kinds of the
same customer's next basket, and shrinks these shares to popularity: (n_ab + k p_b) / (n_a + k). A customer's score is
the mean over the kinds of their last basket. `own_and_sequence` adds what they bought before: their own shares,
shrunk to `sequence` in the same way. A basket is all kinds of a customer and day.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import duckdb
import pandas as pd

PRIOR_BASKETS = 20
"""Baskets after a kind that popularity is worth."""
PRIOR_OWN = 3
"""Of a customer's own baskets that `sequence` is worth."""
COUNT_KINDS = 5
MOST_KINDS = 200
"""Kinds that may be named, the most popular ones: the work grows with them times the kinds of baskets."""
HITS_AT = (1, 3, 5)
HORIZON_DAYS = 90
RULES = ("popularity", "sequence", "own_and_sequence")
MINIMUM_CUSTOMERS = 30
STANDARD_ERRORS = 2.0
"""By which a rule must beat popularity: two rules try, on one evening."""
CUSTOMER_NEXT_KINDS = {
    "customer_key": "varchar not null",
    "as_of_date": "date not null",
    "place": "integer not null",
    "product_kind": "varchar not null",
    "model": "varchar not null",
    "probability_in_next_basket": "double not null",
    "was_bought_before": "boolean not null",
}

_RANKED = """
with baskets as (
    select distinct lines.customer_key, lines.order_date, lines.product_kind
    from marts.fct_order_lines as lines
    inner join marts.fct_orders as orders on lines.order_key = orders.order_key
    where lines.customer_key is not null and lines.product_kind is not null and lines.order_date <= $cutoff
        and coalesce(orders.exclusion_reason, 'fully_refunded') = 'fully_refunded'
),
days as (
    select
        customer_key,
        order_date,
        lead(order_date) over (partition by customer_key order by order_date) as next_date
    from (select distinct customer_key, order_date from baskets) as dated
),
totals as (select count(*)::double as count_baskets from days),
popular as (
    select product_kind, count(*) / (select count_baskets from totals) as popularity
    from baskets
    group by product_kind
    order by popularity desc, product_kind
    limit $most_kinds
),
befores as (
    select baskets.product_kind, count(*)::double as count_before
    from baskets
    inner join days on baskets.customer_key = days.customer_key and baskets.order_date = days.order_date
    where days.next_date is not null
    group by baskets.product_kind
),
pairs as (
    select earlier.product_kind as kind_before, later.product_kind as kind_after, count(*)::double as count_pairs
    from days
    inner join baskets as earlier on days.customer_key = earlier.customer_key and days.order_date = earlier.order_date
    inner join baskets as later on days.customer_key = later.customer_key and days.next_date = later.order_date
    group by earlier.product_kind, later.product_kind
),
-- Grain: one kind of a basket and one kind of the next
steps as (
    select
        first.product_kind as kind_before,
        popular.product_kind as kind_after,
        popular.popularity,
        (coalesce(pairs.count_pairs, 0) + $prior_baskets * popular.popularity)
            / (coalesce(befores.count_before, 0) + $prior_baskets) as share_after
    from (select distinct product_kind from baskets) as first
    cross join popular
    left join pairs on first.product_kind = pairs.kind_before and popular.product_kind = pairs.kind_after
    left join befores on first.product_kind = befores.product_kind
),
-- Grain: one set of kinds of a last basket; many customers share one
lasts as (
    select baskets.customer_key, list_sort(list(baskets.product_kind)) as kinds
    from baskets
    inner join days on baskets.customer_key = days.customer_key and baskets.order_date = days.order_date
    where days.next_date is null
    group by baskets.customer_key
),
sequences as (
    select sets.kinds, steps.kind_after, min(steps.popularity) as popularity,
        sum(steps.share_after::decimal(28, 12))::double / len(sets.kinds) as sequence
    from (select distinct kinds from lasts) as sets
    inner join steps on list_contains(sets.kinds, steps.kind_before)
    group by sets.kinds, steps.kind_after
),
own as (
    select customer_key, product_kind, count(*)::double as count_baskets
    from baskets
    group by customer_key, product_kind
),
counted as (select customer_key, count(*)::double as count_baskets from days group by customer_key),
-- Grain: one customer and kind
scored as (
    select
        lasts.customer_key,
        sequences.kind_after as product_kind,
        sequences.popularity,
        sequences.sequence,
        (coalesce(own.count_baskets, 0) + $prior_own * sequences.sequence)
            / (counted.count_baskets + $prior_own) as own_and_sequence,
        own.customer_key is not null as was_bought_before
    from lasts
    inner join sequences on lasts.kinds = sequences.kinds
    inner join counted on lasts.customer_key = counted.customer_key
    left join own on lasts.customer_key = own.customer_key and sequences.kind_after = own.product_kind
)
"""
_TONIGHT = (
    _RANKED
    + """
select
    customer_key,
    $cutoff::date as as_of_date,
    row_number() over (partition by customer_key order by {rule} desc, product_kind) as place,
    product_kind,
    '{rule}' as model,
    {rule} as probability_in_next_basket,
    was_bought_before
from scored
qualify place <= $count_kinds
order by customer_key, place
"""
)
_BACKTEST = (
    _RANKED
    + """,
-- Grain: one customer who bought again, and a kind of that basket
followed as (
    select lines.customer_key, lines.product_kind
    from marts.fct_order_lines as lines
    inner join marts.fct_orders as orders on lines.order_key = orders.order_key
    where lines.customer_key is not null and lines.product_kind is not null
        and lines.order_date > $cutoff and lines.order_date <= $until
        and coalesce(orders.exclusion_reason, 'fully_refunded') = 'fully_refunded'
    qualify lines.order_date = min(lines.order_date) over (partition by lines.customer_key)
),
placed as (
    select
        customer_key,
        product_kind,
        row_number() over (partition by customer_key order by popularity desc, product_kind) as popularity,
        row_number() over (partition by customer_key order by sequence desc, product_kind) as sequence,
        row_number() over (partition by customer_key order by own_and_sequence desc, product_kind) as own_and_sequence
    from scored
    where customer_key in (select customer_key from followed)
),
-- Grain: one customer; the best place that a rule gave to a kind of the basket
best as (
    select
        placed.customer_key,
        min(placed.popularity) as popularity,
        min(placed.sequence) as sequence,
        min(placed.own_and_sequence) as own_and_sequence
    from placed
    inner join followed on placed.customer_key = followed.customer_key and placed.product_kind = followed.product_kind
    group by placed.customer_key
),
everybody as (
    select * from best
    union all
    -- whose basket held only kinds that were unknown
    select distinct customer_key, null, null, null
    from placed where customer_key not in (select customer_key from best)
)
select
    count(*) as count_customers,
    {hits},
    {changes}
from everybody
"""
)


@dataclass(frozen=True)
class KindScores:
    """What a past evening says of the rules.

    Attributes:
        scores: model, count_customers, score (`hit_rate_1`, `_3`, `_5`: share of customers whose next basket held one
            of the first so many kinds), score_value; empty where nobody can be judged.
        champion: popularity, unless another hits more often within three by more than two standard errors; of those
            the one that hits most.
    """

    scores: pd.DataFrame
    champion: str


def backtest_next_kinds(connection: duckdb.DuckDBPyConnection, cutoff: dt.date) -> KindScores:
    """How often each rule named a kind of the next basket within `HORIZON_DAYS` of a past evening.

    Args:
        connection: a connection that sees `marts.fct_orders` and `marts.fct_order_lines`.
        cutoff: the evening, whose horizon has ended.
    """
    hits = ",\n    ".join(
        f"count(*) filter (where {rule} <= {place}) as {rule}_{place}" for rule in RULES for place in HITS_AT
    )
    changes = ",\n    ".join(
        f"count(*) filter (where ({rule} <= 3) is true and (popularity <= 3) is not true) as {rule}_gained,\n"
        f"    count(*) filter (where ({rule} <= 3) is not true and (popularity <= 3) is true) as {rule}_lost"
        for rule in RULES
    )
    given = _given(cutoff) | {"until": cutoff + dt.timedelta(days=HORIZON_DAYS)}
    [found] = connection.execute(_BACKTEST.format(hits=hits, changes=changes), given).df().to_dict("records")
    count = int(found["count_customers"])
    if count < MINIMUM_CUSTOMERS:
        return KindScores(pd.DataFrame(columns=["model", "count_customers", "score", "score_value"]), RULES[0])
    rows = [
        {
            "model": rule,
            "count_customers": count,
            "score": f"hit_rate_{place}",
            "score_value": found[f"{rule}_{place}"] / count,
        }
        for rule in RULES
        for place in HITS_AT
    ]
    gains = {rule: (found[f"{rule}_gained"], found[f"{rule}_lost"]) for rule in RULES}
    # McNemar: of the customers on whom two rules differ, chance would give each half
    passed = [rule for rule, (won, lost) in gains.items() if won - lost > STANDARD_ERRORS * (won + lost) ** 0.5]
    champion = max(passed, key=lambda rule: found[f"{rule}_3"], default=RULES[0])
    return KindScores(pd.DataFrame(rows), champion)


def next_kinds(connection: duckdb.DuckDBPyConnection, as_of: dt.date, rule: str) -> duckdb.DuckDBPyRelation:
    """The likeliest kinds of each customer's next basket, `CUSTOMER_NEXT_KINDS`; not fetched yet.

    Args:
        connection: as in `backtest_next_kinds`.
        as_of: the night.
        rule: one of `RULES`.

    Raises:
        ValueError: the rule is unknown.
    """
    if rule not in RULES:
        raise ValueError(f"rule {rule!r} is unknown; expected one of {', '.join(RULES)}")
    return connection.sql(_TONIGHT.format(rule=rule), params=_given(as_of) | {"count_kinds": COUNT_KINDS})


def _given(cutoff: dt.date) -> dict[str, object]:
    return {
        "cutoff": cutoff,
        "prior_baskets": float(PRIOR_BASKETS),
        "prior_own": float(PRIOR_OWN),
        "most_kinds": MOST_KINDS,
    }
