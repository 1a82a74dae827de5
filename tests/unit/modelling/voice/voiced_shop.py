"""What simulated customers wrote and answered, drawn straight from the simulator's topics, for tests of the voice."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd

from dagster_project.sources.simulated_shop.blocks import Block, draw_block
from dagster_project.sources.simulated_shop.calendar import DAY, Calendar
from dagster_project.sources.simulated_shop.plan import ShopPlan
from dagster_project.sources.simulated_shop.voice.answers import survey_topic
from dagster_project.sources.simulated_shop.voice.reviews import review_topic
from dagster_project.sources.simulated_shop.voice.support import support_topic
from dagster_project.sources.simulated_shop.voice.surveys import SURVEYS

TEXTS = {
    "reviews": (review_topic, "review_id", "review_text", "created_at"),
    "answers": (survey_topic, "answer_id", "comment", "answered_at"),
    "contacts": (support_topic, "contact_id", "message", "opened_at"),
}
"""Source of texts → topic, key, text, time; `reviews` and `answers` stand in feeds of other names."""
FEEDS = {"reviews": "reviews", "answers": "survey_answers", "contacts": "support_contacts"}
_RATED = {"reviews": ("stars", 2, 4), "answers": ("score", 6, 9)}  # column, worst that is bad up to, good from
FACTS = ["days_since_last_order", "tenure_days", "count_orders", "total_net", "channel", "was_late"]


@cache
def block_of(plan: ShopPlan) -> Block:
    """The first block of a plan."""
    return draw_block(Calendar(plan), 0)


@cache
def texts(plan: ShopPlan) -> pd.DataFrame:
    """Every text: text_key, text, language, written_date, is_positive (beside a score), its true themes and tone."""
    made = []
    for name, (topic, key, text, moment) in TEXTS.items():
        drawn = topic(block_of(plan))
        feed, truth = drawn.feeds[FEEDS[name]], drawn.truth[f"texts_of_{name}"]
        rows = pd.DataFrame(
            {
                "text_key": feed[key].to_pandas(),
                "text": feed[text].to_pandas(),
                "language": feed["language"].to_pandas(),
                "written_date": pd.to_datetime(feed[moment].to_pandas()).dt.date,
            }
        )
        if name in _RATED:
            score, bad, good = feed[_RATED[name][0]].to_pandas(), *_RATED[name][1:]
            rows["is_positive"] = (score >= good).where((score <= bad) | (score >= good))
        true = pd.DataFrame(
            {column: truth[column].to_pandas() for column in (key, "first_theme", "second_theme", "tone")}
        )
        made.append(rows[rows["text"].notna()].merge(true.rename(columns={key: "text_key"}), on="text_key"))
    return pd.concat(made, ignore_index=True)


def invitations(plan: ShopPlan, survey: str) -> pd.DataFrame:
    """Every delivered invitation to a survey that has had 20 days: who answered, what is known before, what is true.

    Columns: customer_key, sent (second), is_answered, score_0_100 (null without an answer), true_score, net_score,
    true_net_score, earlier_score_0_100, and `FACTS`.
    """
    from dagster_project.sources.simulated_shop.voice import answers, surveys

    block = block_of(plan)
    invited = surveys.draw_invitations(block)
    rows = pd.DataFrame(
        {
            "customer_key": invited.person,
            "survey": invited.survey,
            "sent": invited.second,
            "true_score": answers._draw_sheets(block, invited).score[:, 0],
            "channel": np.array(surveys.CHANNELS)[invited.channel],
            "is_answered": invited.answered_second < block.end_second,
        }
    )
    rows = rows[(invited.status == surveys.DELIVERED) & (invited.second < block.end_second - 20 * DAY)]
    rows = rows.sort_values(["customer_key", "sent"], kind="stable", ignore_index=True)
    rows["score_0_100"] = (10.0 * rows["true_score"]).where(rows["is_answered"])
    by_customer = rows.groupby("customer_key")["score_0_100"]
    rows["earlier_score_0_100"] = by_customer.ffill().groupby(rows["customer_key"]).shift()
    rows["true_net_score"] = np.select([rows["true_score"] >= 9, rows["true_score"] <= 6], [100.0, -100.0], 0.0)
    rows["net_score"] = rows["true_net_score"].where(rows["is_answered"])
    rows = rows[rows["survey"] == SURVEYS.index(survey)]
    return _with_purchases(rows, block)


def latest_year(rows: pd.DataFrame) -> pd.DataFrame:
    """The last invitation of each customer in the last year, as an invited base."""
    recent = rows[rows["sent"] >= rows["sent"].max() - 365 * DAY]
    return recent.groupby("customer_key", as_index=False).last().rename(columns={"customer_key": "unit_key"})


def _with_purchases(rows: pd.DataFrame, block: Block) -> pd.DataFrame:
    """What each customer had bought before each invitation."""
    bought = block.purchases
    orders = pd.DataFrame({"customer_key": bought.person, "bought": bought.second, "net": bought.paid_cents / 100})
    orders = orders.assign(was_late=bought.is_late).sort_values("bought", kind="stable")
    by_customer = orders.groupby("customer_key")
    orders["count_orders"], orders["total_net"] = by_customer.cumcount() + 1, by_customer["net"].cumsum()
    orders["first"] = by_customer["bought"].transform("min")
    rows = pd.merge_asof(
        rows.sort_values("sent", kind="stable"), orders, left_on="sent", right_on="bought", by="customer_key"
    )
    rows["days_since_last_order"] = (rows["sent"] - rows["bought"]) / DAY
    rows["tenure_days"] = (rows["sent"] - rows["first"]) / DAY
    return rows.astype({"was_late": "bool"})


def shop(seed: int, customers: int = 2_500) -> ShopPlan:
    """A shop of a thousand days."""
    return replace(ShopPlan(), customers=customers, days=1_000, seed=seed)
