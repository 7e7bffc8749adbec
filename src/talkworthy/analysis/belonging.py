"""Whether posts belong to something of which a person gave a few examples: a probability, and the nearest examples.

A ridge over two likenesses (what a text means and is about, and its words with their letters) sets the examples
against what does not belong and against other posts at large; its answer and the nearest examples become a probability
with weights that were fitted once, on other sets of texts (the `belonging` model). So the first answers come after
three examples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import sparse

from talkworthy.analysis import similarity
from talkworthy.analysis.meaning import MATTER, MEANING
from talkworthy.analysis.registry import Model, model

Floats = npt.NDArray[np.float32]

NAME = "belonging"
FEWEST = 3
"""Examples that belong, before anything is said."""
MOST_OTHERS = 600
"""Other posts that stand for all that does not belong; more change little and cost time."""
MEANT, WORDED = 1.5, 1.0
RIDGE = 0.5
NEAREST = 3


@dataclass(frozen=True)
class Looked:
    """Texts as they are compared: what they mean, and their words and letters, rows of length one."""

    meant: Floats
    worded: sparse.csr_matrix

    @classmethod
    def at(cls, texts: Sequence[str]) -> "Looked":
        """The two looks at some texts."""
        meant = np.hstack([MEANING.vectors(texts), MATTER.vectors(texts)]) / np.float32(np.sqrt(2))
        return cls(meant, similarity.vectors(texts))

    def taken(self, places: Sequence[int]) -> "Looked":
        """Some of the texts, in this order."""
        return Looked(self.meant[list(places)], self.worded[list(places)])

    def beside(self, others: "Looked") -> Floats:
        """How alike each of these is to each of the others."""
        words = np.asarray((self.worded @ others.worded.T).todense(), np.float32)
        return np.asarray(MEANT * (self.meant @ others.meant.T) + WORDED * words, np.float32)


@dataclass(frozen=True)
class Verdict:
    """What is said of a post: whether it belongs (None: undecided), how likely, and the examples nearest to it."""

    belongs: bool | None
    probability: float
    nearest: tuple[tuple[int, float], ...]
    """Places among the examples and likeness from 0 to 1, of those on the side that it was given to."""


class Ridge:
    """The ridge over examples: the first `belong` belong, `refused` do not, and behind them stand other posts."""

    def __init__(self, seen: Looked, *, belong: int, refused: int) -> None:
        self.seen, self.belong, self.marked = seen, belong, belong + refused
        truth = np.full(len(seen.meant), -1, np.float32)
        truth[:belong] = 1
        # Few belong and many do not: each side counts as much as the other, a marked one more than any other post.
        weight = np.where(truth > 0, 1 / belong, 0.5 / max(len(truth) - belong, 1))
        weight[belong : self.marked] = 1 / max(belong, refused)
        alike = seen.beside(seen) + 1 + np.diag(RIDGE / (weight * belong))
        inverse = np.linalg.inv(alike.astype(np.float64))
        pull = inverse @ truth
        self.pull = pull.astype(np.float32)
        self.without = (truth - pull / np.diag(inverse)).astype(np.float32)
        """What is said of each text that the ridge rests on, had it not rested on it."""

    def looks(self, alike: Floats, at: Sequence[int | None] = ()) -> Floats:
        """What the probability is made of: the answer of the ridge, and the likeness to the nearest examples.

        `at` says for each text where it stands among those that the ridge rests on, None where it does not.
        """
        examples = np.sort(alike[:, : self.belong], axis=1)
        wrong = alike[:, self.belong : self.marked]
        near = examples[:, -1]
        few = examples[:, -min(3, self.belong) :].mean(axis=1)
        worst = wrong.max(axis=1) if wrong.shape[1] else np.zeros(len(alike), np.float32)
        said = alike @ self.pull + self.pull.sum()
        for row, place in enumerate(at):
            if place is not None:
                said[row] = self.without[place]
        many = np.full(len(alike), np.log(self.belong), np.float32)
        ones = np.ones(len(alike), np.float32)
        return np.stack([said, near, few, worst, many * said, many, ones], axis=1).astype(np.float32)


class Belonging:
    """Examples that belong and that do not, and other posts; at least FEWEST must belong."""

    def __init__(self, belong: Sequence[str], not_belong: Sequence[str] = (), others: Sequence[str] = ()) -> None:
        if len(belong) < FEWEST:
            raise ValueError(f"{len(belong)} examples belong; {FEWEST} are needed")
        self._texts = [*belong, *not_belong]
        self._count = len(belong)
        every = [*self._texts, *others[:MOST_OTHERS]]
        self._places = {text: place for place, text in enumerate(every)}
        seen = Looked.at(every)
        self._ridge = Ridge(seen, belong=len(belong), refused=len(not_belong))

    def read(self, texts: Sequence[str]) -> list[Verdict]:
        """The verdict on each text."""
        alike = Looked.at(texts).beside(self._ridge.seen)
        card, weights = _weights()
        sure, unsure = card.threshold, card.undecided_below
        chance = 1 / (1 + np.exp(-(self._ridge.looks(alike, [self._places.get(text) for text in texts]) @ weights)))
        found = []
        for row, probability in zip(alike, chance.tolist(), strict=True):
            belongs = True if probability >= sure else None if probability >= unsure else False
            side = slice(self._count, len(self._texts)) if belongs is False else slice(0, self._count)
            places = np.arange(len(self._texts))[side]
            order = places[np.argsort(-row[places], kind="stable")][:NEAREST]
            nearest = tuple((int(place), round(float(row[place]) / (MEANT + WORDED), 3)) for place in order)
            found.append(Verdict(belongs, round(probability, 4), nearest))
        return found

    def words(self, text: str, place: int) -> list[str]:
        """The words of an example that do most to make a text like it, shared ones first."""
        example = self._texts[place]
        own = set(similarity.words_of(text))
        shared = [word for word in dict.fromkeys(similarity.words_of(example)) if word in own and len(word) > 2]
        return [*shared, *(word for word in MEANING.nearest(text, example) if word not in own)][:5]


@cache
def _weights() -> tuple[Model, Floats]:
    card = model(NAME)
    return card, card.arrays()["weights"].astype(np.float32)
