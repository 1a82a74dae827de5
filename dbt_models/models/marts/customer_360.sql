-- Grain: one row per customer: who, what they did, what they said, what they are worth, how likely they leave.
{{ config(tags=['after_models']) }}

select
    customers.customer_key,
    dim.customer_id,
    dim.source_name,
    dim.country_code,
    dim.acquisition_channel,
    customers.first_order_date,
    customers.last_order_date,
    customers.count_orders,
    customers.count_occasions,
    customers.count_occasions_in_window,
    customers.days_since_last_order,
    customers.currency_code,
    customers.total_net,
    customers.total_net_in_window,
    customers.mean_order_net,
    customers.total_refunded,
    customers.count_product_kinds,
    customers.count_feedback,
    customers.last_nps_score,
    customers.last_nps_band,
    customers.last_csat_0_100,
    customers.is_repeat_customer,
    customers.is_active,
    segments.segment as rfm_segment,
    segments.recency_score,
    segments.frequency_score,
    segments.monetary_score,
    clv.status as clv_status,
    clv.probability_alive,
    clv.predicted_orders,
    clv.predicted_net,
    clv.predicted_clv,
    churn.status as churn_status,
    churn.probability_no_order,
    churn.risk_band,
    {{ as_money('churn.probability_no_order * clv.predicted_clv') }} as clv_at_risk
from {{ ref('fct_customers') }} as customers
inner join {{ ref('dim_customers') }} as dim on customers.customer_key = dim.customer_key
left join {{ ref('rfm_segments') }} as segments on customers.customer_key = segments.customer_key
left join {{ source('models', 'customer_clv') }} as clv on customers.customer_key = clv.customer_key
left join {{ source('models', 'customer_churn') }} as churn on customers.customer_key = churn.customer_key
