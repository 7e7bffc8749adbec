"""Names in posts: persons, organisations with their products and works, and places; English, and why each was read.

A linear chain over words: how a word is written, what stands beside it, lists of names and places, and what it means.
Sums are made for all words of a batch at once. Account names, links and hashtags are no names here: a post holds them
in columns of their own.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import regex

from talkworthy.analysis import words
from talkworthy.analysis.meaning import MEANING
from talkworthy.analysis.registry import Model, model

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint32]

NAME = "entities"
KINDS = ("person", "organisation", "place")
LABELS = ("O", *(f"{part}-{kind}" for kind in KINDS for part in "BI"))
HEIGHT = 1 << 18
LANGUAGES = frozenset({"en", "undecided"})
"""Posts of other languages are not read: nothing was learned from them."""
MOST_WORDS = 400
LISTS = ("given names", "family names", "places", "places of two words", "places of three words")

_TOKEN = regex.compile(
    r"(?:https?://|www\.)\S+|[@#][\w.\-]*\w|['’](?:s|m|d|t|re|ve|ll)\b|\p{L}\.(?:\p{L}\.)+"
    r"|[\p{L}\p{M}\p{N}]+(?:[&.\-_][\p{L}\p{M}\p{N}]+)*|[^\s\w]|_",
    regex.IGNORECASE,
)
_RUN = regex.compile(r"(\p{Lu}+)|(\p{Ll}+)|(\p{N}+)|(\p{L}+)|.", regex.DOTALL)
_ATTRIBUTES = 6  # a word: its form, its spelling, its first three letters, its last three, its last two, its lists
_BEFORE, _AFTER = np.uint32(words.word_hash("\x02first")), np.uint32(words.word_hash("\x03last"))
_LOOKS = (
    ("the word", ((0, 0), (0, 2), (0, 3), (0, 4))),
    ("how it is written", ((0, 1),)),
    ("lists of names", ((0, 5),)),
    ("the word before", ((-1, 0), (-1, 3))),
    ("the word after", ((1, 0), (1, 3))),
    ("how its neighbours are written", ((-1, 1), (1, 1), (-1, 5), (1, 5))),
    ("two words before and after", ((-2, 0), (2, 0))),
)
"""What is looked at, in groups: which word, counted from the one in question, and which attribute of it."""
_COMBINED = (
    "the word before",
    "the word after",
    "how its neighbours are written",
    "how it is written",
    "lists of names",
)
_NEIGHBOURS = (0, -1, 1)
GROUPS = (*(name for name, _ in _LOOKS), "what it means")


@dataclass(frozen=True)
class Entity:
    """A name as written, where it stands, what it names, how sure that is, and what spoke for it, strongest first."""

    text: str
    start: int
    end: int
    kind: str
    probability: float
    because: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Tagger:
    """The model's numbers: weights by place, of meaning by neighbour, of what follows what; and the hashed lists."""

    card: Model
    weights: Floats
    meaning: Floats
    follows: Floats
    lists: tuple[Numbers, ...]


@cache
def tagger() -> Tagger:
    """The shipped one."""
    card = model(NAME)
    held = card.arrays()
    weights = np.zeros((HEIGHT, len(LABELS)), np.float32)
    weights[np.cumsum(held["gaps"].astype(np.int64))] = held["weights"].astype(np.float32) * held["scale"]
    lists = tuple(held[f"list_{number}"] for number in range(len(LISTS)))
    return Tagger(card, weights, held["meaning"].astype(np.float32), held["follows"].astype(np.float32), lists)


def entities(texts: Sequence[str], *, sure: float | None = None) -> list[list[Entity]]:
    """The names in each text, in their order; those below `sure` (else the model's limit) are left out."""
    held = tagger()
    least = held.card.undecided_below if sure is None else sure
    found: list[list[Entity]] = []
    for at in range(0, len(texts), 256):
        some = texts[at : at + 256]
        written = [tokens(text) for text in some]
        seen = look([[word for word, _, _ in text] for text in written], held.lists)
        found += [
            [entity for entity in text if entity.probability >= least] for text in _read(some, written, seen, held)
        ]
    return found


def tokens(text: str) -> list[tuple[str, int, int]]:
    """Words and signs with where they stand; of a long text the first ones."""
    return [(match.group(), match.start(), match.end()) for match in _TOKEN.finditer(text)][:MOST_WORDS]


@dataclass(frozen=True)
class Looked:
    """What was seen of the words of some texts, all behind each other: `starts` says where each text begins.

    `places` (groups) of (words, features) in the table of weights; `vectors` of distinct words, `word` which is which.
    """

    starts: Places
    places: tuple[npt.NDArray[np.int32], ...]
    vectors: Floats
    word: Places


def look(texts: Sequence[Sequence[str]], lists: Sequence[Numbers]) -> Looked:
    """Features of each word from itself and its neighbours."""
    numbered: dict[str, int] = {}
    word = np.array([numbered.setdefault(word, len(numbered)) for text in texts for word in text], np.int64)
    sizes = np.array([len(text) for text in texts], np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    forms = list(numbered)
    of_words = _attributes(forms, lists)
    text_of = np.repeat(np.arange(len(texts)), sizes)
    held = of_words[word] if len(word) else np.zeros((0, _ATTRIBUTES), np.uint32)
    held[:, 5] += _in_lists(held[:, 0], text_of, lists)
    beside = {shift: _shifted(held, starts, text_of, shift) for shift in (-2, -1, 0, 1, 2)}
    found = [[_numbered(beside[shift][:, part], shift, part) for shift, part in looked] for _, looked in _LOOKS]
    names = [name for name, _ in _LOOKS]
    manner = _manner(forms, word, text_of, len(texts))
    first = np.zeros(len(word), np.uint32)
    first[starts[:-1][sizes > 0]] = 1
    combined = (
        words.pair_hashes(beside[-1][:, 0], beside[0][:, 1]),
        words.pair_hashes(beside[0][:, 1], beside[1][:, 0]),
        words.pair_hashes(words.pair_hashes(beside[-1][:, 1], beside[0][:, 1]), beside[1][:, 1]),
        words.pair_hashes(beside[0][:, 1], manner * np.uint32(2) + first),
        words.pair_hashes(beside[0][:, 1], beside[0][:, 5]),
    )
    for at, (name, numbers) in enumerate(zip(_COMBINED, combined, strict=True)):
        found[names.index(name)].append(_numbered(numbers, 9, at))
    placed = tuple((words.mixed(np.stack(group, axis=1)) & np.uint32(HEIGHT - 1)).astype(np.int32) for group in found)
    vectors = MEANING.vectors([form if form.isalnum() else "" for form in forms])
    return Looked(starts, placed, vectors, word)


def emissions(seen: Looked, weights: Floats, meaning: Floats) -> Floats:
    """What each group of features says for each label of each word: (groups, words, labels)."""
    found = np.zeros((len(GROUPS), len(seen.word), len(LABELS)), np.float32)
    for at, places in enumerate(seen.places):
        for column in range(places.shape[1]):
            found[at] += weights[places[:, column]]
    for at, shift in enumerate(_NEIGHBOURS):
        said = np.einsum("wd,dl->wl", seen.vectors, meaning[at])  # a word's sum does not depend on how many there are
        other, inside = neighbour(seen, shift)
        found[-1][inside] += said[seen.word[other[inside]]]
    return found


def neighbour(seen: Looked, shift: int) -> tuple[Places, npt.NDArray[np.bool_]]:
    """The place of each word's neighbour, and whether it has one in its text."""
    sizes = np.diff(seen.starts)
    at = np.arange(len(seen.word)) + shift
    first, last = np.repeat(seen.starts[:-1], sizes), np.repeat(seen.starts[1:], sizes)
    inside = (at >= first) & (at < last)
    return at, inside


def _read(
    texts: Sequence[str], written: Sequence[Sequence[tuple[str, int, int]]], seen: Looked, held: Tagger
) -> Iterator[list[Entity]]:
    said = emissions(seen, held.weights, held.meaning)
    labels, chances = decoded(said.sum(axis=0), seen.starts, held.follows)
    for at, text in enumerate(texts):
        start, end = int(seen.starts[at]), int(seen.starts[at + 1])
        label, chance, spoken = labels[start:end], chances[start:end], said[:, start:end]
        yield [
            Entity(
                text[written[at][first][1] : written[at][last - 1][2]],
                written[at][first][1],
                written[at][last - 1][2],
                kind,
                round(float(chance[first:last].min()), 4),
                _because(spoken[:, first:last], label[first:last]),
            )
            for first, last, kind in spans(label)
            if not any(word[0] in "@#" or "://" in word for word, _, _ in written[at][first:last])
        ]


def decoded(emission: Floats, starts: Places, follows: Floats) -> tuple[Places, Floats]:
    """The likeliest labels of each text, and the probability that each has at its place; texts take a step together."""
    label, chance = np.zeros(len(emission), np.int64), np.ones(len(emission), np.float32)
    sizes = np.diff(starts)
    order = np.argsort(-sizes, kind="stable")
    begins, sizes = starts[:-1][order], sizes[order]
    steps = [begins[: int((sizes > at).sum())] + at for at in range(int(sizes[0]) if len(sizes) else 0)]
    best, back = emission.copy(), np.zeros((len(emission), len(LABELS)), np.int64)
    forward, backward = emission.copy(), np.zeros_like(emission)
    for at, rows in enumerate(steps):
        if at == 0:
            best[rows] += follows[0]
            forward[rows] += follows[0]
            continue
        ways = best[rows - 1][:, :, None] + follows[1:]
        back[rows] = ways.argmax(axis=1)
        best[rows] += ways.max(axis=1)
        forward[rows] += np.logaddexp.reduce(forward[rows - 1][:, :, None] + follows[1:], axis=1)
    for rows in steps[:0:-1]:
        ahead = follows[1:] + (emission[rows] + backward[rows])[:, None, :]
        backward[rows - 1] = np.logaddexp.reduce(ahead, axis=2)
    ends = begins[sizes > 0] + sizes[sizes > 0] - 1
    label[ends] = best[ends].argmax(axis=1)
    for rows in steps[:0:-1]:
        label[rows - 1] = back[rows, label[rows]]
    if len(emission):
        found = forward + backward
        found -= np.logaddexp.reduce(found, axis=1)[:, None]
        chance = np.exp(found[np.arange(len(found)), label])
    return label, np.asarray(chance, np.float32)


def spans(label: Sequence[int] | Places) -> list[tuple[int, int, str]]:
    """Names as (first word, behind the last, kind); an inner part that follows another kind begins a name."""
    found: list[tuple[int, int, str]] = []
    for at, number in enumerate(label):
        part, _, kind = LABELS[int(number)].partition("-")
        if part == "I" and found and found[-1][1] == at and found[-1][2] == kind:
            found[-1] = (found[-1][0], at + 1, kind)
        elif part != "O":
            found.append((at, at + 1, kind))
    return found


def _because(said: Floats, label: Places) -> tuple[tuple[str, float], ...]:
    """The groups that speak most for a name's labels against being none."""
    rows = np.arange(said.shape[1])
    weight = (said[:, rows, label] - said[:, :, 0]).mean(axis=1)
    order = np.argsort(-weight, kind="stable")[:4]
    return tuple((GROUPS[at], round(float(weight[at]), 3)) for at in order if weight[at] > 0)


def _attributes(forms: Sequence[str], lists: Sequence[Numbers]) -> Numbers:
    """Numbers of each distinct word's attributes."""
    found = np.zeros((max(len(forms), 1), _ATTRIBUTES), np.uint32)
    for row, form in enumerate(forms):
        low = form.lower()
        if form[0] == "@":
            low = "@"
        elif "://" in form or low.startswith("www."):
            low = "http"
        elif form.isdigit():
            low = "0" * len(form)
        found[row, :5] = [words.word_hash(part) for part in (low, spelling(form), low[:3], low[-3:], low[-2:])]
    for number, held in enumerate(lists[:3]):
        found[:, 5] += np.isin(found[:, 0], held).astype(np.uint32) << np.uint32(number)
    return found


def spelling(form: str) -> str:
    """How a word is written: runs of capitals, small letters, digits and signs, and whether it is short."""
    if form[0] in "@#" and len(form) > 1:
        return form[0]
    kinds = "".join(
        "Xx0l-"[(match.lastindex or 5) - 1] + ("+" if len(match.group()) > 1 else "") for match in _RUN.finditer(form)
    )
    return kinds[:8]


def _in_lists(forms: Numbers, text_of: Places, lists: Sequence[Numbers]) -> Numbers:
    """Bits for words inside a place of two or three words."""
    found = np.zeros(len(forms), np.uint32)
    if len(forms) < 2:
        return found
    pair = words.pair_hashes(forms[:-1], forms[1:])
    two = np.flatnonzero(np.isin(pair, lists[3]) & (text_of[:-1] == text_of[1:]))
    found[two] |= np.uint32(8)
    found[two + 1] |= np.uint32(16)
    if len(forms) > 2:
        three = np.flatnonzero(
            np.isin(words.pair_hashes(pair[:-1], forms[2:]), lists[4]) & (text_of[:-2] == text_of[2:])
        )
        found[three] |= np.uint32(8)
        found[three + 1] |= np.uint32(16)
        found[three + 2] |= np.uint32(16)
    return found


def _shifted(held: Numbers, starts: Places, text_of: Places, shift: int) -> Numbers:
    at = np.arange(len(held)) + shift
    inside = (at >= 0) & (at < len(held))
    inside[inside] &= text_of[at[inside]] == text_of[inside]
    found = np.full_like(held, _BEFORE if shift < 0 else _AFTER)
    found[inside] = held[at[inside]]
    return found


def _numbered(numbers: Numbers, shift: int, part: int) -> Numbers:
    return numbers * np.uint32(0x9E3779B1) + np.uint32((shift + 16) * 64 + part)


def _manner(forms: Sequence[str], word: Places, text_of: Places, texts: int) -> Numbers:
    """How a whole text is written: no capitals, some, or nearly all words with one; they say less then."""
    lettered = np.array([form[0].isalpha() for form in forms] or [False])
    raised = np.array([form[0].isupper() for form in forms] or [False])
    many = np.bincount(text_of, lettered[word], texts)
    high = np.bincount(text_of, raised[word], texts)
    share = high / np.maximum(many, 1)
    return (np.where(high == 0, 0, np.where(share > 0.6, 2, 1)).astype(np.uint32))[text_of]
