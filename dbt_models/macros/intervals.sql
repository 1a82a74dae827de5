{#- 95 % intervals. Wilson (1927) for shares; adjusted Wald for net scores (Bonett and Price 2012): three quarters of an
    answer are added to promoters and to detractors, three answers to the base. Null without a
    base, which has to be said: least and greatest pass over a null. -#}
{% macro wilson_low(numerator, denominator) -%}{{ wilson(numerator, denominator, '-') }}{%- endmacro %}
{% macro wilson_high(numerator, denominator) -%}{{ wilson(numerator, denominator, '+') }}{%- endmacro %}

{% macro wilson(numerator, denominator, sign) -%}
    {%- set n = 'nullif(cast(' ~ denominator ~ ' as double), 0)' -%}
    {%- set p = '(cast(' ~ numerator ~ ' as double) / ' ~ n ~ ')' -%}
    {%- set z = '1.959963984540054' -%}
    case when {{ numerator }} is not null and {{ denominator }} > 0 then least(1, greatest(0, (
        {{ p }} + {{ z }} * {{ z }} / (2 * {{ n }})
        {{ sign }} {{ z }}
        * sqrt(greatest(0, {{ p }} * (1 - {{ p }})) / {{ n }} + {{ z }} * {{ z }} / (4 * {{ n }} * {{ n }}))
    ) / (1 + {{ z }} * {{ z }} / {{ n }}))) end
{%- endmacro %}

{% macro net_score_low(promoters, detractors, answers) -%}
    {{ net_score_bound(promoters, detractors, answers, '-') }}
{%- endmacro %}

{% macro net_score_high(promoters, detractors, answers) -%}
    {{ net_score_bound(promoters, detractors, answers, '+') }}
{%- endmacro %}

{% macro net_score_bound(promoters, detractors, answers, sign) -%}
    {%- set n = '(cast(' ~ answers ~ ' as double) + 3)' -%}
    {%- set p = '((' ~ promoters ~ ' + 0.75) / ' ~ n ~ ')' -%}
    {%- set d = '((' ~ detractors ~ ' + 0.75) / ' ~ n ~ ')' -%}
    case when {{ promoters }} + {{ detractors }} is not null and {{ answers }} > 0 then 100 * least(1, greatest(-1,
        {{ p }} - {{ d }} {{ sign }} 1.959963984540054
        * sqrt(({{ p }} + {{ d }} - ({{ p }} - {{ d }}) * ({{ p }} - {{ d }})) / {{ n }})
    )) end
{%- endmacro %}

{#- A mean's bound from exact sums: n values, their sum and the sum of their squares. Null below two values. -#}
{% macro mean_bound(n, total, total_squares, sign) -%}
    case when {{ total }} is not null and {{ total_squares }} is not null and {{ n }} >= 2 then
        cast({{ total }} as double) / {{ n }} {{ sign }} 1.959963984540054
        * sqrt(greatest(
            0, cast({{ total_squares }} as double) - cast({{ total }} as double) * cast({{ total }} as double) / {{ n }}
        ) / ({{ n }} - 1) / {{ n }})
    end
{%- endmacro %}
