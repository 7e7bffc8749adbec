"""Labelled files of any common form against the shipped models: read, understand the labels, guess, measure.

The only module of this room that opens files (those it is given) and that reads a clock (to say how fast it was).
"""

import csv
import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from io import TextIOWrapper
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from talkworthy.analysis import duplicates, evaluation, language, similarity
from talkworthy.analysis.heads import scorer_of
from talkworthy.analysis.influence import COUNTS, judged_pairs
from talkworthy.analysis.registry import model
from talkworthy.analysis.target import towards

Floats = npt.NDArray[np.float32]

TEXT_COLUMNS = ("text", "tweet_text", "Sentence content", "sentence", "content", "comment", "body", "message")
LABEL_COLUMNS = {
    "language": ("lang", "language", "label_name", "label"),
    "offensive": ("label_name", "coarse", "label", "offensive"),
    "similar": ("label", "labels", "label_name", "similar", "is_duplicate"),
    "duplicate": ("label", "labels", "label_name", "duplicate", "is_duplicate"),
    "*": (
        "label_name",
        "label",
        "airline_sentiment",
        "sentiment",
        "polarity",
        "is_there_an_emotion_directed_at_a_brand_or_product",
    ),
}
BATCH = 2048
SIMILAR = 0.1

_SENTIMENT = {
    "positive": ("positive", "pos", "2", "1", "positive emotion", "favor"),
    "neutral": ("neutral", "neu", "0", "no emotion toward brand or product", "none"),
    "negative": ("negative", "neg", "-1", "-2", "negative emotion", "against"),
}
_YES = (
    "1",
    "yes",
    "true",
    "y",
    "offense",
    "offensive",
    "complaint",
    "suggestion",
    "intent",
    "purchase",
    "help",
    "praise",
    "positive",
    "hate",
    "abuse",
    "insult",
    "profanity",
)
_NO = (
    "0",
    "no",
    "false",
    "n",
    "other",
    "not-offensive",
    "not offensive",
    "no_intent",
    "undefined",
    "non-complaint",
    "none",
    "negative",
    "not",
    "not_offensive",
)
_ISSUE = {
    "bug": ("bug",),
    "feature": ("feature", "enhancement", "feature request"),
    "question": ("question", "support", "documentation"),
}
YES, NO = "yes", "no"


class UnknownLabel(ValueError):
    """A label that the task does not know; say what it means with a mapping."""

    def __init__(self, task: str, label: str, known: Sequence[str]) -> None:
        super().__init__(
            f"{label!r} is no label of {task}; map it to one of {', '.join(known)} (as in --map {label}={known[0]})"
        )
        self.task, self.label, self.known = task, label, tuple(known)


class MissingColumn(ValueError):
    """The file lacks a column that the task needs; `columns` are those it has."""

    def __init__(self, wanted: str, columns: Sequence[str]) -> None:
        super().__init__(f"no column for {wanted}; the file has {', '.join(columns)}: name one")
        self.wanted, self.columns = wanted, tuple(columns)


class UnknownTask(LookupError):
    """No task of this name can be evaluated; `known` says which can."""

    def __init__(self, task: str) -> None:
        super().__init__(f"no task named {task!r}; there are {', '.join(EVALUATED)}")
        self.task, self.known = task, EVALUATED


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a JSON Lines, CSV or Parquet file; each may be gzipped. The form is told by the name."""
    packed = path.name.endswith(".gz")
    name = path.name.removesuffix(".gz")
    with path.open("rb") as file, gzip.open(file) if packed else nullcontext(file) as content:
        if name.endswith(".parquet"):
            yield from pq.read_table(pa.BufferReader(content.read())).to_pylist()
            return
        with TextIOWrapper(cast(BinaryIO, content), "utf-8-sig", newline="") as lines:
            if name.endswith((".csv", ".tsv")):
                yield from csv.DictReader(lines, delimiter="\t" if name.endswith(".tsv") else ",")
            else:
                yield from (json.loads(line) for line in lines if line.strip())


def evaluate_file(
    task: str,
    path: str | Path,
    *,
    text: str | None = None,
    label: str | None = None,
    target: str | None = None,
    mapping: Mapping[str, str] | None = None,
    tier: str = "fast",
) -> dict[str, Any]:
    """Measure the shipped model of a task on a labelled file.

    `text`, `label` and `target` name columns where the usual names do not fit, `mapping` says what labels
    of the file mean. Every row has a guess, also where the product would say "undecided"; `decided` is the
    share of rows it would answer. Figures are 0 to 1. Raises UnknownTask, MissingColumn, UnknownLabel.
    """
    if tier != "fast":
        raise ValueError(f"no tier named {tier!r}; there is fast")
    if task not in EVALUATED:
        raise UnknownTask(task)
    rows = list(rows_of(Path(path)))
    if not rows:
        raise ValueError(f"{path} has no rows")
    found = EVALUATED[task](
        Asked(task, rows, text, label, target, {key.lower(): value for key, value in (mapping or {}).items()})
    )
    return {"task": task, "tier": tier, "file": str(path), **found}


@dataclass(frozen=True)
class Asked:
    """One evaluation: its rows, and which columns and labels mean what."""

    task: str
    rows: list[dict[str, Any]]
    text: str | None
    label: str | None
    target: str | None
    mapping: Mapping[str, str]
    read: tuple[str, ...] | None = None

    def texts(self) -> list[str]:
        """What the model reads: the named column, title and body where both stand, or the first usual column."""
        if self.read is not None:
            return list(self.read)
        columns = self.rows[0].keys()
        if self.text:
            if self.text not in columns:
                raise MissingColumn(f"the text ({self.text})", list(columns))
            return [str(row[self.text] or "") for row in self.rows]
        for body in ("body", "text"):
            if "title" in columns and body in columns:
                return [
                    f"{row['title']}\n{row[body] or ''}" if row["title"] else str(row[body] or "") for row in self.rows
                ]
        for column in TEXT_COLUMNS:
            if column in columns:
                return [str(row[column] or "") for row in self.rows]
        raise MissingColumn("the text", list(columns))

    def labels(self) -> list[str]:
        """Labels as they stand in the file, mapped where a mapping was given."""
        columns = self.rows[0].keys()
        usual = (self.label,) if self.label else LABEL_COLUMNS.get(self.task, LABEL_COLUMNS["*"])
        for column in usual:
            if column in columns:
                return [
                    self.mapping.get(str(row[column]).strip().lower(), str(row[column]).strip()) for row in self.rows
                ]
        raise MissingColumn("the label", list(columns))


def understood(task: str, labels: Sequence[str], spellings: Mapping[str, Sequence[str]]) -> list[str]:
    """Each label as the model's own name for it."""
    known = {spelling: name for name, spelt in spellings.items() for spelling in (name, *spelt)}
    found = []
    for label in labels:
        name = known.get(label.lower())
        if name is None:
            raise UnknownLabel(task, label, list(spellings))
        found.append(name)
    return found


def _report(measured: evaluation.Measured, seconds: float, decided: float) -> dict[str, Any]:
    classes = {
        name: {"precision": held.precision, "recall": held.recall, "f1": held.f1, "n": held.n}
        for name, held in measured.classes.items()
    }
    figures: dict[str, Any] = {
        "n": measured.n,
        "accuracy": measured.accuracy,
        "macro_f1": measured.macro_f1,
        "macro_recall": measured.macro_recall,
    }
    figures |= {
        "f1": measured.f1,
        "auc": measured.auc,
        "calibration_error": measured.calibration_error,
        "decided": decided,
    }
    return {**figures, "posts_per_second": round(measured.n / max(seconds, 1e-9)), "classes": classes}


def _timed(texts: Sequence[str], read: Callable[[Sequence[str]], Any]) -> tuple[list[Any], float]:
    read(texts[:8])  # models are loaded before the clock starts
    begun = time.perf_counter()
    found = [read(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
    return found, time.perf_counter() - begun


def _language(asked: Asked) -> dict[str, Any]:
    truth = [language.CODES.get(label.lower(), label.lower().split("-")[0]) for label in asked.labels()]
    parts, seconds = _timed(asked.texts(), language.detector().best)
    found = [answer for part in parts for answer in part]
    guess = [answer[0] for answer in found]
    measured = evaluation.measured(truth, guess, confidence=np.array([answer[1] for answer in found]))
    return _report(measured, seconds, float(np.mean([answer[2] for answer in found])))


def _sentiment(asked: Asked) -> dict[str, Any]:
    labels = asked.labels()
    spellings: dict[str, Sequence[str]] = dict(_SENTIMENT)
    if set(labels) <= {"0", "1", "2"} and "2" in labels:  # the TweetEval numbers
        spellings = {"negative": ("0",), "neutral": ("1",), "positive": ("2",)}
    return _softmax(asked, "sentiment", understood(asked.task, labels, spellings))


def _issue(asked: Asked) -> dict[str, Any]:
    return _softmax(asked, "issue-type", understood(asked.task, asked.labels(), _ISSUE))


def _softmax(asked: Asked, name: str, truth: Sequence[str]) -> dict[str, Any]:
    card = model(name)
    parts, seconds = _timed(asked.texts(), scorer_of(name).score)
    chances = np.concatenate([part[name] for part in parts])
    guess = [card.labels[place] for place in chances.argmax(axis=1)]
    top = chances.max(axis=1)
    return _report(
        evaluation.measured(truth, guess, confidence=top), seconds, float((top >= card.undecided_below).mean())
    )


def _yes_or_no(asked: Asked) -> dict[str, Any]:
    truth = understood(asked.task, asked.labels(), {YES: _YES, NO: _NO})
    card = model(asked.task)
    parts, seconds = _timed(asked.texts(), scorer_of(asked.task).score)
    chances = np.concatenate([part[asked.task] for part in parts])[:, 0]
    guess = [YES if chance >= card.threshold else NO for chance in chances]
    measured = evaluation.measured(
        truth, guess, positive=YES, scores=chances, confidence=np.maximum(chances, 1 - chances)
    )
    return {**_report(measured, seconds, 1.0), "threshold": card.threshold}


def _target(asked: Asked) -> dict[str, Any]:
    column = asked.target or "target"
    if column not in asked.rows[0]:
        raise MissingColumn("the target", list(asked.rows[0]))
    truth = understood(asked.task, asked.labels(), _SENTIMENT)
    read = [towards(text, str(row[column] or "")) for text, row in zip(asked.texts(), asked.rows, strict=True)]
    return _softmax(replace(asked, read=tuple(read)), "target-sentiment", truth)


PAIRS = (
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("first", "second"),
    ("question", "rel_question"),
    ("title_a", "title_b"),
)
_ALIKE = (*_YES, "perfectmatch", "relevant", "duplicate", "same")
_UNLIKE = (*_NO, "irrelevant", "different")


def _pairs(asked: Asked) -> dict[str, Any]:
    """Pairs of texts: how alike they are, against a label that says whether they belong together."""
    columns = asked.rows[0].keys()
    usual = next((two for two in PAIRS if set(two) <= columns), ())
    named = tuple(asked.text.split(",")) if asked.text else usual
    if len(named) != 2 or not set(named) <= columns:
        raise MissingColumn("two texts (name both, with a comma between)", list(columns))
    truth = understood(asked.task, asked.labels(), {YES: _ALIKE, NO: _UNLIKE})
    first, second = ([str(row[column] or "") for row in asked.rows] for column in named)
    begun = time.perf_counter()
    if asked.task == "duplicate":
        scores = np.array([_copied(one, other) for one, other in zip(first, second, strict=True)], np.float32)
        least = duplicates.ALIKE
    else:
        scores, least = similarity.likeness(first, second), SIMILAR
    return _ranked(truth, scores, least, time.perf_counter() - begun)


def _ranked(truth: Sequence[str], scores: npt.NDArray[np.floating], least: float, seconds: float) -> dict[str, Any]:
    guess = [YES if score >= least else NO for score in scores]
    measured = evaluation.measured(truth, guess, positive=YES, scores=scores)
    return {**_report(measured, seconds, 1.0), "threshold": least}


def _copied(one: str, other: str) -> float:
    first, second = duplicates.bare(one), duplicates.bare(other)
    return duplicates.likeness(first, second) if first and second else 0.0


def _influence(asked: Asked) -> dict[str, Any]:
    """Pairs of accounts A and B with their counts; the label is 1 where A was judged the more influential.

    Of the counts any may be missing, but that of followers or of shares must be there.
    """
    columns = asked.rows[0].keys()
    told = [name for name in COUNTS if {f"A_{name}", f"B_{name}"} <= columns]
    if not {"follower_count", "retweets_received"} & set(told):
        wanted = [f"{side}_{name}" for side in "AB" for name in COUNTS]
        raise MissingColumn("the counts " + ", ".join(wanted), list(columns))
    truth = understood(asked.task, replace(asked, label=asked.label or "Choice").labels(), {YES: _YES, NO: _NO})
    first, second = _counted(asked.rows[:1], "A"), _counted(asked.rows[:1], "B")
    judged_pairs(first, second)  # the model is loaded before the clock starts
    begun = time.perf_counter()
    chances = judged_pairs(_counted(asked.rows, "A"), _counted(asked.rows, "B"))
    seconds = time.perf_counter() - begun
    guess = [YES if chance >= 0.5 else NO for chance in chances]
    measured = evaluation.measured(
        truth, guess, positive=YES, scores=chances, confidence=np.maximum(chances, 1 - chances)
    )
    found = {**_report(measured, seconds, 1.0), "threshold": 0.5, "counts": told}
    return {**found, "pairs_per_second": found["posts_per_second"]}


def _counted(rows: Sequence[Mapping[str, Any]], side: str) -> npt.NDArray[np.float64]:
    """The counts of one side of each pair; NaN where a count is not there."""
    names = [f"{side}_{name}" for name in COUNTS]
    cells = [[row.get(name) for name in names] for row in rows]
    return np.array([[float("nan") if cell in (None, "") else float(cell) for cell in row] for row in cells])


EVALUATED: dict[str, Callable[[Asked], dict[str, Any]]] = {
    "language": _language,
    "sentiment": _sentiment,
    "target-sentiment": _target,
    "complaint": _yes_or_no,
    "suggestion": _yes_or_no,
    "purchase": _yes_or_no,
    "help": _yes_or_no,
    "praise": _yes_or_no,
    "offensive": _yes_or_no,
    "issue-type": _issue,
    "similar": _pairs,
    "duplicate": _pairs,
    "influence": _influence,
}
