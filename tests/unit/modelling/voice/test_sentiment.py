# ruff: noqa: RUF001 - Chinese has full-width punctuation
"""Sentiment: what is learnt, what is not claimed, and its scores, on simulated and on published reviews."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.metrics import roc_auc_score
from voiced_shop import shop, texts

from dagster_project.modelling.voice import sentiment, sentiment_scores
from dagster_project.modelling.voice.sentiment import SentimentSettings, fit_sentiment
from dagster_project.modelling.voice.sentiment_scores import auc_with_error, judged, wilson
from dagster_project.modelling.voice.tone_words import word_balance

SMALL = SentimentSettings(minimum_rated_texts=50)


@pytest.fixture(scope="module")
def said() -> pd.DataFrame:
    return texts(shop(3, customers=8_000))


@pytest.fixture(scope="module")
def model(said):
    return fit_sentiment(said, SMALL)


def test_tones_of_texts_that_nobody_rated_are_found(said, model):
    """Messages to the support desk, in three languages, by what was learnt from reviews and survey comments."""
    read = model.read(said).merge(said[["text_key", "tone"]], on="text_key", suffixes=("", "_true"))
    messages = read[read["text_key"].str.startswith("k") & (read["tone_true"] < 0)]
    assert len(messages) > 1_000
    called = messages["tone"].value_counts(normalize=True)
    assert called["negative"] > 0.6
    assert called["positive"] < 0.1
    for language, own in read[read["tone_true"] != 0].groupby("language"):
        assert roc_auc_score(own["tone_true"] > 0, own["sentiment_score"]) > 0.94, language


def test_the_order_of_the_rows_does_not_matter(said, model):
    turned = fit_sentiment(said.iloc[::-1], SMALL).read(said)
    pd.testing.assert_frame_equal(turned, model.read(said))


def test_a_text_is_not_read_by_a_model_that_knows_its_rating(said, model):
    """One rating turned around moves its own text by no more than the calibration moves."""
    row = model.holdout["probability_positive"].idxmax()
    key = model.holdout.loc[row, "text_key"]
    is_it = said["text_key"] == key
    turned = fit_sentiment(said.assign(is_positive=said["is_positive"].mask(is_it, False)), SMALL).read(said[is_it])
    before = model.read(said[is_it])["probability_positive"].item()
    assert abs(turned["probability_positive"].item() - before) < 0.005


def test_published_probabilities_are_those_of_the_hold_out(said, model):
    read = model.read(said).set_index("text_key").loc[model.holdout["text_key"]]
    assert read["probability_positive"].tolist() == model.holdout["probability_positive"].tolist()


def test_ratings_by_lot_teach_nothing_and_that_is_said(said):
    rng = np.random.default_rng(0)
    rated = said[said["is_positive"].notna()]
    by_lot = rated.assign(is_positive=rng.permutation(rated["is_positive"].astype(bool)))
    model, scores = judged(fit_sentiment(by_lot, SMALL), by_lot)
    areas = scores[(scores["language"] != "all") & (scores["model"] == "learnt") & (scores["score"] == "roc_auc")]
    assert ((areas["score_value"] - 0.5).abs() < 3 * areas["standard_error"]).all()
    assert areas.set_index("language")["ci_low"].le(0.5).to_dict() == {
        language: status == "no_better_than_chance" for language, status in model.statuses.items()
    }
    assert model.statuses["en"] == "no_better_than_chance"
    assert model.read(by_lot).query("language == 'en'")["probability_positive"].isna().all()


def test_too_little_rated_text_is_a_status_and_no_guess(said):
    few = said[said["language"].ne("en") | ~said["is_positive"].eq(False) | (said.index < 40)]
    model = fit_sentiment(few, SMALL)
    read = model.read(said).groupby("language")["status"].agg(set)
    assert read["en"] == {"too_little_rated_text"}
    assert "read" in read["zh-Hant"]
    nothing = fit_sentiment(said[:0], SMALL)
    table = nothing.read(said[:5].assign(language=None))
    assert table["status"].tolist() == ["too_little_rated_text"] * 5
    assert table["tone"].isna().all()
    _, scores = judged(nothing, said)
    assert scores["score_value"].isna().all()


def test_a_text_of_unknown_words_is_not_guessed_at(model):
    read = model.read(pd.DataFrame({"text_key": ["1", "2"], "text": ["ЖЖЖ", None], "language": ["en", "en"]}))
    assert read["status"].tolist() == ["nothing_known_in_text"] * 2
    assert read["status_reason"].str.contains("no word or n-gram").all()


def test_calibration_is_the_maximum_of_its_likelihood():
    rng = np.random.default_rng(1)
    scale = rng.normal(0.3, 2, 600)
    happy = rng.random(600) < expit(1.7 * scale - 0.4)
    target = np.where(happy, (happy.sum() + 1) / (happy.sum() + 2), 1 / ((~happy).sum() + 2))

    def loss(found):
        return -(
            target * np.log(expit(found @ [scale, np.ones(600)]))
            + (1 - target) * np.log(expit(-found @ [scale, np.ones(600)]))
        ).sum()

    np.testing.assert_allclose(sentiment._calibrated(scale, happy), minimize(loss, np.ones(2)).x, atol=1e-3)


def test_area_under_the_curve_and_its_error_follow_their_definition():
    rng = np.random.default_rng(4)
    happened, score = rng.random(80) < 0.4, rng.integers(0, 9, 80).astype(float)
    above = (score[happened][:, None] > score[~happened]) + 0.5 * (score[happened][:, None] == score[~happened])
    variance = above.mean(axis=1).var(ddof=1) / happened.sum() + above.mean(axis=0).var(ddof=1) / (~happened).sum()
    value, error = auc_with_error(happened, score)
    assert value == pytest.approx(roc_auc_score(happened, score))
    assert error == pytest.approx(np.sqrt(variance))
    assert auc_with_error(np.ones(3, bool), np.zeros(3)) == (None, None)


def test_interval_of_a_share_is_wilsons():
    """Newcombe (1998), table I: 81 of 263."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_words_count_their_side_or_the_other_after_a_negation():
    said = ["good and friendly but late", "not good", "não gostei", "不好，质量差", "没有问题"]
    assert word_balance(said, ["en", "en", "pt", "zh-Hans", "zh-Hant"]).tolist() == [1, -1, -1, -2, 1]
    assert word_balance(["gut"], ["de"]).tolist() == [0]


def test_missing_columns_are_named():
    with pytest.raises(ValueError, match="lack is_positive, language"):
        fit_sentiment(pd.DataFrame({"text_key": [], "text": []}))
    with pytest.raises(ValueError, match="expected both in 0 to 1"):
        SentimentSettings(negative_below=0.7, positive_above=0.2)


def published(name: str) -> pd.DataFrame:
    folder = os.environ.get("LOYALTY_DATA")
    if not folder or not (Path(folder) / name).exists():
        pytest.skip(f"{name} is not there; LOYALTY_DATA names the folder that holds the published data sets")
    return pd.read_csv(Path(folder) / name)


def value(scores: pd.DataFrame, model: str, score: str) -> float:
    rows = scores[(scores["language"] == "all") & (scores["model"] == model) & (scores["score"] == score)]
    return rows["score_value"].item()


def test_olist_reviews_are_read_and_plain_rules_are_beaten():
    reviews = published("olist/olist_order_reviews_dataset.csv.gz")
    text = reviews["review_comment_title"].fillna("") + ". " + reviews["review_comment_message"].fillna("")
    stars = reviews["review_score"]
    rated = pd.DataFrame({"text_key": reviews.index.astype("str"), "text": text.str.strip(". "), "language": "pt"})
    rated["is_positive"] = (stars > 3).where(stars != 3)
    _, scores = judged(fit_sentiment(rated, SentimentSettings(maximum_rated_texts=10_000)), rated)
    assert value(scores, "learnt", "roc_auc") > 0.97
    assert value(scores, "learnt", "roc_auc") > value(scores, "word_list", "roc_auc") + 0.06
    assert value(scores, "learnt", "accuracy") > value(scores, "word_list", "accuracy") + 0.11
    assert value(scores, "learnt", "accuracy") > value(scores, "majority", "accuracy") + 0.21
    assert value(scores, "learnt", "calibration_error") < 0.02


def test_chinese_reviews_are_read_in_their_own_trade_and_less_well_in_others():
    shopping = published("chinese_reviews/online_shopping_10_cats.csv.gz").dropna()
    rated = pd.DataFrame({"text_key": shopping.index.astype("str"), "text": shopping["review"], "language": "zh-Hans"})
    settings = SentimentSettings(maximum_rated_texts=10_000)
    model = fit_sentiment(rated.assign(is_positive=shopping["label"] == 1), settings)
    held = model.holdout
    assert ((held["probability_positive"] > 0.5) == held["is_positive"]).mean() > 0.91
    for name, least in (("waimai_10k", 0.75), ("chnsenticorp_hotel", 0.80)):
        other = published(f"chinese_reviews/{name}.csv.gz").dropna()
        read = model.read(other.assign(text_key="", text=other["review"], language="zh-Hans"))
        area, _ = sentiment_scores.auc_with_error(
            (other["label"] == 1).to_numpy(), read["probability_positive"].fillna(0.5).to_numpy()
        )
        assert least < area < 0.97, name
