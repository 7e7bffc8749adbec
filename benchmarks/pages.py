"""Posts made by chance that look like posts, and the questions that pages ask of them.

A seed gives the same posts each time. Words follow Zipf's law, authors too; times run over ninety days with a
daily wave; a few monitors match much and many match little.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from time import perf_counter

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive import ARRIVING, Scan

END = datetime(2026, 6, 30, tzinfo=UTC)
DAYS = 90
MONITORS = 200
CHANNELS = ("mastodon", "bluesky", "reddit", "hackernews", "feed", "email", "discourse")
LANGUAGES = ("en", "de", "fr", "es", "pt", "ja", "undecided")
SENTIMENTS = ("positive", "neutral", "negative", "undecided")
INTENTS = ("help", "purchase", "complaint", "suggestion", "praise", "other", "undecided")
BRAND = "acmephone"
RARE = "zyzzyvaline"


def post_batches(posts: int, *, batch: int = 5_000, seed: int = 7) -> Iterator[pa.Table]:
    """Tables of ARRIVING in the order of time, `batch` posts each."""
    rng = np.random.default_rng(seed)
    words = _vocabulary(rng, 40_000)
    times = _times(rng, posts)
    for start in range(0, posts, batch):
        yield _batch(rng, words, start, times[start : start + batch])


def _vocabulary(rng: np.random.Generator, size: int) -> pa.Array:
    onsets, vowels, codas = (
        [*"bcdfghjklmnprstvwz", "st", "tr", "ch", "sh"],
        [*"aeiou", "ea", "oo"],
        ["", "n", "r", "s", "t", "ng"],
    )
    parts = [rng.choice(np.array(kind), (size, 3)) for kind in (onsets, vowels, codas)]
    lengths = rng.integers(1, 4, size)
    words = ["".join(parts[0][i, k] + parts[1][i, k] + parts[2][i, k] for k in range(lengths[i])) for i in range(size)]
    words[300], words[20_000] = BRAND, RARE
    return pa.array(words)


def _times(rng: np.random.Generator, posts: int) -> npt.NDArray[np.int64]:
    first = int((END - timedelta(days=DAYS)).timestamp() * 1e6)
    spread = rng.random(posts) * DAYS
    wave = spread + 0.15 * np.sin(2 * np.pi * spread)
    times: npt.NDArray[np.int64] = np.sort(first + (np.clip(wave, 0, DAYS) * 86_400e6).astype(np.int64))
    return times


def _zipf(rng: np.random.Generator, size: int, count: int, slope: float = 1.07) -> npt.NDArray[np.int64]:
    weights = 1 / np.arange(1, size + 1) ** slope
    drawn: npt.NDArray[np.int64] = np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(count)).clip(
        0, size - 1
    )
    return drawn


def _batch(rng: np.random.Generator, words: pa.Array, start: int, times: npt.NDArray[np.int64]) -> pa.Table:
    count = len(times)
    numbers = pa.array(np.arange(start, start + count)).cast(pa.string())
    text = _texts(rng, words, count)
    channels = _pick(rng, CHANNELS, count)
    origins = pc.binary_join_element_wise(channels, pa.array(["example.org"] * count), ".")
    published = pa.array(times, pa.timestamp("us", tz="UTC"))
    probability = pa.array(rng.random(count, np.float32))
    nothing = pa.array([""] * count)
    columns = {
        "uid": pc.binary_join_element_wise(channels, origins, numbers, ":"),
        "channel": channels,
        "origin": origins,
        "native_id": numbers,
        "url": pc.binary_join_element_wise(pa.array(["https://example.org/posts"] * count), numbers, "/"),
        "kind": pa.array(["note"] * count),
        "author": _authors(rng, count),
        "text": text,
        "published_at": published,
        "collected_at": published,
        "links": _lists(rng, pa.array([f"https://site{i}.example/page" for i in range(500)]), count, 0.3),
        "hashtags": _lists(rng, pa.array([f"Tag{i}" for i in range(2000)]), count, 0.6),
        "site": _pick(rng, tuple(f"site{i}.example" for i in range(300)), count),
        "visibility": pa.array(["public"] * count),
        "engagement": _engagement(rng, count, published),
        "source": _pick(rng, tuple(f"source-{i}" for i in range(20)), count),
        "detected_language": _pick(rng, LANGUAGES, count),
        "language_probability": probability,
        "sentiment": _pick(rng, SENTIMENTS, count),
        "sentiment_score": probability,
        "sentiment_probability": probability,
        "intent": _pick(rng, INTENTS, count),
        "intent_probability": probability,
        "urgency": pa.array(rng.integers(0, 100, count), pa.int8()),
        "text_hash": pa.array(rng.integers(0, 2**62, count)),
        "folded": pc.binary_join_element_wise(nothing, text, " "),
        "analysed_by": pa.array(["bench 1"] * count),
        "monitors": _lists(rng, pa.array(np.arange(1, MONITORS + 1), pa.int32()), count, 0.5),
    }
    arrays = [columns[f.name].cast(f.type) if f.name in columns else pa.nulls(count, f.type) for f in ARRIVING]
    return pa.table(arrays, names=ARRIVING.names)


def _texts(rng: np.random.Generator, words: pa.Array, count: int) -> pa.Array:
    lengths = np.clip(rng.lognormal(2.9, 0.5, count).astype(np.int64), 3, 80)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    drawn = words.take(pa.array(_zipf(rng, len(words), int(offsets[-1]))))
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), drawn), " ")


def _authors(rng: np.random.Generator, count: int) -> pa.Array:
    drawn = _zipf(rng, 200_000, count, 0.9)
    ids = pa.array(drawn).cast(pa.string())
    kind = ARRIVING.field("author").type
    known = {
        "id": ids,
        "handle": pc.binary_join_element_wise(pa.array(["user"] * count), ids, ""),
        "followers": pa.array(drawn % 5000),
    }
    fields = [known[f.name].cast(f.type) if f.name in known else pa.nulls(count, f.type) for f in kind]
    return pa.StructArray.from_arrays(fields, fields=list(kind))


def _engagement(rng: np.random.Generator, count: int, taken_at: pa.Array) -> pa.Array:
    kind = ARRIVING.field("engagement").type
    known = {name: pa.array(rng.geometric(0.4, count) - 1) for name in ("replies", "shares", "likes")} | {
        "taken_at": taken_at
    }
    fields = [known[f.name].cast(f.type) if f.name in known else pa.nulls(count, f.type) for f in kind]
    return pa.StructArray.from_arrays(fields, fields=list(kind))


def _pick(rng: np.random.Generator, values: tuple[str, ...], count: int) -> pa.Array:
    return pa.array(values).take(pa.array(_zipf(rng, len(values), count)))


def _lists(rng: np.random.Generator, values: pa.Array, count: int, mean: float) -> pa.Array:
    lengths = rng.poisson(mean, count)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values.take(pa.array(_zipf(rng, len(values), int(offsets[-1])))))


@dataclass(frozen=True)
class Timing:
    """Milliseconds at the median and the 95th percentile of so many runs, and rows of the last answer."""

    name: str
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
    return Timing(name, cuts[9], cuts[18], rows)


MONTH = (END - timedelta(days=30), END)
RIVER = Scan(monitors_any=(1,), limit=50)
SPARSE_RIVER = Scan(monitors_any=(MONITORS,), limit=50)
FILTERED = Scan(contains=((RARE,),), since=MONTH[0], until=MONTH[1], limit=50)
