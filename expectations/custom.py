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
NAME = r"^[a-z_][a-z0-9_]*$"
YEAR, SEASON_DAYS = 365, 7


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
    """An expectation that writes its own query, from the night's as-of on.

    `column` is a business day, or an instant in UTC where `time_zone` says of which zone its day is to be.
    """

    unexpected_rows_query: str = ""
    column: str = pydantic.Field(regex=NAME)
    time_zone: str | None = pydantic.Field(default=None, regex=r"^[A-Za-z0-9_+/-]+$")
    as_of: str = pydantic.Field(regex=DATE)

    @pydantic.root_validator(skip_on_failure=True)
    def _written(cls, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N805 - pydantic's validators take the class
        return given | {"unexpected_rows_query": cls._query(**given)}

    @classmethod
    def _query(cls, **given: Any) -> str:
        raise NotImplementedError


def _day_of(column: str, time_zone: str | None) -> str:
    moment = f"timezone('{time_zone}', timezone('UTC', {column}))" if time_zone else column
    return f"cast({moment} as date)"


class ExpectDailyRowsToBeUsual(_OverHistory):
    """Each of the last `days` business days has about as many rows as the same weekday in the `weeks` before it.

    Counts are compared by their roots, 2 sqrt(n + 3/8), which chance alone moves by one whatever their size (Anscombe
    1948). So it is seen both that a small count is gone and that it came twice. Usual is the median of the weekdays; a
    day's surprise is its distance from that. It is unusual where it exceeds `limit` times the feed's own: 1.4826 median
    surprises of the `spread_days` before it, and no less than one.

    A season is no alarm: within a week of the same day of the year before no day was as unusual in the same direction.
    Nor is a lag: of the last `may_lag_days` those after the last row are not judged. A table is judged after `weeks`
    and half of `spread_days`, and while it has rows on at least half of its days.
    """

    days: int = 14
    weeks: int = 8
    spread_days: int = 56
    limit: float = 4
    may_lag_days: int = 0

    @classmethod
    def _query(cls, **given: Any) -> str:
        as_of = f"cast('{given['as_of']}' as date)"
        weeks, spread_days, limit = given["weeks"], given["spread_days"], given["limit"]
        history = given["days"] + YEAR + SEASON_DAYS + spread_days + 7 * weeks
        return f"""
with daily as (
    select {_day_of(given["column"], given["time_zone"])} as day_date, count(*) as count_rows
    from {{batch}} where {given["column"]} is not null group by 1
),
bounds as (
    select greatest(min(day_date), {as_of} - {history}) as first_date, max(day_date) as last_date
    from daily where day_date <= {as_of}
),
days as (
    select spine.day_date, coalesce(daily.count_rows, 0) as count_rows
    from (
        select cast(first_date + cast(place as integer) as date) as day_date
        from bounds cross join range({history + 1}) as places (place)
    ) as spine
    left join daily on spine.day_date = daily.day_date
    where spine.day_date <= {as_of}
),
usual as (
    select day_date, count_rows, median(count_rows) over weekdays as usual_rows, count(*) over weekdays as count_weeks
    from days
    window weekdays as (
        partition by dayofweek(day_date) order by day_date rows between {weeks} preceding and 1 preceding
    )
),
surprises as (
    select day_date, count_rows, 2 * (sqrt(count_rows + 0.375) - sqrt(usual_rows + 0.375)) as surprise
    from usual where count_weeks = {weeks}
),
spreads as (
    select day_date, surprise, median(abs(surprise)) over days_before as usual_surprise,
        count(*) over days_before as count_days, avg(least(count_rows, 1)) over days_before as share_of_days
    from surprises
    window days_before as (order by day_date rows between {spread_days} preceding and 1 preceding)
),
unusual as (
    select day_date, sign(surprise) as direction from spreads
    where count_days >= {spread_days} / 2 and share_of_days >= 0.5
        and abs(surprise) > {limit} * greatest(1, 1.4826 * usual_surprise)
)
select day_date from unusual cross join bounds
where day_date > {as_of} - {given["days"]}
    and (day_date <= last_date or day_date <= {as_of} - {given["may_lag_days"]})
    and not exists (
        select 1 from unusual as before
        where before.direction = unusual.direction
            and abs(unusual.day_date - {YEAR} - before.day_date) <= {SEASON_DAYS}
    )"""


class ExpectLastRowToBeRecent(_OverHistory):
    """The table has been silent for no longer than `multiple` times its longest silence of the year before, in days.

    A silence more than that multiple of the next longest is taken for an earlier fault and does not count. Fewer than
    `minimum_silences` in the year are filled up from the two years before; where they are still too few, the table has
    no rhythm to leave. A weekly feed is silent for six days each week.
    """

    multiple: float = 2
    days: int = YEAR
    minimum_days: int = 3
    minimum_silences: int = 8

    @classmethod
    def _query(cls, **given: Any) -> str:
        as_of = f"cast('{given['as_of']}' as date)"
        return f"""
with told_days as (
    select distinct {_day_of(given["column"], given["time_zone"])} as day_date from {{batch}}
    where {given["column"]} is not null
),
silences as (
    select day_date, day_date - lag(day_date) over (order by day_date) as gap_days,
        row_number() over (order by day_date desc) as place
    from told_days where day_date <= {as_of} and day_date > {as_of} - 3 * {given["days"]}
),
longest as (
    select max(gap_days, 2) as gaps, count(*) as count_silences from silences
    where gap_days is not null and (day_date > {as_of} - {given["days"]} or place <= {given["minimum_silences"]})
)
select last_date from (select max(day_date) as last_date from silences) as silence cross join longest
where count_silences >= {given["minimum_silences"]}
    and {as_of} - last_date > greatest(
        {given["minimum_days"]},
        {given["multiple"]}
        * case when gaps[1] > {given["multiple"]} * gaps[2] then gaps[2] else gaps[1] end
    )"""


class ExpectRecentValuesToBeUsual(_OverHistory):
    """The values of the last `days` are distributed like those of the year before, by the population stability index.

    Tenths of the earlier values for numbers, the values themselves for texts; half a row is added to each bin. The
    index may exceed `limit` by what chance does to it: with b bins and n and m rows it has the mean
    (b - 1) (1/n + 1/m) and about the spread of a chi-square (Yurdakul and Naranjo 2020); three of its deviations are
    allowed.
    """

    over: str = pydantic.Field(regex=NAME)
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
