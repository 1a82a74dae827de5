"""The demo shop's questionnaire stands in two places, in what it exports and in its staging: they say the same."""

from __future__ import annotations

import ast
import re

from dagster_project.settings import PROJECT_ROOT
from dagster_project.sources.simulated_shop.voice.questions import QUESTIONS

MACRO = PROJECT_ROOT / "dbt_models" / "macros" / "demo_survey.sql"


def test_staging_knows_every_question_with_the_instrument_and_scale_that_the_shop_gives_it() -> None:
    [table] = re.findall(r"set questions = (\{.*?\}) -%\}", MACRO.read_text(encoding="utf-8"), flags=re.DOTALL)
    staged = ast.literal_eval(table.replace("false", "False").replace("true", "True"))
    assert {code: (instrument, *scale) for code, (instrument, _, *scale) in staged.items()} == {
        asked.question: (asked.instrument, asked.scale_min, asked.scale_max, asked.is_reversed) for asked in QUESTIONS
    }
    assert len({(instrument, question) for instrument, question, *_ in staged.values()}) == len(QUESTIONS)
