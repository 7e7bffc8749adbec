"""Which tier answers: the fast one, the careful one, or a cascade that asks the latter where the former is unsure.

All three answer in one form, so that analysers need not know which it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from talkworthy.analysis import careful, reports
from talkworthy.analysis.heads import IN_PIPELINE, Heads, scorer_of
from talkworthy.analysis.masking import NAME as TARGET
from talkworthy.analysis.masking import target_scorer, towards
from talkworthy.analysis.registry import Model, model
from talkworthy.analysis.reports import report_scorer
from talkworthy.analysis.scoring import full_texts, head

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.bool_]

FAST, CAREFUL, CASCADE = TIERS = ("fast", "careful", "cascade")
VERSION = "1.0"
# How sure the fast tier must be for the cascade to believe it: the likeliest of several answers from this
# probability on, yes or no at this distance from its threshold, in log odds.
SURE_OF_ONE, SURE_OF_YES = 0.5, 0.1
_IN_PARTS = {reports.NAME: report_scorer, TARGET: target_scorer}
_MARK, _SURE = f": {CAREFUL}", f": {FAST}"


@dataclass(frozen=True)
class Scored:
    """Probabilities by head, from which of them a yes-or-no head says yes, and which rows were read carefully."""

    chances: Mapping[str, Floats]
    thresholds: Mapping[str, Floats]
    careful: Rows


class Tier:
    """One way to answer, for the heads of a pipeline. A workspace's own head has the last word in every tier."""

    def __init__(self, name: str, heads: Heads) -> None:
        self.name = checked(name)
        self.heads = heads
        self._careful = tuple(held for held in IN_PIPELINE if heads.head(held) is head(held))
        if self.name != FAST:
            careful.careful_scorer(self._careful)  # missing models are told at the start
        self._last: tuple[Mapping[str, Floats], Scored] | None = None

    def score_batch(self, batch: pa.RecordBatch) -> Scored:
        """Of title and text of posts; analysers that ask for the same batch in turn share the work."""
        said = self.heads.scorer.score_batch(batch)
        last = self._last
        if last is None or last[0] is not said:
            last = self._last = (said, self._answered(lambda: full_texts(batch), said))
        return last[1]

    def is_careful(self, name: str) -> bool:
        """Whether the careful tier answers for this head where it is asked."""
        return self.name != FAST and name in self._careful

    def score(self, texts: Sequence[str]) -> Scored:
        """Of texts."""
        return self._answered(lambda: texts, self.heads.scorer.score(texts))

    def _answered(self, texts: Callable[[], Sequence[str]], said: Mapping[str, Floats]) -> Scored:
        return answered(self.name, texts, said, self._careful, self.heads.card)


def checked(name: str) -> str:
    """The name of a tier; ValueError where there is none of this name."""
    if name not in TIERS:
        raise ValueError(f"no tier named {name!r}; there are {', '.join(TIERS)}")
    return name


def score_one(
    name: str, texts: Sequence[str], *, tier: str = FAST, targets: Sequence[str] | None = None
) -> tuple[Floats, Floats]:
    """Probabilities of one head alone, in the pipeline or not, and from which of them it says yes, by row.

    `targets` are what each text speaks of, for the feeling towards a target.
    """
    read = [towards(text, target) for text, target in zip(texts, targets, strict=True)] if targets else texts
    scorer = _IN_PARTS.get(name)
    said = scorer().score(read) if scorer else scorer_of(name).score(read)
    found = answered(checked(tier), lambda: texts, said, (name,), model, targets)
    return found.chances[name], found.thresholds[name]


def answered(
    tier: str,
    texts: Callable[[], Sequence[str]],
    said: Mapping[str, Floats],
    names: tuple[str, ...],
    cards: Callable[[str], Model],
    targets: Sequence[str] | None = None,
) -> Scored:
    """What a tier answers where the fast one said this, the heads in `names` carefully.

    `cards` are those of the fast tier; `texts` is asked only if they must be read again.
    """
    rows = len(next(iter(said.values())))
    if tier == FAST:
        asked = np.zeros(rows, np.bool_)
    elif tier == CAREFUL:
        asked = np.ones(rows, np.bool_)
    else:
        asked = unsure({name: said[name] for name in names}, cards)
    limits = {name: np.full(rows, cards(name).threshold, np.float32) for name in said}
    if not asked.any():
        return Scored(said, limits, asked)
    places = np.flatnonzero(asked).tolist()
    written = texts()
    found = careful.careful_scorer(names).score(
        [written[place] for place in places],
        {name: said[name][places] for name in names},
        [targets[place] for place in places] if targets else None,
    )
    chances = {name: given.copy() for name, given in said.items()}
    for name, given in found.items():
        chances[name][places] = given
        limits[name][places] = careful.careful_head(name).model.threshold
    return Scored(chances, limits, asked)


def unsure(said: Mapping[str, Floats], cards: Callable[[str], Model]) -> Rows:
    """Which rows the fast tier is unsure of, in any of its answers."""
    found: Rows = np.zeros(len(next(iter(said.values()))), np.bool_)
    for name, chances in said.items():
        if chances.shape[1] > 1:
            found |= chances.max(axis=1) < SURE_OF_ONE
        else:
            limit = careful.odds(np.array([[cards(name).threshold]], np.float32))
            found |= (np.abs(careful.odds(chances) - limit) < SURE_OF_YES)[:, 0]
    return found


def was_careful(post: Mapping[str, Any]) -> bool:
    """Whether the careful tier made the annotations of a post."""
    by = str(post.get("analysed_by") or "")
    return by.startswith((CAREFUL, f"{CASCADE} {VERSION}{_MARK}"))


class Answered:
    """Fills `analysed_by` in a cascade: which of the two tiers answered a post."""

    name = "answered"
    requires = ("title", "text")
    assigns = ("analysed_by",)

    def __init__(self, tier: Tier) -> None:
        self._tier = tier

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the column."""
        said = self._tier.score_batch(batch).careful
        mark = self._tier.heads.mark
        names = [f"{CASCADE} {VERSION}{_MARK if read else _SURE} {mark}".rstrip() for read in said.tolist()]
        return batch.append_column("analysed_by", pa.array(names, pa.string()))
