# ruff: noqa: RUF001 - wide letters are what is tested
"""Counts of n-grams, against scikit-learn's, which makes a string of each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from dagster_project.modelling.voice.ngrams import NgramSettings, counts, normalised, text_hashes

LETTERS = st.text(alphabet="abcé 好用不", min_size=1, max_size=12)
WORD = r"\w+"
TEXTS = st.lists(LETTERS.map(lambda text: f"x{text}").map(lambda text: " ".join(text.split())), min_size=1, max_size=6)


def likenesses(counted) -> np.ndarray:
    """Inner products of all pairs of texts: equal for two countings of the same features, however they are numbered."""
    features, place = np.unique(counted.indices, return_inverse=True)
    dense = sparse.csr_matrix((counted.data, place, counted.indptr), shape=(counted.shape[0], len(features))).toarray()
    return np.einsum("ij,kj->ik", dense, dense)


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_characters_are_counted_as_scikit_learn_counts_them(texts):
    ours = counts(texts, NgramSettings((1, 3), words=0, bits=28))
    theirs = CountVectorizer(analyzer="char", ngram_range=(1, 3), lowercase=False).fit_transform(texts)
    assert (likenesses(ours) == likenesses(theirs)).all()


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_words_are_counted_as_scikit_learn_counts_them(texts):
    both = counts(texts, NgramSettings((1, 1), words=2, bits=28))
    characters = counts(texts, NgramSettings((1, 1), words=0, bits=28))
    words = CountVectorizer(token_pattern=WORD, ngram_range=(1, 2), lowercase=False).fit_transform(texts)
    assert (likenesses(both) == likenesses(characters) + likenesses(words)).all()


@settings(max_examples=40, deadline=None)
@given(TEXTS, st.integers(0, 5))
def test_texts_count_alike_in_any_batch(texts, place):
    place = min(place, len(texts))
    few = NgramSettings(bits=10)
    whole = counts(texts, few)
    parts = [counts(part, few).toarray() for part in (texts[:place], texts[place:])]
    assert (whole.toarray() == np.concatenate(parts)).all()


@settings(max_examples=40, deadline=None)
@given(TEXTS)
def test_hashes_are_equal_where_texts_are(texts):
    hashes = text_hashes([*texts, *texts[::-1]])
    assert (hashes[: len(texts)] == hashes[len(texts) :][::-1]).all()
    assert len(set(hashes.tolist())) == len(set(texts))


def test_texts_are_brought_to_one_form():
    assert normalised(["  Very\n GOOD ", "ＡＢＣ！", "Straße", ""]) == ["very good", "abc!", "strasse", ""]


def test_no_texts_and_empty_texts_have_no_features():
    assert counts([], NgramSettings()).shape == (0, 2**20)
    assert counts(["", "a", ""], NgramSettings()).sum(axis=1).ravel().tolist() == [[0, 2, 0]]


@pytest.mark.parametrize(
    ("characters", "words", "bits"), [((0, 2), 1, 20), ((3, 2), 1, 20), ((1, 2), -1, 20), ((1, 2), 1, 40)]
)
def test_impossible_settings_are_refused(characters, words, bits):
    with pytest.raises(ValueError, match="expected a rising pair from 1"):
        NgramSettings(characters, words, bits)
