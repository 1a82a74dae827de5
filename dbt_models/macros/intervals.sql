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

{#- The variance of a sample of decimals, from exact sums, so the same in any order; null below two values. -#}
{% macro exact_variance(value) -%}
    case when count({{ value }}) >= 2 then greatest(0, (
        cast(sum(({{ value }}) * ({{ value }})) as double)
        - cast(sum({{ value }}) as double) * cast(sum({{ value }}) as double) / count({{ value }})
    ) / (count({{ value }}) - 1)) end
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

{#- A bound of a ratio of sums over independent units: Taylor linearisation (Cochran 1977, equation 6.13, finite
    population left out). x and y are summed over n units, with the sums of their squares and of their products. -#}
{% macro ratio_bound(n, y, x, yy, xx, yx, sign) -%}
    {%- set r = '(cast(' ~ y ~ ' as double) / ' ~ x ~ ')' -%}
    case when {{ n }} >= 2 and {{ x }} > 0 then
        {{ r }} {{ sign }} 1.959963984540054 * sqrt(greatest(
            0,
            (
                cast({{ yy }} as double) - 2 * {{ r }} * cast({{ yx }} as double)
                + {{ r }} * {{ r }} * cast({{ xx }} as double)
            )
            * {{ n }} / ({{ n }} - 1)
        )) / cast({{ x }} as double)
    end
{%- endmacro %}

{#- A bound of a share turned into one of the odds: k of the one sort for each of the other. -#}
{% macro odds_bound(k, other, sign) -%}
    {%- set bound = wilson(k, '(' ~ k ~ ' + ' ~ other ~ ')', sign) -%}
    case when {{ other }} > 0 then ({{ bound }}) / nullif(1 - ({{ bound }}), 0) end
{%- endmacro %}

{#- A bound of one mean divided by another that is independent of it, from their own 95 % intervals: the delta method on
    logarithms. Null unless both are above zero. -#}
{% macro multiple_bound(above, above_low, above_high, below, below_low, below_high, sign) -%}
    case when {{ above }} > 0 and {{ below }} > 0 then
        {{ above }} / {{ below }} * exp({{ sign }} 0.5 * sqrt(
            power(({{ above_high }} - {{ above_low }}) / {{ above }}, 2)
            + power(({{ below_high }} - {{ below_low }}) / {{ below }}, 2)
        ))
    end
{%- endmacro %}

{#- The coefficient of variation of n values from their sum and the sum of their squares. -#}
{% macro variation(n, total, total_squares) -%}
    case when {{ n }} >= 2 and {{ total }} > 0 then
        sqrt(greatest(
            0, cast({{ total_squares }} as double) - cast({{ total }} as double) * cast({{ total }} as double) / {{ n }}
        ) / ({{ n }} - 1)) / (cast({{ total }} as double) / {{ n }})
    end
{%- endmacro %}

{#- The bound that the registry asks for, of a row of numerator, denominator, observations, yy, xx, yx; not scaled. -#}
{% macro interval_bound(row, sign) -%}
    case registry.interval_method
        when 'wilson' then case when {{ row }}.numerator <= {{ row }}.denominator
            then {{ wilson(row ~ '.numerator', row ~ '.denominator', sign) }} end
        when 'wilson_odds' then {{ odds_bound(row ~ '.numerator', row ~ '.denominator', sign) }}
        when 'normal' then {{ mean_bound(row ~ '.denominator', row ~ '.numerator', row ~ '.yy', sign) }}
        when 'adjusted_wald' then {{ net_score_bound(
            '(' ~ row ~ '.yy + ' ~ row ~ '.numerator) / 2', '(' ~ row ~ '.yy - ' ~ row ~ '.numerator) / 2',
            row ~ '.denominator', sign
        ) }} / 100
        when 'linearised' then {{ ratio_bound(
            row ~ '.observations', row ~ '.numerator', row ~ '.denominator', row ~ '.yy', row ~ '.xx', row ~ '.yx', sign
        ) }}
    end
{%- endmacro %}
