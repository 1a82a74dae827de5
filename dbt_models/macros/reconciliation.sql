{#- The staging models that judge raw rows, in name order, with the relations that they read and write. They are found
    in the graph at run time; `depends_on_staging` tells dbt at parse time to wait for them. -#}
{% macro judged_models() -%}
    {%- set found = [] -%}
    {%- if execute -%}
        {%- for node in graph.nodes.values() | sort(attribute='name')
            if node.resource_type == 'model' and node.config.materialized == 'staged' -%}
            {%- set accepted = api.Relation.create(
                database=node.database, schema=node.schema, identifier=node.alias
            ) -%}
            {%- if node.sources | map('last') | unique | list | length != 1 and 'judges' not in node.config.meta -%}
                {%- do exceptions.raise_compiler_error(
                    node.name ~ ' reads ' ~ node.sources | length ~ ' raw tables; say in meta.judges which it judges'
                ) -%}
            {%- endif -%}
            {%- set raw = graph.sources.values()
                | selectattr('source_name', 'equalto', 'raw')
                | selectattr('name', 'equalto', node.config.meta.get('judges', node.sources[0][1])) | first -%}
            {%- do found.append({
                'name': node.name,
                'raw': api.Relation.create(database=raw.database, schema=raw.schema, identifier=raw.identifier),
                'accepted': accepted,
                'judged': judged_relation(accepted),
                'refused': quarantine_relation(accepted),
                'amount': node.config.meta.get('reconciled_amount')
            }) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(found) }}
{%- endmacro %}

{% macro depends_on_staging() -%}
    {%- for entity, source_names in var('staged').items() %}{% for source_name in source_names %}
-- depends_on: {{ ref('stg_' ~ source_name ~ '__' ~ entity) }}
    {%- endfor %}{% endfor %}
{%- endmacro %}

{#- Raw rows that the as-of can see against accepted and refused ones. -#}
{% macro reconciled_rows(model) -%}
    select
        'raw' as layer_from,
        'staging' as layer_to,
        '{{ model.name }}' as entity,
        'rows' as measure,
        (select count(*) from {{ model.raw }})
        - (select count(*) from {{ model.judged }} where not is_seen) as total_from,
        (select count(*) from {{ model.accepted }}) + (select count(*) from {{ model.refused }}) as total_to
{%- endmacro %}

{#- An amount as the raw rows say it against what was accepted plus what was refused. -#}
{% macro reconciled_amount(model) -%}
    select
        'raw' as layer_from,
        'staging' as layer_to,
        '{{ model.name }}' as entity,
        '{{ model.amount.staged }}' as measure,
        coalesce(sum({{ model.amount.raw }}) filter (where coalesce(judged.is_seen, true)), 0) as total_from,
        coalesce((select sum({{ model.amount.staged }}) from {{ model.accepted }}), 0)
        + coalesce(sum({{ model.amount.raw }}) filter (where judged.is_seen and judged.reasons <> ''), 0) as total_to
    from {{ model.raw }} as raw
    left join {{ model.judged }} as judged on raw._load_id = judged._load_id and raw._row_number = judged._row_number
{%- endmacro %}

{% macro amounts_of(layer_from, layer_to, entity, measure, query_from, query_to) -%}
    select
        '{{ layer_from }}' as layer_from,
        '{{ layer_to }}' as layer_to,
        '{{ entity }}' as entity,
        '{{ measure }}' as measure,
        coalesce(({{ query_from }}), 0) as total_from,
        coalesce(({{ query_to }}), 0) as total_to
{%- endmacro %}

{% macro united_total(entity, amount) -%}
    select sum({{ amount }}) from ({{ united(entity) }}) as united
{%- endmacro %}
