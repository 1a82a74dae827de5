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
    """Of texts with one clause, by the driver of their strongest theme; eight drivers, so chance finds an eighth.

    Two texts of three are told at all, of which English is right for 56 %, Chinese for 76 and 82 %: the lists hold the
    words of any shop, and none that only this one uses.
    """
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
    assert right.min() > 0.5, right
    assert (
        told.groupby("first_theme")["driver"]
        .agg(lambda found_drivers: found_drivers.mode()[0])
        .eq(sorted(told["first_theme"].unique()))
        .all()
    )


def test_every_night_of_a_quarter_has_the_same_themes_and_so_has_a_rebuilt_one(said, night, found):
    """Rows in another order, and texts of later nights, change nothing."""
    first_night = found["zh-Hans"].found_on
    assert first_night <= night < first_night + dt.timedelta(days=92)
    own = said[said["language"] == "zh-Hans"]
    later = own[:500].assign(written_date=night + dt.timedelta(days=1), text="每次都是完全不同的东西")
    again = find_themes(pd.concat([later, own[::-1]]), first_night)["zh-Hans"]
    assert again.keys == found["zh-Hans"].keys
    assert again.top_terms() == found["zh-Hans"].top_terms()
    assert (again.parts == found["zh-Hans"].parts).all()


def test_themes_keep_their_keys_from_quarter_to_quarter(said, night, found):
    languages = LANGUAGES[1:]
    before = find_themes(said[said["language"].isin(languages)], night - dt.timedelta(days=100))
    for language in languages:
        kept = set(found[language].keys) & set(before[language].keys)
        assert len(kept) >= 0.9 * len(before[language].keys), language


def test_a_new_subject_gets_a_key_of_its_own_day(said, night):
    """From one quarter on many write of something that nobody wrote of before."""
    start = dt.date(night.year, 7, 1)
    is_late = said["language"].eq("en") & (said["written_date"] >= start)
    talk = "the jingling teapot whistles while " + said["text"]
    spoken = said.assign(text=said["text"].where(~is_late, talk))
    found = find_themes(spoken[spoken["language"] == "en"], night)["en"]
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
