"""Posts of the same matter as one that is looked at: where they are looked for, how probable it is, and why.

The cost does not grow with the archive. Looked at are the five hundred posts before and after it in time, whatever
their words, and besides those that share one of its rarest words, in stretches around it that grow while time is left.
All are laid beside it at once: how rare a word is, is counted in them.
"""

import time
from collections import Counter
from collections.abc import Collection as Group
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from talkworthy.analysis.registry import model
from talkworthy.analysis.similarity import NAME as SIMILAR
from talkworthy.analysis.similarity import Collection, Shared, words_of
from talkworthy.archive import Archive, Scan
from talkworthy.learning.models import Pair, Sureness
from talkworthy.listening.selectors.names import whole
from talkworthy.listening.stores import archive_of
from talkworthy.query import tokens
from talkworthy.workspaces.models import Workspace

LEAST = 0.6
"""Probability from which posts are shown as of the same matter, until a workspace says another."""
UNSURE = 0.3
"""From here on they are doubtful: a few are offered to be judged."""
NEAR, SHARING = 500, 500
STRETCHES = tuple(timedelta(days=days) for days in (3, 30, 180, 1_800))
"""How far around the post, on either side, words are looked for."""
SECONDS = 1.5
RAREST, SHORTEST = 6, 4
COMMON = 0.05
"""A word of more than this share of the posts around it is not rare."""
SHOWN, DOUBTFUL = 6, 2
WEAK = 0.2
"""A word that does less than this part of what the strongest does is no reason."""
COLUMNS = ("id", "uid", "channel", "title", "text", "root", "in_reply_to", "text_hash", "near_hash", "published_at")

Post = Mapping[str, Any]


@dataclass(frozen=True)
class Alike:
    """A post beside the one that is looked at: the probability that both are of one matter, and what led to it."""

    post: Post
    probability: float
    words: tuple[str, ...]
    shared: Shared
    in_thread: bool
    pair: Pair | None
    """What somebody said of the two."""

    @property
    def in_words(self) -> float:
        """How much of their words, by their rarity, they share."""
        return dict(self.shared.looks)["words"]

    @property
    def in_meaning(self) -> float:
        """How close what they say is in general; never under nothing."""
        return max(0.0, dict(self.shared.looks)["meaning"])

    @property
    def in_matter(self) -> float:
        """How close their matters are; never under nothing."""
        return max(0.0, dict(self.shared.looks)["matter"])


@dataclass(frozen=True)
class Found:
    """What was found; `looked`: how many posts were laid beside it, `since`: how far back words were looked for."""

    alike: tuple[Alike, ...]
    doubtful: tuple[Alike, ...]
    looked: int
    since: datetime | None
    least: float


def least_of(workspace: Workspace) -> float:
    """From which probability on posts are shown as of the same matter."""
    own = Sureness.objects.filter(workspace=workspace, task=SIMILAR).values_list("least", flat=True).first()
    return LEAST if own is None else own


def alike(post: Post, workspace: Workspace, *, seconds: float = SECONDS) -> Found:
    """The posts most probably of the same matter; copies of it are none, and of a family of copies one stands."""
    least, text = least_of(workspace), whole(post["title"], post["text"])
    archive, pairs = archive_of(workspace), pairs_of(post, workspace)
    around = list(_once_each([*_before(archive, post), *_after(archive, post)], post))
    rare = rare_words(text, [whole(row["title"], row["text"]) for row in around])
    sharing, since = _sharing(archive, post, rare, seconds=seconds) if rare else ([], None)
    named = archive.named([_other(pair, post) for pair in pairs.values()]).select(list(COLUMNS)).to_pylist()
    rows = list(_once_each([*named, *around, *sharing], post, kept=pairs.keys()))
    texts = [whole(row["title"], row["text"]) for row in rows]
    if not text.strip() or not rows:
        return Found((), (), len(rows), since, least)
    beside = Collection([*texts, text]).beside(text)
    chances = beside.chances[: len(rows)]
    told: list[Alike] = []
    for place in sorted(range(len(rows)), key=lambda at: (rows[at]["uid"] not in pairs, -chances[at])):
        said = pairs.get(rows[place]["uid"])
        if said is None and (chances[place] < min(UNSURE, least) or len(told) > len(pairs) + SHOWN + DOUBTFUL):
            break
        shared = beside.why(place)
        words = words_in_common(shared, text)
        told.append(Alike(rows[place], float(chances[place]), words, shared, _is_in_thread(rows[place], post), said))
    sure = [one for one in told if (one.pair.same if one.pair else one.probability >= least)]
    unsure = [one for one in told if one.pair is None and one.probability < least]
    return Found(tuple(sure[: SHOWN + len(pairs)]), tuple(unsure[:DOUBTFUL]), len(rows), since, least)


def probability_of(post: Post, other: Post, workspace: Workspace) -> float:
    """The probability that two posts are of one matter, among the posts around the first."""
    archive = archive_of(workspace)
    rows = (other, post, *_before(archive, post), *_after(archive, post))
    texts = [whole(row["title"], row["text"]) for row in rows]
    return float(Collection(texts).probabilities([1], [0])[0])


def pairs_of(post: Post, workspace: Workspace) -> dict[str, Pair]:
    """What people said of a post and others, by the uid of the other."""
    mine = Q(first_uid=post["uid"]) | Q(second_uid=post["uid"])
    found = Pair.objects.filter(mine, workspace=workspace, ended_at=None).select_related("by")
    return {_other(pair, post): pair for pair in found}


def rare_words(text: str, around: Sequence[str], *, most: int = RAREST) -> list[str]:
    """The words of a text that fewest of the texts around it have, the rarest first and of these the longest."""
    held = Counter(word for other in around for word in set(words_of(other)))
    own = {word for word in words_of(text) if len(word) >= SHORTEST and word.isalpha()}
    rare = [word for word in own if held[word] <= max(COMMON * len(around), 1)]
    return sorted(rare, key=lambda word: (held[word], -len(word), word))[:most]


def words_in_common(shared: Shared, text: str, *, most: int = 5) -> tuple[str, ...]:
    """The words that do most to make two texts alike, as they are written in the first."""
    written = {word.lower(): word for word in text.replace("\n", " ").split(" ")}
    strongest = max((weight for _word, weight in shared.words), default=0.0)
    strong = [word for word, weight in shared.words if weight >= WEAK * strongest and len(word) > 2]
    return tuple(written.get(word, word) for word in strong)[:most]


def _before(archive: Archive, post: Post) -> list[Post]:
    rows: list[Post] = archive.table(Scan(columns=COLUMNS, before=post["id"], limit=NEAR)).to_pylist()
    return rows


def _after(archive: Archive, post: Post) -> list[Post]:
    scan = Scan(columns=COLUMNS, after=post["id"], limit=NEAR, order="oldest")
    rows: list[Post] = archive.table(scan).to_pylist()
    return rows


def _sharing(
    archive: Archive, post: Post, rare: Sequence[str], *, seconds: float
) -> tuple[list[Post], datetime | None]:
    """Posts with one of the words, the stretches nearest in time first, and how far back it looked."""
    begun, at = time.monotonic(), post["published_at"]
    found: list[Post] = []
    reached, sieve = at, (tuple(tokens.fold(word) for word in rare),)
    for inner, outer in zip((timedelta(0), *STRETCHES), STRETCHES, strict=False):
        for since, until in ((at - outer, at - inner), (at + inner, at + outer)):
            scan = Scan(columns=COLUMNS, since=since, until=until, contains=sieve, limit=SHARING - len(found))
            found += archive.table(scan).to_pylist()
            if len(found) >= SHARING:
                return found, reached
        reached = at - outer
        if time.monotonic() - begun > seconds:
            break
    oldest = archive.stats().oldest
    return found, max(reached, oldest) if oldest else reached


def _once_each(rows: Sequence[Post], post: Post, *, kept: Group[str] = ()) -> Iterator[Post]:
    """Each post once, of a family of copies one, and none of the post's own family; those that are kept always."""
    own = {post["uid"], post["text_hash"], post["near_hash"]} - {None}
    seen: set[Any] = set()
    for row in rows:
        family = {row["uid"], row["text_hash"], row["near_hash"]} - {None}
        is_new = row["uid"] in kept or not family & (own | seen)
        if row["uid"] not in seen and is_new and (row["text"] or row["title"]):
            seen |= family
            yield row


def _is_in_thread(row: Post, post: Post) -> bool:
    first = post["root"] or post["in_reply_to"] or post["uid"]
    return first in {row["root"], row["in_reply_to"], row["uid"]}


def _other(pair: Pair, post: Post) -> str:
    return pair.second_uid if pair.first_uid == post["uid"] else pair.first_uid


def version() -> str:
    """What answers, as a pair keeps it."""
    return f"{SIMILAR} {model(SIMILAR).version}"
