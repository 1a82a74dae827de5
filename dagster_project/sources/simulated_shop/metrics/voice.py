"""True metrics of what customers say: what the answers say, and what all who were to be asked would have said.

Belongs here: net promoter score with its bias, answering. Does not belong here: buying (`purchases.py`), who is asked
and what they answer (`../voice`), from whose tables these counts are made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.sources.simulated_shop.blocks import Block
from dagster_project.sources.simulated_shop.columns import Columns
from dagster_project.sources.simulated_shop.metrics.definitions import WINDOW_DAYS
from dagster_project.sources.simulated_shop.metrics.measure import Measure
from dagster_project.sources.simulated_shop.streams import Bools, Ints
from dagster_project.sources.simulated_shop.voice.surveys import SURVEYS

_PROMOTERS_FROM, _DETRACTORS_UP_TO, _SATISFIED_FROM = 9, 6, 4


def voice_measures(block: Block, feeds: Mapping[str, Columns], truth: Mapping[str, Columns]) -> Iterator[Measure]:
    """Every metric of answers of a block.

    Args:
        block: the block.
        feeds: its clean feeds; without `survey_invitations` nothing is counted.
        truth: its truth.
    """
    if "survey_invitations" not in feeds:
        return
    sent, answers, asked = feeds["survey_invitations"], feeds["survey_answers"], truth["invitations"]
    survey = _texts(asked["survey"])
    score = _numbers(asked["nps_score"])
    in_window = _is_recent(block, sent["sent_at"])
    person = _texts(asked["person_id"])
    is_nps = _texts(answers["question"]) == "nps"
    answered = survey[_numbers(pc.index_in(answers["invitation_id"], asked["invitation_id"]))]
    is_known = is_nps & _is_recent(block, answers["answered_at"])
    for segment in ("all", *SURVEYS):
        is_own = in_window & ((segment == "all") | (survey == segment))
        yield _nps("nps_of_everybody", segment, person, _numbers(sent["sent_at"]), score, is_own)
        is_given = is_known & ((segment == "all") | (answered == segment))
        account, moment = _texts(answers["customer_id"]), _numbers(answers["answered_at"])
        yield _nps("nps_of_answers", segment, account, moment, _numbers(answers["score"]), is_given)
    is_csat = (_texts(answers["question"]) == "csat") & _is_recent(block, answers["answered_at"])
    last = _last_scores(
        _texts(answers["customer_id"]), _numbers(answers["answered_at"]), _numbers(answers["score"]), is_csat
    )
    yield Measure("csat_of_answers", int((last >= _SATISFIED_FROM).sum()), len(last), period_type="trailing_window")
    is_delivered = _texts(asked["status"]) == "delivered"
    is_answered = np.asarray(asked["is_answered"].to_numpy(zero_copy_only=False), dtype=bool)
    for segment in SURVEYS:
        base = is_delivered & (survey == segment)
        yield Measure("survey_answer_rate", int((base & is_answered).sum()), int(base.sum()), "survey", segment)


def _nps(
    metric: str, segment: str, owner: npt.NDArray[np.object_], moment: Ints, score: Ints, is_counted: Bools
) -> Measure:
    """Of each owner's last counted score."""
    last = _last_scores(owner, moment, score, is_counted)
    promoters, detractors = int((last >= _PROMOTERS_FROM).sum()), int((last <= _DETRACTORS_UP_TO).sum())
    return Measure(metric, promoters - detractors, len(last), "survey", segment, "trailing_window")


def _last_scores(owner: npt.NDArray[np.object_], moment: Ints, score: Ints, is_counted: Bools) -> Ints:
    rows = np.flatnonzero(is_counted)
    rows = rows[np.lexsort((rows, moment[rows], owner[rows].astype("U")))]
    is_last = np.append(owner[rows][1:] != owner[rows][:-1], True)[: len(rows)]
    return score[rows][is_last]


def _is_recent(block: Block, moments: pa.Array) -> Bools:
    start = block.calendar.moments(np.array([block.end_second - WINDOW_DAYS * 86_400]))[0]
    return _numbers(moments) >= int(start.astype("datetime64[us]").astype(np.int64))


def _numbers(values: pa.Array) -> Ints:
    return np.asarray(values.cast(pa.int64()).to_numpy(zero_copy_only=False), dtype=np.int64)


def _texts(values: pa.Array) -> npt.NDArray[np.object_]:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=object)
