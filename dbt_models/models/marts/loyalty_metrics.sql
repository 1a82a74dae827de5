-- Grain: one row per metric, segment and period; a metric that has no number, for want of its feed or of anything to
-- count, has one row that says so.
{{ config(tags=['after_models']) }}
{%- set names = definition_settings() %}
{%- set half = names | length // 2 %}

-- settings are put in by two steps: all in one nest deeper than parsers of SQL follow
with half_told as (
    select
        *,
        {{ definition_text('cast(scale as ' ~ dbt.type_string() ~ ')', names[:half]) }} as half_told_scale,
        {{ definition_text('definition', names[:half]) }} as half_told_definition
    from {{ ref('metric_definitions') }}
),

registry as (
    select
        *,
        cast({{ definition_text('half_told_scale', names[half:]) }} as double) as factor,
        {{ definition_text('half_told_definition', names[half:]) }} as told_definition
    from half_told
),

told as (
    select
        registry.metric,
        periods.period_type,
        periods.period_start,
        segment_types.segment_type,
        periods.is_mature and (registry.minimum_periods < 2 or periods.is_previous_mature) as is_mature
    from registry
    inner join {{ ref('int_metric_periods') }} as periods
        on {{ is_listed('periods.period_type', 'registry.period_types') }}
    inner join {{ ref('segment_types') }} as segment_types
        on
            {{ is_listed('segment_types.segment_type', "'all ' || coalesce(registry.segment_types, '')") }}
            and {{ is_listed('periods.period_type', 'segment_types.period_types') }}
),

roles as (
    {%- for role, base in metric_roles().items() %}
    select
        metric,
        '{{ role }}' as base_role,
        {{ base }} as base
    from registry
    where {{ base }} is not null
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

counted as (
    select
        {%- for role in metric_roles() %}
        max(bases.amount) filter (where roles.base_role = '{{ role }}') as {{ role }},
        {%- endfor %}
        roles.metric,
        bases.segment_type,
        bases.segment,
        bases.period_type,
        bases.period_start
    from {{ ref('int_metric_bases') }} as bases
    inner join roles on bases.base = roles.base
    group by roles.metric, bases.segment_type, bases.segment, bases.period_type, bases.period_start
),

valued as (
    select
        counted.metric,
        counted.segment_type,
        counted.segment,
        counted.period_type,
        counted.period_start,
        counted.numerator,
        counted.denominator,
        counted.observations,
        counted.customers,
        coalesce(counted.open_windows, 0) = 0 as is_over,
        case registry.kind
            when 'variation' then {{ variation('counted.denominator', 'counted.numerator', 'counted.yy') }}
            else registry.factor * {{ ratio('counted.numerator', 'counted.denominator') }}
        end as metric_value,
        registry.factor * {{ interval_bound('counted', '-') }} as ci_low,
        registry.factor * {{ interval_bound('counted', '+') }} as ci_high,
        case when coalesce(counted.denominator, 0) = 0 then reasons.reason end as status_reason
    from counted
    inner join registry on counted.metric = registry.metric
    left join {{ ref('int_base_reasons') }} as reasons on registry.denominator = reasons.base
    where counted.denominator > 0 or counted.segment_type = 'all'
),

multiples as (
    select
        registry.metric,
        above.segment_type,
        above.segment,
        above.period_type,
        above.period_start,
        above.metric_value as numerator,
        below.metric_value as denominator,
        least(above.observations, below.observations) as observations,
        above.customers + below.customers as customers,
        above.is_over and below.is_over as is_over,
        {{ ratio('above.metric_value', 'below.metric_value') }} as metric_value,
        {{ multiple_bound(
            'above.metric_value', 'above.ci_low', 'above.ci_high',
            'below.metric_value', 'below.ci_low', 'below.ci_high', '-'
        ) }} as ci_low,
        {{ multiple_bound(
            'above.metric_value', 'above.ci_low', 'above.ci_high',
            'below.metric_value', 'below.ci_low', 'below.ci_high', '+'
        ) }} as ci_high
    from registry
    inner join valued as above on registry.numerator = above.metric
    inner join valued as below
        on
            registry.denominator = below.metric
            and above.segment_type = below.segment_type
            and above.segment = below.segment
            and above.period_type = below.period_type
            and above.period_start = below.period_start
    where registry.kind = 'multiple'
),

quantiles as (
    select
        registry.metric,
        durations.segment_type,
        durations.segment,
        durations.period_type,
        durations.period_start,
        durations.count_closed as numerator,
        durations.count_begun as denominator,
        durations.count_begun as observations,
        durations.count_subjects as customers,
        true as is_over,
        durations.quantile_length as metric_value,
        durations.quantile_low as ci_low,
        durations.quantile_high as ci_high
    from registry
    inner join {{ ref('int_duration_quantiles') }} as durations
        on registry.kind = durations.quantile and registry.numerator = durations.duration
),

effects as (
    select
        registry.metric,
        told_effects.segment_type,
        told_effects.segment,
        told_effects.period_type,
        told_effects.period_start,
        told_effects.numerator,
        told_effects.count_customers as denominator,
        told_effects.count_customers as observations,
        told_effects.count_customers as customers,
        true as is_over,
        told_effects.effect_size as metric_value,
        told_effects.ci_low,
        told_effects.ci_high,
        told_effects.status_reason
    from registry
    inner join {{ ref('int_effects_told') }} as told_effects
        on registry.kind = 'effect' and registry.numerator = told_effects.effect
),

found as (
    {%- for part in ['valued', 'multiples', 'quantiles', 'effects'] %}
    select
        metric,
        segment_type,
        segment,
        period_type,
        period_start,
        {{ as_money('numerator') }} as numerator,
        {{ as_money('denominator') }} as denominator,
        cast(observations as bigint) as count_observations,
        cast(customers as bigint) as count_customers,
        is_over,
        metric_value,
        ci_low,
        ci_high,
        {{ 'cast(null as ' ~ dbt.type_string() ~ ') as ' if part in ('multiples', 'quantiles') }}status_reason
    from {{ part }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
),

numbers as (
    select
        found.metric,
        found.segment_type,
        found.segment,
        found.period_type,
        found.period_start,
        found.numerator,
        found.denominator,
        found.metric_value,
        found.ci_low,
        found.ci_high,
        found.count_customers,
        found.count_observations,
        told.is_mature and found.is_over as is_mature,
        coalesce(found.count_observations, 0) >= {{ var('minimum_base') }} as has_minimum_base,
        case when found.metric_value is null then 'no_base' else 'told' end as status,
        found.status_reason,
        registry.unit,
        registry.told_definition as definition
    from found
    inner join registry on found.metric = registry.metric
    inner join told
        on
            found.metric = told.metric
            and found.segment_type = told.segment_type
            and found.period_type = told.period_type
            and found.period_start = told.period_start
    inner join {{ ref('int_feeds_present') }} as present on registry.feeds = present.feed
),

told_metrics as (
    select distinct metric from numbers
)

select * from numbers
union all
select
    registry.metric,
    'all' as segment_type,
    'all' as segment,
    'lifetime' as period_type,
    periods.period_start,
    cast(null as {{ money() }}) as numerator,
    cast(null as {{ money() }}) as denominator,
    cast(null as double) as metric_value,
    cast(null as double) as ci_low,
    cast(null as double) as ci_high,
    cast(0 as bigint) as count_customers,
    cast(0 as bigint) as count_observations,
    false as is_mature,
    false as has_minimum_base,
    case when present.feed is null then 'no_source' else 'no_base' end as status,
    case
        when present.feed is null then 'no source: this shop delivers no ' || replace(registry.feeds, '_', ' ')
        else coalesce(reasons.reason, 'nothing of it has happened yet')
    end as status_reason,
    registry.unit,
    registry.told_definition as definition
from registry
inner join {{ ref('int_metric_periods') }} as periods on periods.period_type = 'lifetime'
left join {{ ref('int_feeds_present') }} as present on registry.feeds = present.feed
left join {{ ref('int_base_reasons') }} as reasons on registry.denominator = reasons.base
left join told_metrics on registry.metric = told_metrics.metric
where told_metrics.metric is null
