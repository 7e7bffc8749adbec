"""Which language a post is written in, or "undecided".

A script that one language alone uses decides; else naive Bayes over words and runs of one to five letters, each
length with its own weight, its probability tempered by how much text there was. Links, names, hashtags, digits and
signs are not read, nor what stands behind the first 160 characters. Below ten letters, or below the model's stated
probability, the answer is "undecided".
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import regex
from scipy import sparse

from talkworthy.analysis.letter_runs import FAMILIES, LetterRuns, letter_runs
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import Weighed, full_texts

Floats = npt.NDArray[np.float32]

NAME = "language"
UNDECIDED = "undecided"
FEWEST_LETTERS = 10
STEP = 1 / 16
_TOGETHER = 1024  # texts read at once: their numbers stay in the processor's memory

ONE_LANGUAGE = {
    "Hangul": "ko",
    "Hiragana": "ja",
    "Katakana": "ja",
    "Thai": "th",
    "Greek": "el",
    "Armenian": "hy",
    "Georgian": "ka",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Sinhala": "si",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Khmer": "km",
    "Lao": "lo",
    "Myanmar": "my",
    "Tibetan": "bo",
    "Oriya": "or",
    "Thaana": "dv",
    "Cherokee": "chr",
}
CODES = {
    "acehnese": "ace",
    "amh": "am",
    "arq": "ar",
    "ary": "ar",
    "balinese": "ban",
    "banjarese": "bjn",
    "btk": "bbc",
    "buginese": "bug",
    "eng": "en",
    "english": "en",
    "hau": "ha",
    "ibo": "ig",
    "in": "id",
    "ind": "id",
    "indonesian": "id",
    "iw": "he",
    "jav": "jv",
    "javanese": "jv",
    "jw": "jv",
    "kin": "rw",
    "madurese": "mad",
    "minangkabau": "min",
    "ngaju": "nij",
    "no": "nb",
    "orm": "om",
    "por": "pt",
    "pt-mz": "pt",
    "ptmz": "pt",
    "sun": "su",
    "sundanese": "su",
    "swa": "sw",
    "tir": "ti",
    "toba_batak": "bbc",
    "tso": "ts",
    "twi": "tw",
    "yor": "yo",
}
"""Other codes and names that labelled sets use, as the codes of this model."""

LIKE_LARGER = {"pcm": "en"}
"""Languages that a few words of a much larger one look like: casual English was taken for Nigerian Pidgin."""
SURE_OF_SMALLER = 0.62
"""Of 5,000 English tweets 52 were called Pidgin, with this 12; of 1,021 in Pidgin 968, with this 922."""

LEANS, MOST_LEANING, LEAST_LEANING, OTHERWISE = 0.5, 3.0, -1.0, 0.25
"""How much of what a source usually speaks counts beside the words of a post, in natural-log units how far it moves an
answer at most to either side, and which share of the source is taken to speak anything at all."""

SAID_ALONE = 0.75
"""Words that say less than this part of the least probability by themselves are undecided, whoever speaks."""

_SCRIPTS = (*ONE_LANGUAGE, "Han")
_HAN = _SCRIPTS.index("Han")
_KANA = [_SCRIPTS.index("Hiragana"), _SCRIPTS.index("Katakana")]
_UNREAD = regex.compile(r"https?://\S+|www\.\S+|[@#][\w.\-]+")
_WORD = regex.compile(r"[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*")


@dataclass(frozen=True)
class Temper:
    """What turns sums into probabilities: weights of the families of runs and of the prior, a power of the length."""

    families: Floats
    prior: float
    power: float


@dataclass(frozen=True)
class Tables:
    """The model's numbers: `gains` (places, languages) in steps, `floor` and `prior` by language, the temper.

    Gains fit a byte, but are held as wide as the sum of 160 of them: so they are added without being converted.
    """

    languages: tuple[str, ...]
    gains: npt.NDArray[np.uint16]
    floor: Floats
    prior: Floats
    temper: Temper
    undecided_below: float


@cache
def tables() -> Tables:
    """The shipped tables."""
    card = model(NAME)
    held = card.arrays()
    weights = held["temper"].astype(np.float32)
    temper = Temper(weights[: len(FAMILIES)], *(float(part) for part in weights[len(FAMILIES) :]))
    gains = np.zeros((int(held["height"][0]), len(card.labels)), np.uint16)
    gains.ravel()[np.cumsum(held["gaps"].astype(np.int64))] = held["gains"]
    return Tables(card.labels, gains, held["floor"], held["prior"], temper, card.undecided_below)


def counted(runs: LetterRuns, family: int, height: int) -> sparse.csr_matrix:
    """How often each text holds a run of the family, by place."""
    places = runs.places(family, height)
    ones = np.ones(len(places), np.uint16)
    return sparse.csr_matrix((ones, places, runs.starts[family]), shape=(len(runs.letters), height))


def sums(runs: LetterRuns, held: Tables) -> Floats:
    """What each family adds up to for each language: (families, texts, languages), in natural-log units."""
    found = np.empty((len(FAMILIES), len(runs.letters), len(held.languages)), np.float32)
    for family in range(len(FAMILIES)):
        many = np.diff(runs.starts[family]).astype(np.float32)
        found[family] = counted(runs, family, len(held.gains)) @ held.gains
        found[family] *= np.float32(STEP)
        found[family] += many[:, None] * held.floor
    return found


def probabilities(added: Floats, many: Floats, held: Tables) -> Floats:
    """Probability of each language by its runs alone, from their sums and how many there are; all alike without any."""
    score = np.tensordot(held.temper.families, added, axes=1) + np.float32(held.temper.prior) * held.prior
    score = (score - score.max(axis=1, keepdims=True)) / np.maximum(many, 1)[:, None] ** np.float32(held.temper.power)
    grown = np.exp(score)
    return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)


def leaning(shares: Mapping[str, float], languages: Sequence[str]) -> Floats:
    """What a source's usual languages say beforehand of each language, in natural-log units; of none, nothing."""
    if not shares:
        return np.zeros(len(languages), np.float32)
    held = np.array([shares.get(language, 0.0) for language in languages], np.float32)
    expected = held * (1 - OTHERWISE) * len(languages) + OTHERWISE
    return np.asarray(np.clip(LEANS * np.log(expected), LEAST_LEANING, MOST_LEANING), np.float32)


def leaned(chances: Floats, leanings: Floats) -> Floats:
    """Probabilities with what was known beforehand."""
    grown = np.asarray(chances * np.exp(leanings), np.float32)
    return np.asarray(grown / np.maximum(grown.sum(axis=1, keepdims=True), 1e-30), np.float32)


class Detector:
    """Reads languages of many texts at once, and remembers nothing of them."""

    def __init__(self, held: Tables) -> None:
        self.tables = held

    def best(
        self, texts: Sequence[str], *, sure: float | None = None, leanings: Floats | None = None
    ) -> list[tuple[str, float, bool]]:
        """Best guess, its probability, and whether it is sure enough to be given, for each text.

        `sure` is the least probability that is given, where it is another than the model's own. `leanings`: what is
        known beforehand of each text, see `leaning`.
        """
        least = self.tables.undecided_below if sure is None else sure
        found: list[tuple[str, float, bool]] = []
        for at in range(0, len(texts), _TOGETHER):
            beforehand = None if leanings is None else leanings[at : at + _TOGETHER]
            found += self._best(texts[at : at + _TOGETHER], least, beforehand)
        return found

    def _best(self, texts: Sequence[str], least: float, leanings: Floats | None) -> Iterator[tuple[str, float, bool]]:
        runs = letter_runs(texts, _SCRIPTS)
        many = np.asarray(np.sum([np.diff(starts) for starts in runs.starts], axis=0), np.float32)
        chances = self._settled(probabilities(sums(runs, self.tables), many, self.tables))
        alone = chances.max(axis=1)
        if leanings is not None:
            chances = leaned(chances, leanings)
        first = chances.argmax(axis=1)
        top = chances[np.arange(len(first)), first]
        han = runs.scripts[:, _HAN]
        one = runs.scripts[:, :_HAN]
        strongest = one.argmax(axis=1)
        written = runs.letters
        besides = np.where(runs.scripts[:, _KANA].any(axis=1), han, 0)  # Japanese is written with Han, too
        told = one.sum(axis=1) * 2 > written - besides
        told &= one[np.arange(len(first)), strongest] > 0
        given = (top >= least) & (alone >= least * SAID_ALONE) & ((written >= FEWEST_LETTERS) | (han * 2 > written))
        for row in range(len(first)):
            if told[row]:
                yield ONE_LANGUAGE[_SCRIPTS[strongest[row]]], 0.99, True
            elif written[row] == 0:
                yield UNDECIDED, 0.0, False
            else:
                yield self.tables.languages[first[row]], round(float(top[row]), 4), bool(given[row])

    def _settled(self, chances: Floats) -> Floats:
        """Half-hearted guesses of a small language given to the large one that it is written like."""
        for small, large in LIKE_LARGER.items():
            if small in self.tables.languages and large in self.tables.languages:
                of, to = self.tables.languages.index(small), self.tables.languages.index(large)
                doubtful = chances[:, of] < SURE_OF_SMALLER
                chances[doubtful, to] += chances[doubtful, of]
                chances[doubtful, of] = 0
        return chances


@cache
def detector() -> Detector:
    """The one detector of this process."""
    return Detector(tables())


class Language:
    """Fills `detected_language` and `language_probability`."""

    name = "language"
    requires = ("title", "text")
    assigns = ("detected_language", "language_probability")

    def __init__(self, *, sure: float | None = None, spoken: Mapping[str, Mapping[str, float]] | None = None) -> None:
        """`spoken`: the share of each language in what a source brought, by the source's key."""
        self.sure = sure
        held = detector().tables.languages if spoken else ()
        self.leanings = {source: leaning(shares, held) for source, shares in (spoken or {}).items()}

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with both columns; probability is that of the best guess, also where it is not given."""
        found = detector().best(full_texts(batch), sure=self.sure, leanings=self._beforehand(batch))
        batch = batch.append_column(
            self.assigns[0], pa.array([guess if sure else UNDECIDED for guess, _, sure in found], pa.string())
        )
        return batch.append_column(self.assigns[1], pa.array([chance for _, chance, _ in found], pa.float32()))

    def _beforehand(self, batch: pa.RecordBatch) -> Floats | None:
        if not self.leanings or "source" not in batch.schema.names:
            return None
        nothing = np.zeros(len(detector().tables.languages), np.float32)
        return np.stack([self.leanings.get(source, nothing) for source in batch["source"].to_pylist()] or [nothing])


def evidence(text: str, language: str) -> list[Weighed]:
    """What each word speaks for a language against the mean of all, in natural-log units."""
    held = tables()
    if language not in held.languages:
        return []
    chosen = held.languages.index(language)
    found = list(_WORD.finditer(_UNREAD.sub(lambda cut: " " * len(cut.group()), text)))
    added = sums(letter_runs([match.group() for match in found] or [""]), held)
    weighed = np.tensordot(held.temper.families, added, axes=1)
    said = weighed[:, chosen] - weighed.mean(axis=1)
    return [
        Weighed(match.group(), match.start(), match.end(), float(weight))
        for match, weight in zip(found, said, strict=False)
    ]
