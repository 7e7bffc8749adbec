"""How soon somebody should look at a post: 0 (can wait) to 100 (now).

Rules say what is at stake (self-harm, safety, legal, security, outage, hurry, leaving:
`lexicons/<code>/urgency.txt`), models how likely the writer speaks of it as their own trouble. With p the
strongest phrase's points, m the more likely of complaint and request for help, n the chance of negative feeling
(its odds halved, for of posts fewer are negative than one in three) and s the number of further kinds of phrases found:

    urgency = p · (0.55 + 0.45 · max(m, n)) + 5 · s    where a phrase was found,
    urgency = 35 · m · (0.5 + 0.5 · n)                 where none was,

whole numbers, 100 at most. Self-harm keeps all its points whatever the models say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex

from talkworthy.analysis import lexicons
from talkworthy.analysis.heads import Heads, shipped
from talkworthy.analysis.tiers import FAST, Tier
from talkworthy.query import tokens

Floats = npt.NDArray[np.float32]

CERTAIN = "self-harm"
INNOCENT = "innocent"
RARE = 0.5
"""What odds of negative feeling are worth: sentiment answers as if feelings were equally frequent, and it is rarer."""
SMALL_BATCH = 256
ANY = "..."  # as folding writes …
GAP = r"\W+(?:\w+\W+){0,4}?"
CLAUSE = regex.compile(r"[.,;:!?…()\n]|\b(?:but|and|aber|und|pero|mais)\b")
REACH = 60
"""Letters before a phrase in which a negation may stand."""


@dataclass(frozen=True)
class Alarm:
    """One phrase found: its kind, points, and where it stands in the folded text."""

    kind: str
    phrase: str
    points: float
    start: int
    end: int


@cache
def phrases() -> Mapping[str, tuple[str, float]]:
    """All phrases of all languages as folded text, with their kind and points; the higher points win."""
    found: dict[str, tuple[str, float]] = {}
    for language in lexicons.languages("urgency"):
        kind = ""
        for phrase, points in lexicons.entries(language, "urgency"):
            if phrase.startswith("@"):
                kind = phrase[1:]
                continue
            folded = tokens.folded(None, phrase)
            if folded not in found or found[folded][1] < points:
                found[folded] = (kind, points)
    return found


@cache
def _sought() -> tuple[tuple[str, str], ...]:
    """Each phrase with the longest piece that a text with it must hold: first the loose ones, of them the innocent
    before all, then those that are written out; the longest first.
    """
    loose = {one for one, (kind, _) in phrases().items() if ANY in one or one.endswith("*") or kind == INNOCENT}
    order = sorted(phrases(), key=lambda one: (one not in loose, one in loose and not _is_innocent(one), -len(one)))
    return tuple((one, _longest_piece(one)) for one in order)


def _is_innocent(phrase: str) -> bool:
    return phrases()[phrase][0] == INNOCENT


def _longest_piece(phrase: str) -> str:
    return max(phrase.rstrip("*").split(ANY), key=len).strip()


def expression(phrase: str) -> str:
    """What a phrase stands for, as an expression: up to four words where it has a gap, any ending where it has *."""
    pieces = (regex.escape(piece.strip().rstrip("*"), special_only=True) for piece in phrase.split(ANY))
    ending = r"\w*" if phrase.endswith("*") else ""
    return f"{GAP.join(pieces)}{ending}"


@cache
def _pattern(phrase: str) -> regex.Pattern[str]:
    return regex.compile(rf"\b{expression(phrase)}\b")


@cache
def _anywhere() -> str:
    """A pattern for Arrow's own engine that no post with an alarm lacks; its word borders are those of ASCII."""
    pieces = {_longest_piece(phrase) for phrase in phrases()}
    return "|".join(sorted(regex.escape(piece, special_only=True) for piece in pieces))


def alarms(folded: str) -> list[Alarm]:
    """Urgent phrases in a folded text, in reading order, none inside another and none that is denied.

    Of self-harm, what is denied counts too: whoever says that they do not think of it speaks of it.
    """
    heard = []
    for phrase, start, end in found(folded):
        kind, points = phrases()[phrase]
        if kind != INNOCENT and (kind == CERTAIN or not _is_denied(folded[:start])):
            heard.append(Alarm(kind, phrase, points, start, end))
    return heard


def found(folded: str) -> Iterator[tuple[str, int, int]]:
    """Phrases in reading order, none inside another; of those that begin at one place the first of `_sought`.

    One expression of them all would do the same, and try each phrase at each word.
    """
    patterns = [(phrase, _pattern(phrase)) for phrase, piece in _sought() if piece in folded]
    waiting = [(match, phrase, pattern) for phrase, pattern in patterns if (match := pattern.search(folded))]
    while waiting:
        first, phrase, _ = min(waiting, key=lambda held: held[0].start())
        yield phrase, first.start(), first.end()
        waiting = [
            (later, phrase, pattern)
            for match, phrase, pattern in waiting
            if (later := match if match.start() >= first.end() else pattern.search(folded, first.end()))
        ]


def _is_denied(before: str) -> bool:
    """Whether one of the two words before a phrase, in the same clause, says that it is not so."""
    clause = CLAUSE.split(before[-REACH:])[-1]
    return not lexicons.denials().isdisjoint(clause.split()[-2:])


def level(found: Sequence[Alarm], *, wish: float, negative: float) -> int:
    """The urgency of one post from its alarms, the more likely of complaint and help, and its negative chance."""
    felt = RARE * negative / (RARE * negative + 1 - negative)
    if not found:
        return round(35 * wish * (0.5 + 0.5 * felt))
    strongest = max(alarm.points for alarm in found)
    kinds = {alarm.kind for alarm in found}
    if CERTAIN in kinds:
        return min(100, round(strongest + 5 * (len(kinds) - 1)))
    return min(100, round(strongest * (0.55 + 0.45 * max(wish, felt)) + 5 * (len(kinds) - 1)))


def levels(texts: Sequence[str], tier: str = FAST) -> npt.NDArray[np.int8]:
    """The urgency of texts as the pipeline says it."""
    nothing = [""] * len(texts)
    batch = pa.record_batch(
        {
            "title": pa.array(nothing),
            "text": pa.array(texts, pa.string()),
            "folded": pa.array(tokens.folded_all(nothing, list(texts)), pa.string()),
        }
    )
    answered: npt.NDArray[np.int8] = Urgency(tier=Tier(tier, shipped())).annotate(batch).column("urgency").to_numpy()
    return answered


def may_alarm(folded: pa.Array) -> list[bool]:
    """Which posts may hold an alarm; a small batch is not worth making Arrow's expression for."""
    if len(folded) < SMALL_BATCH:
        return [True] * len(folded)
    found: list[bool] = pc.match_substring_regex(folded, _anywhere()).fill_null(False).to_pylist()
    return found


class Urgency:
    """Fills `urgency`."""

    name = "urgency"
    requires = ("title", "text", "folded")
    assigns = ("urgency",)

    def __init__(self, heads: Heads | None = None, tier: Tier | None = None) -> None:
        self.heads = heads or shipped()
        self._tier = tier or Tier(FAST, self.heads)

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the column; a post without text is 0."""
        scored = self._tier.score_batch(batch).chances
        wish = np.maximum(scored["complaint"][:, 0], scored["help"][:, 0])
        negative = scored["sentiment"][:, 0]
        folded = batch.column("folded")
        alarming = may_alarm(folded)
        texts = folded.to_pylist()
        found = []
        for row, text in enumerate(texts):
            heard = alarms(text) if text and alarming[row] else ()
            found.append(level(heard, wish=float(wish[row]), negative=float(negative[row])) if text else 0)
        return batch.append_column("urgency", pa.array(found, pa.int8()))
