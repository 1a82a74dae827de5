"""The difference between two versions, cause by cause and customer by customer; the parts add up exactly.

What belongs here: proving that both ends are the published numbers, and writing the two tables of parts. How the states
between the ends come about is in `states`, what each customer gives in each in `contributions`, how a difference is
taken apart in `exact_parts`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeAlias

import duckdb

from dagster_project.explaining.contributions import write_contributions
from dagster_project.explaining.exact_parts import AMOUNT_DIGITS, State, customer_parts, parts, rate, rounded
from dagster_project.explaining.headlines import HEADLINES, Headline
from dagster_project.explaining.recount import PERIODS
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.states import CAUSES, DEFINITIONS, STEPS, Comparison, write_states

METRIC_CHANGES = {
    "metric": "varchar not null",
    "period_type": "varchar not null",
    "unit": "varchar not null",
    "step": "integer not null",
    "cause": "varchar not null",
    "metric_value_before": "decimal(38, 12)",
    "metric_value_after": "decimal(38, 12)",
    "metric_value_change": "decimal(38, 12)",
    "part": "decimal(38, 12)",
    "numerator_change": "decimal(38, 4) not null",
    "denominator_change": "decimal(38, 4)",
    "count_customers": "bigint not null",
    "version_before": "varchar not null",
    "as_of_before_date": "date not null",
    "as_of_date": "date not null",
    "is_same_code": "boolean not null",
}
METRIC_CHANGE_CUSTOMERS = {
    "metric": "varchar not null",
    "period_type": "varchar not null",
    "cause": "varchar not null",
    "customer_key": "varchar",
    "numerator_change": "decimal(38, 4) not null",
    "denominator_change": "decimal(38, 4) not null",
    "part": "decimal(38, 12)",
}


NOTHING = (Decimal(0), Decimal(0))
Sums: TypeAlias = tuple[Decimal, Decimal]
"""A numerator and a denominator."""

PLAN_OF_STEPS = """
create or replace temp table anchors (
    metric varchar, period_type varchar, step integer, scale integer,
    anchor_numerator hugeint, anchor_denominator hugeint, reached_denominator hugeint
);
create or replace temp table told_steps (metric varchar, period_type varchar, state integer, step integer);
create or replace temp table unnamed (
    metric varchar, period_type varchar, state integer, customer_key varchar,
    numerator_change decimal(38, 4), denominator_change decimal(38, 4)
)"""
DELTAS = """(
    select metric, period_type, told_steps.step, customer_key,
        sum(numerator_change) as numerator_change, sum(denominator_change) as denominator_change
    from (select * from contributions where state > 0 union all by name from unnamed)
    inner join told_steps using (metric, period_type, state)
    group by all
    having sum(numerator_change) <> 0 or sum(denominator_change) <> 0
)"""


class NotExplained(RuntimeError):
    """A number cannot be explained; the message says what was found, what was expected and what to do."""


@dataclass(frozen=True)
class Change:
    """What one cause adds to a headline between two versions."""

    headline: Headline
    cause: str
    before: Decimal | None
    after: Decimal | None
    part: Decimal | None
    numerator_change: Decimal
    denominator_change: Decimal
    count_customers: int

    @property
    def difference(self) -> Decimal | None:
        """What the parts of all causes add up to; None where either version has no base."""
        return None if self.before is None or self.after is None else self.after - self.before


def explain_changes(
    con: duckdb.DuckDBPyConnection,
    compared: Comparison,
    rules: Rules,
    headlines: Sequence[Headline] = HEADLINES,
    rules_before: Rules | None = None,
) -> list[Change]:
    """Every headline's difference between two versions, one row per cause, zero where it changed nothing.

    Leaves the temporary table `customer_changes` (metric, period_type, step, customer_key, numerator_change,
    denominator_change, part) in the connection: the same, customer by customer.

    Args:
        con: holds both versions.
        compared: which they are.
        rules: of the later version.
        headlines: which numbers.
        rules_before: of the earlier version, where they may have been others: what they changed is then told customer
            by customer. Without them, and of what other code made, it is told of no customer.

    Raises:
        NotExplained: a recount of the later version is not what it tells, or one of the earlier is not although nothing
            in code and settings has changed.
    """
    write_states(con, compared)
    write_contributions(con, compared, rules, headlines, rules_before or rules)
    walked = {headline: _walk(con, compared, headline) for headline in headlines}
    _write_customer_changes(con, walked)
    found = [change for headline, states in walked.items() for change in _changes(con, headline, states)]
    _require_sums(con, found)
    return found


def _walk(con: duckdb.DuckDBPyConnection, compared: Comparison, headline: Headline) -> list[State]:
    """The states of a headline, from what the earlier version told to what the later tells; one a cause."""
    told_before, told_after = (
        _published(con, headline, catalogue, day)
        for catalogue, day in ((compared.earlier, compared.as_of_before), (compared.later, compared.as_of))
    )
    changes = _sums_by_state(con, headline)
    reached = State("recounted", *changes.get(0, NOTHING))
    if compared.is_same_code:
        _require(headline, "earlier", told_before, reached)
    states = [State("published", *(told_before or NOTHING))]
    for cause, step in STEPS.items():
        more, base = changes.get(step, NOTHING)
        reached = State(cause, reached.numerator + more, reached.denominator + base)
        states.append(reached)
    _require(headline, "later", told_after, reached)
    # before a shop's first valid order no period is told, whatever else it has
    states[-1] = reached if told_after else State(reached.cause, *NOTHING)
    return states


def _sums_by_state(con: duckdb.DuckDBPyConnection, headline: Headline) -> dict[int, Sums]:
    """Of state 0 the sums, of each other one its difference from the one before."""
    rows = con.execute(
        "select state, sum(numerator_change), sum(denominator_change) from contributions "
        "where metric = ? and period_type = ? group by state",
        [headline.metric, headline.period_type],
    ).fetchall()
    return {state: (numerator, denominator) for state, numerator, denominator in rows}


def _published(con: duckdb.DuckDBPyConnection, headline: Headline, catalogue: str, as_of: dt.date) -> Sums | None:
    """Numerator and denominator as a version tells them; zeros without a base, None where no metric has a period."""
    if headline.published:
        [(total,)] = con.execute(headline.published.format(catalogue=catalogue)).fetchall()
        return Decimal(total), Decimal(0)
    months = PERIODS.get(headline.period_type)
    start = "period_start"  # of the trailing window and of the lifetime there is one
    if months:
        start = f"date_trunc('{headline.period_type}', date '{as_of}' + 1) - interval {months} month"
    rows = con.execute(
        f"""
        select coalesce(numerator, 0), coalesce(denominator, 0)
        from {catalogue}.marts.loyalty_metrics
        where metric = ? and period_type = ? and period_start = {start}
            and segment_type = 'all' and status <> 'no_source'
        """,
        [headline.metric, headline.period_type],
    ).fetchall()
    [(has_periods,)] = con.execute(f"select count(*) > 0 from {catalogue}.marts.loyalty_metrics").fetchall()
    return rows[0] if rows else NOTHING if has_periods else None


def _require(headline: Headline, side: str, told: Sums | None, recounted: State) -> None:
    found = (recounted.numerator, recounted.denominator)
    if told is None:
        return
    if told[0] != found[0] or (told[1] != found[1] and not headline.is_total):
        raise NotExplained(
            f"{headline.metric} ({headline.period_type}): the {side} version tells {_ratio(told)}, its published "
            f"orders and answers give {_ratio(found)}; the definition has changed without its line in "
            "explaining/headlines.py"
        )


def _ratio(sums: Sums) -> str:
    return " / ".join(f"{amount.normalize():f}" for amount in sums)


def _write_customer_changes(con: duckdb.DuckDBPyConnection, walked: Mapping[Headline, list[State]]) -> None:
    """Each customer's part of each cause; a step that leaves no base passes its changes on to the next that has one."""
    con.execute(PLAN_OF_STEPS)
    for headline, states in walked.items():
        name = [headline.metric, headline.period_type]
        recounted = _sums_by_state(con, headline).get(0, NOTHING)
        unnamed = [recounted[0] - states[0].numerator, recounted[1] - states[0].denominator]
        con.execute("insert into unnamed values (?, ?, ?, null, ?, ?)", [*name, DEFINITIONS, *unnamed])
        told = len(CAUSES)
        for part in reversed(parts(states, headline.scale, is_total=headline.is_total)):
            step = STEPS[part.cause]
            told = step if part.is_told else told
            con.execute("insert into told_steps values (?, ?, ?, ?)", [*name, step, told])
            if part.is_told and part.change is not None:
                bases = [1, 1] if headline.is_total else [int(part.anchor.denominator), int(part.reached.denominator)]
                amount = int(part.anchor.numerator.scaleb(AMOUNT_DIGITS))
                con.execute(
                    "insert into anchors values (?, ?, ?, ?, ?, ?, ?)", [*name, step, headline.scale, amount, *bases]
                )
    con.execute(f"create or replace temp table customer_changes as {customer_parts(DELTAS, 'anchors')}")


def _changes(con: duckdb.DuckDBPyConnection, headline: Headline, states: list[State]) -> list[Change]:
    counts = dict(
        con.execute(
            "select step, count(customer_key) from customer_changes where metric = ? and period_type = ? group by step",
            [headline.metric, headline.period_type],
        ).fetchall()
    )
    ends = [rate(state, headline.scale, is_total=headline.is_total) for state in (states[0], states[-1])]
    before, after = (None if end is None else rounded(end) for end in ends)
    return [
        Change(
            headline=headline,
            cause=part.cause,
            before=before,
            after=after,
            part=part.change,
            numerator_change=later.numerator - earlier.numerator,
            denominator_change=later.denominator - earlier.denominator,
            count_customers=counts.get(STEPS[part.cause], 0),
        )
        for part, earlier, later in zip(
            parts(states, headline.scale, is_total=headline.is_total), states, states[1:], strict=False
        )
    ]


def _require_sums(con: duckdb.DuckDBPyConnection, found: list[Change]) -> None:
    """Customers' parts add up to each cause's part, to the last digit."""
    sums = {
        (metric, period, step): total
        for metric, period, step, total in con.execute(
            "select metric, period_type, step, sum(part) from customer_changes group by all"
        ).fetchall()
    }
    for change in found:
        key = (change.headline.metric, change.headline.period_type, STEPS[change.cause])
        if change.part is not None and sums.get(key, 0) != change.part:
            raise NotExplained(
                f"{key[0]} ({key[1]}): customers' parts of {change.cause} add up to {sums.get(key, 0)}, the "
                f"cause's part is {change.part}; this is a fault of explaining/exact_parts.py"
            )
