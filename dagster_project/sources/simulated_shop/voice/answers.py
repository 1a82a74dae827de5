"""What the invited customers answer, and what everybody would have answered.

Belongs here: scores and comments of answered invitations, and their truth. Does not belong here: who is invited and
answers (`surveys.py`), the questions (`questions.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from dagster_project.sources.simulated_shop.account_use import customer_ids_at
from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import Columns, Drawn, ids, labels, order_ids, person_ids, times
from dagster_project.sources.simulated_shop.people import LANGUAGES, NEVER
from dagster_project.sources.simulated_shop.streams import Bools, Floats, Ints
from dagster_project.sources.simulated_shop.voice import questions, texts
from dagster_project.sources.simulated_shop.voice.moods import contradicted, scores, theme_weights, tones_of_scores
from dagster_project.sources.simulated_shop.voice.questions import QUESTIONS
from dagster_project.sources.simulated_shop.voice.surveys import (
    CHANNELS,
    STATUSES,
    SURVEYS,
    TRANSACTIONAL,
    Invitations,
    draw_invitations,
    invitation_columns,
    invitation_ids,
    wave_names,
)

_PLACE = {asked.question: place for place, asked in enumerate(QUESTIONS)}
_MOST_QUESTIONS = max(
    len(questions.TRANSACTIONAL), len(questions.RELATIONSHIP) + max(len(page) for page in questions.ROTATING)
)
_NPS = 0  # place of the NPS question in both surveys; it is never left out, and the comment stands beside it
_DETRACTORS_UP_TO, _PASSIVES_UP_TO = 6, 8


@dataclass(frozen=True)
class _Sheets:
    """What each invitation asks and would bring; shape (invitations, questions).

    Attributes:
        question: position in `QUESTIONS`; -1 where the survey has no more.
        score: on the question's own scale; what the person would answer.
        is_skipped: whether the person leaves it out.
    """

    question: Ints
    score: Ints
    is_skipped: Bools


@dataclass(frozen=True)
class _Comments:
    """The texts beside answers, those after the end included.

    Attributes:
        invitation: row of the invitation that each belongs to, rising.
        meanings: what they mean.
        is_contrary: whether the tone is the opposite of the score.
    """

    invitation: Ints
    meanings: texts.Meanings
    is_contrary: Bools


def survey_topic(block: Block) -> Drawn:
    """The feeds of invitations and answers, and the truth of both."""
    invited = draw_invitations(block)
    sheets = _draw_sheets(block, invited)
    comments = _draw_comments(block, invited, sheets)
    shown = np.flatnonzero(invited.answered_second[comments.invitation] < block.end_second)
    written = comments.invitation[shown]
    return Drawn(
        feeds={
            "survey_invitations": invitation_columns(block, invited),
            "survey_answers": _answer_columns(block, invited, sheets, comments, shown),
        },
        truth={
            "invitations": _invitation_truth(block, invited, sheets),
            "texts_of_answers": {
                "answer_id": _answer_ids(invited.number[written], np.full(len(written), _NPS)),
                "person_id": person_ids(block.people.number[invited.person[written]]),
                **comments.meanings.take(shown).truth(),
                "is_contrary": pa.array(comments.is_contrary[shown]),
            },
        },
    )


def _draw_sheets(block: Block, invited: Invitations) -> _Sheets:
    pages = [questions.TRANSACTIONAL, *((*questions.RELATIONSHIP, *page) for page in questions.ROTATING)]
    layout = np.full((len(pages), _MOST_QUESTIONS), -1)
    for row, page in enumerate(pages):
        layout[row, : len(page)] = [_PLACE[code] for code in page]
    count = len(invited)
    turn = block.stream("answers/page").integers(0, len(questions.ROTATING), count)
    question = layout[np.where(invited.survey == TRANSACTIONAL, 0, 1 + turn)]
    low = np.array([asked.scale_min for asked in QUESTIONS])[question]
    high = np.array([asked.scale_max for asked in QUESTIONS])[question]
    noise = block.stream("answers/items").standard_normal((count, _MOST_QUESTIONS))
    mood = invited.mood[:, None] - _named_faults(block, invited, question)
    score = scores(block.plan.voice.moods, mood, noise, low, high)
    is_reversed = np.array([asked.is_reversed for asked in QUESTIONS])[question]
    is_skipped = block.stream("answers/skipped").random(question.shape) < block.plan.voice.surveys.skipped_item_share
    is_skipped[:, _NPS] = False
    return _Sheets(question, np.where(is_reversed, low + high - score, score), is_skipped)


def _named_faults(block: Block, invited: Invitations, question: Ints) -> Floats:
    """What a question loses because it is about the very thing that went wrong."""
    bought, order = block.purchases, np.maximum(invited.order, 0)
    is_late = (invited.order >= 0) & bought.is_late[order]
    is_damaged = (invited.order >= 0) & bought.is_bad_service[order] & ~bought.is_late[order]
    hits_service = is_late[:, None] & (question == _PLACE["csat_service"])
    hits_product = is_damaged[:, None] & (question == _PLACE["csat_product"])
    return block.plan.voice.moods.named_fault_drop * (hits_service | hits_product)


def _draw_comments(block: Block, invited: Invitations, sheets: _Sheets) -> _Comments:
    plan = block.plan.voice
    draws = block.stream("answers/comments").random((len(invited), 2))
    row = np.flatnonzero((draws[:, 0] < plan.surveys.comment_share) & invited.is_answered)
    tone = tones_of_scores(sheets.score[row, _NPS], _DETRACTORS_UP_TO + 1, _PASSIVES_UP_TO)
    said = contradicted(tone, draws[row, 1], plan.texts.contrary_share)
    meanings = texts.drawn_meanings(
        block.stream("answers/meanings"),
        plan.texts,
        block.people.language[invited.person[row]],
        said,
        theme_weights(block, invited.order[row]),
    )
    return _Comments(row, meanings, said != tone)


def _answer_columns(block: Block, invited: Invitations, sheets: _Sheets, comments: _Comments, shown: Ints) -> Columns:
    """One row per answered question; the comments that are shown stand beside the NPS score."""
    is_seen = (invited.answered_second < block.end_second)[:, None]
    row, place = np.nonzero(is_seen & (sheets.question >= 0) & ~sheets.is_skipped)
    order, person = invited.order[row], invited.person[row]
    words = texts.composed(block.stream("answers/words"), comments.meanings, shown)
    comment_of = np.full(len(invited), -1)
    comment_of[comments.invitation[shown]] = np.arange(len(shown))
    comment = np.where(place == _NPS, comment_of[row], -1)
    return {
        "answer_id": _answer_ids(invited.number[row], place),
        "invitation_id": invitation_ids(invited.number[row]),
        "customer_id": customer_ids_at(block, person, invited.second[row]),
        "order_id": order_ids(block.purchases.number[np.maximum(order, 0)], order >= 0),
        "question": labels([asked.question for asked in QUESTIONS], sheets.question[row, place]),
        "score": pa.array(sheets.score[row, place], pa.int8()),
        "channel": labels(CHANNELS, invited.channel[row]),
        "language": labels(LANGUAGES, block.people.language[person]),
        "answered_at": times(block.calendar, invited.answered_second[row]),
        "comment": words.take(pa.array(comment, mask=comment < 0)),
    }


def _answer_ids(invitation_number: Ints, place: Ints) -> pa.Array:
    """The id of the answer to a survey's question, by the question's place in the survey."""
    return ids("a", invitation_number * 10 + place, 11)


def _invitation_truth(block: Block, invited: Invitations, sheets: _Sheets) -> Columns:
    """Of everybody who was to be asked: the mood, the NPS score they gave or would have given, the chance to answer."""
    rows = np.flatnonzero(invited.second < block.end_second)
    answered = invited.answered_second[rows]
    return {
        "invitation_id": invitation_ids(invited.number[rows]),
        "person_id": person_ids(block.people.number[invited.person[rows]]),
        "survey": labels(SURVEYS, invited.survey[rows]),
        "wave": wave_names(block, invited, rows),
        "status": labels(STATUSES, invited.status[rows]),
        "mood": pa.array(invited.mood[rows]),
        "nps_score": pa.array(sheets.score[rows, _NPS], pa.int8()),
        "chance_to_answer": pa.array(invited.chance_to_answer[rows]),
        "is_answered": pa.array(answered < block.end_second),
        "is_answered_later": pa.array((answered >= block.end_second) & (answered < NEVER)),
    }
