"""The settings under `definitions`: windows, horizons, rates and rules behind the numbers.

What belongs here: each value that defines a metric, a score or a model, its type and its default; `loyalty explain` and
SQL read them by name. What does not: how a shop is read, run and watched (`settings`).
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import Field, model_validator

from dagster_project.oversight import Strict

IdentityRule = Literal["loyalty_card", "mailbox", "email", "phone", "social_handle"]
PurchaseModel = Literal["mbg_nbd", "bg_nbd"]
TeamName = Annotated[str, Field(pattern=r"^[\w .&/-]{1,80}$")]  # stands in SQL as it is written
IsoWeekday = Annotated[int, Field(ge=1, le=7)]  # 1 is Monday
SubscriptionBase = Literal["subscribers", "subscribers_due", "all_customers"]


class Gate(Strict):
    """How much history a model needs before it is fitted; below it, cohort averages stand in, marked."""

    minimum_customers: int = Field(default=500, ge=1)
    minimum_history_days: int = Field(default=180, ge=1)
    maximum_days_since_last_order: int = Field(default=30, ge=0)
    minimum_customers_with_three_occasions: int = Field(default=50, ge=0)


class Identity(Strict):
    """What makes accounts and guests' orders one customer; without `rules` every account is a customer of its own.

    `mailbox` takes addresses for the same that one provider delivers to one mailbox, `email` only those that differ in
    case and spaces. Records of which a column of `told_apart_by` differs are two people, whatever they share.
    `never_the_same` lists pairs of records, written `source:customer_id` or `source/guest_order:order_id`.
    `suggests_merges` asks the extra `[matching]` for pairs of customers who may be one person, for a person to judge:
    those of at least the probability `suggested_from`.
    """

    rules: tuple[IdentityRule, ...] = ("loyalty_card", "mailbox", "phone", "social_handle")
    links_guests: bool = True
    told_apart_by: tuple[Literal["full_name", "birthday"], ...] = ("full_name", "birthday")
    maximum_sharers: int = Field(default=5, ge=2)
    never_the_same: tuple[tuple[str, str], ...] = ()
    compares_rules: bool = True
    suggests_merges: bool = False
    suggested_from: float = Field(default=0.9, ge=0.5, lt=1)

    @model_validator(mode="after")
    def _pairs_of_two(self) -> Identity:
        for one, other in self.never_the_same:
            if one == other:
                raise ValueError(f"'never_the_same' holds the pair {one}, {other}: nobody differs from themselves")
        return self

    @model_validator(mode="after")
    def _suggests_beside_rules(self) -> Identity:
        if self.suggests_merges and not self.rules:
            raise ValueError(
                "'suggests_merges' learns from what 'rules' link, and there are none; name a rule, or turn it off"
            )
        return self


class Definitions(Strict):
    """The windows, horizons and rates behind the numbers; each is shown beside the number that it made."""

    active_window_days: int = Field(default=365, ge=1)
    repeat_window_days: int = Field(default=90, ge=1)
    late_grace_days: int = Field(default=7, ge=0)
    loyal_minimum_occasions: int = Field(default=3, ge=2)
    loyal_gap_multiple: float = Field(default=1.5, gt=0)
    new_customer_days: int = Field(default=30, ge=0)
    at_risk_gap_multiple: float = Field(default=1.5, gt=0)
    lapsed_gap_multiple: float = Field(default=3.0, gt=0)
    won_back_days: int = Field(default=90, ge=0)
    gap_prior_weight: float = Field(default=3.0, ge=0)
    adoption_window_days: int = Field(default=90, ge=1)
    price_rise_share: float = Field(default=0.05, gt=0)
    price_rise_window_days: int = Field(default=90, ge=1)
    survey_throttle_days: int = Field(default=45, ge=0)
    survey_answer_days: int = Field(default=30, ge=1)
    first_reply_hours: float = Field(default=8.0, gt=0)
    resolution_hours: float = Field(default=24.0, gt=0)
    is_service_level_in_business_hours: bool = True
    service_opening_hour: float = Field(default=9.0, ge=0, lt=24)
    service_closing_hour: float = Field(default=18.0, gt=0, le=24)
    service_weekdays: tuple[IsoWeekday, ...] = Field(default=(1, 2, 3, 4, 5), min_length=1)
    service_holidays: tuple[dt.date, ...] = ()
    reopen_window_days: int = Field(default=7, ge=0)
    bot_minimum_posts: int = Field(default=4, ge=2)
    bot_text_share: float = Field(default=0.5, ge=0, lt=1)
    loyalty_index_average: float = Field(default=40, gt=0, lt=100)
    loyalty_index_above_average: float = Field(default=75, gt=0, lt=100)
    loyalty_index_minimum_items: int = Field(default=2, ge=1, le=3)
    feedback_reply_days: int = Field(default=7, ge=1)
    follow_up_days: int = Field(default=90, ge=1)
    detractor_owner: TeamName = "customer success"
    complaint_owner: TeamName = "customer service"
    maximum_rate_age_days: int = Field(default=7, ge=0)
    subscription_grace_days: int = Field(default=14, ge=0)
    subscription_total_base: SubscriptionBase = "subscribers"
    response_window_days: int = Field(default=14, ge=1)
    member_active_days: int = Field(default=90, ge=1)
    effect_horizon_days: Literal[90, 180, 365] = 180
    cost_per_point: float = Field(default=0.01, ge=0)
    score_scale: Literal["anchors", "ranks"] = "anchors"
    score_full_occasions: int = Field(default=6, ge=1)
    score_full_net: float = Field(default=500, gt=0)
    score_cap_with_complaint: float = Field(default=40, ge=0, le=100)
    minimum_base: int = Field(default=30, ge=1)
    revenue_includes_shipping: bool = False
    counts_zero_value_orders: bool = False
    margin_share: float = Field(default=0.30, gt=0, le=1)
    annual_discount_rate: float = Field(default=0.10, ge=0)
    value_horizon_days: int = Field(default=365, ge=12)
    churn_horizon_days: int = Field(default=90, ge=1)
    is_churn_horizon_own_rhythm: bool = False
    lifetime_days: int = Field(default=1825, ge=365)
    acquisition_cost: float | None = Field(default=None, ge=0)
    purchase_model: PurchaseModel = "mbg_nbd"
    is_model_chosen_by_backtest: bool = True
    gate: Gate = Gate()
    identity: Identity = Identity()

    @model_validator(mode="after")
    def _life_holds_the_horizon(self) -> Definitions:
        if self.lifetime_days < self.value_horizon_days:
            raise ValueError("'lifetime_days' must be at least 'value_horizon_days'")
        return self

    @model_validator(mode="after")
    def _service_opens_before_it_closes(self) -> Definitions:
        if self.service_opening_hour >= self.service_closing_hour:
            raise ValueError("'service_opening_hour' must be before 'service_closing_hour'")
        return self
