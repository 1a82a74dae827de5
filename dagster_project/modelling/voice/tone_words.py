"""Good and bad words, the plain rule that a learnt sentiment must beat.

Belongs here: the lists and their count. Nothing that is published rests on them but the comparison.

A word counts its own side, or the other one right after a negation. Chinese has no word limits, so its lists are looked
for anywhere in a text; both scripts stand in one list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from dagster_project.modelling.histories import FloatArray


@dataclass(frozen=True)
class ToneWords:
    """One language's words; a word ending in * stands for all that begin so."""

    good: str
    bad: str
    negations: str
    has_word_limits: bool = True


TONE_WORDS: Mapping[str, ToneWords] = {
    "en": ToneWords(
        good="good great excellent love* perfect* happy nice best recommend* fast quick* easy friendly helpful solid "
        "beautiful* well satisfied pleased thank* fair worth reliable better kind patient smooth* lovely fine superb",
        bad="bad poor* terrible awful hate* broke* break worst disappoint* slow* late rude damage* defect* wrong never "
        "useless waste expensive return* refund* missing scratch* problem* complain* cheap flimsy annoying fail*",
        negations="not no never nor hardly isn't wasn't don't didn't doesn't without",
    ),
    "pt": ToneWords(
        good="bom boa bons boas ótim* otim* excelente* perfeit* ador* amei gost* recomend* rápid* rapid* satisfeit* "
        "maravilh* lind* bonit* parabéns parabens melhor feliz top qualidade antes confiável agrad* obrigad* super",
        bad="ruim ruins péssim* pessim* horrív* horriv* defeit* quebrad* atras* demor* errad* falt* decepcion* "
        "problem* devol* reclam* pior insatisfeit* diferente mal cancel* nunca triste incomplet* danificad* "
        "aguardando descaso",
        negations="não nao nem nunca sem jamais",
    ),
    "zh": ToneWords(
        good="好 不错 不錯 喜欢 喜歡 满意 滿意 推荐 推薦 漂亮 快 方便 舒服 值得 棒 赞 讚 优 優 实惠 實惠 干净 乾淨 "
        "热情 熱情 便宜 正品 好吃 耐心 感谢 感謝 划算 新鲜 新鮮 开心 開心",
        bad="差 坏 壞 烂 爛 慢 失望 垃圾 退 骗 騙 破 假 后悔 後悔 难 難 贵 貴 糟 脏 髒 臭 投诉 投訴 问题 問題 "
        "异味 異味 不行 太小 态度 態度 欺 死 坑 掉 裂 晚",
        negations="不 没 沒 没有 沒有 不是 不太 不够 不夠 并不 並不",
        has_word_limits=False,
    ),
}


def word_balance(texts: Sequence[str], languages: Sequence[str]) -> FloatArray:
    """Good words less bad words per text, shape (n,); 0 where there are none, or no list for the language.

    Args:
        texts: normalised.
        languages: BCP 47 tags; what follows the first hyphen does not matter.
    """
    balance = np.zeros(len(texts))
    primary: npt.NDArray[np.str_] = np.array([tag.split("-")[0].lower() for tag in languages], dtype="U8")
    for row in np.flatnonzero(np.isin(primary, list(TONE_WORDS))).tolist():
        balance[row] = sum(_sides(texts[row], str(primary[row])))
    return balance


def _sides(text: str, language: str) -> list[int]:
    return [
        (1 if found["good"] else -1) * (-1 if found["negation"] else 1) for found in _finder(language).finditer(text)
    ]


@cache
def _finder(language: str) -> re.Pattern[str]:
    words = TONE_WORDS[language]
    good, bad, negations = (_either(listed) for listed in (words.good, words.bad, words.negations))
    if words.has_word_limits:
        return re.compile(rf"\b(?:(?P<negation>{negations})\W+(?:\w+\W+)?)?(?:(?P<good>{good})|(?P<bad>{bad}))\b")
    return re.compile(rf"(?P<negation>{negations})?(?:(?P<good>{good})|(?P<bad>{bad}))")


def _either(listed: str) -> str:
    longest_first = sorted(listed.split(), key=lambda word: (-len(word), word))
    return "|".join(re.escape(word).replace(r"\*", r"\w*") for word in longest_first)
