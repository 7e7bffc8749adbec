"""Earlier answers to similar matters, each with why it is shown. Pure, and offline.

Likeness is that of words, word pairs and runs of characters (`analysis/similarity.py`); the words shown as the reason
are those that both have, the rarest among the earlier matters first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log

import numpy as np
import regex

from talkworthy.analysis.similarity import vectors

LEAST = 0.2
"""Likeness below which nothing is suggested."""
SHOWN = 3
WORDS = 5
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}'’-]*")


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
    """An earlier answer, how alike the matters are (0 to 1), and the words that they have in common."""

    earlier: Earlier
    likeness: float
    words: tuple[str, ...]


def suggestions(asked: str, earlier: Sequence[Earlier], *, language: str = "") -> tuple[Suggestion, ...]:
    """The best earlier answers; one that resolved its case comes before one as alike that did not.

    An answer in another language is left out, and of answers that say the same the best one stands for all.
    """
    fit = [one for one in earlier if not language or not one.language or one.language[:2] == language[:2]]
    if not asked.strip() or not fit:
        return ()
    rows = vectors([asked, *(one.asked for one in fit)])
    alike = [float(value) for value in np.asarray((rows[1:] @ rows[0].T).todense()).ravel()]
    order = sorted(range(len(fit)), key=lambda place: (-_points(alike[place], fit[place]), -fit[place].draft))
    rarity = _rarity(one.asked for one in fit)
    found: list[Suggestion] = []
    said: set[str] = set()
    for place in order:
        likeness, one = alike[place], fit[place]
        if likeness < LEAST or len(found) == SHOWN:
            break
        same = " ".join(one.answer.casefold().split())
        if same not in said:
            said.add(same)
            found.append(Suggestion(one, round(likeness, 2), _common(asked, one.asked, rarity)))
    return tuple(found)


def shared_words(one: str, other: str, among: Sequence[str]) -> tuple[str, ...]:
    """The words that two texts have in common, those that are rare among all first."""
    return _common(one, other, _rarity(among))


def _points(likeness: float, one: Earlier) -> float:
    return likeness + (0.05 if one.resolved else 0.0) if likeness >= LEAST else 0.0


def _words(text: str) -> dict[str, str]:
    """The words of a text as they are compared, with how they were written first."""
    found: dict[str, str] = {}
    for match in _WORD.finditer(text):
        if len(match[0]) > 2:
            found.setdefault(match[0].casefold(), match[0])
    return found


def _rarity(texts: Iterable[str]) -> dict[str, float]:
    sets = [set(_words(text)) for text in texts]
    known = Counter(word for words in sets for word in words)
    return {word: log((1 + len(sets)) / (1 + count)) + 1 for word, count in known.items()}


def _common(one: str, other: str, rarity: dict[str, float]) -> tuple[str, ...]:
    mine, theirs = _words(one), _words(other)
    both = sorted(mine.keys() & theirs.keys(), key=lambda word: (-rarity.get(word, 0) * len(word) ** 0.5, word))
    return tuple(mine[word] for word in both[:WORDS])
