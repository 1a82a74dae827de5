-- Grain: one row per pair of layers, entity and measure: what goes in is what comes out, to the row and to the cent.
{{ depends_on_staging() }}

with totals as (
    {% for model in judged_models() %}
    {{ reconciled_rows(model) }}
    union all
    {% if model.amount %}
    {{ reconciled_amount(model) }}
    union all
    {% endif %}
    {% endfor %}
    {% for entity, fact in {
        'orders': 'fct_orders',
        'order_lines': 'fct_order_lines',
        'refunds': 'fct_refunds',
        'feedback': 'fct_feedback',
        'survey_invitations': 'fct_survey_invitations',
        'support_contacts': 'fct_support_contacts',
        'mentions': 'fct_mentions',
        'point_events': 'fct_points_ledger',
        'tier_changes': 'fct_tier_changes',
        'badges': 'fct_badges',
        'referrals': 'fct_referrals',
        'campaigns': 'dim_campaigns',
        'campaign_messages': 'fct_campaign_messages',
        'visits': 'fct_visits',
        'costs': 'fct_costs'
    }.items() %}
    select
        'staging' as layer_from,
        'marts' as layer_to,
        '{{ entity }}' as entity,
        'rows' as measure,
        (
            {%- for source_name in var('staged').get(entity, []) %}
            (select count(*) from {{ ref('stg_' ~ source_name ~ '__' ~ entity) }}) +
            {%- endfor %} 0
        ) as total_from,
        (select count(*) from {{ ref(fact) }}) as total_to
    union all
    {% endfor %}
    {{ amounts_of('staging', 'marts', 'order_lines', 'line_amount', united_total('order_lines', 'line_amount'),
        "select sum(original_line_amount) from " ~ ref('fct_order_lines')) }}
    union all
    {{ amounts_of('staging', 'marts', 'refunds', 'refund_amount', united_total('refunds', 'refund_amount'),
        "select sum(original_refund_amount) from " ~ ref('fct_refunds')) }}
    union all
    {{ amounts_of('staging', 'marts', 'point_events', 'points', united_total('point_events', 'points'),
        "select sum(points) from " ~ ref('fct_points_ledger')) }}
    union all
    {{ amounts_of('staging', 'marts', 'costs', 'cost_amount', united_total('costs', 'cost_amount'),
        "select sum(original_cost_amount) from " ~ ref('fct_costs')) }}
    union all
    {{ amounts_of('staging', 'marts', 'referrals', 'reward_amount', united_total('referrals', 'reward_amount'),
        "select sum(original_reward_amount) from " ~ ref('fct_referrals')) }}
    union all
    {{ amounts_of('staging', 'marts', 'subscription_events', 'renewals',
        "select count(*) from (" ~ united('subscription_events') ~ ") as united where event_kind = 'renewed'",
        "select sum(count_renewals) from " ~ ref('fct_subscriptions')) }}
    union all
    {{ amounts_of('marts', 'marts', 'refunds of orders and orders', 'refunded_amount',
        "select sum(refund_amount) from " ~ ref('fct_refunds') ~ " where is_linked",
        "select sum(refunded_amount) from " ~ ref('fct_orders')) }}
    union all
    {{ amounts_of('marts', 'marts', 'valid and excluded orders', 'original_items_amount',
        "select sum(original_items_amount) from " ~ ref('fct_orders'),
        "select coalesce((select sum(original_items_amount) from " ~ ref('fct_orders') ~ " where is_valid), 0)"
        ~ " + coalesce((select sum(original_items_amount) from " ~ ref('order_exclusions') ~ "), 0)") }}
    union all
    {{ amounts_of('marts', 'marts', 'items of order_lines and orders', 'original_items_amount',
        "select sum(original_line_amount) from " ~ ref('fct_order_lines')
        ~ " where line_kind not in ('shipping', 'discount', 'fee')",
        "select sum(original_items_amount) from " ~ ref('fct_orders')) }}
    union all
    {{ amounts_of('marts', 'marts', 'orders and customers', 'net_amount',
        "select sum(net_amount) from " ~ ref('fct_orders') ~ " where is_valid",
        "select sum(total_net) from " ~ ref('fct_customers')) }}
    union all
    {{ amounts_of('marts', 'marts', 'customers and customer_months', 'total_net',
        "select sum(total_net) from " ~ ref('fct_customers'),
        "select sum(total_net) from " ~ ref('fct_customer_months')) }}
)

select
    layer_from,
    layer_to,
    entity,
    measure,
    cast(total_from as decimal(38, 4)) as total_from,
    cast(total_to as decimal(38, 4)) as total_to,
    cast(total_from - total_to as decimal(38, 4)) as difference,
    total_from = total_to as is_reconciled
from totals
