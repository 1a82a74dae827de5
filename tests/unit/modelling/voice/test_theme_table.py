"""What is published of themes, against counts by hand and the score without a theme's answers."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from dagster_project.modelling.voice.terms import Vocabulary
from dagster_project.modelling.voice.theme_table import Window, example_texts, masked, theme_effects, theme_table
from dagster_project.modelling.voice.themes import Themes

AS_OF = dt.date(2025, 12, 31)
WINDOW = Window(AS_OF, days=100, recent_days=10)
QUARTER = dt.date(2025, 10, 1)


@pytest.fixture
def themes() -> dict[str, Themes]:
    terms = Vocabulary(np.arange(2, dtype=np.uint64), np.array(["parcel", "price"], dtype=object), np.ones(2))
    return {"en": Themes(QUARTER, terms, np.eye(2), ("en-1", "en-2"), (QUARTER, dt.date(2025, 7, 1)))}


def texts_of(rows: list[tuple[str, int, float | None, str | None]]) -> pd.DataFrame:
    """Texts by key, days before as-of, sentiment and tone."""
    made = pd.DataFrame(rows, columns=["text_key", "days_ago", "sentiment_score", "tone"])
    made["written_date"] = [AS_OF - dt.timedelta(days=int(days)) for days in made["days_ago"]]
    return made.assign(language="en", text="x").astype({"text_key": "str", "sentiment_score": "float64"})


def pairs(theme: str, keys: str) -> pd.DataFrame:
    return pd.DataFrame({"text_key": list(keys), "theme_key": theme, "strength": 1.0}).astype({"text_key": "str"})


def driver(language: str, weights: dict[str, float]) -> str | None:
    return "delivery" if "parcel" in weights else None


def test_volume_trend_and_tone_are_counted_in_the_window(themes):
    """Days 0 to 9 are recent, 10 to 19 before, up to 99 within; the text of day 100 is out."""
    said = texts_of(
        [("a", 0, -0.5, "negative"), ("b", 9, 0.5, "positive"), ("c", 10, None, None), ("d", 19, 1.0, "positive"),
         ("e", 99, -1.0, "negative"), ("f", 100, -1.0, "negative"), ("g", -1, -1.0, "negative")]
    )  # fmt: skip
    mentioned = pd.concat([pairs("en-1", "acefg"), pairs("en-2", "d")])
    table = theme_table(themes, mentioned, said, WINDOW, driver).set_index("theme_key")
    row = table.loc["en-1"]
    assert (row["count_texts"], row["texts_share"]) == (3, 0.6)
    assert (row["count_texts_recent"], row["count_texts_before"], row["share_change"]) == (1, 1, 0.0)
    assert (row["count_texts_read"], row["mean_sentiment_score"], row["negative_share"]) == (2, -0.75, 1.0)
    assert (row["theme_name"], row["driver"], row["found_on"]) == ("parcel", "delivery", QUARTER)
    assert row["trend"] == "cannot_say"
    assert table["driver"].isna()["en-2"]


def test_a_trend_is_told_where_its_limits_leave_zero_out(themes):
    """30 of 40 against 10 of 40; Agresti and Caffo's limits are those of 31 of 42 against 11 of 42."""
    said = texts_of([(f"r{n}", 1, None, None) for n in range(40)] + [(f"b{n}", 11, None, None) for n in range(40)])
    keys = [f"r{n}" for n in range(30)] + [f"b{n}" for n in range(10)]
    mentioned = pd.DataFrame({"text_key": keys, "theme_key": "en-1", "strength": 1.0})
    row = theme_table(themes, mentioned, said, WINDOW, driver).iloc[0]
    reach = 1.959964 * np.sqrt(2 * 31 * 11 / 42**3)
    assert (row["trend"], row["share_change"]) == ("rising", 0.5)
    assert [row["share_change_low"], row["share_change_high"]] == pytest.approx(
        [20 / 42 - reach, 20 / 42 + reach], abs=1e-6
    )
    turned = texts_of([(f"r{n}", 11, None, None) for n in range(40)] + [(f"b{n}", 1, None, None) for n in range(40)])
    assert theme_table(themes, mentioned, turned, WINDOW, driver)["trend"][0] == "falling"


def test_a_theme_that_nobody_mentions_has_no_shares(themes):
    table = theme_table(themes, pairs("en-1", "")[:0], texts_of([]), WINDOW, driver)
    assert table["count_texts"].tolist() == [0, 0]
    assert table[["texts_share", "share_change", "mean_sentiment_score"]].isna().all(axis=None)
    assert theme_table({}, pairs("en-1", "")[:0], texts_of([]), WINDOW, driver).empty


def test_the_effect_is_the_score_less_the_score_without_the_theme():
    rng = np.random.default_rng(1)
    answers = pd.DataFrame({"text_key": [f"t{n}" for n in range(300)], "net_score": rng.choice([-100.0, 0, 100], 300)})
    answers["instrument"] = np.where(np.arange(300) < 200, "nps", "csat")
    mentioned = answers.loc[::7, ["text_key"]].assign(theme_key="en-1", strength=1.0)
    found = theme_effects(mentioned, answers).set_index("instrument")
    for instrument, own in answers.groupby("instrument"):
        without = own[~own["text_key"].isin(mentioned["text_key"])]["net_score"]
        having = own[own["text_key"].isin(mentioned["text_key"])]["net_score"]
        row = found.loc[instrument]
        assert row["score_effect"] == pytest.approx(own["net_score"].mean() - without.mean(), abs=1e-5)
        error = np.sqrt(having.var() / len(having) + without.var() / len(without)) * len(having) / len(own)
        assert row["ci_high"] - row["score_effect"] == pytest.approx(1.959964 * error, abs=1e-4)
        assert (row["count_answers"], row["count_answers_with_theme"]) == (len(own), len(having))


def test_an_effect_needs_answers_without_the_theme():
    answers = pd.DataFrame({"text_key": ["a", "b"], "net_score": [100.0, -100.0], "instrument": "nps"})
    everybody = theme_effects(pairs("en-1", "ab"), answers).iloc[0]
    assert np.isnan(everybody["score_effect"])
    one = theme_effects(pairs("en-1", "b"), answers).iloc[0]
    assert one["score_effect"] == -100
    assert np.isnan(one["ci_low"])
    assert theme_effects(pairs("en-1", "z"), answers).empty


def test_the_interval_of_an_effect_covers_at_its_rate():
    rng, inside = np.random.default_rng(2), 0
    for _ in range(300):
        has = rng.random(400) < 0.2
        net = np.where(rng.random(400) < np.where(has, 0.3, 0.7), 100.0, -100.0)
        answers = pd.DataFrame({"text_key": np.arange(400).astype("U3"), "net_score": net, "instrument": "nps"})
        row = theme_effects(answers.loc[has, ["text_key"]].assign(theme_key="t"), answers).iloc[0]
        inside += row["ci_low"] <= has.mean() * (-40 - 40) <= row["ci_high"]
    assert inside >= 274  # of 300 at 95 %, fewer once in two hundred


def test_examples_are_the_strongest_of_different_wording():
    said = texts_of([(key, 1, None, None) for key in "abcd"] + [("z", 200, None, None)])
    said["text"] = ["Late.", "late.", "Very late, call +49 30 1234567", "It was late", "older"]
    mentioned = pairs("en-1", "abcdz").assign(strength=[0.9, 0.9, 0.8, 0.5, 1.0])
    found = example_texts(mentioned, said, WINDOW, 2)
    assert found["example_rank"].tolist() == [1, 2]
    assert found["example_text"][0].casefold() == "late."
    assert found["example_text"][1] == "Very late, call [number]"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail me@shop.example or +44 20 7946 0958", "mail [e-mail] or [number]"),
        ("see https://x.example/y?z=1 by @someone", "see [link] by [handle]"),
        ("order 123456 of 2 parts", "order [number] of 2 parts"),
        ("微信 13800138000 联系我", "微信 [number] 联系我"),
        ("a" * 200, "a" * 159 + "…"),
    ],
)
def test_what_looks_like_a_contact_is_masked(text, shown):
    assert masked(text) == shown
