-- Grain: one row per duration, quantile, period and segment, by Kaplan and Meier (1958): what is still open counts as
-- at least that long. Intervals invert the log(-log) bounds of Greenwood's variance (Brookmeyer and Crowley 1982).
-- noqa: disable=PRS,ST03
with gaps as (
    select
        customer_key,
        order_date,
        coalesce(
            {{ dbt.datediff('order_date', 'next_order_date', 'day') }},
            {{ dbt.datediff('order_date', as_of_date(), 'day') }}
        ) as gap_days,
        next_order_date is not null as is_closed
    from {{ ref('int_customer_occasions') }}
),

gaps_in_periods as (
    select
        periods.period_type,
        periods.period_start,
        gaps.customer_key,
        'purchase_gap_days' as duration,
        cast(gaps.gap_days as double) as duration_length,
        gaps.is_closed,
        not gaps.is_closed as is_subject,  -- each customer has one open gap
        segments.{{ customer_segment_types() | join(',\n        segments.') }}
    from gaps
    inner join {{ ref('int_customer_segments') }} as segments on gaps.customer_key = segments.customer_key
    inner join {{ ref('int_metric_periods') }} as periods
        on periods.period_type in ('lifetime', 'trailing_window') and gaps.order_date >= periods.period_start
),

waits as (
    {%- for step in ['first_reply', 'resolution'] %}
    {%- for clock in ['business_hours', 'calendar_hours'] %}
    select
        contact_key,
        opened_date,
        coalesce(channel, 'unknown') as contact_channel,
        '{{ step }}_{{ clock }}' as duration,
        coalesce({{ step }}_{{ clock }}, waited_{{ clock }}) as duration_length,
        {{ step }}_{{ clock }} is not null as is_closed,
        true as is_subject
    from {{ ref('fct_support_contacts') }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

waits_in_periods as (
    select
        periods.period_type,
        periods.period_start,
        waits.duration,
        waits.duration_length,
        waits.is_closed,
        waits.is_subject,
        waits.contact_channel
    from waits
    inner join {{ ref('int_metric_periods') }} as periods
        on
            periods.period_type <> 'day'
            and waits.opened_date >= periods.period_start
            and waits.opened_date < periods.period_end
),

counted as (
    {%- set keys = 'duration, period_type, period_start, duration_length' %}
    {%- for rows, segment_types in [
        ['gaps_in_periods', customer_segment_types()], ['waits_in_periods', ['contact_channel']]
    ] %}
    select
        duration,
        period_type,
        period_start,
        duration_length,
        {{ grouped_segment_type(segment_types) }} as segment_type,
        {{ grouped_segment(segment_types) }} as segment,
        count(*) as count_begun,
        count(*) filter (where is_closed) as count_closed,
        count(*) filter (where is_subject) as count_subjects
    from {{ rows }}
    group by {{ grouped_by_segments(keys, segment_types) }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

at_risk as (
    select
        *,
        sum(count_begun) over longest_first as count_at_risk,
        sum(count_begun) over whole as count_all,
        sum(count_closed) over whole as count_all_closed,
        sum(count_subjects) over whole as count_all_subjects
    from counted
    window
        longest_first as (
            partition by duration, period_type, period_start, segment_type, segment
            order by duration_length desc
        ),
        whole as (partition by duration, period_type, period_start, segment_type, segment)
),

surviving as (
    select
        *,
        -- a step to zero has no logarithm: it is carried as its own flag
        sum(case when count_closed < count_at_risk then ln(1 - count_closed / cast(count_at_risk as double)) end)
            over shortest_first as log_share,
        max(case when count_closed = count_at_risk then 1 else 0 end) over shortest_first as is_exhausted,
        sum(case
            when count_closed < count_at_risk
                then count_closed / (cast(count_at_risk as double) * (count_at_risk - count_closed))
        end) over shortest_first as greenwood
    from at_risk
    window
        shortest_first as (
            partition by duration, period_type, period_start, segment_type, segment
            order by duration_length asc
        )
),

bounded as (
    select
        *,
        case when is_exhausted = 1 then 0 else exp(log_share) end as share_open,
        case
            when is_exhausted = 1 then 0
            when log_share < 0
                then exp(log_share * exp(1.959963984540054 * sqrt(greenwood) / abs(log_share)))
            else 1
        end as share_low,
        case
            when is_exhausted = 1 then 0
            when log_share < 0
                then exp(log_share * exp(-1.959963984540054 * sqrt(greenwood) / abs(log_share)))
            else 1
        end as share_high
    from surviving
),

-- the sum of logarithms comes back a hair beside the share that it stands for
quantiles as (
    select
        'median' as quantile,
        0.5 + 1e-12 as share_reached
    union all
    select
        'ninth_decile' as quantile,
        0.1 + 1e-12 as share_reached
)

select
    bounded.duration,
    quantiles.quantile,
    bounded.period_type,
    bounded.period_start,
    bounded.segment_type,
    bounded.segment,
    cast(max(bounded.count_all_closed) as bigint) as count_closed,
    cast(max(bounded.count_all) as bigint) as count_begun,
    cast(max(bounded.count_all_subjects) as bigint) as count_subjects,
    min(bounded.duration_length) filter (where bounded.share_open <= quantiles.share_reached) as quantile_length,
    min(bounded.duration_length) filter (where bounded.share_low <= quantiles.share_reached) as quantile_low,
    min(bounded.duration_length) filter (where bounded.share_high <= quantiles.share_reached) as quantile_high
from bounded
cross join quantiles
group by
    bounded.duration,
    quantiles.quantile,
    bounded.period_type,
    bounded.period_start,
    bounded.segment_type,
    bounded.segment
