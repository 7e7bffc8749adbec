"""The table of `matter`: that of `meaning`, moved until texts of one matter lie close together.

Pairs are titles that communities gave to one link, questions that people judged related, and posts with their own
titles. Of a batch each text must find its partner among those of all others; a quarter of the word pieces is left out
by a seeded chance, so that no single word decides. Adam on the rows that a batch touches, in NumPy.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from talkworthy.analysis.evaluation import auc
from talkworthy.analysis.labelled import related_pairs
from talkworthy.analysis.meaning import PIECES
from talkworthy.analysis.registry import model
from talkworthy.analysis.training.sets import read

Floats = npt.NDArray[np.float32]
Pieces = tuple[int, ...]
Pair = tuple[Pieces, Pieces]

NAME = "matter"
PURPOSE = (
    "Whether texts are of one matter, as a vector of {width} numbers, for the {pieces:,} word pieces of `meaning`."
)
WIDTH = 128
"""Numbers a piece, of 256 in `meaning`, which are sorted by how much they tell."""
FINEST = 63
"""Steps of the largest number: finer ones would only make the file larger."""

ROUNDS, BATCH, LEAST_BATCH = 5, 512, 64
RATE, DECAYS, TINY = 0.003, (0.9, 0.999), 1e-6
SHARPNESS = 20.0
LEFT_OUT = 0.25
LONGEST = 400
BODY = 1_000
SEED = 5
TOGETHER = 4
"""Titles of one link that are paired: two communities say more than a dozen that copy each other."""

SOURCES = (
    "the model `meaning` (all-MiniLM-L6-v2, Apache-2.0, distilled with model2vec)",
    "titles that communities of Reddit gave to one link, and posts with their titles, umbrae/reddit-top-2.5-million"
    " (PDDL 1.0)",
    "related questions of Qatar Living, SemEval-2016 task 3, training part (repository MIT; weights only)",
    "questions with their titles, Stack Exchange quantum computing (CC BY-SA; weights only)",
    "GitHub issues with their titles, NLBSE 2024 (licence file empty; weights only)",
)
FAILURES = (
    "Negation and word order; languages other than English; texts of a few common words; long posts about several"
    " things; two headlines of one link that say nothing of what is behind it."
)


@dataclass
class Moved:
    """The table as it is fitted, with what Adam remembers of each row."""

    table: Floats
    mean: Floats
    spread: Floats
    steps: int = 0


def train(data: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """What the card says, and the arrays."""
    base = model("meaning").arrays()["vectors"][:, :WIDTH].astype(np.float32)
    fitted = whole_numbers(fit(base, pairs_of(data)))
    card = {
        "purpose": PURPOSE.format(width=WIDTH, pieces=len(fitted)),
        "sources": SOURCES,
        "failures": FAILURES,
        "scores": list(_scores(data, fitted.astype(np.float32))),
    }
    return card, {"vectors": fitted}


def _scores(data: Path, table: Floats) -> Iterator[dict[str, Any]]:
    """What the table is worth on texts that it never saw, by cosine alone."""
    rows = list(read(data / "related_questions_qatarliving/val.csv.gz"))
    place = "related_questions_qatarliving, validation"
    for what, subjects in (("question beside question", False), ("with the subjects of both", True)):
        first, second, alike = related_pairs(rows, subjects=subjects)
        likeness = (_vectors(table, first) * _vectors(table, second)).sum(axis=1)
        yield _score(f"{place}, {what}", "AUC", auc(np.array(alike), likeness), len(rows))
    bugs = [row for row in read(data / "duplicate_bug_reports_hadoop/bugs.csv.gz") if row["Summary"]]
    known = {row["Issue id"]: number for number, row in enumerate(bugs)}
    sought: dict[int, list[int]] = {}
    for row in read(data / "duplicate_bug_reports_hadoop/duplicates.csv.gz"):
        if {row["Issue id"], row["Duplicate id"]} <= known.keys():
            sought.setdefault(known[row["Issue id"]], []).append(known[row["Duplicate id"]])
    vectors = _vectors(table, [row["Summary"] for row in bugs])
    yield from _hits(f"duplicate_bug_reports_hadoop, summaries, among {len(bugs):,}", vectors, sought)
    posts = list(read(data / "reddit_crosspost_links/posts.jsonl.gz"))
    vectors = _vectors(table, [row["title"] for row in posts])
    yield from _hits(
        f"reddit_crosspost_links, links held back, among {len(posts):,}", vectors, links_of(posts, MEASURED)
    )


def links_of(posts: Sequence[Mapping[str, Any]], tenth: int, *, most: int = 1_000) -> dict[int, list[int]]:
    """For about so many posts of a tenth of the links their places, and those of the others of the same link."""
    members: dict[str, list[int]] = {}
    for place, row in enumerate(posts):
        if row["group_id"] and tenth_of(row["group_id"]) == tenth:
            members.setdefault(row["group_id"], []).append(place)
    sought = {place: [other for other in held if other != place] for held in members.values() for place in held}
    whole = [place for place, others in sought.items() if others]
    return {place: sought[place] for place in whole[:: max(len(whole) // most, 1)]}


def _hits(where: str, vectors: Floats, sought: Mapping[int, Sequence[int]]) -> Iterator[dict[str, Any]]:
    ranks = []
    for place, others in sought.items():
        row = vectors @ vectors[place]
        row[place] = -1
        ranks.append(int((row > max(row[other] for other in others)).sum()) + 1)
    for name, most in (("hit@1", 1), ("hit@10", 10)):
        yield _score(where, name, np.mean(np.array(ranks) <= most), len(ranks))


def _score(data: str, measure: str, value: Any, n: int) -> dict[str, Any]:
    return {"data": data, "measure": measure, "value": round(100 * float(value or 0), 1), "n": n}


def _vectors(table: Floats, texts: Sequence[str]) -> Floats:
    found = np.zeros((len(texts), table.shape[1]), np.float32)
    for place, text in enumerate(texts):
        if pieces := PIECES.of(text):
            found[place] = table[pieces].mean(axis=0)
    return _scaled(found)[0]


def whole_numbers(table: Floats) -> npt.NDArray[np.int8]:
    """The table in one step for all, since rows must keep their lengths beside each other."""
    return np.asarray(np.round(table * (FINEST / np.abs(table).max())), np.int8)


def tenth_of(link: str) -> int:
    """Which tenth the titles of this link belong to."""
    return zlib.crc32(link.encode()) % 10


def is_for_the_table(question: str) -> bool:
    """Whether this table learns from a judged question; from the others learn the weights of `similar`."""
    return zlib.crc32(question.encode()) % 2 == 0


QUESTIONS = "related_questions_qatarliving/train.csv.gz"
MEASURED, WEIGHED = 0, 1
"""The tenth that no fit may see, and the one that the weights of `similar` are fitted to."""


def pairs_of(data: Path) -> dict[str, list[Pair]]:
    """Pairs of texts that belong together, by where they are from: a batch is of one place, where words are alike."""
    told = {
        "links": _links(data),
        "posts": _titled(data / "reddit_top_posts/posts.jsonl.gz", "title", "selftext"),
        "questions": _titled(data / "stackexchange_quantumcomputing/posts.jsonl.gz", "Title", "Body"),
        "issues": _titled(data / "issue_type_nlbse2024/train.jsonl.gz", "title", "body"),
        "related": _related(data),
    }
    found = {}
    for name, pairs in told.items():
        cut = [(_pieces(first), _pieces(second)) for first, second in pairs]
        found[name] = [pair for pair in cut if min(len(pair[0]), len(pair[1])) > 1]
    return found


def _links(data: Path) -> Iterator[tuple[str, str]]:
    titles: dict[str, list[str]] = {}
    for row in read(data / "reddit_crosspost_links/posts.jsonl.gz"):
        if row["group_id"] and tenth_of(row["group_id"]) not in (MEASURED, WEIGHED):
            titles.setdefault(row["group_id"], []).append(row["title"])
    for held in titles.values():
        some = held[:TOGETHER]
        yield from pairwise(some)
        if len(some) > 2:
            yield some[-1], some[0]


def _titled(path: Path, title: str, body: str) -> Iterator[tuple[str, str]]:
    for row in read(path):
        if row.get(title) and len(row.get(body) or "") > 60:
            yield row[title], row[body][:BODY]


def _related(data: Path) -> Iterator[tuple[str, str]]:
    rows = [row for row in read(data / QUESTIONS) if is_for_the_table(row["question"])]
    for first, second, alike in zip(*related_pairs(rows, subjects=True), strict=True):
        if alike:
            yield first, second


def _pieces(text: str) -> Pieces:
    return tuple(PIECES.of(text)[:LONGEST])


def fit(table: Floats, pairs: Mapping[str, Sequence[Pair]]) -> Floats:
    """The table after all rounds; the rate falls to nothing."""
    chance = np.random.default_rng(SEED)
    scaled = table / np.linalg.norm(table, axis=1).mean()
    held = Moved(scaled, np.zeros_like(scaled), np.zeros_like(scaled))
    for number in range(ROUNDS):
        rate = RATE * (1 - number / ROUNDS)
        batches = []
        for listed in pairs.values():
            order = chance.permutation(len(listed))
            for start in range(0, len(order), BATCH):
                part = order[start : start + BATCH]
                if len(part) >= LEAST_BATCH:
                    batches.append([listed[place] for place in part])
        for place in chance.permutation(len(batches)):
            _step(held, batches[place], rate, chance)
    return held.table


def _step(held: Moved, batch: Sequence[Pair], rate: float, chance: np.random.Generator) -> None:
    width = len(held.table)
    first, second = (_mixed([_some(pair[side], chance) for pair in batch], width) for side in (0, 1))
    rows = np.unique(np.concatenate([first.indices, second.indices]))
    one, other = (sparse.csr_matrix(side[:, rows]) for side in (first, second))
    known = held.table[rows]
    (left, left_length), (right, right_length) = (_scaled(side @ known) for side in (one, other))
    found = np.asarray(SHARPNESS * left @ right.T, np.float32)
    slope = np.asarray((_share(found) + _share(found.T).T) / (2 * len(batch)), np.float32)
    slope[np.diag_indices(len(batch))] -= 1 / len(batch)
    slope *= SHARPNESS
    change = one.T @ _unscaled(slope @ right, left, left_length)
    change += other.T @ _unscaled(slope.T @ left, right, right_length)
    _moved(held, rows, change, rate)


def _some(pieces: Pieces, chance: np.random.Generator) -> Pieces:
    """A text without a quarter of its pieces; a short one is left whole."""
    if len(pieces) < 4:
        return pieces
    stays = chance.random(len(pieces)) >= LEFT_OUT
    return tuple(piece for piece, kept in zip(pieces, stays, strict=True) if kept) if stays.sum() > 1 else pieces


def _mixed(listed: Sequence[Pieces], width: int) -> sparse.csr_matrix:
    """The mean over the pieces of each text, as a matrix."""
    sizes = np.array([len(pieces) for pieces in listed])
    places = np.array([piece for pieces in listed for piece in pieces], np.int64)
    shares = np.repeat(1 / sizes, sizes).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return sparse.csr_matrix((shares, places, starts), shape=(len(listed), width))


def _scaled(vectors: Floats) -> tuple[Floats, Floats]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9
    return vectors / length, length


def _unscaled(slope: Floats, unit: Floats, length: Floats) -> Floats:
    """What a vector's slope was before it was scaled to length one."""
    return np.asarray((slope - (slope * unit).sum(axis=1, keepdims=True) * unit) / length, np.float32)


def _share(found: Floats) -> Floats:
    raised = np.exp(found - found.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


def _moved(held: Moved, rows: npt.NDArray[np.int32], change: Floats, rate: float) -> None:
    held.steps += 1
    held.mean[rows] = DECAYS[0] * held.mean[rows] + (1 - DECAYS[0]) * change
    held.spread[rows] = DECAYS[1] * held.spread[rows] + (1 - DECAYS[1]) * change**2
    mean = held.mean[rows] / (1 - DECAYS[0] ** held.steps)
    spread = held.spread[rows] / (1 - DECAYS[1] ** held.steps)
    held.table[rows] -= rate * mean / (np.sqrt(spread) + TINY)
