{#- Where each customer stands at the end of each of some days: the last occasion by then, the latest NPS band, whether
    the loyal rule holds, and the state of the life cycle. Needs CTEs of that name with standing and standing_date.
    A customer without an occasion by then has no row. -#}
{% macro standings_at(dates) -%}
    select
        dates.standing,
        dates.standing_date,
        occasions.customer_key,
        occasions.first_order_date,
        occasions.order_date as last_order_date,
        occasions.occasion_number as count_occasions,
        {{ dbt.datediff('occasions.order_date', 'dates.standing_date', 'day') }} as days_since_last_order,
        occasions.own_gap_days,
        occasions.expected_gap_days,
        answers.band as last_nps_band,
        coalesce(
            {{ dbt.datediff('occasions.loyal_since_date', 'dates.standing_date', 'day') }}
            < {{ var('active_window_days') }}
            and {{ dbt.datediff('occasions.order_date', 'dates.standing_date', 'day') }}
            <= {{ var('loyal_gap_multiple') }} * occasions.own_gap_days
            and coalesce(answers.band, '') <> 'detractor',
            false
        ) as is_loyal,
        {{ lifecycle_state('occasions', 'dates.standing_date', 'answers.band') }} as lifecycle_state,
        occasions.count_win_backs + case
            when {{ dbt.datediff('occasions.order_date', 'dates.standing_date', 'day') }}
                > {{ var('lapsed_gap_multiple') }} * occasions.expected_gap_days
                then 1
            else 0
        end as count_lapses
    from {{ ref('int_occasions_paced') }} as occasions
    inner join {{ dates }} as dates
        on
            occasions.order_date <= dates.standing_date
            and (occasions.next_order_date is null or occasions.next_order_date > dates.standing_date)
    left join (
        select
            customer_key,
            band,
            feedback_date,
            lead(feedback_date) over (
                partition by customer_key order by feedback_date asc, submitted_at asc nulls first, feedback_key asc
            ) as next_feedback_date
        from {{ ref('fct_feedback') }}
        where {{ is_nps('instrument') }} and band is not null and customer_key is not null and feedback_date is not null
    ) as answers
        on
            occasions.customer_key = answers.customer_key
            and dates.standing_date >= answers.feedback_date
            and (answers.next_feedback_date is null or answers.next_feedback_date > dates.standing_date)
{%- endmacro %}

{#- The state of the life cycle at the end of a day, from the last occasion by then. A pause leads out of a state, and
    only a purchase leads back: the expected gap is the one known at the last occasion. -#}
{% macro lifecycle_state(occasion, date, nps_band) -%}
    {%- set days_silent = dbt.datediff(occasion ~ '.order_date', date, 'day') -%}
    case
        when
            {{ occasion }}.occasion_number = 1 and {{ days_silent }} <= {{ var('new_customer_days') }}
            then 'new'
        when {{ days_silent }} > {{ var('lapsed_gap_multiple') }} * {{ occasion }}.expected_gap_days then 'lapsed'
        when {{ days_silent }} > {{ var('at_risk_gap_multiple') }} * {{ occasion }}.expected_gap_days then 'at_risk'
        when
            {{ dbt.datediff(occasion ~ '.last_win_back_date', date, 'day') }} <= {{ var('won_back_days') }}
            then 'won_back'
        when {{ occasion }}.occasion_number <= 2 then 'early'
        when
            {{ occasion }}.keeps_loyal_pace
            and {{ dbt.datediff(occasion ~ '.kept_since_date', date, 'day') }} < {{ var('active_window_days') }}
            and coalesce({{ nps_band }}, '') <> 'detractor'
            then 'loyal'
        else 'developing'
    end
{%- endmacro %}

{#- A quintile in which equals share a score: 1 for the least, 5 for the most. percent_rank reaches 1, hence least. -#}
{% macro quintile_score(order, partition=none) -%}
    cast(least(5, 1 + floor(5 * percent_rank() over (
        {{ 'partition by ' ~ partition if partition }} order by {{ order }} nulls last
    ))) as integer)
{%- endmacro %}
