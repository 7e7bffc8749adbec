"""Labelled files of any common form against the shipped models: read, understand the labels, guess, measure.

The only module of this room that opens files (those it is given) and that reads a clock (to say how fast it was).
"""

import csv
import gzip
import html
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from io import TextIOWrapper
from itertools import combinations
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from talkworthy.analysis import duplicates, evaluation, language, linkage, similarity, urgency
from talkworthy.analysis.influence import COUNTS, judged_pairs
from talkworthy.analysis.registry import model
from talkworthy.analysis.tiers import FAST, checked, score_one

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
URGENT = 50
"""The urgency from which the rule that a new workspace is offered opens a case."""
SIMILAR = 0.5
SITES = ("domain", "site")
"""Columns that name the site which a text links to."""
MOST_ASKED = 2000
"""Texts of a collection that are looked for; of a larger one every so-manieth."""

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
    tier: str = FAST,
    link: "Link | None" = None,
) -> dict[str, Any]:
    """Measure the shipped model of a task on a labelled file.

    `text`, `label` and `target` name columns where the usual names do not fit, `mapping` says what labels
    of the file mean. Every row has a guess, also where the product would say "undecided"; `decided` is the
    share of rows it would answer. Figures are 0 to 1. Raises UnknownTask, MissingColumn, UnknownLabel.
    """
    checked(tier)
    if task not in EVALUATED:
        raise UnknownTask(task)
    rows = list(rows_of(Path(path)))
    if not rows:
        raise ValueError(f"{path} has no rows")
    found = EVALUATED[task](
        Asked(
            task,
            rows,
            text,
            label,
            target,
            {key.lower(): value for key, value in (mapping or {}).items()},
            tier,
            path=Path(path),
            link=link,
        )
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
    tier: str = FAST
    path: Path | None = None
    link: "Link | None" = None

    def texts(self) -> list[str]:
        """What the model reads: the named column, title and body where both stand, or the first usual column."""
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


def _timed(texts: Sequence[Any], read: Callable[[Sequence[Any]], Any]) -> tuple[list[Any], float]:
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


def _softmax(asked: Asked, name: str, truth: Sequence[str], targets: Sequence[str] | None = None) -> dict[str, Any]:
    card = model(name)
    chances, _, seconds = _scored(asked, name, targets)
    guess = [card.labels[place] for place in chances.argmax(axis=1)]
    top = chances.max(axis=1)
    return _report(
        evaluation.measured(truth, guess, confidence=top), seconds, float((top >= card.undecided_below).mean())
    )


def _scored(asked: Asked, name: str, targets: Sequence[str] | None = None) -> tuple[Floats, Floats, float]:
    """Probabilities and thresholds of every row, and the seconds it took."""
    pairs = list(zip(asked.texts(), targets or [""] * len(asked.rows), strict=True))

    def read(part: Sequence[tuple[str, str]]) -> tuple[Floats, Floats]:
        texts, towards = [text for text, _ in part], [target for _, target in part]
        return score_one(name, texts, tier=asked.tier, targets=towards if targets else None)

    parts, seconds = _timed(pairs, read)
    return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts]), seconds


def _yes_or_no(asked: Asked) -> dict[str, Any]:
    truth = understood(asked.task, asked.labels(), {YES: _YES, NO: _NO})
    found, thresholds, seconds = _scored(asked, asked.task)
    chances = found[:, 0]
    guess = [YES if said else NO for said in chances >= thresholds]
    measured = evaluation.measured(
        truth, guess, positive=YES, scores=chances, confidence=np.maximum(chances, 1 - chances)
    )
    return {**_report(measured, seconds, 1.0), "threshold": round(float(thresholds.mean()), 4)}


def _target(asked: Asked) -> dict[str, Any]:
    column = asked.target or "target"
    if column not in asked.rows[0]:
        raise MissingColumn("the target", list(asked.rows[0]))
    truth = understood(asked.task, asked.labels(), _SENTIMENT)
    return _softmax(asked, "target-sentiment", truth, [str(row[column] or "") for row in asked.rows])


PAIRS = (
    ("text_a", "text_b"),
    ("text1", "text2"),
    ("first", "second"),
    ("question", "rel_question"),
    ("title_a", "title_b"),
)
LINKED = (("Issue id", "Duplicate id"), ("PostId", "RelatedPostId"), ("id_a", "id_b"))
GROUPS = ("group_id", "group", "cluster", "duplicate_group")
RIGHT = ("relevant", "answer", "answers", "positive", "positives", "labels", "label")
TRUE_IDS = ("true_id", "True Id", "cluster", "cluster_id", "entity_id", "leuven_id", "person_id", "label")
COPIED = 0.5
Link = Callable[[Sequence[Mapping[str, str | None]]], Sequence[tuple[str, str, float]]]
"""Compares records: pairs of their numbers, with the probability that both are one."""
_ALIKE = (*_YES, "perfectmatch", "relevant", "duplicate", "same")
_UNLIKE = (*_NO, "irrelevant", "different")


def _alike(asked: Asked) -> dict[str, Any]:
    """Texts that belong together, in whichever of four forms the file has them: see the page of analysis."""
    columns = asked.rows[0].keys()
    if {"query", "candidates"} <= columns:
        return _candidates(asked)
    group = asked.label if asked.label in columns else next((name for name in GROUPS if name in columns), None)
    if group in GROUPS and not any(set(two) <= columns for two in PAIRS):
        return _groups(asked, group or "")
    ids = next((two for two in LINKED if set(two) <= columns), None)
    if ids is not None:
        return _linked(asked, ids)
    return _pairs(asked)


def _pairs(asked: Asked) -> dict[str, Any]:
    """Pairs with a label; where a first text has several beside it, they are its candidates."""
    columns = asked.rows[0].keys()
    usual = next((two for two in PAIRS if set(two) <= columns), ())
    named = tuple(asked.text.split(",")) if asked.text else usual
    if len(named) != 2 or not set(named) <= columns:
        raise MissingColumn("two texts (name both, with a comma between)", list(columns))
    truth = understood(asked.task, asked.labels(), {YES: _ALIKE, NO: _UNLIKE})
    first, second = ([str(row[column] or "") for row in asked.rows] for column in named)
    if named == ("question", "rel_question") and "feature" in columns:
        first, second, _ = related_pairs(asked.rows, subjects=True)
    begun = time.perf_counter()
    scores, least = _scores(asked.task, first, second), _least(asked.task)
    found = _ranked(truth, scores, least, time.perf_counter() - begun, sure=True)
    return {**found, **_hits(first, scores, np.array([label == YES for label in truth]))}


def related_pairs(rows: Sequence[Mapping[str, Any]], *, subjects: bool) -> tuple[list[str], list[str], list[bool]]:
    """Both questions of SemEval's rows and whether they are related.

    Their `feature` is the subject of both in one line: the words that all rows of a question begin with are its own.
    """
    first, second = [str(row["question"]) for row in rows], [str(row["rel_question"]) for row in rows]
    alike = [str(row["labels"]).strip() != "Irrelevant" for row in rows]
    if not subjects:
        return first, second, alike
    told: dict[str, list[list[str]]] = {}
    for row in rows:
        told.setdefault(str(row["question"]), []).append(str(row["feature"] or "").split())
    common = {question: _beginning(subjects) for question, subjects in told.items()}
    for place, row in enumerate(rows):
        held, own = str(row["feature"] or "").split(), common[str(row["question"])]
        first[place] = f"{' '.join(held[:own])}\n{first[place]}"
        second[place] = f"{' '.join(held[own:])}\n{second[place]}"
    return first, second, alike


def _beginning(listed: Sequence[Sequence[str]]) -> int:
    """How many words all begin with, each keeping one of its own."""
    most = min(len(words) for words in listed) - 1
    return next((at for at in range(max(most, 0)) if len({words[at] for words in listed}) > 1), max(most, 0))


def _candidates(asked: Asked) -> dict[str, Any]:
    """Rows of a query, its candidates, and which of them are right: by place, by id, or by their own label."""
    first, second, truth = [], [], []
    for row in asked.rows:
        listed = json.loads(row["candidates"]) if isinstance(row["candidates"], str) else row["candidates"]
        for text, right in _judged(row, listed):
            first.append(_whole(row["query"]))
            second.append(text)
            truth.append(YES if right else NO)
    begun = time.perf_counter()
    scores, least = _scores(asked.task, first, second), _least(asked.task)
    found = _ranked(truth, scores, least, time.perf_counter() - begun, sure=True)
    return {**found, **_hits(first, scores, np.array([label == YES for label in truth]))}


def _judged(row: Mapping[str, Any], listed: Sequence[Any]) -> Iterator[tuple[str, bool]]:
    """Each candidate and whether it is right: `labels` marks each, anything else names the right ones."""
    name = next((name for name in RIGHT if row.get(name) not in (None, "")), None)
    told = row[name] if name else ()
    if isinstance(told, str) and told.startswith("["):
        told = json.loads(told)
    right = list(told) if isinstance(told, list | tuple) else [told]
    for place, candidate in enumerate(listed):
        if isinstance(candidate, Mapping) and "label" in candidate:
            yield _whole(candidate), str(candidate["label"]).strip().lower() in _ALIKE
        elif name == "labels":
            yield _whole(candidate), str(right[place]).strip().lower() in _ALIKE
        else:
            own = candidate.get("id") if isinstance(candidate, Mapping) else candidate
            yield _whole(candidate), place in right or str(place) in right or own in right


def _whole(value: Any) -> str:
    """A text, or an object with title and body."""
    if not isinstance(value, Mapping):
        return str(value or "")
    parts = [value.get("title"), next((value[name] for name in ("body", *TEXT_COLUMNS) if value.get(name)), None)]
    return "\n".join(str(part) for part in parts if part)


def _groups(asked: Asked, group: str) -> dict[str, Any]:
    """Texts of which those with the same group belong together; each is looked for among all others."""
    by_title = "title" in asked.rows[0] and not ({"body", "text"} & asked.rows[0].keys())
    texts = (replace(asked, text="title") if by_title and not asked.text else asked).texts()
    told = [str(row[group] or "") for row in asked.rows]
    members: dict[str, list[int]] = {}
    for place, name in enumerate(told):
        if name:
            members.setdefault(name, []).append(place)
    sought = {
        place: [other for other in held if other != place]
        for held in members.values()
        for place in held
        if len(held) > 1
    }
    site = next((name for name in SITES if name in asked.rows[0]), None)
    sites = [[str(row[site])] if row[site] else [] for row in asked.rows] if site else []
    return _sought(asked.task, texts, sought, sites)


def _linked(asked: Asked, ids: tuple[str, str]) -> dict[str, Any]:
    """Pairs of ids; the texts stand in the file beside it whose ids these are."""
    pairs = [(str(row[ids[0]]), str(row[ids[1]])) for row in asked.rows]
    wanted = {one for pair in pairs for one in pair}
    for beside in sorted(asked.path.parent.iterdir() if asked.path else ()):
        if beside == asked.path or not beside.name.removesuffix(".gz").endswith((".csv", ".jsonl", ".parquet")):
            continue
        rows = list(rows_of(beside))
        key = next((name for name in ("Issue id", "Id", "id") if rows and name in rows[0]), None)
        title = next(
            (name for name in ("Summary", "Title", "title") if rows and any(name in row for row in rows)), None
        )
        body = next((name for name in ("Description", "Body", "body", "text") if rows and name in rows[0]), "text")
        titled = [row for row in rows if title and row.get(title)]
        places = {str(row[key]): place for place, row in enumerate(titled)} if key else {}
        if len(wanted & places.keys()) < len(wanted) / 2:
            continue
        texts = [f"{row[title or '']}\n{_unmarked(str(row.get(body) or ''))}" for row in titled]
        sought: dict[int, list[int]] = {}
        for one, other in pairs:
            if one in places and other in places:
                sought.setdefault(places[one], []).append(places[other])
        return _sought(asked.task, texts, sought)
    raise MissingColumn(f"the texts of {ids[0]} and {ids[1]}, in a file beside it", list(asked.rows[0]))


def _unmarked(body: str) -> str:
    """A body without HTML."""
    return html.unescape(re.sub(r"</?[a-z][^<>]*>", " ", body))


def _sought(
    task: str, texts: Sequence[str], sought: Mapping[int, Sequence[int]], sites: Sequence[Sequence[str]] = ()
) -> dict[str, Any]:
    """Ranks by the texts alone, and besides by the sites that they link to, where these are told."""
    if not sought:
        raise ValueError("no two texts of this file belong together")
    asked = list(sought)[:: max(len(sought) // MOST_ASKED, 1)]
    begun = time.perf_counter()
    held = similarity.Collection(texts) if task == "similar" else None
    likeness: Callable[[Sequence[int]], Floats] = held.likeness if held else partial(_copied, texts)
    found: dict[str, Any] = {"n": len(asked), "candidates": len(texts) - 1, **_ranks(likeness, asked, sought)}
    found["posts_per_second"] = round(len(texts) / max(time.perf_counter() - begun, 1e-9))
    if held and sites:
        found["with_sites"] = _ranks(held.with_sites(sites).likeness, asked, sought)
    return found


def _copied(texts: Sequence[str], places: Sequence[int]) -> Floats:
    return np.array([_scores("duplicate", [texts[place]] * len(texts), texts) for place in places], np.float32)


def _ranks(
    likeness: Callable[[Sequence[int]], Floats], asked: Sequence[int], sought: Mapping[int, Sequence[int]]
) -> dict[str, float]:
    ranks, chances, right = [], [], []
    for start in range(0, len(asked), 64):
        part = asked[start : start + 64]
        for place, row in zip(part, likeness(part), strict=True):
            row[place] = -1
            best = float(max(row[other] for other in sought[place]))
            ranks.append(int((row > best).sum()) + 1)
            first = int(row.argmax())
            chances.append(float(row[first]))
            right.append(first in sought[place])
    found = np.array(ranks)
    return {
        "hit_at_1": float((found <= 1).mean()),
        "hit_at_10": float((found <= 10).mean()),
        "mean_reciprocal_rank": float((1 / found).mean()),
        "calibration_error": evaluation.calibration_error(np.array(right), np.array(chances)),
    }


def _hits(first: Sequence[str], scores: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]) -> dict[str, float]:
    """Share of queries whose best candidate, or one of the best ten, is right; of those that have a right one."""
    rows: dict[str, list[int]] = {}
    for place, text in enumerate(first):
        rows.setdefault(text, []).append(place)
    ranks = []
    for places in rows.values():
        mine, true = scores[places], right[places]
        if len(places) > 1 and true.any():
            ranks.append(int((mine > mine[true].max()).sum()) + 1)
    if not ranks:
        return {}
    found = np.array(ranks)
    return {"hit_at_1": float((found <= 1).mean()), "hit_at_10": float((found <= 10).mean())}


def _least(task: str) -> float:
    return COPIED if task == "duplicate" else SIMILAR


def _scores(task: str, first: Sequence[str], second: Sequence[str]) -> Floats:
    if task == "duplicate":
        return np.array([duplicates.copied(one, other) for one, other in zip(first, second, strict=True)], np.float32)
    return similarity.likeness(first, second)


def _linkage(asked: Asked) -> dict[str, Any]:
    """Records with a true id: who is one, in pairs over groups, as `link` finds them."""
    if asked.link is None:
        raise ValueError("linkage needs what compares records: talkworthy evaluate linkage brings it")
    columns = asked.rows[0].keys()
    truth = _true_ids(asked)
    known = {ours: theirs for ours, usual in linkage.SPELLINGS.items() for theirs in usual if theirs in columns}
    if not known:
        raise MissingColumn("anything that is known of a person", list(columns))
    records = [linkage.comparable(str(place), linkage.known_of(row, known)) for place, row in enumerate(asked.rows)]
    begun = time.perf_counter()
    pairs = asked.link(records)
    groups = linkage.groups(pairs)
    seconds = time.perf_counter() - begun
    found = {two for held in groups for two in combinations(sorted(map(int, held)), 2)}
    right = sum(truth[one] == truth[other] for one, other in found)
    true = sum(count * (count - 1) // 2 for count in Counter(truth).values())
    chances = np.array([chance for _one, _other, chance in pairs])
    same = np.array([truth[int(one)] == truth[int(other)] for one, other, _chance in pairs], np.bool_)
    all_pairs = len(truth) * (len(truth) - 1) // 2
    return {
        "n": len(truth),
        "true_pairs": true,
        "precision": right / max(len(found), 1),
        "recall": right / max(true, 1),
        "f1": 2 * right / max(len(found) + true, 1),
        "accuracy": 1 - (len(found) + true - 2 * right) / max(all_pairs, 1),
        "calibration_error": evaluation.calibration_error(same == (chances >= 0.5), np.maximum(chances, 1 - chances)),
        "posts_per_second": round(len(truth) / max(seconds, 1e-9)),
    }


def _true_ids(asked: Asked) -> list[str]:
    columns = asked.rows[0].keys()
    if not asked.label and "rec_id" in columns:  # Febrl: rec-17-org and rec-17-dup-0 are one
        return [re.sub(r"-(?:org|dup-?\d*)$", "", str(row["rec_id"])) for row in asked.rows]
    column = next((name for name in ((asked.label,) if asked.label else TRUE_IDS) if name in columns), None)
    if column is None:
        raise MissingColumn("the true id", list(columns))
    return [str(row[column]) or f"alone {place}" for place, row in enumerate(asked.rows)]


def _ranked(
    truth: Sequence[str], scores: npt.NDArray[np.floating], least: float, seconds: float, *, sure: bool = False
) -> dict[str, Any]:
    """Figures of scores; `sure`: they are probabilities."""
    guess = [YES if score >= least else NO for score in scores]
    confidence = np.maximum(scores, 1 - scores) if sure else None
    measured = evaluation.measured(truth, guess, positive=YES, scores=scores, confidence=confidence)
    return {**_report(measured, seconds, 1.0), "threshold": least}


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


def _urgency(asked: Asked) -> dict[str, Any]:
    """Whether a post is urgent at all; labels are yes and no, or what is at stake and `none`."""
    kinds = {kind for kind, _ in urgency.phrases().values()}
    truth = understood(asked.task, asked.labels(), {YES: (*_YES, *sorted(kinds)), NO: _NO})
    parts, seconds = _timed(asked.texts(), lambda texts: urgency.levels(texts, asked.tier))
    levels = np.concatenate(parts)
    guess = [YES if level >= URGENT else NO for level in levels]
    measured = evaluation.measured(truth, guess, positive=YES, scores=levels)
    calm = measured.classes.get(NO)
    false_alarms = 1 - calm.recall if calm and calm.n else None
    return {**_report(measured, seconds, 1.0), "threshold": URGENT, "false_alarm_rate": false_alarms}


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
    "urgency": _urgency,
    "similar": _alike,
    "duplicate": _alike,
    "linkage": _linkage,
    "influence": _influence,
}
