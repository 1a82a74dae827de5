-- Grain: one row per campaign that has begun.
{{ config(materialized='staged') }}

with judged as (
    select
        {{ text('raw.campaign_id') }} as campaign_id,
        {{ text('raw.campaign_name') }} as campaign_name,
        lower({{ text('raw.purpose') }}) as purpose,
        {{ calendar_day('raw.starts_on') }} as start_date,
        {{ calendar_day('raw.ends_on') }} as end_date,
        try_cast({{ text('raw.holdout_share') }} as double) as holdout_share,
        {{ local_to_utc('cast(' ~ calendar_day('raw.starts_on') ~ ' as timestamp)') }} as started_at,
        {{ provenance() }},
        {{ refusals([
            rule_missing('campaign_id'),
            rule_missing('starts_on'),
            rule_not_a_day('starts_on'),
            rule_not_a_day('ends_on'),
            ['`holdout_share` is not a share from 0 to 1',
                text('raw.holdout_share') ~ ' is not null and not coalesce(try_cast('
                ~ text('raw.holdout_share') ~ ' as double) between 0 and 1, false)']
        ]) }} as refusals
    from {{ source('raw', 'demo__campaigns') }} as raw
)

{{ judged_rows('judged', key=['campaign_id'], happened_at='started_at') }}
