"""What routing does when others call: mentions that arrive wait for it, and what is due is done."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db.models import Q

from talkworthy.hooks import joins
from talkworthy.hooks.specs import TiedData, TimelineRow
from talkworthy.query import QueryError, parse
from talkworthy.routing.arriving import look_at_arrivals
from talkworthy.routing.escalating import escalate_due
from talkworthy.routing.falling_due import ring_due
from talkworthy.routing.keeping import PIECE, cases_quoting, empty_cases, held_names, pieces, tied
from talkworthy.routing.leftovers import tied_data
from talkworthy.routing.models import (
    Arrival,
    Case,
    CaseChange,
    Conversation,
    Decision,
    Message,
    ReplayDifference,
    Rule,
    Wording,
)
from talkworthy.routing.reckoning import reckon_due
from talkworthy.routing.rules import sources_named
from talkworthy.routing.states import LIVE
from talkworthy.routing.telling import address_of
from talkworthy.workspaces.models import Workspace

FRESH = timedelta(days=7)
"""Older posts are history that was brought in: they open no case."""


@joins
def posts_stored(workspace: Workspace, posts: pa.Table, edited: pa.Table, gone: Sequence[str], now: datetime) -> None:
    """Let wait what a monitor found, what was told to us in private, and what belongs to conversations of the desk."""
    talks = Conversation.objects.filter(workspace=workspace).exists()
    changed = _rows(edited) if talks else []
    known = tied(workspace, [*_rows(posts), *changed]) if talks else frozenset[str]()
    ours = pc.is_in(posts["uid"], pa.array(sorted(known), pa.string()))
    arriving = posts.filter(pc.or_(ours, _concern_us(posts, _sources(workspace), since=now - FRESH)))
    _add(workspace, arriving.select(["id", "uid"]).to_pylist(), "new", now)
    if talks:
        _add(workspace, [row for row in changed if row["uid"] in known], "edited", now)
        held = held_names(workspace, "uid", gone)
        _add(workspace, [{"uid": uid, "id": 0} for uid in gone if uid in held], "gone", now)


@joins
def posts_tied(workspace: Workspace, posts: pa.Table, now: datetime) -> None:
    """Let rules look at posts that were tied to a monitor later, where nothing was decided of them before."""
    fresh = posts.filter(pc.greater_equal(posts["published_at"], pa.scalar(now - FRESH, posts["published_at"].type)))
    rows = fresh.select(["id", "uid"]).to_pylist()
    known = held_names(workspace, "uid", [row["uid"] for row in rows])
    for piece in pieces(row["uid"] for row in rows):
        known |= set(Decision.objects.filter(workspace=workspace, uid__in=piece).values_list("uid", flat=True))
    _add(workspace, [row for row in rows if row["uid"] not in known], "new", now)


@joins(specname="work_due")
def arrivals_due(now: datetime) -> int:
    """Look at mentions that wait."""
    return look_at_arrivals(now=now)


@joins(specname="work_due")
def timers_due(now: datetime) -> int:
    """Let timers ring and cases escalate, then let open deadlines follow what was promised anew."""
    return ring_due(now=now) + escalate_due(now=now) or reckon_due(now=now)


@joins
def timeline_rows(
    workspace: Any, accounts: Sequence[tuple[str, str]], identities: Sequence[int], before: datetime | None, limit: int
) -> Sequence[TimelineRow]:
    """The cases that they asked for."""
    found = Case.objects.filter(workspace=workspace, requester__in=list(identities)).select_related("workspace")
    if before is not None:
        found = found.filter(opened_at__lt=before)
    return [
        TimelineRow(case.opened_at, "case", case.channel, str(case), case.title, address_of(case))
        for case in found.order_by("-opened_at")[:limit]
    ]


@joins
def member_removed(member: Any, heir: Any) -> None:
    """Live cases go back to their team, where others see them; the heir is not buried in them."""
    Case.objects.filter(owner=member, state__in=LIVE).update(owner=None, owned_since=None)


@joins
def data_tied(workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]) -> TiedData:
    """Our answers to them, which name them; and where else their name stands, for a person to look at."""
    return tied_data(workspace, uids, authors)


@joins
def data_forgotten(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]], now: datetime
) -> Mapping[str, int]:
    """The messages and our answers to them, which name who wrote; what was decided, and the titles that quote them."""
    counts = {"messages": 0, "decisions": 0}
    for piece in pieces(uids):
        answers = Q(parent__in=piece, direction=Message.Direction.OUTWARD)
        messages = Message.objects.filter(Q(uid__in=piece) | answers, workspace=workspace)
        talks = list(messages.values_list("conversation", flat=True))
        quoting = cases_quoting(workspace, piece)
        empty_cases(quoting)
        CaseChange.objects.filter(case__in=quoting, what="title").update(old="–", new="–")
        Conversation.objects.filter(pk__in=talks, root__in=piece).update(title="")
        counts["messages"] += messages.delete()[1].get("routing.Message", 0)
        ReplayDifference.objects.filter(job__workspace=workspace, uid__in=piece).delete()
        found = Decision.objects.filter(workspace=workspace, uid__in=piece)
        counts["decisions"] += found.delete()[1].get("routing.Decision", 0)
        Arrival.objects.filter(workspace=workspace, uid__in=piece).delete()
    return counts


@joins
def data_exported(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The copies of their posts, and what was decided of them."""
    names = ("uid", "title", "text", "direction")
    messages = [
        row
        for piece in pieces(uids)
        for row in Message.objects.filter(workspace=workspace, uid__in=piece).values(*names)
    ]
    decisions = [
        row
        for piece in pieces(uids)
        for row in Decision.objects.filter(workspace=workspace, uid__in=piece).values(
            "uid", "outcome", "priority", "path"
        )
    ]
    wordings = [
        row
        for piece in pieces(uids)
        for row in Wording.objects.filter(message__workspace=workspace, message__uid__in=piece).values(
            "message__uid", "title", "text"
        )
    ]
    found = {"messages": messages, "decisions": decisions, "earlier wordings": wordings}
    return {name: rows for name, rows in found.items() if rows}


def _rows(posts: pa.Table) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = posts.select(["id", "uid", "in_reply_to", "root", "references"]).to_pylist()
    return rows


def _concern_us(posts: pa.Table, sources: frozenset[str], *, since: datetime) -> pa.ChunkedArray:
    """Which posts are new, and found by a monitor, told to us in private, or of one of these sources."""
    found = pc.greater(pc.list_value_length(posts["monitors"]), 0)
    private = pc.equal(posts["visibility"], "private")
    named = pc.is_in(posts["source"], pa.array(sorted(sources), pa.string()))
    ours = pc.or_(pc.or_(found.fill_null(False), private.fill_null(False)), named)
    return pc.and_(ours, pc.greater_equal(posts["published_at"], pa.scalar(since, posts["published_at"].type)))


def _sources(workspace: Workspace) -> frozenset[str]:
    """The sources that rules name: every post of theirs is looked at."""
    found: frozenset[str] = frozenset()
    rules = Rule.objects.filter(workspace=workspace, enabled=True, deleted_at=None, condition__contains="source:")
    for condition in rules.values_list("condition", flat=True):
        try:
            found |= sources_named(parse(condition, stage="search"))
        except QueryError:  # the language grew since; the worker says so on the rule
            continue
    return found


def _add(workspace: Workspace, rows: Sequence[Mapping[str, Any]], reason: str, now: datetime) -> None:
    arrivals = [
        Arrival(workspace=workspace, uid=row["uid"], post_id=row["id"], reason=reason, at=now, due_at=now)
        for row in rows
    ]
    Arrival.objects.bulk_create(arrivals, ignore_conflicts=True, batch_size=PIECE)
