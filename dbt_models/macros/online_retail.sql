{#- What a stock code of Online Retail II stands for. Letters alone are no products: postage, discounts, manual entries,
    bank and marketplace fees; vouchers begin with GIFT, and samples (S) are given, not sold. -#}
{% macro online_retail_line_kind(stock_code) -%}
    case
        when {{ stock_code }} in ('POST', 'DOT', 'C2', 'C3') then 'shipping'
        when {{ stock_code }} = 'D' then 'discount'
        when {{ stock_code }} in ('BANK CHARGES', 'AMAZONFEE', 'CRUK', 'B', 'ADJUST', 'ADJUST2', 'S') then 'fee'
        when {{ stock_code }} = 'M' then 'manual'
        when {{ stock_code }} like 'GIFT%' then 'gift_card'
        else 'product'
    end
{%- endmacro %}

{#- ISO 3166 codes of the countries that the file spells out; others stay unknown. -#}
{% macro online_retail_country_code(country) -%}
    {%- set codes = {
        'United Kingdom': 'GB', 'EIRE': 'IE', 'Germany': 'DE', 'France': 'FR', 'Netherlands': 'NL', 'Spain': 'ES',
        'Switzerland': 'CH', 'Belgium': 'BE', 'Portugal': 'PT', 'Australia': 'AU', 'Channel Islands': null,
        'Italy': 'IT', 'Norway': 'NO', 'Sweden': 'SE', 'Cyprus': 'CY', 'Finland': 'FI', 'Austria': 'AT',
        'Denmark': 'DK', 'Greece': 'GR', 'Japan': 'JP', 'USA': 'US', 'Poland': 'PL', 'United Arab Emirates': 'AE',
        'Singapore': 'SG', 'Israel': 'IL', 'Malta': 'MT', 'Iceland': 'IS', 'Canada': 'CA', 'Hong Kong': 'HK',
        'RSA': 'ZA', 'Malaysia': 'MY', 'Brazil': 'BR', 'Bahrain': 'BH', 'Bermuda': 'BM', 'Korea': 'KR',
        'Lithuania': 'LT', 'Thailand': 'TH', 'Lebanon': 'LB', 'Nigeria': 'NG', 'Czech Republic': 'CZ',
        'Saudi Arabia': 'SA'
    } -%}
    case {{ country }}
        {%- for name, code in codes.items() if code %}
        when '{{ name }}' then '{{ code }}'
        {%- endfor %}
    end
{%- endmacro %}
