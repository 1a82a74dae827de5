-- Grain: one row per customer with a valid order; equal customers share a score.
with ranked as (
    select
        customer_key,
        days_since_last_order,
        count_occasions_in_window,
        total_net_in_window,
        least(5, 1 + floor(5 * percent_rank() over (order by days_since_last_order desc nulls last))) as recency_score,
        least(5, 1 + floor(5 * percent_rank() over (order by count_occasions_in_window asc nulls last)))
            as frequency_score,
        least(5, 1 + floor(5 * percent_rank() over (order by total_net_in_window asc nulls last))) as monetary_score
    from {{ ref('fct_customers') }}
    where count_occasions >= 1
),

scored as (
    select
        customer_key,
        days_since_last_order,
        count_occasions_in_window,
        total_net_in_window,
        cast(recency_score as integer) as recency_score,
        cast(frequency_score as integer) as frequency_score,
        cast(monetary_score as integer) as monetary_score,
        cast(floor((frequency_score + monetary_score) / 2.0 + 0.5) as integer) as frequency_monetary_score
    from ranked
)

select
    scored.customer_key,
    scored.days_since_last_order,
    scored.count_occasions_in_window,
    scored.total_net_in_window,
    scored.recency_score,
    scored.frequency_score,
    scored.monetary_score,
    scored.frequency_monetary_score,
    segment_map.segment
from scored
left join {{ ref('rfm_segment_map') }} as segment_map
    on
        scored.recency_score = segment_map.recency_score
        and scored.frequency_monetary_score = segment_map.frequency_monetary_score
