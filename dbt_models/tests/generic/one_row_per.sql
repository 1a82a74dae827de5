{#- Whether a table has the grain that it states: none of the columns is null, and no two rows agree on all of them. -#}
{% test one_row_per(model, columns) %}
select {{ columns | join(', ') }}
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1{% for column in columns %} or count({{ column }}) = 0{% endfor %}
{% endtest %}
