"""Stored posts through other models, the newest first: what would change, or the change itself.

Each batch is written, counted and noted under one hold of the workspace. Where a process ended in between, the batch
stands begun and uncounted: all is counted anew, and the batch is done again, which changes nothing twice. What a
person corrected stays; only the answer that an undone correction gives back becomes the new model's.
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
from django.db import transaction
from django.utils import timezone

from talkworthy.archive import Archive, Scan
from talkworthy.learning.choosing import Choice, chosen_of
from talkworthy.learning.differing import ANSWERS, MADE, Row, Tally, changes
from talkworthy.listening import cube
from talkworthy.listening.actions import rematch_asking
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import Interrupted
from talkworthy.listening.models import PROGRESSED, Batch, Correction, Job
from talkworthy.schema import POST
from talkworthy.workspaces.models import Workspace

AT_ONCE = 4_096
PIECE = 500

Progress = Callable[[int, int | None], None]


def work(job: Job, told: Progress, listener: Listener) -> Mapping[str, Any]:
    """Look at every post that is asked for, and write what differs where that is asked; on from where it was."""
    request, archive = job.request, listener.archive
    chosen = chosen_of(job.workspace, Choice(request["models"], request["sure"]))
    tally = Tally.from_json(request.get("tally", {}))
    scan = scan_of(request)
    total = int(archive.count(scan)["posts"][0].as_py())
    _count_anew_where_cut_short(job, listener)
    while (posts := _next(archive, scan, job.request.get("reached"))).num_rows:
        told(tally.posts, max(total, tally.posts))
        if listener.stopping.is_set():
            raise Interrupted
        made = _annotated(listener, posts, partial(listener.annotate, models=chosen))
        reached = posts["id"][-1].as_py()
        if request["apply"]:
            _write(job, listener, posts, made, tally, reached)
        else:
            rows = posts.select(["id", "uid", *MADE]).to_pylist()
            kept = {place: frozenset(tasks) for place, tasks in _corrected(job, [row["id"] for row in rows]).items()}
            for row in rows:
                tally.add(row, made[row["id"]], kept.get(row["id"], frozenset()))
            _note(job, tally, reached)
    told(tally.posts, tally.posts)
    job.request.pop("tally", None)
    Job.objects.filter(pk=job.pk).update(request=job.request)
    monitors = 0
    if request["apply"] and tally.changed:
        tasks = {move[0] for move in tally.moves}
        monitors = rematch_asking(job.workspace, tasks, by=job.by, now=timezone.now())
    return {**tally.as_json(), "apply": request["apply"], "monitors": monitors}


def forget_posts(workspace: Workspace, uids: Set[str]) -> None:
    """Take posts out of the examples of what was found; the counts stay."""
    for job in Job.objects.filter(workspace=workspace, kind=Job.Kind.RECOMPUTE):
        request = {**job.request, "tally": _without(job.request["tally"], uids)} if "tally" in job.request else {}
        if request:
            Job.objects.filter(pk=job.pk).update(request=request)
        if job.result:
            Job.objects.filter(pk=job.pk).update(result=_without(job.result, uids))


def _without(found: Mapping[str, Any], uids: Set[str]) -> dict[str, Any]:
    moves = [
        {**move, "examples": [post for post in move["examples"] if post["uid"] not in uids]}
        for move in found.get("moves", ())
    ]
    return {**found, "moves": moves}


def scan_of(request: Mapping[str, Any]) -> Scan:
    """The posts that are asked for."""
    since, until = (datetime.fromisoformat(request[name]) if request[name] else None for name in ("since", "until"))
    monitors = (request["monitor"],) if request["monitor"] else ()
    return Scan(columns=("id",), since=since, until=until, monitors_any=monitors)


def _next(archive: Archive, scan: Scan, reached: int | None) -> pa.Table:
    columns = ("id", *POST.names, *MADE)
    return archive.table(replace(scan, columns=columns, before=reached, limit=AT_ONCE))


def _annotated(
    listener: Listener, posts: pa.Table, annotate: Callable[[pa.Table], pa.Table]
) -> dict[int, Mapping[str, Any]]:
    """What the models say of posts, by number. Nobody is held up meanwhile."""
    rows = annotate(posts.select(POST.names)).select(list(MADE)).to_pylist()
    return dict(zip(posts["id"].to_pylist(), rows, strict=True))


def _corrected(job: Job, ids: Sequence[int]) -> dict[int, dict[str, Correction]]:
    """What people corrected of posts, by number and task: the first correction of those that hold."""
    found: dict[int, dict[str, Correction]] = {}
    for start in range(0, len(ids), PIECE):
        piece = Correction.objects.filter(
            workspace=job.workspace, post_id__in=ids[start : start + PIECE], undone_at=None, task__in=ANSWERS
        )
        for made in piece.order_by("pk"):
            found.setdefault(made.post_id, {}).setdefault(made.task, made)
    return found


def _write(
    job: Job,
    listener: Listener,
    posts: pa.Table,
    made: Mapping[int, Mapping[str, Any]],
    tally: Tally,
    reached: int,
) -> None:
    """Write what differs of a batch, and move what is counted; posts that were edited meanwhile are left out."""
    archive, workspace, now = listener.archive, job.workspace, timezone.now()
    columns = tuple(dict.fromkeys((*cube.COLUMNS, *MADE, "title", "text")))
    words = {row["id"]: (row["title"], row["text"]) for row in posts.select(["id", "title", "text"]).to_pylist()}
    name = f"{_prefix(job)}{reached}:{job.attempts}"
    with listener.turn:
        begun = cube.begin(workspace, [name], now=now)
        with transaction.atomic():
            cube.hold(workspace)
            stood = archive.table(Scan(columns=columns, ids=tuple(words)))
            corrected = _corrected(job, list(words))
            differing: list[tuple[Row, Mapping[str, Any]]] = []
            for row in stood.to_pylist():
                if words[row["id"]] == (row["title"], row["text"]):
                    held = corrected.get(row["id"], {})
                    if values := tally.add(row, made[row["id"]], frozenset(held)):
                        differing.append((row, values))
                    _give_back(held, made[row["id"]])
            if differing:
                _change(job, archive, differing, name, now=now)
            Batch.objects.filter(workspace=workspace, name=name, applied_at=None).update(applied_at=now)
            _note(job, tally, reached)
        if begun.cut_short:
            cube.rebuild(workspace, archive)


def _change(
    job: Job, archive: Archive, differing: Sequence[tuple[Row, Mapping[str, Any]]], name: str, *, now: datetime
) -> None:
    ids = tuple(row["id"] for row, _values in differing)
    before = archive.table(Scan(columns=cube.COLUMNS, ids=ids))
    archive.change(changes(differing, by=f"recompute {job.pk}"))
    after = archive.table(Scan(columns=cube.COLUMNS, ids=ids))
    cube.count_stored(job.workspace, [name], added=[after], removed=[before], now=now)


def _give_back(corrected: Mapping[str, Correction], made: Mapping[str, Any]) -> None:
    """A correction that is undone later gives back what the model says now, as the post's version will say."""
    for task, correction in corrected.items():
        old, model = "" if made[task] is None else str(made[task]), made["analysed_by"][:80]
        if (correction.old, correction.model) != (old, model):
            Correction.objects.filter(pk=correction.pk).update(old=old, model=model)


def _note(job: Job, tally: Tally, reached: int) -> None:
    """How far it is and what was found, so that the next process goes on here."""
    job.request = {**job.request, "reached": reached, "tally": tally.as_json(), PROGRESSED: job.attempts}
    Job.objects.filter(pk=job.pk).update(request=job.request)


def _prefix(job: Job) -> str:
    return f"recompute {job.pk}:"


def _count_anew_where_cut_short(job: Job, listener: Listener) -> None:
    """A batch of an earlier process may be written and not counted: nobody can tell."""
    begun = Batch.objects.filter(workspace=job.workspace, name__startswith=_prefix(job), applied_at=None)
    if begun.exists():
        with listener.turn:
            cube.rebuild(job.workspace, listener.archive)
