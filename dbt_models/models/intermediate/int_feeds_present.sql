-- Grain: one row per feed that a metric may need and that this shop has; what is not here is no source, not zero.
{%- set feeds = {
    'orders': "select 1 from " ~ ref('int_customer_occasions'),
    'product_kinds': "select 1 from " ~ ref('dim_products') ~ " where product_kind is not null",
    'launch_dates': "select 1 from " ~ ref('dim_products') ~ " where launch_date is not null",
    'discounts': "select 1 from " ~ ref('fct_orders') ~ " where discount_amount <> 0",
    'points': "select 1 from " ~ ref('fct_points_ledger'),
    'referrals': "select 1 from " ~ ref('fct_referrals'),
    'subscriptions': "select 1 from " ~ ref('fct_subscriptions'),
    'campaign_messages': "select 1 from " ~ ref('fct_campaign_messages'),
    'costs': "select 1 from " ~ ref('fct_costs'),
    'nps': "select 1 from " ~ ref('fct_feedback') ~ " where instrument = 'nps'",
    'csat': "select 1 from " ~ ref('fct_feedback') ~ " where instrument = 'csat'",
} %}

{%- for feed, rows in feeds.items() %}
select '{{ feed }}' as feed
where exists ({{ rows }})
{{ 'union all' if not loop.last }}
{%- endfor %}
