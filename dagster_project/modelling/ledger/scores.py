"""How good the predictions of the ledger were: sums over tenths of the customers, and the scores that follow.

Belongs here: set work in SQL on predictions and outcomes. The ledger itself: `followed.py`; what has changed since:
`drift.py`.

All scores of an evening, and of all evenings together, come from the same sums over tenths of the customers by
prediction, equal predictions in the same tenth. Sums are of decimals, so that they are the same in any order of the
rows. AUC of several evenings compares customers of the same evening only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import duckdb
import pandas as pd

from dagster_project.modelling.ledger.by_loyalty import add_groups
from dagster_project.modelling.ledger.followed import GRADED
from dagster_project.modelling.ledger.predictions import NAIVE, OF_CUSTOMER
from dagster_project.modelling.ledger.waits import CHALLENGER, DAYS_TO_NEXT_ORDER, NAIVE_BY_GAP, NAIVE_WITH_INTERVAL

LEDGER_SCORES = {
    "as_of_date": "date not null",
    "prediction": "varchar not null",
    "horizon_days": "integer not null",
    "part": "varchar not null",
    "model": "varchar not null",
    "is_baseline": "boolean not null",
    "predicted_date": "date",
    "segment_type": "varchar not null",
    "segment": "varchar not null",
    "count_evenings": "bigint not null",
    "count_customers": "bigint not null",
    "score": "varchar not null",
    "score_value": "double",
}
RECENCY = "days_since_last_order"
LOWEST = 1e-12

_TABLE = """
create or replace temp table ledger_sums (
    predicted_date date, horizon_days integer, part varchar, prediction varchar, model varchar, is_baseline boolean,
    tenth bigint, count_rows bigint, predicted decimal(38, 9), outcome decimal(38, 9), absolute_error decimal(38, 9),
    squared_error decimal(38, 6), log_loss decimal(38, 9), count_with_interval bigint, count_covered bigint,
    doubled_ranks bigint
)
"""
_NO_INTERVAL = "null::boolean as is_covered"


def _said(
    prediction: str, model: str, predicted: str, *, is_baseline: bool = True, is_covered: str = _NO_INTERVAL
) -> str:
    """One speaker's predictions; a model's name is a column, a rule's a text."""
    asked = f"is_followed and is_active and part = '{OF_CUSTOMER}'" if prediction == "no_order" else "is_followed"
    return (
        f"select predicted_date, horizon_days, part, '{prediction}' as prediction, {model} as model, "
        f"{str(is_baseline).lower()} as is_baseline, {predicted} as predicted, "
        f"{prediction} as outcome, {is_covered} from known where {asked}"
    )


def _covered(what: str, said: str) -> str:
    return f"{what} between {said}_low and {said}_high as is_covered"


def _everybody() -> str:
    """Everybody who says something, one after another."""
    speakers = [
        *(
            _said(what, f"{what}_model", f"{what}_predicted", is_baseline=False, is_covered=_covered(what, what))
            for what in ("orders", "net")
        ),
        _said("no_order", "orders_model", "no_order_predicted", is_baseline=False),
        _said("no_order", f"'{RECENCY}'", f"{RECENCY}::double"),
    ]
    for name in NAIVE:
        speakers += [_said(what, f"'{name}'", f"{what}_{name}") for what in ("orders", "net")]
        # the chance of no event where so many are expected and each comes by itself (Poisson)
        speakers.append(_said("no_order", f"'{name}'", f"exp(-orders_{name})"))
    return "\n    union all\n    ".join([*speakers, *_daters()])


def _daters() -> list[str]:
    """Everybody who dates the next order."""
    what = DAYS_TO_NEXT_ORDER
    said = [
        _said(what, "orders_model", f"{what}_predicted", is_baseline=False, is_covered=_covered(what, what)),
        *(_said(what, f"'{name}'", f"{what}_{name}") for name in NAIVE_BY_GAP),
    ]
    for name in (CHALLENGER, NAIVE_WITH_INTERVAL):
        held = _covered(what, f"{what}_{name}")
        is_naive = name != CHALLENGER
        said.append(_said(what, f"'{name}'", f"{what}_{name}_predicted", is_baseline=is_naive, is_covered=held))
    return said


_SUMS = f"""
insert into ledger_sums
{GRADED}
said as (
    {_everybody()}
),
placed as (
    select
        *,
        prediction = 'no_order' as is_event,
        rank() over (alike order by predicted desc) as place,
        count(*) over (partition by horizon_days, part, prediction, model, predicted) as count_tied,
        count(*) over alike as count_alike
    from said
    where outcome is not null and predicted is not null
    window alike as (partition by horizon_days, part, prediction, model)
)
select
    predicted_date,
    horizon_days,
    part,
    prediction,
    model,
    is_baseline,
    1 + 10 * (place - 1) // count_alike as tenth,
    count(*),
    sum(predicted::decimal(38, 9)),
    sum(outcome::decimal(38, 9)),
    sum(abs(outcome - predicted)::decimal(38, 9)),
    sum(((outcome - predicted) ** 2)::decimal(38, 6)),
    sum((-ln(greatest(case when outcome = 1 then predicted else 1 - predicted end, {LOWEST})))::decimal(38, 9))
        filter (where is_event),
    count(is_covered),
    count(*) filter (where is_covered),
    coalesce(sum((2 * place + count_tied - 1) * outcome::bigint) filter (where is_event), 0)::bigint
from placed
group by all
"""

_NAMES = "prediction, horizon_days, part, model, is_baseline"
_SCORES = f"""
with
-- Grain: speaker and tenth, on one evening or on all of them (predicted_date is null)
tenths as (
    select
        {_NAMES},
        predicted_date,
        tenth,
        count(distinct predicted_date) as count_evenings,
        sum(count_rows) as count_rows,
        sum(predicted)::double as predicted,
        sum(outcome)::double as outcome
    from ledger_sums
    group by grouping sets (({_NAMES}, tenth, predicted_date), ({_NAMES}, tenth))
),
-- Grain: speaker and evening; pairs of an event and a non-event, and those of them in the wrong order
evenings as (
    select
        {_NAMES},
        predicted_date,
        sum(count_rows) as count_rows,
        sum(predicted)::double as predicted,
        sum(outcome)::double as outcome,
        sum(absolute_error)::double as absolute_error,
        sum(squared_error)::double as squared_error,
        sum(log_loss)::double as log_loss,
        sum(count_with_interval) as count_with_interval,
        sum(count_covered) as count_covered,
        sum(outcome)::double * (sum(count_rows) - sum(outcome)::double) as count_pairs,
        sum(doubled_ranks) / 2 - sum(outcome)::double * (sum(outcome)::double + 1) / 2 as count_wrong
    from ledger_sums
    group by {_NAMES}, predicted_date
),
wholes as (
    select
        {_NAMES},
        predicted_date,
        count(*) as count_evenings,
        {
    ", ".join(
        f"sum({name}::decimal(38, 6))::double as {name}"
        for name in (
            "count_rows",
            "predicted",
            "outcome",
            "absolute_error",
            "squared_error",
            "log_loss",
            "count_with_interval",
            "count_covered",
            "count_pairs",
            "count_wrong",
        )
    )
}
    from evenings
    group by grouping sets (({_NAMES}, predicted_date), ({_NAMES}))
),
-- Grain: speaker, on one evening or on all; how far the tenths are off, and what the highest holds
calibrations as (
    select
        {_NAMES},
        predicted_date,
        sum(abs(predicted - outcome)::decimal(38, 9))::double / sum(count_rows) as calibration_error,
        sum(case when tenth = 1 then outcome end) / sum(case when tenth = 1 then count_rows end) as mean_of_highest
    from tenths
    group by {_NAMES}, predicted_date
),
scored as (
    select
        wholes.*,
        wholes.prediction = 'no_order' as is_event,
        calibrations.calibration_error as tenths_error,
        calibrations.mean_of_highest / nullif(wholes.outcome / wholes.count_rows, 0) as lift
    from wholes
    inner join calibrations using ({_NAMES})
    where wholes.predicted_date is not distinct from calibrations.predicted_date
),
long as (
    unpivot (
        select
            {_NAMES}, predicted_date, 'all' as segment_type, 'all' as segment, count_evenings,
            count_rows::bigint as count_customers,
            case when model <> '{RECENCY}' then predicted / count_rows end as mean_predicted,
            outcome / count_rows as mean_outcome,
            case when not is_event then absolute_error / nullif(outcome, 0) end as wape,
            case when model <> '{RECENCY}' then predicted / nullif(outcome, 0) - 1 end as total_bias,
            case when not is_event then sqrt(squared_error / count_rows) end as rmse,
            case when prediction = '{DAYS_TO_NEXT_ORDER}' then absolute_error / count_rows end as mean_absolute_error,
            case when is_event and model <> '{RECENCY}' then squared_error / count_rows end as brier,
            case when is_event and model <> '{RECENCY}' then log_loss / count_rows end as log_loss,
            case when is_event and model <> '{RECENCY}' then tenths_error end as calibration_error,
            case when is_event then 1 - count_wrong / nullif(count_pairs, 0) end as roc_auc,
            case when part = '{OF_CUSTOMER}' then lift end as top_tenth_lift,
            count_covered / nullif(count_with_interval, 0) as coverage_80
        from scored
    ) on columns(* exclude (
        {_NAMES}, predicted_date, segment_type, segment, count_evenings, count_customers
    )) into name score value score_value
    union all by name
    unpivot (
        select
            {_NAMES}, predicted_date, 'predicted_tenth' as segment_type, lpad(tenth::varchar, 2, '0') as segment,
            count_evenings, count_rows::bigint as count_customers,
            case when model <> '{RECENCY}' then predicted / count_rows end as mean_predicted,
            outcome / count_rows as mean_outcome
        from tenths
        where part = '{OF_CUSTOMER}' and predicted_date is null
    ) on mean_predicted, mean_outcome into name score value score_value
)
select $as_of::date as as_of_date, *
from long
order by {_NAMES}, predicted_date nulls first, segment_type, segment, score
"""


def ledger_scores(connection: duckdb.DuckDBPyConnection, evenings: Sequence[dt.date], as_of: dt.date) -> pd.DataFrame:
    """The record of every speaker, `LEDGER_SCORES`.

    Args:
        connection: after `followed.add_outcomes`.
        evenings: those added.
        as_of: the night.
    """
    connection.execute(_TABLE)
    for evening in evenings:
        connection.execute(_SUMS, {"predicted_date": evening})
        add_groups(connection, evening)
    return connection.execute(_SCORES, {"as_of": as_of}).df()
