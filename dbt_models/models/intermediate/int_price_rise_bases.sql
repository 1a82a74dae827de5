-- Grain: one row per base: customers who bought what was to rise, and who of them came back, over the rise and
-- up to it.
with by_customer as (
    select
        {%- for window in price_rise_windows() %}
        count(*) filter (where rise_window = '{{ window }}') as count_buyers_{{ window }},
        count(*) filter (where rise_window = '{{ window }}' and has_returned) as count_returned_{{ window }},
        {%- endfor %}
        customer_key
    from {{ ref('int_price_rise_buyers') }}
    where has_bought_what_rises
    group by customer_key
),

in_lifetime as (
    select
        periods.period_type,
        periods.period_start,
        by_customer.*
    from by_customer
    cross join {{ ref('int_metric_periods') }} as periods
    where periods.period_type = 'lifetime'
),

sums as (
    {{ bases_by_segment('in_lifetime', [], price_rise_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', price_rise_bases()) }}
