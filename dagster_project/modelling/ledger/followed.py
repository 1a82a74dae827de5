"""What followed the predictions, and the ledger: each prediction beside its outcome.

Belongs here: set work in SQL on the predictions of all evenings, which lie in a temporary table. How good they were:
`scores.py`.

An outcome is known when its horizon has ended by the as-of, by the refunds known at the horizon's end: so it never
changes again, whatever the as-of. The date of a next order is of those who order: of who did not within the horizon it
is not graded, and `no_order` says so.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

import duckdb
import pandas as pd
import pyarrow as pa

from dagster_project.modelling.ledger.predictions import COLUMNS, OF_ALL, OF_CUSTOMER, OF_NEW, OF_SHOP
from dagster_project.modelling.ledger.waits import DAYS_TO_NEXT_ORDER

PREDICTION_LEDGER = {
    "as_of_date": "date not null",
    "predicted_date": "date not null",
    "due_date": "date not null",
    "horizon_days": "integer not null",
    "prediction": "varchar not null",
    "part": "varchar not null",
    "customer_key": "varchar",
    "model": "varchar not null",
    "predicted": "double not null",
    "low_80": "double",
    "high_80": "double",
    "status": "varchar not null",
    "outcome": "double",
    "error": "double",
    "is_covered": "boolean",
}

_TABLES = f"""
create or replace temp table ledger_predictions ({", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())});
create or replace temp table ledger_outcomes (
    predicted_date date, horizon_days integer, part varchar, customer_key varchar, orders double, net double,
    days_to_next_order double
);
"""
_ADD = f"insert into ledger_predictions select {', '.join(COLUMNS)} from added_predictions"

# net is summed in whole hundred-thousandths: whole numbers sum to the same in any order
_OUTCOMES = f"""
insert into ledger_outcomes
select
    predictions.predicted_date,
    predictions.horizon_days,
    predictions.part,
    predictions.customer_key,
    coalesce(outcomes.count_occasions, 0),
    coalesce(outcomes.total_net, 0),
    outcomes.days_to_first_occasion
from ledger_predictions as predictions
left join added_outcomes as outcomes
    on predictions.predicted_date = outcomes.cutoff_date and predictions.customer_key = outcomes.customer_key
where predictions.horizon_days = $horizon_days and predictions.part = '{OF_CUSTOMER}'
    and list_contains($evenings::date[], predictions.predicted_date);

insert into ledger_outcomes
select predicted_date, horizon_days, '{OF_SHOP}', null, sum(orders), sum(cast(net as decimal(38, 5)))::double,
    null
from ledger_outcomes
where horizon_days = $horizon_days and part = '{OF_CUSTOMER}' and list_contains($evenings::date[], predicted_date)
group by predicted_date, horizon_days;

insert into ledger_outcomes
select wanted.predicted_date, $horizon_days, '{OF_NEW}', null, coalesce(sum(outcomes.count_occasions), 0),
    coalesce(sum(cast(outcomes.total_net as decimal(38, 5))), 0)::double, null
from (select unnest($evenings::date[]) as predicted_date) as wanted
left join (
    select * from added_outcomes
    anti join ledger_predictions as predictions
        on added_outcomes.cutoff_date = predictions.predicted_date
        and added_outcomes.customer_key = predictions.customer_key
) as outcomes on wanted.predicted_date = outcomes.cutoff_date
group by wanted.predicted_date;

insert into ledger_outcomes
select predicted_date, horizon_days, '{OF_ALL}', null, sum(orders), sum(net), null
from ledger_outcomes
where horizon_days = $horizon_days and part in ('{OF_SHOP}', '{OF_NEW}')
    and list_contains($evenings::date[], predicted_date)
group by predicted_date, horizon_days
"""

GRADED = """
with known as (
    select
        predictions.*,
        outcomes.orders,
        outcomes.net,
        outcomes.days_to_next_order,
        (outcomes.orders = 0)::double as no_order,
        outcomes.predicted_date is not null as is_scored
    from ledger_predictions as predictions
    left join ledger_outcomes as outcomes
        on predictions.predicted_date = outcomes.predicted_date
        and predictions.horizon_days = outcomes.horizon_days
        and predictions.part = outcomes.part
        and predictions.customer_key is not distinct from outcomes.customer_key
    where predictions.predicted_date = $predicted_date
),
"""

_LEDGER = (
    GRADED
    + f"""
-- Grain: one prediction of a followed customer, or of the shop
said as (
    select
        *, 'orders' as prediction, orders_model as model, orders_predicted as predicted, orders_low as low_80,
        orders_high as high_80, orders as outcome
    from known
    where is_followed
    union all
    select *, 'net', net_model, net_predicted, net_low, net_high, net from known where is_followed
    union all
    select *, 'no_order', orders_model, no_order_predicted, null, null, no_order
    from known
    where is_followed and is_active and part = '{OF_CUSTOMER}'
    union all
    select
        *, '{DAYS_TO_NEXT_ORDER}', orders_model, {DAYS_TO_NEXT_ORDER}_predicted, {DAYS_TO_NEXT_ORDER}_low,
        {DAYS_TO_NEXT_ORDER}_high, {DAYS_TO_NEXT_ORDER}
    from known
    where {DAYS_TO_NEXT_ORDER}_predicted is not null
)
select
    $as_of::date as as_of_date,
    predicted_date,
    (predicted_date + horizon_days)::date as due_date,
    horizon_days,
    prediction,
    part,
    customer_key,
    model,
    predicted,
    low_80,
    high_80,
    case when not is_scored then 'open' when outcome is null then 'no_order' else 'scored' end as status,
    outcome,
    outcome - predicted as error,
    outcome between low_80 and high_80 as is_covered
from said
order by horizon_days, prediction, part, customer_key nulls first
"""
)


def begin(connection: duckdb.DuckDBPyConnection) -> None:
    """Empty temporary tables for the predictions and outcomes of all evenings."""
    connection.execute(_TABLES)


def add_predictions(connection: duckdb.DuckDBPyConnection, rows: pd.DataFrame) -> None:
    """Add an evening.

    Args:
        connection: after `begin`.
        rows: from `evening_predictions`.
    """
    connection.register("added_predictions", rows)
    connection.execute(_ADD)
    connection.unregister("added_predictions")


def add_outcomes(
    connection: duckdb.DuckDBPyConnection, outcomes: pd.DataFrame, horizon_days: int, evenings: Sequence[dt.date]
) -> None:
    """Add what followed some evenings within one horizon that had ended for all of them.

    Args:
        connection: after `add_predictions` of these evenings.
        outcomes: from `customer_outcomes`.
        horizon_days: days ahead.
        evenings: the cut-offs.
    """
    connection.register("added_outcomes", outcomes)
    for statement in _OUTCOMES.split(";\n"):
        connection.execute(statement, {"horizon_days": horizon_days, "evenings": list(evenings)})
    connection.unregister("added_outcomes")


def ledger_rows(
    connection: duckdb.DuckDBPyConnection, evenings: Sequence[dt.date], as_of: dt.date
) -> Iterator[pa.Table]:
    """The ledger, `PREDICTION_LEDGER`, an evening at a time.

    Args:
        connection: after `add_outcomes`.
        evenings: those added.
        as_of: the night.
    """
    for evening in evenings:
        yield connection.sql(_LEDGER, params={"predicted_date": evening, "as_of": as_of}).to_arrow_table()
