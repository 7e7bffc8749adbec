"""What a report is: a bug, a request for a feature, or a question.

Its title, its opening and its body are read by a head each, and what they say is added up: a title is short and
says most, a body is long and mostly versions, code and what a template asks for.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from talkworthy.analysis.registry import Arrays, Model, model
from talkworthy.analysis.scoring import Floats, Head, Scorer, Weighed, probabilities, rarity, unfolded, weigh

NAME = "issue-type"
PARTS = ("title", "opening", "body")
OPENING = 400
CODE = " codeblock "

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Part:
    """A part of a report, and where in the report it begins."""

    text: str
    start: int


def parts(report: str) -> tuple[Part, ...]:
    """Title, opening and body; blocks of code and comments are blanked, so that every word stays at its place."""
    title, _, body = report.partition("\n")
    body = _COMMENT.sub(lambda held: " " * len(held.group()), body)
    body = _CODE.sub(lambda held: CODE.ljust(len(held.group()))[: len(held.group())], body)
    at, start = len(title) + 1, len(body) - len(body.lstrip())
    return Part(title, 0), Part(body[start : start + OPENING], at + start), Part(body, at)


def texts_of(reports: Sequence[str]) -> list[list[str]]:
    """Titles, openings and bodies of reports."""
    cut = [parts(report) for report in reports]
    return [[held[place].text for held in cut] for place in range(len(PARTS))]


def heads_of(card: Model, held: Arrays, weight: Mapping[str, Floats]) -> tuple[Head, ...]:
    """The heads of the parts, from the arrays of the model's file and how much each feature weighs."""
    of_parts = (
        {name.removeprefix(f"{part}_"): table for name, table in held.items() if name.startswith(f"{part}_")}
        for part in PARTS
    )
    return tuple(unfolded(card, arrays, weight) for arrays in of_parts)


class ReportScorer:
    """Scores reports."""

    def __init__(self, heads: Sequence[Head]) -> None:
        self.heads = tuple(heads)
        self._scorers = [Scorer([head]) for head in self.heads]

    def score(self, reports: Sequence[str]) -> dict[str, Floats]:
        """Probabilities under the model's name, as those of a `Scorer`."""
        said = [scorer.logits(texts) for scorer, texts in zip(self._scorers, texts_of(reports), strict=True)]
        return {NAME: probabilities(sum(said[1:], start=said[0]))}

    def weigh(self, report: str, output: int) -> list[Weighed]:
        """What each word added to one output, in reading order; a word of the opening is read twice and stands once."""
        ends: dict[int, int] = {}
        weights: dict[int, float] = {}
        for head, part in zip(self.heads, parts(report), strict=True):
            for held in weigh(head, part.text, output):
                start, end = part.start + held.start, part.start + held.end
                ends[start] = max(end, ends.get(start, end))
                weights[start] = weights.get(start, 0.0) + held.weight
        return [Weighed(report[start : ends[start]], start, ends[start], weights[start]) for start in sorted(ends)]


@cache
def report_scorer() -> ReportScorer:
    """The scorer of the shipped model."""
    card = model(NAME)
    return ReportScorer(heads_of(card, card.arrays(), rarity()))
