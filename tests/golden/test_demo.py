"""The built-in shop, of fewer customers: what its night publishes equals what pandas makes of its files.

Every account is a customer here, as pandas can see accounts; who is one person is compared with the truth
(`tests/truth/test_known_people.py`).
"""

from __future__ import annotations

import datetime as dt
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest
import yaml

from dagster_project.nightly import run_night
from dagster_project.publishing.versions import current_database
from dagster_project.settings import PROJECT_ROOT, load_settings

AS_OF = dt.date(2025, 12, 31)
CUSTOMERS = 6_000  # of 20,000: a night in a third of the time, with every planted fault still in it
WINDOW_START = pd.Timestamp(AS_OF) - pd.Timedelta(days=364)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo_home")
    settings = yaml.safe_load((PROJECT_ROOT / "examples" / "demo.yaml").read_text(encoding="utf-8"))
    settings["sources"]["demo"]["simulated"]["customers"] = CUSTOMERS
    settings["definitions"] = {"identity": {"rules": []}, "is_model_chosen_by_backtest": False}
    settings["engine"] = {"threads": 1}  # tests run side by side
    config = folder / "loyalty.yaml"
    config.write_text(yaml.safe_dump(settings), encoding="utf-8")
    run_night(
        load_settings(config, home=folder, ledger={"count_evenings": 0}), AS_OF, instance=dg.DagsterInstance.ephemeral()
    )
    return folder


@pytest.fixture(scope="module")
def night(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(current_database(home / "published")), read_only=True)


@pytest.fixture(scope="module")
def valid_orders(home: Path) -> pd.DataFrame:
    """Orders by the definitions, in pandas: customer, day, net in euro; guests are there with no customer."""
    folder = home / "simulated" / "demo"
    orders = read(folder / "orders.csv.gz")
    orders["at"] = pd.to_datetime(orders["ordered_at"], format="ISO8601", errors="coerce")
    orders = orders[(orders["at"] <= pd.Timestamp(AS_OF) + pd.Timedelta(days=1)) & (orders["currency"] != "")]
    orders["file_row"] = range(len(orders))
    orders = orders.sort_values(["updated_at", "file_row"]).drop_duplicates("order_id", keep="last")
    lines = read(folder / "order_lines.csv.gz").drop_duplicates(["order_id", "line_number"], keep="last")
    lines = lines[lines["quantity"].str.fullmatch(r"[+-]?\d+")]
    lines["cents"] = lines["quantity"].astype(int) * cents(lines["unit_price"])
    refunds = read(folder / "refunds.csv").drop_duplicates("refund_id", keep="last")
    refunds["cents"] = cents(refunds["refund_amount"])
    orders["gross"] = orders["order_id"].map(lines.groupby("order_id")["cents"].sum()).fillna(0) - cents(
        orders["discount_amount"].replace("", "0")
    )
    orders["net"] = orders["gross"] - orders["order_id"].map(refunds.groupby("order_id")["cents"].sum()).fillna(0)
    accounts = read(folder / "customers.csv")
    consumers = accounts.loc[accounts["customer_type"] == "consumer", "customer_id"]
    orders["day"] = orders["at"].dt.normalize()
    orders["rate"] = rates_of(read(folder / "exchange_rates.csv"), orders)
    keep = (
        (orders["is_test"].str.lower() != "true")
        & (orders["status"].str.strip().str.lower().isin(["placed", "paid", "shipped", "delivered"]))
        & ~orders["payment_status"].isin(["voided", "pending", "failed"])
        & (orders["is_gift_card_only"].str.lower() != "true")
        & (orders["gross"] > 0)
        & orders["rate"].notna()
        & (orders["net"] > 0)
        & (orders["customer_id"].isin(consumers) | (orders["customer_id"] == ""))
    )
    valid = orders[keep]
    gross, refunded = in_euro(valid["gross"], valid["rate"]), in_euro(valid["gross"] - valid["net"], valid["rate"])
    return valid.assign(net=gross - refunded)


def rates_of(rates: pd.DataFrame, orders: pd.DataFrame) -> pd.Series:
    """The rate of each order's day as a Decimal: the last one known, no older than a week; none where there is none."""
    known = rates.assign(day=pd.to_datetime(rates["rate_date"])).drop_duplicates(["day", "currency"], keep="last")
    asked = orders.reset_index()[["index", "day", "currency"]].dropna(subset=["day"]).sort_values("day")
    asked["currency"] = asked["currency"].str.upper()
    found = pd.merge_asof(
        asked, known.sort_values("day"), on="day", by="currency", tolerance=pd.Timedelta(days=7)
    ).set_index("index")["rate"]
    found[asked.set_index("index")["currency"] == "EUR"] = "1"
    return found.dropna().map(Decimal).reindex(orders.index)


def in_euro(cents_of: pd.Series, rates: pd.Series) -> pd.Series:
    """Amounts at their rates, each rounded by itself to four decimals, halves away from zero."""
    return pd.Series(
        [
            (Decimal(amount) / 100 * rate).quantize(Decimal("0.0001"), ROUND_HALF_UP)
            for amount, rate in zip(cents_of.tolist(), rates, strict=True)
        ],
        index=cents_of.index,
    )


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False).apply(lambda column: column.str.strip())


def cents(texts: pd.Series) -> pd.Series:
    return (texts.astype(float) * 100).round().astype("int64")


def metric(night: duckdb.DuckDBPyConnection, name: str, period_type: str) -> tuple[Decimal | int, int]:
    """Numerator and denominator; a whole number is an int, which NumPy's numbers can be compared with."""
    [(top, base)] = night.execute(
        "select numerator, denominator from marts.loyalty_metrics where metric = ? and period_type = ? "
        "and segment_type = 'all'",
        [name, period_type],
    ).fetchall()
    return int(top) if top == top.to_integral_value() else top, int(base)


def test_average_order_value_equals_pandas(night: duckdb.DuckDBPyConnection, valid_orders: pd.DataFrame) -> None:
    top, base = metric(night, "average_order_value", "lifetime")
    assert (top, base) == (valid_orders["net"].sum(), len(valid_orders))
    assert (valid_orders["currency"].str.upper() != "EUR").mean() > 0.02, "orders in other currencies count too"


def test_the_share_of_orders_without_a_rate_is_that_of_unknown_currencies(night: duckdb.DuckDBPyConnection) -> None:
    rows = night.execute(
        "select distinct original_currency_code from marts.fct_orders where exclusion_reason = 'no_exchange_rate'"
    ).fetchall()
    assert rows == [("XTS",)]
    [(carried, oldest)] = night.execute(
        "select count(*), max(order_date - exchange_rate_date) from marts.fct_orders where is_exchange_rate_carried"
    ).fetchall()
    assert carried > 100
    assert 2 <= oldest <= 7


def test_repeat_and_frequency_equal_pandas(night: duckdb.DuckDBPyConnection, valid_orders: pd.DataFrame) -> None:
    known = valid_orders[valid_orders["customer_id"] != ""]
    occasions = known[["customer_id", "day"]].drop_duplicates()
    days = occasions.groupby("customer_id").size()
    assert metric(night, "repeat_purchase_rate", "lifetime") == ((days >= 2).sum(), len(days))
    recent = occasions[occasions["day"] >= WINDOW_START]
    assert metric(night, "purchase_frequency", "trailing_window") == (len(recent), recent["customer_id"].nunique())


def test_repeat_within_the_window_counts_only_customers_whose_window_is_over(
    night: duckdb.DuckDBPyConnection, valid_orders: pd.DataFrame
) -> None:
    known = valid_orders[valid_orders["customer_id"] != ""]
    days = known[["customer_id", "day"]].drop_duplicates().sort_values("day").groupby("customer_id")["day"]
    first, second = days.nth(0).to_numpy(), days.agg(lambda found: found.iloc[1] if len(found) > 1 else pd.NaT)
    table = pd.DataFrame({"first": days.first(), "second": second})
    assert len(first) == len(table)
    over = table[(pd.Timestamp(AS_OF) - table["first"]).dt.days > 97]
    repeated = (over["second"] - over["first"]).dt.days <= 90
    assert metric(night, "repeat_purchase_rate_within_window", "lifetime") == (repeated.sum(), len(over))


def test_net_promoter_score_equals_pandas(night: duckdb.DuckDBPyConnection, home: Path) -> None:
    folder = home / "simulated" / "demo"
    answers, invitations = read(folder / "survey_answers.csv"), read(folder / "survey_invitations.csv.gz")
    asked = invitations.loc[invitations["survey"] == "relationship", "invitation_id"]
    answers = answers[answers["invitation_id"].isin(asked)]
    answers = answers[(answers["question"] == "nps") & answers["score"].str.fullmatch(r"\d+")]
    answers = answers[answers["score"].astype(int) <= 10]
    answers["at"] = pd.to_datetime(answers["answered_at"], format="ISO8601", errors="coerce")
    answers = answers[answers["at"] >= WINDOW_START]
    who = answers["customer_id"].where(answers["customer_id"] != "", answers["answer_id"])  # the anonymous: each is one
    latest = answers.assign(who=who).sort_values(["at", "answer_id"]).groupby("who").tail(1)["score"].astype(int)
    assert metric(night, "nps", "trailing_window") == ((latest >= 9).sum() - (latest <= 6).sum(), len(latest))


def test_costs_per_customer_equal_pandas(
    night: duckdb.DuckDBPyConnection, home: Path, valid_orders: pd.DataFrame
) -> None:
    costs = read(home / "simulated" / "demo" / "marketing_costs.csv")
    costs = costs[pd.to_datetime(costs["cost_date"]) >= WINDOW_START]
    known = valid_orders[valid_orders["customer_id"] != ""]
    days = known.groupby("customer_id")["day"].agg(["min", "max"])
    before = known[(known["day"] < WINDOW_START) & (known["day"] >= WINDOW_START - pd.Timedelta(days=365))]
    kept = days.loc[before["customer_id"].unique(), "max"] >= WINDOW_START
    is_acquisition = costs["purpose"] == "acquisition"
    won, retained = (cents(costs.loc[chosen, "amount"]).sum() for chosen in (is_acquisition, ~is_acquisition))
    top, base = metric(night, "customer_acquisition_cost", "trailing_window")
    assert (top * 100, base) == (int(won), int((days["min"] >= WINDOW_START).sum()))
    top, base = metric(night, "retention_cost_per_retained_customer", "trailing_window")
    assert (top * 100, base) == (int(retained), int(kept.sum()))


def test_every_planted_fault_is_refused_with_its_reason(night: duckdb.DuckDBPyConnection) -> None:
    refused = set(night.execute("select distinct model, reasons from quality.quarantined_rows").fetchall())
    assert {
        ("stg_demo__orders", "`order_id` repeats: a later row stands"),
        ("stg_demo__orders", "`ordered_at` is not a time like 2025-01-31 13:45:00"),
        ("stg_demo__survey_answers", "`score` is off the scale of its question"),
        ("stg_demo__survey_answers", "`score` is not a whole number"),
        ("stg_demo__order_lines", "`quantity` is not a whole number"),
    } <= refused


def test_models_are_fitted_and_every_buyer_is_scored(night: duckdb.DuckDBPyConnection) -> None:
    assert night.execute("select distinct status from models.customer_clv").fetchall() == [("fitted",)]
    [(buyers, scored)] = night.execute(
        "select count(*) filter (count_orders > 0), count(predicted_clv) from marts.customer_360"
    ).fetchall()
    assert buyers == scored > 0.8 * CUSTOMERS
