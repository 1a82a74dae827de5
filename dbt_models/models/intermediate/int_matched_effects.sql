-- Grain: one row per comparison, kind of event, horizon and outcome: the mean of those to whom it happened, that of
-- others like them, and the difference. Strata weigh by their events, so it is the effect on those exposed.
{%- set amounts = matched_outcomes() %}
{%- for name in matching_levels() %}{% do amounts.update({name: name}) %}{% endfor %}
{%- set keys = ['comparison', 'exposure', 'horizon_days', 'outcome'] %}

with measured as (
    {%- for outcome, amount in amounts.items() %}
    select
        comparison,
        exposure,
        horizon_days,
        '{{ outcome }}' as outcome,
        stratum,
        customer_key,
        is_exposed,
        {{ as_money(amount) }} as amount
    from {{ ref('int_matched_follow_ups') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

strata as (
    select
        {{ keys | join(', ') }},
        stratum,
        count(*) filter (where is_exposed) as count_exposed,
        count(*) filter (where not is_exposed) as count_others,
        sum(amount) filter (where is_exposed) as total_exposed,
        {{ ratio('sum(amount) filter (where not is_exposed)', 'count(*) filter (where not is_exposed)') }}
            as mean_others,
        sum({{ product('amount', 'amount') }}) filter (where is_exposed) as total_exposed_squares
    from measured
    group by {{ keys | join(', ') }}, stratum
    having count(*) filter (where is_exposed) > 0 and count(*) filter (where not is_exposed) >= 2
),

-- sums of decimals, which are the same in any order
means as (
    select
        {{ keys | join(', ') }},
        sum(count_exposed) as count_exposed,
        sum(count_others) as count_others,
        sum(total_exposed) as total_exposed,
        {{ ratio('sum(total_exposed)', 'sum(count_exposed)') }} as mean_exposed,
        {{ ratio('sum(cast(count_exposed * mean_others as decimal(28, 8)))', 'sum(count_exposed)') }} as mean_others,
        {{ ratio('sum(total_exposed_squares)', 'sum(count_exposed)') }} as mean_exposed_square
    from strata
    group by {{ keys | join(', ') }}
),

-- what each customer adds to the estimate, by all states in which the customer stands
customer_parts as (
    select
        {{ columns_of('measured', keys) }},
        measured.customer_key,
        sum(cast(case
            when measured.is_exposed
                then cast(measured.amount as double) - strata.mean_others - (means.mean_exposed - means.mean_others)
            else
                -1.0 * strata.count_exposed / strata.count_others
                * (cast(measured.amount as double) - strata.mean_others)
                * sqrt(cast(strata.count_others as double) / (strata.count_others - 1))
        end as decimal(22, 6))) as part
    from measured
    inner join strata
        on {{ equal_columns('measured', 'strata', keys + ['stratum']) }}
    inner join means
        on {{ equal_columns('measured', 'means', keys) }}
    group by {{ columns_of('measured', keys) }}, measured.customer_key
),

errors as (
    select
        {{ keys | join(', ') }},
        count(*) as count_customers,
        sqrt(cast(sum(cast(part as decimal(22, 6)) * cast(part as decimal(22, 6))) as double)) as total_error
    from customer_parts
    group by {{ keys | join(', ') }}
)

select
    means.comparison,
    means.exposure,
    means.horizon_days,
    means.outcome,
    cast(means.count_exposed as bigint) as count_exposed,
    cast(means.count_others as bigint) as count_others,
    errors.count_customers,
    {{ as_money('means.total_exposed') }} as total_exposed,
    means.mean_exposed,
    means.mean_others,
    means.mean_exposed - means.mean_others as difference,
    {{ ratio('errors.total_error', 'means.count_exposed') }} as standard_error,
    sqrt(greatest(0, means.mean_exposed_square - means.mean_exposed * means.mean_exposed)) as deviation_exposed
from means
inner join errors
    on {{ equal_columns('means', 'errors', keys) }}
