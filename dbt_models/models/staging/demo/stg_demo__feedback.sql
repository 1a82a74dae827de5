-- Grain: one row per answer or review.
select * from {{ ref('stg_demo__survey_answers') }}
union all
select * from {{ ref('stg_demo__reviews') }}
