"""A small published version, its numbers small enough to check by hand: whole, without feedback, or empty."""

import datetime as dt
import hashlib
import json
from pathlib import Path

import duckdb

AS_OF = dt.date(2025, 3, 31)
VERSION = "2025-03-31_001"
HOSTILE = """<script>alert("x")</script>'"&"""
COLUMNS = {
    "marts.fct_customers": "customer_key varchar, count_orders bigint, is_active boolean",
    "marts.fct_orders": (
        "order_key varchar, order_date date, order_month date, currency_code varchar, net_amount decimal(18, 4), "
        "is_valid boolean, is_revenue boolean, occasion_number bigint"
    ),
    "marts.loyalty_metrics": (
        "metric varchar, segment_type varchar, segment varchar, period_type varchar, period_start date, "
        "numerator decimal(18, 4), denominator decimal(18, 4), metric_value double, ci_low double, ci_high double, "
        "count_customers bigint, is_mature boolean, has_minimum_base boolean, unit varchar, definition varchar"
    ),
    "marts.cohort_retention": (
        "cohort_month date, months_since_first_order integer, is_mature boolean, count_customers bigint, "
        "count_active_customers bigint, retention_rate double"
    ),
    "marts.fct_feedback": (
        "instrument varchar, score bigint, scale_min bigint, scale_max bigint, is_reversed boolean, "
        "score_0_100 double, is_latest boolean"
    ),
    "marts.rfm_segments": (
        "customer_key varchar, segment varchar, total_net_in_window decimal(18, 4), days_since_last_order bigint"
    ),
    "marts.customer_360": "customer_key varchar, predicted_clv double, clv_at_risk decimal(18, 4)",
    "marts.order_exclusions": (
        "order_key varchar, exclusion_reason varchar, counts_as_revenue boolean, count_lines bigint, "
        "gross_amount decimal(18, 4)"
    ),
    "models.customer_clv": (
        "customer_key varchar, horizon_days integer, status varchar, status_reason varchar, model varchar, "
        "predicted_net double, predicted_clv double, historic_net double, historic_margin double"
    ),
    "models.customer_churn": (
        "customer_key varchar, horizon_days integer, status varchar, status_reason varchar, model varchar, "
        "is_active boolean, probability_no_order double, risk_band varchar"
    ),
    "models.churn_reasons": (
        "customer_key varchar, reason_rank integer, cause varchar, direction varchar, contribution double"
    ),
    "models.churn_ablation": (
        "feature_group varchar, count_evenings bigint, count_customers bigint, log_loss_without double, "
        "log_loss_gain double, ci_low double, ci_high double, verdict varchar"
    ),
    "models.model_scores": (
        "prediction varchar, model varchar, is_champion boolean, cutoff_date date, horizon_days integer, "
        "segment_type varchar, segment varchar, count_customers bigint, "
        "score varchar, score_value double, status varchar, status_reason varchar"
    ),
    "models.revenue_forecast": (
        "measure varchar, horizon_days integer, part varchar, expected double, low_80 double, high_80 double"
    ),
    "models.customer_next_order": (
        "customer_key varchar, as_of_date date, status varchar, probability_order double, expected_order_date date, "
        "is_overdue boolean"
    ),
    "models.next_purchase_scores": (
        "prediction varchar, model varchar, is_champion boolean, cutoff_date date, horizon_days integer, "
        "segment varchar, count_customers bigint, score varchar, score_value double"
    ),
    "models.ledger_scores": (
        "prediction varchar, horizon_days integer, part varchar, model varchar, is_baseline boolean, "
        "predicted_date date, segment_type varchar, segment varchar, count_evenings bigint, count_customers bigint, "
        "score varchar, score_value double"
    ),
    "models.loyal_forecast_errors": (
        "prediction varchar, horizon_days integer, count_evenings bigint, loyal_error double, other_error double, "
        "error_difference double, ci_low double, ci_high double, verdict varchar"
    ),
    "models.survey_nonresponse": (
        "survey varchar, count_invited bigint, count_answers bigint, raw_score double, weighted_score double, "
        "ci_low double, ci_high double, score_if_silent_detractors double, score_if_silent_promoters double, "
        "status varchar, status_reason varchar, assumption varchar"
    ),
    "models.feedback_themes": (
        "theme_key varchar, theme_name varchar, language varchar, driver varchar, count_texts bigint, "
        "texts_share double, trend varchar, mean_sentiment_score double, example_texts varchar"
    ),
    "models.feedback_theme_effects": "theme_key varchar, instrument varchar, score_effect double",
    "models.satisfaction_drivers": (
        "instrument varchar, driver varchar, fact varchar, count_answers bigint, effect_per_deviation double, "
        "verdict varchar"
    ),
    "quality.quarantined_rows": "model varchar, source varchar, file varchar, row_number bigint, reasons varchar",
    "quality.reconciliation": (
        "layer_from varchar, layer_to varchar, entity varchar, measure varchar, total_from decimal(38, 4), "
        "total_to decimal(38, 4), difference decimal(38, 4), is_reconciled boolean"
    ),
    "quality.check_results": (
        "layer varchar, table_name varchar, check_name varchar, severity varchar, is_passed boolean, "
        "failing_rows bigint, observed varchar, why varchar, cure varchar"
    ),
}
SEEDS = Path(__file__).parents[3] / "dbt_models" / "seeds"
KEYS = [hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest() for number in range(40)]
JANUARY, FEBRUARY, MARCH = (dt.date(2025, month, 1) for month in (1, 2, 3))


def publish(folder: Path, *, is_empty: bool = False, has_feedback: bool = True, is_fitted: bool = True) -> Path:
    """Write the version into `folder` and give its database."""
    folder.mkdir(parents=True)
    database = folder / "loyalty.duckdb"
    with duckdb.connect(str(database)) as con:
        for schema in ("marts", "models", "quality"):
            con.execute(f"create schema {schema}")
        for table, columns in COLUMNS.items():
            con.execute(f"create table {table} ({columns})")
        for seed in ("exclusion_reasons", "metric_definitions"):
            con.execute(f"create table marts.{seed} as from read_csv('{SEEDS / seed}.csv', header = true)")
        if not is_empty:
            for table, rows in _contents(has_feedback, is_fitted).items():
                marks = ", ".join("?" * len(rows[0]))
                con.executemany(f"insert into {table} values ({marks})", rows)
    (folder / "manifest.json").write_text(json.dumps(_manifest(is_empty)), encoding="utf-8")
    return database


def _manifest(is_empty: bool) -> dict:
    return {
        "version": VERSION,
        "as_of": AS_OF.isoformat(),
        "created_at": "2025-04-01T02:00:00+00:00",
        "business": f"Shop {HOSTILE}",
        "tables": {},
        "checks": {"passed": 0 if is_empty else 3, "warnings": [] if is_empty else ["w"], "reconciled_totals": 1},
        "fingerprint": {"code": "c0de", "settings": "5e77", "duckdb": "2.0.0"},
    }


def _contents(has_feedback: bool, is_fitted: bool) -> dict[str, list[tuple]]:
    """30 of 40 customers bought, 24 of them lately: 1,000.00 in 10 orders in February, 1,275.00 in 16 in March."""
    status = ("fitted", None, "mbg_nbd") if is_fitted else ("insufficient_data", f"too few {HOSTILE}", "cohort_mean")
    buyers = KEYS[:30]
    contents = {
        "marts.fct_customers": [(key, int(n < 30), n < 24) for n, key in enumerate(KEYS)],
        "marts.fct_orders": _orders(),
        "marts.loyalty_metrics": _metrics(has_feedback),
        "marts.cohort_retention": [
            (JANUARY, 0, True, 100, 100, 1.0),
            (JANUARY, 1, True, 100, 20, 0.2),
            (JANUARY, 2, False, 100, None, None),
            (FEBRUARY, 1, True, 5, 4, 0.8765),
        ],
        "marts.rfm_segments": [
            (key, "champions" if n < 20 else f"odd {HOSTILE}", 50 if n < 20 else 0, 10) for n, key in enumerate(buyers)
        ],
        "marts.customer_360": [(key, 10.0, 9.0) for key in buyers],
        "marts.order_exclusions": [("x1", "cancelled", False, 2, "99.00"), ("x2", "guest_unlinked", True, 1, "25.00")],
        "models.customer_clv": [
            (key, 365, *status, 300.0, 100.0 if n < 3 else 10.0, 75.0, 22.5) for n, key in enumerate(buyers)
        ],
        "models.customer_churn": [
            (key, 90, *status, n < 24, 0.9 if n < 12 else 0.5, "high" if n < 12 else "mid")
            for n, key in enumerate(buyers)
        ],
        "models.churn_reasons": [(key, 1, "overdue", "raises", 0.75) for key in buyers[:12]],
        "models.churn_ablation": [
            ("visits", 4, 900, 0.6, 0.03, 0.01, 0.05, "adds"),
            ("service", 4, 900, 0.6, -0.002, -0.006, 0.002, "nothing"),
            ("mentions", 0, 0, None, None, None, None, "not_measured"),
        ],
        "models.model_scores": _scores(is_fitted),
        "models.ledger_scores": [
            ("net", 90, "existing_customers", "mbg_nbd", False, None, "all", "all", 6, 6, "wape", 0.125),
            *(
                ("no_order", 90, "customer", model, is_naive, None, "all", "all", 6, 900, score, amount)
                for model, is_naive, score, amount in (
                    ("mbg_nbd", False, "brier", 0.125),
                    ("mbg_nbd", False, "roc_auc", 0.75),
                    ("mbg_nbd", False, "calibration_error", 0.0125),
                    ("cohort_mean", True, "brier", 0.25),
                )
            ),
            *(
                ("days_to_next_order", 365, "customer", model, is_naive, None, "all", "all", 3, 300, score, amount)
                for model, is_naive, score, amount in (
                    ("mbg_nbd", False, "mean_absolute_error", 57.25),
                    ("mbg_nbd", False, "coverage_80", 0.775),
                    ("last_gap", True, "mean_absolute_error", 68.125),
                )
            ),
        ],
        "models.loyal_forecast_errors": [
            ("orders", 30, 12, 0.125, 0.25, -0.125, -0.2, -0.05, "holds"),
            ("net", 90, 6, 0.375, 0.25, 0.125, None, None, "cannot_say"),
        ],
        "models.revenue_forecast": [
            ("orders", 365, "existing_customers", 60.0, *((40.0, 90.0) if is_fitted else (None, None))),
            ("net", 365, "existing_customers", 9_000.0, *((6_000.0, 12_000.0) if is_fitted else (None, None))),
        ],
        "quality.quarantined_rows": [
            ("stg_shop__orders", "shop", "a.csv", row, f"bad amount {HOSTILE}") for row in (1, 2)
        ],
        "quality.reconciliation": [("raw", "staging", "stg_shop__orders", "rows", 29, 29, 0, True)],
        "quality.check_results": [
            ("marts", "fct_orders", f"rule_{n}", "warning", n < 3, 0, f"seen {HOSTILE}", "why not", f"mend {HOSTILE}")
            for n in range(4)
        ],
    }
    if has_feedback:
        contents["marts.fct_feedback"] = [("csat", 4, 1, 5, False, 75.0, True)] * 30
        contents |= _voice()
    return contents


def _voice() -> dict[str, list[tuple]]:
    return {
        "models.survey_nonresponse": [
            ("relationship", 1_000, 300, 30.0, 12.5, 5.0, 20.0, -61.0, 79.0, "weighted", None, f"assumed {HOSTILE}"),
            ("transactional", 90, 9, 0.0, None, None, None, -90.0, 90.0, "too_few_answers", "too few answers", "a"),
        ],
        "models.feedback_themes": [
            ("en-1", f"parcel {HOSTILE}", "en", "delivery", 40, 0.25, "rising", -0.5, f"Late.\n{HOSTILE}"),
            ("en-2", "price", "en", None, 10, 0.0625, "cannot_say", None, None),
        ],
        "models.feedback_theme_effects": [("en-1", "nps", -3.25), ("en-1", "csat", 9.0)],
        "models.satisfaction_drivers": [
            ("csat", "price", "order_net", 500, -2.5, "lowers"), ("csat", "service", "waits", 500, 0.1, "cannot_say"),
        ],
    }  # fmt: skip


def _orders() -> list[tuple]:
    def order(number: int, day: dt.date, net: str, occasion: int | None, *, is_revenue: bool = True) -> tuple:
        key, month = f"o{number}", day.replace(day=1)
        return (key, day, month, "EUR", net, occasion is not None, is_revenue, occasion)

    return [
        *(order(n, dt.date(2025, 2, 10), "100.00", 1) for n in range(10)),
        *(order(n, dt.date(2025, 3, 10), "100.00", 1) for n in range(10, 20)),
        *(order(n, dt.date(2025, 3, 20), "50.00", 2) for n in range(20, 25)),
        order(25, dt.date(2025, 3, 21), "25.00", None),
        order(26, dt.date(2025, 3, 22), "99.00", None, is_revenue=False),
    ]


def _metrics(has_feedback: bool) -> list[tuple]:
    window = AS_OF - dt.timedelta(days=364)

    def row(name, period_type, start, over, under, unit="share", **other):
        ratio = over / under * (100 if unit == "points" else 1)
        value, spread = other.get("value", ratio), 10.0 if unit != "share" else 0.05
        return (
            name, other.get("kind", "all"), other.get("segment", "all"), period_type, start, over, under, value,
            value - spread, value + spread, under, other.get("is_mature", True), under >= 30, unit, f"defined {name}",
        )  # fmt: skip

    rows = [
        row("repeat_purchase_rate", "lifetime", FEBRUARY, 5, 30, is_mature=False),
        row("repeat_purchase_rate_within_window", "lifetime", FEBRUARY, 2, 12),
        row("purchase_frequency", "trailing_window", window, 35, 30, "occasions per customer", value=1.25),
        row("average_order_value", "trailing_window", window, 2275, 26, "money per order"),
        row("average_order_value", "lifetime", FEBRUARY, 2275, 35, "money per order"),
        row("retention_rate", "month", FEBRUARY, 30, 40),
        row("retention_rate", "month", MARCH, 12, 48),
        row("churn_rate", "month", MARCH, 36, 48),
        row("retention_rate", "quarter", JANUARY, 3, 29),
    ]
    if has_feedback:
        rows += [
            row("nps", "lifetime", FEBRUARY, 20, 80, "points"),
            row("nps", "trailing_window", window, 20, 80, "points"),
            row("nps", "month", MARCH, 20, 80, "points"),
            row("csat_share", "trailing_window", window, 30, 40),
            row("csat_share", "month", MARCH, 30, 40),
            row("csat_dissatisfied_share", "month", MARCH, 4, 40),
            *(
                row("nps_score_share", "trailing_window", window, 8 * (n > 0), 80, kind="score", segment=str(n))
                for n in range(11)
            ),
        ]
    return rows


def _scores(is_fitted: bool) -> list[tuple]:
    status = ("fitted", None) if is_fitted else ("insufficient_data", f"too few {HOSTILE}")
    found = []
    for prediction, model, score, value in (
        ("orders", "zero", "rmse", 2.0),
        ("orders", "zero", "mae", 0.5),
        ("orders", "mbg_nbd", "rmse", 1.5),
        ("orders", "mbg_nbd", "mae", 0.75),
        ("orders", "mbg_nbd", "total_bias", -0.125),
        ("no_order", "days_since_last_order", "roc_auc", 0.625),
        ("no_order", "base_rate", "brier", 0.2),
        ("no_order", "mbg_nbd", "roc_auc", 0.75),
        ("no_order", "mbg_nbd", "brier", 0.25),
    ):
        is_model = model == "mbg_nbd"
        found.append(
            (prediction, model, is_model, dt.date(2025, 1, 1), 90, "all", "all", 30, score,
             None if is_model and not is_fitted else value, *(status if is_model else ("baseline", None)))
        )  # fmt: skip
    return found
