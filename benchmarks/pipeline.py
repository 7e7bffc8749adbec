"""The whole way of a post, from a line of JSON to the archive and the cubes, while many monitors listen.

    python benchmarks/pipeline.py [--posts 1000000] [--monitors 1000] [--processes 2] [--data ../shared/data]

Texts are what people wrote (tweets, comments), each once; when all were used, the beginning of one before the end of
another. Without the shared data the recorded posts are taken. Monitors are those of matching.py, over the words of
these texts. The file is read, understood, appended and counted as an import does it; ten times on the way the keeper
runs. Memory of every process is said on the way: resident, and proportional (what they share counted once). Making the
file and the desk is not timed.
"""

import argparse
import csv
import gzip
import json
import os
import random
import re
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

from matching import made_queries

WRITTEN = (
    "semeval_twitter_sentiment/message_train.jsonl.gz",
    "goemotions_reddit/train.jsonl.gz",
    "crisislex_events/labelled_tweets.jsonl.gz",
    "tweets_covid19_2021/tweets.csv.gz",
    "tweets_mayweather_2017/tweets.csv.gz",
    "twcs_sample/tweets.csv.gz",
    "airline_tweets/tweets.csv.gz",
    "afrisenti/train.jsonl.gz",
)
TOLD = 20
"""How often memory is said on the way."""
FIRST = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        os.environ["TALKWORTHY_DATA"] = f"{scratch}/data"
        os.environ["DJANGO_SETTINGS_MODULE"] = "talkworthy.web.settings"
        Path(os.environ["TALKWORTHY_DATA"]).mkdir()
        import django

        django.setup()
        chance = random.Random(7)
        texts = written_texts(options.data)
        chance.shuffle(texts)
        counted = Counter(word for text in texts for word in re.findall(r"[a-z]+", text.lower()))
        file = Path(scratch) / "posts.jsonl"
        distinct = _make_file(file, options.posts, texts, chance)
        ranked = [word for word, n in counted.most_common() if n > 1]
        workspace = _workspace(made_queries(options.monitors, ranked, chance))
        print(
            f"{options.posts:,} posts, {file.stat().st_size / 1e6:,.0f} MB of JSON Lines, {distinct:,} distinct texts "
            f"({len(texts):,} as written), {options.monitors} monitors, {options.processes} processes besides"
        )
        del texts, counted, ranked
        _run(workspace, file, options.posts, options.processes)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--monitors", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=2)
    shared = Path(os.environ.get("TALKWORTHY_SHARED", "../shared")) / "data"
    parser.add_argument("--data", type=Path, default=shared)
    parser.add_argument("--folder", help="where the scratch folder is made")
    return parser.parse_args()


def written_texts(data: Path) -> list[str]:
    """Every text once, in the order of the files."""
    files = [data / name for name in WRITTEN if (data / name).exists()]
    if not files:
        from talkworthy.listening.recorded import recorded_posts

        return list(dict.fromkeys(text for text in recorded_posts()["text"].to_pylist() if text))
    csv.field_size_limit(1 << 24)
    found: dict[str, None] = {}
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
            rows = csv.DictReader(lines) if ".csv" in file.name else map(json.loads, lines)
            found |= dict.fromkeys(row["text"] for row in rows if row["text"].strip())
    return list(found)


def _make_file(file: Path, posts: int, texts: list[str], chance: random.Random) -> int:
    """Write the posts; returns how many texts are distinct."""
    seen = set()
    with file.open("w", encoding="utf-8") as lines:
        for number in range(posts):
            text = texts[number] if number < len(texts) else _put_together(texts, chance)
            seen.add(hash(text))
            lines.write(json.dumps(_post(number, posts, text, chance)) + "\n")
    return len(seen)


def _put_together(texts: list[str], chance: random.Random) -> str:
    one, other = chance.choice(texts).split(), chance.choice(texts).split()
    return " ".join([*one[: len(one) // 2 + 1], *other[len(other) // 2 :]])


def _post(number: int, posts: int, text: str, chance: random.Random) -> dict[str, Any]:
    at = FIRST + timedelta(days=90) * (number / posts)
    author = int(chance.paretovariate(1.2))
    return {
        "uid": f"mastodon:example.org:{number}",
        "text": text,
        "published_at": at.isoformat(),
        "url": f"https://example.org/{number}",
        "author": {"id": f"a{author}", "handle": f"ann{author}"},
        "engagement": {"likes": number % 7, "replies": number % 3, "taken_at": at.isoformat()},
    }


def _workspace(queries: list[str]) -> Any:
    from django.core.management import call_command

    from talkworthy.listening.models import Monitor
    from talkworthy.workspaces.models import Workspace

    call_command("migrate", verbosity=0, interactive=False)
    workspace = Workspace.objects.create(name="Benchmark", slug="benchmark")
    Monitor.objects.bulk_create(
        Monitor(workspace=workspace, name=f"Monitor {n}", query=query) for n, query in enumerate(queries)
    )
    return workspace


def _run(workspace: Any, file: Path, posts: int, processes: int) -> None:
    from contextlib import nullcontext

    from talkworthy.listening import cube
    from talkworthy.listening.collecting import Listener
    from talkworthy.listening.understanding import Understanders

    with Understanders(processes) if processes else nullcontext() as understanders:
        listener = Listener(workspace, understanders=understanders)
        seconds, stored = _stored(workspace, listener, file, posts)
        used = resource.getrusage(resource.RUSAGE_SELF)
        mine = used.ru_utime + used.ru_stime
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{stored / seconds:,.0f} posts/s, {mine:.0f} s of processor here, {used.ru_utime + used.ru_stime:.0f} s there"
    )
    wrong = cube.differences(workspace, listener.archive)
    if stored != posts or wrong:
        sys.exit(f"{stored} of {posts} posts stored; cubes differ in {wrong}")


def _stored(workspace: Any, listener: Any, file: Path, posts: int) -> tuple[float, int]:
    from django.utils import timezone

    from talkworthy.archive.keeper import Keeper
    from talkworthy.listening.collecting import AHEAD

    stored = told = kept = 0
    keeping, began = 0.0, perf_counter()
    for seq, rows in enumerate(_pieces(workspace, file), start=1):
        listener.archive.spool.write(_key(workspace), seq, rows)
        stored += listener.store_pending(now=timezone.now(), leave=AHEAD).posts
        if stored - kept >= posts // 10:
            kept, from_here = stored, perf_counter()
            Keeper(listener.archive).run_once()
            keeping += perf_counter() - from_here
        if stored - told >= posts // TOLD:
            told = stored
            _tell(stored, perf_counter() - began, listener)
    stored += listener.store_pending(now=timezone.now()).posts
    seconds = perf_counter() - began
    _tell(stored, seconds, listener)
    print(f"keeper {keeping:.0f} s of {seconds:.0f} s")
    return seconds, stored


def _key(workspace: Any) -> str:
    from talkworthy.listening.collecting import source_key
    from talkworthy.listening.models import Source

    source, _made = Source.objects.get_or_create(workspace=workspace, connector="files", name="File", key="benchmark")
    return source_key(source)


def _pieces(workspace: Any, file: Path) -> Iterator[Any]:
    import pyarrow as pa

    from talkworthy.listening.exchange import import_batches
    from talkworthy.schema import POST

    faults: list[str] = []
    place, field, key = POST.get_field_index("source"), POST.field("source"), _key(workspace)
    collected = POST.get_field_index("collected_at")
    for rows in import_batches(file, "jsonl", mapping={}, faults=faults):
        now = pa.array([datetime.now(UTC)] * rows.num_rows, POST.field("collected_at").type)
        rows = rows.set_column(place, field, pa.array([key] * rows.num_rows, pa.string()))
        yield rows.set_column(collected, POST.field("collected_at"), now)
    if faults:
        sys.exit(f"{len(faults)} lines could not be read: {faults[0]}")


def _tell(done: int, seconds: float, listener: Any) -> None:
    """Resident memory of each process, and of all together with what they share counted once."""
    pids = [os.getpid(), *(listener.understanders.pids() if listener.understanders else ())]
    resident = [_megabytes(pid, "Rss") for pid in pids]
    together = sum(_megabytes(pid, "Pss") for pid in pids)
    each = " + ".join(f"{size:,.0f}" for size in resident)
    print(
        f"{done:>10,} posts after {seconds:6.1f} s; resident {each} = {sum(resident):,.0f} MB; {together:,.0f} MB",
        flush=True,
    )


def _megabytes(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) * 1024 / 1e6


if __name__ == "__main__":
    main()
