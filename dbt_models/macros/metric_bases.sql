{#- The counts and exact sums that metrics are made of. A metric names its bases in the seed metric_definitions; a base
    is one line here: name -> what is summed over the rows of a period and a segment. `x_squares` and `x_by_y` are the
    sums of squares and of products that the interval of a mean or of a ratio needs. -#}

{#- How a shop is split. Order metrics split by the order's own channel, device, country and main kind; customer metrics
    by those of the first order, so that the parts add up to the whole and nobody moves between them. -#}
{% macro order_segment_types() -%}{{ return(['channel', 'device', 'country', 'product_kind']) }}{%- endmacro %}

{% macro customer_segment_types() -%}
    {{ return(
        order_segment_types() + ['acquisition_channel', 'acquisition_cohort', 'rfm_segment', 'loyalty', 'tier']
    ) }}
{%- endmacro %}

{#- Of a customer in a period: rows of int_customer_periods. -#}
{% macro customer_bases() -%}
    {%- set bases = {
        'count_customers': counted('is_active'),
        'count_first_customers': counted('is_active and is_first'),
        'count_active_before': counted('was_active_before'),
        'count_retained': counted('is_active and was_active_before'),
        'count_lost': counted('was_active_before and not is_active'),
        'count_returned': counted('is_active and not is_first'),
        'count_reactivated': counted('is_active and not is_first and not was_active_before'),
        'count_repeat_customers': counted('is_active and count_occasions_ever >= 2'),
        'count_window_open': counted('is_active and is_first and not is_repeat_window_closed'),
        'count_window_open_in_cohort': counted(
            "period_type <> 'lifetime' and is_active and is_first and not is_repeat_window_closed"
        ),
        'count_window_closed': counted('is_active and is_first and is_repeat_window_closed'),
        'count_back_within_window': counted(
            'is_active and is_first and is_repeat_window_closed and is_back_within_window'
        ),
        'count_single_kind': counted('count_kinds = 1'),
        'count_multi_kind': counted('count_kinds >= 2'),
        'count_any_kind': counted('count_kinds >= 1'),
        'count_line_repeaters': counted('is_active and has_bought_in_line_again'),
        'count_line_upgraders': counted('is_active and has_moved_up_a_line'),
        'count_loyal': counted('is_active and is_loyal'),
        'count_loyal_before': counted("loyalty = 'loyal'"),
        'count_other_before': counted("loyalty = 'other' and was_active_before"),
        'count_members': counted('is_active and is_member'),
        'count_referrers': counted('is_active and count_referrals > 0'),
        'count_referrers_before': counted('was_active_before and count_referrals > 0'),
        'count_rewarded_referrers_before': counted('was_active_before and count_rewarded_referrals > 0'),
        'count_unrewarded_referrers_before': counted('was_active_before and count_unrewarded_referrals > 0'),
    } -%}
    {%- do bases.update(with_squares(
        'count_customers_brought', 'case when was_active_before then count_converted_referrals else 0 end'
    )) -%}
    {%- do bases.update(with_squares('count_occasions', 'count_occasions')) -%}
    {%- do bases.update(with_squares('total_net', 'total_net')) -%}
    {%- do bases.update(with_squares('total_net_of_loyal', "case when loyalty = 'loyal' then total_net else 0 end")) -%}
    {%- do bases.update(with_squares(
        'total_net_of_other', "case when loyalty = 'other' and was_active_before then total_net else 0 end"
    )) -%}
    {%- do bases.update(with_squares(
        'total_days_since_last_order', 'case when is_active then days_since_last_order else 0 end'
    )) -%}
    {%- do bases.update(with_squares(
        'total_days_buying',
        'case when is_active and count_occasions_ever >= 2 then days_first_to_last_order else 0 end'
    )) -%}
    {%- do bases.update(with_products('count_occasions', 'count_occasions', 'total_days_observed', 'days_observed')) -%}
    {%- do bases.update(with_products('count_lapses', 'count_lapses', 'total_days_observed', 'days_observed')) -%}
    {%- do bases.update(with_products(
        'total_net_lost', '(total_net_before - total_net_kept)', 'total_net_before', 'total_net_before'
    )) -%}
    {%- do bases.update(with_products('total_net_repeat', 'total_net_repeat', 'total_net', 'total_net')) -%}
    {%- do bases.update(with_products(
        'count_full_price_repeat_orders', 'count_full_price_repeat_orders', 'count_repeat_orders', 'count_repeat_orders'
    )) -%}
    {%- do bases.update(with_products(
        'total_net_of_first', 'case when is_first then total_net else 0 end',
        'total_days_of_first', 'case when is_first then days_observed else 0 end'
    )) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Of an order: rows of int_orders_segmented. Guests are in. -#}
{% macro order_bases() -%}
    {%- set bases = {
        'count_paid_orders': counted('net_amount > 0'),
        'count_customers_of_orders': 'count(distinct case when net_amount > 0 then customer_key end)',
    } -%}
    {%- do bases.update(with_squares('total_net_of_orders', 'case when net_amount > 0 then net_amount else 0 end')) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Of a customer in a complete month, by months since the first order: rows of fct_customer_months. Costs are shared
    out by month, in int_tenure_bases. -#}
{% macro tenure_bases() -%}
    {%- set bases = {'count_active_months': counted('is_active')} -%}
    {%- do bases.update(with_squares('total_margin_of_month', 'case when is_active then total_margin else 0 end')) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Of an invitation whose referrer is not who came: rows of fct_referrals. -#}
{% macro referral_bases() -%}
    {{ return({'count_referrals': counted('true'), 'count_converted_referrals': counted('is_converted')}) }}
{%- endmacro %}

{#- Of a message whose window is over: rows of fct_campaign_messages. -#}
{% macro message_bases() -%}
    {{ return({
        'count_personal_messages': counted('is_personal and is_delivered'),
        'count_personal_responses': counted('is_personal and has_responded'),
        'count_general_messages': counted('not is_personal and is_delivered'),
        'count_general_responses': counted('not is_personal and has_responded'),
    }) }}
{%- endmacro %}

{#- Of a subscription that had begun before a period and had not churned by then: rows of fct_subscriptions. -#}
{% macro subscription_bases() -%}
    {{ return({
        'count_subscriptions_before': counted('true'),
        'count_subscriptions_lost': counted('churn_date < period_end'),
        'count_subscriptions_lost_involuntarily': counted('churn_date < period_end and is_involuntary'),
    }) }}
{%- endmacro %}

{#- Of a customer with a subscription, by the as-of. `count_subscription_base` is what the setting takes for "all". -#}
{% macro subscriber_bases() -%}
    {%- set taken = {
        'subscribers': 'is_subscriber', 'subscribers_due': 'is_due or has_repurchased', 'all_customers': 'true'
    } -%}
    {{ return({
        'count_repurchasing_subscribers': counted('has_repurchased'),
        'count_subscription_base': counted(taken[var('subscription_total_base')]),
        'count_subscribers_ended': counted('has_ended'),
        'count_subscribers_returned': counted('has_ended and has_returned'),
    }) }}
{%- endmacro %}

{#- Of a member's points that came to their end in a period. -#}
{% macro points_bases() -%}
    {%- set bases = {'count_members_with_ended_points': counted('true')} -%}
    {%- do bases.update(with_products(
        'count_points_expired', 'points_expired', 'count_points_ended', 'points_ended'
    )) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Of a cost: rows of fct_costs. -#}
{% macro cost_bases() -%}
    {{ return({
        'total_acquisition_cost': summed("case when cost_kind = 'acquisition' then cost_amount else 0 end"),
        'total_retention_cost': summed("case when cost_kind = 'retention' then cost_amount else 0 end"),
    }) }}
{%- endmacro %}

{#- Of a customer with a score, by the as-of. A mean takes those who have the pillar. -#}
{% macro score_bases() -%}
    {%- set bases = {} -%}
    {%- for score in ['behavioural', 'emotional', 'financial', 'overall'] -%}
        {%- set column = 'score_' ~ score -%}
        {%- do bases.update({'count_with_' ~ column: counted(column ~ ' is not null')}) -%}
        {%- do bases.update(with_squares('total_' ~ column, 'cast(coalesce(' ~ column ~ ', 0) as decimal(18, 4))')) -%}
    {%- endfor -%}
    {%- do bases.update(with_squares('total_score_coverage', 'cast(coverage_share as decimal(18, 4))')) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Scores are told as of the night, so by segments that a customer stays in. -#}
{% macro score_segment_types() -%}
    {{ return(order_segment_types() + ['acquisition_channel', 'acquisition_cohort']) }}
{%- endmacro %}

{#- Of a member, by the as-of. -#}
{% macro member_bases() -%}
    {{ return({
        'count_programme_members': counted('true'),
        'count_active_members': counted('is_active_member'),
        'count_badge_holders': counted('holds_badge'),
    }) }}
{%- endmacro %}

{#- Of a customer who was active in the year before a launch or bought the product after it. -#}
{% macro adoption_bases() -%}
    {%- set bases = {
        'count_adoption_customers': counted('true'),
        'count_adoption_window_open': counted('not is_adoption_window_closed'),
    } -%}
    {%- do bases.update(with_products(
        'count_adopters', 'cast(has_bought as integer)', 'count_active_before_launch', 'cast(was_active as integer)'
    )) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Of a complete month of the trailing window: rows of monthly net. -#}
{% macro month_bases() -%}
    {%- set bases = {'count_months': 'count(*)', 'count_customers_of_months': 'max(count_customers)'} -%}
    {%- do bases.update(with_squares('total_net_of_months', 'total_net')) -%}
    {{ return(bases) }}
{%- endmacro %}

{% macro counted(condition) -%}count(*) filter (where {{ condition }}){%- endmacro %}

{% macro summed(expression) -%}coalesce(sum({{ expression }}), 0){%- endmacro %}

{% macro with_squares(name, expression) -%}
    {{ return({name: summed(expression), name ~ '_squares': summed(product(expression, expression))}) }}
{%- endmacro %}

{% macro with_products(name, expression, base_name, base_expression) -%}
    {%- set bases = with_squares(name, expression) -%}
    {%- do bases.update(with_squares(base_name, base_expression)) -%}
    {%- do bases.update({name ~ '_by_' ~ base_name: summed(product(expression, base_expression))}) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- DuckDB keeps the product of two DECIMAL(18, 4) in 18 digits, which one order of 100,000 overflows -#}
{% macro product(left, right) -%}cast({{ left }} as decimal(28, 4)) * cast({{ right }} as decimal(28, 4)){%- endmacro %}

{#- One row per period, segment type and segment: each base over the whole and over each split, in one pass.
    from           a relation with period_type, period_start and the segment types as columns
    segment_types  its columns to split by
    bases          name -> aggregate -#}
{% macro bases_by_segment(from, segment_types, bases) -%}
    select
        period_type,
        period_start,
        {{ grouped_segment_type(segment_types) }} as segment_type,
        {{ grouped_segment(segment_types) }} as segment,
        {{ base_columns(bases) }}
    from {{ from }}
    group by {{ grouped_by_segments('period_type, period_start', segment_types) }}
{%- endmacro %}

{#- The same for bases that add up, as counts and sums do: over the rows of all splits together first, which are far
    fewer, and then over each split. -#}
{% macro added_bases_by_segment(from, segment_types, bases) -%}
    select
        period_type,
        period_start,
        {{ grouped_segment_type(segment_types) }} as segment_type,
        {{ grouped_segment(segment_types) }} as segment,
        {%- for name in bases %}
        cast(sum({{ name }}) as decimal(38, 8)) as {{ name }}{{ ',' if not loop.last }}
        {%- endfor %}
    from (
        select
            period_type,
            period_start,
            {{ segment_types | join(',\n            ') }},
            {{ base_columns(bases) }}
        from {{ from }}
        group by period_type, period_start, {{ segment_types | join(', ') }}
    ) as cells
    group by {{ grouped_by_segments('period_type, period_start', segment_types) }}
{%- endmacro %}

{#- The bases as columns of an aggregate. -#}
{% macro base_columns(bases) -%}
    {%- for name, aggregate in bases.items() %}
    cast({{ aggregate }} as decimal(38, 8)) as {{ name }}{{ ',' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- The name of the split and of its part that a row of grouping sets stands for. -#}
{% macro grouped_segment_type(segment_types) -%}
    {%- if segment_types %}
    case
        {%- for name in segment_types %}
        when grouping({{ name }}) = 0 then '{{ name }}'
        {%- endfor %}
        else 'all'
    end
    {%- else %}
    'all'
    {%- endif %}
{%- endmacro %}

{% macro grouped_segment(segment_types) -%}
    {%- if segment_types %}
    case
        {%- for name in segment_types %}
        when grouping({{ name }}) = 0 then {{ name }}
        {%- endfor %}
        else 'all'
    end
    {%- else %}
    'all'
    {%- endif %}
{%- endmacro %}

{#- The keys over the whole and over each split. -#}
{% macro grouped_by_segments(keys, segment_types) -%}
    grouping sets (
        ({{ keys }})
        {%- for name in segment_types %},
        ({{ keys }}, {{ name }})
        {%- endfor %}
    )
{%- endmacro %}

{#- A table of bases turned round: one row per period, segment and base. -#}
{% macro bases_in_rows(from, bases) -%}
    select
        sums.period_type,
        sums.period_start,
        sums.segment_type,
        sums.segment,
        names.base,
        case names.base
            {%- for name in bases %}
            when '{{ name }}' then sums.{{ name }}
            {%- endfor %}
        end as amount
    from {{ from }} as sums
    cross join (
        {%- for name in bases %}
        select '{{ name }}' as base
        {{ 'union all' if not loop.last }}
        {%- endfor %}
    ) as names
{%- endmacro %}

{#- What a metric takes from the bases: role -> how the registry names the base. -#}
{% macro metric_roles() -%}
    {{ return({
        'numerator': 'numerator',
        'denominator': 'denominator',
        'observations': 'observations',
        'customers': 'customers',
        'open_windows': 'immature_while',
        'yy': "numerator || '_squares'",
        'xx': "denominator || '_squares'",
        'yx': "numerator || '_by_' || denominator",
    }) }}
{%- endmacro %}

{#- Whether a word stands in a list of words with blanks between. -#}
{% macro is_listed(word, words) -%}
    (' ' || {{ words }} || ' ') like ('% ' || {{ word }} || ' %')
{%- endmacro %}
