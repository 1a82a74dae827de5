"""The aggregates that the page reads of what the Python models write: predictions, their record, what texts say.

What belongs here: SQL on the schema `models`, under the rules of `queries`: few rows, no customer, sums in DECIMAL.
What does not: facts and metrics, which SQL has made (`queries`); wording (`sections/`).
"""

from __future__ import annotations

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

NEXT_ORDER_RECORD = """
select
    model,
    is_baseline,
    count_evenings,
    count_customers,
    max(score_value) filter (where score = 'mean_absolute_error') as days_off,
    max(score_value) filter (where score = 'coverage_80') as coverage_80
from models.ledger_scores
where prediction = 'days_to_next_order' and predicted_date is null and segment_type = 'all'
group by model, is_baseline, count_evenings, count_customers
order by is_baseline, count_evenings desc, model
"""

NEXT_PURCHASE_SCORES = """
select prediction, model, is_champion, cutoff_date, horizon_days, segment, count_customers, score, score_value
from models.next_purchase_scores
order by prediction desc, is_champion desc, model, score
"""
