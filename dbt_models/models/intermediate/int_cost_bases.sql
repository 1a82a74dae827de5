-- Grain: one row per period, segment and base: what was spent on winning and on keeping customers. What a channel cost
-- is told beside the customers whom it brought.
with in_periods as (
    select
        periods.period_type,
        periods.period_start,
        coalesce(spent.channel, 'unknown') as acquisition_channel,
        spent.cost_kind,
        spent.cost_amount
    from {{ ref('fct_costs') }} as spent
    inner join {{ ref('int_metric_periods') }} as periods
        on spent.cost_date >= periods.period_start and spent.cost_date < periods.period_end
    where periods.period_type <> 'day'
),

sums as (
    {{ bases_by_segment('in_periods', ['acquisition_channel'], cost_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', cost_bases()) }}
