"""Marts made of a few rows, simulated buyers, and the published CDNOW sample."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence

import duckdb
import numpy as np
import pandas as pd
import pytest
from real_data import data_folder

from dagster_project.modelling.btyd import ModifiedBetaGeo
from dagster_project.modelling.features import WINDOWS_DAYS, customer_features
from dagster_project.modelling.purchase_history import purchase_history
from dagster_project.modelling.scope import Scope

CDNOW_CUTOFF = dt.date(1997, 9, 30)


def _empty_marts() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("""
        create schema marts;
        create table marts.fct_orders (
            order_key varchar, customer_key varchar, order_date date, gross_amount decimal(18, 4),
            exclusion_reason varchar, channel varchar, count_units bigint);
        create table marts.fct_order_lines (order_key varchar, product_kind varchar);
        create table marts.fct_refunds (
            refund_key varchar, order_key varchar, refund_date date, refund_amount decimal(18, 4));
    """)
    return connection


@pytest.fixture
def marts() -> Iterator[Callable[..., duckdb.DuckDBPyConnection]]:
    """Makes marts of (order, customer, date, gross, reason) and (refund, order, date, amount) rows."""

    opened = []

    def make(orders: Sequence[tuple], refunds: Sequence[tuple] = ()) -> duckdb.DuckDBPyConnection:
        connection = _empty_marts()
        opened.append(connection)
        for order in orders:
            connection.execute("insert into marts.fct_orders values (?, ?, ?, ?, ?, null, null)", order)
        for refund in refunds:
            connection.execute("insert into marts.fct_refunds values (?, ?, ?, ?)", refund)
        return connection

    yield make
    for connection in opened:
        connection.close()


@pytest.fixture(scope="session")
def simulate() -> Callable[..., tuple[np.ndarray, ...]]:
    """Plays the purchase process itself, purchase by purchase, with no formula of the models."""

    def play(model, params, ages, horizon, seed):
        rng = np.random.default_rng(seed)
        ages = np.asarray(ages, dtype=float)
        rate = rng.gamma(params[0], 1 / params[1], ages.size)
        p_drop = rng.beta(params[2], params[3], ages.size)
        alive = rng.random(ages.size) >= p_drop if model.name == "mbg_nbd" else np.ones(ages.size, dtype=bool)
        x, future, clock, last = (np.zeros(ages.size) for _ in range(4))
        while alive.any():
            clock += rng.exponential(1, ages.size) / np.maximum(rate, 1e-300)
            alive &= clock <= ages + horizon
            seen = alive & (clock <= ages)
            x, last = x + seen, np.where(seen, clock, last)
            future += alive & ~seen
            alive &= rng.random(ages.size) >= p_drop
        return x, last, ages, future

    return play


@pytest.fixture(scope="session")
def cdnow() -> Iterator[duckdb.DuckDBPyConnection]:
    """Marts of the CDNOW sample, zero-dollar purchases excluded as `zero_value`."""
    path = data_folder("cdnow") / "CDNOW_sample.txt"
    names = ["master_id", "customer_key", "order_date", "count_items", "gross_amount"]
    purchases = pd.read_csv(path, sep=r"\s+", header=None, names=names, dtype={"customer_key": "str"})
    connection = _empty_marts()
    connection.register("purchases", purchases)
    connection.execute("""
        insert into marts.fct_orders
        select
            row_number() over ()::varchar, customer_key, strptime(order_date::varchar, '%Y%m%d')::date, gross_amount,
            case when gross_amount = 0 then 'zero_value' end, 'web', count_items
        from purchases
    """)
    yield connection
    connection.close()


@pytest.fixture(scope="session")
def cdnow_history(cdnow):
    return purchase_history(cdnow, CDNOW_CUTOFF, counts_zero_value_orders=True)


@pytest.fixture(scope="session")
def history_of() -> Callable[..., pd.DataFrame]:
    """Makes a purchase history of (repeats, days to last, days observed, mean net) rows."""

    def make(rows: Sequence[tuple[int, int, int, float]], as_of: dt.date) -> pd.DataFrame:
        x, t_x, age, mean = (np.array(column) for column in zip(*rows, strict=True)) if rows else (np.zeros(0),) * 4
        first = pd.Series(np.datetime64(as_of, "D") - age.astype("timedelta64[D]")).astype("datetime64[us]")
        return pd.DataFrame(
            {
                "customer_key": pd.Series([f"c{i:05d}" for i in range(len(rows))], dtype="str"),
                "cohort_month": first.dt.to_period("M").dt.to_timestamp().astype("datetime64[us]"),
                "first_order_date": first,
                "last_order_date": first + pd.to_timedelta(t_x.astype("int64"), unit="D"),
                "count_repeat_occasions": x.astype("int64"),
                "days_first_to_last_order": t_x.astype("int64"),
                "days_observed": age.astype("int64"),
                "total_net": (x + 1) * mean.astype(float),
                "mean_occasion_net": mean.astype(float),
                "count_repeat_occasions_with_spend": x.astype("int64"),
                "mean_repeat_occasion_net": np.where(x > 0, mean.astype(float), np.nan),
            }
        )

    return make


@pytest.fixture(scope="session")
def as_features() -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Adds to a purchase history what else the features hold, as far as it follows from the history."""

    def add(history: pd.DataFrame) -> pd.DataFrame:
        x = history["count_repeat_occasions"].to_numpy(dtype=float)
        gap = np.maximum(history["days_first_to_last_order"].to_numpy(dtype=float), 1) / np.maximum(x, 1)
        as_of = history["first_order_date"] + pd.to_timedelta(history["days_observed"], unit="D")
        amounts = dict.fromkeys(("last_occasion_net", "largest_occasion_net"), history["mean_occasion_net"])
        gaps = ("last_gap_days", "gap_before_last_days", "longest_gap_days", "spread_gap_days")
        windows = [f"{what}_{days}d" for what in ("count_occasions", "total_net") for days in WINDOWS_DAYS]
        return history.assign(
            cutoff_date=as_of,
            count_occasions_with_spend=x + 1,
            total_log_gap=x * np.log(gap),
            mean_occasion_units=1.0,
            refunded_share=0.0,
            count_channels=1,
            count_kinds=1,
            **amounts,
            **dict.fromkeys(gaps, np.nan),
            **dict.fromkeys(windows, 0.0),
        )

    return add


@pytest.fixture(scope="session")
def features_of(history_of, as_features) -> Callable[..., pd.DataFrame]:
    """Makes features of (repeats, days to last, days observed, mean net) rows."""
    return lambda rows, as_of: as_features(history_of(rows, as_of))


@pytest.fixture(scope="session")
def cdnow_features(cdnow) -> pd.DataFrame:
    return customer_features(cdnow, [CDNOW_CUTOFF], Scope(counts_zero_value_orders=True)).df()


@pytest.fixture(scope="session")
def shop(simulate, history_of) -> tuple[pd.DataFrame, pd.DataFrame, dt.date]:
    """History and future (90 days) of 4,000 simulated customers, and the cut-off between them."""
    cutoff = dt.date(2026, 6, 30)
    rng = np.random.default_rng(21)
    ages = rng.integers(1, 400, 4_000).astype(float)
    x, t_x, age, bought = simulate(ModifiedBetaGeo, (0.8, 40.0, 0.7, 2.0), ages, 90.0, seed=22)
    nu = rng.gamma(4.0, 1 / 15.0, ages.size)
    mean = rng.gamma(6.0 * (x + 1)) / nu / (x + 1)
    history = history_of(list(zip(x, np.minimum(np.ceil(t_x), age), age, mean, strict=True)), cutoff)
    future = pd.DataFrame({"customer_key": history["customer_key"], "count_occasions": bought.astype("int64")})
    future["total_net"] = rng.gamma(6.0 * np.maximum(bought, 1e-9)) / nu
    return history, future[bought > 0].reset_index(drop=True), cutoff
