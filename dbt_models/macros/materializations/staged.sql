{#- A staging model writes one table, `<model>__judged`, and shows it as two views: the accepted rows under the model's
    own name, the refused ones in schema quarantine. Each row is in exactly one of the two, by construction. -#}
{% materialization staged, default, supported_languages=['sql'] %}
    {%- set accepted = this.incorporate(type='view') -%}
    {%- set judged = judged_relation(this) -%}
    {%- set refused = quarantine_relation(this) -%}

    {{ run_hooks(pre_hooks) }}

    {% call statement('main') -%}
        create or replace table {{ judged }} as ({{ sql }})
    {%- endcall %}

    {%- set kept = [] -%}
    {%- for column in adapter.get_columns_in_relation(judged)
        if column.name not in ('refusals', 'reasons', 'is_seen', 'is_gone', '_is_deleted') -%}
        {%- do kept.append(adapter.quote(column.name)) -%}
    {%- endfor %}

    {% call statement('accepted') -%}
        create or replace view {{ accepted }} as
        select {{ kept | join(', ') }} from {{ judged }} where reasons = '' and is_seen
    {%- endcall %}

    {% call statement('refused') -%}
        create or replace view {{ refused }} as
        select source_name, _file, _load_id, _row_number, reasons from {{ judged }} where reasons <> '' and is_seen
    {%- endcall %}

    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [accepted, judged, refused]}) }}
{% endmaterialization %}

{% macro judged_relation(relation) -%}
    {{ return(api.Relation.create(
        database=relation.database, schema=relation.schema, identifier=relation.identifier ~ '__judged', type='table'
    )) }}
{%- endmacro %}

{% macro quarantine_relation(relation) -%}
    {{ return(api.Relation.create(
        database=relation.database, schema='quarantine', identifier=relation.identifier, type='view'
    )) }}
{%- endmacro %}
