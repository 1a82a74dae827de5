-- Grain: one row per accepted public post of any source. Handles and texts are left behind; keyed hashes of them go on.
select
    united.source_name,
    united.mention_id,
    united.platform,
    united.customer_id,
    united.language_code,
    united.count_likes,
    united.count_shares,
    united.count_reached,
    united.mentioned_at,
    united.written_text is not null as has_text,
    {{ key_of('source_name', 'mention_id') }} as mention_key,
    {{ nullable_key_of('source_name', 'repost_of_id') }} as repost_of_key,
    {{ business_date('mentioned_at') }} as mentioned_date,
    {{ keyed_hash(key_of('source_name', 'author_handle')) }} as author_key,
    {{ keyed_hash(folded_text('written_text')) }} as text_key
from ({{ united('mentions') }}) as united
