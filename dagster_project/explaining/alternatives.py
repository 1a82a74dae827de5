"""Which other values of a setting are worth trying: a table, and nothing of how they are tried.

Windows and amounts are halved and doubled, counts go one down and one up, choices are all made. A value that the
settings would refuse is left out, so their bounds are stated in one place only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from dagster_project.definition_settings import Definitions

TRAILING_WINDOW = "trailing_window"
WINDOW_SETTING = "active_window_days"
Alternatives = Callable[[Any], Sequence[Any]]


def halved_and_doubled(usual: Any) -> Sequence[Any]:
    """Half and twice as much; whole numbers stay whole."""
    return (usual // 2 if isinstance(usual, int) else usual / 2, usual * 2)


def one_down_and_up(usual: Any) -> Sequence[Any]:
    """One less and one more."""
    return (usual - 1, usual + 1)


def ten_down_and_up(usual: Any) -> Sequence[Any]:
    """Ten points of a scale of 100 less and more."""
    return (usual - 10, usual + 10)


def none_and_doubled(usual: Any) -> Sequence[Any]:
    """None of it, and twice as much."""
    return (type(usual)(0), usual * 2)


def one_of(*choices: Any) -> Alternatives:
    """Every choice."""
    return lambda _: choices


ALTERNATIVES: Mapping[str, Alternatives] = {
    "active_window_days": halved_and_doubled,
    "repeat_window_days": halved_and_doubled,
    "late_grace_days": none_and_doubled,
    "loyal_minimum_occasions": one_down_and_up,
    "loyal_gap_multiple": halved_and_doubled,
    "lapsed_gap_multiple": halved_and_doubled,
    "gap_prior_weight": none_and_doubled,
    "adoption_window_days": halved_and_doubled,
    "price_rise_share": halved_and_doubled,
    "price_rise_window_days": halved_and_doubled,
    "survey_throttle_days": halved_and_doubled,
    "survey_answer_days": halved_and_doubled,
    "first_reply_hours": halved_and_doubled,
    "resolution_hours": halved_and_doubled,
    "is_service_level_in_business_hours": one_of(True, False),
    "service_opening_hour": one_down_and_up,
    "service_closing_hour": one_down_and_up,
    "reopen_window_days": halved_and_doubled,
    "bot_minimum_posts": one_down_and_up,
    "bot_text_share": halved_and_doubled,
    "loyalty_index_average": ten_down_and_up,
    "loyalty_index_above_average": ten_down_and_up,
    "loyalty_index_minimum_items": one_down_and_up,
    "feedback_reply_days": halved_and_doubled,
    "subscription_grace_days": none_and_doubled,
    "subscription_total_base": one_of("subscribers", "subscribers_due", "all_customers"),
    "response_window_days": halved_and_doubled,
    "member_active_days": halved_and_doubled,
    "effect_horizon_days": one_of(90, 180, 365),
    "margin_share": halved_and_doubled,
    "cost_per_point": halved_and_doubled,
    "score_scale": one_of("anchors", "ranks"),
    "score_full_occasions": halved_and_doubled,
    "score_full_net": halved_and_doubled,
    "score_cap_with_complaint": ten_down_and_up,
}
"""Setting -> its other values, told from the value in force; what is not here is not tried."""


OPENING = ("service_opening_hour", "service_closing_hour")
CLOCK = ("is_service_level_in_business_hours", *OPENING)
BAD_CONTACTS = ("first_reply_hours", "resolution_hours", "reopen_window_days", *CLOCK)
LOYAL = ("loyal_minimum_occasions", "loyal_gap_multiple")
BOTS = ("bot_minimum_posts", "bot_text_share")
EXPECTED_GAP = ("gap_prior_weight", "repeat_window_days")
ALSO_ENTERING: Mapping[str, Sequence[str]] = {
    "abandonment_rate": EXPECTED_GAP,
    "bad_contact_share": BAD_CONTACTS,
    "behavioural_score": EXPECTED_GAP,
    "complaints_answered_share": CLOCK,
    "emotional_score": ("loyalty_index_minimum_items",),
    "excess_lapse_after_bad_contacts": ("lapsed_gap_multiple", *EXPECTED_GAP, "effect_horizon_days", *BAD_CONTACTS),
    "first_reply_in_time_share": CLOCK,
    "first_reply_median_business_hours": OPENING,
    "first_reply_p90_business_hours": OPENING,
    "lapse_after_bad_contacts": ("active_window_days", *EXPECTED_GAP, *BAD_CONTACTS),
    "known_author_share": BOTS,
    "loyal_customer_spend": LOYAL,
    "loyalty_index_above_average_share": ("loyalty_index_minimum_items",),
    "loyalty_index_average_share": ("loyalty_index_minimum_items",),
    "loyalty_index_below_average_share": ("loyalty_index_minimum_items",),
    "loyalty_score": ("active_window_days", "lapsed_gap_multiple", *EXPECTED_GAP, "loyalty_index_minimum_items"),
    "loyalty_score_coverage": ("active_window_days",),
    "mentions_per_1000_customers": BOTS,
    "net_mention_sentiment": BOTS,
    "other_customer_spend": LOYAL,
    "programme_effect": ("active_window_days",),
    "programme_return": ("margin_share",),
    "reach_per_post": BOTS,
    "repeat_rate_before_price_rise": ("price_rise_share",),
    "repeat_rate_change_after_price_rise": ("price_rise_share",),
    "resolution_in_time_share": CLOCK,
    "resolution_median_business_hours": OPENING,
    "resolution_p90_business_hours": OPENING,
    "subscription_involuntary_churn_rate": ("subscription_grace_days",),
}
"""Metric -> settings that enter it through what its definition rests on, and that the definition does not name.

`tests/drills/test_tried_settings.py` makes all metrics again under each setting and holds this table to it.
"""


def also_entering(metrics: Iterable[str]) -> list[str]:
    """The settings of `ALSO_ENTERING` for some metrics, each once."""
    return list(dict.fromkeys(name for metric in metrics for name in ALSO_ENTERING.get(metric, ())))


def alternatives(setting: str, definitions: Mapping[str, Any]) -> list[Any]:
    """The other values of a setting that the settings would take, in order; none for one that is not tried.

    Args:
        setting: of `definitions`.
        definitions: all of them, as in force.
    """
    usual = definitions[setting]
    offered = ALTERNATIVES[setting](usual) if setting in ALTERNATIVES else ()
    return [value for value in dict.fromkeys(offered) if value != usual and _is_allowed(setting, value, definitions)]


def _is_allowed(setting: str, value: Any, definitions: Mapping[str, Any]) -> bool:
    known = {name: given for name, given in definitions.items() if name in Definitions.model_fields}
    try:
        Definitions.model_validate({**known, setting: value})
    except ValidationError:
        return False
    return True


def named_in(definitions: Iterable[str]) -> list[str]:
    """The settings that definitions of the registry name in braces, each once, in their order."""
    return list(dict.fromkeys(name for text in definitions for name in re.findall(r"\{(\w+)\}", text)))
