"""How a text is written and read for the feeling towards one thing that it names.

The target is masked, so that no name is liked or disliked for what others said of it. The words close to it are read
twice, the second time by a head of their own, and what both heads say is added up.
"""

from functools import cache

import regex

from talkworthy.analysis.parts import Cut, Part, PartScorer, scorer_of_parts
from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import rarity

NAME = "target-sentiment"
MASK = "targetmask"
REACH = 5


def towards(text: str, target: str) -> str:
    """The text as the heads read it: the target masked; in a second line the five pieces on either side of it.

    The first place where the target stands as whole words counts, in any case; of a text without it the second line
    is empty.
    """
    match = _found(text, target) if target.strip() else None
    if match is None:
        return " ".join(text.split()) + "\n"
    before, after = text[: match.start()].split(), text[match.end() :].split()
    return "\n".join(
        " ".join([*left, MASK, *right]) for left, right in ((before, after), (before[-REACH:], after[:REACH]))
    )


def _found(text: str, target: str) -> regex.Match[str] | None:
    spelling = r"\s+".join(regex.escape(word) for word in target.split())
    return regex.search(rf"(?<!\w){spelling}(?!\w)", text, regex.I) or regex.search(spelling, text, regex.I)


def parts(read: str) -> tuple[Part, ...]:
    """The two lines that `towards` wrote."""
    whole, _, close = read.partition("\n")
    return Part(whole, 0), Part(close, len(whole) + 1)


CUT = Cut(("whole", "close"), parts)


@cache
def target_scorer() -> PartScorer:
    """The scorer of the shipped model."""
    card = model(NAME)
    return scorer_of_parts(CUT, card, card.arrays(), rarity())
