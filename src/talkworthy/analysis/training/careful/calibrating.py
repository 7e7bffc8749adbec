"""Make a careful head of what was trained: how much the network and the fast head count, and from where "yes" is said.

All of it is chosen on rows that neither of the two was fitted to, and measured on others.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from talkworthy.analysis.careful import odds
from talkworthy.analysis.scoring import probabilities
from talkworthy.analysis.training.fitting import balanced
from talkworthy.analysis.training.heads import best_threshold
from talkworthy.analysis.training.tasks import Task

Floats = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

# A task that learned from rules has no rows that could say how much its parts count, nor how often rules are silent:
# own share, that of the fast head (which says about half of what it believes), and shift (the whole number that finds
# most feature requests among reports).
BY_HAND = {"suggestion": (0.5, 0.93, 1.0)}
EVEN = ("sentiment",)
PULL = 2e-3  # how strongly an unusual share is held back, for tasks with few rows


@dataclass(frozen=True)
class Blend:
    """Raw outputs are `own` times the network's, `fast` times the fast head's odds, and `shift`."""

    own: float
    fast: float
    shift: Floats

    def chances(self, raw: Floats, said: Floats) -> Floats:
        """Probabilities."""
        return probabilities((raw * self.own + odds(said) * self.fast + self.shift).astype(np.float32))


def blended(task: Task, raw: Floats, said: Floats, answers: Floats, counts: Floats) -> Blend:
    """The blend under which the answers are likeliest; where `EVEN`, every answer counts the same in all.

    `counts` is how much each row counts.
    """
    if task.name in BY_HAND:
        own, fast, shift = BY_HAND[task.name]
        return Blend(own, fast, np.full(raw.shape[1], shift, np.float32))
    weights = counts * balanced(answers) if task.name in EVEN else counts
    known = odds(said)

    def loss(found: npt.NDArray[np.float64]) -> float:
        mixed = raw * found[0] + known * found[1] + found[2:]
        safe = np.clip(probabilities(mixed.astype(np.float32)), 1e-6, 1 - 1e-6)
        miss = -answers * np.log(safe)
        if raw.shape[1] == 1:
            miss = miss - (1 - answers) * np.log(1 - safe)
        held_back = PULL * float(((found[:2] - 0.5) ** 2).sum() + (found[2:] ** 2).sum())
        return float((miss.sum(axis=1) * weights).sum() / weights.sum()) + held_back

    start = np.concatenate([[0.5, 0.5], np.zeros(raw.shape[1])])
    bounds = [(0.05, 2.0), (0.0, 2.0), *([(-3.0, 3.0)] * raw.shape[1])]
    found = minimize(loss, start, method="Powell", bounds=bounds, options={"xtol": 1e-3, "ftol": 1e-6}).x
    return Blend(float(found[0]), float(found[1]), found[2:].astype(np.float32))


def threshold_of(task: Task, chances: Floats) -> float:
    """From which probability on a yes-or-no head says yes: where its own probabilities promise the best F1.

    They are calibrated by then, and say more of where to cut than a few answers do.
    """
    if len(task.labels) > 1:
        return 0.0
    return 0.5 if task.name in BY_HAND else best_threshold(chances[:, 0], chances[:, 0], both=task.both)


def arrays_of(weights: Floats, bias: Floats, blend: Blend) -> Arrays:
    """A head's file: the blend folded in. `weights` is (outputs, width)."""
    return {
        "weights": (weights.T * blend.own).astype(np.float16),
        "bias": (bias * blend.own + blend.shift).astype(np.float32),
        "fast": np.array([blend.fast], np.float32),
    }
