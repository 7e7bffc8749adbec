"""Text as the models read it: pieces between blanks, the words in them, and the numbers of both.

Numbers are 32-bit hashes that are the same on every machine; a model uses their lower bits as table places.
"""

import html
import re
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex

Numbers = npt.NDArray[np.uint32]
Places = npt.NDArray[np.int64]

LINK, NAME = "http", "@user"
LONGEST_PIECE = 2000
CHARACTER_GRAMS = (2, 3, 4, 5)

_WORDS = regex.compile(
    r"(?:https?://|www\.)\S+"
    r"|@[\w][\w.\-]*"
    r"|\#[\w]+"
    r"|[:;=8xX]['’]?[\-o^]?[)(\]\[dDpP/\\|3*]+(?!\w)|<3+|\^_?\^"
    r"|[\w]+(?:['’][\w]+)*"
    r"|(?:[\p{Emoji_Presentation}\p{Extended_Pictographic}][\ufe0f\U0001F3FB-\U0001F3FF]?)"
    r"|([!?.,…\-])\1*"
    r"|[^\w\s]",
    regex.V1,
)
_LINKS = re.compile(r"(?:https?://|www\.)\S+")
_NAMES = re.compile(r"@\w[\w.\-]*")
_STRETCH = re.compile(r"(\w)\1{2,}")
_CLOSING = frozenset("!?.,")


class Word(NamedTuple):
    """One word as written, where it stands in its piece, and the form that the models know."""

    form: str
    start: int
    end: int


def pieces(text: str) -> list[str]:
    """What stands between blanks, with HTML entities undone; links and names are all alike already."""
    if "&" in text:
        text = html.unescape(text)
    if "://" in text or "www." in text:
        text = _LINKS.sub(LINK, text)
    if "@" in text:
        text = _NAMES.sub(NAME, text)
    return text.split()


def words(piece: str) -> list[Word]:
    """The words, signs and emoji of a piece; links and names are all alike, stretched letters are cut to two."""
    if len(piece) <= LONGEST_PIECE and piece.isascii():  # most pieces are one word, or one and a sign
        if piece.isalpha():
            return [Word(_unstretched(piece.lower()), 0, len(piece))]
        if piece[-1:] in _CLOSING and piece[:-1].isalpha():
            end = len(piece) - 1
            return [Word(_unstretched(piece[:-1].lower()), 0, end), Word(piece[-1], end, end + 1)]
    return read_words(piece)


def read_words(piece: str) -> list[Word]:
    """As `words`, by the expression alone; a test holds the two together."""
    found = []
    for match in _WORDS.finditer(piece[:LONGEST_PIECE]):
        found.append(Word(_form(match.group()), match.start(), match.end()))
    return found


def _form(written: str) -> str:
    if written.startswith(("http://", "https://", "www.")):
        return LINK
    if written[0] == "@" and len(written) > 1:
        return NAME
    return _unstretched(written.lower().replace("’", "'"))


def _unstretched(form: str) -> str:
    return _STRETCH.sub(r"\1\1", form) if _STRETCH.search(form) else form


def shouts(written: str) -> bool:
    """Whether a word of three letters or more is in capitals."""
    return len(written) > 2 and written.isupper()


def word_hash(form: str) -> int:
    """The number of a whole word, the same on every machine."""
    return zlib.crc32(form.encode("utf-8", "surrogatepass"))


def pair_hashes(first: Numbers, second: Numbers) -> Numbers:
    """Numbers of neighbouring words from the numbers of both; order matters."""
    return mixed(first * np.uint32(0x9E3779B1) + second * np.uint32(0x85EBCA6B) + np.uint32(7))


def mixed(numbers: Numbers) -> Numbers:
    """Spread numbers over all 32 bits, so that any lower bits make a table index."""
    numbers = numbers ^ (numbers >> np.uint32(15))
    numbers = numbers * np.uint32(0x2C1B3C6D)
    numbers = numbers ^ (numbers >> np.uint32(12))
    numbers = numbers * np.uint32(0x297A2D39)
    return numbers ^ (numbers >> np.uint32(15))


def character_grams(forms: Sequence[str], lengths: Sequence[int] = CHARACTER_GRAMS) -> tuple[Numbers, Places]:
    """Numbers of all runs of characters in each word, borders included, and which word each belongs to."""
    if not forms:
        return np.zeros(0, np.uint32), np.zeros(0, np.int64)
    codes = np.frombuffer("".join(f"\x02{form}\x03" for form in forms).encode("utf-32-le", "surrogatepass"), np.uint32)
    sizes = np.fromiter((len(form) + 2 for form in forms), np.int64, len(forms))
    owner = np.repeat(np.arange(len(forms)), sizes)
    numbers, owners = [], []
    rolling = codes.copy()
    for length in range(1, max(lengths) + 1):
        if length > 1:
            rolling = rolling[:-1] * np.uint32(16777619) + codes[length - 1 :]
        if length not in lengths or not len(rolling):
            continue
        inside = owner[: len(rolling)] == owner[length - 1 :]
        numbers.append(mixed(rolling[inside] + np.uint32(length * 0x01000193)))
        owners.append(owner[: len(rolling)][inside])
    if not numbers:
        return np.zeros(0, np.uint32), np.zeros(0, np.int64)
    return np.concatenate(numbers), np.concatenate(owners)
