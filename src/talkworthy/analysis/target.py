"""How a post feels towards one thing that it names: our brand and the rival in one post may fare differently.

The target is masked, and the words close to it are read twice: once as they are, once marked as close. A
head that learned from texts written this way answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import regex

from talkworthy.analysis.registry import model
from talkworthy.schema.annotations import UNDECIDED

NAME = "target-sentiment"
MASK = "targetmask"
REACH = 5
_CLOSE = "ŧ"


@dataclass(frozen=True)
class Towards:
    """The feeling towards a target and its probability."""

    sentiment: str
    probability: float


def towards(text: str, target: str) -> str:
    """The text as the head reads it: target masked, the five pieces on either side repeated and marked.

    The first place where the target stands as whole words counts, in any case; a text without it is read as
    a whole.
    """
    if not target.strip():
        return text
    spelling = r"\s+".join(regex.escape(word) for word in target.split())
    match = regex.search(rf"(?<!\w){spelling}(?!\w)", text, regex.I) or regex.search(spelling, text, regex.I)
    if match is None:
        return text
    before, after = text[: match.start()].split(), text[match.end() :].split()
    close = [f"{_CLOSE}{piece}" for piece in [*before[-REACH:], *after[:REACH]]]
    return " ".join([*before, MASK, *after, *close])


def towards_targets(texts: Sequence[str], targets: Sequence[str], *, tier: str = "fast") -> list[Towards]:
    """The feeling of each text towards its target; "undecided" below the model's stated probability."""
    from talkworthy.analysis.tiers import score_one  # which reads texts as this module writes them

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
