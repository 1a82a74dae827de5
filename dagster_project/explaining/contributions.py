"""What each customer gives to each headline in each state between two versions.

What belongs here: orders, answers and predictions counted in every state, under the rules of either version. What does
not: which states there are (`states`), what a change of sums makes of a rate (`exact_parts`).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from dagster_project.explaining.headlines import Headline
from dagster_project.explaining.recount import recount
from dagster_project.explaining.rules import Rules
from dagster_project.explaining.states import DEFINITIONS, ROLL, Comparison


def write_contributions(
    con: duckdb.DuckDBPyConnection,
    compared: Comparison,
    rules: Rules,
    headlines: Sequence[Headline],
    rules_before: Rules,
) -> None:
    """What changes in each state: of state 0 the sums, of each later one every customer's difference from before.

    Makes the temporary table `contributions` (metric, period_type, state, customer_key, numerator_change,
    denominator_change); needs those of `write_states`.

    Args:
        con: holds both versions.
        compared: which they are.
        rules: of the later version.
        headlines: which numbers.
        rules_before: of the earlier version.
    """
    ruled = _other_rules(headlines, rules_before, rules) if rules_before != rules else ""
    predicted = _predictions(con, compared) if any(one.grain == "predictions" for one in headlines) else ""
    con.execute(
        f"""
        create or replace temp table contributions as
        select metric, period_type, state, case when state > 0 then customer_key end as customer_key,
            cast(sum(numerator) as decimal(38, 4)) as numerator_change,
            cast(sum(denominator) as decimal(38, 4)) as denominator_change
        from (
            select counted.metric, counted.period_type, counted.customer_key,
                case when signs.sign > 0 then counted.state
                    when touched.unit is null then states.untouched_until
                    else states.touched_until end as state,
                signs.sign * counted.numerator as numerator,
                signs.sign * counted.denominator as denominator
            from ({recount(headlines, rules)}) as counted
            inner join states on counted.state = states.state
            left join touched on counted.unit = touched.unit
            cross join (values (1), (-1)) as signs (sign)
            {ruled}
            {predicted}
        )
        where state is not null
        group by all
        having sum(numerator) <> 0 or sum(denominator) <> 0
        """
    )


def _other_rules(headlines: Sequence[Headline], before: Rules, after: Rules) -> str:
    """State 0 as the rules of its time count it, and what the later rules make of it as a matter of definitions."""
    sides = ((before, "", 0), (before, "-", DEFINITIONS), (after, "-", 0), (after, "", DEFINITIONS))
    return "".join(
        f"""
            union all
            select metric, period_type, customer_key, {state}, {sign}numerator, {sign}denominator
            from ({recount(headlines, rules)})
            where state = 0"""
        for rules, sign, state in sides
    )


def _predictions(con: duckdb.DuckDBPyConnection, compared: Comparison) -> str:
    """Predictions change with the first cause that touches their customer; of the others, with what touched all.

    Models are fitted on all customers, so everybody's prediction moves a little: with the code if that has changed,
    else with the day, else with the first rows that differ.
    """
    [(first,)] = con.execute("select min(state) from states where state > 0").fetchall()
    usual = DEFINITIONS if not compared.is_same_code else first or ROLL
    usual = ROLL if compared.is_same_code and compared.as_of > compared.as_of_before else usual
    prediction = "cast(coalesce(predicted_clv, 0) as decimal(18, 4))"
    sides = ((compared.earlier, "", "0"), (compared.earlier, "-", "step"), (compared.later, "", "step"))
    return "".join(
        f"""
        union all
        select 'predicted_clv', 'horizon', customer_key, {state}, {sign}amount, 0
        from (
            select clv.customer_key, {prediction} as amount, coalesce(touched.first_step, {usual}) as step
            from {catalogue}.models.customer_clv as clv
            left join touched on clv.customer_key = touched.unit
        )"""
        for catalogue, sign, state in sides
    )
