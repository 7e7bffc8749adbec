"""How a post feels: positive, neutral, negative or undecided."""

import numpy as np
import pyarrow as pa

from talkworthy.analysis.heads import Heads, shipped
from talkworthy.analysis.tiers import FAST, Tier
from talkworthy.schema.annotations import UNDECIDED

NAME = "sentiment"


class Sentiment:
    """Fills `sentiment`, `sentiment_score` and `sentiment_probability`."""

    name = "sentiment"
    requires = ("title", "text")
    assigns = ("sentiment", "sentiment_score", "sentiment_probability")

    def __init__(self, heads: Heads | None = None, tier: Tier | None = None) -> None:
        self.heads = heads or shipped()
        self._tier = tier or Tier(FAST, self.heads)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the three columns; a post without words is undecided."""
        card = self.heads.card(NAME)
        chances = self._tier.score_batch(batch).chances[NAME]
        first = chances.argmax(axis=1)
        top = chances[np.arange(len(first)), first]
        labels = np.array(card.labels, object)[first]
        labels[top < self.heads.sure.get(NAME, card.undecided_below)] = UNDECIDED
        up, down = card.labels.index("positive"), card.labels.index("negative")
        batch = batch.append_column("sentiment", pa.array(labels, pa.string()))
        batch = batch.append_column(
            "sentiment_score", pa.array(np.round(chances[:, up] - chances[:, down], 4), pa.float32())
        )
        return batch.append_column("sentiment_probability", pa.array(np.round(top, 4), pa.float32()))
