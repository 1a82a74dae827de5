-- Grain: one row per feed that a metric may need and that this shop has; what is not here is no source, not zero.
{%- set feeds = {
    'orders': "select 1 from " ~ ref('int_customer_occasions'),
    'product_kinds': "select 1 from " ~ ref('dim_products') ~ " where product_kind is not null",
    'quality_lines': "select 1 from " ~ ref('dim_products') ~ " where quality_rank is not null",
    'launch_dates': "select 1 from " ~ ref('dim_products') ~ " where launch_date is not null",
    'product_prices': "select 1 from " ~ ref('int_product_prices'),
    'discounts': "select 1 from " ~ ref('fct_orders') ~ " where discount_amount <> 0",
    'answers': "select 1 from " ~ ref('fct_feedback'),
    'feedback_replies': "select 1 from " ~ ref('fct_feedback') ~ " where answered_at is not null",
    'survey_invitations': "select 1 from " ~ ref('fct_survey_invitations'),
    'support_contacts': "select 1 from " ~ ref('fct_support_contacts'),
    'complaints': "select 1 from " ~ ref('fct_support_contacts') ~ " where is_complaint",
    'mentions': "select 1 from " ~ ref('fct_mentions'),
    'points': "select 1 from " ~ ref('fct_points_ledger'),
    'badges': "select 1 from " ~ ref('fct_badges'),
    'referrals': "select 1 from " ~ ref('fct_referrals'),
    'subscriptions': "select 1 from " ~ ref('fct_subscriptions'),
    'campaign_messages': "select 1 from " ~ ref('fct_campaign_messages'),
    'costs': "select 1 from " ~ ref('fct_costs')
} %}
{%- for instrument in ['nps', 'nps_transactional'] + satisfaction_instruments() + index_instruments() %}
    {%- do feeds.update({
        instrument: "select 1 from " ~ ref('fct_feedback') ~ " where instrument = '" ~ instrument ~ "'"
    }) %}
{%- endfor %}

{%- for feed, rows in feeds.items() %}
select '{{ feed }}' as feed
where exists ({{ rows }})
{{ 'union all' if not loop.last }}
{%- endfor %}
