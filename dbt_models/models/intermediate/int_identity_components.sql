-- Grain: one row per set of rules and record that the set links with another one.
{{ config(materialized='components') }}

select
    {{ identity_node('record_number', 'rule_set_number') }} as node,
    {{ identity_node('first_record_number', 'rule_set_number') }} as other_node
from {{ ref('int_identity_links') }}
