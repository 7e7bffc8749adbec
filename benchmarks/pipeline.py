"""The whole way of a post, from a line of JSON to the archive and the cubes, while many monitors listen.

    python benchmarks/pipeline.py [--posts 1000000] [--monitors 1000] [--folder FOLDER]

Posts are made from the words of the recorded posts, with their frequencies, at chance; monitors as in matching.py.
The file is read into the spool in the pieces that an import makes of it, and each group is analysed, matched,
appended and counted as the worker does it, in one process. Ten times on the way the keeper runs, and memory is said,
which should not grow. Making the file and the desk is not timed.
"""

import argparse
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
from itertools import accumulate
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from matching import made_queries

PIECES = 20
"""Pieces of the file that wait in the spool before they are stored, as in an import."""
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
        counted = _vocabulary()
        file = Path(scratch) / "posts.jsonl"
        _make_file(file, options.posts, counted, chance)
        workspace = _workspace(made_queries(options.monitors, [word for word, _n in counted.most_common()], chance))
        print(
            f"{options.posts:,} posts, {file.stat().st_size / 1e6:,.0f} MB of JSON Lines, {options.monitors} monitors"
        )
        _run(workspace, file, options.posts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--monitors", type=int, default=1_000)
    parser.add_argument("--folder", help="where the scratch folder is made")
    return parser.parse_args()


def _vocabulary() -> Counter[str]:
    from talkworthy.listening.recorded import recorded_posts

    posts = recorded_posts()
    texts = [*posts["title"].to_pylist(), *posts["text"].to_pylist()]
    return Counter(word for text in texts if text for word in re.findall(r"[a-z]+", text.lower()))


def _make_file(file: Path, posts: int, counted: Counter[str], chance: random.Random) -> None:
    words, weights = list(counted), list(accumulate(counted.values()))
    with file.open("w", encoding="utf-8") as lines:
        for number in range(posts):
            text = " ".join(chance.choices(words, cum_weights=weights, k=chance.randint(8, 45)))
            lines.write(json.dumps(_post(number, posts, text, chance)) + "\n")


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


def _run(workspace: Any, file: Path, posts: int) -> None:
    from django.utils import timezone

    from talkworthy.archive.keeper import Keeper
    from talkworthy.listening import cube
    from talkworthy.listening.collecting import Listener

    listener, done, told, waiting, keeping = Listener(workspace), 0, 0, 0, 0.0
    every = max(10_000, posts // 10)
    began, busy = perf_counter(), process_time()
    for seq, rows in enumerate(_pieces(workspace, file), start=1):
        listener.archive.spool.write(_key(workspace), seq, rows)
        waiting += 1
        if waiting == PIECES:
            done += listener.store_pending(now=timezone.now()).posts
            waiting = 0
        if done - told >= every:
            told, kept = done, perf_counter()
            Keeper(listener.archive).run_once()
            keeping += perf_counter() - kept
            _tell(done, perf_counter() - began)
    done += listener.store_pending(now=timezone.now()).posts
    seconds, busy = perf_counter() - began, process_time() - busy
    _tell(done, seconds)
    print(f"{done / seconds:,.0f} posts/s, {busy / seconds:.2f} cores busy, keeper {keeping:.0f} s of {seconds:.0f} s")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6:,.0f} MB")
    wrong = cube.differences(workspace, listener.archive)
    if done != posts or wrong:
        sys.exit(f"{done} of {posts} posts stored; cubes differ in {wrong}")


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


def _tell(done: int, seconds: float) -> None:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    print(f"{done:>10,} posts after {seconds:6.1f} s, {resident:,.0f} MB resident", flush=True)


if __name__ == "__main__":
    main()
