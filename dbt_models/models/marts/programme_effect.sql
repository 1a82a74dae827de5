-- Grain: one row per horizon and outcome: what joining the programme changed for those who joined, beside customers who
-- were alike and had not, its placebo half a year before anybody joined, and the naive comparison that it replaces.
{%- set members = "comparison = 'membership'" %}

with {{ told_effects_ctes(['membership', 'membership_placebo'], ['net_change', 'occasion_change']) }},

joined as (
    select
        customer_key,
        event_date as join_date
    from {{ ref('int_compared_events') }}
    where {{ members }}
),

horizons as (
    {{ horizons_in_rows() }}
),

rewards as (
    select
        horizons.horizon_days,
        sum(-ledger.points) as points_redeemed
    from joined
    cross join horizons
    inner join {{ ref('fct_points_ledger') }} as ledger
        on
            joined.customer_key = ledger.customer_key
            and joined.join_date < ledger.effective_date
            and {{ dbt.dateadd('day', 'horizons.horizon_days', 'joined.join_date') }} >= ledger.effective_date
    where
        ledger.event_kind = 'redeem'
        and {{ is_followed("cast(date_trunc('month', joined.join_date) as date)", 'horizons.horizon_days') }}
    group by horizons.horizon_days
),

-- what the programme cost in the trailing window, for each member and day of membership in it
running as (
    select
        (
            select sum(cost_amount) from {{ ref('fct_costs') }}
            where purpose = 'programme' and cost_date > {{ active_window_starts_after() }}
        ) as running_cost,
        (
            select sum({{ dbt.datediff(
                'greatest(join_date, ' ~ active_window_starts_after() ~ ')', as_of_date(), 'day'
            ) }}) from joined
        ) as member_days
),

-- customers of the whole of the last days, by whether they were members by then
naive as (
    select
        horizons.horizon_days,
        {{ ratio(
            'sum(recent.total_net) filter (where joined.customer_key is not null)',
            'count(distinct customers.customer_key) filter (where joined.customer_key is not null)'
        ) }}
        - {{ ratio(
            'sum(recent.total_net) filter (where joined.customer_key is null)',
            'count(distinct customers.customer_key) filter (where joined.customer_key is null)'
        ) }} as net_difference,
        {{ ratio(
            'count(recent.customer_key) filter (where joined.customer_key is not null)',
            'count(distinct customers.customer_key) filter (where joined.customer_key is not null)'
        ) }}
        - {{ ratio(
            'count(recent.customer_key) filter (where joined.customer_key is null)',
            'count(distinct customers.customer_key) filter (where joined.customer_key is null)'
        ) }} as occasion_difference
    from {{ ref('fct_customers') }} as customers
    cross join horizons
    left join joined
        on customers.customer_key = joined.customer_key
    left join {{ ref('int_customer_occasions') }} as recent
        on
            customers.customer_key = recent.customer_key
            and recent.order_date > {{ dbt.dateadd('day', '-1 * horizons.horizon_days', as_of_date()) }}
    where
        customers.first_order_date <= {{ dbt.dateadd('day', '-1 * horizons.horizon_days', as_of_date()) }}
        and (
            joined.join_date is null
            or joined.join_date <= {{ dbt.dateadd('day', '-1 * horizons.horizon_days', as_of_date()) }}
        )
    group by horizons.horizon_days
),

-- a placebo is followed until its member truly joins, no longer; for a longer horizon it stands for each of its days
judged as (
    select
        told.*,
        {{ ratio('memberships.difference', 'told.horizon_days') }} as share_of_contrast,
        {{ ratio('memberships.mean_others', 'told.horizon_days') }} as others_member_share,
        coalesce(placebo.count_matched, 0) as count_placebo,
        placebo.difference * told.horizon_days / placebo.horizon_days as placebo_difference,
        placebo.ci_low * told.horizon_days / placebo.horizon_days as placebo_ci_low,
        placebo.ci_high * told.horizon_days / placebo.horizon_days as placebo_ci_high,
        case told.outcome
            when 'net_change' then naive.net_difference else naive.occasion_difference
        end as naive_difference,
        case
            when told.outcome = 'net_change'
                then {{ ratio('coalesce(rewards.points_redeemed, 0) * ' ~ var('cost_per_point'), 'told.count_events') }}
        end as reward_cost_per_member,
        case
            when told.outcome = 'net_change'
                then {{ ratio('running.running_cost', 'running.member_days') }} * told.horizon_days
        end as running_cost_per_member,
        coalesce(told.verdict_reason, case
            when coalesce(placebo.count_matched, 0) < {{ var('minimum_base') }}
                then 'too few members were customers early enough for a placebo'
            when placebo.ci_low > 0 or placebo.ci_high < 0
                then 'the placebo finds an effect before anybody joined'
            when
                told.difference * placebo.horizon_days / told.horizon_days
                between placebo.ci_low and placebo.ci_high
                then 'the placebo is too uncertain to tell the programme from who joins it'
        end) as estimate_reason
    from told
    left join told as placebo
        on
            placebo.comparison = 'membership_placebo'
            and told.outcome = placebo.outcome
            and placebo.horizon_days = least(told.horizon_days, {{ placebo_days() }})
    left join {{ ref('int_matched_effects') }} as memberships
        on
            {{ equal_columns('told', 'memberships', ['comparison', 'exposure', 'horizon_days']) }}
            and memberships.outcome = 'member_days'
    left join rewards on told.horizon_days = rewards.horizon_days
    left join naive on told.horizon_days = naive.horizon_days
    cross join running
    where told.{{ members }}
),

-- some of those compared join later: the difference is that of the days of membership in which the two differ
scaled as (
    select
        *,
        {%- for name in ['difference', 'ci_low', 'ci_high'] %}
        case
            when estimate_reason is null
                then {{ name }} / nullif(share_of_contrast, 0)
        end as effect_of_{{ name }},
        {%- endfor %}
        reward_cost_per_member + running_cost_per_member as cost_per_member
    from judged
)

select
    horizon_days,
    outcome,
    count_events as count_members,
    count_matched as count_matched_members,
    count_others as count_compared,
    difference,
    ci_low,
    ci_high,
    others_member_share,
    largest_imbalance,
    count_placebo as count_placebo_members,
    placebo_difference,
    placebo_ci_low,
    placebo_ci_high,
    naive_difference,
    estimate_reason is null as is_estimable,
    estimate_reason,
    effect_of_difference as effect_per_member,
    effect_of_ci_low as effect_low,
    effect_of_ci_high as effect_high,
    reward_cost_per_member,
    running_cost_per_member,
    {%- for name, bound in {'': 'difference', '_low': 'ci_low', '_high': 'ci_high'}.items() %}
    case
        when outcome = 'net_change' then effect_of_{{ bound }} * {{ var('margin_share') }}
    end as margin_effect{{ name }},
    case
        when outcome = 'net_change'
            then {{ ratio(
                'effect_of_' ~ bound ~ ' * ' ~ var('margin_share') ~ ' - cost_per_member', 'cost_per_member'
            ) }}
    end as return_on_cost{{ name }}
    {%- if not loop.last %},{% endif %}
    {%- endfor %}
from scaled
