"""Problems of a query as pages show them: the place drawn, the fix at one press."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext as _

from talkworthy.listening.filters import LONGEST_WORDS
from talkworthy.query import Check, Problem, check
from talkworthy.query.check import printed
from talkworthy.query.fields import FIELDS, Vocabulary

Stage = Literal["monitor", "search", "people"]

MOST = 20
"""Problems of each kind that are shown; whoever has mended these sees the next."""

MENDED = 6
"""Problems of each kind for which a whole query is tried as fix, which takes two more checks."""


@dataclass(frozen=True)
class Shown:
    """A problem; `drawing` is the line and the caret beneath it, `fix` a whole query that holds, or empty."""

    code: str
    message: str
    line: int
    column: int
    drawing: str
    fix: str
    hint: str


def problems_of(
    checked: Check, *, stage: Stage = "search", vocabulary: Vocabulary = FIELDS
) -> tuple[list[Shown], list[Shown]]:
    """Errors and warnings of a checked query, the first of each."""
    return (
        _first(checked, checked.errors, stage, vocabulary),
        _first(checked, checked.warnings, stage, vocabulary),
    )


def problems_of_search(words: str) -> tuple[list[Shown], list[Shown]]:
    """Errors and warnings of the words of a filter; nothing is read of what is longer than a filter may be."""
    if len(words) <= LONGEST_WORDS:
        return problems_of(check(words, stage="search")) if words else ([], [])
    said = _("The filter has %(n)s characters, and may have %(most)s. Make a monitor of it, or filter by less.")
    message = said % {"n": len(words), "most": LONGEST_WORDS}
    return [Shown("E-LONG", message, 1, LONGEST_WORDS + 1, "", "", "")], []


def _first(checked: Check, problems: Sequence[Problem], stage: Stage, vocabulary: Vocabulary) -> list[Shown]:
    mendable = MENDED if len(checked.text) <= LONGEST_WORDS else 0
    return [
        _shown(checked, one, stage, vocabulary, tried=place < mendable) for place, one in enumerate(problems[:MOST])
    ]


def _shown(checked: Check, problem: Problem, stage: Stage, vocabulary: Vocabulary, *, tried: bool) -> Shown:
    lines = printed(checked.text, problem).split("\n")
    drawing = "\n".join(line[2:] for line in lines[1:3])
    whole = _mended(checked, problem, stage, vocabulary) if tried else ""
    return Shown(
        problem.code, problem.message, problem.line, problem.column, drawing, whole, "" if whole else problem.fix or ""
    )


def _mended(checked: Check, problem: Problem, stage: Stage, vocabulary: Vocabulary) -> str:
    """The whole query with the fix in its place, where that is a better one: it has fewer problems than before."""
    if not problem.fix:
        return ""
    lines = checked.text.split("\n")
    line = lines[problem.line - 1]
    in_place = "\n".join(
        [
            *lines[: problem.line - 1],
            line[: problem.column - 1] + problem.fix + line[problem.end - 1 :],
            *lines[problem.line :],
        ]
    )
    troubles = len(checked.errors) + len(checked.warnings)
    for candidate in (in_place, problem.fix):
        again = check(candidate, stage=stage, vocabulary=vocabulary)
        if len(again.errors) < max(1, len(checked.errors)) and len(again.errors) + len(again.warnings) < troubles:
            return candidate
    return ""
