{#- The shape that every source's rows of an entity are brought to: column -> type. A source leaves out what it lacks;
    it is null there. To add a column to an entity, add it here and in the staging models whose source has it. -#}
{% macro entity_columns(entity) %}
    {% set provenance = {'source_name': 'varchar'} %}
    {% set shapes = {
        'customers': {
            'customer_id': 'varchar',
            'created_at': 'timestamp',
            'country_code': 'varchar',
            'region': 'varchar',
            'acquisition_channel': 'varchar',
            'customer_type': 'varchar'
        },
        'contacts': {
            'customer_id': 'varchar',
            'order_id': 'varchar',
            'known_at': 'timestamp',
            'loyalty_card': 'varchar',
            'mailbox': 'varchar',
            'email': 'varchar',
            'phone': 'varchar',
            'social_handle': 'varchar',
            'full_name': 'varchar',
            'birthday': 'varchar',
            'has_marketing_consent': 'boolean',
            'preferred_channel': 'varchar',
            'preferred_kind': 'varchar'
        },
        'products': {
            'product_id': 'varchar',
            'product_name': 'varchar',
            'product_kind': 'varchar',
            'quality_line': 'varchar',
            'quality_rank': 'bigint',
            'launch_date': 'date',
            'unit_cost': money()
        },
        'product_prices': {
            'product_id': 'varchar',
            'valid_from_date': 'date',
            'list_price': money()
        },
        'orders': {
            'order_id': 'varchar',
            'customer_id': 'varchar',
            'ordered_at': 'timestamp',
            'promised_at': 'timestamp',
            'delivered_at': 'timestamp',
            'order_status': 'varchar',
            'payment_status': 'varchar',
            'currency_code': 'varchar',
            'discount_amount': money(),
            'shipping_amount': money(),
            'tax_amount': money(),
            'channel': 'varchar',
            'device': 'varchar',
            'coupon_code': 'varchar',
            'country_code': 'varchar',
            'is_test': 'boolean',
            'is_fraud': 'boolean',
            'is_gift_card_only': 'boolean'
        },
        'order_lines': {
            'order_id': 'varchar',
            'line_number': 'bigint',
            'product_id': 'varchar',
            'line_kind': 'varchar',
            'quantity': 'bigint',
            'unit_price': money(),
            'line_amount': money(),
            'shipping_amount': money()
        },
        'refunds': {
            'refund_id': 'varchar',
            'order_id': 'varchar',
            'customer_id': 'varchar',
            'refunded_at': 'timestamp',
            'refund_amount': money(),
            'currency_code': 'varchar',
            'refund_reason': 'varchar'
        },
        'feedback': {
            'feedback_id': 'varchar',
            'customer_id': 'varchar',
            'order_id': 'varchar',
            'invitation_id': 'varchar',
            'survey': 'varchar',
            'wave': 'varchar',
            'instrument': 'varchar',
            'question': 'varchar',
            'score': 'bigint',
            'scale_min': 'bigint',
            'scale_max': 'bigint',
            'is_reversed': 'boolean',
            'channel': 'varchar',
            'language_code': 'varchar',
            'has_text': 'boolean',
            'invited_at': 'timestamp',
            'submitted_at': 'timestamp',
            'answered_at': 'timestamp'
        },
        'survey_invitations': {
            'invitation_id': 'varchar',
            'customer_id': 'varchar',
            'order_id': 'varchar',
            'survey': 'varchar',
            'wave': 'varchar',
            'channel': 'varchar',
            'sent_at': 'timestamp',
            'invitation_status': 'varchar'
        },
        'support_contacts': {
            'contact_id': 'varchar',
            'customer_id': 'varchar',
            'order_id': 'varchar',
            'channel': 'varchar',
            'contact_kind': 'varchar',
            'topic': 'varchar',
            'severity': 'varchar',
            'language_code': 'varchar',
            'csat_score': 'bigint',
            'has_text': 'boolean',
            'opened_at': 'timestamp'
        },
        'support_events': {
            'contact_id': 'varchar',
            'event_number': 'bigint',
            'event_kind': 'varchar',
            'happened_at': 'timestamp'
        },
        'mentions': {
            'mention_id': 'varchar',
            'platform': 'varchar',
            'author_handle': 'varchar',
            'customer_id': 'varchar',
            'repost_of_id': 'varchar',
            'language_code': 'varchar',
            'written_text': 'varchar',
            'count_likes': 'bigint',
            'count_shares': 'bigint',
            'count_reached': 'bigint',
            'mentioned_at': 'timestamp'
        },
        'texts': {
            'stands_beside': 'varchar',
            'text_id': 'varchar',
            'customer_id': 'varchar',
            'language_code': 'varchar',
            'written_at': 'timestamp',
            'written_text': 'varchar'
        },
        'exchange_rates': {
            'rate_date': 'date',
            'currency_code': 'varchar',
            'quote_currency_code': 'varchar',
            'exchange_rate': rate()
        },
        'point_events': {
            'event_id': 'varchar',
            'event_number': 'bigint',
            'customer_id': 'varchar',
            'event_kind': 'varchar',
            'points': 'bigint',
            'order_id': 'varchar',
            'effective_at': 'timestamp',
            'recorded_at': 'timestamp',
            'expiry_date': 'date'
        },
        'tier_changes': {
            'customer_id': 'varchar',
            'tier': 'varchar',
            'changed_at': 'timestamp',
            'change_reason': 'varchar'
        },
        'badges': {
            'customer_id': 'varchar',
            'badge_name': 'varchar',
            'badge_level': 'bigint',
            'awarded_at': 'timestamp'
        },
        'referrals': {
            'referral_id': 'varchar',
            'referrer_customer_id': 'varchar',
            'referred_customer_id': 'varchar',
            'order_id': 'varchar',
            'channel': 'varchar',
            'invited_at': 'timestamp',
            'converted_at': 'timestamp',
            'reward_amount': money(),
            'currency_code': 'varchar'
        },
        'campaigns': {
            'campaign_id': 'varchar',
            'campaign_name': 'varchar',
            'purpose': 'varchar',
            'start_date': 'date',
            'end_date': 'date',
            'holdout_share': 'double'
        },
        'campaign_messages': {
            'message_id': 'varchar',
            'campaign_id': 'varchar',
            'customer_id': 'varchar',
            'is_holdout': 'boolean',
            'is_personal': 'boolean',
            'channel': 'varchar',
            'sent_at': 'timestamp',
            'delivery_status': 'varchar',
            'opened_at': 'timestamp',
            'clicked_at': 'timestamp'
        },
        'subscription_events': {
            'subscription_id': 'varchar',
            'event_number': 'bigint',
            'customer_id': 'varchar',
            'plan_name': 'varchar',
            'event_kind': 'varchar',
            'happened_at': 'timestamp',
            'period_end_date': 'date',
            'amount': money(),
            'currency_code': 'varchar',
            'is_auto': 'boolean',
            'reason': 'varchar'
        },
        'visits': {
            'visit_id': 'varchar',
            'customer_id': 'varchar',
            'device': 'varchar',
            'channel': 'varchar',
            'started_at': 'timestamp',
            'count_pages': 'bigint',
            'has_cart': 'boolean'
        },
        'costs': {
            'cost_date': 'date',
            'purpose': 'varchar',
            'channel': 'varchar',
            'campaign_id': 'varchar',
            'cost_amount': money(),
            'currency_code': 'varchar'
        }
    } %}
    {{ return(dict(provenance, **shapes[entity])) }}
{% endmacro %}

{#- All sources' rows of an entity, one under the other, in the entity's shape. A column counts as present when the
    staging model's yml names it; with no source at all the result is empty and typed. -#}
{% macro united(entity) -%}
    {%- set columns = entity_columns(entity) -%}
    {%- for source_name in var('staged').get(entity, []) %}
    {%- set model = ref('stg_' ~ source_name ~ '__' ~ entity) -%}
    {%- set present = declared_columns('stg_' ~ source_name ~ '__' ~ entity) %}
select
        {%- for name, type in columns.items() %}
    cast({{ name if name in present or name == 'source_name' else 'null' }} as {{ type }}) as {{ name }}
            {%- if not loop.last %},{% endif %}
        {%- endfor %}
from {{ model }}
{{ 'union all' if not loop.last }}
    {%- else %}
select
        {%- for name, type in columns.items() %}
    cast(null as {{ type }}) as {{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
where 1 = 0
    {%- endfor %}
{%- endmacro %}

{#- Every customer that the sources' rows of an entity name, as source_name and customer_id. -#}
{% macro customers_named_in(entity, column) -%}
    select distinct
        source_name,
        {{ column }} as customer_id
    from ({{ united(entity) }}) as united
    where {{ column }} is not null
{%- endmacro %}

{% macro declared_columns(model_name) -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() if node.resource_type == 'model' and node.name == model_name -%}
            {{ return(node.columns.keys() | list) }}
        {%- endfor -%}
    {%- endif -%}
    {{ return([]) }}
{%- endmacro %}

{#- A source's key of a row that it may leave unnamed. -#}
{% macro nullable_key_of(source, id) -%}case when {{ id }} is not null then {{ key_of(source, id) }} end{%- endmacro %}

{#- A word that somebody typed or chose, as a coupon's code: none where it has more than sixty letters or an @, as that
    is a sentence or an address, and says of a person what no mart should. -#}
{% macro short_word(expression) -%}
    case
        when length({{ text(expression) }}) <= 60 and {{ text(expression) }} not like '%@%'
            then {{ text(expression) }}
    end
{%- endmacro %}
