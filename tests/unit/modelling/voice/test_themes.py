"""Themes: found, named, kept from quarter to quarter, and judged by what the simulated customers meant."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.decomposition import NMF
from voiced_shop import shop, texts

from dagster_project.modelling.voice.factorisation import factorised
from dagster_project.modelling.voice.ngrams import normalised
from dagster_project.modelling.voice.terms import clauses_of, learn_vocabulary, weigh_terms
from dagster_project.modelling.voice.theme_drivers import DRIVER_WORDS, DriverWords
from dagster_project.modelling.voice.themes import ThemeSettings, find_themes, mentions, quarter_starts

LANGUAGES = ("en", "zh-Hant", "zh-Hans")


@pytest.fixture(scope="module")
def said() -> pd.DataFrame:
    return texts(shop(3, customers=8_000))


@pytest.fixture(scope="module")
def night(said) -> dt.date:
    return max(said["written_date"])


@pytest.fixture(scope="module")
def found(said, night):
    return find_themes(said, night)


@pytest.fixture(scope="module")
def words() -> DriverWords:
    return DriverWords(pd.read_csv(DRIVER_WORDS))


def test_clauses_end_where_a_sentence_or_a_part_of_it_does():
    clauses = clauses_of(normalised(["Late, but good! Thanks.", "", "很好，而且快。"]))  # noqa: RUF001
    assert clauses.words == ["late", "but good", "thanks", "很好", "而且快"]
    assert clauses.text_of.tolist() == [0, 0, 0, 2, 2]


def test_terms_are_words_pairs_of_words_and_ideographs_in_a_row():
    clauses = ["fast delivery of the parcel", "slow delivery of 2 parcels", "配送很慢", "配送正常"]
    assert set(learn_vocabulary(clauses, 2, 1.0, 100).names) == {"delivery", "配送"}
    assert {"fast delivery", "parcel", "配送正常"} <= set(learn_vocabulary(clauses, 1, 1.0, 100).names)
    weights = weigh_terms(["delivery 配送", "nothing known"], learn_vocabulary(clauses, 2, 1.0, 100)).toarray()
    np.testing.assert_allclose(weights, [[np.sqrt(0.5), np.sqrt(0.5)], [0, 0]])


def test_a_term_that_always_stands_in_a_longer_one_is_that_one():
    clauses = [f"help desk answered {number}" for number in range(9)] + ["help came"]
    names = set(learn_vocabulary(clauses, 2, 1.0, 100).names)
    assert "desk" not in names
    assert {"help desk", "answered"} & names


def test_quarters_start_after_the_first_text_and_reach_the_night():
    day = dt.date
    assert quarter_starts(day(2024, 11, 30), day(2025, 4, 1)) == [day(2025, 1, 1), day(2025, 4, 1)]
    assert quarter_starts(day(2025, 1, 1), day(2025, 3, 31)) == []


def test_parts_fit_as_well_as_scikit_learns():
    rng = np.random.default_rng(2)
    data = sparse.csr_matrix(np.maximum(rng.gamma(0.3, 1, (300, 6)) @ rng.gamma(0.3, 1, (6, 80)) - 0.4, 0))
    parts, _ = factorised(data, rng.random((6, 80)), 100)
    theirs = NMF(6, init="nndsvda", random_state=0, max_iter=500, tol=1e-6).fit(data)

    def left_over(factors: np.ndarray) -> float:
        from scipy.optimize import nnls

        return sum(nnls(factors.T, row)[1] ** 2 for row in data.toarray())

    assert left_over(parts) < 1.02 * left_over(theirs.components_)


def test_themes_are_those_that_customers_wrote_about(said, found, words):
    """Of texts with one clause, by the driver of their strongest theme; eight themes, so chance finds an eighth."""
    alone = said[said["second_theme"].isna()]
    driver_of = {
        key: words.driver_of(language, themes.named_weights(place))
        for language, themes in found.items()
        for place, key in enumerate(themes.keys)
    }
    strongest = mentions(alone, found).sort_values("strength", ascending=False, kind="stable")
    strongest = strongest.assign(driver=strongest["theme_key"].map(driver_of)).dropna(subset="driver")
    told = strongest.drop_duplicates("text_key").merge(alone, on="text_key")
    assert set(found) == set(LANGUAGES)
    assert len(told) > 0.5 * len(alone)
    right = (told["driver"] == told["first_theme"]).groupby(told["language"]).mean()
    assert right.min() > 0.55, right
    assert (
        told.groupby("first_theme")["driver"]
        .agg(lambda found_drivers: found_drivers.mode()[0])
        .eq(sorted(told["first_theme"].unique()))
        .all()
    )


def test_every_night_of_a_quarter_has_the_same_themes(said, night, found):
    first_night = found["en"].found_on
    assert first_night <= night < first_night + dt.timedelta(days=92)
    earlier = find_themes(said, first_night)
    for language in LANGUAGES:
        assert earlier[language].keys == found[language].keys
        assert (earlier[language].parts == found[language].parts).all()


def test_a_rebuilt_night_has_the_themes_that_it_had(said, night, found):
    """Rows in another order, and texts of later nights, change nothing."""
    later = said[:500].assign(written_date=night + dt.timedelta(days=1), text="something else entirely, every time")
    again = find_themes(pd.concat([later, said[::-1]]), night)
    for language in LANGUAGES:
        assert again[language].keys == found[language].keys
        assert again[language].top_terms() == found[language].top_terms()


def test_themes_keep_their_keys_from_quarter_to_quarter(said, night, found):
    before = find_themes(said, night - dt.timedelta(days=100))
    for language in LANGUAGES:
        kept = set(found[language].keys) & set(before[language].keys)
        assert len(kept) >= 0.9 * len(before[language].keys), language


def test_a_new_subject_gets_a_key_of_its_own_day(said, night):
    """From one quarter on many write of something that nobody wrote of before."""
    start = dt.date(night.year, 7, 1)
    is_late = said["language"].eq("en") & (said["written_date"] >= start)
    talk = "the jingling teapot whistles while " + said["text"]
    found = find_themes(said.assign(text=said["text"].where(~is_late, talk)), night)["en"]
    [place] = [place for place, terms in enumerate(found.top_terms()) if any("teapot" in term for term in terms)]
    assert found.first_found_on[place] > start
    assert f"{found.first_found_on[place]:%Y%m}" in found.keys[place]


def test_too_few_clauses_have_no_themes(said, night):
    assert find_themes(said[:100], night) == {}
    assert mentions(said[:10], {}).empty
    with pytest.raises(ValueError, match="lack written_date"):
        find_themes(said[["text", "language"]], night)


def test_a_theme_belongs_to_the_driver_that_the_list_names(words):
    assert words.driver_of("en", {"parcel": 0.8, "late": 0.6}) == "delivery"
    assert words.driver_of("pt", {"entrega": 0.9, "atrasada": 0.1}) == "delivery"
    assert words.driver_of("zh-Hant", {"客服": 0.9}) == words.driver_of("zh-Hans", {"客服": 0.9}) == "service"
    assert words.driver_of("en", {"teapot": 1.0}) is None
    assert words.driver_of("en", {"parcel": 1.0, "voucher": 1.0}) is None
    assert words.driver_of("xx", {"parcel": 1.0}) is None
    with pytest.raises(ValueError, match="name \\['speed'\\]"):
        DriverWords(pd.DataFrame({"driver": ["speed"], "language": ["en"], "words": ["fast"]}))


def test_settings_bound_the_work(said, night):
    few = find_themes(said, night, ThemeSettings(count_themes=5, maximum_clauses=300))
    assert all(len(themes.keys) <= 5 for themes in few.values())
