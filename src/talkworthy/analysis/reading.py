"""What a linear model sees of a text: hashed words, word pairs and character runs, and what the valence list says.

Every feature belongs to one piece (a run between blanks) or to two neighbouring pieces. Whatever a linear
model adds up can therefore be added up once a piece and be remembered (`scoring.py`): social text repeats
its words, so most of the work is done once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from talkworthy.analysis import words
from talkworthy.analysis.lexicons import NEGATORS, valences

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.uint32]

BITS = 18
WIDTH = 1 << BITS
_MASK = np.uint32(WIDTH - 1)
MOST_PIECES = 1500
NEGATION_REACH = 3
SHOUT = "\x01shout"
_SHOUT_HASH = words.mixed(np.array([words.word_hash(SHOUT)], np.uint32))[0]
BEGINNING = np.uint32(words.word_hash("\x02beginning"))
LONGEST_WORD = 60

CUES = (
    "balance of valence",
    "positive valence",
    "negative valence",
    "last valence",
    "strongest positive",
    "strongest negative",
    "no valence",
    "exclamation mark",
    "question mark",
    "length",
    "begins with a name",
    "holds a link",
    "holds a number",
)


@dataclass(frozen=True)
class Pieces:
    """Features of distinct pieces, one row each: places in the word table and in the character table.

    `marks` are flags (columns: "!", "?", name, link, digit).
    """

    words: sparse.csr_matrix
    characters: sparse.csr_matrix
    first: Numbers
    last: Numbers
    valence: Floats
    negates: npt.NDArray[np.bool_]
    marks: npt.NDArray[np.bool_]


def features_of(pieces: Sequence[str]) -> Pieces:
    """Features of each piece by itself, pairs of words within it included."""
    places: dict[str, int] = {}
    rows: list[int] = []
    columns: list[int] = []
    shouted: list[int] = []
    for row, piece in enumerate(pieces):
        for word in words.words(piece):
            rows.append(row)
            columns.append(places.setdefault(word.form[:LONGEST_WORD], len(places)))
            if words.shouts(piece[word.start : word.end]):
                shouted.append(row)
    owner, held = np.array(rows, np.int64), np.array(columns, np.int64)
    forms = list(places)
    hashes = np.fromiter(map(words.word_hash, forms), np.uint32, len(forms))
    first, last = np.zeros(len(pieces), np.uint32), np.zeros(len(pieces), np.uint32)
    last[owner] = hashes[held]  # the last one written wins
    first[owner[::-1]] = hashes[held[::-1]]
    inside = owner[1:] == owner[:-1]
    pairs = words.pair_hashes(hashes[held[:-1]][inside], hashes[held[1:]][inside])
    shouts = np.full(len(shouted), _SHOUT_HASH, np.uint32)
    numbers = np.concatenate([words.mixed(hashes)[held], pairs, shouts]) & _MASK
    word_table = _counts(
        np.concatenate([owner, owner[1:][inside], np.array(shouted, np.int64)]), numbers, len(pieces), WIDTH
    )
    gram, of_form = words.character_grams(forms)
    uses = _counts(owner, held.astype(np.uint32), len(pieces), max(len(forms), 1))
    character_table = (uses @ _counts(of_form, gram & _MASK, max(len(forms), 1), WIDTH)).tocsr()
    character_table.sort_indices()  # sums must not depend on which pieces came together
    signs = _signs(forms)
    told = np.asarray(uses @ signs, np.float32)
    return Pieces(word_table, character_table, first, last, told[:, 0], told[:, 1] > 0, told[:, 2:] > 0)


def _signs(forms: Sequence[str]) -> Floats:
    """By word: valence, whether it negates, then the marks (see Pieces)."""
    known = valences()
    found = np.zeros((max(len(forms), 1), 7), np.float32)
    for row, form in enumerate(forms):
        valence = known.get(form) or known.get(form.lstrip("#"), 0.0)
        if valence:
            found[row, 0] = valence
        if form in NEGATORS:
            found[row, 1] = 1
        if form == words.LINK:
            found[row, 5] = 1
        elif not (start := form[0]).isalpha():
            found[row, 2:] = start == "!", start in "?？؟", form == words.NAME, False, start.isdigit()
    return found


def _counts(rows: Places, columns: Numbers, height: int, width: int) -> sparse.csr_matrix:
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_matrix((ones, (rows, columns.astype(np.int64))), shape=(height, width))


def pairs_between(layout: "Layout", first: Numbers, last: Numbers) -> tuple[Places, Numbers]:
    """Pairs of words that reach over a blank, and each text's first word paired with its beginning.

    Returns which text each belongs to, ascending, and its place in the word table.
    """
    ids, owner = layout.ids, layout.owner
    if not len(ids):
        return np.zeros(0, np.int64), np.zeros(0, np.uint32)
    before = np.empty(len(ids), np.uint32)
    before[1:] = last[ids[:-1]]
    before[layout.starts[:-1][np.diff(layout.starts) > 0]] = BEGINNING
    return owner, words.pair_hashes(before, first[ids]) & _MASK


def cues(
    ids: Places,
    starts: Places,
    owner: Places,
    valence: Floats,
    negates: npt.NDArray[np.bool_],
    marks: npt.NDArray[np.bool_],
) -> Floats:
    """What the valence list and the signs say of each text: one column per name in CUES.

    A negator turns and weakens what stands within three pieces after it. `valence`, `negates` and `marks`
    are by distinct piece, `ids` and `owner` by piece in its text, `starts` has one more entry than texts.
    """
    texts = len(starts) - 1
    found = np.zeros((texts, len(CUES)), np.float32)
    if len(ids):
        value = _negated(valence[ids], negates[ids], owner)
        up, down = np.maximum(value, 0), np.maximum(-value, 0)
        positive = np.bincount(owner, up, texts).astype(np.float32)
        negative = np.bincount(owner, down, texts).astype(np.float32)
        balance = positive - negative
        found[:, 0] = balance / np.sqrt(balance * balance + 15)
        found[:, 1] = positive / (positive + 5)
        found[:, 2] = negative / (negative + 5)
        felt = np.flatnonzero(value)
        found[owner[felt], 3] = np.tanh(value[felt] / 2)  # the last one written wins
        np.maximum.at(found[:, 4], owner, up / 4)
        np.minimum.at(found[:, 5], owner, -down / 4)
        found[:, 6] = (positive + negative) == 0
        held = marks[ids]
        for column, mark in ((7, 0), (8, 1), (11, 3), (12, 4)):
            found[owner[held[:, mark]], column] = 1
        filled = np.flatnonzero(np.diff(starts) > 0)
        found[filled, 10] = held[starts[filled], 2]
    found[:, 9] = np.minimum(np.diff(starts), 40) / 40
    return found


def _negated(value: Floats, negates: npt.NDArray[np.bool_], owner: Places) -> Floats:
    at = np.flatnonzero(negates)
    if not len(at):
        return value
    turned = np.zeros(len(value), np.bool_)
    for reach in range(1, NEGATION_REACH + 1):
        inside = at[at + reach < len(value)]
        inside = inside[owner[inside] == owner[inside + reach]]
        turned[inside + reach] = True
    return np.where(turned, value * np.float32(-0.6), value)


@dataclass(frozen=True)
class Layout:
    """Which distinct pieces each text is made of: text i holds ids[starts[i]:starts[i + 1]]."""

    ids: Places
    starts: Places
    owner: Places


def lay_out(texts: Sequence[str], rows: dict[str, int], fresh: list[str]) -> Layout:
    """Number the pieces of each text, adding those not yet in `rows` to it and to `fresh`."""
    ids: list[int] = []
    starts = np.zeros(len(texts) + 1, np.int64)
    for number, text in enumerate(texts):
        held = words.pieces(text)
        if len(held) > MOST_PIECES:
            held = held[:MOST_PIECES]
        try:
            ids += [rows[piece] for piece in held]
        except KeyError:
            for piece in held:
                if piece not in rows:
                    rows[piece] = len(rows)
                    fresh.append(piece)
            ids += [rows[piece] for piece in held]
        starts[number + 1] = len(ids)
    return Layout(np.array(ids, np.int64), starts, np.repeat(np.arange(len(texts)), np.diff(starts)))


def design(texts: Sequence[str], rarity: Mapping[str, Floats]) -> tuple[sparse.csr_matrix, Floats]:
    """The plain feature matrix of texts for training: word block and character block side by side, and the cues.

    `rarity` holds a weight per place for "words" and "characters"; each block is scaled to length one
    (a word that is repeated counts as two different ones, so that lengths can be added up).
    """
    rows: dict[str, int] = {}
    fresh: list[str] = []
    layout = lay_out(texts, rows, fresh)
    of_pieces = features_of(fresh)
    held = _counts(layout.owner, layout.ids.astype(np.uint32), len(texts), max(len(fresh), 1))
    owner, places = pairs_between(layout, of_pieces.first, of_pieces.last)
    word_block = (held @ of_pieces.words if fresh else sparse.csr_matrix((len(texts), WIDTH))) + _counts(
        owner, places, len(texts), WIDTH
    )
    character_block = held @ of_pieces.characters if fresh else sparse.csr_matrix((len(texts), WIDTH))
    blocks = [_scaled(word_block, rarity["words"]), _scaled(character_block, rarity["characters"])]
    found = cues(layout.ids, layout.starts, layout.owner, of_pieces.valence, of_pieces.negates, of_pieces.marks)
    return sparse.hstack(blocks).tocsr(), found


def _scaled(block: sparse.csr_matrix, rarity: Floats) -> sparse.csr_matrix:
    length = np.sqrt(block @ (rarity * rarity))
    length[length == 0] = 1
    return sparse.diags((1 / length).astype(np.float32)) @ block @ sparse.diags(rarity)


def summed(places: Places, starts: Places, height: int) -> sparse.csr_matrix:
    """A matrix that adds up rows of a table of this height, in the order given: places[starts[i]:starts[i + 1]]."""
    return sparse.csr_matrix((np.ones(len(places), np.float32), places, starts), shape=(len(starts) - 1, height))
