{#- The three pillars of the loyalty score: pillar -> item -> weight, what counts 0 and what counts 100. Anchors are
    fixed, so that scores of two nights can be compared; a score by ranks only says who stands before whom. -#}
{% macro score_pillars() -%}
    {{ return({
        'behavioural': {
            'silence_in_expected_gaps': {'weight': 1, 'worst': var('lapsed_gap_multiple'), 'best': 0},
            'count_occasions_in_window': {'weight': 1, 'worst': 0, 'best': var('score_full_occasions')},
        },
        'emotional': {
            'nps_answer': {'weight': 1, 'worst': 0, 'best': 100},
            'csat_answer': {'weight': 1, 'worst': 0, 'best': 100},
            'loyalty_index_answer': {'weight': 1, 'worst': 0, 'best': 100},
        },
        'financial': {
            'total_net_in_window': {'weight': 1, 'worst': 0, 'best': var('score_full_net')},
        },
    }) }}
{%- endmacro %}

{#- An item on 0 to 100: between its anchors, or by its rank among all who have it (equal customers share one). -#}
{% macro item_points(name, item) -%}
    {%- if var('score_scale') == 'ranks' -%}
    case when {{ name }} is not null then 100 * percent_rank() over (
        partition by {{ name }} is null
        order by {{ name }} {{ 'asc' if item.best > item.worst else 'desc' }} nulls last
    ) end
    {%- else -%}
    case when {{ name }} is not null then 100 * least(1, greatest(0,
        cast({{ name }} - {{ item.worst }} as double) / ({{ item.best }} - {{ item.worst }})
    )) end
    {%- endif -%}
{%- endmacro %}

{#- The weighted mean of what is there; null where nothing is. Parts are {name: weight}. -#}
{% macro mean_of_present(parts) -%}
    {%- set sums, weights = [], [] -%}
    {%- for name, weight in parts.items() -%}
        {%- do sums.append(weight ~ ' * coalesce(' ~ name ~ ', 0)') -%}
        {%- do weights.append('case when ' ~ name ~ ' is null then 0 else ' ~ weight ~ ' end') -%}
    {%- endfor -%}
    ({{ sums | join(' + ') }}) / nullif({{ weights | join(' + ') }}, 0)
{%- endmacro %}

{#- A pillar: the mean of its items' points, which stand in columns points_<item>. -#}
{% macro mean_of_items(items) -%}
    {%- set parts = {} -%}
    {%- for name, item in items.items() -%}{%- do parts.update({'points_' ~ name: item.weight}) -%}{%- endfor -%}
    {{ mean_of_present(parts) }}
{%- endmacro %}
