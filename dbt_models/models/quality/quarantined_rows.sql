-- Grain: one row per refused raw row; its raw values stay in the unpublished quarantine.
{{ depends_on_staging() }}

select
    cast('raw.' || source_name || '__' || table_name as {{ dbt.type_string() }}) as model,
    source_name as source,
    cast(source_name || '__' || table_name as {{ dbt.type_string() }}) as raw_table,
    file,
    row_number,
    reason as reasons
from {{ source('raw', 'unreadable_rows') }}
{% for model in judged_models() %}
union all
select
    '{{ model.name }}' as model,
    source_name as source,
    '{{ model.raw.identifier }}' as raw_table,
    _file as file,
    _row_number as row_number,
    reasons
from {{ model.refused }}
{% endfor %}
