-- Grain: one row per number of bad contacts, horizon and outcome: what customers do after that contact, beside what
-- others like them do who never had one.
with {{ told_effects_ctes(
    ['bad_contacts'], ['repurchase_share', 'net_per_customer', 'referral_share', 'lapse_share']
) }}

select
    cast(told.exposure as bigint) as count_bad_contacts,
    told.horizon_days,
    told.outcome,
    told.count_events as count_customers,
    told.count_matched as count_matched_customers,
    told.count_others as count_compared,
    told.mean_exposed as mean_after_contact,
    told.mean_others as mean_without_contact,
    told.difference,
    told.ci_low,
    told.ci_high,
    told.largest_imbalance,
    {{ effect_verdict('told') }} as verdict,
    told.verdict_reason
from told
