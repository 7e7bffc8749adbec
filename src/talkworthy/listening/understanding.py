"""Analysis and matching in processes of their own, so that every core is used while one process stores.

They are asked over pipes in Arrow's own format, know neither desk nor archive, and keep nothing that matters: one that
was killed is replaced, and what it had in hand is asked again. They end by themselves when whoever asks is gone.
"""

import logging
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import IO, Any

import pyarrow as pa

from talkworthy.analysis.duplicates import BANDS_KEPT
from talkworthy.analysis.meaning import MEANING
from talkworthy.listening.chosen import AS_SHIPPED, Chosen, pipeline_for
from talkworthy.listening.ties import Influence, heard, tied_to
from talkworthy.query import CompiledQuery, Matcher, QueryError, compile_query, parse

log = logging.getLogger(__name__)

ROWS = 2_048
"""Posts that are understood at a time, wherever that is done; whoever stores them looks for earlier copies."""
TRIES = 2
NICENESS = 5
"""How much these processes stand back behind pages and storing."""
IDLE = 300.0
"""Seconds after which a process that is asked nothing ends, and gives its memory back."""
MONITORS = pa.field("monitors", pa.list_(pa.int32()))
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class NotUnderstood(RuntimeError):
    """No process gave an answer; do it in this one."""


@dataclass(frozen=True)
class Monitors:
    """The queries that posts are matched with, by number, the time from which relative times count, and the models."""

    queries: tuple[tuple[int, str], ...] = ()
    now: datetime | None = None
    ties: tuple[tuple[int, str], ...] = ()
    """The slug of the touchpoint that a monitor carries."""
    models: Chosen = AS_SHIPPED
    influence: Influence | None = None
    """That of every account, where a query asks it."""

    def matching(self) -> "Matching":
        """The queries compiled; one that no longer parses (the language grew) is left out and logged."""
        plain: dict[int, CompiledQuery] = {}
        tied: dict[int, CompiledQuery] = {}
        for number, query in self.queries:
            try:
                compiled = compile_query(parse(query, stage="monitor"), now=self.now, similarity=MEANING)
            except QueryError as error:
                log.error("monitor %s does not parse: %s", number, error)
            else:
                (tied if "touchpoint" in compiled.columns else plain)[number] = compiled
        return Matching(Matcher(plain), Matcher(tied), dict(self.ties), self.models, self.influence)


@dataclass(frozen=True)
class Matching:
    """Monitors that posts are matched with: first those that ask the post alone, then those that ask `touchpoint:`.

    A post's touchpoints are those whose monitors found it the first time, so two of them cannot wait for each other.
    """

    plain: Matcher[int]
    tied: Matcher[int]
    ties: Mapping[int, str]
    models: Chosen = AS_SHIPPED
    """With which posts are annotated before."""
    influence: Influence | None = None

    def matched(self, posts: pa.RecordBatch) -> pa.RecordBatch:
        """Posts with the numbers of the monitors that they match, ascending within each."""
        told = posts if self.influence is None else heard(posts, self.influence)
        found = list(self.plain.match(told).by_row())
        matched = told.append_column(MONITORS, pa.array(found, MONITORS.type))
        if not self.tied.keys:
            return matched.select([*posts.schema.names, MONITORS.name])
        more = self.tied.match(tied_to(matched, self.ties)).by_row()
        both = [[*one, *other] for one, other in zip(found, more, strict=True)]
        return posts.append_column(MONITORS, pa.array(both, MONITORS.type))


def pieces(posts: pa.Table) -> list[pa.RecordBatch]:
    """Posts in the pieces in which they are understood."""
    batches: list[pa.RecordBatch] = posts.combine_chunks().to_batches(max_chunksize=ROWS)
    return batches


def understood(piece: pa.RecordBatch, matching: Matching) -> pa.RecordBatch:
    """A piece with its annotations, what `Copies` reads of it, and the monitors that it matches."""
    return matching.matched(pipeline_for(matching.models).run(piece, keep=(BANDS_KEPT,)))


class Understanders:
    """Up to so many processes, each started when it is first needed."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._guard = threading.Lock()
        self._closed = False
        self._asking = ThreadPoolExecutor(max(processes, 1), thread_name_prefix="understand")

    def __enter__(self) -> "Understanders":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, piece: pa.RecordBatch, monitors: Monitors) -> "Future[pa.RecordBatch]":
        """What `understood` answers, when it comes; NotUnderstood where it cannot."""
        try:
            return self._asking.submit(self._answer, piece, monitors)
        except RuntimeError as error:  # the threads that ask have ended
            refused: Future[pa.RecordBatch] = Future()
            refused.set_exception(NotUnderstood(str(error)))
            return refused

    def pids(self) -> list[int]:
        """The processes that live."""
        with self._guard:
            return [process.pid for process in self._all]

    def close(self) -> None:
        """End all of them at once; what they have in hand is not waited for."""
        with self._guard:
            self._closed = True
            ending = list(self._all)
        self._asking.shutdown(wait=False, cancel_futures=True)
        for process in ending:
            process.end()
        self._asking.shutdown(wait=True)

    def _answer(self, piece: pa.RecordBatch, monitors: Monitors) -> pa.RecordBatch:
        for _try in range(TRIES):
            process = self._taken()
            try:
                answer = process.ask(piece, monitors)
            except (OSError, EOFError, pickle.UnpicklingError, pa.ArrowInvalid) as error:
                self._gone(process, error)
            except NotUnderstood:
                self._back(process)
                raise
            else:
                self._back(process)
                return answer
        raise NotUnderstood(f"{piece.num_rows} posts were given up by {TRIES} processes")

    def _taken(self) -> "_Process":
        with self._guard:
            if self._closed:
                raise NotUnderstood("the processes are ending")
            while self._idle:
                process = self._idle.pop()
                if process.lives():
                    return process
                self._all.discard(process)
                process.end()
            process = _Process()
            self._all.add(process)
            return process

    def _back(self, process: "_Process") -> None:
        with self._guard:
            self._idle.append(process)

    def _gone(self, process: "_Process", error: Exception) -> None:
        with self._guard:
            self._all.discard(process)
            closed = self._closed
        status = process.end()
        if not closed:
            log.warning(
                "process %s for analysis ended (%s, %s); another one takes its posts", process.pid, status, error
            )


class _Process:
    """One process and the pipes to it. Used by one thread at a time."""

    def __init__(self) -> None:
        self._told: Monitors | None = None
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for whoever asks
            env={**os.environ, **_ONE_THREAD},
        )
        self.pid = self._process.pid

    def ask(self, piece: pa.RecordBatch, monitors: Monitors) -> pa.RecordBatch:
        """Raises OSError or EOFError where the process is gone, NotUnderstood where it says so."""
        given, back = self._process.stdin, self._process.stdout
        if given is None or back is None:
            raise EOFError("no pipe")
        pickle.dump((None if self._told == monitors else monitors, _packed(piece)), given)
        given.flush()
        self._told = monitors
        answer = pickle.load(back)  # noqa: S301 - from a process of our own
        if isinstance(answer, str):
            raise NotUnderstood(answer)
        return _unpacked(answer)

    def lives(self) -> bool:
        """Whether it has not ended by itself."""
        return self._process.poll() is None

    def end(self) -> int:
        """Kill it, and return its status."""
        self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return status


def serve() -> None:
    """Answer until nobody asks any more: what each process of the pool runs."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(NICENESS)
    pa.set_cpu_count(1)
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not speak into the answers
    with suppress(BrokenPipeError):  # whoever asked is gone
        _serve(asked, answers)


def _serve(asked: IO[bytes], answers: IO[bytes]) -> None:
    matching = Monitors().matching()
    while select.select([asked], [], [], IDLE)[0]:
        try:
            monitors, packed = pickle.load(asked)  # noqa: S301 - from the process that started this one
        except EOFError:
            return
        if monitors is not None:
            matching = monitors.matching()
        pickle.dump(_answer(packed, matching), answers)
        answers.flush()


def _answer(packed: bytes, matching: Matching) -> bytes | str:
    """The answer, or what was wrong; the asker then does it itself, and meets the error where it can be told."""
    try:
        return _packed(understood(_unpacked(packed), matching))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def _packed(piece: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, piece.schema) as writer:
        writer.write_batch(piece)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _unpacked(packed: Any) -> pa.RecordBatch:
    with pa.ipc.open_stream(packed) as reader:
        return reader.read_next_batch()
