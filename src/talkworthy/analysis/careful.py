"""The careful tier: a small transformer reads each text, heads of its own answer, and the fast tier's word counts too.

One encoder serves all heads. A text's answer depends on nothing but the text: texts of one length are read
together, and all products are whole numbers scaled by row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from talkworthy.analysis.registry import Arrays, Model, UnknownModel, model
from talkworthy.analysis.scoring import probabilities

Floats = npt.NDArray[np.float32]

ENCODER = "careful-encoder"
LONGEST, LONGEST_REPORT = 60, 96
REPORTS = ("issue-type",)
_CHARACTERS = 1_200
_AT_ONCE = 2_048
_STEP = 8
_BEGIN, _PADDING, _END = 0, 1, 2

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.I)
_NAME = re.compile(r"(?<!\w)@[\w.\-]*\w(?:@[\w.\-]+\w)?")
_BLANK = re.compile(r"\s+")


class NotInstalled(LookupError):
    """The careful tier was asked for, and its model is not there; use the fast one, or install the package whole."""

    def __init__(self) -> None:
        super().__init__("the careful tier is not installed: its model is missing; use the fast tier, or install anew")


def plain(text: str) -> str:
    """The text as the model reads it: links and names replaced, blanks single, the beginning of a long one."""
    return _BLANK.sub(" ", _NAME.sub("@user", _LINK.sub("http", text[:_CHARACTERS]))).strip()


class Encoder:
    """The network from the arrays of its file: texts in, vectors out, on so many threads."""

    def __init__(self, held: Arrays, *, threads: int = 1) -> None:
        # Both are large and slow to load: the fast tier must not pay for them.
        import onnxruntime
        from sentencepiece import SentencePieceProcessor

        self._pieces = SentencePieceProcessor(model_proto=held["pieces"].tobytes())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(
            held["network"].tobytes(), options, providers=["CPUExecutionProvider"]
        )

    def pieces(self, text: str, target: str = "", *, longest: int = LONGEST) -> list[int]:
        """Numbers of the pieces of a text, or of a text and what it speaks of, which is not cut."""
        after = [_END, _END, *self._cut(target), _END][: longest // 2] if target else [_END]
        return [_BEGIN, *self._cut(text)[: longest - 1 - len(after)], *after]

    def _cut(self, text: str) -> list[int]:
        found: list[int] = self._pieces.encode(plain(text))
        return found

    def vectors(self, pieces: Sequence[Sequence[int]]) -> Floats:
        """One vector a text."""
        found: Floats | None = None
        for places, length in _together(pieces):
            padded = np.full((len(places), length), _PADDING, np.int64)
            for row, place in enumerate(places):
                padded[row, : len(pieces[place])] = pieces[place]
            (read,) = self._session.run(["vectors"], {"pieces": padded})
            if found is None:
                found = np.zeros((len(pieces), read.shape[1]), np.float32)
            found[places] = read
        return np.zeros((0, 1), np.float32) if found is None else found


def _together(pieces: Sequence[Sequence[int]]) -> Iterator[tuple[list[int], int]]:
    """Places of texts of about one length, as many as are read at a time, and the length they are filled up to."""
    by_length: dict[int, list[int]] = {}
    for place, held in enumerate(pieces):
        by_length.setdefault(-(-len(held) // _STEP) * _STEP, []).append(place)
    for length, places in sorted(by_length.items()):
        size = max(_AT_ONCE // length, 1)
        for start in range(0, len(places), size):
            yield places[start : start + size], length


@dataclass(frozen=True)
class CarefulHead:
    """A head over the encoder's vectors; what the fast head of the same name says is added with its own weight."""

    model: Model
    weights: Floats
    bias: Floats
    fast: float

    def chances(self, vectors: Floats, said: Floats) -> Floats:
        """Probabilities from vectors and the fast tier's probabilities."""
        raw = vectors @ self.weights + self.bias + self.fast * odds(said)
        return probabilities(raw.astype(np.float32))


def odds(chances: Floats) -> Floats:
    """What a head adds up before it is made a probability, up to a constant: log odds, or logarithms."""
    safe = np.clip(chances, 1e-5, 1 - 1e-5)
    return np.asarray(np.log(safe / (1 - safe)) if chances.shape[1] == 1 else np.log(safe), np.float32)


def careful_name(name: str) -> str:
    """The name of the careful model that answers what the fast one of this name answers."""
    return f"careful-{name}"


@cache
def careful_head(name: str) -> CarefulHead:
    """The careful head that answers what the fast one of this name answers."""
    try:
        card = model(careful_name(name))
    except UnknownModel as error:
        raise NotInstalled from error
    return head_of(card, card.arrays())


def head_of(card: Model, held: Arrays) -> CarefulHead:
    """A head from the packed arrays of its file."""
    return CarefulHead(card, held["weights"].astype(np.float32), held["bias"], float(held["fast"][0]))


class CarefulScorer:
    """Scores texts by several careful heads, which share one reading."""

    def __init__(self, names: Sequence[str], *, encoder: Encoder) -> None:
        self.heads = {name: careful_head(name) for name in names}
        self._encoder = encoder
        self._longest = LONGEST_REPORT if any(name in REPORTS for name in names) else LONGEST

    def score(
        self, texts: Sequence[str], said: Mapping[str, Floats], targets: Sequence[str] | None = None
    ) -> dict[str, Floats]:
        """Probabilities by head name; `said` are those of the fast tier. A text without a piece keeps the latter."""
        pieces = [
            self._encoder.pieces(text, target, longest=self._longest)
            for text, target in zip(texts, targets or [""] * len(texts), strict=True)
        ]
        if not pieces:
            return dict(said)
        vectors = self._encoder.vectors(pieces)
        empty = np.array([len(held) <= 2 for held in pieces])[:, None]
        return {
            name: np.where(empty, said[name], head.chances(vectors, said[name])).astype(np.float32)
            for name, head in self.heads.items()
        }


@cache
def encoder(threads: int = 1) -> Encoder:
    """The one encoder of this process; NotInstalled where its file is missing."""
    try:
        return Encoder(model(ENCODER).arrays(), threads=threads)
    except UnknownModel as error:
        raise NotInstalled from error


@cache
def careful_scorer(names: tuple[str, ...]) -> CarefulScorer:
    """The one scorer of these heads."""
    return CarefulScorer(names, encoder=encoder())
