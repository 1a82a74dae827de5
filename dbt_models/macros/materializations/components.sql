{#- The connected components of a graph. The model's SQL gives its edges, as two whole numbers `node` and `other_node`;
    the table says for each node of an edge the smallest node that can be reached, as `component`.

    Large star and small star in turn (Kiveris et al. 2014, "Connected components in MapReduce and beyond"): each round
    reads and writes a number of rows in proportion to the edges, and the rounds grow with the square of the logarithm
    of the longest path at most. Plain joins and groups, so any engine can do it. -#}
{% materialization components, default, supported_languages=['sql'] %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {%- set edges, reached = component_relation('edges'), component_relation('reached') -%}
    {{ run_hooks(pre_hooks) }}

    {% call statement('main') -%}
        create or replace table {{ edges }} as
        select distinct greatest(node, other_node) as node, least(node, other_node) as root
        from ({{ sql }}) as given
        where node <> other_node
    {%- endcall %}

    {%- set state = namespace(is_star=false) -%}
    {%- for round in range(64) if not state.is_star -%}
        {%- set state.is_star = run_query(stars_unfinished(edges)).columns[0].values()[0] == 0 -%}
        {%- if not state.is_star -%}
            {%- do run_query('create or replace table ' ~ reached ~ ' as ' ~ large_star(edges)) -%}
            {%- do run_query('create or replace table ' ~ edges ~ ' as ' ~ small_star(reached)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if not state.is_star -%}
        {%- do exceptions.raise_compiler_error(this.name ~ ': components are not found after 64 rounds') -%}
    {%- endif -%}

    {% call statement('written') -%}
        create or replace table {{ target_relation }} as
        select node, root as component from {{ edges }}
        union all
        select distinct root as node, root as component from {{ edges }}
    {%- endcall %}
    {%- do adapter.drop_relation(edges) -%}
    {%- do adapter.drop_relation(reached) -%}
    {{ run_hooks(post_hooks) }}
    {% do adapter.commit() %}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro component_relation(part) -%}
    {{ return(api.Relation.create(
        database=this.database, schema=this.schema, identifier=this.identifier ~ '__' ~ part, type='table'
    )) }}
{%- endmacro %}

{#- How many edges keep the graph from being stars: further roots of a node, and roots that have a root themselves. -#}
{% macro stars_unfinished(edges) -%}
    select
        (select count(*) - count(distinct node) from {{ edges }})
        + (select count(*) from {{ edges }} where root in (select node from {{ edges }})) as count_unfinished
{%- endmacro %}

{#- Each node's larger neighbours are hung on its smallest neighbour, or on itself. -#}
{% macro large_star(edges) -%}
    with neighbours as (
        select node as centre, root as neighbour from {{ edges }}
        union all
        select root as centre, node as neighbour from {{ edges }}
    ),

    smallest as (
        select centre, least(centre, min(neighbour)) as root from neighbours group by centre
    )

    select distinct neighbours.neighbour as node, smallest.root
    from neighbours
    inner join smallest on neighbours.centre = smallest.centre
    where neighbours.neighbour > neighbours.centre
{%- endmacro %}

{#- Each node and its roots are hung on the smallest of them. -#}
{% macro small_star(edges) -%}
    with smallest as (
        select node, min(root) as root from {{ edges }} group by node
    )

    select node, root from smallest
    union
    select edges.root as node, smallest.root
    from {{ edges }} as edges
    inner join smallest on edges.node = smallest.node
    where edges.root <> smallest.root
{%- endmacro %}
