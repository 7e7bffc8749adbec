"""A query cut into pieces: brackets, quotes, words; and the list of what is found wrong on the way."""

from dataclasses import dataclass, field
from typing import NoReturn

from talkworthy.query.check import Problem, located_problem

_STOPS = frozenset('()"{}[]~^“”')


class Stop(Exception):
    """Reading cannot go on; the reason stands among the errors."""


@dataclass(slots=True)
class Reading:
    """The query being read, and what was found wrong in it."""

    text: str
    dialect: str
    stage: str
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)

    def error(self, code: str, message: str, start: int, end: int, fix: str | None = None) -> None:
        self.errors.append(located_problem(code, message, self.text, start, end, fix))

    def warn(self, code: str, message: str, start: int, end: int, fix: str | None = None) -> None:
        self.warnings.append(located_problem(code, message, self.text, start, end, fix))

    def stop(self, code: str, message: str, start: int, end: int, fix: str | None = None) -> NoReturn:
        self.error(code, message, start, end, fix)
        raise Stop


@dataclass(frozen=True, slots=True)
class Lexeme:
    """One piece of the query: kind is word, phrase, cased, range, end, or the character itself."""

    kind: str
    text: str
    start: int
    end: int
    after_blank: bool


def lexemes(reading: Reading) -> list[Lexeme]:
    """The pieces of the query; comments and blanks are gone."""
    text, at, found = reading.text, 0, list[Lexeme]()
    after_blank = True
    while at < len(text):
        if text.startswith("<<<", at):
            end = text.find(">>>", at + 3)
            if end < 0:
                reading.stop(
                    "E-BRACKET", "the comment that starts here is never closed", at, at + 3, "close it with >>>"
                )
            at, after_blank = end + 3, True
        elif text[at].isspace():
            at, after_blank = at + 1, True
        else:
            lexeme = _lexeme(reading, at, after_blank)
            found.append(lexeme)
            at, after_blank = lexeme.end, False
    found.append(Lexeme("end", "", len(text), len(text), True))
    return found


def _lexeme(reading: Reading, at: int, after_blank: bool) -> Lexeme:
    text, sign = reading.text, reading.text[at]
    if sign in "()~^])}":
        if sign in "]}":
            reading.stop("E-BRACKET", f"this {sign} closes nothing", at, at + 1)
        return Lexeme(sign, sign, at, at + 1, after_blank)
    if sign in '"“”':
        end = _closing_quote(text, at)
        if end < 0:
            reading.stop("E-BRACKET", "the quote that starts here is never closed", at, at + 1, 'close it with "')
        if sign != '"' or text[end] != '"':
            reading.warn("W-QUOTES", "curly quotes are taken as straight ones", at, end + 1, f'"{text[at + 1 : end]}"')
        return Lexeme("phrase", text[at + 1 : end], at, end + 1, after_blank)
    if sign in "{[":
        end = text.find("}" if sign == "{" else "]", at)
        if end < 0:
            reading.stop("E-BRACKET", f"this {sign} is never closed", at, at + 1)
        return Lexeme("cased" if sign == "{" else "range", text[at + 1 : end], at, end + 1, after_blank)
    end = at
    while end < len(text) and text[end] not in _STOPS and not text[end].isspace() and not text.startswith("<<<", end):
        end += 1
    return Lexeme("word", text[at:end], at, end, after_blank)


def _closing_quote(text: str, at: int) -> int:
    if text[at] == '"':
        return text.find('"', at + 1)
    return next((i for i in range(at + 1, len(text)) if text[i] in '"“”'), -1)
