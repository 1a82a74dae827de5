-- Grain: one row per text that somebody wrote, and what it stands beside. Never published.
select
    'feedback' as stands_beside,
    feedback_id as text_id,
    customer_id,
    language_code,
    submitted_at as written_at,
    written_text,
    source_name,
    _file,
    _loaded_at,
    _load_id,
    _row_number
from {{ ref('stg_olist__feedback') }}
where written_text is not null
