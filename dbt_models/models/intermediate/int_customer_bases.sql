-- Grain: one row per period, segment and base: what customers bought, as counts and exact sums.
with sums as (
    {{ added_bases_by_segment(ref('int_customer_periods'), customer_segment_types(), customer_bases()) }}  -- noqa: PRS
)

{{ bases_in_rows('sums', customer_bases()) }}
