"""The demo shop's questionnaire stands in two places, in what it exports and in the registry: they say the same."""

from __future__ import annotations

import csv

from dagster_project.settings import PROJECT_ROOT
from dagster_project.sources.simulated_shop.voice.questions import QUESTIONS, RELATIONSHIP, ROTATING, TRANSACTIONAL

REGISTRY = PROJECT_ROOT / "dbt_models" / "seeds" / "feedback_questions.csv"
NOT_ASKED_IN_SURVEYS = {"stars", "contact_rating"}


def registry() -> list[dict[str, str]]:
    with REGISTRY.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_the_registry_knows_every_question_with_the_scale_that_the_shop_gives_it() -> None:
    known = {
        line["question_code"]: (int(line["scale_min"]), int(line["scale_max"]), line["is_reversed"] == "true")
        for line in registry()
        if line["source_name"] == "demo" and line["question_code"] not in NOT_ASKED_IN_SURVEYS
    }
    assert known == {asked.question: (asked.scale_min, asked.scale_max, asked.is_reversed) for asked in QUESTIONS}


def test_a_question_of_two_surveys_is_an_instrument_of_each() -> None:
    asked_in_both = set(TRANSACTIONAL) & {*RELATIONSHIP, *(code for page in ROTATING for code in page)}
    by_survey = [line for line in registry() if line["asked_in"] != "any"]
    assert {line["question_code"] for line in by_survey} == asked_in_both
    for code in asked_in_both:
        lines = [line for line in by_survey if line["question_code"] == code]
        assert {line["asked_in"] for line in lines} == {"relationship", "transactional", "unknown"}
        assert len({line["instrument"] for line in lines}) == len(lines)


def test_the_registry_gives_the_instruments_that_the_shop_means() -> None:
    known = {
        line["question_code"]: line["instrument"] for line in registry() if line["asked_in"] in ("any", "relationship")
    }
    assert {asked.question: asked.instrument for asked in QUESTIONS}.items() <= known.items()


def test_no_instrument_asks_one_question_twice() -> None:
    names = [(line["source_name"], line["instrument"], line["question"]) for line in registry()]
    assert len(names) == len(set(names))
