-- Grain: one row per effect that a metric tells, and segment of it: its number and interval over the setting's horizon,
-- or why there is none.
with lifetime as (
    select
        period_type,
        period_start
    from {{ ref('int_metric_periods') }}
    where period_type = 'lifetime'
),

-- several bad contacts begin with the second
segments as (
    select
        'all' as segment_type,
        'all' as segment,
        cast(2 as bigint) as count_bad_contacts
    {%- for number in range(1, 4) %}
    union all
    select
        'bad_contacts' as segment_type,
        '{{ number }}' as segment,
        cast({{ number }} as bigint) as count_bad_contacts
    {%- endfor %}
),

lapses as (
    select
        segments.segment_type,
        segments.segment,
        coalesce(behaviour.count_matched_customers, 0) as count_customers,
        behaviour.mean_after_contact,
        behaviour.difference,
        behaviour.ci_low,
        behaviour.ci_high,
        coalesce(behaviour.largest_imbalance, 0) > {{ largest_imbalance_allowed() }} as is_imbalanced,
        {{ as_money('behaviour.mean_after_contact * behaviour.count_matched_customers') }} as total_lapsed
    from segments
    left join {{ ref('bad_contact_behaviour') }} as behaviour
        on
            segments.count_bad_contacts = behaviour.count_bad_contacts
            and behaviour.outcome = 'lapse_share'
            and behaviour.horizon_days = {{ var('effect_horizon_days') }}
),

told as (
    select
        'lapse_after_bad_contacts' as effect,
        segment_type,
        segment,
        total_lapsed as numerator,
        count_customers,
        mean_after_contact as effect_size,
        {{ wilson_low('total_lapsed', 'count_customers') }} as ci_low,
        {{ wilson_high('total_lapsed', 'count_customers') }} as ci_high,
        false as is_imbalanced
    from lapses
    union all
    select
        'excess_lapse_after_bad_contacts' as effect,
        segment_type,
        segment,
        {{ as_money('difference * count_customers') }} as numerator,
        count_customers,
        difference as effect_size,
        ci_low,
        ci_high,
        is_imbalanced
    from lapses
),

-- what each effect is, why there is none, and whom it was measured on
effects as (
    select
        effect,
        segment_type,
        segment,
        numerator,
        count_customers,
        effect_size,
        ci_low,
        ci_high,
        case
            when count_customers = 0 then 'nobody to compare, or no follow-up is over'
            when is_imbalanced then 'those compared were not alike before'
        end as status_reason
    from told
    {%- for effect, column in {'programme_effect': 'margin_effect', 'programme_return': 'return_on_cost'}.items() %}
    union all
    select
        '{{ effect }}' as effect,
        'all' as segment_type,
        'all' as segment,
        {{ as_money('programme.' ~ column ~ ' * programme.count_matched_members') }} as numerator,
        coalesce(programme.count_matched_members, 0) as count_customers,
        programme.{{ column }} as effect_size,
        programme.{{ column }}_low as ci_low,
        programme.{{ column }}_high as ci_high,
        case
            when programme.horizon_days is null then 'nobody has joined'
            when not programme.is_estimable then 'not estimable: ' || programme.estimate_reason
            when programme.{{ column }} is null then 'no source: this shop delivers no costs of the programme'
        end as status_reason
    from lifetime  -- noqa: ST11
    left join {{ ref('programme_effect') }} as programme
        on programme.outcome = 'net_change' and programme.horizon_days = {{ var('effect_horizon_days') }}
    {%- endfor %}
    union all
    select
        'repeat_rate_change_after_price_rise' as effect,
        'all' as segment_type,
        'all' as segment,
        {{ as_money('price_rises.change_difference * price_rises.count_customers_risen') }} as numerator,
        coalesce(price_rises.count_customers_risen, 0) as count_customers,
        price_rises.change_difference as effect_size,
        price_rises.change_difference - 1.959963984540054 * price_rises.standard_error as ci_low,
        price_rises.change_difference + 1.959963984540054 * price_rises.standard_error as ci_high,
        case
            when price_rises.count_customers_risen is null then '{{ no_price_rise() }}'
            when price_rises.change_difference is null then 'nobody to compare with before or after the price rises'
        end as status_reason
    from lifetime  -- noqa: ST11
    left join {{ ref('int_price_rise_change') }} as price_rises on true
)

select
    effects.effect,
    lifetime.period_type,
    lifetime.period_start,
    effects.segment_type,
    effects.segment,
    case
        when effects.count_customers = 0 then 0
        when effects.status_reason is null then effects.numerator
    end as numerator,
    effects.count_customers,
    case when effects.status_reason is null then effects.effect_size end as effect_size,
    case when effects.status_reason is null then effects.ci_low end as ci_low,
    case when effects.status_reason is null then effects.ci_high end as ci_high,
    effects.status_reason
from effects
cross join lifetime
