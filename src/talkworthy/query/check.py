"""What is wrong or odd in a query: problems with a code, a place and a fix, and how they are printed."""

import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import TypedDict

from talkworthy.query.tree import Query

CODES: dict[str, str] = {
    "E-EMPTY": "the query, a pair of brackets or a pair of quotes holds nothing to look for",
    "E-NEGATIVE": "the query only says what is not wanted",
    "E-SYNTAX": "something is missing or stands where it cannot stand",
    "E-BRACKET": "a bracket, quote or comment is opened or closed alone",
    "E-DEPTH": "brackets are nested too deeply",
    "E-LENGTH": "the query, a NEAR or a window is too long",
    "E-MIX": "AND with OR, AND with NEAR, or different NEARs on one bracket level",
    "E-NEAR": "NEAR, ~ or ATLEAST around something that has no place in the text",
    "E-TILDE": "~ or ^ without its number, or with a blank beside it",
    "E-WILDCARD": "a wildcard stands first or after fewer than two characters",
    "E-FIELD": "a field's colon or value stands wrong, or a field stands inside another",
    "E-VALUE": "a value that the field does not take",
    "E-STAGE": "a field that is not known where the query is asked",
    "W-IMPLICIT-AND": "AND was left out",
    "W-FIELD": "a word with a colon whose first part is no field: taken as text",
    "W-DISTANCE": "~ on a single word does nothing",
    "W-WILDCARD": "a wildcard that is slow, or that does nothing",
    "W-LANGUAGE": "a language by name or in capitals: understood",
    "W-QUOTES": "curly quotes are taken as straight ones",
}
"""Every code with its meaning; the reference page is compared with it."""


class ProblemJSON(TypedDict):
    """A problem as `query check --json` prints it."""

    code: str
    message: str
    line: int
    column: int
    end: int
    fix: str | None


class CheckJSON(TypedDict):
    """A verdict as `query check --json` prints it."""

    verdict: str
    errors: list[ProblemJSON]
    warnings: list[ProblemJSON]


@dataclass(frozen=True, slots=True)
class Problem:
    """One error or warning.

    `line` and `column` count from 1; `end` is the column after the last marked character of that line.
    """

    code: str
    message: str
    line: int
    column: int
    end: int
    fix: str | None = None

    def as_json(self) -> ProblemJSON:
        """The problem as plain values."""
        return {
            "code": self.code,
            "message": self.message,
            "line": self.line,
            "column": self.column,
            "end": self.end,
            "fix": self.fix,
        }


class QueryError(ValueError):
    """A query that cannot be used. `errors` holds every problem found, `text` the query."""

    def __init__(self, text: str, errors: tuple[Problem, ...]) -> None:
        self.text = text
        self.errors = errors
        super().__init__("\n".join(printed(text, error) for error in errors))


@dataclass(frozen=True, slots=True)
class Check:
    """The verdict on a query: "valid", "warning" or "error"; `tree` is None where there is an error."""

    verdict: str
    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    tree: Query | None
    text: str

    def as_json(self) -> CheckJSON:
        """The verdict as plain values."""
        return {
            "verdict": self.verdict,
            "errors": [error.as_json() for error in self.errors],
            "warnings": [warning.as_json() for warning in self.warnings],
        }

    def __str__(self) -> str:
        return "\n".join(printed(self.text, problem) for problem in (*self.errors, *self.warnings))


WIDEST = 160
"""Characters of a line that are printed: of a longer one, those around the problem."""


def located_problem(code: str, message: str, text: str, start: int, end: int, fix: str | None = None) -> Problem:
    """A problem from offsets into the query's text."""
    start = min(start, len(text))
    line_starts = _line_starts(text)
    line = bisect_right(line_starts, start)
    line_start = line_starts[line - 1]
    line_end = line_starts[line] - 1 if line < len(line_starts) else len(text)
    column = start - line_start + 1
    last = max(min(end, line_end) - line_start + 1, column + 1)
    return Problem(code, message, line, column, last, fix)


@lru_cache(maxsize=16)
def _line_starts(text: str) -> tuple[int, ...]:
    """Where each line begins: asked for once a problem, and a long query may have thousands."""
    return (0, *(at + 1 for at, character in enumerate(text) if character == "\n"))


def printed(text: str, problem: Problem) -> str:
    """The problem with the line of the query it is in, a caret below it, and the fix."""
    line = text.split("\n")[problem.line - 1].replace("\t", " ").rstrip("\r")
    first = max(problem.column - 1 - WIDEST // 2, 0) if len(line) > WIDEST else 0
    line = line[first : first + WIDEST]
    before, marked = line[: problem.column - 1 - first], line[problem.column - 1 - first : problem.end - 1 - first]
    shown = [f"{problem.code} at line {problem.line}, column {problem.column}: {problem.message}"]
    shown.append(f"  {line}")
    shown.append("  " + " " * _width(before) + "^" * max(_width(marked), 1))
    if problem.fix:
        shown.append(f"  write: {problem.fix}")
    return "\n".join(shown)


def _width(text: str) -> int:
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
