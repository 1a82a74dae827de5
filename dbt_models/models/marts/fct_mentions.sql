-- Grain: one row per public post that names the shop; is_counted marks those that are somebody's own words, said once.
with authors as (
    select
        author_key,
        count(*) as count_posts,
        count(distinct text_key) as count_texts
    from {{ ref('int_mentions_united') }}
    where repost_of_key is null and author_key is not null and text_key is not null
    group by author_key
),

judged as (
    select
        mentions.*,
        customers.customer_key,
        mentions.repost_of_key is not null as is_repost,
        coalesce(
            authors.count_posts >= {{ var('bot_minimum_posts') }}
            and authors.count_texts <= {{ var('bot_text_share') }} * authors.count_posts,
            false
        ) as is_bot,
        mentions.text_key is not null and row_number() over (
            partition by mentions.text_key
            order by mentions.mentioned_at asc nulls last, mentions.mention_key asc
        ) > 1 as is_repeated_text
    from {{ ref('int_mentions_united') }} as mentions
    left join authors on mentions.author_key = authors.author_key
    left join {{ ref('int_customers_united') }} as customers
        on mentions.source_name = customers.source_name and mentions.customer_id = customers.customer_id
)

select
    mention_key,
    source_name,
    mention_id,
    platform,
    author_key,
    customer_key,
    repost_of_key,
    language_code,
    mentioned_at,
    mentioned_date,
    coalesce(count_likes, 0) as count_likes,
    coalesce(count_shares, 0) as count_shares,
    coalesce(count_reached, 0) as count_reached,
    has_text,
    is_repost,
    is_bot,
    is_repeated_text,
    not is_repost and not is_bot and not is_repeated_text as is_counted
from judged
