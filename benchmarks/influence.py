"""Accounts counted from posts, and PageRank of who answers and shares whom: time and memory.

The posts are made by chance with a fixed seed: few accounts are acted on by many, as in real graphs (the shape of the
Higgs set, 1.8 acts an account). Nothing of the desk or the archive takes part.

    python benchmarks/influence.py --acts 1000000
"""

import argparse
import resource
import time

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.analysis.voices import Gathering

PIECE = 50_000
ACCOUNTS_PER_ACT = 0.55
FIRST = 1_341_100_000


def posts(acts: int, seed: int = 7) -> pa.Table:
    """As many answers and shares as asked for, each of an earlier post, and half as many posts besides."""
    chance = np.random.default_rng(seed)
    rows, accounts = acts + acts // 2, max(2, int(acts * ACCOUNTS_PER_ACT))
    author = np.minimum(accounts - 1, (accounts * chance.random(rows) ** 1.5).astype(np.int64))
    number = np.arange(rows)
    earlier = (number * chance.random(rows) ** 2).astype(np.int64)
    acting = (number % 3 != 0) & (number > 0)
    sharing = acting & (chance.random(rows) < 0.6)
    uids = pa.array([f"bench:example.org:{place}" for place in number])
    target = uids.take(pa.array(earlier))
    names = pa.array([f"account {place}" for place in range(accounts)]).take(pa.array(author))
    followers = pa.array((10 ** (1 + 4 * chance.random(accounts))).astype(np.int64)).take(pa.array(author))
    untold = pa.nulls(rows, pa.bool_())
    who = pa.StructArray.from_arrays(
        [names, names, names, followers, followers, untold, untold],
        names=["id", "handle", "name", "followers", "following", "verified", "automated"],
    )
    nothing = pa.array([None] * rows, pa.list_(pa.string()))
    monitors = pa.array([[1] if place % 5 == 0 else None for place in number], pa.list_(pa.int32()))
    text = pa.array(np.where(sharing, 0, number), pa.int64(), mask=sharing)
    yes, no = pa.array(sharing), pa.nulls(rows, pa.string())
    return pa.table(
        {
            "id": number,
            "uid": uids,
            "channel": pa.array(["bench"] * rows),
            "author": who,
            "published_at": pa.array((FIRST + number) * 1_000_000, pa.timestamp("us", tz="UTC")),
            "in_reply_to": pc.if_else(pa.array(acting & ~sharing), target, no),
            "repeats": pc.if_else(yes, target, no),
            "engagement_type": pc.if_else(yes, pa.scalar("REPOST"), no),
            "mentions": nothing,
            "text_hash": text,
            "near_hash": pa.nulls(rows, pa.int64()),
            "monitors": monitors,
        }
    )


def main() -> None:
    """Make the posts, count them piece by piece, and say what it took."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--acts", type=int, default=1_000_000)
    made = posts(asked.parse_args().acts)
    before = _peak()
    begun = time.perf_counter()
    gathering = Gathering()
    for start in range(0, made.num_rows, PIECE):
        gathering.add(made.slice(start, PIECE))
    taken = time.perf_counter()
    voices = gathering.voices()
    ended = time.perf_counter()
    print(f"posts {made.num_rows:,}, accounts {len(voices):,}, pairs of accounts {len(voices.edges):,}")
    print(f"taking in {taken - begun:.1f} s, counting and PageRank {ended - taken:.1f} s")
    print(f"peak memory {_peak():,.0f} MB, {before:,.0f} MB of it before (the posts themselves)")


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
