{#- The bases of what customers say: the same kind of table as macros/metric_bases.sql, over sheets of answers,
    invitations, requests for help and public posts. -#}

{#- Instruments whose scores are told as shares of satisfied and dissatisfied customers. -#}
{% macro satisfaction_instruments() -%}
    {{ return(['csat', 'csat_product', 'csat_service', 'csat_support', 'review']) }}
{%- endmacro %}

{#- Instruments whose scores are told as the mean of customers' means on 0-100. -#}
{% macro index_instruments() -%}
    {{ return([
        'cli', 'trust', 'bond', 'value_fit', 'dependence', 'belonging', 'expectation', 'awareness', 'wallet_share',
        'ces'
    ]) }}
{%- endmacro %}

{#- How what customers say is split: by how they said it, and by the customer's own segments. -#}
{% macro answer_segment_types() -%}
    {{ return(['survey_channel', 'language'] + customer_segment_types()) }}
{%- endmacro %}

{% macro invitation_segment_types() -%}{{ return(['survey_channel'] + customer_segment_types()) }}{%- endmacro %}

{% macro feedback_segment_types() -%}{{ return(['survey_channel', 'language']) }}{%- endmacro %}

{% macro contact_segment_types() -%}{{ return(['contact_channel', 'contact_kind', 'contact_topic']) }}{%- endmacro %}

{% macro mention_segment_types() -%}{{ return(['platform', 'language']) }}{%- endmacro %}

{#- Of a customer's latest sheet of an instrument in a period: rows of int_answer_bases' own CTE. -#}
{% macro answer_bases() -%}
    {%- set bases = {} -%}
    {%- for instrument in ['nps', 'nps_transactional'] + satisfaction_instruments() + index_instruments() -%}
        {%- do bases.update({'count_' ~ instrument ~ '_answers': counted("instrument = '" ~ instrument ~ "'")}) -%}
    {%- endfor -%}
    {%- for instrument in ['nps', 'nps_transactional'] -%}
        {%- do bases.update(with_squares(
            'count_' ~ instrument ~ '_net', "case when instrument = '" ~ instrument ~ "' then net_points else 0 end"
        )) -%}
    {%- endfor -%}
    {%- for instrument in satisfaction_instruments() -%}
        {%- for band in ['satisfied', 'dissatisfied'] -%}
            {%- do bases.update({'count_' ~ instrument ~ '_' ~ band: counted(
                "instrument = '" ~ instrument ~ "' and band = '" ~ band ~ "'"
            )}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- for instrument in index_instruments() -%}
        {%- do bases.update(with_squares(
            'total_' ~ instrument, "case when instrument = '" ~ instrument ~ "' then score_0_100 else 0 end"
        )) -%}
    {%- endfor -%}
    {%- for band in ['below_average', 'average', 'above_average'] -%}
        {%- do bases.update({'count_cli_' ~ band: counted("instrument = 'cli' and band = '" ~ band ~ "'")}) -%}
    {%- endfor -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Of an invitation, in the period in which it was sent. -#}
{% macro invitation_bases() -%}
    {%- set bases = {
        'count_invitations': counted('true'),
        'count_invitations_sent': counted('not is_throttled'),
        'count_invitations_bounced': counted('is_bounced'),
        'count_invitations_throttled': counted('is_throttled'),
        'count_invitations_too_soon': counted('is_sent_too_soon')
    } -%}
    {%- for survey in ['relationship', 'transactional'] -%}
        {%- set own = "survey = '" ~ survey ~ "' and is_delivered" -%}
        {%- do bases.update({
            'count_' ~ survey ~ '_delivered': counted(own),
            'count_' ~ survey ~ '_answered': counted(own ~ ' and is_answered'),
            'count_' ~ survey ~ '_awaited': counted(own ~ ' and is_awaiting_answer')
        }) -%}
    {%- endfor -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Of a request for help, in the period in which it was opened. -#}
{% macro contact_bases() -%}
    {{ return({
        'count_contacts': counted('true'),
        'count_bad_contacts': counted('is_bad_contact'),
        'count_replies_due': counted("first_reply_state <> 'open'"),
        'count_replies_in_time': counted("first_reply_state = 'in_time'"),
        'count_replies_open': counted("first_reply_state = 'open'"),
        'count_resolutions_due': counted("resolution_state <> 'open'"),
        'count_resolutions_in_time': counted("resolution_state = 'in_time'"),
        'count_resolutions_open': counted("resolution_state = 'open'"),
        'count_reopen_windows_closed': counted('is_reopen_window_closed'),
        'count_reopen_windows_open': counted('not is_reopen_window_closed'),
        'count_first_contact_resolutions': counted('is_first_contact_resolution'),
        'count_reopened': counted('is_reopen_window_closed and is_reopened'),
        'count_complaints_due': counted("is_complaint and first_reply_state <> 'open'"),
        'count_complaints_answered': counted("is_complaint and first_reply_state = 'in_time'"),
        'count_complaints_open': counted("is_complaint and first_reply_state = 'open'")
    }) }}
{%- endmacro %}

{#- Of a public post; texts are read of those that count as mentions. -#}
{% macro mention_bases() -%}
    {%- set bases = {
        'count_mentions': counted('is_counted'),
        'count_mentions_by_customers': counted('is_counted and customer_key is not null'),
        'count_posts': counted('true'),
        'count_posts_by_bots': counted('is_bot'),
        'count_posts_by_people': counted('not is_bot'),
        'total_reached': summed('case when is_bot then 0 else count_reached end'),
        'count_mentions_read': counted('is_counted and tone_points is not null')
    } -%}
    {%- do bases.update(with_squares(
        'count_mentions_net_tone', 'case when is_counted then coalesce(tone_points, 0) else 0 end'
    )) -%}
    {{ return(bases) }}
{%- endmacro %}

{#- Rows of a relation in each period that holds their day, but for single days. Writes the CTEs that it needs; the last
    is called in_periods, and ends without a comma. -#}
{% macro in_periods_ctes(from, date) -%}
periods as (
    select * from {{ ref('int_metric_periods') }}
    where period_type <> 'day'
),

bounds as (
    select
        max(period_start) filter (where period_type = 'trailing_window') as window_start,
        cast(null as date) as previous_window_start,
        max(period_start) filter (where period_type = 'lifetime') as lifetime_start
    from periods
),

attributed as (
    select
        facts.*,
        period_types.period_type,
        {{ period_start_of('period_types.period_type', 'facts.' ~ date, 'bounds') }} as period_start
    from {{ from }} as facts
    cross join (select distinct period_type from periods) as period_types
    cross join bounds
),

in_periods as (
    select attributed.*
    from attributed
    inner join periods
        on attributed.period_type = periods.period_type and attributed.period_start = periods.period_start
)
{%- endmacro %}

{#- Of any feedback; a customer counts as often as they spoke. -#}
{% macro feedback_bases() -%}
    {{ return({
        'count_reviews': counted("instrument = 'review'"),
        'count_detractors_due': counted("band = 'detractor' and reply_state <> 'open'"),
        'count_detractors_answered': counted("band = 'detractor' and reply_state = 'in_time'"),
        'count_detractors_open': counted("band = 'detractor' and reply_state = 'open'")
    }) }}
{%- endmacro %}
