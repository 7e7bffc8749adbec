"""The pages of a workspace that holds very many posts: each selector and each view, beside nothing but a stopwatch.

    python benchmarks/pages.py --posts 1_000_000
    python benchmarks/pages.py --posts 10_000_000 --texts texts.txt --keep /var/tmp/bench

The posts (see posts.py) are appended by the archive, put in order by the keeper every so often, and counted into the
cubes of a desk, as the worker does it; analysis is not repeated for each. `--keep FOLDER` leaves all of it there, and a
later run asks it again. `--only WORD …` asks the questions whose names hold one of the words.
"""

import argparse
import os
import random
import resource
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

from posts import BRAND, NAMES, OFTEN, RARE, RARELY, SELDOM, PostMaker, Timing, read_texts, timed

Ask = Callable[[int], int]


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        folder = Path(options.keep or scratch)
        workspace = prepared(folder)
        _fill(workspace, options)
        if options.fill_only:
            return
        for measure in (_selectors, _views, _jobs):
            wanted = {name: ask for name, ask in measure(workspace).items() if _is_wanted(name, options.only)}
            _print([_measured(name, ask, 1 if measure is _jobs else options.runs) for name, ask in wanted.items()])
        print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=1_000_000)
    parser.add_argument("--texts", type=Path, help="texts to recombine, one a line; else the recorded posts")
    parser.add_argument("--runs", type=int, default=100, help="calls of each question")
    parser.add_argument("--only", nargs="*", default=[], metavar="WORD")
    parser.add_argument("--keep", help="folder that stays and is used again")
    parser.add_argument("--folder", help="where the scratch folder is made")
    parser.add_argument("--fill-only", action="store_true")
    return parser.parse_args()


def prepared(folder: Path) -> Any:
    """A desk in a folder, with a workspace, a monitor for each planted name, and somebody who looks."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    os.environ["TALKWORTHY_DATA"] = str(data)
    os.environ["DJANGO_SETTINGS_MODULE"] = "talkworthy.web.settings"
    os.environ["TALKWORTHY_LOG_LEVEL"] = "ERROR"
    import django

    django.setup()
    from django.core.management import call_command

    from talkworthy.listening.models import Monitor
    from talkworthy.workspaces.models import Member, User, Workspace

    call_command("migrate", verbosity=0, interactive=False)
    workspace, made = Workspace.objects.get_or_create(slug="benchmark", defaults={"name": "Benchmark"})
    if made:
        user = User.objects.create_user("ann@example.org", password="benchmark benchmark")
        Member.objects.create(workspace=workspace, user=user, role="administrator")
        Monitor.objects.bulk_create(
            Monitor(pk=n, workspace=workspace, name=name.title(), query=name) for n, name in enumerate(NAMES, 1)
        )
    return workspace


def _fill(workspace: Any, options: argparse.Namespace) -> None:
    from talkworthy.archive import Keeper
    from talkworthy.listening import cube
    from talkworthy.listening.stores import archive_of

    archive, batch = archive_of(workspace), 5_000
    started = archive.appended("bench")
    if started * batch >= options.posts:
        return
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    maker = PostMaker(read_texts(options.texts), posts=options.posts, end=today)
    appending = keeping = counting = 0.0
    for number, posts in enumerate(maker.batches(batch), 1):
        if number <= started:
            continue
        began = perf_counter()
        appended = archive.append(posts, transactions={"bench": number}, cursors={"bench": {"n": number}})
        appending += perf_counter() - began
        began = perf_counter()
        cube.count_appended(workspace, f"bench:{number}", appended, now=today)
        counting += perf_counter() - began
        if number % 100 == 0 or number * batch >= options.posts:
            began = perf_counter()
            Keeper(archive).run_once()
            keeping += perf_counter() - began
            print(f"{number * batch:,} posts", file=sys.stderr, flush=True)
    stats, done = archive.stats(), options.posts - started * batch
    print(
        f"{done / (appending + keeping):,.0f} posts/s appended with the keeper's work, {done / appending:,.0f} without"
    )
    print(f"{done / counting:,.0f} posts/s counted into the cubes")
    size = f"{stats.bytes / 1e6:,.0f} MB, {stats.bytes / stats.rows:.0f} bytes each"
    print(f"{stats.rows:,} posts in {stats.files} files, {size}")


def _selectors(workspace: Any) -> dict[str, Ask]:
    """What the pages ask, without making a page of it."""
    from talkworthy.archive import Scan
    from talkworthy.listening.filters import Filter
    from talkworthy.listening.periods import DAY, Period
    from talkworthy.listening.selectors import mentions, series
    from talkworthy.listening.stores import archive_of
    from talkworthy.workspaces.models import Member

    viewer, archive, zone = Member.objects.get(workspace=workspace), archive_of(workspace), ZoneInfo("UTC")
    newest = archive.stats().newest
    assert newest is not None
    now = newest + timedelta(seconds=1)
    month, year = Period(now - 30 * DAY, now, zone), Period(now - 365 * DAY, now, zone)
    stored = archive.table(Scan(columns=("id", "uid"), limit=400_000))
    some = random.Random(3).sample(stored.to_pylist(), 1_000)
    asked = {"viewer": viewer, "now": now}

    def found(asked_for: Filter, period: Period | None = None, **more: Any) -> Ask:
        return lambda _: len(mentions.mentions(asked_for, period=period, **asked, **more).posts)

    def monitors(*numbers: int) -> Filter:
        return Filter(monitors=numbers)

    far = archive.table(Scan(columns=("id",), until=now - 400 * DAY, limit=1))["id"][0].as_py()
    numbers = list(range(1, 7))
    return {
        "river: newest of all": found(Filter()),
        "river: of all, a page far back": found(Filter(), before=far),
        "river: a monitor that finds 5 %": found(monitors(OFTEN)),
        "river: a monitor that finds 0.1 %": found(monitors(SELDOM)),
        "river: a monitor that found 30 posts": found(monitors(RARELY)),
        "river: 5 %, a page far back": found(monitors(OFTEN), before=far),
        "river: 5 %, negative, one channel": found(
            replace(monitors(OFTEN), sentiments=("negative",), channels=("email",))
        ),
        "river: 0.1 %, negative, one channel": found(
            replace(monitors(SELDOM), sentiments=("negative",), channels=("email",))
        ),
        "words, 30 days: in every 20th post": found(Filter(words=BRAND), month),
        "words, 30 days: two of 30 posts": found(Filter(words=RARE), month),
        "words, 30 days: in no post": found(Filter(words="nonexistentword"), month),
        "words, 30 days: phrase and negation": found(Filter(words='"thank you" AND NOT please'), month),
        "words, 30 days, counted: in every 20th post": lambda _: (
            mentions.count_mentions(Filter(words=BRAND), period=month, **asked).posts
        ),
        "words, all time: 30 posts in all": found(Filter(words=RARE), seconds=30.0),
        "a post by number": lambda run: len(mentions.post_or_404(some[run]["id"], viewer=viewer)),
        "a post by uid": lambda run: len(mentions.post_of_uid(some[run]["uid"], viewer=viewer) or ()),
        "200 posts by uid at once": lambda run: len(
            mentions.posts_of_uids([post["uid"] for post in some[run : run + 200]], viewer=viewer)
        ),
        "chart: volume of 6 monitors, 30 days": lambda _: len(series.volume(numbers, month, viewer=viewer)),
        "chart: volume of 6 monitors, a year": lambda _: len(series.volume(numbers, year, viewer=viewer)),
        "chart: sentiment, 30 days": lambda _: len(series.sentiment_over_time(OFTEN, month, viewer=viewer)),
        "chart: channels, 30 days": lambda _: len(series.channel_shares(OFTEN, month, viewer=viewer)),
        "chart: languages, 30 days": lambda _: len(series.dimension_shares(OFTEN, "language", month, viewer=viewer)),
        "chart: share of voice, 30 days": lambda _: len(series.share_of_voice(numbers, month, viewer=viewer)),
        "facets of every post, 30 days": lambda _: len(series.facets((), month, viewer=viewer)),
        "facets of every post, all time": lambda _: len(
            series.facets((), Period(now - 730 * DAY, now, zone), viewer=viewer)
        ),
        "what there is, from when to when": lambda _: bool(series.coverage(viewer=viewer).first),
    }


def _views(workspace: Any) -> dict[str, Ask]:
    """The pages themselves, through every middleware, as a browser gets them."""
    from django.conf import settings
    from django.core.cache import cache
    from django.test import Client

    from talkworthy.archive import Scan
    from talkworthy.listening.stores import archive_of
    from talkworthy.workspaces.models import User

    settings.ALLOWED_HOSTS = ["testserver"]
    client, archive = Client(), archive_of(workspace)
    client.force_login(User.objects.get(), backend="allauth.account.auth_backends.AuthenticationBackend")
    newest = archive.table(Scan(columns=("id",), limit=20_000))["id"].to_pylist()
    some = random.Random(5).sample(newest, 1_000)
    answered = archive.table(Scan(columns=("root",), limit=50_000))["root"].drop_null().to_pylist()
    threads = [archive.named(answered[n * 20 : n * 20 + 1])["id"].to_pylist() for n in range(200)]
    roots = [found[0] for found in threads if found]
    version = archive.stats().version
    htmx = {"HX-Request": "true"}

    def page(path: str, *, fresh: bool = False, **given: Any) -> Ask:
        def ask(run: int) -> int:
            if fresh:
                cache.clear()
            answer = client.get(f"/benchmark/{path}", given.get("data"), headers=given.get("headers") or {})
            if answer.status_code not in (200, 204):
                raise SystemExit(f"{path} answered {answer.status_code}")
            return len(answer.content)

        return ask

    def post(numbers: list[int]) -> Ask:
        return lambda run: page(f"listen/post/{numbers[run % len(numbers)]}/")(run)

    return {
        "page: river": page("listen/"),
        "page: river, last 30 days": page("listen/", data={"period": "30d"}),
        "page: river of 5 %": page("listen/", data={"monitor": OFTEN}),
        "page: river of 0.1 %": page("listen/", data={"monitor": SELDOM}),
        "page: river of 30 posts": page("listen/", data={"monitor": RARELY}),
        "page: river, words, 30 days": page("listen/", data={"q": BRAND, "period": "30d"}),
        "page: river, rare words, 30 days": page("listen/", data={"q": RARE, "period": "30d"}),
        "page: count of words, 30 days": page("listen/count/", data={"q": BRAND, "period": "30d"}),
        "page: newer, nothing came": page("listen/newer/", data={"version": version, "after": newest[0]}),
        "page: newer, since the last commit": page("listen/newer/", data={"version": version - 1, "after": newest[0]}),
        "page: a post": post(some),
        "page: a post that many answer": post(roots),
        "page: a post in the pane": lambda run: page(f"listen/post/{some[run]}/", headers=htmx)(run),
        "page: trends, 30 days": page("trends/", data={"period": "30d"}),
        "page: trends, a year": page("trends/", data={"period": "365d"}),
        "page: what rises, 30 days, not kept yet": page("trends/memes/", fresh=True, data={"period": "30d"}),
        "page: monitors": page("monitors/"),
        "page: a monitor of 5 %": page(f"monitors/{OFTEN}/"),
        "page: a monitor of 30 posts": page(f"monitors/{RARELY}/"),
    }


def _jobs(workspace: Any) -> dict[str, Ask]:
    """Backtests as the worker does them, from the job's row to its result."""
    from django.utils import timezone

    from talkworthy.listening.collecting import Listener
    from talkworthy.listening.jobs import claim_this, run_job
    from talkworthy.listening.models import Job

    listener = Listener(workspace)

    def backtest(query: str, monitor: int | None = None) -> Ask:
        def ask(_: int) -> int:
            given = {"query": query, "since": None, "until": None}
            job = Job.objects.create(workspace=workspace, kind=Job.Kind.BACKTEST, monitor_id=monitor, request=given)
            run_job(claim_this(job, now=timezone.now()), listener)
            job.refresh_from_db()
            if job.state != Job.State.DONE:
                raise SystemExit(job.error)
            return int(job.result["matched"])

        return ask

    return {
        "backtest: 5 % against the saved version": backtest(f"{BRAND} OR {NAMES[1]}", OFTEN),
        "backtest: phrases and negation": backtest('("thank you" OR "thanks a lot") AND NOT please'),
        "backtest: near each other": backtest("customer NEAR/5 service"),
        "backtest: 30 posts": backtest(RARE),
        "backtest: a prefix in many posts": backtest("love*"),
        "backtest: nothing but a negation": backtest("lang:de AND NOT der"),
    }


def _is_wanted(name: str, words: list[str]) -> bool:
    return not words or any(word in name for word in words)


def _measured(name: str, ask: Ask, runs: int) -> tuple[Timing, int]:
    """A question's times, and how many statements the desk is asked in one call."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    timing = timed(name, ask, runs=runs)
    if runs == 1:
        return timing, 0
    with CaptureQueriesContext(connection) as statements:
        ask(0)
    return timing, len(statements)


def _print(measured: list[tuple[Timing, int]]) -> None:
    if measured:
        print(f"\n{'question':46} {'first ms':>9} {'p50 ms':>9} {'p95 ms':>9} {'rows, bytes':>12} {'SQL':>4}")
    for timing, statements in measured:
        times = f"{timing.first:9,.1f} {timing.median:9,.1f} {timing.p95:9,.1f}"
        print(f"{timing.name:46} {times} {timing.rows:12,} {statements:4}", flush=True)


if __name__ == "__main__":
    main()
