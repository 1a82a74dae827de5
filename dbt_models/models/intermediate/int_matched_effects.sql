-- Grain: one row per comparison, kind of event, horizon and outcome: the mean of those to whom it happened, that of
-- others like them, and the difference. Strata weigh by their events, so it is the effect on those exposed. Outcomes
-- stand side by side until the end: a row of each would be as many times the rows that hold a customer's part.
{%- set amounts = matched_outcomes() %}
{%- for name in matching_levels() %}{% do amounts.update({name: name}) %}{% endfor %}
{%- set keys = ['comparison', 'exposure', 'horizon_days'] %}

with measured as (
    select
        {%- for outcome, amount in amounts.items() %}
        {{ as_money(amount) }} as amount_{{ loop.index }},
        {%- endfor %}
        {{ keys | join(', ') }},
        stratum,
        customer_key,
        is_exposed
    from {{ ref('int_matched_follow_ups') }}
),

strata as (
    select
        {%- for _ in amounts %}
        {%- set amount = 'amount_' ~ loop.index %}
        sum({{ amount }}) filter (where is_exposed) as total_exposed_{{ loop.index }},
        {{ ratio('sum(' ~ amount ~ ') filter (where not is_exposed)', 'count(*) filter (where not is_exposed)') }}
            as mean_others_{{ loop.index }},
        sum({{ product(amount, amount) }}) filter (where is_exposed) as total_exposed_squares_{{ loop.index }},
        {%- endfor %}
        {{ keys | join(', ') }},
        stratum,
        count(*) filter (where is_exposed) as count_exposed,
        count(*) filter (where not is_exposed) as count_others
    from measured
    group by {{ keys | join(', ') }}, stratum
    having count(*) filter (where is_exposed) > 0 and count(*) filter (where not is_exposed) >= 2
),

-- sums of decimals, which are the same in any order
means as (
    select
        {%- for _ in amounts %}
        sum(total_exposed_{{ loop.index }}) as total_exposed_{{ loop.index }},
        {{ ratio('sum(total_exposed_' ~ loop.index ~ ')', 'sum(count_exposed)') }} as mean_exposed_{{ loop.index }},
        {{ ratio(
            'sum(cast(count_exposed * mean_others_' ~ loop.index ~ ' as decimal(28, 8)))', 'sum(count_exposed)'
        ) }} as mean_others_{{ loop.index }},
        {{ ratio('sum(total_exposed_squares_' ~ loop.index ~ ')', 'sum(count_exposed)') }}
            as mean_exposed_square_{{ loop.index }},
        {%- endfor %}
        {{ keys | join(', ') }},
        sum(count_exposed) as count_exposed,
        sum(count_others) as count_others
    from strata
    group by {{ keys | join(', ') }}
),

-- what each customer adds to the estimates, by all states in which the customer stands
customer_parts as (
    select
        {%- for _ in amounts %}
        sum(cast(case
            when measured.is_exposed
                then
                    cast(measured.amount_{{ loop.index }} as double) - strata.mean_others_{{ loop.index }}
                    - (means.mean_exposed_{{ loop.index }} - means.mean_others_{{ loop.index }})
            else
                -1.0 * strata.count_exposed / strata.count_others
                * (cast(measured.amount_{{ loop.index }} as double) - strata.mean_others_{{ loop.index }})
                * sqrt(cast(strata.count_others as double) / (strata.count_others - 1))
        end as decimal(22, 6))) as part_{{ loop.index }},
        {%- endfor %}
        {{ columns_of('measured', keys) }},
        measured.customer_key
    from measured
    inner join strata
        on {{ equal_columns('measured', 'strata', keys + ['stratum']) }}
    inner join means
        on {{ equal_columns('measured', 'means', keys) }}
    group by {{ columns_of('measured', keys) }}, measured.customer_key
),

errors as (
    select
        {%- for _ in amounts %}
        {%- set part = 'cast(part_' ~ loop.index ~ ' as decimal(22, 6))' %}
        sqrt(cast(sum({{ part }} * {{ part }}) as double)) as total_error_{{ loop.index }},
        {%- endfor %}
        {{ keys | join(', ') }},
        count(*) as count_customers
    from customer_parts
    group by {{ keys | join(', ') }}
)

{%- for outcome in amounts %}
select
    means.comparison,
    means.exposure,
    means.horizon_days,
    '{{ outcome }}' as outcome,
    cast(means.count_exposed as bigint) as count_exposed,
    cast(means.count_others as bigint) as count_others,
    errors.count_customers,
    {{ as_money('means.total_exposed_' ~ loop.index) }} as total_exposed,
    means.mean_exposed_{{ loop.index }} as mean_exposed,
    means.mean_others_{{ loop.index }} as mean_others,
    means.mean_exposed_{{ loop.index }} - means.mean_others_{{ loop.index }} as difference,
    {{ ratio('errors.total_error_' ~ loop.index, 'means.count_exposed') }} as standard_error,
    sqrt(greatest(
        0,
        means.mean_exposed_square_{{ loop.index }}
        - means.mean_exposed_{{ loop.index }} * means.mean_exposed_{{ loop.index }}
    )) as deviation_exposed
from means
inner join errors
    on {{ equal_columns('means', 'errors', keys) }}
{{ 'union all' if not loop.last }}
{%- endfor %}
