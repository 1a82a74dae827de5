{#- How a staging model reads a raw row: casts that never fail, rules that say why a row is refused, and the two
    columns that the `staged` materialisation splits by. -#}

{% macro provenance() -%}
    raw._source as source_name,
    raw._file,
    raw._loaded_at,
    raw._load_id,
    raw._row_number
    {%- if var('has_deletions') %},
    coalesce(try_cast(raw._is_deleted as boolean), false) as _is_deleted
    {%- endif %}
{%- endmacro %}

{#- A column of the raw row by the name that its source gave it, quoted where that is no plain word. -#}
{% macro sent(column) -%}
    {{ return('raw.' ~ (column if modules.re.fullmatch('[A-Za-z_][A-Za-z0-9_]*', column) else adapter.quote(column))) }}
{%- endmacro %}

{% macro text(expression) -%}nullif(trim(cast({{ expression }} as varchar)), ''){%- endmacro %}

{% macro number(expression) -%}{{ as_amount(expression) }}{%- endmacro %}

{#- A whole number as it is written: `12.5` is none, where a cast would round it. Eighteen digits, so that one more of
    any size, or its opposite, is one too. -#}
{% macro whole_number(expression) -%}
    {{ return(adapter.dispatch('whole_number', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__whole_number(expression) -%}
    case
        when regexp_matches(trim(cast({{ expression }} as varchar)), '^[+-]?0*[0-9]{1,18}$')
            then try_cast({{ expression }} as bigint)
    end
{%- endmacro %}

{#- A whole number that is summed, as points and people reached are: no larger than an amount. -#}
{% macro whole_amount(expression) -%}cast({{ as_amount(whole_number(expression)) }} as bigint){%- endmacro %}

{#- A wall time as it is written: a text with an offset or a zone is none, where a cast would drop the offset. -#}
{% macro moment(expression) -%}
    {{ return(adapter.dispatch('moment', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__moment(expression) -%}
    case
        when regexp_matches(
            trim(cast({{ expression }} as varchar)),
            '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([ T][0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]+)?)?)?$'
        ) then try_cast(trim(cast({{ expression }} as varchar)) as timestamp)
    end
{%- endmacro %}

{#- A wall time written in one of some formats of strptime. -#}
{% macro moment_written_as(expression, formats) -%}
    {{ return(adapter.dispatch('moment_written_as', 'loyalty')(expression, formats)) }}
{%- endmacro %}

{% macro default__moment_written_as(expression, formats) -%}
    try_strptime(trim(cast({{ expression }} as varchar)), ['{{ formats | join("', '") }}'])
{%- endmacro %}

{#- A time written with its offset or zone, in UTC and without zone. -#}
{% macro instant(expression) -%}
    {{ return(adapter.dispatch('instant', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__instant(expression) -%}
    case
        when regexp_matches(trim(cast({{ expression }} as varchar)), '[0-9] ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)$')
            then timezone('UTC', try_cast(
                regexp_replace(
                    trim(cast({{ expression }} as varchar)), ' ?([+-][0-9]{2}):?([0-9]{2})$', '\1:\2'
                ) as timestamp with time zone
            ))
    end
{%- endmacro %}

{#- The text of a number with a decimal comma, as one with a point: `1.234,56` is 1234.56. -#}
{% macro decimal_comma(expression) -%}
    replace(replace(cast({{ expression }} as varchar), '.', ''), ',', '.')
{%- endmacro %}

{#- Yes or no in the words of exports; null where it is neither. -#}
{% macro flag(expression) -%}
    case
        when lower(trim(cast({{ expression }} as varchar))) in ('true', 't', 'yes', 'y', '1') then true
        when lower(trim(cast({{ expression }} as varchar))) in ('false', 'f', 'no', 'n', '0') then false
    end
{%- endmacro %}

{#- A calendar day as it is written; a text with a time of day is none. -#}
{% macro calendar_day(expression) -%}
    {{ return(adapter.dispatch('calendar_day', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__calendar_day(expression) -%}
    case
        when regexp_matches(trim(cast({{ expression }} as varchar)), '^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}$')
            then try_cast({{ expression }} as date)
    end
{%- endmacro %}

{#- What a source learned of an event later on, as the as-of knows it: null when it happened after that. -#}
{% macro if_known(expression, happened_at) -%}
    case when {{ happened_at }} < {{ as_of_ends_at() }} then {{ expression }} end
{%- endmacro %}

{#- The text as the condition sees it: a blank is absent. -#}
{% macro rule_missing(column) -%}
    {{ return(['`' ~ column ~ '` is missing', text(sent(column)) ~ ' is null']) }}
{%- endmacro %}

{% macro rule_unreadable(column, cast_expression, expected) -%}
    {{ return([
        '`' ~ column ~ '` is not ' ~ expected,
        text(sent(column)) ~ ' is not null and ' ~ cast_expression ~ ' is null'
    ]) }}
{%- endmacro %}

{% macro rule_not_a_number(column) -%}
    {{ return(rule_unreadable(column, number(sent(column)), 'a number below 100,000,000,000')) }}
{%- endmacro %}

{#- Units times their price, of two columns and what reads each, where both can be read. -#}
{% macro rule_no_amount(quantity, price, units=none, unit_price=none) -%}
    {%- set units, unit_price = units or whole_number(sent(quantity)), unit_price or number(sent(price)) -%}
    {{ return([
        '`' ~ quantity ~ '` times `' ~ price ~ '` is no amount that money can hold',
        units ~ ' is not null and ' ~ unit_price ~ ' is not null and ' ~ product_amount(units, unit_price) ~ ' is null'
    ]) }}
{%- endmacro %}

{% macro rule_not_a_whole_number(column) -%}
    {{ return(rule_unreadable(column, whole_number(sent(column)), 'a whole number')) }}
{%- endmacro %}

{% macro rule_not_a_whole_amount(column) -%}
    {{ return(rule_unreadable(column, whole_amount(sent(column)), 'a whole number below 100,000,000,000')) }}
{%- endmacro %}

{% macro rule_not_a_moment(column) -%}
    {{ return(rule_unreadable(column, moment(sent(column)), 'a time like 2025-01-31 13:45:00')) }}
{%- endmacro %}

{% macro rule_not_a_day(column) -%}
    {{ return(rule_unreadable(column, calendar_day(sent(column)), 'a day like 2025-01-31')) }}
{%- endmacro %}

{% macro rule_not_one_of(column, codes) -%}
    {{ return([
        '`' ~ column ~ '` is none of ' ~ codes | join(', '),
        'lower(' ~ text(sent(column)) ~ ") not in ('" ~ codes | join("', '") ~ "')"
    ]) }}
{%- endmacro %}

{#- Whether a line of the registry of questions, called `questions`, is that of a source's code, asked in a survey. -#}
{% macro is_question(source_name, code, survey=none) -%}
    questions.source_name = '{{ source_name }}'
    and questions.question_code = {{ code }}
    and questions.asked_in in ('any', {{ "coalesce(" ~ survey ~ ", 'unknown')" if survey else "'unknown'" }})
{%- endmacro %}

{#- Every reason that holds, joined; an empty text when the row is good. -#}
{% macro refusals(rules) -%}
    concat_ws(
        '; '
        {%- for reason, condition in rules %},
        case when {{ condition }} then '{{ reason | replace("'", "''") }}' end
        {%- endfor %}
    )
{%- endmacro %}

{#- The end of a staging model: joins the row's own refusals with what other rows and the clock of the load say.
    key          columns that name a row; of several good and seen rows the latest stands and the others are refused
    happened_at  the event's time: a row after the as-of is unseen; one more than a day after its own load is refused
    latest_by    what orders the versions of a key before the load does; a version later than the as-of is unseen where
                 an earlier one is known
    Where sources tell deletions, a tombstone repeats the row that is gone and happens when it is landed. It and every
    version of its key that was landed before it are refused with that reason; what is landed after it stands again. -#}
{% macro judged_rows(from, key, happened_at=none, latest_by=none) -%}
    {%- set has_deletions = var('has_deletions') -%}
    {%- set is_late = happened_at ~ " > _loaded_at + interval 1 day" -%}
    {%- set is_good = "refusals = '' and is_seen" ~ (" and not is_gone" if has_deletions else "") -%}
    {%- if happened_at -%}
        {%- set is_good = is_good ~ " and not coalesce(" ~ is_late ~ ", false)" -%}
    {%- endif -%}
    select
        *,
        concat_ws(
            '; ',
            nullif(refusals, ''),
            case when {{ is_good }} and row_number() over (
                partition by {{ key | join(', ') }}, {{ is_good }}
                order by
                    {%- if latest_by %} {{ latest_by }} desc nulls last,{% endif %}
                    _loaded_at desc nulls last, _file desc nulls last, _row_number desc nulls last
            ) > 1 then '`{{ key | join(", ") }}` repeats: a later row stands' end
            {%- if happened_at %},
            case when {{ is_late }} then '`{{ happened_at }}` lies after the load' end
            {%- endif %}
            {%- if has_deletions %},
            case when is_seen and is_gone then '`{{ key | join(", ") }}` is gone: deleted at the source' end
            {%- endif %}
        ) as reasons
    from (
        {%- if has_deletions %}
        select
            *,
            coalesce(bool_or(_is_deleted and is_seen) over (
                partition by {{ key | join(', ') }}
                order by _loaded_at desc nulls last, _file desc nulls last, _row_number desc nulls last
                rows between unbounded preceding and current row
            ), false) as is_gone
        from (
        {%- endif %}
        select
            *,
            {%- if has_deletions %}
            case when _is_deleted then coalesce(_loaded_at < {{ as_of_ends_at() }}, true) else
            {%- endif %}
            {% if happened_at -%}
            coalesce({{ happened_at }} < {{ as_of_ends_at() }} or {{ is_late }}, true)
            {%- else -%}
            true
            {%- endif %}
            {%- if latest_by %}
            and coalesce(refusals <> '' or {{ latest_by }} < {{ as_of_ends_at() }} or not coalesce(
                bool_or(
                    {{ happened_at or latest_by }} < {{ as_of_ends_at() }} and {{ latest_by }} < {{ as_of_ends_at() }}
                    {%- if has_deletions %} and not _is_deleted{% endif %}
                ) over (partition by {{ key | join(', ') }}, refusals = ''),
                false
            ), true)
            {%- endif %}{% if has_deletions %} end{% endif %} as is_seen
        from {{ from }}
        {%- if has_deletions %}
        ) as timed
        {%- endif %}
    ) as {{ 'marked' if has_deletions else 'timed' }}
{%- endmacro %}

{#- A keyed hash that the door made of an identifier; absent where the text was none of its kind. -#}
{% macro pseudonym(column) -%}
    case when {{ column }} not like '?%' then {{ column }} end
{%- endmacro %}

{#- A day written without marks, as one that a cast reads. -#}
{% macro yyyymmdd(column) -%}
    (substr({{ column }}, 1, 4) || '-' || substr({{ column }}, 5, 2) || '-' || substr({{ column }}, 7, 2))
{%- endmacro %}
