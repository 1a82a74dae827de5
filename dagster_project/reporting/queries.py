"""The aggregates that the page reads. Each returns few rows whatever the size of the shop, and no customer.

What belongs here: SQL on published tables, sums in DECIMAL so that the same version gives the same page. What does not:
definitions of metrics, which the warehouse has already made; wording (`sections/`).
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

VALUE_STATUS = """
select
    status, status_reason, model, horizon_days,
    count(*) as count_customers,
    sum(cast(historic_net as decimal(18, 4))) as historic_net,
    sum(cast(historic_margin as decimal(18, 4))) as historic_margin,
    sum(cast(predicted_net as decimal(18, 4))) as predicted_net,
    sum(cast(predicted_clv as decimal(18, 4))) as predicted_clv
from models.customer_clv
group by status, status_reason, model, horizon_days
order by count_customers desc, status, status_reason, model, horizon_days
"""

# bounds run 1, 2, 5, 10, 20, 50 ...: readable, and nearly even on a logarithmic scale
VALUE_BINS = """
with scaled as (
    select
        greatest(predicted_clv, 0.01) as amount,
        power(10.0, floor(log10(greatest(predicted_clv, 0.01)))) as magnitude,
        predicted_clv < 0.01 as is_next_to_nothing
    from models.customer_clv
    where predicted_clv is not null
)
select
    case when is_next_to_nothing then 0.0 when amount >= 5 * magnitude then 5 * magnitude
        when amount >= 2 * magnitude then 2 * magnitude else magnitude end as bound_low,
    case when is_next_to_nothing then 0.01 when amount >= 5 * magnitude then 10 * magnitude
        when amount >= 2 * magnitude then 5 * magnitude else 2 * magnitude end as bound_high,
    count(*) as count_customers,
    sum(cast(amount as decimal(18, 4))) as total_clv
from scaled
group by bound_low, bound_high
order by bound_low
"""

VALUE_TENTHS = """
with ranked as (
    select
        cast(predicted_clv as decimal(18, 4)) as clv,
        row_number() over (order by predicted_clv desc, customer_key) as place,
        count(*) over () as count_all
    from models.customer_clv
    where predicted_clv is not null
)
select
    cast(ceil(10.0 * place / count_all) as integer) as tenth,
    count(*) as count_customers,
    sum(clv) as total_clv
from ranked
group by tenth
order by tenth
"""

CHURN_STATUS = """
select
    status, status_reason, model, horizon_days,
    count(*) filter (where is_active) as count_active,
    count(probability_no_order) filter (where is_active) as count_scored,
    sum(cast(1 - probability_no_order as decimal(18, 9))) filter (where is_active) as expected_buyers,
    sum(cast(probability_no_order * (1 - probability_no_order) as decimal(18, 9))) filter (where is_active)
        as variance_buyers,
    min(probability_no_order) filter (where is_active) as lowest,
    max(probability_no_order) filter (where is_active) as highest
from models.customer_churn
group by status, status_reason, model, horizon_days
order by count_active desc, status, status_reason, model, horizon_days
"""

CHURN_BINS = """
select
    cast(least($count_bins - 1, greatest(0, floor((probability_no_order - $low) / $width))) as integer) as bin,
    count(*) as count_customers
from models.customer_churn
where is_active and probability_no_order is not null
group by bin
order by bin
"""

RISK_BANDS = """
select
    churn.risk_band,
    count(*) as count_customers,
    min(churn.probability_no_order) as lowest,
    max(churn.probability_no_order) as highest,
    sum(cast(customers.predicted_clv as decimal(18, 4))) as predicted_clv,
    sum(customers.clv_at_risk) as clv_at_risk
from models.customer_churn as churn
left join marts.customer_360 as customers on churn.customer_key = customers.customer_key
where churn.is_active and churn.risk_band is not null
group by churn.risk_band
order by lowest desc
"""

CHURN_CAUSES = """
select
    reasons.cause,
    reasons.direction,
    count(*) as count_customers,
    count(*) filter (where reasons.reason_rank = 1) as count_first,
    cast(avg(cast(abs(reasons.contribution) as decimal(18, 9))) as double) as mean_size
from models.churn_reasons as reasons
inner join models.customer_churn as churn on reasons.customer_key = churn.customer_key
where churn.risk_band = 'high' and reasons.direction = 'raises'
group by reasons.cause, reasons.direction
order by count_customers desc, reasons.cause
"""

CHURN_ABLATION = """
select feature_group, count_evenings, count_customers, log_loss_without, log_loss_gain, ci_low, ci_high, verdict
from models.churn_ablation
order by feature_group = 'all', log_loss_gain desc nulls last, feature_group
"""

# The latest evening, all customers: the champion beside the baselines; without a champion, whoever was not fitted.
SCORES = """
with latest as (
    select prediction, max(cutoff_date) as cutoff_date, bool_or(is_champion) as has_champion
    from models.model_scores
    group by prediction
)
select
    scores.prediction, scores.model, scores.cutoff_date, scores.horizon_days, scores.count_customers, scores.score,
    scores.score_value, scores.status, scores.status_reason
from models.model_scores as scores
inner join latest on scores.prediction = latest.prediction and scores.cutoff_date = latest.cutoff_date
where scores.segment_type = 'all' and (scores.is_champion or scores.status = 'baseline' or not latest.has_champion)
order by scores.prediction, scores.model, scores.score
"""

# Each forecast beside the error of those like it on past month ends.
FORECAST = """
select forecast.measure, forecast.horizon_days, forecast.part, forecast.expected, forecast.low_80, forecast.high_80,
    max(scores.score_value) filter (where scores.score = 'wape') as past_error,
    max(scores.score_value) filter (where scores.score = 'coverage_80') as past_coverage,
    max(scores.count_evenings) as count_evenings
from models.revenue_forecast as forecast
left join (
    select * from models.ledger_scores
    where predicted_date is null and segment_type = 'all' and not is_baseline
    qualify count_evenings = max(count_evenings) over (partition by prediction, horizon_days, part)
) as scores
    on forecast.measure = scores.prediction and forecast.horizon_days = scores.horizon_days
    and forecast.part = scores.part
where forecast.low_80 is not null
group by all
order by forecast.measure desc, forecast.horizon_days, forecast.part desc
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
select layer, table_name, check_name, severity, failing_rows, observed, why
from quality.check_results
where not is_passed
order by severity, layer, table_name, check_name
"""

NONRESPONSE = """
select survey, count_invited, count_answers, raw_score, weighted_score, ci_low, ci_high, score_if_silent_detractors,
    score_if_silent_promoters, status, status_reason, assumption
from models.survey_nonresponse
order by survey
"""

THEMES = """
select themes.theme_name, themes.language, themes.driver, themes.count_texts, themes.texts_share, themes.trend,
    themes.mean_sentiment_score, themes.example_texts, effects.score_effect, count(*) over () as count_themes
from models.feedback_themes as themes
left join models.feedback_theme_effects as effects
    on themes.theme_key = effects.theme_key and effects.instrument = 'nps'
order by themes.count_texts desc, themes.theme_key
limit 15
"""

SATISFACTION_DRIVERS = """
select instrument, driver, fact, count_answers, effect_per_deviation, verdict
from models.satisfaction_drivers
order by instrument, verdict = 'cannot_say', abs(effect_per_deviation) desc, fact
"""

# All month ends of the ledger together: who spoke, beside the naive rules.
LEDGER_RECORD = """
select prediction, horizon_days, part, model, is_baseline, count_evenings, count_customers, score, score_value
from models.ledger_scores
where predicted_date is null and segment_type = 'all'
order by part, prediction, horizon_days, is_baseline, count_evenings desc, model, score
"""

LOYAL_FORECAST_ERRORS = """
select prediction, horizon_days, count_evenings, loyal_error, other_error, error_difference, ci_low, ci_high, verdict
from models.loyal_forecast_errors
where loyal_error is not null
order by prediction desc, horizon_days
"""

LEDGER_TENTHS = """
select scores.segment, scores.count_customers, scores.score, scores.score_value
from models.ledger_scores as scores
inner join (
    select horizon_days, model, max(count_evenings) as count_evenings
    from models.ledger_scores
    where prediction = 'no_order' and not is_baseline and predicted_date is null
    group by horizon_days, model
    order by abs(horizon_days - $horizon_days), count_evenings desc, model
    limit 1
) as spoken on scores.horizon_days = spoken.horizon_days and scores.model = spoken.model
where scores.prediction = 'no_order' and scores.segment_type = 'predicted_tenth' and scores.predicted_date is null
order by scores.segment, scores.score
"""

NEXT_ORDERS = """
select
    count(*) as count_customers,
    count(*) filter (where is_overdue) as count_overdue,
    count(*) filter (where status = 'fitted') as count_dated,
    count(*) filter (where probability_order >= 0.5 and expected_order_date <= as_of_date + 30) as count_soon
from models.customer_next_order
"""

NEXT_PURCHASE_SCORES = """
select prediction, model, is_champion, cutoff_date, horizon_days, segment, count_customers, score, score_value
from models.next_purchase_scores
order by prediction desc, is_champion desc, model, score
"""
