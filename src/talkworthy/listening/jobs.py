"""Long work that somebody waits for: one job at a time, with progress, on from where it was after a crash."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from talkworthy.analysis.meaning import MEANING
from talkworthy.archive import Archive, Scan
from talkworthy.archive.erasure import Receipt, begin_erasure, erasure_receipt
from talkworthy.archive.keeper import Keeper
from talkworthy.connectors.errors import ConnectorError
from talkworthy.hooks.manager import call
from talkworthy.listening import cube, replay
from talkworthy.listening.collecting import AHEAD, Listener, source_key
from talkworthy.listening.exchange import export_file, import_batches
from talkworthy.listening.models import PROGRESSED, Correction, Job, Mark, Monitor, Source
from talkworthy.listening.searching import search
from talkworthy.listening.stores import http_for
from talkworthy.listening.touchpoints import learned_of_monitor
from talkworthy.listening.voices import count_voices, ties_for
from talkworthy.people.crm import syncing
from talkworthy.people.forgetting import forget
from talkworthy.people.linking import suggest_links
from talkworthy.people.models import CrmAccount
from talkworthy.query import CompiledQuery, compile_query, parse
from talkworthy.schema import POST
from talkworthy.workspaces.credentials import LockedCredentials

log = logging.getLogger(__name__)

LEASE = timedelta(minutes=2)
ATTEMPTS = 3


class Stopped(Exception):
    """A person stopped the job."""


class Interrupted(Exception):
    """The process was asked to end; the job goes on in the next one."""


def claim_job(*, now: datetime) -> Job | None:
    """The oldest job that waits, or whose worker died; it is this worker's until its lease ends."""
    open_jobs = Q(state=Job.State.WAITING) | Q(state=Job.State.RUNNING, claimed_until__lt=now)
    for job in Job.objects.filter(open_jobs).order_by("created_at", "pk")[:5]:
        if _claim(job, open_jobs, now=now):
            return job
    return None


def claim_this(job: Job, *, now: datetime) -> Job:
    """Claim a job that was just made, for whoever made it."""
    _claim(job, Q(state=Job.State.WAITING), now=now)
    return job


def _claim(job: Job, condition: Q, *, now: datetime) -> bool:
    mine = Job.objects.filter(condition, pk=job.pk).update(
        state=Job.State.RUNNING,
        claimed_until=now + LEASE,
        started_at=job.started_at or now,
        attempts=F("attempts") + 1,
    )
    job.refresh_from_db()
    return bool(mine)


def run_job(job: Job, listener: Listener) -> None:
    """Do it, and write down how it ended; a failure is written for the person who waits."""
    if job.attempts - job.request.get(PROGRESSED, 0) > ATTEMPTS:
        _end(job, Job.State.FAILED, error=_given_up(job))
        return
    try:
        result = _WORK[Job.Kind(job.kind)](job, listener)
    except Stopped:
        return
    except Interrupted:
        Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(
            state=Job.State.WAITING, claimed_until=None, attempts=F("attempts") - 1
        )
        return
    except Exception as error:  # whatever it was, the person who waits must hear of it
        log.exception("job %s failed", job.pk)
        _end(job, Job.State.FAILED, error=f"{type(error).__name__}: {error}")
        return
    _end(job, Job.State.DONE, result=result)


def _given_up(job: Job) -> str:
    """Why it is not begun once more, and where to look: what ends a worker cannot be seen from within it."""
    words = _(
        "The worker ended %(n)d times while it did this, the last time at %(place)s. Most often the machine ran out of "
        "memory, or somebody ended the process: the system's log says which. Nothing was changed by halves. Once that "
        "is mended, begin it again: it goes on from where it can."
    )
    done = _("%(done)d of %(total)d %(unit)s") if job.total else _("%(done)d %(unit)s")
    place = done % {"done": job.done, "total": job.total, "unit": job.unit} if job.done else _("its beginning")
    return words % {"n": job.attempts - 1, "place": place}


def exports_of(job: Job) -> Path:
    """Where the file of an export lies."""
    return Path(settings.DATA) / "exports" / str(job.workspace.uid) / f"{job.pk}.{job.request['format']}"


def _end(job: Job, state: str, *, result: Any = None, error: str = "") -> None:
    Job.objects.filter(pk=job.pk, state=Job.State.RUNNING).update(
        state=state, result=result, error=error, ended_at=timezone.now(), claimed_until=None
    )


def _progress(job: Job) -> Callable[[int, int | None], None]:
    def told(done: int, total: int | None) -> None:
        running = Job.objects.filter(pk=job.pk, state=Job.State.RUNNING)
        if not running.update(done=done, total=total, claimed_until=timezone.now() + LEASE):
            raise Stopped

    return told


def _compiled(query: str) -> CompiledQuery:
    return compile_query(parse(query, stage="search"), now=timezone.now(), similarity=MEANING)


def _backtest(job: Job, listener: Listener) -> Mapping[str, Any]:
    Job.objects.filter(pk=job.pk).update(unit="slices")
    query = _compiled(job.request["query"])
    result = replay.backtest(
        listener.archive,
        query,
        monitor=job.monitor_id,
        since=_moment(job.request.get("since")),
        until=_moment(job.request.get("until")),
        seed=job.pk,
        progress=_progress(job),
        ties=ties_for(query, job.workspace),
    )
    return {**result, "version": job.monitor.version if job.monitor else None}


def _rematch(job: Job, listener: Listener) -> Mapping[str, Any]:
    monitor = Monitor.objects.get(jobs=job)
    Job.objects.filter(pk=job.pk).update(unit="slices")
    query = _compiled(monitor.query)
    tied, untied = replay.rematch(
        listener.archive,
        query,
        monitor=monitor.pk,
        progress=_progress(job),
        ties=ties_for(query, monitor.workspace),
        besides=learned_of_monitor(monitor),
    )
    with listener.turn:
        mentions = cube.recount_monitor(monitor.workspace, listener.archive, monitor.pk)
    return {"tied": tied, "untied": untied, "mentions": mentions, "version": monitor.version}


def _import(job: Job, listener: Listener) -> Mapping[str, Any]:
    """Read the file into the spool piece by piece; pieces that were stored before are passed over by the archive."""
    request, told = job.request, _progress(job)
    path = Path(request["path"])
    source = _source_of_import(job)
    key, done = source_key(source), 0
    faults: list[str] = []
    for seq, posts in enumerate(
        import_batches(path, request["format"], mapping=request["mapping"], faults=faults), start=1
    ):
        named = pa.array([key] * posts.num_rows, pa.string())
        arrived = pa.array([job.created_at] * posts.num_rows, POST.field("collected_at").type)
        posts = posts.set_column(POST.get_field_index("source"), POST.field("source"), named)
        posts = posts.set_column(POST.get_field_index("collected_at"), POST.field("collected_at"), arrived)
        listener.archive.spool.write(key, seq, posts)
        done += posts.num_rows
        listener.store_pending(now=timezone.now(), leave=AHEAD)
        told(done, None)
        if listener.stopping.is_set():
            raise Interrupted
    listener.store_pending(now=timezone.now())
    if listener.stopping.is_set():
        raise Interrupted
    path.unlink(missing_ok=True)
    return {"posts": done, "faults": faults[:100], "fault_count": len(faults), "source": source.pk}


def _source_of_import(job: Job) -> Source:
    """One source a job, paused for ever: it brings nothing by itself, and its posts can be found by it."""
    source, _created = Source.objects.get_or_create(
        workspace=job.workspace,
        key=f"import-{job.pk}",
        defaults={
            "connector": "files",
            "name": job.request["name"][:120],
            "state": Source.State.PAUSED,
            "note": "Imported once",
        },
    )
    return source


def _export(job: Job, listener: Listener) -> Mapping[str, Any]:
    request, told = job.request, _progress(job)
    query = _compiled(request["query"]) if request["query"].strip() else None
    scan = Scan(
        since=_moment(request["since"]),
        until=_moment(request["until"]),
        monitors_any=tuple(request["monitors"]),
        order="oldest",
    )
    path = exports_of(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    posts = export_file(
        search(listener.archive, query, scan, ties=ties_for(query, job.workspace)),
        path,
        request["format"],
        told=lambda done: told(done, None),
    )
    return {"posts": posts, "bytes": path.stat().st_size}


def _erase(job: Job, listener: Listener) -> Mapping[str, Any]:
    """Hide, count out, rewrite every file, and take what was derived out of every room; then the receipt."""
    request, archive, workspace = job.request, listener.archive, job.workspace
    authors = [(channel, account) for channel, account in request.get("accounts", ())]
    if request["author_id"]:
        authors.append((request["channel"], request["author_id"]))
    _find_tied(job, archive, authors)
    with listener.turn:
        gone = _rows_of(archive, authors, request["uids"])
        uids = sorted({*request["uids"], *request.get("found", ()), *gone["uid"].to_pylist()})
        request["found"] = uids  # once they are hidden, nobody could find them again after a crash
        Job.objects.filter(pk=job.pk).update(request=request)
        receipts = [
            begin_erasure(archive, author=author, uids=request["uids"] if first else (), now=timezone.now())
            for first, author in _asked(authors, request["uids"])
        ]
        if job.attempts > 1:
            cube.rebuild(workspace, archive)
        else:
            cube.count_changes(workspace, f"erasure {job.pk}", added=[], removed=[gone], now=timezone.now())
    _progress(job)(len(uids), len(uids))
    listener.forget_copies()
    desk = _erase_from_desk(job, uids)
    tables = _erase_from_rooms(job, uids, authors)
    with listener.turn:
        Keeper(archive).run_once(everything=True, wait=None)
    receipts = [erasure_receipt(archive, receipt.id) for receipt in receipts]
    Job.objects.filter(pk=job.pk).update(
        request={"why": request["why"], "channel": request["channel"], "uids": [], "author_id": "erased"}
    )
    return {**_told(receipts), **desk, "tables": tables, "look_at": request["look_at"]}


def _find_tied(job: Job, archive: Archive, authors: Sequence[tuple[str, str]]) -> None:
    """Ask the rooms what goes along and what a person must look at, once, while the person's words are still there."""
    request = job.request
    if "look_at" in request:
        return
    theirs = _rows_of(archive, authors, request["uids"])["uid"].to_pylist()
    asked = {"workspace": job.workspace, "uids": sorted({*request["uids"], *theirs}), "authors": authors}
    answers = call("data_tied", **asked)
    request["uids"] = sorted({*request["uids"], *(uid for answer in answers for uid in answer.uids)})
    request["look_at"] = [list(row) for answer in answers for row in answer.look_at]
    Job.objects.filter(pk=job.pk).update(request=request)


def _asked(authors: Sequence[tuple[str, str]], uids: Sequence[str]) -> list[tuple[bool, tuple[str, str] | None]]:
    """An erasure for each account; the posts that were named go with the first."""
    if not authors:
        return [(True, None)] if uids else []
    return [(place == 0, author) for place, author in enumerate(authors)]


def _told(receipts: Sequence[Receipt]) -> dict[str, Any]:
    """The receipts of all accounts as one: complete when the last is."""
    counted = ("posts", "files_rewritten", "payloads_emptied", "spooled_posts_removed")
    if not receipts:
        at = str(timezone.now())
        times = {"requested_at": at, "due_at": at, "completed_at": at}
        return {"id": "", "state": "complete", "waiting_for": "", **times, **dict.fromkeys(counted, 0)}
    waiting = next((receipt for receipt in receipts if receipt.completed_at is None), receipts[-1])
    named = ("state", "requested_at", "due_at", "completed_at", "waiting_for")
    return {
        "id": ", ".join(receipt.id for receipt in receipts),
        **{name: str(getattr(waiting, name)) for name in named},
        **{name: sum(getattr(receipt, name) for receipt in receipts) for name in counted},
    }


def _erase_from_rooms(job: Job, uids: Sequence[str], authors: Sequence[tuple[str, str]]) -> dict[str, int]:
    """What every room derived from the posts and accounts, and the person's own record; rows removed by table."""
    asked: dict[str, Any] = {"workspace": job.workspace, "uids": uids, "authors": authors, "now": timezone.now()}
    removed = Counter[str](job.request.get("removed", {}))
    for answer in call("data_forgotten", **asked):
        removed.update(answer)
    if job.request.get("records"):
        removed.update(forget(job.workspace, job.request["records"], ()))
    job.request["removed"] = dict(removed)  # a second try finds nothing more, and must not forget the first
    Job.objects.filter(pk=job.pk).update(request=job.request)
    return {name: count for name, count in sorted(removed.items()) if count}


def _rows_of(archive: Archive, authors: Sequence[tuple[str, str]], uids: list[str]) -> pa.Table:
    tables = (
        [archive.table(Scan(columns=cube.COLUMNS, ids=tuple(post["id"] for uid in uids if (post := archive.get(uid)))))]
        if uids
        else []
    )
    tables += [
        archive.table(Scan(columns=cube.COLUMNS, channels=(channel,), authors=(account,)))
        for channel, account in authors
    ]
    joined = pa.concat_tables(tables or [archive.table(Scan(columns=cube.COLUMNS, ids=()))])
    kept, seen = [], set()
    for place, number in enumerate(joined["id"].to_pylist()):
        if number not in seen:
            seen.add(number)
            kept.append(place)
    return joined.take(pa.array(kept, pa.int64()))


def _erase_from_desk(job: Job, uids: list[str]) -> dict[str, int]:
    """Marks, corrections, lists in the results of jobs, and exported files, which may hold the posts."""
    removed = {"marks": 0, "corrections": 0, "exports": 0}
    for start in range(0, len(uids), 500):
        piece = uids[start : start + 500]
        removed["marks"] += Mark.objects.filter(monitor__workspace=job.workspace, uid__in=piece).delete()[0]
        removed["corrections"] += Correction.objects.filter(workspace=job.workspace, uid__in=piece).delete()[0]
    gone = set(uids)
    for other in Job.objects.filter(workspace=job.workspace, kind=Job.Kind.BACKTEST).exclude(result=None):
        result = dict(other.result or {})
        for name in ("added_sample", "lost_sample", "sample"):
            result[name] = [uid for uid in result.get(name, []) if uid not in gone]
        Job.objects.filter(pk=other.pk).update(result=result)
    for other in Job.objects.filter(workspace=job.workspace, kind=Job.Kind.REPLAY).exclude(result=None):
        Job.objects.filter(pk=other.pk).update(result=_without(other.result, gone))
    for other in Job.objects.filter(workspace=job.workspace, kind=Job.Kind.EXPORT):
        path = exports_of(other)
        if path.exists():
            path.unlink()
            removed["exports"] += 1
    return removed


def _without(value: Any, uids: set[str]) -> Any:
    """Plain values less the rows that name one of the posts."""
    if isinstance(value, dict):
        return {name: _without(held, uids) for name, held in value.items()}
    if isinstance(value, list):
        return [_without(held, uids) for held in value if not (isinstance(held, dict) and held.get("uid") in uids)]
    return value


def _link(job: Job, listener: Listener) -> Mapping[str, Any]:
    """Compare everybody who is known, and put what may be one before people."""
    Job.objects.filter(pk=job.pk).update(unit="records")
    return suggest_links(job.workspace, now=timezone.now(), told=_progress(job))


def _sync(job: Job, listener: Listener) -> Mapping[str, Any]:
    """Exchange persons with a CRM; what went wrong stands with the account, too."""
    account = CrmAccount.objects.select_related("workspace").get(pk=job.request["account"], workspace=job.workspace)
    Job.objects.filter(pk=job.pk).update(unit="contacts")
    try:
        with http_for(job.workspace) as http:
            return syncing.sync(account, syncing.crm_of(account, http), now=timezone.now(), told=_progress(job))
    except (ConnectorError, LockedCredentials) as error:
        CrmAccount.objects.filter(pk=account.pk).update(error=str(error)[:500])
        raise


def _influence(job: Job, listener: Listener) -> Mapping[str, Any]:
    Job.objects.filter(pk=job.pk).update(unit="slices")
    return count_voices(job.workspace, listener.archive, progress=_progress(job), now=timezone.now())


_WORK: dict[Job.Kind, Callable[[Job, Listener], Mapping[str, Any]]] = {
    Job.Kind.BACKTEST: _backtest,
    Job.Kind.REMATCH: _rematch,
    Job.Kind.IMPORT: _import,
    Job.Kind.EXPORT: _export,
    Job.Kind.ERASURE: _erase,
    Job.Kind.LINK: _link,
    Job.Kind.SYNC: _sync,
    Job.Kind.INFLUENCE: _influence,
}


def register_work(kind: Job.Kind, work: Callable[[Job, Callable[[int, int | None], None]], Mapping[str, Any]]) -> None:
    """Let a room above do the jobs of a kind; it is told the job and whom to tell how far it is."""
    _WORK[kind] = lambda job, _listener: work(job, _progress(job))


def register_storing(
    kind: Job.Kind, work: Callable[[Job, Callable[[int, int | None], None], Listener], Mapping[str, Any]]
) -> None:
    """As `register_work`, for work that changes stored posts: it is given the listener, whose turn it must take."""
    _WORK[kind] = lambda job, listener: work(job, _progress(job), listener)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
