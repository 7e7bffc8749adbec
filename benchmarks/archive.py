"""The archive against the tables that one would write by hand: how fast posts go in and questions are answered.

    python benchmarks/archive.py --posts 1_000_000
    python benchmarks/archive.py --posts 10_000_000 --keep /var/tmp/bench --skip-sqlite

The same rows (see posts.py) go into the archive, into a plain SQLite table with indexes, and into SQLite FTS5. Each
question is asked of all three in one run. `--keep FOLDER` leaves them there, and a later run asks them again.
"""

import argparse
import json
import os
import random
import resource
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import pyarrow as pa
import pyarrow.compute as pc

from posts import BRAND, OFTEN, RARE, RARELY, SELDOM, PostMaker, Timing, read_texts, timed
from talkworthy.archive import Archive, Keeper, Scan

END = datetime(2026, 6, 30, tzinfo=UTC)
MONTH = (END - timedelta(days=30), END)
RIVER = Scan(monitors_any=(OFTEN,), limit=50)
SPARSE_RIVER = Scan(monitors_any=(SELDOM,), limit=50)
RARE_RIVER = Scan(monitors_any=(RARELY,), limit=50)
FILTERED = Scan(contains=((RARE,),), since=MONTH[0], until=MONTH[1], limit=50)
CANDIDATE = ("id", "uid", "text", "title", "author", "channel", "url", "published_at", "detected_language", "sentiment")


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = Path(options.keep or scratch)
        archive = Archive(folder / "archive", memory=options.memory, threads=options.threads)
        if archive.stats().rows < options.posts:
            _fill(archive, options)
        questions = _archive_questions(archive)
        timings = [("archive", timed(name, ask, runs=runs)) for name, (ask, runs) in questions.items()]
        if not options.skip_sqlite:
            fresh = not (folder / "posts.sqlite").exists()
            database = sqlite3.connect(folder / "posts.sqlite")
            if fresh:
                _fill_sqlite(database, options)
            asked = _sqlite_questions(database)
            timings += [(kind, timed(name, ask, runs=3)) for kind, name, ask in asked]
        _print(timings)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB, with the generator")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--texts", type=Path, help="texts to recombine, one a line; else the recorded posts")
    parser.add_argument("--batch", type=int, default=5_000, help="posts an append")
    parser.add_argument("--keep-every", type=int, default=100, help="appends between two runs of the keeper")
    parser.add_argument("--memory", default="1GB", help="limit of the query engine")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--keep", help="folder that stays and is used again")
    parser.add_argument("--folder", help="where the scratch folder is made")
    parser.add_argument("--skip-sqlite", action="store_true")
    return parser.parse_args()


def _fill(archive: Archive, options: argparse.Namespace) -> None:
    appending = keeping = 0.0
    started, rounds = archive.appended("bench"), 0
    for number, posts in enumerate(_batches(options), 1):
        if number <= started:
            continue
        began = perf_counter()
        archive.append(posts, transactions={"bench": number}, cursors={"bench": {"n": number}})
        appending += perf_counter() - began
        rounds += 1
        if rounds % options.keep_every == 0:
            began = perf_counter()
            Keeper(archive).run_once()
            keeping += perf_counter() - began
            print(f"\r{number * options.batch:,} posts", end="", file=sys.stderr)
    began = perf_counter()
    Keeper(archive).run_once()
    keeping += perf_counter() - began
    stats = archive.stats()
    done = rounds * options.batch
    print(
        f"archive: {done / appending:,.0f} posts/s appended, {done / (appending + keeping):,.0f} with the keeper's work"
    )
    size = f"{stats.bytes / 1e6:,.0f} MB, {stats.bytes / stats.rows:,.0f} bytes each"
    print(f"archive: {stats.rows:,} posts in {stats.files} files, {size}")


def _batches(options: argparse.Namespace) -> Iterator[pa.Table]:
    return PostMaker(read_texts(options.texts), posts=options.posts, end=END).batches(options.batch)


def _archive_questions(archive: Archive) -> dict[str, tuple[Callable[[int], int], int]]:
    stamp = archive.table(Scan(columns=("id", "uid"), limit=50_000)).to_pylist()
    some = random.Random(3).sample(stamp, 50)
    return {
        "river: newest 50 of a monitor that matches much": (lambda _: archive.table(RIVER).num_rows, 20),
        "river: newest 50 of a monitor that matches little": (lambda _: archive.table(SPARSE_RIVER).num_rows, 20),
        "river: a monitor that found 30 in all": (lambda _: archive.table(RARE_RIVER).num_rows, 20),
        "river: newest 50 of all": (lambda _: archive.table(Scan(limit=50)).num_rows, 20),
        "river: a page far back": (lambda _: archive.table(replace(RIVER, until=MONTH[0])).num_rows, 20),
        "one post by id": (lambda run: archive.get(some[run]["id"]) is not None, 50),
        "one post by uid": (lambda run: archive.get(some[run]["uid"]) is not None, 50),
        "text filter, 30 days, newest 50 of a rare word": (lambda _: archive.table(FILTERED).num_rows, 5),
        "text filter, 30 days, count by day": (
            lambda _: archive.count(replace(FILTERED, contains=((BRAND,),)), by=("day",)).num_rows,
            5,
        ),
        "count by day and sentiment, everything": (
            lambda _: archive.count(Scan(), by=("day", "sentiment")).num_rows,
            3,
        ),
        "backtest: every post with a word, with its text": (lambda _: _candidates(archive), 1),
    }


def _candidates(archive: Archive) -> int:
    scan = Scan(columns=CANDIDATE, contains=((BRAND, RARE),), order=None)
    return sum(batch.num_rows for batch in archive.scan(scan))


def _fill_sqlite(database: sqlite3.Connection, options: argparse.Namespace) -> None:
    database.executescript(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -200000;"
        "CREATE TABLE posts (id INTEGER PRIMARY KEY, uid TEXT UNIQUE, channel TEXT, text TEXT, folded TEXT,"
        " published_at INTEGER, language TEXT, sentiment TEXT, likes INTEGER, rest TEXT);"
        "CREATE TABLE matches (monitor INTEGER, id INTEGER, PRIMARY KEY (monitor, id)) WITHOUT ROWID;"
        "CREATE INDEX posts_published ON posts (published_at);"
        "CREATE VIRTUAL TABLE words USING fts5(folded, content='', tokenize='unicode61');"
    )
    plain = full = 0.0
    for start, posts in zip(range(0, options.posts, options.batch), _batches(options), strict=True):
        rows = list(_rows(start, posts))
        ids = [row[0] for row in rows]
        matches = [
            (monitor, number)
            for number, found in zip(ids, posts["monitors"].to_pylist(), strict=True)
            for monitor in {*(found or [])}
        ]
        began = perf_counter()
        with database:
            database.executemany("INSERT INTO posts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
            database.executemany("INSERT INTO matches VALUES (?, ?)", matches)
        plain += perf_counter() - began
        began = perf_counter()
        with database:
            database.executemany("INSERT INTO words (rowid, folded) VALUES (?, ?)", [(row[0], row[4]) for row in rows])
        full += perf_counter() - began
    (pages,) = (
        database.execute("SELECT sum(pgsize) FROM dbstat WHERE name NOT LIKE 'words%'").fetchone()
        if _has_dbstat(database)
        else (0,)
    )
    size = sum(
        path.stat().st_size
        for path in Path(database.execute("PRAGMA database_list").fetchone()[2]).parent.glob("posts.sqlite*")
    )
    print(f"SQLite: {options.posts / plain:,.0f} posts/s into tables, {options.posts / (plain + full):,.0f} with FTS5")
    print(f"SQLite: {size / 1e6:,.0f} MB with FTS5" + (f", {pages / 1e6:,.0f} MB without" if pages else ""))


def _has_dbstat(database: sqlite3.Connection) -> bool:
    return any("DBSTAT" in option for (option,) in database.execute("PRAGMA compile_options"))


def _rows(start: int, posts: pa.Table) -> Iterator[tuple[object, ...]]:
    rest = posts.drop_columns(["uid", "channel", "text", "folded", "published_at", "detected_language", "sentiment"])
    micros = posts["published_at"].cast(pa.int64()).to_pylist()
    likes = pc.struct_field(posts["engagement"], "likes").to_pylist()
    named = posts.select(["uid", "channel", "text", "folded"]).to_pylist()
    answers = posts.select(["detected_language", "sentiment"]).to_pylist()
    for place, other in enumerate(rest.to_pylist()):
        filled = json.dumps({name: value for name, value in other.items() if value not in (None, [])}, default=str)
        yield (start + place, *named[place].values(), micros[place], *answers[place].values(), likes[place], filled)


def _sqlite_questions(database: sqlite3.Connection) -> list[tuple[str, str, Callable[[int], int]]]:
    def ask(sql: str, *values: object) -> Callable[[int], int]:
        return lambda _: len(database.execute(sql, values).fetchall())

    month = [int(moment.timestamp() * 1e6) for moment in MONTH]
    river = "SELECT p.* FROM matches m JOIN posts p USING (id) WHERE monitor = ? ORDER BY m.id DESC LIMIT 50"
    like = "FROM posts WHERE folded LIKE ? AND published_at >= ? AND published_at < ?"
    words = "FROM words w JOIN posts p ON p.id = w.rowid WHERE words MATCH ?"
    day = "published_at / 86400000000"
    return [
        ("SQLite", "river: newest 50 of a monitor that matches much", ask(river, OFTEN)),
        ("SQLite", "river: newest 50 of a monitor that matches little", ask(river, SELDOM)),
        ("SQLite", "river: a monitor that found 30 in all", ask(river, RARELY)),
        ("SQLite", "river: newest 50 of all", ask("SELECT * FROM posts ORDER BY id DESC LIMIT 50")),
        ("SQLite", "one post by id", ask("SELECT * FROM posts WHERE id = 77777")),
        (
            "SQLite",
            "text filter, 30 days, newest 50 of a rare word",
            ask(f"SELECT * {like} ORDER BY id DESC LIMIT 50", f"%{RARE}%", *month),
        ),
        (
            "FTS5",
            "text filter, 30 days, newest 50 of a rare word",
            ask(f"SELECT p.* {words} AND p.published_at >= ? ORDER BY p.id DESC LIMIT 50", RARE, month[0]),
        ),
        (
            "SQLite",
            "text filter, 30 days, count by day",
            ask(f"SELECT {day}, count(*) {like} GROUP BY 1", f"%{BRAND}%", *month),
        ),
        (
            "FTS5",
            "text filter, 30 days, count by day",
            ask(f"SELECT p.{day}, count(*) {words} AND p.published_at >= ? GROUP BY 1", BRAND, month[0]),
        ),
        (
            "SQLite",
            "count by day and sentiment, everything",
            ask(f"SELECT {day}, sentiment, count(*) FROM posts GROUP BY 1, 2"),
        ),
        (
            "SQLite",
            "backtest: every post with a word, with its text",
            ask("SELECT * FROM posts WHERE folded LIKE ? OR folded LIKE ?", f"%{BRAND}%", f"%{RARE}%"),
        ),
        ("FTS5", "backtest: every post with a word, with its text", ask(f"SELECT p.* {words}", f"{BRAND} OR {RARE}")),
    ]


def _print(timings: list[tuple[str, Timing]]) -> None:
    print(f"\n{'question':52} {'in':8} {'first ms':>10} {'median ms':>10} {'p95 ms':>10} {'rows':>9}")
    for kind, timing in sorted(timings, key=lambda pair: pair[1].name):
        times = f"{timing.first:10,.1f} {timing.median:10,.1f} {timing.p95:10,.1f}"
        print(f"{timing.name:52} {kind:8} {times} {timing.rows:9,}")


if __name__ == "__main__":
    main()
