"""The tokens of a whole batch at once, with array operations: the same tokens as `tokens.raw_tokens`, sooner.

Text without blanks between two blanks is a piece. A piece of plain ASCII without a link is cut by arrays; any other is
left to the expressions of `tokens`. Most tokens answer to no query, and a filter of hashes says so without looking at
the characters: it lets some through that answer to nothing, and keeps out none that answers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from talkworthy.query import tokens

Places = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Codes = np.ndarray[Any, np.dtype[Any]]

_LETTER, _DIGIT, _JOINER, _BLANK, _OTHER = 1, 2, 4, 8, 16
_OF_WORDS = _LETTER | _DIGIT | _JOINER
_MID_LETTER, _MID_NUMBER = frozenset(b":.'"), frozenset(b",;.'")
_BASE, _STIR = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93
_WHOLE = (1 << 64) - 1
_PREFIXES = (2, 3, 4, 5, 6, 7, 8, 10)
"""Lengths at which the starts of wildcards are hashed: a longer start is cut to the next of them."""


def _kinds() -> np.ndarray[Any, np.dtype[np.uint8]]:
    table = np.zeros(129, dtype=np.uint8)
    for character in map(chr, range(128)):
        if character.islower():
            table[ord(character)] = _LETTER
        elif character.isdigit():
            table[ord(character)] = _DIGIT
        elif character.isspace() or character == "\x00":
            table[ord(character)] = _BLANK
    table[ord("_")] = _JOINER
    table[128] = _OTHER
    return table


def _marked(characters: Iterable[int]) -> Flags:
    table = np.zeros(129, dtype=np.bool_)
    table[list(characters)] = True
    return table


_KINDS = _kinds()
_BETWEEN_LETTERS, _BETWEEN_NUMBERS, _SIGN = _marked(_MID_LETTER), _marked(_MID_NUMBER), _marked(b"#@$")


@dataclass(frozen=True, slots=True)
class Scan:
    """Where tokens stand in a text, in order; `signed` begin with # @ or $. `hard` are pieces left to expressions."""

    codes: Codes
    starts: Places
    ends: Places
    signed: Flags
    borders: Places
    hard_starts: Places
    hard_ends: Places


def scan(folded: str) -> Scan:
    """Cut folded text that was joined with \\x00."""
    text = f"\x00\x00{folded}\x00\x00\x00\x00"
    if text.isascii():
        codes: Codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
    else:
        codes = np.minimum(np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32), 128).astype(
            np.uint8
        )
    kinds = _KINDS[codes]
    within = (kinds & _OF_WORDS) != 0
    edges = np.flatnonzero(within[1:] != within[:-1]) + 1
    starts, ends = _joined_runs(edges[0::2], edges[1::2], codes, kinds)
    starts, ends = _without_bare_joiners(starts, ends, kinds)
    hard_starts, hard_ends = _hard_pieces(codes, kinds)
    if len(hard_starts):
        kept = ~_inside(len(codes), hard_starts, hard_ends)[starts]
        starts, ends = starts[kept], ends[kept]
    signed = _SIGN[codes[starts - 1]] & ~within[starts - 2]
    borders = np.flatnonzero(codes[2:-4] == 0)
    return Scan(codes[2:-4], starts - signed - 2, ends - 2, signed, borders, hard_starts - 2, hard_ends - 2)


def _joined_runs(starts: Places, ends: Places, codes: Codes, kinds: Codes) -> tuple[Places, Places]:
    """Runs of letters, digits and underscores, put together where one of `:.',;` joins two letters or two digits."""
    near = np.flatnonzero(starts[1:] - ends[:-1] == 1)
    middle, before, after = codes[ends[near]], kinds[ends[near] - 1], kinds[starts[near + 1]]
    joined = (before == after) & (
        ((before == _LETTER) & _BETWEEN_LETTERS[middle]) | ((before == _DIGIT) & _BETWEEN_NUMBERS[middle])
    )
    near = near[joined]
    return np.delete(starts, near + 1), np.delete(ends, near)


def _without_bare_joiners(starts: Places, ends: Places, kinds: Codes) -> tuple[Places, Places]:
    """Runs that are not underscores alone."""
    doubtful = np.flatnonzero(kinds[starts] == _JOINER)
    bare = [
        at
        for at, start, end in zip(doubtful.tolist(), starts[doubtful].tolist(), ends[doubtful].tolist(), strict=True)
        if (kinds[start:end] == _JOINER).all()
    ]
    return (np.delete(starts, bare), np.delete(ends, bare)) if bare else (starts, ends)


def _hard_pieces(codes: Codes, kinds: Codes) -> tuple[Places, Places]:
    """Pieces that hold a character beyond ASCII or what may be a link."""
    colons = np.flatnonzero(codes == ord(":"))
    colons = colons[codes[colons + 1] == ord("/")]
    dots = np.flatnonzero(codes == ord("."))
    dots = dots[(codes[dots - 1] == ord("w")) & (codes[dots - 2] == ord("w"))]
    other = np.flatnonzero(kinds == _OTHER)
    hard = np.concatenate((other, colons, dots))
    if not len(hard):
        return hard, hard
    blanks = np.flatnonzero(kinds == _BLANK)
    follows = np.searchsorted(blanks, np.sort(hard))
    follows = follows[np.concatenate(([True], follows[1:] != follows[:-1]))]
    return blanks[follows - 1] + 1, blanks[follows]


def _inside(size: int, starts: Places, ends: Places) -> Flags:
    """Which of the first places lie between a start and its end."""
    steps = np.zeros(size + 1, dtype=np.int8)
    steps[starts] = 1
    steps[ends] -= 1
    return np.cumsum(steps, dtype=np.int8).astype(np.bool_)


class TokenFilter:
    """Which tokens may answer to one of some query terms, by hashes alone."""

    def __init__(self, terms: Iterable[str]) -> None:
        whole, starts = set[int](), dict[int, set[int]]()
        for term in terms:
            if tokens.is_wild(term):
                prefix = tokens.prefix_of(term)
                length = max((length for length in _PREFIXES if length <= len(prefix)), default=0)
                starts.setdefault(length, set()).add(_hash_of(prefix[:length]))
            elif term.isascii():
                whole.add(_hash_of(term))
        self._shift = 64 - max(16, (16 * (1 + len(whole))).bit_length())
        self._whole = self._table(whole)
        self._starts = {length: self._table(found) for length, found in sorted(starts.items())}

    def _table(self, hashes: set[int]) -> Flags:
        table = np.zeros(1 << (64 - self._shift), dtype=np.bool_)
        table[np.array(sorted(hashes), dtype=np.uint64) >> np.uint64(self._shift)] = True
        return table

    def may_answer(self, found: Scan) -> Flags:
        """For each token whether it has to be looked at; a signed one always has."""
        shift = np.uint64(self._shift)
        sums, inverse = _sums(found.codes), _powers(len(found.codes) + 1)[1][found.starts]
        begun = sums[found.starts]
        flags: Flags = self._whole[((sums[found.ends] - begun) * inverse) >> shift] | found.signed
        for length, table in self._starts.items():
            within = np.minimum(found.starts + length, found.ends)
            flags |= table[((sums[within] - begun) * inverse) >> shift]
        return flags


def _sums(codes: Codes) -> Hashes:
    """Running sums of characters times powers: the difference of two is the hash of what stands between."""
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum(codes * _powers(len(codes) + 1)[0][: len(codes)], out=sums[1:])
    return sums


def _hash_of(text: str) -> int:
    return sum(ord(character) * pow(_BASE, at, 1 << 64) for at, character in enumerate(text)) * _STIR & _WHOLE


_POWERS: list[Hashes] = [np.ones(1, dtype=np.uint64), np.ones(1, dtype=np.uint64)]


def _powers(size: int) -> tuple[Hashes, Hashes]:
    """The powers of the base, and those of its inverse times what stirs a hash, as far as they are needed."""
    if len(_POWERS[0]) < size:
        longer = 1 << size.bit_length()
        for at, (first, base) in enumerate(((1, _BASE), (_STIR, pow(_BASE, -1, 1 << 64)))):
            steps = np.full(longer, base, dtype=np.uint64)
            steps[0] = first
            _POWERS[at] = np.cumprod(steps)
    return _POWERS[0], _POWERS[1]
