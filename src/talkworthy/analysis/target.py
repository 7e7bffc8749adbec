"""How a post feels towards one thing that it names: our brand and the rival in one post may fare differently."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from talkworthy.analysis.masking import NAME
from talkworthy.analysis.registry import model
from talkworthy.analysis.tiers import score_one
from talkworthy.schema.annotations import UNDECIDED


@dataclass(frozen=True)
class Towards:
    """The feeling towards a target and its probability."""

    sentiment: str
    probability: float


def towards_targets(texts: Sequence[str], targets: Sequence[str], *, tier: str = "fast") -> list[Towards]:
    """The feeling of each text towards its target; "undecided" below the model's stated probability."""
    if not texts:
        return []
    card = model(NAME)
    chances, _limits = score_one(NAME, texts, tier=tier, targets=targets)
    first = chances.argmax(axis=1)
    top = chances[np.arange(len(first)), first]
    return [
        Towards(card.labels[place] if chance >= card.undecided_below else UNDECIDED, round(float(chance), 4))
        for place, chance in zip(first.tolist(), top.tolist(), strict=True)
    ]
