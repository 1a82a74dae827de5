"""Everything that a simulated shop's feeds and truth are made of, in one table.

Belongs here: which functions are asked, for each block of people and once for the shop. Does not belong here: what they
draw.
"""

from __future__ import annotations

from collections.abc import Mapping

from dagster_project.sources.simulated_shop.blocks import Topic
from dagster_project.sources.simulated_shop.columns import ShopTopic
from dagster_project.sources.simulated_shop.order_versions import draw_order_versions
from dagster_project.sources.simulated_shop.relations.badges import badge_topic
from dagster_project.sources.simulated_shop.relations.contacts import contact_topic
from dagster_project.sources.simulated_shop.relations.costs import cost_topic
from dagster_project.sources.simulated_shop.relations.messages import campaign_topic, message_topic
from dagster_project.sources.simulated_shop.relations.points import points_topic
from dagster_project.sources.simulated_shop.relations.referrals import referral_topic
from dagster_project.sources.simulated_shop.relations.subscriptions import subscription_topic
from dagster_project.sources.simulated_shop.relations.tiers import tier_topic
from dagster_project.sources.simulated_shop.relations.visits import visit_topic
from dagster_project.sources.simulated_shop.sales import assortment, sales
from dagster_project.sources.simulated_shop.truth import truth_of_buying
from dagster_project.sources.simulated_shop.voice.answers import survey_topic
from dagster_project.sources.simulated_shop.voice.mentions import mention_topic
from dagster_project.sources.simulated_shop.voice.questions import questionnaire
from dagster_project.sources.simulated_shop.voice.reviews import review_topic
from dagster_project.sources.simulated_shop.voice.support import support_topic

BLOCK_TOPICS: Mapping[str, Topic] = {
    "sales": sales,
    "truth_of_buying": truth_of_buying,
    "surveys": survey_topic,
    "reviews": review_topic,
    "mentions": mention_topic,
    "support": support_topic,
    "contacts": contact_topic,
    "points": points_topic,
    "tiers": tier_topic,
    "badges": badge_topic,
    "referrals": referral_topic,
    "messages": message_topic,
    "subscriptions": subscription_topic,
    "visits": visit_topic,
}
"""Asked for every block. Two topics may not fill the same feed."""

SHOP_TOPICS: Mapping[str, ShopTopic] = {
    "assortment": assortment,
    "questionnaire": questionnaire,
    "campaigns": campaign_topic,
    "costs": cost_topic,
}
"""Asked once."""

DAILY_TOPICS: Mapping[str, Topic] = {
    "order_versions": draw_order_versions,
}
"""Asked for every block where the shop is delivered day by day."""
