"""Snippets: which variables there are, reading them, and filling them in. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches

VARIABLES = (
    "person.name",
    "person.given_name",
    "person.handle",
    "agent.name",
    "case.number",
    "case.title",
    "workspace.name",
    "today",
)
"""What may stand between braces."""

VARIABLE = re.compile(r"\{([a-z_]+(?:\.[a-z_]+)*)\}")


class UnknownVariable(ValueError):
    """A variable that there is not: it would reach the person as it stands. `close` is what may have been meant."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name
        self.close = next(iter(get_close_matches(name, VARIABLES, n=1)), "")


@dataclass(frozen=True)
class Filled:
    """A text with its variables filled in, and those that stand there still because nothing is known."""

    text: str
    missing: tuple[str, ...] = ()


def check(text: str) -> tuple[str, ...]:
    """The variables of a text; raises UnknownVariable."""
    found = tuple(dict.fromkeys(VARIABLE.findall(text)))
    for name in found:
        if name not in VARIABLES:
            raise UnknownVariable(name)
    return found


def fill(text: str, values: Mapping[str, str]) -> Filled:
    """Fill in what is known; what is filled in is never read again for variables."""
    missing: list[str] = []

    def value(match: re.Match[str]) -> str:
        known = values.get(match[1], "")
        if not known:
            missing.append(match[1])
        return known or match[0]

    return Filled(VARIABLE.sub(value, text), tuple(dict.fromkeys(missing)))


def unfilled(text: str) -> tuple[tuple[int, int], ...]:
    """Where known variables stand unfilled in a text: nobody wants to read {person.name}."""
    return tuple(match.span() for match in VARIABLE.finditer(text) if match[1] in VARIABLES)


def best_language(languages: Mapping[str, str], wanted: str) -> str | None:
    """The text in the wanted language, its base (pt of pt-BR), or the first that there is."""
    for name in (wanted, wanted.partition("-")[0]):
        if name and name in languages:
            return languages[name]
    return next(iter(languages.values()), None)
