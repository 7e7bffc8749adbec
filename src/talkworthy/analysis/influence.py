"""How far an account is heard: reach × relevance × credibility, and which of two accounts people would call the louder.

What is said of a pair is a weighted sum of logarithms of ratios, one term a count, so every term can be shown:

    P(A is more influential than B) = 1 / (1 + e^-d),  d = Σ weight · ln((1 + count of A) / (1 + count of B))

The weights were learnt from pairs that people judged. Counts that a channel does not tell are left out; what they
would have said is expected from the counts that are known, as far as both went together where the weights were learnt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, log1p, log10

import numpy as np
import numpy.typing as npt

from talkworthy.analysis.registry import Model, model

Floats = npt.NDArray[np.float64]

NAME = "influence"
COUNTS = (
    "follower_count",
    "following_count",
    "listed_count",
    "mentions_received",
    "retweets_received",
    "mentions_sent",
    "retweets_sent",
    "posts",
    "network_feature_1",
    "network_feature_2",
    "network_feature_3",
)
"""What may be known of an account, in the order of the weights; the names are those of the judged pairs."""

LOOSENED = 0.1
"""So much of its own variance is added to each known count before the unknown ones are told from them: counts that
go together closely would else stand for each other with opposite signs."""
RANKED = 0.2
"""How much of "people who act on them" is PageRank; the rest is their plain number, which foretells shares better."""
SHRUNK = 3.0
"""So many posts of the usual kind are added before the share of posts on a topic is taken."""
LIKE_SHARE = 1 / 3
"""How much of relevance is likeness of meaning, where it was measured."""


@dataclass(frozen=True)
class Term:
    """One count's part in a judgement: what the sum gains by it, and the two counts that were compared."""

    count: str
    weight: float
    first: float
    second: float

    @property
    def gain(self) -> float:
        """What it adds to the sum: above 0 it speaks for the first."""
        return self.weight * (log1p(self.first) - log1p(self.second))


@dataclass(frozen=True)
class Judged:
    """Which of two is the more influential: the chance that it is the first, and every term, the strongest first."""

    probability: float
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Weights:
    """A weight a count, and how the counts of one account vary together (of their logarithms)."""

    values: Floats
    covariance: Floats

    def known(self, places: Sequence[int]) -> Floats:
        """The weights where only some counts are known: those of the others fall to what is known with them."""
        kept = list(places)
        rest = [place for place in range(len(self.values)) if place not in kept]
        if not kept or not rest:
            return self.values[kept]
        within = self.covariance[np.ix_(kept, kept)]
        within = within + LOOSENED * np.diag(np.diag(within))
        between = self.covariance[np.ix_(kept, rest)]
        return self.values[kept] + np.linalg.solve(within, between @ self.values[rest])


def judged(first: Mapping[str, float | None], second: Mapping[str, float | None]) -> Judged:
    """Compare two accounts by the counts of COUNTS that are known of both.

    A negative count raises ValueError. Where nothing is known the chance is a half.
    """
    for counts in (first, second):
        for name, count in counts.items():
            if count is not None and count < 0:
                raise ValueError(f"{name} cannot be {count}")
    known = tuple(
        place for place, name in enumerate(COUNTS) if first.get(name) is not None and second.get(name) is not None
    )
    terms = [
        Term(COUNTS[place], float(weight), float(first[COUNTS[place]] or 0), float(second[COUNTS[place]] or 0))
        for place, weight in zip(known, weights_for(known), strict=True)
    ]
    total = sum(term.gain for term in terms)
    return Judged(_chance(total), tuple(sorted(terms, key=lambda term: -abs(term.gain))))


def judged_pairs(first: Floats, second: Floats) -> Floats:
    """The chances of many pairs at once: rows of counts in the order of COUNTS, NaN in a column that is not known."""
    known = tuple(np.flatnonzero(~np.isnan(first).any(axis=0) & ~np.isnan(second).any(axis=0)).tolist())
    columns = list(known)
    ratios = np.log1p(first[:, columns]) - np.log1p(second[:, columns])
    chances: Floats = 1 / (1 + np.exp(-(ratios @ weights_for(known))))
    return chances


@cache
def weights_for(known: tuple[int, ...]) -> Floats:
    """The weights of the counts that are known, by their places in COUNTS."""
    arrays = card().arrays()
    return Weights(arrays["weights"], arrays["covariance"]).known(known)


def card() -> Model:
    """The model of pairs."""
    return model(NAME)


# The parts of an account's influence, each from 0 to 1


def people_heard(people: Floats, rank: Floats, edges: int) -> Floats:
    """People who act on an account, a fifth of it by PageRank: `rank` times `edges` is their number were all alike."""
    mixed: Floats = np.expm1((1 - RANKED) * np.log1p(people) + RANKED * np.log1p(rank * edges))
    return mixed


def relevance(matched: float, posts: float, *, usual: float, likeness: float | None = None) -> float:
    """How much of what an account says is on the topic.

    The share of its posts that match, drawn towards the `usual` share while there are few; where the likeness of its
    other words to the topic was measured, that counts a third.
    """
    share = (matched + SHRUNK * usual) / (posts + SHRUNK)
    return share if likeness is None else (1 - LIKE_SHARE) * share + LIKE_SHARE * max(0.0, likeness)


@dataclass(frozen=True)
class Sign:
    """One thing that speaks for believing an account (points above 0) or against it; `value` is what was seen."""

    name: str
    points: float
    value: float


@dataclass(frozen=True, kw_only=True)
class Record:
    """What was seen of an account, for judging whether it can be believed. None: the channel does not say."""

    posts: int
    days: float
    """From its first post that was collected to its last."""
    answered: int
    """Its posts that somebody answered, shared or was answered for."""
    copies: int
    """Its posts whose text somebody had posted before."""
    followers: int | None = None
    following: int | None = None
    verified: bool | None = None
    automated: bool | None = None


VERIFIED, AUTOMATED = 1.0, -3.0
ANSWERED, COPIED = 1.5, -4.0
FOLLOWS_MORE, KNOWN_FOR, HASTE = -1.0, 0.5, -1.0
LONG_KNOWN = 30.0
HASTY = 50.0


def signs(record: Record) -> tuple[Sign, ...]:
    """What speaks for believing an account and against it.

    The points are set, not learnt: no judgements of credibility were at hand. Each share is drawn towards nothing
    while there are few posts.
    """
    found = []
    if record.verified:
        found.append(Sign("verified", VERIFIED, 1.0))
    if record.automated:
        found.append(Sign("automated", AUTOMATED, 1.0))
    share = record.answered / (record.posts + SHRUNK)
    found.append(Sign("answered", ANSWERED * share, share))
    copied = record.copies / (record.posts + SHRUNK)
    if record.copies:
        found.append(Sign("copies", COPIED * copied, copied))
    if record.followers is not None and record.following is not None:
        ratio = (record.following + 10) / (record.followers + 10)
        if ratio > 1:
            found.append(Sign("follows more", FOLLOWS_MORE * min(1.0, log10(ratio) / 2), ratio))
    found.append(Sign("known for", KNOWN_FOR * min(1.0, record.days / LONG_KNOWN), record.days))
    pace = record.posts / max(1.0, record.days)
    if pace > HASTY:
        found.append(Sign("haste", HASTE * min(1.0, log10(pace / HASTY)), pace))
    return tuple(found)


def credibility(found: Sequence[Sign]) -> float:
    """How far an account may be believed: a half where nothing speaks for or against it."""
    return _chance(sum(sign.points for sign in found))


def whole(reach: float, relevant: float, credible: float) -> float:
    """The three as one: their geometric mean, so that each of them can sink it."""
    return float((reach * relevant * credible) ** (1 / 3))


def percentiles(scores: Floats) -> npt.NDArray[np.int64]:
    """Each score as its place among all, 0 to 100: the percentage that lies below it, equals counting half."""
    if not len(scores):
        return np.zeros(0, np.int64)
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    below = np.cumsum(counts) - counts / 2
    found: npt.NDArray[np.int64] = np.floor(100 * below[place] / len(scores)).astype(np.int64)
    return found


def _chance(total: float) -> float:
    return 1 / (1 + exp(-total)) if total >= 0 else exp(total) / (1 + exp(total))
