"""A shop in which nothing depends on satisfaction or service: what must then be the same, is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from known_shop import ONE_CURRENCY, KnownShop

from dagster_project.sources.simulated_shop import ShopPlan


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> KnownShop:
    plan = ShopPlan(customers=1_500, days=700, seed=23, countries=ONE_CURRENCY)
    surveys = replace(plan.voice.surveys, satisfaction_log_odds=0.0, tenure_log_odds=0.0, answer_share=0.5)
    plan = replace(
        plan,
        leaving=replace(plan.leaving, satisfaction_log_hazard=0.0),
        service=replace(plan.service, leaving_hazard_ratio=1.0),
        price_rise=replace(plan.price_rise, leaving_hazard_ratio=1.0),
        programme=replace(plan.programme, lift=0.0),
        campaigns=tuple(replace(campaign, lift=0.0) for campaign in plan.campaigns),
        voice=replace(plan.voice, surveys=surveys),
    )
    return KnownShop.after_one_night(tmp_path_factory.mktemp("indifferent"), plan)


def test_the_score_of_answers_is_that_of_everybody(shop: KnownShop) -> None:
    """Who answers is chance, so the published score is off by no more than its own interval."""
    [(said, low, high)] = shop.rows(
        "select metric_value, ci_low, ci_high from warehouse.marts.loyalty_metrics "
        "where metric = 'nps' and period_type = 'trailing_window'"
    )
    [(promoters_less_detractors, asked)] = shop.true("nps_of_everybody", period="trailing_window").values()
    true = 100 * promoters_less_detractors / asked
    assert abs(said - true) < 2 * (high - low) / 2, (low, said, high, true)


def test_bad_service_and_dearer_goods_drive_nobody_away(shop: KnownShop) -> None:
    for metric, touched, untouched in (
        ("leaving_after_service", "bad", "good"),
        ("leaving_after_price_rise", "dearer", "unchanged"),
    ):
        [(left, base)], [(left_other, base_other)] = (
            shop.true(metric, segment).values() for segment in (touched, untouched)
        )
        share = (left + left_other) / (base + base_other)
        error = (share * (1 - share) * (1 / base + 1 / base_other)) ** 0.5
        assert abs(left / base - left_other / base_other) < 4 * error, metric


def test_programme_and_campaigns_add_nothing(shop: KnownShop) -> None:
    assert [added for added, own in shop.true("programme_lift").values()] == [0]
    for campaign in shop.plan.campaigns:
        assert [added for added, _ in shop.true("campaign_lift", campaign.name).values()] == [0]


def test_counts_are_exact_here_too(shop: KnownShop) -> None:
    for metric, period in (("repeat_purchase_rate", "lifetime"), ("retention_rate", "month")):
        true = shop.true(metric, "accounts", period)
        assert shop.said(metric, period) == {start: counts for start, counts in true.items() if counts[1]}
    assert shop.said("nps", "trailing_window") == shop.true("nps_of_answers", period="trailing_window")
