"""Posts recombined by chance from texts that people wrote, of any number, and how questions about them are timed.

A seed gives the same posts each time. Each post is one text, now and then with another behind it, with the annotations
that the real pipeline gives the first. Times run over two years with a daily wave, one post in a hundred arrives up
to two days late, authors and sites follow Zipf's law, one post in five answers another. Names that no text holds are
planted at chosen rates, and a monitor listens to each: the first finds 5 %, one 0.1 %, the last 30 posts in all.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive import ARRIVING

Numbers = npt.NDArray[np.int64]

DAYS = 730
NAMES = (
    "acmephone", "bravotel", "corvexa", "dunmorix", "elvatone", "fendriva", "gorlanda", "hexamill", "ivorynet",
    "joltavia", "kestrova", "lumabrix", "mirafonz", "nordquay", "oxbridia", "pellucor", "quarzuna", "zyzzyvaline",
)  # fmt: skip
"""What is planted; monitor number n listens to the n-th, counted from one."""
RATES = (0.05, 0.03, 0.02, 0.015, 0.01, 0.008, 0.006, 0.005, 0.004, 0.003, 0.002, 0.0015, 0.001, 7e-4, 5e-4, 3e-4, 1e-4)
OFTEN, SELDOM, RARELY = 1, 13, len(NAMES)
BRAND, RARE = NAMES[0], NAMES[-1]
RARE_POSTS = 30
CHANNELS = ("mastodon", "bluesky", "reddit", "hackernews", "feed", "email", "discourse")
TAIL = 160
"""Only texts up to so long are put behind another."""


def read_texts(path: Path | None) -> list[str]:
    """Texts, one a line; those of the recorded posts where no file is named."""
    if path is None:
        from talkworthy.listening.recorded import recorded_posts

        return [" ".join(text.split()) for text in recorded_posts()["text"].to_pylist() if text and text.strip()]
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


class PostMaker:
    """Makes posts that end at a moment, in the order of their arrival."""

    def __init__(self, texts: Sequence[str], *, posts: int, end: datetime, seed: int = 7) -> None:
        self.posts = posts
        self._rng = np.random.default_rng(seed)
        self._said = _understood(texts)
        short = np.flatnonzero(pc.less_equal(pc.utf8_length(self._said["text"]), TAIL).to_numpy())
        self._tails = short if len(short) else np.arange(len(texts))
        self._published, self._arrived = _times(self._rng, posts, end)
        self._rare = frozenset(self._rng.choice(posts, min(RARE_POSTS, posts), replace=False).tolist())

    def batches(self, size: int) -> Iterator[pa.Table]:
        """Tables of ARRIVING, so many posts each."""
        for start in range(0, self.posts, size):
            yield self._batch(start, min(size, self.posts - start))

    def _batch(self, start: int, count: int) -> pa.Table:
        rng = self._rng
        head = pa.array(rng.integers(0, self._said.num_rows, count))
        tail = pa.array(np.where(rng.random(count) < 0.5, rng.choice(self._tails, count), -1))
        tail = pc.if_else(pc.less(tail, 0), None, tail)
        planted, monitors = self._planted(start, count)
        said = self._said.take(head)
        numbers = pa.array(np.arange(start, start + count)).cast(pa.string())
        channels = _drawn(rng, CHANNELS, count)
        origins = pc.binary_join_element_wise(channels, pa.array(["example.org"] * count), ".")
        uids = pc.binary_join_element_wise(channels, origins, numbers, ":")
        answered, root = _answers(rng, uids)
        published, arrived = (
            pa.array(times[start : start + count], pa.timestamp("us", tz="UTC"))
            for times in (self._published, self._arrived)
        )
        sites = pa.array([f"site{i}.example" for i in range(300)])
        columns = {name: said[name] for name in self._said.column_names} | {
            "uid": uids,
            "channel": channels,
            "origin": origins,
            "native_id": numbers,
            "url": pc.binary_join_element_wise(pa.array(["https://example.org/posts"] * count), numbers, "/"),
            "kind": pa.array(["note"] * count),
            "author": _authors(rng, count),
            "text": _put_together(said["text"], self._said["text"].take(tail), planted),
            "folded": _put_together(said["folded"], self._said["folded"].take(tail), planted),
            "published_at": published,
            "collected_at": arrived,
            "in_reply_to": answered,
            "root": root,
            "site": sites.take(pa.array(_zipf(rng, len(sites), count))),
            "community": _drawn(rng, tuple(f"community-{i}" for i in range(40)), count),
            "visibility": pa.array(["public"] * count),
            "engagement": _engagement(rng, count, arrived),
            "source": _drawn(rng, tuple(f"source-{i}" for i in range(20)), count),
            "text_hash": pa.array(rng.integers(0, 2**62, count)),
            "monitors": monitors,
        }
        arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(count, f.type) for f in ARRIVING]
        return pa.table(arrays, names=ARRIVING.names)

    def _planted(self, start: int, count: int) -> tuple[pa.Array, pa.Array]:
        """The names planted in each post, as words and as numbers of monitors."""
        hits = self._rng.random((count, len(RATES))) < np.array(RATES)
        rare = np.array([[number in self._rare] for number in range(start, start + count)])
        rows, names = np.nonzero(np.concatenate([hits, rare], axis=1))
        offsets = np.searchsorted(rows, np.arange(count + 1)).astype(np.int32)
        words = pa.ListArray.from_arrays(pa.array(offsets), pa.array(NAMES).take(pa.array(names)))
        numbers = pa.ListArray.from_arrays(pa.array(offsets), pa.array(names + 1, pa.int32()))
        return pc.binary_join(words, " "), numbers


def _understood(texts: Sequence[str]) -> pa.Table:
    """Texts with what the pipeline says of each."""
    from talkworthy.analysis import default_pipeline
    from talkworthy.schema import POST, posts_table

    at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    rows = posts_table({"uid": f"x:x:{n}", "text": text, "published_at": at} for n, text in enumerate(texts))
    pieces = [default_pipeline().run(batch) for batch in rows.combine_chunks().to_batches(max_chunksize=2_048)]
    said = pa.Table.from_batches(pieces)
    kept = [name for name in said.column_names if name not in POST.names] + ["text", "links", "hashtags", "mentions"]
    kept = [name for name in kept if name not in ("near_hash", "text_hash")]
    return said.select(kept).combine_chunks()


def _put_together(head: pa.ChunkedArray, tail: pa.ChunkedArray, planted: pa.Array) -> pa.ChunkedArray:
    pieces = (head, tail, pc.if_else(pc.equal(planted, ""), None, planted))
    return pc.binary_join_element_wise(*(_whole(piece) for piece in pieces), " ", null_handling="skip")


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return pa.concat_arrays(column.chunks) if isinstance(column, pa.ChunkedArray) else column


def _times(rng: np.random.Generator, posts: int, end: datetime) -> tuple[Numbers, Numbers]:
    """When posts were published and when they arrived, in the order of arrival, in microseconds."""
    last = int(end.timestamp() * 1e6)
    spread = rng.random(posts) * DAYS
    wave = np.clip(spread + 0.15 * np.sin(2 * np.pi * spread), 0, DAYS)
    published = last - (wave * 86_400e6).astype(np.int64) - 1
    late = np.where(rng.random(posts) < 0.01, rng.random(posts) * 2 * 86_400e6, rng.random(posts) * 300e6)
    arrived = np.minimum(published + late.astype(np.int64), last)
    order = np.argsort(arrived, kind="stable")
    return published[order], arrived[order]


def _answers(rng: np.random.Generator, uids: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Whom each post answers, and the first post of its thread: a few posts of each batch get most answers."""
    count = len(uids)
    place = np.arange(count)
    asked = np.minimum(_zipf(rng, count, count), np.maximum(place - 1, 0))
    is_answer = rng.random(count) < 0.2
    is_answer[asked] = False
    target = pa.array(np.where(is_answer & (place > 0), asked, -1))
    found = uids.take(pc.if_else(pc.less(target, 0), None, target))
    return found, found


def _zipf(rng: np.random.Generator, size: int, count: int, slope: float = 1.07) -> Numbers:
    weights = 1 / np.arange(1, size + 1) ** slope
    drawn: Numbers = np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(count)).clip(0, size - 1)
    return drawn


def _drawn(rng: np.random.Generator, values: tuple[str, ...], count: int) -> pa.Array:
    return pa.array(values).take(pa.array(_zipf(rng, len(values), count)))


def _authors(rng: np.random.Generator, count: int) -> pa.Array:
    drawn = _zipf(rng, 200_000, count, 0.9)
    ids = pa.array(drawn).cast(pa.string())
    known = {
        "id": ids,
        "handle": pc.binary_join_element_wise(pa.array(["user"] * count), ids, ""),
        "followers": pa.array(drawn % 5000),
    }
    return _struct(ARRIVING.field("author").type, known, count)


def _engagement(rng: np.random.Generator, count: int, taken_at: pa.Array) -> pa.Array:
    counts = {name: pa.array(rng.geometric(0.4, count) - 1) for name in ("replies", "shares", "likes")}
    return _struct(ARRIVING.field("engagement").type, {**counts, "taken_at": taken_at}, count)


def _struct(kind: pa.StructType, known: dict[str, pa.Array], count: int) -> pa.Array:
    fields = [known[f.name].cast(f.type) if f.name in known else pa.nulls(count, f.type) for f in kind]
    return pa.StructArray.from_arrays(fields, fields=list(kind))


@dataclass(frozen=True)
class Timing:
    """Milliseconds of the first call, at the median and the 95th percentile of all, and rows of the last answer."""

    name: str
    first: float
    median: float
    p95: float
    rows: int


def timed(name: str, ask: Callable[[int], int], *, runs: int = 20) -> Timing:
    """Ask a question several times; `ask` takes the run's number and returns how many rows came."""
    took, rows = [], 0
    for run in range(runs):
        started = perf_counter()
        rows = ask(run)
        took.append((perf_counter() - started) * 1000)
    cuts = quantiles(took, n=20, method="inclusive") if len(took) > 1 else took * 19
    return Timing(name, took[0], cuts[9], cuts[18], rows)
