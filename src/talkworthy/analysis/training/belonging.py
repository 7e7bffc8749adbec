"""What a few examples can tell: fit the probability on the intents of one set, measure it on those of another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from talkworthy.analysis import belonging, evaluation
from talkworthy.analysis.belonging import MOST_OTHERS, Looked, Ridge
from talkworthy.analysis.training.cards import card_of
from talkworthy.analysis.training.sets import Row, labelled

Floats = npt.NDArray[np.float32]

COUNTS = (3, 5, 10, 20)
ASKED = 1_500
"""Texts of other intents that each intent's examples are asked about."""
PENALTY = 1e-3
SOURCES = ("CLINC150: 150 intents in ten domains (CC BY 3.0), its training part; measured on BANKING77 (CC BY 4.0)",)
FAILURES = (
    "English, as far as meaning goes; other languages by their words alone. Matters told apart by a negation or by "
    "word order. The probability holds where about one post in a hundred belongs; posts that are unlike all examples "
    "are missed until one of their kind is marked."
)


@dataclass(frozen=True)
class Asked:
    """One touchpoint of a trial, as places among the texts: its examples, other posts, and what is asked."""

    belong: list[int]
    others: list[int]
    asked: list[int]
    truth: npt.NDArray[np.bool_]

    def looks(self, seen: Looked) -> Floats:
        """What the probability of each text asked is made of."""
        ridge = Ridge(seen.taken([*self.belong, *self.others]), belong=len(self.belong), refused=0)
        return ridge.looks(seen.taken(self.asked).beside(ridge.seen))


def trials(rows: Sequence[Row], count: int) -> Iterator[Asked]:
    """For each label as many examples as told, dealt by a hash, posts at large, and texts besides to be judged.

    Some of the posts at large belong, as in the product: nobody has looked at them. None of them is judged.
    """
    labels = sorted({row.label for row in rows if row.label != "oos"})
    dealt = sorted(range(len(rows)), key=lambda place: crc32(f"{count}\0{rows[place].text}".encode()))
    others, free = dealt[:MOST_OTHERS], dealt[MOST_OTHERS:]
    for label in labels:
        mine = [place for place in free if rows[place].label == label]
        rest = [place for place in free if rows[place].label != label]
        share = max(10, ASKED // len(labels))
        asked = mine[count : count + share] + rest[:ASKED]
        yield Asked(mine[:count], others, asked, np.array([rows[place].label == label for place in asked]))


def train(data: Path, *, version: str = "1.0.0") -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The card and the weights."""
    rows = labelled(data, "clinc150/train.jsonl.gz")
    seen = Looked.at([row.text for row in rows])
    asked = [held for count in COUNTS for held in trials(rows, count)]
    looks = np.concatenate([held.looks(seen) for held in asked])
    weights, threshold, unsure = fitted(looks, np.concatenate([held.truth for held in asked]))
    card = card_of(
        belonging.NAME,
        version,
        "Whether a post belongs to a touchpoint of which a person marked a few examples.",
        SOURCES,
        FAILURES,
        labels=("belongs",),
        scores=measured(labelled(data, "banking77/train.jsonl.gz"), weights, threshold, unsure),
        threshold=round(threshold, 3),
        undecided_below=round(unsure, 3),
    )
    return card, {"weights": weights}


def fitted(looks: Floats, truth: npt.NDArray[np.bool_]) -> tuple[Floats, float, float]:
    """Weights of a logistic regression, the probability with the best F1, and the one below which the answer is no."""
    side = np.where(truth, 1.0, -1.0)

    def loss(weights: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margin = side * (looks @ weights)
        lost = float(np.logaddexp(0, -margin).mean()) + PENALTY / 2 * float(weights @ weights)
        return lost, -(looks.T @ (side / (1 + np.exp(np.clip(margin, -30, 30))))) / len(side) + PENALTY * weights

    weights = minimize(loss, np.zeros(looks.shape[1]), jac=True, method="L-BFGS-B").x.astype(np.float32)
    chance = 1 / (1 + np.exp(-(looks @ weights)))
    limits = np.linspace(0.05, 0.9, 86)
    best = max(limits.tolist(), key=lambda limit: _f1(truth, chance >= limit))
    return weights, best, best / 3


def measured(rows: Sequence[Row], weights: Floats, threshold: float, unsure: float) -> list[dict[str, Any]]:
    """F1 over all touchpoints together, for each number of examples; n is how many texts were judged."""
    seen = Looked.at([row.text for row in rows])
    found = []
    for count in COUNTS:
        asked = list(trials(rows, count))
        chances = [1 / (1 + np.exp(-(held.looks(seen) @ weights))) for held in asked]
        chance, truth = np.concatenate(chances), np.concatenate([held.truth for held in asked])
        said = chance >= threshold
        figures = {
            "F1": _f1(truth, said),
            "precision": float((truth & said).sum() / max(said.sum(), 1)),
            "recall": float((truth & said).sum() / truth.sum()),
            "decided": float((said | (chance < unsure)).mean()),
            "calibration error": evaluation.calibration_error(truth == (chance >= 0.5), np.maximum(chance, 1 - chance)),
        }
        found += [
            {
                "data": f"BANKING77, {len(asked)} intents, {count} examples each",
                "measure": name,
                "value": round(100 * value, 1),
                "n": len(truth),
            }
            for name, value in figures.items()
        ]
    return found


def _f1(truth: npt.NDArray[np.bool_], said: npt.NDArray[np.bool_]) -> float:
    both = int((truth & said).sum())
    return 2 * both / max(int(truth.sum() + said.sum()), 1)
