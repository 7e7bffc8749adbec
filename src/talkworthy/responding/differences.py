"""What changed between two versions of a text, word by word. Pure."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

_PIECE = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A stretch of words: `same`, `gone` from the older or `new` in the newer."""

    kind: str
    text: str


def differences(old: str, new: str) -> tuple[Piece, ...]:
    """The newer text with what is new in it, and what is gone where it stood."""
    before, after = _PIECE.findall(old), _PIECE.findall(new)
    found: list[Piece] = []
    for tag, start, end, first, last in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag == "equal":
            found.append(Piece("same", "".join(after[first:last])))
            continue
        if start < end:
            found.append(Piece("gone", "".join(before[start:end])))
        if first < last:
            found.append(Piece("new", "".join(after[first:last])))
    return tuple(found)
