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

unread as (
    select
        status_reason,
        row_number() over (order by count_texts desc, status_reason asc) as place
    from mention_texts
    where status_reason is not null
)

select
    'count_mentions_read' as base,
    coalesce(max(status_reason), 'no mention has words of its own') as reason
from unread
where place = 1
having not exists (select 1 from mention_texts where status_reason is null)
{%- for window in price_rise_windows() %}
union all
select
    'count_buyers_{{ window }}_rise' as base,
    '{{ no_price_rise() }}' as reason
where not exists (select 1 from {{ ref('int_price_rise_buyers') }})
{%- endfor %}
