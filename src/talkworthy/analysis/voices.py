"""The accounts of many posts: what each wrote, who answered and shared it, and the graph of that.

Posts are taken in piece by piece, so that only what is counted is held; a post that answers another is told from the
uid of that other, which must be among the posts. Pure: the same posts give the same counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.analysis.graph import Edges, edges_of, pagerank

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

POSTS = (
    "id",
    "uid",
    "channel",
    "author",
    "published_at",
    "in_reply_to",
    "repeats",
    "engagement_type",
    "mentions",
    "text_hash",
    "near_hash",
    "monitors",
)
"""The columns that are read."""
ACTS_KEPT = 20
"""Posts that are kept of each account as evidence: the newest that answer, share or name it."""
SHARE, ANSWER, MENTION = 0, 1, 2
"""What a post does with an account; of several that which stands first counts."""
_DIVIDER = "\x00"
_FACTS = ("followers", "following", "verified", "automated")


@dataclass(frozen=True)
class Voices:
    """Accounts, a place each in every array, and who acts on whom. NaN: the channel does not say.

    `acts` holds for each account the newest posts that act on it; `matched` counts its posts by monitor.
    """

    channels: list[str]
    accounts: list[str]
    handles: list[str]
    names: list[str]
    followers: Floats
    following: Floats
    verified: Floats
    automated: Floats
    posts: Ints
    """Posts of its own: what it merely shares is not counted."""
    shared: Ints
    """What it shares of others."""
    answering: Ints
    """Posts of its own that answer or name others."""
    copies: Ints
    answers_received: Ints
    mentions_received: Ints
    shares_received: Ints
    people: Ints
    """Different accounts that answer, share or name it."""
    answered: Ints
    """Its posts that somebody answered or shared."""
    rank: Floats
    first: Ints
    last: Ints
    """Microseconds since 1970 of its first and last post."""
    edges: Edges
    unresolved: int
    """Answers and shares of posts that are not among those read."""
    matched: Mapping[int, Ints]
    found: Ints
    """Its posts that any monitor found."""
    acts: "Acts"

    def __len__(self) -> int:
        return len(self.accounts)

    def days(self, place: int) -> float:
        """From an account's first post to its last."""
        return float(self.last[place] - self.first[place]) / 86_400e6


@dataclass(frozen=True)
class Acts:
    """Single acts, sorted by the account that is acted on and the newest first."""

    posts: Ints
    kinds: Ints
    starts: Ints

    def of(self, place: int) -> list[tuple[int, int]]:
        """The newest acts on an account: the number of the post, and what it does."""
        some = slice(int(self.starts[place]), min(int(self.starts[place + 1]), int(self.starts[place]) + ACTS_KEPT))
        return list(zip(self.posts[some].tolist(), self.kinds[some].tolist(), strict=True))


@dataclass
class Gathering:
    """Takes posts in (columns POSTS), and counts them when all are there.

    Of a post some 150 bytes are held: uids as numbers of 64 bits, and each word once a piece.
    """

    pieces: list[pa.Table] = field(default_factory=list)
    posts: int = 0
    """How many were taken in."""

    def add(self, posts: pa.Table | pa.RecordBatch) -> None:
        """Hold what is counted of some posts; those without an author are passed over."""
        table = pa.Table.from_batches([posts]) if isinstance(posts, pa.RecordBatch) else posts
        author = table["author"].combine_chunks()
        parts = {name: pc.struct_field(author, name) for name in ("id", "handle", "name", *_FACTS)}
        account = pc.coalesce(parts["id"], parts["handle"])
        channel = table["channel"].combine_chunks()
        whole = ("id", "published_at", "mentions", "text_hash", "near_hash", "monitors")
        kept = {name: table[name] for name in whole}
        kept |= {name: _numbered(table[name]) for name in ("uid", "in_reply_to", "repeats")}
        key = pc.binary_join_element_wise(channel, account, _DIVIDER)
        words = {"key": key, "channel": channel, "handle": parts["handle"], "name": parts["name"]}
        kept |= {name: _once_each(column) for name, column in words.items()}
        kept |= {name: parts[name] for name in _FACTS}
        kept["repost"] = pc.fill_null(pc.equal(table["engagement_type"], "REPOST"), False)
        piece = pa.table(kept).filter(pc.is_valid(key))
        self.posts += piece.num_rows
        self.pieces.append(piece)

    def voices(self) -> Voices:
        """Every account of the posts with its counts."""
        pieces, self.pieces = self.pieces, []
        if not self.posts:
            return _counted(_NOTHING, _NO_KEYS)
        posts = pa.concat_tables(pieces).unify_dictionaries()
        pieces.clear()
        posts = posts.sort_by("published_at").combine_chunks()
        self.pieces.append(posts)
        return _counted(posts, posts["key"].combine_chunks())


def _numbered(uids: pa.ChunkedArray) -> pa.Array:
    """Each uid as a number that stands for it in this process; two of ten million share one in a case of a million."""
    return pa.array([None if uid is None else hash(uid) for uid in uids.to_pylist()], pa.int64())


def _once_each(words: pa.Array) -> pa.DictionaryArray:
    return words if pa.types.is_dictionary(words.type) else words.dictionary_encode()


_NOTHING = pa.table(
    {
        "id": pa.array([], pa.int64()),
        "uid": pa.array([], pa.int64()),
        "published_at": pa.array([], pa.timestamp("us", tz="UTC")),
        "in_reply_to": pa.array([], pa.int64()),
        "repeats": pa.array([], pa.int64()),
        "mentions": pa.array([], pa.list_(pa.string())),
        "text_hash": pa.array([], pa.int64()),
        "near_hash": pa.array([], pa.int64()),
        "monitors": pa.array([], pa.list_(pa.int32())),
        "key": pa.array([], pa.string()),
        "channel": pa.array([], pa.string()),
        "handle": pa.array([], pa.string()),
        "name": pa.array([], pa.string()),
        "followers": pa.array([], pa.int64()),
        "following": pa.array([], pa.int64()),
        "verified": pa.array([], pa.bool_()),
        "automated": pa.array([], pa.bool_()),
        "repost": pa.array([], pa.bool_()),
    }
)
_NO_KEYS = pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))


def _counted(posts: pa.Table, keys: pa.DictionaryArray) -> Voices:
    who = keys.indices.to_numpy().astype(np.int64)
    names = keys.dictionary.to_pylist()
    many = len(names)
    own = ~_bools(posts["repost"])
    times = posts["published_at"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    act = _acts(posts, keys)
    graph = edges_of(act.who, act.whom, nodes=many)
    others = act.who != act.whom
    answered = np.zeros(posts.num_rows, np.bool_)
    answered[act.post[(act.post >= 0) & others]] = True
    first, last = np.full(many, np.iinfo(np.int64).max), np.zeros(many, np.int64)
    np.minimum.at(first, who, times)
    np.maximum.at(last, who, times)
    monitors, found = _matched(posts["monitors"], who, own, many)
    return Voices(
        channels=[name.partition(_DIVIDER)[0] for name in names],
        accounts=[name.partition(_DIVIDER)[2] for name in names],
        handles=_newest_words(posts["handle"], who, many),
        names=_newest_words(posts["name"], who, many),
        **{name: _newest(posts[name], who, many) for name in _FACTS},
        posts=np.bincount(who[own], minlength=many),
        shared=np.bincount(who[~own], minlength=many),
        answering=np.bincount(who[act.does_answer & own], minlength=many),
        copies=np.bincount(who[_copies(posts) & own], minlength=many),
        answers_received=_received(act, ANSWER, others, many),
        mentions_received=_received(act, MENTION, others, many),
        shares_received=_received(act, SHARE, others, many),
        people=np.bincount(graph.targets, minlength=many),
        answered=np.bincount(who[answered & own], minlength=many),
        rank=pagerank(graph),
        first=first,
        last=last,
        edges=graph,
        unresolved=act.unresolved,
        matched=monitors,
        found=found,
        acts=_kept(act, posts["id"].to_numpy(), others, many),
    )


@dataclass(frozen=True)
class _Acts:
    """Single acts: who, on whom, what, by which row, on which row's post (-1: the account is named, no post)."""

    who: Ints
    whom: Ints
    kind: Ints
    row: Ints
    post: Ints
    does_answer: Bools
    """For each post whether it answers or names another."""
    unresolved: int


def _acts(posts: pa.Table, keys: pa.DictionaryArray) -> _Acts:
    """Shares, answers and mentions as acts on accounts, each post on each account once."""
    author = keys.indices.to_numpy().astype(np.int64)
    pieces, unresolved = [], 0
    for kind, name in ((SHARE, "repeats"), (ANSWER, "in_reply_to")):
        target = pc.index_in(posts[name], posts["uid"])
        target = target.combine_chunks() if isinstance(target, pa.ChunkedArray) else target
        rows = np.flatnonzero(target.is_valid().to_numpy(zero_copy_only=False))
        places = target.drop_null().to_numpy().astype(np.int64)
        unresolved += int(pc.sum(posts[name].is_valid()).as_py() or 0) - len(rows)
        pieces.append((rows, places, author[places], np.full(len(rows), kind)))
    rows, named = _named(posts, keys)
    pieces.append((rows, np.full(len(rows), -1), named, np.full(len(rows), MENTION)))
    row, post, whom, kinds = (np.concatenate([piece[part] for piece in pieces]) for part in range(4))
    order = np.lexsort((kinds, whom, row))
    row, post, whom, kinds = row[order], post[order], whom[order], kinds[order]
    once = np.ones(len(row), np.bool_)
    once[1:] = (row[1:] != row[:-1]) | (whom[1:] != whom[:-1])
    row, post, whom, kinds = row[once], post[once], whom[once], kinds[once]
    answers = np.zeros(posts.num_rows, np.bool_)
    answers[row[(kinds != SHARE) & (author[row] != whom)]] = True
    return _Acts(author[row], whom, kinds, row, post, answers, unresolved)


def _named(posts: pa.Table, keys: pa.DictionaryArray) -> tuple[Ints, Ints]:
    """Rows that name an account by its handle, and that account: the one that last used the handle in the channel."""
    lists = posts["mentions"].combine_chunks()
    rows = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    if not len(rows):
        return rows, rows
    channel, handle = (_spelt(posts[name].combine_chunks()) for name in ("channel", "handle"))
    written = pc.utf8_lower(pc.utf8_ltrim(pc.list_flatten(lists), "@"))
    wanted = pc.binary_join_element_wise(channel.take(pa.array(rows)), written, _DIVIDER)
    handles = pc.binary_join_element_wise(channel, pc.utf8_lower(handle), _DIVIDER)
    encoded = handles.dictionary_encode()
    used = np.flatnonzero(encoded.indices.is_valid().to_numpy(zero_copy_only=False))
    owner = np.zeros(len(encoded.dictionary), np.int64)
    owner[encoded.indices.drop_null().to_numpy()] = keys.indices.to_numpy().astype(np.int64)[used]
    place = pc.index_in(wanted, encoded.dictionary)
    known = place.is_valid().to_numpy(zero_copy_only=False)
    return rows[known], owner[place.drop_null().to_numpy()]


def _spelt(words: pa.Array) -> pa.Array:
    return words.dictionary_decode() if pa.types.is_dictionary(words.type) else words


def _copies(posts: pa.Table) -> Bools:
    """Posts whose text was there before: the same, or nearly."""
    texts = posts["text_hash"].combine_chunks()
    valid = texts.is_valid().to_numpy(zero_copy_only=False)
    values = texts.fill_null(0).to_numpy()
    rows = np.flatnonzero(valid)
    _, first = np.unique(values[rows], return_index=True)
    again = valid.copy()
    again[rows[first]] = False
    near = posts["near_hash"].combine_chunks()
    like = pc.fill_null(pc.not_equal(near, texts), False).to_numpy(zero_copy_only=False)
    return np.asarray(again | like, np.bool_)


def _matched(lists: pa.ChunkedArray, who: Ints, own: Bools, many: int) -> tuple[dict[int, Ints], Ints]:
    joined = lists.combine_chunks()
    rows = pc.list_parent_indices(joined).to_numpy().astype(np.int64)
    numbers = pc.list_flatten(joined).to_numpy().astype(np.int64)
    rows, numbers = rows[own[rows]], numbers[own[rows]]
    counted = {int(number): np.bincount(who[rows[numbers == number]], minlength=many) for number in np.unique(numbers)}
    return counted, np.bincount(who[np.unique(rows)], minlength=many)


def _received(act: _Acts, kind: int, others: Bools, many: int) -> Ints:
    return np.bincount(act.whom[others & (act.kind == kind)], minlength=many)


def _kept(act: _Acts, ids: Ints, others: Bools, many: int) -> Acts:
    whom, row, kind = act.whom[others], act.row[others], act.kind[others]
    order = np.lexsort((-row, whom))
    starts = np.concatenate(([0], np.cumsum(np.bincount(whom, minlength=many)))).astype(np.int64)
    return Acts(ids[row[order]], kind[order], starts)


def _newest(values: pa.ChunkedArray, who: Ints, many: int) -> Floats:
    """The last value that each account was seen with; rows are in the order of time."""
    found = np.full(many, np.nan)
    valid = values.is_valid().to_numpy()
    found[who[valid]] = values.drop_null().cast(pa.float64(), safe=False).to_numpy()
    return found


def _newest_words(values: pa.ChunkedArray, who: Ints, many: int) -> list[str]:
    joined = values.combine_chunks()
    rows = np.full(many, -1, np.int64)
    valid = np.flatnonzero(joined.is_valid().to_numpy(zero_copy_only=False))
    rows[who[valid]] = valid
    words = joined.take(pa.array(np.where(rows < 0, 0, rows))).to_pylist() if len(joined) else []
    return [word if row >= 0 and word else "" for word, row in zip(words, rows.tolist(), strict=True)]


def _bools(values: pa.ChunkedArray) -> Bools:
    return np.asarray(values.to_numpy(), np.bool_)
