"""Expectations of our own, where Great Expectations has none; found by the same names in the suites.

    no_rows_of                 rows that a query finds, counted and never fetched
    no_rows_where              rows that break a condition; all of a table's conditions are counted in one pass
    daily_rows_to_be_usual     rows a business day against the same weekdays of the weeks before
    last_row_to_be_recent      how long a feed has been silent, against its own silences
    recent_values_to_be_usual  the distribution of recent values against that of the year before
    columns_to_be_as_told_by   columns that another table or query tells, too, row by row

Those over history look at the business days inside the table, up to the night's as-of, so that they are a function of
it: a rebuilt night judges what the night judged. They judge nothing while there is too little history.
"""

from __future__ import annotations

from typing import Any, ClassVar

from great_expectations.compatibility import pydantic
from great_expectations.compatibility.sqlalchemy import sqlalchemy as sa
from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.core.metric_function_types import MetricPartialFunctionTypes
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_partial
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider

OVER_HISTORY = frozenset({"daily_rows_to_be_usual", "last_row_to_be_recent", "recent_values_to_be_usual"})
WITH_A_QUERY = OVER_HISTORY | {"columns_to_be_as_told_by"}
"""Those that write a query of their own, and count what it finds."""
DATE = r"^\d{4}-\d{2}-\d{2}$"


class RowsWhere(TableMetricProvider):
    """How many rows meet a condition: an aggregate, so the engine counts all conditions of a table in one query."""

    metric_name = "table.rows_where"
    value_keys = ("condition",)

    @metric_partial(
        engine=SqlAlchemyExecutionEngine,
        partial_fn_type=MetricPartialFunctionTypes.AGGREGATE_FN,
        domain_type=MetricDomainTypes.TABLE,
    )
    def _sqlalchemy(
        cls,  # noqa: N805
        execution_engine: Any,
        metric_domain_kwargs: Any,
        metric_value_kwargs: Any,
        metrics: Any,
        runtime_configuration: Any,
    ) -> Any:
        # a colon would be taken for a parameter
        condition = sa.text(metric_value_kwargs["condition"].replace(":", r"\:"))
        return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0), metric_domain_kwargs, {}


class ExpectNoRowsWhere(BatchExpectation):
    """No row meets the condition, SQL over one row; a condition that is null is not met.

    `at_most` is the share of the rows that may meet it, none unless given.
    """

    condition: str
    at_most: float = 0

    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.rows_where", "table.row_count")
    success_keys: ClassVar[tuple[str, ...]] = ("condition", "at_most")

    def _validate(self, metrics: Any, runtime_configuration: Any = None, execution_engine: Any = None) -> Any:
        count, rows = int(metrics["table.rows_where"]), int(metrics["table.row_count"])
        found = {
            "unexpected_count": count,
            "element_count": rows,
            "unexpected_percent": 100 * count / max(rows, 1),  # the library's page of a failed rule asks for it
        }
        return {"success": count <= self.at_most * rows, "result": found}


class ExpectNoRowsOf(UnexpectedRowsExpectation):
    """A query finds no rows. They are counted and never fetched: the library's own rule reads them as well."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.row_count",)

    def _validate(self, metrics: Any, runtime_configuration: Any = None, execution_engine: Any = None) -> Any:
        count = int(metrics["unexpected_rows_query.row_count"])
        return {"success": count == 0, "result": {"observed_value": count}}


class ExpectColumnsToBeAsToldBy(ExpectNoRowsOf):
    """Columns hold, row by row, what another table or a query holds under the same names and the same key.

    It finds the columns that differ. Each is one sum over both sides of hashes of the key with the value, so that no
    rows are sorted or kept, whatever their number: what one side lacks, or holds otherwise, leaves a difference.

    `told_by` is a relation, or a query in brackets.
    """

    unexpected_rows_query: str = ""
    key: list[str]
    columns: list[str]
    told_by: str

    @pydantic.root_validator(skip_on_failure=True)
    def _written(cls, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N805 - pydantic's validators take the class
        key = ", ".join(given["key"])
        read = ", ".join([*given["key"], *given["columns"]])
        sums = ", ".join(
            f"sum(side * cast(hash({key}, {column}) as hugeint)) as {column}" for column in given["columns"]
        )
        query = f"""
with both_sides as (
    select 1 as side, {read} from {{batch}} union all select -1 as side, {read} from {given["told_by"]} as told
),
differences as (select {sums} from both_sides)
select column_name from (unpivot differences on columns(*) into name column_name value difference) as told_apart
where difference <> 0"""
        return given | {"unexpected_rows_query": query}


class _OverHistory(ExpectNoRowsOf):
    """An expectation that writes its own query, from the night's as-of on."""

    unexpected_rows_query: str = ""
    column: str = pydantic.Field(regex=r"^[a-z_][a-z0-9_]*$")
    as_of: str = pydantic.Field(regex=DATE)

    @pydantic.root_validator(skip_on_failure=True)
    def _written(cls, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N805 - pydantic's validators take the class
        return given | {"unexpected_rows_query": cls._query(**given)}

    @classmethod
    def _query(cls, **given: Any) -> str:
        raise NotImplementedError


class ExpectDailyRowsToBeUsual(_OverHistory):
    """Each of the last `days` business days has about as many rows as the same weekday in the `weeks` before it.

    A day is unusual when it lies more than `limit` robust standard deviations from the median of those weekdays: 1.4826
    median absolute deviations, and no less than the root of the median, which is what chance alone does to a count.
    """

    days: int = 14
    weeks: int = 8
    limit: float = 8

    @classmethod
    def _query(cls, **given: Any) -> str:
        return f"""
with last_day as (select cast('{given["as_of"]}' as date) as as_of),
daily as (
    select {given["column"]} as day_date, count(*) as count_rows
    from {{batch}} where {given["column"]} <= cast('{given["as_of"]}' as date) group by {given["column"]}
),
bounds as (select min(day_date) as first_date from daily),
judged as (
    select days.day_date, coalesce(own.count_rows, 0) as count_rows,
        median(coalesce(past.count_rows, 0)) as usual_rows,
        mad(coalesce(past.count_rows, 0)) as spread_rows
    from (
        select as_of - cast(back as integer) as day_date from last_day cross join range({given["days"]}) as backs (back)
    ) as days
    cross join range(1, {given["weeks"] + 1}) as weeks (week)
    cross join bounds
    left join daily as own on days.day_date = own.day_date
    left join daily as past on past.day_date = days.day_date - 7 * cast(weeks.week as integer)
    where days.day_date - 7 * {given["weeks"]} >= bounds.first_date
    group by days.day_date, own.count_rows
)
select day_date from judged
where abs(count_rows - usual_rows) > {given["limit"]} * greatest(1.4826 * spread_rows, sqrt(usual_rows), 1)"""


class ExpectLastRowToBeRecent(_OverHistory):
    """The table has been silent for no longer than `multiple` times its longest silence of the year before, in days.

    A table that never had rows is no feed that fell silent; a weekly feed is silent for six days each week.
    """

    multiple: float = 2
    days: int = 365
    minimum_days: int = 3

    @classmethod
    def _query(cls, **given: Any) -> str:
        return f"""
with told_days as (
    select distinct {given["column"]} as day_date from {{batch}}
    where {given["column"]} <= cast('{given["as_of"]}' as date)
        and {given["column"]} > cast('{given["as_of"]}' as date) - 3 * {given["days"]}
),
silences as (
    select day_date, day_date - lag(day_date) over (order by day_date) as gap_days from told_days
)
select last_date from (
    select max(day_date) as last_date,
        max(gap_days) filter (where day_date > cast('{given["as_of"]}' as date) - {given["days"]}) as longest_gap_days
    from silences
) as silence
where cast('{given["as_of"]}' as date) - last_date
    > greatest({given["minimum_days"]}, {given["multiple"]} * coalesce(longest_gap_days, 0))"""


class ExpectRecentValuesToBeUsual(_OverHistory):
    """The values of the last `days` are distributed like those of the year before, by the population stability index.

    Tenths of the earlier values for numbers, the values themselves for texts; half a row is added to each bin. The
    index may exceed `limit` by what chance does to it: with b bins and n and m rows it has the mean
    (b - 1) (1/n + 1/m) and about the spread of a chi-square (Yurdakul and Naranjo 2020); three of its deviations are
    allowed.
    """

    over: str = pydantic.Field(regex=r"^[a-z_][a-z0-9_]*$")
    days: int = 28
    limit: float = 0.25
    minimum_rows: int = 200
    is_text: bool = False

    @classmethod
    def _query(cls, **given: Any) -> str:
        tenth = " + ".join(f"cast(value > edges[{edge}] as integer)" for edge in range(1, 10))
        place = f"cast({'value' if given['is_text'] else tenth} as varchar)"
        edges = "count(*)" if given["is_text"] else "quantile_cont(value, [.1, .2, .3, .4, .5, .6, .7, .8, .9])"
        return f"""
with dated as (
    select {given["column"]} as value,
        {given["over"]} > cast('{given["as_of"]}' as date) - {given["days"]} as is_recent
    from {{batch}}
    where {given["column"]} is not null and {given["over"]} <= cast('{given["as_of"]}' as date)
        and {given["over"]} > cast('{given["as_of"]}' as date) - 365 - {given["days"]}
),
earlier as (select {edges} as edges from dated where not is_recent),
bins as (
    select {place} as bin, count(*) filter (where is_recent) as count_recent,
        count(*) filter (where not is_recent) as count_earlier
    from dated cross join earlier group by 1
),
shares as (
    select (count_recent + 0.5) / (sum(count_recent) over () + 0.5 * count(*) over ()) as recent_share,
        (count_earlier + 0.5) / (sum(count_earlier) over () + 0.5 * count(*) over ()) as earlier_share,
        sum(count_recent) over () as n, sum(count_earlier) over () as m, count(*) over () as b
    from bins
)
select stability_index from (
    select sum((recent_share - earlier_share) * ln(recent_share / earlier_share)) as stability_index,
        any_value(n) as n, any_value(m) as m, any_value(b) as b
    from shares
) as compared
where n >= {given["minimum_rows"]} and m >= {given["minimum_rows"]}
    and stability_index > {given["limit"]} + (1.0 / n + 1.0 / m) * (b - 1 + 3 * sqrt(2.0 * (b - 1)))"""
