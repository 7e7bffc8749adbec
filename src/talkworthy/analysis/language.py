"""Which language a post is written in, or "undecided".

A script that one language alone uses decides; else naive Bayes over words and runs of one to five letters,
its probability tempered by how much text there was. Links, names, hashtags, digits and signs are not read.
Below ten letters, or below the model's stated probability, the answer is "undecided".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import regex

from talkworthy.analysis import reading, words
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import Weighed, full_texts

Floats = npt.NDArray[np.float32]

NAME = "language"
UNDECIDED = "undecided"
FEWEST_LETTERS = 10
LETTER_RUNS = (1, 2, 3, 4, 5)
STEP = 1 / 16
MOST_REMEMBERED = 80_000

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

_SCRIPTS = tuple(ONE_LANGUAGE)
_UNREAD = regex.compile(r"https?://\S+|www\.\S+|[@#][\w.\-]+|^https?$")
_UNREAD_WORDS = frozenset({"http", "https"})
_ENDING = "!?.,;:"
_LETTERS = regex.compile(r"[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*")
_SCRIPT = regex.compile("|".join(rf"(\p{{Script={script}}})" for script in _SCRIPTS))
_HAN = regex.compile(r"\p{Script=Han}")


@dataclass(frozen=True)
class Tables:
    """The model's numbers: `gains` (places, languages) in steps, `floor` and `prior` by language, the temper."""

    languages: tuple[str, ...]
    gains: npt.NDArray[np.uint8]
    floor: Floats
    prior: Floats
    temper: tuple[float, float]
    undecided_below: float


@cache
def tables() -> Tables:
    """The shipped tables."""
    card = model(NAME)
    held = card.arrays()
    scale, power = (float(part) for part in held["temper"])
    gains = np.zeros((int(held["height"][0]), len(card.labels)), np.uint8)
    gains.ravel()[np.cumsum(held["gaps"].astype(np.int64))] = held["gains"]
    return Tables(card.labels, gains, held["floor"], held["prior"], (scale, power), card.undecided_below)


def letters(piece: str) -> list[str]:
    """The words of a piece that tell a language, in lower case."""
    if len(piece) <= words.LONGEST_PIECE and piece.isascii():
        core = piece.rstrip(_ENDING)
        if core.isalpha():  # most pieces: one word, and perhaps signs behind it
            return [] if piece in _UNREAD_WORDS else [core.lower()]
    return read_letters(piece)


def read_letters(piece: str) -> list[str]:
    """As `letters`, by the expressions alone; a test holds the two together."""
    return [found.lower() for found in _LETTERS.findall(_UNREAD.sub(" ", piece[: words.LONGEST_PIECE]))]


def places_of(forms: Sequence[str], height: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Places in the table for each form's letter runs and for the whole form, and which form each belongs to."""
    short = [form[: reading.LONGEST_WORD] for form in forms]
    gram, owner = words.character_grams(short, LETTER_RUNS)
    whole = words.mixed(np.fromiter((words.word_hash(form) for form in short), np.uint32, len(short)))
    every = np.concatenate([gram, whole]) & np.uint32(height - 1)
    return every.astype(np.int64), np.concatenate([owner, np.arange(len(short))])


class Detector:
    """Reads languages; remembers what each piece adds, so it holds some memory and no state that shows."""

    def __init__(self, held: Tables) -> None:
        self.tables = held
        self._lock = Lock()
        self._forget()

    def _forget(self) -> None:
        self._rows: dict[str, int] = {}
        # columns: languages, features, letters, Han letters, then one per script of one language
        self._sums = np.zeros((4096, len(self.tables.languages) + 3 + len(_SCRIPTS)), np.float32)

    def _learn(self, fresh: Sequence[str]) -> None:
        known = len(self._rows) - len(fresh)
        while len(self._sums) < len(self._rows):
            self._sums = np.concatenate([self._sums, np.zeros_like(self._sums)])
        count = len(self.tables.languages)
        forms: list[str] = []
        rows: list[int] = []
        written = np.zeros(len(fresh), np.float32)
        for at, piece in enumerate(fresh):
            found = letters(piece)
            if not found:
                continue
            forms += found
            rows += [known + at] * len(found)
            whole = "".join(found)
            written[at] = len(whole)
            if not whole.isascii():
                self._sums[known + at, count + 2] = len(_HAN.findall(whole))
                for match in _SCRIPT.finditer(whole):
                    self._sums[known + at, count + 3 + (match.lastindex or 1) - 1] += 1
        self._sums[known : len(self._rows), count + 1] = written
        if not forms:
            return
        place, owner = places_of(forms, len(self.tables.gains))
        target = np.array(rows)[owner]
        order = np.argsort(target, kind="stable")
        target, place = target[order], place[order]
        starts = np.flatnonzero(np.concatenate([[True], target[1:] != target[:-1]]))
        for begin in range(0, len(starts), 512):  # a few hundred pieces at a time bound the memory
            chosen = starts[begin : begin + 512]
            end = starts[begin + 512] if begin + 512 < len(starts) else len(place)
            gathered = self.tables.gains[place[chosen[0] : end]]
            self._sums[target[chosen], :count] = np.add.reduceat(gathered, chosen - chosen[0], axis=0, dtype=np.float32)
        self._sums[known : len(self._rows), count] = np.bincount(target - known, minlength=len(fresh))

    def sums(self, texts: Sequence[str]) -> Floats:
        """Added-up columns of each text's pieces (see `_forget`); threads take turns."""
        with self._lock:
            return self._added_up(texts)

    def _added_up(self, texts: Sequence[str]) -> Floats:
        if len(self._rows) > MOST_REMEMBERED:
            self._forget()
        fresh: list[str] = []
        layout = reading.lay_out(texts, self._rows, fresh)
        if fresh:
            self._learn(fresh)
        return np.asarray(reading.summed(layout.ids, layout.starts, len(self._sums)) @ self._sums, np.float32)

    def probabilities(self, sums: Floats) -> Floats:
        """Probability of each language by letters alone; without letters all are alike."""
        count = len(self.tables.languages)
        many = np.maximum(sums[:, count : count + 1], 1)
        score = sums[:, :count] * np.float32(STEP) + sums[:, count : count + 1] * self.tables.floor + self.tables.prior
        scale, power = self.tables.temper
        score = (score - score.max(axis=1, keepdims=True)) * np.float32(scale) / many**power
        grown = np.exp(score)
        return np.asarray(grown / grown.sum(axis=1, keepdims=True), np.float32)

    def _settled(self, chances: Floats) -> Floats:
        """Half-hearted guesses of a small language given to the large one that it is written like."""
        for small, large in LIKE_LARGER.items():
            if small in self.tables.languages and large in self.tables.languages:
                of, to = self.tables.languages.index(small), self.tables.languages.index(large)
                doubtful = chances[:, of] < SURE_OF_SMALLER
                chances[doubtful, to] += chances[doubtful, of]
                chances[doubtful, of] = 0
        return chances

    def best(self, texts: Sequence[str], *, sure: float | None = None) -> list[tuple[str, float, bool]]:
        """Best guess, its probability, and whether it is sure enough to be given, for each text.

        `sure` is the least probability that is given, where it is another than the model's own.
        """
        least = self.tables.undecided_below if sure is None else sure
        sums = self.sums(texts)
        chances = self._settled(self.probabilities(sums))
        count = len(self.tables.languages)
        first = chances.argmax(axis=1)
        top = chances[np.arange(len(first)), first]
        scripts = sums[:, count + 3 :]
        written = sums[:, count + 1]
        told = scripts.sum(axis=1) * 2 > written - np.where(scripts[:, 1] + scripts[:, 2] > 0, sums[:, count + 2], 0)
        strongest = scripts.argmax(axis=1)
        enough = (written >= FEWEST_LETTERS) & (top >= least)
        found = []
        for row in range(len(first)):
            if told[row] and scripts[row, strongest[row]] > 0:
                found.append((ONE_LANGUAGE[_SCRIPTS[strongest[row]]], 0.99, True))
            elif written[row] == 0:
                found.append((UNDECIDED, 0.0, False))
            else:
                han = sums[row, count + 2] * 2 > written[row]
                given = bool(enough[row]) or (han and bool(top[row] >= least))
                found.append((self.tables.languages[first[row]], round(float(top[row]), 4), given))
        return found


@cache
def detector() -> Detector:
    """The one detector of this process."""
    return Detector(tables())


class Language:
    """Fills `detected_language` and `language_probability`."""

    name = "language"
    requires = ("title", "text")
    assigns = ("detected_language", "language_probability")

    def __init__(self, *, sure: float | None = None) -> None:
        self.sure = sure

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with both columns; probability is that of the best guess, also where it is not given."""
        found = detector().best(full_texts(batch), sure=self.sure)
        batch = batch.append_column(
            self.assigns[0], pa.array([guess if sure else UNDECIDED for guess, _, sure in found], pa.string())
        )
        return batch.append_column(self.assigns[1], pa.array([chance for _, chance, _ in found], pa.float32()))


def evidence(text: str, language: str) -> list[Weighed]:
    """What each word speaks for a language against the mean of all, in natural-log units."""
    held = tables()
    if language not in held.languages:
        return []
    chosen = held.languages.index(language)
    found = []
    for match in _LETTERS.finditer(_UNREAD.sub(lambda cut: " " * len(cut.group()), text)):
        place, _ = places_of([match.group().lower()], len(held.gains))
        gains = held.gains[place].astype(np.float32).sum(axis=0) * STEP + len(place) * held.floor
        found.append(Weighed(match.group(), match.start(), match.end(), float(gains[chosen] - gains.mean())))
    return found
