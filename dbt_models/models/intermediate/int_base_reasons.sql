-- Grain: one row per base that is empty for all time although its feed is there, with the reason.
{{ config(tags=['after_models']) }}

with mention_texts as (
    select
        status_reason,
        count(*) as count_texts
    from {{ source('models', 'text_sentiment') }}
    where stands_beside = 'mention'
    group by status_reason
),

-- what was read stands first, and has no reason
ranked as (
    select
        status_reason,
        row_number() over (
            order by case when status_reason is null then 0 else 1 end asc, count_texts desc, status_reason asc
        ) as place
    from mention_texts
)

select
    'count_mentions_read' as base,
    coalesce(max(status_reason), 'no mention has words of its own') as reason
from ranked
where place = 1
having count(*) = 0 or max(status_reason) is not null
{%- for window in price_rise_windows() %}
union all
select
    'count_buyers_{{ window }}_rise' as base,
    '{{ no_price_rise() }}' as reason
where not exists (select 1 from {{ ref('int_price_rise_buyers') }})
{%- endfor %}
