"""The weights of `similar`: logistic regression on pairs of questions that people judged."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from talkworthy.analysis.evaluation import auc, calibration_error
from talkworthy.analysis.labelled import related_pairs, rows_of
from talkworthy.analysis.similarity import LOOKS, NAME, Collection

FOLDER = "related_questions_qatarliving"
STRENGTH = 1.0
SOURCE = "SemEval-2016 task 3, related questions of Qatar Living, training part (repository MIT; weights only)"

FAILURES = (
    "Matters that share no word and no meaning that the table of word pieces knows; languages other than English where"
    " no word is shared; the probability holds for pairs that a search brought together, not for the best of thousands."
)


def train(data: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Card and weights; each pair is seen with the subjects of both questions and without."""
    seen = [_looks(data / FOLDER / "train.csv.gz", subjects=subjects) for subjects in (True, False)]
    weights = fitted(np.concatenate([looks for looks, _ in seen]), np.concatenate([alike for _, alike in seen]))
    scores = []
    for what, subjects in (("question beside question", False), ("with the subjects of both", True)):
        looks, alike = _looks(data / FOLDER / "val.csv.gz", subjects=subjects)
        chances = 1 / (1 + np.exp(-(looks @ weights[:-1] + weights[-1])))
        right = (chances >= 0.5) == alike
        figures = {
            "AUC": auc(alike, chances),
            "calibration error": calibration_error(right, np.maximum(chances, 1 - chances)),
        }
        scores += [
            {
                "data": f"{FOLDER}, validation, {what}",
                "measure": name,
                "value": round(100 * float(value or 0), 1),
                "n": len(alike),
            }
            for name, value in figures.items()
        ]
    card = {
        "name": NAME,
        "purpose": "Whether two texts speak of the same matter, in the same words or in others.",
        "sources": (SOURCE,),
        "failures": FAILURES,
        "scores": scores,
    }
    return card, {"weights": weights.astype(np.float32)}


def _looks(path: Path, *, subjects: bool) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    first, second, alike = related_pairs(list(rows_of(path)), subjects=subjects)
    places = {text: place for place, text in enumerate(dict.fromkeys([*first, *second]))}
    looks = Collection(list(places)).looks([places[text] for text in first], [places[text] for text in second])
    return looks, np.array(alike)


def fitted(looks: npt.NDArray[np.float32], alike: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Weights and, last, the constant: Newton's method, ridge on the weights alone."""
    design = np.hstack([looks, np.ones((len(looks), 1))]).astype(np.float64)
    ridge = np.diag([STRENGTH] * len(LOOKS) + [0.0])
    weights = np.zeros(design.shape[1])
    for _step in range(25):
        chances = 1 / (1 + np.exp(-(design @ weights)))
        slope = design.T @ (alike - chances) - ridge @ weights
        curve = (design * (chances * (1 - chances))[:, None]).T @ design + ridge
        weights = weights + np.linalg.solve(curve, slope)
    return weights
