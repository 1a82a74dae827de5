-- Grain: one row per answer or review.
select * from {{ ref('stg_demo__survey_answers') }} -- noqa: AM04
union all
select * from {{ ref('stg_demo__reviews') }}
