-- Grain: one row per answer or review.
select
    feedback_id,
    customer_id,
    order_id,
    instrument,
    question,
    score,
    scale_min,
    scale_max,
    is_reversed,
    channel,
    language_code,
    has_text,
    submitted_at,
    source_name,
    _file,
    _loaded_at,
    _load_id,
    _row_number
from {{ ref('stg_demo__survey_answers') }}
union all
select
    feedback_id,
    customer_id,
    order_id,
    instrument,
    question,
    score,
    scale_min,
    scale_max,
    is_reversed,
    channel,
    language_code,
    has_text,
    submitted_at,
    source_name,
    _file,
    _loaded_at,
    _load_id,
    _row_number
from {{ ref('stg_demo__reviews') }}
