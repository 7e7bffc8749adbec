"""The worker: fetches what is due, stays on streams, stores what came, runs jobs, and looks for alerts.

Any number of workers share a data folder: each does due work, which is claimed row by row. What wants the one process
that writes the archive is done by the first of them; when that one dies, the next takes its place. Every thread does
one kind of work in a loop and lets nothing of its own end the others; what a thread had in hand when the process was
killed is found again by another worker, or at the next start.
"""

import fcntl
import logging
import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import close_old_connections, connection, transaction
from django.db.models import Q
from django.utils import timezone

from talkworthy.archive.keeper import Keeper, Retention
from talkworthy.connectors.contract import Streaming, Subscribing
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, ResumeLost, TryLater
from talkworthy.hooks.manager import joined
from talkworthy.listening import cube
from talkworthy.listening.alerts import mail_alerts, raise_alerts
from talkworthy.listening.collecting import (
    AHEAD,
    Listener,
    MissingConnector,
    connector_of,
    fetch_source,
    keep_page,
    parse_pending,
    settings_of,
    source_key,
)
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.models import Source
from talkworthy.listening.planning import next_fetch, next_try
from talkworthy.listening.stores import http_for, payloads_of
from talkworthy.listening.understanding import Understanders
from talkworthy.listening.uploads import forget_uploads
from talkworthy.people.uploads import forget_contacts
from talkworthy.workspaces.credentials import LockedCredentials
from talkworthy.workspaces.models import Workspace

log = logging.getLogger(__name__)
T = TypeVar("T")

FETCHERS = 8
CLAIM = timedelta(minutes=10)
STORE_EVERY = 0.2
DUE_EVERY = 1.0
WORK_EVERY = 0.5
TAKE_OVER_EVERY = 1.0
ALERTS_EVERY = 60.0
KEEP_EVERY = 300.0
COMPARE_EVERY = 24 * 3600.0


class AlreadyRunning(RuntimeError):
    """Another worker has this data folder."""


class Worker:
    """Everything that runs in the background."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._understanders = understanders()
        self._listeners: dict[int, Listener] = {}
        self._guard = threading.Lock()
        self._streams: dict[int, threading.Thread] = {}
        self._unstreamed: dict[int, object] = {}
        """Sources whose settings allow no stream, with those settings."""
        self._fetchers = ThreadPoolExecutor(FETCHERS, thread_name_prefix="fetch")

    def run(self) -> None:
        """Work until `stop` is called or the process is asked to end: share due work, and the rest when it is first."""
        with one_of_the_workers():
            threads = [
                self._thread(name, partial(self.do_due_work, work), WORK_EVERY) for name, work in joined("work_due")
            ]
            with first_worker(self.stopping) as is_first:
                if is_first:
                    self.run_as_first()
            for thread in threads:
                thread.join(timeout=20)

    def run_as_first(self) -> None:
        """Do what only one process may: bring and store posts, run jobs, keep the archives in order."""
        with self._understanders or nullcontext():
            threads = [
                self._thread("due", self.start_due, DUE_EVERY),
                self._thread("jobs", self.run_jobs, 0.5),
                self._thread("alerts", self.look_for_alerts, ALERTS_EVERY),
                self._thread("keeper", self.keep, KEEP_EVERY, first=60.0),
                self._thread("compare", self.compare_cubes, COMPARE_EVERY, first=20.0),
            ]
            self._loop("store", self.store, STORE_EVERY, 0.0)
            for thread in [*threads, *self._streams.values()]:
                thread.join(timeout=20)
            self._fetchers.shutdown(wait=True, cancel_futures=True)

    def stop(self, *_: object) -> None:
        """Ask every thread to end after what it has in hand."""
        self.stopping.set()

    def listener(self, workspace: Workspace) -> Listener:
        """The listener of a workspace."""
        with self._guard:
            if workspace.pk not in self._listeners:
                self._listeners[workspace.pk] = Listener(
                    workspace, understanders=self._understanders, stopping=self.stopping
                )
            return self._listeners[workspace.pk]

    def run_once(self) -> None:
        """Fetch every source that is due, and store all that came: for the command line and for tests."""
        for source in list(Source.objects.filter(_due(timezone.now()))):
            self.fetch(source)
        self.store()

    # What the threads do

    def store(self) -> int:
        """Parse and store everything that waits; returns the number of posts."""
        return sum(self._of_each_workspace(self._store))

    def _store(self, workspace: Workspace) -> int:
        listener, stored = self.listener(workspace), 0
        while parse_pending(workspace, archive=listener.archive) and not self.stopping.is_set():
            stored += listener.store_pending(now=timezone.now(), leave=AHEAD).posts
        return stored + listener.store_pending(now=timezone.now()).posts

    def start_due(self) -> None:
        """Hand each source that is due to a fetcher or to a stream of its own."""
        now = timezone.now()
        self._tend_streams()
        due = Source.objects.filter(_due(now)).exclude(pk__in=list(self._streams))
        for source in due.select_related("workspace"):
            free = Q(claimed_until=None) | Q(claimed_until__lt=now) | Q(claimed_until__gt=now + 2 * CLAIM)
            if Source.objects.filter(free, pk=source.pk).update(claimed_until=now + CLAIM):
                self._fetchers.submit(self._guarded, f"source {source.pk}", partial(self.fetch, source))

    def fetch(self, source: Source) -> None:
        """Fetch one source and write down how that went."""
        try:
            with http_for(source.workspace) as http:
                self._subscribe(source)
                page = fetch_source(source, http, now=timezone.now())
        except ResumeLost as error:
            payloads_of(source.workspace).keep(source_key(source), [], error.cursor or {})
            _failed(source, error, state=Source.State.RETRYING, after=1.0)
        except AskForCredentials as error:
            _failed(source, error, state=Source.State.REFUSED, after=3600.0)
        except GiveUp as error:
            _failed(source, error, state=Source.State.GONE, after=6 * 3600.0)
        except TryLater as error:
            _failed(source, error, state=Source.State.RETRYING, after=error.after)
        except LockedCredentials as error:
            _failed(source, error, state=Source.State.REFUSED, after=3600.0)
        except (ConnectorError, OSError) as error:
            _failed(source, error, state=Source.State.RETRYING, after=60.0)
        except Exception as error:  # a connector's fault must not stop the others
            log.exception("fetching source %s failed", source.pk)
            _failed(source, error, state=Source.State.RETRYING, after=300.0)
        else:
            now = timezone.now()
            due = next_fetch(now=now, interval=source.interval, wait=page.wait, more=page.more)
            values = {
                "state": Source.State.HEALTHY,
                "last_error": "",
                "failures": 0,
                "last_fetch_at": now,
                "due_at": due,
            }
            cursor = payloads_of(source.workspace).cursor(source_key(source))
            _note(source, **values, note=page.note, cursor=cursor)

    def run_jobs(self) -> None:
        """Run the jobs that wait, one after the other."""
        while not self.stopping.is_set():
            job = claim_job(now=timezone.now())
            if job is None:
                return
            run_job(job, self.listener(job.workspace))

    def do_due_work(self, work: Callable[..., int]) -> None:
        """Let one kind of due work be done until nothing is due: a slow kind keeps no other waiting."""
        while not self.stopping.is_set() and work(now=timezone.now()):
            pass

    def look_for_alerts(self) -> None:
        """Raise the alerts that are due, and mail them."""
        self._of_each_workspace(lambda workspace: raise_alerts(workspace, now=timezone.now()))
        mail_alerts(now=timezone.now())

    def keep(self) -> None:
        """Put the archives in order; what a retention removes leaves the cubes too."""
        self._of_each_workspace(self._keep)

    def _keep(self, workspace: Workspace) -> None:
        listener = self.listener(workspace)
        cube.prune_batches(workspace, now=timezone.now())
        forget_uploads(workspace, now=timezone.now())
        forget_contacts(workspace, now=timezone.now())
        kept = Keeper(listener.archive, retention=Retention(posts=workspace.retention_days)).run_once()
        if kept.retired_posts:
            with listener.turn:
                cube.rebuild(workspace, listener.archive)

    def compare_cubes(self) -> None:
        """Compare the cubes with the archive, and count anew where they disagree."""
        self._of_each_workspace(self._compare)

    def _compare(self, workspace: Workspace) -> None:
        listener = self.listener(workspace)
        with listener.turn:
            found = cube.differences(workspace, listener.archive)
            if found:
                log.warning(
                    "cubes of workspace %s disagree with the archive in %s: counting anew",
                    workspace.pk,
                    ", ".join(found),
                )
                cube.rebuild(workspace, listener.archive)

    def _of_each_workspace(self, work: Callable[[Workspace], T]) -> list[T]:
        """What it gives in each workspace; what fails in one is raised when the others had their turn."""
        given: list[T] = []
        failed: list[Exception] = []
        for workspace in Workspace.objects.all():
            try:
                given.append(work(workspace))
            except Exception as error:  # a full or damaged archive of one is no reason to keep the others waiting
                log.exception("work for workspace %s failed", workspace.pk)
                failed.append(error)
        if failed:
            raise failed[0]
        return given

    # Streams and subscriptions

    def _tend_streams(self) -> None:
        """Start a thread for each source that streams and has none; while it lives, the source is not fetched."""
        for number, thread in list(self._streams.items()):
            if not thread.is_alive():
                del self._streams[number]
        for source in Source.objects.filter(_due(timezone.now())).select_related("workspace"):
            if (
                source.pk not in self._streams
                and _streams(source)
                and self._unstreamed.get(source.pk) != source.settings
            ):
                self._streams[source.pk] = threading.Thread(
                    target=self._guarded,
                    args=(f"stream {source.pk}", partial(self.listen, source)),
                    daemon=True,
                )
                self._streams[source.pk].start()

    def listen(self, source: Source) -> None:
        """Catch up, then stay on a stream until it breaks, the source changes, or the worker ends.

        Each page is durable before the next.
        """
        connector, store, key = connector_of(source), payloads_of(source.workspace), source_key(source)
        if not isinstance(connector, Streaming):
            return
        self.fetch(source)
        source.refresh_from_db()
        if source.state != Source.State.HEALTHY:
            return
        began = timezone.now()
        try:
            with http_for(source.workspace) as http:
                for page in connector.stream(http, settings_of(source), store.cursor(key)):
                    keep_page(store, source, page, known=store.cursor(key))
                    now = timezone.now()
                    if page.payloads or (now - began).total_seconds() > 15:
                        began = now
                        is_as_it_was = _note(
                            source,
                            state=Source.State.HEALTHY,
                            last_error="",
                            failures=0,
                            last_fetch_at=now,
                            cursor=store.cursor(key),
                        )
                        if not is_as_it_was:
                            return
                    if self.stopping.is_set():
                        return
        except GiveUp as error:
            log.info("source %s has no stream: %s", source.pk, error)
            self._unstreamed[source.pk] = source.settings
        except (ConnectorError, OSError) as error:
            _failed(source, error, state=Source.State.RETRYING, after=getattr(error, "after", 5.0))

    def _subscribe(self, source: Source) -> None:
        """Ask for delivery where the connector must, a day before it ends."""
        connector = connector_of(source)
        now = timezone.now()
        if not isinstance(connector, Subscribing) or (
            source.subscribed_until and source.subscribed_until > now + timedelta(days=1)
        ):
            return
        callback = f"{settings.CONFIGURATION.public_address}/receive/{source.key}/"
        store, key = payloads_of(source.workspace), source_key(source)
        known = store.cursor(key)
        with http_for(source.workspace) as http:
            try:
                page = connector.subscribe(http, settings_of(source), known, callback=callback, now=now)
            except ConnectorError as error:
                log.info("source %s could not subscribe: %s", source.pk, error)
                Source.objects.filter(pk=source.pk).update(subscribed_until=now + timedelta(days=1, hours=1))
                return
        keep_page(store, source, page, known=known)
        Source.objects.filter(pk=source.pk).update(subscribed_until=now + timedelta(days=3))

    # Threads

    def _thread(self, name: str, work: Callable[[], object], every: float, *, first: float = 0.0) -> threading.Thread:
        thread = threading.Thread(target=self._loop, args=(name, work, every, first), name=name, daemon=True)
        thread.start()
        return thread

    def _loop(self, name: str, work: Callable[[], object], every: float, first: float) -> None:
        self.stopping.wait(first)
        while not self.stopping.is_set():
            self._guarded(name, work)
            self.stopping.wait(every)

    def _guarded(self, name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # the loop goes on; what failed is tried again
            log.exception("%s failed and will be tried again", name)
            self.stopping.wait(1.0)
        finally:
            close_old_connections()
            if threading.current_thread().name.startswith("fetch"):
                connection.close()


_DUE = Q(deleted_at=None) & ~Q(state=Source.State.PAUSED)


def _due(now: datetime) -> Q:
    """Sources whose time has come, and those that a clock which ran ahead has put off: their last fetch is to come."""
    return _DUE & (Q(due_at__lte=now) | Q(last_fetch_at__gt=now + CLAIM))


def understanders() -> Understanders | None:
    """The processes that analyse for this one, as many as are set; None where it does that itself."""
    processes = settings.CONFIGURATION.processes
    return Understanders(processes) if processes else None


@contextmanager
def only_worker() -> Iterator[None]:
    """Hold the data folder for one process alone; raises AlreadyRunning."""
    with _held("worker.lock", fcntl.LOCK_EX):
        yield


@contextmanager
def one_of_the_workers() -> Iterator[None]:
    """Share the data folder with other workers; raises AlreadyRunning where one process has it alone."""
    with _held("worker.lock", fcntl.LOCK_SH):
        yield


@contextmanager
def first_worker(stopping: threading.Event) -> Iterator[bool]:
    """Wait to be the first of the workers; False where asked to end before that."""
    is_told = False
    while not stopping.is_set():
        try:
            with _held("first-worker.lock", fcntl.LOCK_EX):
                yield True
                return
        except AlreadyRunning:
            if not is_told:
                log.warning("Another worker is the first: this one shares due work, and takes over when that one ends.")
            is_told = True
        stopping.wait(TAKE_OVER_EVERY)
    yield False


@contextmanager
def _held(name: str, how: int) -> Iterator[None]:
    """Hold a lock in the data folder, which falls when the process dies; raises AlreadyRunning."""
    path = Path(settings.DATA) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, how | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise AlreadyRunning(
                f"Another worker is using {path.parent}. Stop it first, or choose another TALKWORTHY_DATA."
            ) from error
        yield


def run() -> None:
    """Run a worker until SIGTERM or Ctrl-C, or until the process that started it is gone."""
    worker = Worker()
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    parent = os.getppid()
    threading.Thread(target=_watch_parent, args=(worker, parent), daemon=True).start()
    worker.run()


def _watch_parent(worker: Worker, parent: int) -> None:
    while not worker.stopping.wait(2.0):
        if os.getppid() != parent:
            worker.stop()


def _streams(source: Source) -> bool:
    """Whether this source stays connected: its connector can, and its settings do not say otherwise.

    Where the connector or the key of its credentials is missing, fetching says so on the source's page.
    """
    try:
        connector, given = connector_of(source), settings_of(source)
    except (MissingConnector, LockedCredentials):
        return False
    return isinstance(connector, Streaming) and connector.capabilities.stream and bool(given.get("stream", True))


def _note(source: Source, **values: Any) -> bool:
    """Write down how it went, and that it is over.

    Where the source was paused, deleted or given other settings meanwhile, that says nothing about it: it is only
    over, it stays due as it is, and the answer is False.
    """
    row = Source.objects.filter(pk=source.pk)
    with transaction.atomic():
        standing = row.select_for_update().filter(_DUE).values_list("settings", "secrets").first()
        if standing is None or (standing[0], bytes(standing[1])) != (source.settings, bytes(source.secrets)):
            row.update(claimed_until=None)
            return False
        row.update(**values, claimed_until=None)
        return True


def _failed(source: Source, error: Exception, *, state: str, after: float) -> None:
    now = timezone.now()
    failures = source.failures + 1
    due = next_try(now=now, failures=failures, after=after, jitter=random.random())  # noqa: S311 - spreads retries
    log.info("source %s: %s", source.pk, error)
    _note(
        source,
        state=state,
        last_error=str(error) or type(error).__name__,
        failures=failures,
        last_fetch_at=now,
        due_at=due,
    )
