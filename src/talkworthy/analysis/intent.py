"""What a post wants: help, a question before buying, a complaint, a suggestion, praise, or something else.

Each wish has a head of its own that says how likely it is; `chances` gives them all. The one `intent` is
the wish that lies furthest above its own threshold.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from talkworthy.analysis.heads import Heads, shipped
from talkworthy.analysis.registry import Model
from talkworthy.schema.annotations import UNDECIDED

Floats = npt.NDArray[np.float32]

WISHES = ("help", "purchase", "complaint", "suggestion", "praise")
OTHER = "other"
DOUBT = 0.5  # in units of log odds around the threshold: nearer than this is "undecided"


def chances(batch: pa.RecordBatch, heads: Heads) -> Mapping[str, Floats]:
    """Probability of each wish, by name, one number a post."""
    scored = heads.scorer.score_batch(batch)
    return {wish: scored[wish][:, 0] for wish in WISHES}


def odds(chance: Floats) -> Floats:
    """Log odds of probabilities."""
    safe = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(safe / (1 - safe)), np.float32)


def decide(
    found: Mapping[str, Floats], cards: Callable[[str], Model], *, sure: float = 0.0, doubt: float = DOUBT
) -> tuple[list[str], Floats]:
    """The one intent of each post and its probability; "other" has that of no wish reaching its threshold.

    Below the probability `sure`, and nearer than `doubt` beneath a threshold, the answer is "undecided".
    """
    margins = np.stack(
        [odds(found[wish]) - float(odds(np.array([cards(wish).threshold], np.float32))[0]) for wish in WISHES], axis=1
    )
    first = margins.argmax(axis=1)
    rows = np.arange(len(first))
    best = margins[rows, first]
    likely = np.stack([found[wish] for wish in WISHES], axis=1)[rows, first]
    names = np.array([*WISHES, OTHER, UNDECIDED], object)
    answer = np.where(best >= 0, first, np.where(best > -doubt, len(WISHES) + 1, len(WISHES)))
    probability = np.where(best >= 0, likely, 1 - likely).astype(np.float32)
    answer[probability < sure] = len(WISHES) + 1
    return names[answer].tolist(), probability


class Intent:
    """Fills `intent` and `intent_probability`."""

    name = "intent"
    requires = ("title", "text")
    assigns = ("intent", "intent_probability")

    def __init__(self, heads: Heads | None = None) -> None:
        self.heads = heads or shipped()

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with both columns."""
        answers, likely = decide(chances(batch, self.heads), self.heads.card, sure=self.heads.sure.get("intent", 0.0))
        batch = batch.append_column("intent", pa.array(answers, pa.string()))
        return batch.append_column("intent_probability", pa.array(np.round(likely, 4), pa.float32()))
