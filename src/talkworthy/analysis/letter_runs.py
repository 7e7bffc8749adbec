"""Words of many texts at once, and runs of one to five letters in them, as numbers that places of a table are made of.

All texts of a batch lie behind each other in one array of code points, so that no word is touched by itself: some
forty thousand sentences a second and core. Links, names, hashtags, digits and signs are not read, and of a text only
the first letters.
"""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import regex

from talkworthy.analysis import words

Places = npt.NDArray[np.int32]
Numbers = npt.NDArray[np.uint32]

LENGTHS = (1, 2, 3, 4, 5)
FAMILIES = (*(f"runs of {length}" for length in LENGTHS), "whole words")
MOST_READ = 160
"""Characters of a text that are read, once links and names are taken out: more no longer changes an answer."""
_MOST_CUT = 4 * MOST_READ

_UNREAD = re.compile(r"https?://[^\s\0]+|www\.[^\s\0]+|[@#][\w.\-]+")
_APOSTROPHES = (ord("'"), ord("’"))
_BORDER = ord(" ")
_LAST = 0x32400  # behind it stand no letters
_FACTOR = np.uint32(16777619)
_LENGTH_FACTOR = np.uint32(0x01000193)


@dataclass(frozen=True)
class LetterRuns:
    """What was read of some texts: by family the numbers, and where each text's begin (one entry more than texts).

    `letters` counts a text's letters, `scripts` (texts, scripts) those in each of the scripts that were asked for.
    """

    numbers: tuple[Numbers, ...]
    starts: tuple[Places, ...]
    letters: npt.NDArray[np.int64]
    scripts: npt.NDArray[np.int64]

    def places(self, family: int, height: int) -> Places:
        """Places of a family's numbers in a table of this height, a power of two."""
        spread = words.mixed(self.numbers[family] + np.uint32(family + 1) * _LENGTH_FACTOR)
        return (spread & np.uint32(height - 1)).astype(np.int32)


def letter_runs(texts: Sequence[str], scripts: tuple[str, ...] = ()) -> LetterRuns:
    """The words and runs of a batch of texts, in lower case; best with some hundred texts at a time."""
    codes, begin = _codes(texts)
    kinds = _kinds(scripts)[np.minimum(codes, _LAST - 1)]
    letter, inside = _inside(codes, begin, kinds)
    at = np.flatnonzero(inside)
    opens = np.ones(len(at), np.bool_)
    opens[1:] = at[1:] != at[:-1] + 1
    word = np.cumsum(opens, dtype=np.int32)  # numbered from one: so many borders stand before a letter
    lined = np.full(len(at) + len(at[opens]) + 1, _BORDER, np.uint32)
    placed = np.arange(len(at), dtype=np.int32) + word
    lined[placed] = np.where(codes[at] == _APOSTROPHES[1], _APOSTROPHES[0], codes[at])
    text_of_word = np.searchsorted(begin, at[opens], side="right") - 1
    words_before = np.searchsorted(text_of_word, np.arange(len(texts) + 1)).astype(np.int32)
    first = placed[opens]
    starts = np.append(first - 1, len(lined) - 1)[words_before]
    numbers, places = _runs(lined, placed, first, starts)
    numbers.append(_whole(lined[placed], np.flatnonzero(opens)))
    places.append(words_before)
    of = np.searchsorted(begin, np.flatnonzero(letter), side="right") - 1
    written = np.bincount(of, minlength=len(texts))
    width = len(scripts) + 2
    told = np.bincount(of * width + kinds[letter], minlength=len(texts) * width).reshape(len(texts), width)
    return LetterRuns(tuple(numbers), tuple(places), written, told[:, 2:])


def _codes(texts: Sequence[str]) -> tuple[Numbers, npt.NDArray[np.int64]]:
    """Code points of all texts, each closed by a zero, and where each text begins."""
    joined = "\0".join([text[:_MOST_CUT] for text in texts])
    if joined.count("\0") != len(texts) - 1:
        joined = "\0".join([text[:_MOST_CUT].replace("\0", " ") for text in texts])
    if "&" in joined:
        joined = html.unescape(joined)
    if any(sign in joined for sign in ("@", "#", "://", "www.")):
        joined = _UNREAD.sub(" ", joined)
    codes = np.frombuffer((joined.lower() + "\0").encode("utf-32-le", "surrogatepass"), np.uint32)
    return codes, np.concatenate([[0], np.flatnonzero(codes == 0)[:-1] + 1])


def _inside(
    codes: Numbers, begin: npt.NDArray[np.int64], kinds: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Which characters are letters that are read, and which stand inside a word (an apostrophe between two letters)."""
    within = np.arange(len(codes)) - np.repeat(begin, np.diff(begin, append=len(codes)))
    letter = (kinds > 0) & (within < MOST_READ)
    inside = letter.copy()
    between = np.flatnonzero((codes[1:-1] == _APOSTROPHES[0]) | (codes[1:-1] == _APOSTROPHES[1])) + 1
    inside[between[letter[between - 1] & letter[between + 1]]] = True
    return letter, inside


def _runs(lined: Numbers, placed: Places, first: Places, starts: Places) -> tuple[list[Numbers], list[Places]]:
    """Numbers of the runs of each length and where each text's begin; a run starts at a letter or a word's border."""
    if not len(placed):
        return [np.zeros(0, np.uint32) for _ in LENGTHS], [np.zeros(len(starts), np.int32) for _ in LENGTHS]
    closing = np.append(first[1:] - 1, len(lined) - 1).astype(np.int32)
    every = np.arange(len(lined) - 1, dtype=np.int32)
    room = np.repeat(closing, closing - first + 1) - every  # characters up to the border that closes the word
    numbers, places = [lined[placed]], [np.searchsorted(placed, starts).astype(np.int32)]
    at, rolling = every, lined[:-1]
    for length in LENGTHS[1:]:
        fits = room[at] >= length - 1
        at = at[fits]
        rolling = rolling[fits] * _FACTOR + lined[at + length - 1]
        numbers.append(rolling)
        places.append(np.searchsorted(at, starts).astype(np.int32))
    return numbers, places


def _whole(letters: Numbers, begins: npt.NDArray[np.intp]) -> Numbers:
    """One number a word: its letters times powers of a factor, so that all words are added up in one call."""
    if not len(letters):
        return np.zeros(0, np.uint32)
    depth = np.arange(len(letters)) - np.repeat(begins, np.diff(begins, append=len(letters)))
    return np.asarray(np.add.reduceat(letters * _powers()[depth], begins, dtype=np.uint32), np.uint32)


@cache
def _powers() -> Numbers:
    return np.multiply.accumulate(np.concatenate([[1], np.full(2 * MOST_READ, _FACTOR)]).astype(np.uint32))


@cache
def _kinds(scripts: tuple[str, ...]) -> npt.NDArray[np.uint8]:
    """By code point: 0 for no letter, 1 for a letter, from 2 on a letter of one of the scripts."""
    every = "".join(" " if 0xD800 <= code < 0xE000 else chr(code) for code in range(_LAST))
    found = np.zeros(_LAST, np.uint8)
    for kind, named in enumerate((r"[\p{L}\p{M}]", *(rf"\p{{Script={script}}}" for script in scripts)), 1):
        for match in regex.compile(f"(?:{named})+").finditer(every):
            held = found[match.start() : match.end()]
            held[:] = kind if kind == 1 else np.where(held > 0, kind, 0)
    return found
