"""Texts that are read in parts, each part by a linear head of its own; what the heads say is added up."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from talkworthy.analysis.registry import Arrays, Model
from talkworthy.analysis.scoring import Floats, Head, Scorer, Weighed, probabilities, unfolded, weigh


@dataclass(frozen=True)
class Part:
    """A part of a text, and where in the text it begins."""

    text: str
    start: int


@dataclass(frozen=True)
class Cut:
    """How the texts of a model are cut: what its parts are called, and the parts of one text in that order."""

    names: tuple[str, ...]
    parts: Callable[[str], tuple[Part, ...]]

    def together(self, texts: Sequence[str]) -> list[list[str]]:
        """The first parts of all texts, then the second ones, and so on."""
        cut = [self.parts(text) for text in texts]
        return [[held[place].text for held in cut] for place in range(len(self.names))]


class PartScorer:
    """Scores texts that are read in parts."""

    def __init__(self, cut: Cut, heads: Sequence[Head]) -> None:
        self.heads = tuple(heads)
        self._cut = cut
        self._scorers = [Scorer([head]) for head in self.heads]

    def score(self, texts: Sequence[str]) -> dict[str, Floats]:
        """Probabilities under the model's name, as those of a `Scorer`."""
        said = [scorer.logits(part) for scorer, part in zip(self._scorers, self._cut.together(texts), strict=True)]
        return {self.heads[0].model.name: probabilities(sum(said[1:], start=said[0]))}

    def weigh(self, text: str, output: int) -> list[Weighed]:
        """What each word added to one output, in reading order; a word that is read in several parts stands once."""
        ends: dict[int, int] = {}
        weights: dict[int, float] = {}
        for head, part in zip(self.heads, self._cut.parts(text), strict=True):
            for held in weigh(head, part.text, output):
                start, end = part.start + held.start, part.start + held.end
                ends[start] = max(end, ends.get(start, end))
                weights[start] = weights.get(start, 0.0) + held.weight
        return [Weighed(text[start : ends[start]], start, ends[start], weights[start]) for start in sorted(ends)]


def scorer_of_parts(cut: Cut, card: Model, held: Arrays, weight: Mapping[str, Floats]) -> PartScorer:
    """The scorer of a model that is read in parts, from the arrays of its file and how much each feature weighs."""
    of_parts = (
        {name.removeprefix(f"{part}_"): table for name, table in held.items() if name.startswith(f"{part}_")}
        for part in cut.names
    )
    return PartScorer(cut, [unfolded(card, arrays, weight) for arrays in of_parts])
