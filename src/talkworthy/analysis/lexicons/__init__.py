"""Word lists per language: what each word weighs for sentiment, what negates, what is urgent.

A list is a text file `lexicons/<code>/<name>.txt`: lines of `#` with source and licence on top, then one
`word<TAB>number` (or one phrase) a line.
"""

from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType


@cache
def languages(name: str) -> tuple[str, ...]:
    """Codes of the languages that have a list of this name, `any` among them where it serves all."""
    root = resources.files(__package__)
    found = (folder.name for folder in root.iterdir() if folder.is_dir() and (folder / f"{name}.txt").is_file())
    return tuple(sorted(found))


@cache
def entries(language: str, name: str) -> tuple[tuple[str, float], ...]:
    """Words and weights of one list, in the order of the file; a line without a number weighs 1."""
    text = (resources.files(__package__) / language / f"{name}.txt").read_text(encoding="utf-8")
    found = []
    for line in text.splitlines():
        if line and not line.startswith("# "):
            word, _, weight = line.partition("\t")
            found.append((word, float(weight) if weight else 1.0))
    return tuple(found)


@cache
def turns_of_phrase(name: str) -> str:
    """All expressions of a list, of all languages, as one that Arrow's engine (RE2) reads; empty without a list."""
    lines = [line for language in languages(name) for line, _ in entries(language, name)]
    return f"(?i)(?:{'|'.join(lines)})" if lines else ""


@cache
def valences() -> Mapping[str, float]:
    """How pleasant a word is, -5 to 5, over all languages; a word of several languages has the mean."""
    gathered: dict[str, list[float]] = {}
    for language in languages("valence"):
        for word, weight in entries(language, "valence"):
            gathered.setdefault(word, []).append(weight)
    return MappingProxyType({word: sum(weights) / len(weights) for word, weights in gathered.items()})


@cache
def negators() -> frozenset[str]:
    """Words that turn what follows into its opposite, of all languages."""
    return frozenset(word for language in languages("negators") for word, _ in entries(language, "negators"))


@cache
def denials() -> frozenset[str]:
    """Words that deny the urgent phrase which they stand right before, of all languages."""
    return frozenset(word for language in languages("denials") for word, _ in entries(language, "denials"))


NEGATORS = negators()
