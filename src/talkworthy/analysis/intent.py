"""What a post wants: help, a question before buying, a complaint, a suggestion, praise, or something else.

Each wish has a head of its own that says how likely it is. The one `intent` is
the wish that lies furthest above its own threshold.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from talkworthy.analysis.heads import Heads, shipped
from talkworthy.analysis.tiers import FAST, Tier
from talkworthy.schema.annotations import UNDECIDED

Floats = npt.NDArray[np.float32]

WISHES = ("help", "purchase", "complaint", "suggestion", "praise")
OTHER = "other"
DOUBT = 0.5  # in units of log odds around the threshold: nearer than this is "undecided"


def odds(chance: Floats) -> Floats:
    """Log odds of probabilities."""
    safe = np.clip(chance, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(safe / (1 - safe)), np.float32)


def decide(
    found: Mapping[str, Floats], limits: Mapping[str, Floats], *, sure: float = 0.0, doubt: float = DOUBT
) -> tuple[list[str], Floats]:
    """The one intent of each post and its probability; "other" has that of no wish reaching its threshold.

    `limits` are the thresholds, one for all posts or one a post. Below the probability `sure`,
    and nearer than `doubt` beneath a threshold, the answer is "undecided".
    """
    margins = np.stack([odds(found[wish]) - odds(limits[wish]) for wish in WISHES], axis=1)
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

    def __init__(self, heads: Heads | None = None, tier: Tier | None = None) -> None:
        self.heads = heads or shipped()
        self._tier = tier or Tier(FAST, self.heads)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with both columns."""
        scored = self._tier.score_batch(batch)
        found = {wish: scored.chances[wish][:, 0] for wish in WISHES}
        answers, likely = decide(found, scored.thresholds, sure=self.heads.sure.get("intent", 0.0))
        batch = batch.append_column("intent", pa.array(answers, pa.string()))
        return batch.append_column("intent_probability", pa.array(np.round(likely, 4), pa.float32()))
