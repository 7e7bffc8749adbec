"""How soon somebody should look at a post: 0 (can wait) to 100 (now).

Rules say what is at stake (self-harm, safety, legal, security, outage, hurry, leaving:
`lexicons/<code>/urgency.txt`), models how likely the writer speaks of it as their own trouble. With p the
strongest phrase's points, m the more likely of complaint and request for help, n the chance of negative feeling
and s the number of further kinds of phrases found:

    urgency = p · (0.55 + 0.45 · max(m, n)) + 5 · s    where a phrase was found,
    urgency = 35 · m · (0.5 + 0.5 · n)                 where none was,

whole numbers, 100 at most. Self-harm keeps all its points whatever the models say.
"""

from collections.abc import Mapping, Sequence
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
SMALL_BATCH = 256


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
def _finder() -> regex.Pattern[str]:
    known = phrases()
    whole = [phrase for phrase in known if not phrase.endswith("*")]
    endless = "|".join(
        sorted((regex.escape(phrase[:-1]) for phrase in known if phrase.endswith("*")), key=len, reverse=True)
    )
    return regex.compile(rf"\b(?:\L<whole>|(?P<open>{endless})\w*)\b", whole=whole)


@cache
def _anywhere() -> str:
    """A pattern for Arrow's own engine that no post with an alarm lacks; its word borders are those of ASCII."""
    return "|".join(sorted(regex.escape(phrase.rstrip("*"), special_only=True) for phrase in phrases()))


def alarms(folded: str) -> list[Alarm]:
    """Urgent phrases in a folded text, in reading order, none inside another."""
    found = []
    for match in _finder().finditer(folded):
        phrase = f"{match['open']}*" if match["open"] else match.group()
        kind, points = phrases()[phrase]
        found.append(Alarm(kind, phrase, points, match.start(), match.end()))
    return found


def level(found: Sequence[Alarm], *, wish: float, negative: float) -> int:
    """The urgency of one post from its alarms, the more likely of complaint and help, and its negative chance."""
    if not found:
        return round(35 * wish * (0.5 + 0.5 * negative))
    strongest = max(alarm.points for alarm in found)
    kinds = {alarm.kind for alarm in found}
    if CERTAIN in kinds:
        return min(100, round(strongest + 5 * (len(kinds) - 1)))
    return min(100, round(strongest * (0.55 + 0.45 * max(wish, negative)) + 5 * (len(kinds) - 1)))


def _alarming(folded: pa.Array) -> list[bool]:
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
        alarming = _alarming(folded)
        texts = folded.to_pylist()
        found = []
        for row, text in enumerate(texts):
            heard = alarms(text) if text and alarming[row] else ()
            found.append(level(heard, wish=float(wish[row]), negative=float(negative[row])) if text else 0)
        return batch.append_column("urgency", pa.array(found, pa.int8()))
