{#- HMAC-SHA256 (RFC 2104) of a text under the shop's secret, as 32 hex digits. The session sets the two padded keys,
    so the secret is in no compiled SQL and in no log. -#}
{% macro keyed_hash(expression) -%}
    {{ return(adapter.dispatch('keyed_hash', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__keyed_hash(expression) -%}
    substr(
        sha256(getvariable('hmac_outer') || unhex(sha256(getvariable('hmac_inner') || encode({{ expression }})))), 1, 32
    )
{%- endmacro %}

{#- A text as its repeats are told by: without case, and with single blanks. -#}
{% macro folded_text(expression) -%}
    {{ return(adapter.dispatch('folded_text', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__folded_text(expression) -%}
    lower(trim(regexp_replace({{ expression }}, '[[:space:]]+', ' ', 'g')))
{%- endmacro %}

{#- Our key of something that a source names. A source name holds no colon, so two pairs never meet. -#}
{% macro key_of(source, id) -%}({{ source }} || ':' || {{ id }}){%- endmacro %}

{#- A number from 0 that looks drawn by chance and follows from a text alone: 28 bits of its MD5. -#}
{% macro drawn_number(expression) -%}
    {{ return(adapter.dispatch('drawn_number', 'loyalty')(expression)) }}
{%- endmacro %}

{% macro default__drawn_number(expression) -%}
    cast('0x' || substr(md5({{ expression }}), 1, 7) as bigint)
{%- endmacro %}

{#- How many numbers drawn_number may give. -#}
{% macro count_drawn_numbers() -%}268435456{%- endmacro %}
