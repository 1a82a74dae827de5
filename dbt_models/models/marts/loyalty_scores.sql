-- Grain: one row per customer with a valid order: how loyal by what the customer does, says and spends, 0 to 100. A
-- pillar about which nothing is known is null and left out of the whole, never taken for average.
with answers as (
    select
        customer_key,
        max(score_0_100) filter (where instrument = 'nps') as nps_answer,
        max(score_0_100) filter (where instrument = 'csat') as csat_answer,
        max(score_0_100) filter (where instrument = 'cli') as loyalty_index_answer
    from (
        select
            customer_key,
            case when {{ is_nps('instrument') }} then 'nps' else instrument end as instrument,
            cast(score_0_100 as double) as score_0_100,
            row_number() over (
                partition by customer_key, case when {{ is_nps('instrument') }} then 'nps' else instrument end
                order by submitted_at desc nulls last, feedback_key desc
            ) as place
        from {{ ref('int_answer_sheets') }}
        where
            customer_key is not null
            and (instrument in ('csat', 'cli') or {{ is_nps('instrument') }})
            and feedback_date > {{ active_window_starts_after() }}
    ) as recent
    where place = 1
    group by customer_key
),

complaints as (
    select
        customer_key,
        count(*) as count_open_severe_complaints
    from {{ ref('fct_support_contacts') }}
    where is_complaint and severity = 'high' and not is_resolved and customer_key is not null
    group by customer_key
),

facts as (
    select
        customers.customer_key,
        states.silence_in_expected_gaps,
        customers.count_occasions_in_window,
        customers.total_net_in_window,
        answers.nps_answer,
        answers.csat_answer,
        answers.loyalty_index_answer,
        coalesce(complaints.count_open_severe_complaints, 0) as count_open_severe_complaints
    from {{ ref('fct_customers') }} as customers
    inner join {{ ref('lifecycle_states') }} as states on customers.customer_key = states.customer_key
    left join answers on customers.customer_key = answers.customer_key
    left join complaints on customers.customer_key = complaints.customer_key
    where customers.count_occasions >= 1
),

items as (
    select
        {%- for items in score_pillars().values() %}
        {%- for name, item in items.items() %}
        {{ item_points(name, item) }} as points_{{ name }},
        {%- endfor %}
        {%- endfor %}
        facts.customer_key,
        facts.count_open_severe_complaints
    from facts
),

pillars as (
    select
        {%- for pillar, items in score_pillars().items() %}
        {{ mean_of_items(items) }} as {{ pillar }},
        {%- endfor %}
        items.customer_key,
        items.count_open_severe_complaints
    from items
),

whole as (
    select
        *,
        {{ mean_of_present({'behavioural': 1, 'emotional': 1, 'financial': 1}) }} as overall,
        cast(
            case when behavioural is null then 0 else 1 end
            + case when emotional is null then 0 else 1 end
            + case when financial is null then 0 else 1 end as bigint
        ) as count_pillars
    from pillars
)

select
    customer_key,
    behavioural as score_behavioural,
    emotional as score_emotional,
    financial as score_financial,
    case
        when count_open_severe_complaints > 0 then least(overall, {{ var('score_cap_with_complaint') }})
        else overall
    end as score_overall,
    count_pillars,
    {{ ratio('count_pillars', 3) }} as coverage_share,
    count_open_severe_complaints,
    count_open_severe_complaints > 0 and overall > {{ var('score_cap_with_complaint') }} as is_capped
from whole
