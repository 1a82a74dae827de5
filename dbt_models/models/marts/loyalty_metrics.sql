-- Grain: one row per metric, segment and period.
with bases as (
    select
        metric,
        'all' as segment_type,
        'all' as segment,
        period_type,
        period_start,
        numerator,
        denominator,
        total_squares,
        cast(null as bigint) as count_promoters,
        cast(null as bigint) as count_detractors,
        count_customers,
        is_mature
    from {{ ref('int_purchase_metrics') }}
    union all
    select
        metric,
        segment_type,
        segment,
        period_type,
        period_start,
        {{ as_money('numerator') }} as numerator,
        denominator,
        cast(null as decimal(38, 8)) as total_squares,
        count_promoters,
        count_detractors,
        denominator as count_customers,
        is_mature
    from {{ ref('int_feedback_metrics') }}
)

select
    bases.metric,
    bases.segment_type,
    bases.segment,
    bases.period_type,
    bases.period_start,
    bases.numerator,
    bases.denominator,
    case definitions.kind
        when 'net_score' then 100 * {{ ratio('bases.numerator', 'bases.denominator') }}
        else {{ ratio('bases.numerator', 'bases.denominator') }}
    end as metric_value,
    case
        when definitions.kind = 'net_score'
            then {{ net_score_low('bases.count_promoters', 'bases.count_detractors', 'bases.denominator') }}
        when definitions.kind = 'mean'
            then {{ mean_bound('bases.denominator', 'bases.numerator', 'bases.total_squares', '-') }}
        when bases.numerator <= bases.denominator then {{ wilson_low('bases.numerator', 'bases.denominator') }}
    end as ci_low,
    case
        when definitions.kind = 'net_score'
            then {{ net_score_high('bases.count_promoters', 'bases.count_detractors', 'bases.denominator') }}
        when definitions.kind = 'mean'
            then {{ mean_bound('bases.denominator', 'bases.numerator', 'bases.total_squares', '+') }}
        when bases.numerator <= bases.denominator then {{ wilson_high('bases.numerator', 'bases.denominator') }}
    end as ci_high,
    bases.count_customers,
    bases.is_mature,
    bases.denominator >= {{ var('minimum_base') }} as has_minimum_base,
    definitions.unit,
    replace(
        replace(
            replace(definitions.definition, '{repeat_window_days}', '{{ var("repeat_window_days") }}'),
            '{late_grace_days}', '{{ var("late_grace_days") }}'
        ),
        '{active_window_days}', '{{ var("active_window_days") }}'
    ) as definition
from bases
inner join {{ ref('metric_definitions') }} as definitions on bases.metric = definitions.metric
