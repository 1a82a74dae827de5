{#- The rules by which records are linked, the strongest first: the column of int_identity_records that must agree. -#}
{% macro identity_rules() -%}
    {{ return(['loyalty_card', 'mailbox', 'email', 'phone', 'social_handle']) }}
{%- endmacro %}

{#- The sets of rules under which customers are resolved: first the shop's own, number 0, then those beside which its
    headline metrics are shown. -#}
{% macro identity_rule_sets() -%}
    {%- set chosen = var('identity') -%}
    {%- set sets = [{'name': 'as_set', 'rules': chosen.rules, 'links_guests': chosen.links_guests}] -%}
    {%- if chosen.compares_rules and chosen.rules -%}
        {%- for rule in chosen.rules -%}
            {%- do sets.append({
                'name': 'without_' ~ rule,
                'rules': chosen.rules | reject('equalto', rule) | list,
                'links_guests': chosen.links_guests
            }) -%}
        {%- endfor -%}
        {%- if 'mailbox' in chosen.rules and 'email' not in chosen.rules -%}
            {%- do sets.append({
                'name': 'email_as_written',
                'rules': (chosen.rules | reject('equalto', 'mailbox') | list) + ['email'],
                'links_guests': chosen.links_guests
            }) -%}
        {%- endif -%}
        {%- if chosen.links_guests -%}
            {%- do sets.append({'name': 'without_guests', 'rules': chosen.rules, 'links_guests': false}) -%}
        {%- endif -%}
    {%- endif -%}
    {%- if chosen.rules -%}
        {%- do sets.append({'name': 'accounts_only', 'rules': [], 'links_guests': false}) -%}
    {%- endif -%}
    {{ return(sets) }}
{%- endmacro %}

{#- The sets as rows: number, name, whether guests' orders are linked. -#}
{% macro identity_rule_set_rows() -%}
    {%- for set_of_rules in identity_rule_sets() %}
    select
        {{ loop.index0 }} as rule_set_number,
        '{{ set_of_rules.name }}' as rule_set,
        {{ set_of_rules.links_guests | lower }} as links_guests
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

{#- Set and rule, one row each; no row where no rule is set. -#}
{% macro identity_rules_of_sets() -%}
    {%- for set_of_rules in identity_rule_sets() %}
    {%- set outer = loop %}
    {%- for rule in set_of_rules.rules %}
    select
        {{ outer.index0 }} as rule_set_number,
        {{ set_of_rules.links_guests | lower }} as links_guests,
        '{{ rule }}' as linked_by
    union all
    {%- endfor %}
    {%- endfor %}
    select
        cast(null as integer) as rule_set_number,
        false as links_guests,
        cast(null as varchar) as linked_by
    where 1 = 0
{%- endmacro %}

{#- Pairs that the shop says are never the same: the second of a pair is parted from the first. -#}
{% macro never_the_same() -%}
    {%- for kept, parted in var('identity').never_the_same %}
    select '{{ kept | replace("'", "''") }}' as kept_name, '{{ parted | replace("'", "''") }}' as parted_name
    union all
    {%- endfor %}
    select cast(null as varchar) as kept_name, cast(null as varchar) as parted_name where 1 = 0
{%- endmacro %}

{#- What names a record: an account by source and id, a guest's order by its own mark. No source name holds a slash. -#}
{% macro guest_order_name(source, id) -%}({{ source }} || '/guest_order:' || {{ id }}){%- endmacro %}

{#- One number for a record under a set of rules. -#}
{% macro identity_node(record_number, rule_set_number) -%}
    ({{ record_number }} * {{ identity_rule_sets() | length }} + {{ rule_set_number }})
{%- endmacro %}
