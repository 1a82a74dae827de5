-- Grain: one row per claim of the specification and way to measure it: the shop's own number beside it.
{{ config(tags=['after_models']) }}

{%- set verdict %}
    case
        when metrics.metric_value is null or not metrics.has_minimum_base or metrics.ci_low is null then 'cannot_say'
        when metrics.ci_low >= claims.claimed_low and metrics.ci_high <= claims.claimed_high then 'holds'
        when metrics.ci_high < claims.claimed_low or metrics.ci_low > claims.claimed_high then 'does_not_hold'
        else 'cannot_say'
    end
{%- endset %}

select
    claims.claim,
    claims.metric,
    claims.claimed,
    claims.claimed_low,
    claims.claimed_high,
    metrics.metric_value,
    metrics.ci_low,
    metrics.ci_high,
    metrics.count_observations,
    coalesce(metrics.is_mature, false) as is_mature,
    {{ verdict }} as verdict,
    case
        when metrics.metric is null then 'no source: this shop delivers no ' || replace(claims.feeds, '_', ' ')
        when metrics.status <> 'told' then coalesce(metrics.status_reason, 'the base is empty')
        when claims.claimed_low is null then 'the specification names no number'
        when not metrics.has_minimum_base then 'fewer observations than definitions.minimum_base'
        when metrics.ci_low is null then 'no interval can be given'
        when {{ verdict }} = 'cannot_say' then 'the interval reaches over an end of the claimed range'
    end as verdict_reason
from {{ ref('spec_claims_made') }} as claims
left join {{ ref('loyalty_metrics') }} as metrics
    on
        claims.metric = metrics.metric
        and metrics.segment_type = 'all'
        and (claims.period_type = metrics.period_type or metrics.status = 'no_source')
