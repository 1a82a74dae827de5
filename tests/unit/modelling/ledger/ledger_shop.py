"""A shop of two years drawn inside DuckDB, and what its ledger is to be."""

import datetime as dt

import duckdb
import pandas as pd
import pyarrow as pa

from dagster_project.modelling.ledger.evenings import LedgerSettings
from dagster_project.modelling.purchase_model import ModelGate

AS_OF = dt.date(2024, 12, 15)
SETTINGS = LedgerSettings(
    count_evenings=4,
    followed_customers=300,
    gate=ModelGate(minimum_customers=200, minimum_customers_with_three_occasions=20),
)
# customers come evenly, live an exponential time and order at their own rate; every order is its own draw of a hash
_SHOP = """
create schema marts;
create table marts.fct_orders as
with draws as (
    select
        number,
        (hash(number, 'first') % 600)::integer as first_day,
        -ln(((hash(number, 'life') % 999983) + 1) / 999984) * 250 as days_of_life,
        -ln(((hash(number, 'pace') % 999983) + 1) / 999984) * 60 + 10 as days_between,
        10 - ln(((hash(number, 'purse') % 999983) + 1) / 999984) * 40 as mean_net
    from range({customers}) as numbers (number)
),
orders as (
    select
        *, unnest(range(1 + least(30, days_of_life / days_between)::integer)) as place
    from draws
)
select
    number || '-' || place as order_key,
    md5(number::varchar) as customer_key,
    (date '2023-01-01' + first_day
        + case when place = 0 then 0 else (hash(number, place) % (days_of_life::bigint + 1))::integer end
    )::date as order_date,
    (mean_net * (0.5 + hash(number, place, 'net') % 1000 / 1000.0))::decimal(18, 4) as gross_amount,
    null::varchar as exclusion_reason,
    'web' as channel,
    1::bigint as count_units
from orders;
delete from marts.fct_orders where order_date > date '{last_day}';
create table marts.fct_refunds as
select 'r' || order_key as refund_key, order_key, order_date + 20 as refund_date, gross_amount as refund_amount
from marts.fct_orders where hash(order_key) % 20 = 0 and order_date + 20 <= date '{last_day}';
create table marts.fct_order_lines as select order_key, 'kind' as product_kind from marts.fct_orders;
"""


def drawn_shop() -> duckdb.DuckDBPyConnection:
    """The shop, opened anew."""
    connection = duckdb.connect()
    connection.execute(_SHOP.format(customers=1_200, last_day=AS_OF))
    return connection


def as_frame(night) -> pd.DataFrame:
    """The rows of a night's ledger."""
    return pa.concat_tables(night.rows()).to_pandas(date_as_object=False)
