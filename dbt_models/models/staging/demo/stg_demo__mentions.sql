-- Grain: one row per public post that names the shop. Its author is a customer where one account alone has the handle.
{{ config(materialized='staged', meta={'judges': 'demo__social_mentions'}) }}
{%- set count_likes, count_shares, count_reached = [
    'cast(' ~ as_amount('try_cast(raw.likes as bigint)') ~ ' as bigint)',
    'cast(' ~ as_amount('try_cast(raw.shares as bigint)') ~ ' as bigint)',
    'cast(' ~ as_amount('try_cast(raw.reach as bigint)') ~ ' as bigint)'
] %}

with owners as (
    select
        social_handle,
        min(customer_id) as customer_id
    from {{ ref('stg_demo__account_contacts') }}
    where social_handle is not null
    group by social_handle
    having count(*) = 1
),

judged as (
    select
        lower(cast(raw.platform as varchar)) || ':' || cast(raw.mention_id as varchar) as mention_id,
        lower(cast(raw.platform as varchar)) as platform,
        {{ pseudonym('raw.author_handle') }} as author_handle,
        owners.customer_id,
        lower(cast(raw.platform as varchar)) || ':' || {{ text('cast(raw.repost_of as varchar)') }} as repost_of_id,
        cast(raw.language as varchar) as language_code,
        {{ text('cast(raw.text as varchar)') }} as written_text,
        {{ count_likes }} as count_likes,
        {{ count_shares }} as count_shares,
        {{ count_reached }} as count_reached,
        {{ local_to_utc(moment('raw.created_at')) }} as mentioned_at,
        {{ provenance() }},
        {{ refusals([
            ['`mention_id` is missing', 'raw.mention_id is null'],
            ['`platform` is missing', 'raw.platform is null'],
            ['`created_at` is missing', 'raw.created_at is null'],
            ['`created_at` is not a time', 'raw.created_at is not null and ' ~ moment('raw.created_at') ~ ' is null'],
            ['`likes`, `shares` or `reach` is below zero',
                'least(' ~ count_likes ~ ', ' ~ count_shares ~ ', ' ~ count_reached ~ ') < 0']
        ]) }} as refusals
    from {{ source('raw', 'demo__social_mentions') }} as raw
    left join owners on {{ pseudonym('raw.author_handle') }} = owners.social_handle
)

{{ judged_rows('judged', key=['mention_id'], happened_at='mentioned_at') }}
