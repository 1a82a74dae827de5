{#- Whether a table has the grain that it states: no two rows agree on all of the columns. -#}
{% test one_row_per(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1
{% endtest %}
