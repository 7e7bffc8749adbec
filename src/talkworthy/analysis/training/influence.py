"""Learn from judged pairs of accounts how much each count says of influence.

A Bradley-Terry model in the logarithms of counts. Beside what counts tell, each account of the pairs has a height of
its own, drawn towards 0: judges knew some of the people, and without it one well-known account that stands in many
pairs would bend the weights of all. Only the weights are kept. Everything is measured on pairs whose both accounts were
never seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from talkworthy.analysis import evaluation
from talkworthy.analysis.influence import COUNTS, NAME
from talkworthy.analysis.labelled import rows_of
from talkworthy.analysis.training.cards import card_of

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

WEIGHT_PENALTY = 20.0
HEIGHT_PENALTY = 0.6
SPLITS = 60
SEEN = 0.7
ROUNDS = 15
SOURCES = ("pairs of Twitter accounts judged by people, PeerIndex 2013 (no licence stated; weights only)",)
PURPOSE = "Which of two accounts people would call the more influential, from counts of followers, answers and shares."
FAILURES = (
    "People known for other things than what they post; counts that were bought; channels whose counts differ from "
    "Twitter's of 2011. The set does not say what three of its counts are; the first of them behaves like the number "
    "of people who act on an account."
)


@dataclass(frozen=True)
class Pairs:
    """Accounts with the logarithms of their counts, and which two were compared: `won` where the first was chosen."""

    counts: Floats
    first: Places
    second: Places
    won: Floats

    def differences(self, which: Places) -> Floats:
        """The first's counts less the second's."""
        return np.asarray(self.counts[self.first[which]] - self.counts[self.second[which]], np.float64)


def read_pairs(path: Path) -> Pairs:
    """The pairs of a file; two rows of equal counts are one account."""
    rows = list(rows_of(path))
    known: dict[tuple[float, ...], int] = {}
    sides = {}
    for side in "AB":
        counts = [tuple(float(row[f"{side}_{name}"]) for name in COUNTS) for row in rows]
        sides[side] = np.array([known.setdefault(found, len(known)) for found in counts])
    won = np.array([float(row["Choice"]) for row in rows])
    return Pairs(np.log1p(np.array(list(known))), sides["A"], sides["B"], won)


def fitted(pairs: Pairs, which: Places) -> Floats:
    """The weight of each count, learnt from some of the pairs, not yet tempered."""
    accounts, places = np.unique(np.concatenate([pairs.first[which], pairs.second[which]]), return_inverse=True)
    spread = pairs.counts[accounts].std(axis=0)
    many, kinds, rows = len(which), len(spread), np.arange(len(which))
    design = np.zeros((many, kinds + len(accounts)))
    design[:, :kinds] = pairs.differences(which) / spread
    design[rows, kinds + places[:many]] = 1.0
    design[rows, kinds + places[many:]] = -1.0
    penalty = np.concatenate([np.full(kinds, WEIGHT_PENALTY), np.full(len(accounts), HEIGHT_PENALTY)])
    found = np.zeros(len(penalty))
    for _round in range(ROUNDS):
        chance = 1 / (1 + np.exp(-(design @ found)))
        slope = design.T @ (chance - pairs.won[which]) + penalty * found
        curve = (design.T * (chance * (1 - chance))) @ design + np.diag(penalty)
        step = np.linalg.solve(curve, slope)
        found -= step
        if float(np.abs(step).max()) < 1e-7:
            break
    return np.asarray(found[:kinds] / spread, np.float64)


def splits(pairs: Pairs, *, many: int = SPLITS, seed: int = 1) -> Iterator[tuple[Places, Places]]:
    """Pairs of people seen, and pairs of people unseen; pairs of one of each are left out."""
    chance = np.random.default_rng(seed)
    for _split in range(many):
        seen = chance.random(len(pairs.counts)) < SEEN
        first, second = seen[pairs.first], seen[pairs.second]
        yield np.flatnonzero(first & second), np.flatnonzero(~first & ~second)


def train(data: Path, *, version: str = "1.0.0") -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The card and the arrays of the model."""
    pairs = read_pairs(data / "influencer_pairs_peerindex/pairs_train.csv.gz")
    unseen = [(which, pairs.differences(which) @ fitted(pairs, seen)) for seen, which in splits(pairs)]
    temper = _slope(
        np.concatenate([sums for _, sums in unseen]), np.concatenate([pairs.won[which] for which, _ in unseen])
    )
    arrays = {
        "weights": temper * fitted(pairs, np.arange(len(pairs.won))),
        "covariance": np.cov(pairs.counts, rowvar=False),
    }
    scores = _scores(pairs, unseen, temper)
    labels = ("the first of two",)
    return card_of(NAME, version, PURPOSE, SOURCES, FAILURES, labels=labels, scores=scores, threshold=0.5), arrays


def _slope(sums: Floats, won: Floats) -> float:
    """What the sums are multiplied by so that the chances are as often right as they say."""
    slope = 1.0
    for _round in range(ROUNDS):
        chance = 1 / (1 + np.exp(-slope * sums))
        slope -= float((sums * (chance - won)).sum() / (sums**2 * chance * (1 - chance)).sum())
    return slope


def _scores(pairs: Pairs, unseen: list[tuple[Places, Floats]], temper: float) -> list[dict[str, Any]]:
    aucs = [evaluation.auc(pairs.won[which] > 0, sums) or 0.5 for which, sums in unseen]
    low, high = (round(100 * float(end), 1) for end in np.quantile(aucs, [0.025, 0.975]))
    won = np.concatenate([pairs.won[which] for which, _ in unseen]) > 0
    chances = 1 / (1 + np.exp(-temper * np.concatenate([sums for _, sums in unseen])))
    right = won == (chances >= 0.5)
    error = evaluation.calibration_error(right, np.maximum(chances, 1 - chances))
    many = round(float(np.mean([len(which) for which, _ in unseen])))
    told = f"pairs of people never seen, mean of {SPLITS} splits"
    return [
        {
            "data": f"{told} (95 % of them: {low} to {high})",
            "measure": "AUC",
            "value": _percent(np.mean(aucs)),
            "n": many,
        },
        {"data": told, "measure": "accuracy", "value": _percent(right.mean()), "n": many},
        {"data": f"{told}, taken together", "measure": "calibration error", "value": _percent(error), "n": len(won)},
    ]


def _percent(value: Any) -> float:
    return round(100 * float(value), 1)
