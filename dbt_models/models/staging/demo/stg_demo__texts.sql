-- Grain: one row per text that somebody wrote, and what it stands beside. Never published.
{%- set written = [
    ['feedback', 'stg_demo__survey_answers', 'feedback_id', 'submitted_at'],
    ['feedback', 'stg_demo__reviews', 'feedback_id', 'submitted_at'],
    ['contact', 'stg_demo__support_contacts', 'contact_id', 'opened_at'],
    ['mention', 'stg_demo__mentions', 'mention_id', 'mentioned_at']
] %}
{%- for beside, model, id, written_at in written %}
select
    '{{ beside }}' as stands_beside,
    {{ id }} as text_id,
    customer_id,
    language_code,
    {{ written_at }} as written_at,
    written_text,
    source_name,
    _file,
    _loaded_at,
    _load_id,
    _row_number
from {{ ref(model) }}
where written_text is not null
{{ 'union all' if not loop.last }}
{%- endfor %}
