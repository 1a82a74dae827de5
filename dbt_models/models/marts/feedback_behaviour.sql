-- Grain: one row per instrument, band of its answers, horizon and outcome: what customers do after they said so, beside
-- what others like them do who said nothing.
with {{ told_effects_ctes(
    compared_instruments(), ['repurchase_share', 'net_per_customer', 'referral_share', 'lapse_share']
) }}

select
    told.comparison as instrument,
    told.exposure as band,
    told.horizon_days,
    told.outcome,
    told.count_events as count_answers,
    told.count_matched as count_matched_answers,
    told.count_others as count_compared,
    told.mean_exposed as mean_after_answer,
    told.mean_others as mean_without_answer,
    told.difference,
    told.ci_low,
    told.ci_high,
    told.largest_imbalance,
    {{ effect_verdict('told') }} as verdict,
    told.verdict_reason
from told
