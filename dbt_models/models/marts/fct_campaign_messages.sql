-- Grain: one row per campaign message, those held out included: what was sent, and what followed within the window.
with messages as (
    select
        messages.*,
        customers.customer_key,
        {{ key_of('messages.source_name', 'messages.message_id') }} as message_key,
        {{ nullable_key_of('messages.source_name', 'messages.campaign_id') }} as campaign_key,
        {{ business_date('messages.sent_at') }} as sent_date,
        {{ business_date('messages.clicked_at') }} as click_date
    from ({{ united('campaign_messages') }}) as messages
    left join {{ ref('int_customers_united') }} as customers
        on messages.source_name = customers.source_name and messages.customer_id = customers.customer_id
),

purchases as (
    select
        messages.message_key,
        sum(occasions.count_orders) as count_orders,
        sum(occasions.total_net) as total_net
    from messages
    inner join {{ ref('int_customer_occasions') }} as occasions
        on
            messages.customer_key = occasions.customer_key
            and messages.sent_date <= occasions.order_date
            and {{ dbt.datediff('messages.sent_date', 'occasions.order_date', 'day') }}
            < {{ var('response_window_days') }}
    group by messages.message_key
)

select
    messages.message_key,
    messages.source_name,
    messages.message_id,
    messages.campaign_key,
    campaigns.campaign_name,
    campaigns.purpose,
    messages.customer_key,
    messages.channel,
    messages.sent_at,
    messages.sent_date,
    messages.delivery_status,
    messages.opened_at,
    messages.clicked_at,
    cast(coalesce(purchases.count_orders, 0) as bigint) as count_orders_in_window,
    {{ as_money('coalesce(purchases.total_net, 0)') }} as total_net_in_window,
    coalesce(messages.is_personal, false) as is_personal,
    coalesce(messages.is_holdout, false) as is_holdout,
    coalesce(messages.delivery_status = 'delivered', false) as is_delivered,
    {{ dbt.datediff('messages.sent_date', as_of_date(), 'day') }} >= {{ var('response_window_days') }} - 1
        as is_response_window_closed,
    coalesce(
        messages.delivery_status = 'delivered'
        and {{ dbt.datediff('messages.sent_date', 'messages.click_date', 'day') }} < {{ var('response_window_days') }},
        false
    ) as has_responded
from messages
left join {{ ref('dim_campaigns') }} as campaigns on messages.campaign_key = campaigns.campaign_key
left join purchases on messages.message_key = purchases.message_key
