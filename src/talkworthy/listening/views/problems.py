"""Problems of a query as pages show them: the place drawn, the fix at one press."""

from dataclasses import dataclass
from typing import Literal

from talkworthy.query import Check, Problem, check
from talkworthy.query.check import printed


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


def problems_of(checked: Check, *, stage: Literal["monitor", "search"] = "search") -> tuple[list[Shown], list[Shown]]:
    """Errors and warnings of a checked query."""
    return [_shown(checked, one, stage) for one in checked.errors], [
        _shown(checked, one, stage) for one in checked.warnings
    ]


def _shown(checked: Check, problem: Problem, stage: Literal["monitor", "search"]) -> Shown:
    lines = printed(checked.text, problem).split("\n")
    drawing = "\n".join(line[2:] for line in lines[1:3])
    whole = _mended(checked, problem, stage)
    return Shown(
        problem.code, problem.message, problem.line, problem.column, drawing, whole, "" if whole else problem.fix or ""
    )


def _mended(checked: Check, problem: Problem, stage: Literal["monitor", "search"]) -> str:
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
        again = check(candidate, stage=stage)
        if len(again.errors) < max(1, len(checked.errors)) and len(again.errors) + len(again.warnings) < troubles:
            return candidate
    return ""
