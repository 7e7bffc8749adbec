"""What rises: phrases, hashtags and links said by more voices than a stated baseline lets expect.

A voice is an author; a post without a known author is a voice of its own. Counting voices, not posts, keeps
one loud account from making a trend. Terms that stand in the same posts are variants of one meme. The score
is that of `trends.burst_score`; docs/formulas/bursts.md has it in words.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import inf
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex

from talkworthy.analysis import extraction
from talkworthy.analysis.trends import Burst, Window, burst, burst_score, expected
from talkworthy.query import tokens

Places = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

PHRASE, HASHTAG, LINK = "phrase", "hashtag", "link"
LONGEST_PHRASE = 5
COMMON = 0.02  # a word in more than this share of the baseline's posts neither begins nor ends a phrase
COMMON_NOW = 0.2  # the same share of the window's posts, where the baseline is too small to tell
ENOUGH_POSTS = 200
MOST_TOKENS = 200
CANDIDATES = 600
TOGETHER = 0.5  # terms that share this part of the rarer one's posts are one meme
SHOWN = 5
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_TRACKING = regex.compile(r"utm_\w+|fbclid|gclid|igshid|mc_[ce]id|ref|ref_src|s|si", regex.I)


@dataclass(frozen=True, order=True)
class Term:
    """A phrase, hashtag or link as it is counted: its kind, and its folded form."""

    kind: str
    text: str


@dataclass(frozen=True)
class Counts:
    """A baseline counted beforehand: voices in all, voices by term, and the words too common to begin a phrase."""

    voices: int
    terms: Mapping[Term, int]
    common: frozenset[str]


@dataclass(frozen=True)
class Carrier:
    """Who said it early: the post, its author (handle, name or id; None where unknown), and when."""

    uid: str
    author: str | None
    published_at: datetime


@dataclass(frozen=True)
class Variant:
    """Another form of the meme, and how many posts of the window hold it."""

    term: Term
    posts: int


@dataclass(frozen=True)
class Meme:
    """Something that rises. `before` and `expected` are voices; `uids` are all its posts, oldest first."""

    term: Term
    written: str
    score: float
    posts: int
    voices: int
    before: int
    expected: float
    variants: tuple[Variant, ...]
    burst: Burst | None
    carriers: tuple[Carrier, ...]
    examples: tuple[str, ...]
    uids: tuple[str, ...]


def rising(
    posts: pa.Table,
    baseline: pa.Table | Counts,
    *,
    window: Window,
    least_score: float = 2.0,
    least_voices: int = 3,
    most: int = 50,
    common: frozenset[str] = frozenset(),
) -> list[Meme]:
    """Memes of the posts in `window` that rise above the baseline, highest score first.

    `posts` has schema POST (rows outside the window are left out); `baseline` is a table of earlier posts, or
    their counts (`count_terms`). Shares of voices are compared, so the baseline may be longer or shorter than
    the window. A meme has the score of its highest form. Words of `common` (`common_words`) begin and end no phrase
    either: a short baseline does not know which words everybody uses.
    """
    times = posts.column("published_at")
    inside = pc.and_(pc.greater_equal(times, window.start), pc.less(times, window.end))
    posts = posts.filter(inside).sort_by([("published_at", "ascending"), ("uid", "ascending")])
    if not posts.num_rows:
        return []
    earlier = None if isinstance(baseline, Counts) else _read(baseline)
    now = _read(posts)
    common = _common(now, earlier, baseline) | common
    numbers, voices = _said_by(now, common, least_voices)
    if earlier is None or isinstance(baseline, Counts):
        known = {_number(term): count for term, count in baseline.terms.items()}
        before = np.array([known.get(number, 0) for number in numbers.tolist()], np.int64)
        total = baseline.voices
    else:
        before, total = _counted(earlier, numbers), earlier.voices
    scores = np.array(
        [
            burst_score(n, b, total_now=now.voices, total_before=total)
            for n, b in zip(voices.tolist(), before.tolist(), strict=True)
        ]
    )
    chosen = np.flatnonzero(scores >= least_score)
    chosen = chosen[np.lexsort((numbers[chosen], -scores[chosen]))][:CANDIDATES]
    # what is the newest names a meme: of "street" and "mill street" the second, though more voices said the first
    newness = [
        burst_score(voices[place], before[place], total_now=now.voices, total_before=total, at_most=inf)
        for place in chosen.tolist()
    ]
    chosen = chosen[np.lexsort((numbers[chosen], -np.array(newness)))]
    rows = _rows_of(now, numbers[chosen])
    risers = []
    for place in chosen.tolist():
        number = int(numbers[place])
        term = _term(now, number, int(rows[number][0]))
        risers.append(_Riser(term, float(scores[place]), int(voices[place]), int(before[place]), rows[number]))
    families = sorted(_families(risers), key=lambda family: -_score(family))
    return [_meme(family, posts, window, expected(family[0].before, total, now.voices)) for family in families[:most]]


def common_words(posts: pa.Table) -> frozenset[str]:
    """The words that so many of these posts use that they say nothing; none where the posts are too few to tell."""
    read = _read(posts)
    return _common(read, read, posts) if posts.num_rows >= ENOUGH_POSTS else frozenset()


def count_terms(posts: pa.Table, terms: Iterable[Term] | None = None) -> Counts:
    """Voices of some posts by term, to be kept as a baseline; without `terms` all that three voices said."""
    read = _read(posts)
    common = _common(read, read, posts)
    if terms is not None:
        wanted = sorted(set(terms))
        order = np.array(sorted(_number(term) for term in wanted), np.uint64)
        found = dict(zip(order.tolist(), _counted(read, order).tolist(), strict=True))
        return Counts(read.voices, {term: found[_number(term)] for term in wanted}, common)
    numbers, voices = _said_by(read, common, 3)
    rows = _rows_of(read, numbers)
    counted = {
        _term(read, number, int(rows[number][0])): count
        for number, count in zip(numbers.tolist(), voices.tolist(), strict=True)
    }
    return Counts(read.voices, counted, common)


@dataclass(frozen=True)
class _Riser:
    term: Term
    score: float
    voices: int
    before: int
    rows: Places


@dataclass(frozen=True)
class _Read:
    """Posts as numbers: every occurrence of a phrase or link as a hash and the row it stands in.

    Single words come first (`singles` of them). `edges` are the first and last word of each occurrence, as
    numbers of `words`; links have -1.
    """

    hashes: Hashes
    rows: Places
    edges: tuple[Places, Places]
    words: list[str]
    frequency: Places
    posts: int
    voice: Places
    voices: int
    raw: list[list[str]]
    links: list[list[str]]
    singles: int


def _read(posts: pa.Table) -> _Read:
    titles, texts = posts.column("title").to_pylist(), posts.column("text").to_pylist()
    whole = (f"{title}\n{text or ''}" if title else text or "" for title, text in zip(titles, texts, strict=True))
    raw = [tokens.raw_tokens(tokens.fold(text))[:MOST_TOKENS] for text in whole]
    spellings: dict[str, int] = {}
    flat = np.array([spellings.setdefault(word, len(spellings)) for row in raw for word in row], np.int64)
    row = np.repeat(np.arange(len(raw)), [len(part) for part in raw])
    ids: dict[str, int] = {}
    meant = np.array([ids.setdefault(tokens.clean(word), len(ids)) for word in spellings], np.int64)
    at = meant[flat] if len(flat) else flat
    if "" in ids:  # links and separators are no words
        row, at = row[at != ids[""]], at[at != ids[""]]
    words = list(ids)
    number = np.array([_hash(word) for word in words], np.uint64)
    frequency = np.bincount(
        np.unique(row * np.int64(max(len(words), 1)) + at) % max(len(words), 1), minlength=len(words)
    )
    hashes, rows, starts, ends = [], [], [], []
    rolling = number[at] if len(at) else np.zeros(0, np.uint64)
    for length in range(1, LONGEST_PHRASE + 1):
        if length > 1:
            if len(rolling) < 2:
                break
            rolling = (rolling[:-1] * _FACTOR) ^ number[at[length - 1 :]]
        same = row[: len(rolling)] == row[length - 1 :]
        hashes.append(rolling[same])
        rows.append(row[: len(rolling)][same])
        starts.append(at[: len(rolling)][same])
        ends.append(at[length - 1 :][same])
    links = [[clean_link(link) for link in found] for found in _links(posts)]
    linked = [(_hash(f"\x00{link}"), place) for place, found in enumerate(links) for link in found]
    hashes.append(np.array([one for one, _ in linked], np.uint64))
    rows.append(np.array([place for _, place in linked], np.int64))
    edge = np.full(len(linked), -1, np.int64)
    voice, voices = _voices(posts)
    return _Read(
        np.concatenate(hashes),
        np.concatenate(rows),
        (np.concatenate([*starts, edge]), np.concatenate([*ends, edge])),
        words,
        frequency,
        posts.num_rows,
        voice,
        voices,
        raw,
        links,
        sum(len(part) for part in hashes[:1]),
    )


def _links(posts: pa.Table) -> list[list[str]]:
    told = posts.column("links").to_pylist()
    texts = posts.column("text").to_pylist()
    return [extraction.links(text or "") if links is None else links for links, text in zip(told, texts, strict=True)]


def clean_link(address: str) -> str:
    """An address as it is compared: without scheme, www., fragment, tracking parameters and closing slash."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address
    kept = urlencode(
        [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.fullmatch(pair[0])]
    )
    return urlunsplit(("", parts.netloc.lower().removeprefix("www."), parts.path.rstrip("/"), kept, "")).removeprefix(
        "//"
    )


def _voices(posts: pa.Table) -> tuple[Places, int]:
    authors = posts.column("author").combine_chunks()
    flat = authors.flatten()
    names = [field.name for field in authors.type]
    who = pc.coalesce(flat[names.index("id")], flat[names.index("handle")])
    whole = pc.binary_join_element_wise(posts.column("channel").combine_chunks(), who, "\x00")
    known, unknown = whole.dictionary_encode(), whole.is_null().to_numpy(zero_copy_only=False)
    voice = known.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    count = len(known.dictionary)
    voice[unknown] = count + np.arange(int(unknown.sum()))
    return voice, count + int(unknown.sum())


def _common(now: _Read, earlier: _Read | None, baseline: pa.Table | Counts) -> frozenset[str]:
    if isinstance(baseline, Counts):
        return baseline.common
    if earlier is not None and earlier.posts >= ENOUGH_POSTS:
        return frozenset(
            earlier.words[place] for place in np.flatnonzero(earlier.frequency > COMMON * earlier.posts).tolist()
        )
    return frozenset(now.words[place] for place in np.flatnonzero(now.frequency > COMMON_NOW * now.posts).tolist())


def _said_by(read: _Read, common: frozenset[str], least: int) -> tuple[Hashes, Places]:
    """Hashes of terms that at least so many voices said, ascending, and how many said each."""
    barred = np.array([word in common or word[:1] in ("@", "") for word in read.words] + [False], np.bool_)
    single_barred = np.array(
        [
            word in common or word[:1] in ("@", "") or (len(word) < 4 and word.isascii()) or word.isdigit()
            for word in read.words
        ]
        + [False],
        np.bool_,
    )
    first, last = read.edges
    usable = ~(barred[first] | barred[last])
    usable[: read.singles] &= ~single_barred[first[: read.singles]]
    hashes, rows = read.hashes[usable], read.rows[usable]
    numbers, place, count = np.unique(hashes, return_inverse=True, return_counts=True)
    often = count >= least
    kept = often[place]
    return _distinct_voices(place[kept], read.voice[rows[kept]], read.voices, numbers, least)


def _distinct_voices(place: Places, voice: Places, voices: int, numbers: Hashes, least: int) -> tuple[Hashes, Places]:
    pairs = np.unique(place * np.int64(max(voices, 1)) + voice)
    count = np.bincount(pairs // max(voices, 1), minlength=len(numbers))
    enough = count >= least
    return numbers[enough], count[enough]


def _counted(read: _Read, numbers: Hashes) -> Places:
    """How many voices said each of these ascending hashes."""
    if not len(numbers):
        return np.zeros(0, np.int64)
    place = np.minimum(np.searchsorted(numbers, read.hashes), len(numbers) - 1)
    found = numbers[place] == read.hashes
    pairs = np.unique(place[found] * np.int64(max(read.voices, 1)) + read.voice[read.rows[found]])
    return np.bincount(pairs // max(read.voices, 1), minlength=len(numbers))


def _rows_of(read: _Read, numbers: Hashes) -> dict[int, Places]:
    """Rows of posts that hold each hash, ascending."""
    order = np.sort(numbers)
    if not len(order):
        return {}
    place = np.minimum(np.searchsorted(order, read.hashes), len(order) - 1)
    found = order[place] == read.hashes
    pairs = np.unique(place[found] * np.int64(read.posts) + read.rows[found])
    which, rows = pairs // read.posts, pairs % read.posts
    ends = np.searchsorted(which, np.arange(len(order)), side="right")
    return {int(number): rows[(ends[spot - 1] if spot else 0) : ends[spot]] for spot, number in enumerate(order)}


@lru_cache(maxsize=200_000)
def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _number(term: Term) -> int:
    if term.kind == LINK:
        return _hash(f"\x00{term.text}")
    held = [f"#{term.text}"] if term.kind == HASHTAG else term.text.split(" ")
    rolling = _hash(held[0])
    for word in held[1:]:
        rolling = ((rolling * int(_FACTOR)) & 0xFFFFFFFFFFFFFFFF) ^ _hash(word)
    return rolling


def _term(read: _Read, number: int, row: int) -> Term:
    """What a hash stands for, read off one of its posts."""
    for link in read.links[row]:
        if _hash(f"\x00{link}") == number:
            return Term(LINK, link)
    held = tokens.clean_tokens(read.raw[row])
    hashes = [_hash(word) for word in held]
    for start in range(len(held)):
        rolling = hashes[start]
        for end in range(start + 1, min(start + LONGEST_PHRASE, len(held)) + 1):
            if end > start + 1:
                rolling = ((rolling * int(_FACTOR)) & 0xFFFFFFFFFFFFFFFF) ^ hashes[end - 1]
            if rolling == number:
                words = held[start:end]
                return (
                    Term(HASHTAG, words[0][1:])
                    if len(words) == 1 and words[0][0] == "#"
                    else Term(PHRASE, " ".join(words))
                )
    raise LookupError(f"no term of post {row} has the number {number}")


def _families(risers: Sequence[_Riser]) -> list[list[_Riser]]:
    """Risers that stand in the same posts, or are spelt alike, together; the one that names the meme first."""
    families: list[list[_Riser]] = []
    held: list[set[int]] = []
    spelt: dict[str, int] = {}
    for riser in risers:
        rows = set(riser.rows.tolist())
        plain = tokens.plain(riser.term.text).replace(" ", "").replace("#", "")
        home = spelt.get(plain)
        if home is None:
            for place, known in enumerate(held):
                if len(rows & known) >= TOGETHER * min(len(rows), len(known)):
                    home = place
                    break
        if home is None:
            home = len(families)
            families.append([])
            held.append(rows)
        spelt.setdefault(plain, home)
        families[home].append(riser)
    return [_named(family) for family in families]


def _score(family: Sequence[_Riser]) -> float:
    return max(riser.score for riser in family)


def _named(family: list[_Riser]) -> list[_Riser]:
    best = family[0]
    like = [
        riser
        for riser in family
        if riser.term.kind == best.term.kind
        and len(riser.rows) >= 0.8 * len(best.rows)
        and best.term.text in riser.term.text
    ]
    name = max(like, key=lambda riser: (len(riser.term.text), riser.score), default=best)
    return [name, *(riser for riser in family if riser is not name)]


def _meme(family: list[_Riser], posts: pa.Table, window: Window, usual: float) -> Meme:
    name = family[0]
    rows = np.unique(np.concatenate([riser.rows for riser in family]))
    own = posts.take(pa.array(rows))
    uids = own.column("uid").to_pylist()
    times = own.column("published_at")
    spread = burst(np.array(times.cast(pa.timestamp("us")).to_numpy(), "datetime64[us]"), window, usual)
    variants = tuple(Variant(riser.term, len(riser.rows)) for riser in family[1:])
    first = own.slice(0, 4 * SHOWN).select(["uid", "author", "published_at", "text"]).to_pylist()
    written = next((found for row in first if (found := _as_written(name.term, row["text"]))), name.term.text)
    return Meme(
        term=name.term,
        written=written,
        score=round(_score(family), 2),
        posts=len(uids),
        voices=name.voices,
        before=name.before,
        expected=round(usual, 3),
        variants=variants,
        burst=spread,
        carriers=_carriers(first),
        examples=_examples(own),
        uids=tuple(uids),
    )


def _carriers(first: Sequence[Mapping[str, Any]]) -> tuple[Carrier, ...]:
    """The first posts by different authors."""
    found: dict[str, Carrier] = {}
    for row in first:
        author = row["author"] or {}
        name = author.get("handle") or author.get("name") or author.get("id")
        found.setdefault(name or row["uid"], Carrier(row["uid"], name, row["published_at"]))
    return tuple(found.values())[:SHOWN]


def _examples(own: pa.Table) -> tuple[str, ...]:
    """The posts most answered, shared and liked, each text once; earlier ones first among equals."""
    rows = own.select(["uid", "engagement", "text"]).to_pylist()
    weighed = []
    for place, row in enumerate(rows):
        counts = row["engagement"] or {}
        weighed.append(
            (
                -sum(counts.get(name) or 0 for name in ("replies", "shares", "likes")),
                place,
                row["uid"],
                " ".join((row["text"] or "").split()),
            )
        )
    found: dict[str, str] = {}
    for _, _, uid, text in sorted(weighed):
        found.setdefault(text, uid)
    return tuple(found.values())[:SHOWN]


def _as_written(term: Term, text: str | None) -> str | None:
    if term.kind == LINK or not text:
        return None
    sign = "#" if term.kind == HASHTAG else ""
    spelling = r"[^\w#@]+".join(regex.escape(word) for word in term.text.split(" "))
    match = regex.search(rf"(?<!\w){sign}{spelling}(?!\w)", text, regex.I)
    return " ".join(match.group().split()) if match else None
