"""What a report is: a bug, a request for a feature, or a question.

Its title, its opening, its body and what it asks are read by a head each, and what they say is added up: a title is
short and says most, a body is long and mostly versions, code and what a template asks for.
"""

import re
from functools import cache

from talkworthy.analysis.parts import Cut, Part, PartScorer, scorer_of_parts
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import rarity

NAME = "issue-type"
OPENING = 400
CODE = " codeblock "

_CODE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_BORDER = re.compile(r"((?<=[.!?])\s+|\n+)")


def parts(report: str) -> tuple[Part, ...]:
    """Title, opening, body, and title and body without what is no question.

    Blocks of code, comments and what is left out are blanked, so that every word stays at its place.
    """
    title, _, body = report.partition("\n")
    body = _COMMENT.sub(lambda held: " " * len(held.group()), body)
    body = _CODE.sub(lambda held: CODE.ljust(len(held.group()))[: len(held.group())], body)
    at, start = len(title) + 1, len(body) - len(body.lstrip())
    opening = Part(body[start : start + OPENING], at + start)
    return Part(title, 0), opening, Part(body, at), Part(_questions(f"{title}\n{body}"), 0)


def _questions(text: str) -> str:
    """The sentences that end with a question mark, all others blanked."""
    sentences = _BORDER.split(text)
    return "".join(held if held.rstrip().endswith("?") else " " * len(held) for held in sentences)


CUT = Cut(("title", "opening", "body", "questions"), parts)


@cache
def report_scorer() -> PartScorer:
    """The scorer of the shipped model."""
    card = model(NAME)
    return scorer_of_parts(CUT, card, card.arrays(), rarity())
