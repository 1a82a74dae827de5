"""Sentiment beside scikit-learn's own pipeline, beside words found by jieba, and beside plain rules.

    LOYALTY_DATA=/data python benchmarks/text_sentiment.py [--quick]

Speed: 60,000 Chinese shopping reviews are learnt from and read. Ours learns five models, so that every text is read by
one that has not seen it; scikit-learn's pipeline (TF-IDF of the same n-grams, the same regression) learns one and reads
what it learnt from. Each runs in a process of its own on one thread; processor time is compared, as wall time follows
the machine's other work.
Words: the same five parts and the same regression on words and pairs of words that jieba finds (`pip install jieba`;
left out where it is not there).
Hold-out: Olist (1-2 against 4-5 stars) and the three Chinese sets, each against the word list and the commoner class.
Domains: learnt from one Chinese set, read in another; ours is the other set's area, other the set's own hold-out.

Prints one JSON line per figure: {"bench", "case", "ours", "other", "other_name", "ratio", "unit", "runs"}; ratio is
other / ours for times and memory, ours / other for accuracies and areas, so that larger is better. --quick takes 4,000
texts of each set.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline, make_union

from dagster_project.modelling.voice.ngrams import NgramSettings, normalised, text_hashes
from dagster_project.modelling.voice.sentiment import SentimentSettings, fit_sentiment
from dagster_project.modelling.voice.sentiment_scores import judged

SPEED_SET, SPEED_TEXTS, QUICK_TEXTS = "shopping", 60_000, 4_000
CHINESE = {"shopping": "online_shopping_10_cats", "delivery": "waimai_10k", "hotels": "chnsenticorp_hotel"}
WORD = r"\w+"
SETTINGS = SentimentSettings()
Figures = dict[str, float]


def main() -> None:
    """Run every way and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--once", nargs=2, metavar=("WAY", "TEXTS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.once:
        print(json.dumps(measured(WAYS[arguments.once[0]], int(arguments.once[1]))))
        return
    count = QUICK_TEXTS if arguments.quick else SPEED_TEXTS
    ours, bare = alone("ours", count), alone("bare", count)
    tell_costs(f"fit and read {count:,} Chinese reviews", ours, bare, "bare scikit-learn pipeline")
    if importlib.util.find_spec("jieba"):
        words = alone("jieba", count)
        tell_costs(f"hold out and read {count:,} Chinese reviews", ours, words, "jieba words")
        for score in ("accuracy", "AUC"):
            tell(f"hold-out {score}, {count:,} Chinese reviews", ours[score], words[score], "jieba words", score)
    holdouts_and_domains(QUICK_TEXTS if arguments.quick else None)


def alone(way: str, count: int) -> Figures:
    """The figures of a way in a process of its own, on one thread."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, __file__, "--once", way, str(count)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | threads)
    found: Figures = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(way: Callable[[pd.DataFrame], Figures], count: int) -> Figures:
    """What a way found, its seconds and its peak memory, reading of the file left out of the seconds."""
    texts = chinese(SPEED_SET, count)
    wall, processor = time.perf_counter(), time.process_time()
    found = way(texts)
    return found | {
        "seconds": time.perf_counter() - wall,
        "processor_seconds": time.process_time() - processor,
        "memory_mb": peak_mb(),
    }


def peak_mb() -> float:
    """The most memory that this process has held; getrusage would count its parent's too."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    return int(found[1]) / 1024 if found else float("nan")


def ours(texts: pd.DataFrame) -> Figures:
    """Five models, and every text read."""
    model = fit_sentiment(texts, SETTINGS)
    model.read(texts)
    return scores(model.holdout["is_positive"].to_numpy(), model.holdout["probability_positive"].to_numpy())


def bare(texts: pd.DataFrame) -> Figures:
    """One model by scikit-learn on the same n-grams, and every text read."""
    ngrams: NgramSettings = SETTINGS.ngrams
    counted = make_union(
        TfidfVectorizer(analyzer="char", ngram_range=ngrams.characters, min_df=3, sublinear_tf=True),
        TfidfVectorizer(token_pattern=WORD, ngram_range=(1, ngrams.words), min_df=3, sublinear_tf=True),
    )
    model = make_pipeline(counted, regression())
    model.fit(texts["text"], texts["is_positive"])
    model.predict_proba(texts["text"])
    return {}


def jieba_words(texts: pd.DataFrame) -> Figures:
    """The same parts and regression on words that jieba finds."""
    import jieba

    jieba.setLogLevel("ERROR")
    words = normalised(texts["text"])
    cut = [[word for word in jieba.lcut(text) if word.strip()] for text in words]
    part, happy = text_hashes(words) % np.uint64(SETTINGS.parts), texts["is_positive"].to_numpy()
    weighted = TfidfVectorizer(analyzer=_ones_and_pairs, min_df=3, sublinear_tf=True).fit_transform(cut)
    chance = np.zeros(len(words))
    for number in range(SETTINGS.parts):
        own = part == number
        chance[own] = regression().fit(weighted[~own], happy[~own]).predict_proba(weighted[own])[:, 1]
    return scores(happy, chance)


WAYS: dict[str, Callable[[pd.DataFrame], Figures]] = {"ours": ours, "bare": bare, "jieba": jieba_words}


def _ones_and_pairs(words: list[str]) -> list[str]:
    return words + [f"{first} {second}" for first, second in pairwise(words)]


def regression() -> Any:
    """The regression that ours uses."""
    return LogisticRegression(C=4.0, solver="liblinear", dual=True, tol=1e-2, max_iter=1_000, random_state=0)


def scores(happy: np.ndarray, chance: np.ndarray) -> Figures:
    """Accuracy and area."""
    return {"accuracy": float(((chance > 0.5) == happy).mean()), "AUC": float(roc_auc_score(happy, chance))}


def holdouts_and_domains(count: int | None) -> None:
    """Hold-out figures of four sets against plain rules, and the Chinese models in each other's trade."""
    sets = {name: chinese(name, count) for name in CHINESE}
    areas, models = {}, {}
    for name, texts in {"olist": olist(count), **sets}.items():
        models[name], found = judged(fit_sentiment(texts, SETTINGS), texts)
        value = found[found["language"] == "all"].set_index(["model", "score"])["score_value"]
        areas[name] = float(value["learnt", "roc_auc"])
        for other, score in (("word_list", "roc_auc"), ("word_list", "accuracy"), ("majority", "accuracy")):
            unit = "AUC" if score == "roc_auc" else score
            case = f"{name}, {int(found['count_texts'].max()):,} texts: hold-out {unit}"
            tell(case, float(value["learnt", score]), float(value[other, score]), other.replace("_", " "), unit)
    for learnt in CHINESE:
        for place, texts in sets.items():
            if learnt != place:
                chance = models[learnt].read(texts)["probability_positive"].fillna(0.5).to_numpy()
                found_here = scores(texts["is_positive"].to_numpy(), chance)
                tell(f"{learnt} read in {place}: AUC", found_here["AUC"], areas[place], f"{place}'s own", "AUC")


def chinese(name: str, count: int | None) -> pd.DataFrame:
    """Rated texts of a Chinese set, the first by a hash of their words where a count is given."""
    reviews = pd.read_csv(folder() / "chinese_reviews" / f"{CHINESE[name]}.csv.gz").dropna()
    return _chosen(reviews["review"], reviews["label"] == 1, "zh-Hans", count)


def olist(count: int | None) -> pd.DataFrame:
    """Olist's rated texts; three stars are neither good nor bad."""
    reviews = pd.read_csv(folder() / "olist" / "olist_order_reviews_dataset.csv.gz")
    text = reviews["review_comment_title"].fillna("") + ". " + reviews["review_comment_message"].fillna("")
    rows = reviews["review_score"].ne(3) & text.str.strip(". ").ne("")
    return _chosen(text[rows].str.strip(". "), reviews.loc[rows, "review_score"] > 3, "pt", count)


def _chosen(text: pd.Series, is_positive: pd.Series, language: str, count: int | None) -> pd.DataFrame:
    made = pd.DataFrame({"text_key": text.index.astype("str"), "text": text, "is_positive": is_positive})
    order = np.argsort(text_hashes(normalised(made["text"])), kind="stable")[:count]
    return made.iloc[order].assign(language=language).reset_index(drop=True)


def folder() -> Path:
    """Where the data sets lie."""
    found = os.environ.get("LOYALTY_DATA")
    if not found:
        raise SystemExit("LOYALTY_DATA is not set; set it to the folder that holds olist/ and chinese_reviews/")
    return Path(found)


def tell_costs(case: str, ours: Figures, other: Figures, name: str) -> None:
    """Print times and memory of two ways."""
    for figure, unit in {"processor_seconds": "CPU s", "seconds": "s", "memory_mb": "MB"}.items():
        tell(case, ours[figure], other[figure], name, unit)


def tell(case: str, ours: float, other: float, other_name: str, unit: str) -> None:
    """Print one figure."""
    ratio = ours / other if unit in ("accuracy", "AUC") else other / ours
    figure = {"bench": "text_sentiment", "case": case, "ours": round(ours, 4), "other": round(other, 4)}
    print(
        json.dumps(figure | {"other_name": other_name, "ratio": round(ratio, 3), "unit": unit, "runs": 1}), flush=True
    )


if __name__ == "__main__":
    main()
