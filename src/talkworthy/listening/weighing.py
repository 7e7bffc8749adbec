"""How far each counted account is heard: its reach, relevance and credibility, and its place among all. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from talkworthy.analysis import influence
from talkworthy.analysis.influence import COUNTS, Judged, Record, Sign
from talkworthy.analysis.voices import Voices

Floats = npt.NDArray[np.float64]
Counts = Mapping[str, float | None]

ENOUGH = 3
"""Posts that an account must have where nothing else is known of it."""


@dataclass(frozen=True)
class Weighed:
    """Every account's parts, a place each in the order of the voices; `influence` is None where it is undecided.

    `middles` are the counts of the middle account of each channel. `usual` is the share of posts that monitors found;
    None where they found none: then there is no topic, and everything counts as relevant.
    """

    counts: list[Counts]
    reach: Floats
    relevance: list[float]
    signs: list[tuple[Sign, ...]]
    credibility: list[float]
    influence: list[int | None]
    middles: Mapping[str, Counts]
    usual: float | None


def weighed(voices: Voices) -> Weighed:
    """Weigh accounts, each beside the middle one of its channel."""
    counts = _counts(voices)
    channels = np.array(voices.channels, dtype=object)
    middles: dict[str, Floats] = {}
    reach = np.full(len(voices), 0.5)
    for channel in sorted(set(voices.channels)):
        rows = np.flatnonzero(channels == channel)
        middles[channel] = _middle(counts[rows])
        reach[rows] = _reach(counts[rows], middles[channel])
    usual = float(voices.found.sum() / voices.posts.sum()) if voices.found.any() else None
    relevance = [
        1.0 if usual is None else influence.relevance(found, posts, usual=usual)
        for found, posts in zip(voices.found.tolist(), voices.posts.tolist(), strict=True)
    ]
    signs = [influence.signs(_record(voices, place)) for place in range(len(voices))]
    credibility = [influence.credibility(found) for found in signs]
    wholes = np.array([influence.whole(*parts) for parts in zip(reach.tolist(), relevance, credibility, strict=True)])
    places: list[int | None] = [None] * len(voices)
    decided = np.flatnonzero(_is_decided(voices, channels))
    for place, percentile in zip(decided.tolist(), influence.percentiles(wholes[decided]).tolist(), strict=True):
        places[place] = percentile
    return Weighed(
        counts=list(_told(counts)),
        reach=reach,
        relevance=relevance,
        signs=signs,
        credibility=credibility,
        influence=places,
        middles={channel: next(_told(middle[None])) for channel, middle in middles.items()},
        usual=usual,
    )


def judged_beside(counts: Counts, middle: Counts) -> Judged:
    """The reach of an account with every term that led to it."""
    return influence.judged(counts, middle)


def _counts(voices: Voices) -> Floats:
    """Counts in the order of COUNTS, NaN where they are not known.

    Who is named by a thousand people is heard further than who is named a thousand times by one: so people who act on
    an account stand for the mentions that it received.
    """
    known = {
        "follower_count": voices.followers,
        "following_count": voices.following,
        "mentions_received": influence.people_heard(voices.people.astype(float), voices.rank, len(voices.edges)),
        "retweets_received": voices.shares_received.astype(float),
        "mentions_sent": voices.answering.astype(float),
        "retweets_sent": voices.shared.astype(float),
        "posts": voices.posts.astype(float),
    }
    unknown = np.full(len(voices), np.nan)
    found = np.stack([known.get(name, unknown) for name in COUNTS], axis=1)
    return np.where(found < 0, np.nan, found)


def _middle(counts: Floats) -> Floats:
    found = np.full(counts.shape[1], np.nan)
    known = ~np.isnan(counts).all(axis=0)
    found[known] = np.nanmedian(counts[:, known], axis=0)
    return found


def _reach(counts: Floats, middle: Floats) -> Floats:
    """The chance of each beside the middle; accounts of which the same counts are known are judged at once."""
    known = ~np.isnan(counts) & ~np.isnan(middle)
    reach = np.full(len(counts), 0.5)
    for pattern in np.unique(known, axis=0):
        rows = np.flatnonzero((known == pattern).all(axis=1))
        first = np.where(pattern, counts[rows], np.nan)
        reach[rows] = influence.judged_pairs(first, np.broadcast_to(middle, first.shape))
    return reach


def _is_decided(voices: Voices, channels: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    """Whether enough is known: followers are told, or somebody acts on the account.

    Or it wrote ENOUGH posts in a channel where people do act on each other: then that nobody acts on it says something.
    """
    lively = set(channels[voices.people > 0].tolist())
    silent = np.array([channel in lively for channel in voices.channels], np.bool_) & (voices.posts >= ENOUGH)
    return ~np.isnan(voices.followers) | (voices.people > 0) | silent


def _record(voices: Voices, place: int) -> Record:
    def flag(values: Floats) -> bool | None:
        return None if np.isnan(values[place]) else bool(values[place])

    def number(values: Floats) -> int | None:
        return None if np.isnan(values[place]) or values[place] < 0 else int(values[place])

    return Record(
        posts=int(voices.posts[place]),
        days=voices.days(place),
        answered=int(voices.answered[place]),
        copies=int(voices.copies[place]),
        followers=number(voices.followers),
        following=number(voices.following),
        verified=flag(voices.verified),
        automated=flag(voices.automated),
    )


def _told(counts: Floats) -> Iterator[Counts]:
    for row in counts.tolist():
        yield {name: round(value, 3) for name, value in zip(COUNTS, row, strict=True) if value == value}
