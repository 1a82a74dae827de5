"""The texts of the simulated customers say what was drawn for them, in each language's own script."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from dagster_project.sources.simulated_shop.voice import texts
from dagster_project.sources.simulated_shop.voice.phrases import THEMES, TONES, PhraseBook
from dagster_project.sources.simulated_shop.voice.plan import Texts
from dagster_project.sources.simulated_shop.voice.texts import BOOKS, Meanings
from dagster_project.sources.tables import SourceError

COUNT = 60_000
FOUR_SIGMA = 4.0


def stream(number: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=number))


@pytest.fixture(scope="module")
def meanings() -> Meanings:
    language, tone = stream(1).integers(0, 3, COUNT), stream(2).integers(-1, 2, COUNT)
    return texts.drawn_meanings(stream(3), Texts(), language, tone, np.ones((1, len(THEMES))))


@pytest.fixture(scope="module")
def written(meanings: Meanings) -> list[str]:
    return list(texts.composed(stream(4), meanings, np.arange(COUNT)).to_pylist())


def said_in(text: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase.casefold() in text.casefold() for phrase in phrases)


def assert_share(happened: np.ndarray, share: float) -> None:
    sigma = np.sqrt(share * (1 - share) / len(happened))
    assert abs(happened.mean() - share) <= FOUR_SIGMA * sigma


def test_texts_differ_by_the_tens_of_thousands(written: list[str]) -> None:
    assert len(set(written)) > 50_000


def test_texts_speak_of_their_themes_in_their_tones(meanings: Meanings, written: list[str]) -> None:
    for row in range(3_000):
        book = BOOKS[meanings.language[row]]
        first = book.clauses[THEMES[meanings.first_theme[row]]]
        manner = first.negated if meanings.is_negated[row] else first.plain
        assert said_in(written[row], first.subjects), written[row]
        assert said_in(written[row], manner[TONES[meanings.first_tone[row] + 1]]), written[row]
        if meanings.second_theme[row] != texts.NO_CLAUSE:
            second = book.clauses[THEMES[meanings.second_theme[row]]]
            assert said_in(written[row], second.subjects), written[row]
            assert said_in(written[row], second.plain[TONES[meanings.second_tone[row] + 1]]), written[row]
        if meanings.has_wish[row]:
            assert said_in(written[row], first.wishes), written[row]


def test_mixed_texts_set_two_tones_against_each_other(meanings: Meanings, written: list[str]) -> None:
    is_mixed = meanings.first_tone * meanings.second_tone < 0
    for row in np.flatnonzero(is_mixed)[:500]:
        assert said_in(written[row], BOOKS[meanings.language[row]].contrasting), written[row]
    assert_share(is_mixed[meanings.tone != 0], Texts().mixed_share)
    assert_share(is_mixed[meanings.tone == 0], Texts().balanced_share)
    one_sided = ~is_mixed
    np.testing.assert_array_equal(meanings.first_tone[one_sided], meanings.tone[one_sided])


def test_planted_shares_are_kept(meanings: Meanings) -> None:
    assert_share(meanings.is_negated[meanings.first_tone != 0], Texts().negated_share)
    assert not meanings.is_negated[meanings.first_tone == 0].any()
    assert_share(meanings.has_wish, Texts().wish_share)
    is_mixed = meanings.first_tone * meanings.second_tone < 0
    assert_share((meanings.second_theme != texts.NO_CLAUSE)[~is_mixed], Texts().second_clause_share)
    assert (meanings.first_theme != meanings.second_theme).all()


def test_themes_follow_their_weights() -> None:
    weights = np.zeros((2, len(THEMES)))
    weights[0, [0, 3]] = [1.0, 3.0]
    weights[1, 7] = 2.0
    per_text = weights[np.arange(COUNT) % 2]
    tone = np.zeros(COUNT, dtype=np.int64)
    drawn = texts.drawn_meanings(stream(5), Texts(), tone, tone, per_text)
    assert set(drawn.first_theme[0::2]) == {0, 3}
    assert_share(drawn.first_theme[0::2] == 3, 0.75)
    assert (drawn.first_theme[1::2] == 7).all()


def test_a_longer_list_begins_as_a_shorter_one(meanings: Meanings, written: list[str]) -> None:
    some = texts.drawn_meanings(
        stream(3), Texts(), meanings.language[:100], meanings.tone[:100], np.ones((1, len(THEMES)))
    )
    assert texts.composed(stream(4), some, np.arange(100)).to_pylist() == written[:100]
    some_rows = np.array([3, 17, 90])
    assert texts.composed(stream(4), some, some_rows).to_pylist() == [written[row] for row in some_rows]


def test_requests_and_tags_end_texts_without_a_wish(meanings: Meanings) -> None:
    for ending in ("request", "tag"):
        for text, language, has_wish in zip(
            texts.composed(stream(4), meanings, np.arange(300), ending).to_pylist(),
            meanings.language,
            meanings.has_wish,
            strict=False,
        ):
            book = BOOKS[language]
            assert has_wish or text.endswith(book.requests if ending == "request" else book.tags)


def test_truth_names_themes_and_leaves_absent_clauses_null(meanings: Meanings) -> None:
    truth = {name: column.to_pylist() for name, column in meanings.truth().items()}
    for row in range(500):
        has_second = meanings.second_theme[row] != texts.NO_CLAUSE
        assert truth["first_theme"][row] == THEMES[meanings.first_theme[row]]
        assert truth["second_theme"][row] == (THEMES[meanings.second_theme[row]] if has_second else None)
        assert truth["second_tone"][row] == (meanings.second_tone[row] if has_second else None)


def every_phrase(book: PhraseBook) -> str:
    parts = [*book.continuing, *book.contrasting, *book.requests, *book.tags, book.stop]
    for sentences in (*book.openings.values(), *book.closings.values()):
        parts.extend(sentences)
    for clauses in book.clauses.values():
        parts.extend((*clauses.subjects, *clauses.wishes))
        for predicates in (*clauses.plain.values(), *clauses.negated.values()):
            parts.extend(predicates)
    return "\n".join(parts)


@pytest.mark.parametrize(("language", "charset"), [("en", "ascii"), ("zh-Hant", "big5"), ("zh-Hans", "gb2312")])
def test_each_language_keeps_to_its_script(language: str, charset: str) -> None:
    [book] = [book for book in BOOKS if book.language == language]
    every_phrase(book).encode(charset)  # Big5 has no simplified characters, GB 2312 no traditional ones


@pytest.mark.parametrize("book", BOOKS, ids=[book.language for book in BOOKS])
def test_phrase_books_are_complete_and_give_each_predicate_one_tone(book: PhraseBook) -> None:
    assert set(book.clauses) == set(THEMES)
    assert set(book.openings) == set(book.closings) == set(TONES)
    for theme, tone in product(THEMES, TONES):
        assert len(book.clauses[theme].plain[tone]) >= 4
        assert tone == "neutral" or len(book.clauses[theme].negated[tone]) == 3
    tones_of: dict[str, set[str]] = {}
    for clauses, tone in product(book.clauses.values(), TONES):
        for predicate in (*clauses.plain[tone], *clauses.negated.get(tone, ())):
            tones_of.setdefault(predicate, set()).add(tone)
    assert {predicate for predicate, tones in tones_of.items() if len(tones) > 1} == set()


def test_shares_outside_of_0_to_1_are_refused() -> None:
    with pytest.raises(SourceError, match=r"mixed_share is 1\.5; expected a share"):
        Texts(mixed_share=1.5)
