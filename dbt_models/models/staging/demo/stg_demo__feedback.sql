-- Grain: one row per answer, review or rating of a support contact.
{%- set columns = [
    'feedback_id', 'customer_id', 'order_id', 'invitation_id', 'survey', 'wave', 'instrument', 'question',
    'score', 'scale_min', 'scale_max', 'is_reversed', 'channel', 'language_code', 'has_text', 'invited_at',
    'submitted_at', 'source_name', '_file', '_loaded_at', '_load_id', '_row_number'
] %}
-- The shop exports a rating beside its contact, without a time; it is asked for when the contact is resolved.
with resolutions as (
    select
        contact_id,
        min(happened_at) as resolved_at
    from {{ ref('stg_demo__support_events') }}
    where event_kind = 'resolved'
    group by contact_id
),

reviews as (
    select
        *,
        cast(null as {{ dbt.type_string() }}) as invitation_id,
        cast(null as {{ dbt.type_string() }}) as survey,
        cast(null as {{ dbt.type_string() }}) as wave,
        cast(null as {{ dbt.type_timestamp() }}) as invited_at
    from {{ ref('stg_demo__reviews') }}
),

ratings as (
    select
        contacts.contact_id || '-rating' as feedback_id,
        contacts.customer_id,
        contacts.order_id,
        cast(null as {{ dbt.type_string() }}) as invitation_id,
        cast(null as {{ dbt.type_string() }}) as survey,
        cast(null as {{ dbt.type_string() }}) as wave,
        questions.instrument,
        questions.question,
        contacts.csat_score as score,
        questions.scale_min,
        questions.scale_max,
        questions.is_reversed,
        contacts.channel,
        contacts.language_code,
        false as has_text,
        resolutions.resolved_at as invited_at,
        resolutions.resolved_at as submitted_at,
        contacts.source_name,
        contacts._file,
        contacts._loaded_at,
        contacts._load_id,
        contacts._row_number
    from {{ ref('stg_demo__support_contacts') }} as contacts
    inner join resolutions on contacts.contact_id = resolutions.contact_id
    inner join {{ ref('feedback_questions') }} as questions on {{ is_question('demo', "'contact_rating'") }}
    where contacts.csat_score is not null
)

{% for part in [ref('stg_demo__survey_answers'), 'reviews', 'ratings'] %}
select
    {{ columns | join(',\n    ') }}
from {{ part }}
{{ 'union all' if not loop.last }}
{%- endfor %}
