"""Earlier answers to similar matters, each with why it is shown. Pure, and offline.

How alike two matters are is the probability of `analysis/similarity.py`; the reason shown is the words that both have,
the weightiest first, and the sentence of the earlier matter that is nearest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from talkworthy.responding.likeness import LEAST, kept, words_in_common

SHOWN = 3
RESOLVED = 0.05
"""What it is worth that an answer resolved its case."""


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """A matter that was answered: what they wrote, what was sent."""

    draft: int
    case_number: int
    asked: str
    answer: str
    language: str = ""
    resolved: bool = False


@dataclass(frozen=True)
class Suggestion:
    """An earlier answer, how probably the matters are one, the words in common, and the sentence that is nearest."""

    earlier: Earlier
    likeness: float
    words: tuple[str, ...]
    sentence: str = ""


def suggestions(asked: str, earlier: Sequence[Earlier], *, language: str = "") -> tuple[Suggestion, ...]:
    """The best earlier answers; one that resolved its case comes before one as alike that did not.

    An answer in another language is left out, and of answers that say the same the best one stands for all.
    """
    if not asked.strip() or not earlier:
        return ()
    beside = kept(tuple(one.asked for one in earlier)).beside(asked)
    alike = [float(chance) for chance in beside.chances]
    fit = [
        place
        for place, one in enumerate(earlier)
        if alike[place] >= LEAST and (not language or not one.language or one.language[:2] == language[:2])
    ]
    found: list[Suggestion] = []
    said: set[str] = set()
    for place in sorted(fit, key=lambda place: (-_points(alike[place], earlier[place]), -earlier[place].draft)):
        one = earlier[place]
        same = " ".join(one.answer.casefold().split())
        if same not in said and len(found) < SHOWN:
            said.add(same)
            shared = beside.why(place)
            words = words_in_common(shared, asked)
            found.append(Suggestion(one, round(alike[place], 2), words, shared.sentence))
    return tuple(found)


def _points(likeness: float, one: Earlier) -> float:
    return likeness + (RESOLVED if one.resolved else 0.0)
