{#- How customers to whom something happened are compared with others like them: coarsened exact matching (Iacus, King
    and Porro 2012) at the day of the event, on recency, frequency, monetary value and tenure, in the same month. -#}

{#- Days for which customers are followed after an event. -#}
{% macro follow_up_horizons() -%}{{ return([90, 180, 365]) }}{%- endmacro %}

{#- What must be alike, and where it is cut: shares of that month's customers, ties together. Cuts lie closest where
    customers differ most in what they do next: soon after an order, and among those who buy most. -#}
{% macro matching_levels() -%}
    {{ return({
        'days_since_last_order': [0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8],
        'count_occasions_before': [0.33, 0.66, 0.85, 0.95],
        'total_net_before': [0.4, 0.8, 0.95],
        'tenure_days': [0.33, 0.66],
    }) }}
{%- endmacro %}

{#- Somebody to compare with, at most, for each customer to whom it happened; more would add little precision. -#}
{% macro comparisons_per_event() -%}{{ return(5) }}{%- endmacro %}

{#- How many events of a kind are followed, and how many days of others stand ready to be compared with them, of a shop
    with more: drawn by their keys, the same share of every month, so that a larger shop is followed as a smaller one
    is. A share among 20,000 events is exact to less than a point. -#}
{% macro most_events_followed() -%}{{ return(20000) }}{%- endmacro %}

{% macro most_states_compared() -%}{{ return(1000000) }}{%- endmacro %}

{#- Whether a drawn number is among so many of a count. -#}
{% macro is_among_drawn(draw, most, count) -%}
    {{ draw }} * cast({{ count }} as bigint) < cast({{ most }} as bigint) * {{ count_drawn_numbers() }}
{%- endmacro %}

{#- What is compared, of a follow-up: outcome -> amount. Changes are set against the same number of days before. -#}
{% macro matched_outcomes() -%}
    {{ return({
        'repurchase_share': 'case when count_occasions_after > 0 then 1 else 0 end',
        'net_per_customer': 'total_net_after',
        'referral_share': 'case when count_referrals_after > 0 then 1 else 0 end',
        'lapse_share': 'case when is_lapsed_after then 1 else 0 end',
        'net_change': 'total_net_after - total_net_earlier',
        'occasion_change': 'count_occasions_after - count_occasions_earlier',
        'member_days': 'count_member_days_after',
    }) }}
{%- endmacro %}

{#- Whether the follow-up of a month is over: that of its last day, so that all whom the month holds are followed. -#}
{% macro is_followed(month_start, horizon_days) -%}
    {{ dbt.dateadd('day', horizon_days, dbt.dateadd('month', 1, month_start)) }}
    <= {{ dbt.dateadd('day', 1, as_of_date()) }}
{%- endmacro %}

{#- Whether an occasion, with its order_date and next_order_date, is its customer's last by a day. -#}
{% macro is_last_occasion_by(occasions, states, date) -%}
    {{ states }}.customer_key = {{ occasions }}.customer_key
            and {{ occasions }}.order_date <= {{ date }}
            and ({{ occasions }}.next_order_date is null or {{ occasions }}.next_order_date > {{ date }})
{%- endmacro %}

{#- Occasions with the net of their customer up to and with each. -#}
{% macro occasions_adding_up() -%}
    select
        customer_key,
        order_date,
        next_order_date,
        first_order_date,
        occasion_number,
        expected_gap_days,
        sum(total_net) over (
            partition by customer_key order by occasion_number asc rows between unbounded preceding and current row
        ) as total_net_up_to
    from {{ ref('int_occasions_paced') }}
{%- endmacro %}

{#- Instruments whose answers are set against what customers do. -#}
{% macro compared_instruments() -%}{{ return(['nps', 'nps_transactional', 'csat', 'cli', 'review']) }}{%- endmacro %}

{#- How much too early a placebo is told. -#}
{% macro placebo_days() -%}{{ return(180) }}{%- endmacro %}

{#- The number of a month and of a combination of levels; `cuts` has the bounds between levels of that month. -#}
{% macro stratum_of(states, cuts) -%}
    {%- set written = namespace(
        sql=dbt.datediff("cast('2000-01-01' as date)", states ~ '.month_start', 'month')
    ) -%}
    {%- for name, shares in matching_levels().items() -%}
        {%- set steps = [] -%}
        {%- for _ in shares -%}
            {%- do steps.append(
                'case when ' ~ states ~ '.' ~ name ~ ' > ' ~ cuts ~ '.' ~ name ~ '_' ~ loop.index ~ ' then 1 else 0 end'
            ) -%}
        {%- endfor -%}
        {%- set written.sql = '(' ~ written.sql ~ ') * ' ~ (shares | length + 1) ~ ' + ' ~ steps | join(' + ') -%}
    {%- endfor -%}
    cast({{ written.sql }} as bigint)
{%- endmacro %}

{#- Horizons as rows, column horizon_days. -#}
{% macro horizons_in_rows() -%}
    {%- for days in follow_up_horizons() %}
    select cast({{ days }} as bigint) as horizon_days
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The limit, in standard deviations, above which those compared are not alike (Rubin 2001; Stuart 2010). -#}
{% macro largest_imbalance_allowed() -%}{{ return(0.25) }}{%- endmacro %}

{#- The effects of some comparisons as they are told: one row per kind of event that there was, horizon and outcome,
    with a verdict. Writes CTEs; the last is called told, and ends without a comma. -#}
{% macro told_effects_ctes(comparisons, outcomes) -%}
    {%- set keys = ['comparison', 'exposure', 'horizon_days'] -%}
events as (
    select
        events.comparison,
        events.exposure,
        horizons.horizon_days,
        count(*) filter (where {{ is_followed('events.month_start', 'horizons.horizon_days') }}) as count_events
    from {{ ref('int_compared_events') }} as events
    cross join (
        {{ horizons_in_rows() }}
    ) as horizons
    where events.comparison in ({{ "'" ~ comparisons | join("', '") ~ "'" }})
    group by events.comparison, events.exposure, horizons.horizon_days
),

imbalances as (
    select
        {{ keys | join(', ') }},
        max(abs({{ ratio('difference', 'deviation_exposed') }})) as largest_imbalance
    from {{ ref('int_matched_effects') }}
    where outcome in ({{ "'" ~ matching_levels().keys() | join("', '") ~ "'" }})
    group by {{ keys | join(', ') }}
),

wanted as (
    select
        events.*,
        outcomes.outcome
    from events
    cross join (
        {%- for outcome in outcomes %}
        select '{{ outcome }}' as outcome
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as outcomes
),

told as (
    select
        wanted.comparison,
        wanted.exposure,
        wanted.horizon_days,
        wanted.outcome,
        wanted.count_events,
        coalesce(effects.count_exposed, 0) as count_matched,
        coalesce(effects.count_others, 0) as count_others,
        effects.mean_exposed,
        effects.mean_others,
        effects.difference,
        effects.difference - 1.959963984540054 * effects.standard_error as ci_low,
        effects.difference + 1.959963984540054 * effects.standard_error as ci_high,
        imbalances.largest_imbalance,
        case
            when wanted.outcome = 'referral_share' and present.feed is null
                then 'no source: this shop delivers no referrals'
            when wanted.count_events = 0 then 'no follow-up is over'
            when coalesce(effects.count_exposed, 0) < {{ var('minimum_base') }}
                then 'fewer matched events than definitions.minimum_base'
            when imbalances.largest_imbalance > {{ largest_imbalance_allowed() }}
                then 'those compared were not alike before'
        end as verdict_reason
    from wanted
    left join {{ ref('int_matched_effects') }} as effects
        on {{ equal_columns('wanted', 'effects', keys + ['outcome']) }}
    left join imbalances
        on {{ equal_columns('wanted', 'imbalances', keys) }}
    left join {{ ref('int_feeds_present') }} as present on present.feed = 'referrals'
)
{%- endmacro %}

{#- What a difference says: null verdict_reason is room to say something. -#}
{% macro effect_verdict(told) -%}
    case
        when {{ told }}.verdict_reason is not null then 'cannot_say'
        when {{ told }}.ci_low > 0 then 'higher'
        when {{ told }}.ci_high < 0 then 'lower'
        else 'no_difference_seen'
    end
{%- endmacro %}

{#- Columns of a relation, as a select list or a group by takes them. -#}
{% macro columns_of(relation, columns) -%}
    {{ return(relation ~ '.' ~ columns | join(', ' ~ relation ~ '.')) }}
{%- endmacro %}

{#- That two relations agree in some columns. -#}
{% macro equal_columns(left, right, columns) -%}
    {%- set written = [] -%}
    {%- for name in columns -%}{%- do written.append(left ~ '.' ~ name ~ ' = ' ~ right ~ '.' ~ name) -%}{%- endfor -%}
    {{ return(written | join(' and ')) }}
{%- endmacro %}
