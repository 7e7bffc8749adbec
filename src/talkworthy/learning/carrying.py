"""What examples tie to a touchpoint stands under its monitor in the archive: rules ask for it, and it is counted.

A tie is written, counted and noted in one transaction that holds the workspace. Where a process dies between archive
and commit, the next look writes the same again, and what was not counted is found by the daily comparison of counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction
from django.utils import timezone

from talkworthy.analysis.meaning import MEANING
from talkworthy.archive import CHANGED, Archive, Scan
from talkworthy.hooks.manager import call
from talkworthy.learning.models import CarriedTie, Label, LearnedTie, TaughtTouchpoint
from talkworthy.listening import cube
from talkworthy.listening.models import Monitor
from talkworthy.listening.searching import columns_for, matching
from talkworthy.listening.stores import archive_of
from talkworthy.listening.voices import ties_for
from talkworthy.query import QueryError, compile_query, parse
from talkworthy.workspaces.models import Workspace

AT_ONCE = 400
BELONGS = "yes"


def settle(taught: TaughtTouchpoint, *, now: datetime, anew: bool = False) -> tuple[int, int]:
    """Tie to the touchpoint's monitor what examples say, and untie what they say no longer: (tied, untied).

    `anew`: what was tied before is looked at too, as an edit may have untied it. A post that the query finds by itself
    stays.
    """
    monitor = Monitor.objects.filter(touchpoint_id=taught.touchpoint_id, deleted_at=None).first()
    if monitor is None:
        return 0, 0
    wanted = _wanted(taught)
    carried = dict(CarriedTie.objects.filter(touchpoint_id=taught.touchpoint_id).values_list("uid", "post_id"))
    more = wanted if anew else {uid: number for uid, number in wanted.items() if uid not in carried}
    fewer = {uid: number for uid, number in carried.items() if uid not in wanted}
    tied = sum(_carry(taught, monitor, piece, now=now) for piece in _pieces(more))
    untied = sum(_drop(taught, monitor, piece, now=now) for piece in _pieces(fewer))
    return tied, untied


def _wanted(taught: TaughtTouchpoint) -> dict[str, int]:
    """The posts that belong: tied by the examples, or marked by people; none where that is switched off."""
    if not taught.answers:
        return {}
    ties = LearnedTie.objects.filter(touchpoint_id=taught.touchpoint_id)
    marked = Label.objects.filter(
        workspace_id=taught.workspace_id, task=taught.task, value=BELONGS, ended_at=None
    ).order_by()
    return {**dict(ties.values_list("uid", "post_id")), **dict(marked.values_list("uid", "post_id"))}


def _pieces(posts: Mapping[str, int]) -> Iterable[dict[str, int]]:
    rows = sorted(posts.items(), key=lambda row: -row[1])
    return (dict(rows[start : start + AT_ONCE]) for start in range(0, len(rows), AT_ONCE))


def _carry(taught: TaughtTouchpoint, monitor: Monitor, posts: Mapping[str, int], *, now: datetime) -> int:
    archive, workspace = archive_of(taught.workspace), taught.workspace
    with transaction.atomic():
        cube.hold(workspace)
        there = archive.table(Scan(columns=cube.COLUMNS, ids=tuple(posts.values())))
        is_free = [monitor.pk not in (held or ()) for held in there["monitors"].to_pylist()]
        free = there.filter(pa.array(is_free, pa.bool_()))
        _change(archive, workspace, monitor, free, tie=True, now=now)
        # one that its query had found already is carried by nobody: it must stay when the examples change
        rows = [
            CarriedTie(workspace=workspace, touchpoint_id=taught.touchpoint_id, uid=uid, post_id=number)
            for uid, number in zip(free["uid"].to_pylist(), free["id"].to_pylist(), strict=True)
        ]
        CarriedTie.objects.bulk_create(rows, ignore_conflicts=True)
        if free.num_rows:
            _asked_again(archive, workspace, free["id"].to_pylist(), now=now)
            call("posts_tied", workspace=workspace, posts=free, now=now)
    return len(rows)


def _drop(taught: TaughtTouchpoint, monitor: Monitor, posts: Mapping[str, int], *, now: datetime) -> int:
    archive, workspace = archive_of(taught.workspace), taught.workspace
    with transaction.atomic():
        cube.hold(workspace)
        there = archive.table(Scan(columns=cube.COLUMNS, ids=tuple(posts.values()), monitors_any=(monitor.pk,)))
        found = _found_by_query(archive, monitor, there["id"].to_pylist()) if there.num_rows else set()
        loose = there.filter(pc.invert(pc.is_in(there["id"], pa.array(sorted(found), pa.int64()))))
        _change(archive, workspace, monitor, loose, tie=False, now=now)
        CarriedTie.objects.filter(touchpoint_id=taught.touchpoint_id, uid__in=list(posts)).delete()
        if there.num_rows:
            _asked_again(archive, workspace, there["id"].to_pylist(), now=now)
    return int(loose.num_rows)


def _asked_again(archive: Archive, workspace: Workspace, ids: Sequence[int], *, now: datetime) -> None:
    """Let the monitors whose queries ask for touchpoints look at posts whose touchpoints changed."""
    asking = Monitor.objects.filter(workspace=workspace, deleted_at=None, query__contains="touchpoint:")
    for monitor in asking.order_by("pk"):
        found = _found_by_query(archive, monitor, ids)
        there = archive.table(Scan(columns=cube.COLUMNS, ids=tuple(ids)))
        held = [monitor.pk in (some or ()) for some in there["monitors"].to_pylist()]
        right = [number in found for number in there["id"].to_pylist()]
        for tie in (True, False):
            wrong = [stood is not tie and meant is tie for stood, meant in zip(held, right, strict=True)]
            _change(archive, workspace, monitor, there.filter(pa.array(wrong, pa.bool_())), tie=tie, now=now)


def _found_by_query(archive: Archive, monitor: Monitor, ids: Sequence[int]) -> set[int]:
    """Which of these posts the monitor's own query finds."""
    try:
        query = compile_query(parse(monitor.query, stage="search"), now=timezone.now(), similarity=MEANING)
    except QueryError:  # the language grew since
        return set()
    rows = archive.table(Scan(columns=columns_for(query), ids=tuple(ids)))
    matched = matching(rows, query, ties_for(query, monitor.workspace))
    return set(rows["id"].filter(matched).to_pylist())


def _change(
    archive: Archive, workspace: Workspace, monitor: Monitor, posts: pa.Table, *, tie: bool, now: datetime
) -> None:
    if not posts.num_rows:
        return
    n, ids = posts.num_rows, tuple(posts["id"].to_pylist())
    columns = {
        "id": posts["id"],
        "uid": posts["uid"],
        "published_at": posts["published_at"],
        "column": pa.array([f"monitor:{monitor.pk}"] * n, pa.string()),
        "value": pa.array([str(tie).lower()] * n, pa.string()),
        "seq": pa.nulls(n, pa.int64()),
        "by": pa.array(["examples"] * n, pa.string()),
    }
    archive.change(pa.table({name: columns[name] for name in CHANGED.names}))
    after = archive.table(Scan(columns=cube.COLUMNS, ids=ids))
    name = f"examples {monitor.pk}:{'tied' if tie else 'untied'}:{int(np.bitwise_xor.reduce(ids))}:{now.isoformat()}"
    cube.count_changes(workspace, name, added=[after], removed=[posts], now=now)
