"""The aggregates that the page reads. Each returns few rows whatever the size of the shop, and no customer.

What belongs here: SQL on published facts, metrics and checks, sums in DECIMAL so that the same version gives the same
page. What does not: what models write (`model_queries`); definitions of metrics, which the warehouse has already made;
wording (`sections/`).
"""

from __future__ import annotations

METRICS = """
select metric, period_type, period_start, numerator, cast(denominator as bigint) as denominator,
    metric_value, ci_low, ci_high, count_customers, is_mature, has_minimum_base, unit, definition
from marts.loyalty_metrics
where segment_type = 'all' and denominator is not null
order by metric, period_type, period_start
"""

SCORE_SHARES = """
select period_type, cast(segment as integer) as score, numerator, cast(denominator as bigint) as denominator,
    metric_value, has_minimum_base
from marts.loyalty_metrics
where metric = 'nps_score_share' and segment_type = 'score' and period_type in ('trailing_window', 'lifetime')
order by period_type, score
"""

DEFINITIONS = """
select definitions.metric, definitions.requirement, definitions.unit,
    coalesce(min(metrics.definition), min(definitions.definition)) as definition
from marts.metric_definitions as definitions
left join marts.loyalty_metrics as metrics on definitions.metric = metrics.metric
group by definitions.metric, definitions.requirement, definitions.unit
order by definitions.metric
"""

BASES = """
select
    cast(max(denominator) filter (where not has_minimum_base) as bigint) as largest_refused,
    cast(min(denominator) filter (where has_minimum_base) as bigint) as smallest_shown
from marts.loyalty_metrics
where unit = 'share'
"""

CUSTOMERS = """
select
    count(*) as count_known,
    count(*) filter (where count_orders > 0) as count_customers,
    count(*) filter (where is_active) as count_active
from marts.fct_customers
"""

ORDERS = """
select
    count(*) as count_orders,
    count(*) filter (where is_valid) as count_valid,
    min(order_date) as first_date,
    max(order_date) as last_date
from marts.fct_orders
"""

REVENUE_SINCE = """
select
    count(*) as count_orders,
    sum(net_amount) as total_net
from marts.fct_orders
where is_revenue and order_date >= $since and order_date <= $as_of
"""

MONTHLY_ORDERS = """
select
    order_month,
    case when not is_valid then 'no customer known' when occasion_number = 1 then 'first purchase'
        else 'repeat purchase' end as kind,
    count(*) as count_orders,
    sum(net_amount) as total_net
from marts.fct_orders
where is_revenue and order_month is not null
group by order_month, kind
order by order_month, kind
"""

COHORTS = """
with latest as (
    select distinct cohort_month from marts.cohort_retention
    where months_since_first_order >= 1
    order by cohort_month desc limit $count_cohorts
)
select cohort_month, months_since_first_order, is_mature, count_customers, count_active_customers, retention_rate
from marts.cohort_retention
where months_since_first_order between 1 and $count_cohorts and cohort_month in (select cohort_month from latest)
order by cohort_month, months_since_first_order
"""

SATISFACTION_SCORES = """
select
    score_0_100,
    min(score) as score,
    min(scale_max) as scale_max,
    count(*) as count_answers,
    (select count(distinct (scale_min, scale_max, is_reversed)) from marts.fct_feedback
        where instrument = 'csat' and is_latest) as count_scales
from marts.fct_feedback
where instrument = 'csat' and is_latest and score_0_100 is not null
group by score_0_100
order by score_0_100
"""

SEGMENTS = """
select
    segment,
    count(*) as count_customers,
    sum(total_net_in_window) as total_net,
    cast(median(days_since_last_order) as double) as median_days_since_last_order
from marts.rfm_segments
group by segment
order by total_net desc, count_customers desc, segment
"""

EXCLUSIONS = """
select
    exclusions.exclusion_reason,
    min(reasons.meaning) as meaning,
    bool_or(exclusions.counts_as_revenue) as counts_as_revenue,
    count(*) as count_orders,
    sum(exclusions.count_lines) as count_lines,
    sum(exclusions.gross_amount) as total_gross,
    count(*) filter (where exclusions.gross_amount is null) as count_without_amount
from marts.order_exclusions as exclusions
left join marts.exclusion_reasons as reasons on exclusions.exclusion_reason = reasons.exclusion_reason
group by exclusions.exclusion_reason
order by count_orders desc, exclusions.exclusion_reason
"""

REFUSALS = """
select source, model, left(reasons, 300) as reasons, count(*) as count_rows
from quality.quarantined_rows
group by source, model, left(reasons, 300)
order by count_rows desc, source, model, reasons
"""

RECONCILIATION = """
select layer_from, layer_to, entity, measure, total_from, total_to, difference, is_reconciled
from quality.reconciliation
order by is_reconciled, layer_from = 'raw' desc, layer_from = 'staging' desc, layer_from, layer_to, entity, measure
"""

CHECKS = """
select
    layer,
    count(*) as count_checks,
    count(distinct table_name) as count_tables,
    count(*) filter (where is_passed) as count_passed,
    count(*) filter (where not is_passed) as count_warnings
from quality.check_results
group by layer
order by layer
"""

FAILED_CHECKS = """
select layer, table_name, check_name, severity, failing_rows, observed, why, cure
from quality.check_results
where not is_passed
order by severity, layer, table_name, check_name
"""
