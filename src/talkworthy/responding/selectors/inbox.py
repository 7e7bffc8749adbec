"""The inbox: the cases that wait, in the order in which they should be taken, asked as a viewer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice

from django.db.models import F, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.responding.actions.presence import STALE
from talkworthy.responding.casequery import LIVE, SOON, case_query, names_a_state
from talkworthy.responding.models import Presence
from talkworthy.routing.models import Case, CaseView, ConversationLink
from talkworthy.routing.selectors.reports import Scope, cases_behind
from talkworthy.workspaces.models import Member, Team

ON_A_PAGE = 50
MOST_COUNTED = 999
"""A tab counts no further, so that a long queue costs no more than a short one."""
TABS = {
    "mine": gettext_lazy("Mine"),
    "team": gettext_lazy("My team"),
    "unassigned": gettext_lazy("Unassigned"),
    "due": gettext_lazy("Due"),
    "all": gettext_lazy("All"),
}


@dataclass(frozen=True)
class Asked:
    """What of the inbox is looked at."""

    tab: str = "all"
    words: str = ""
    page: int = 1
    figure: str = ""
    """A figure of the reports whose cases are listed, and `scope`, what it is about."""
    scope: Scope | None = None


@dataclass(frozen=True)
class Row:
    """One case of the list."""

    case: Case
    here: Sequence[Member]
    """Who else is at it now."""
    writing: bool
    waits: bool
    """Whether they wrote last, so that an answer is owed."""


@dataclass(frozen=True)
class Listed:
    """One page of the queue."""

    rows: Sequence[Row]
    more: bool
    stamp: str
    """Changes when anything that is shown does."""


def inbox(asked: Asked, *, viewer: Member, now: datetime) -> Listed:
    """A page of the queue. Raises QueryError."""
    first = (asked.page - 1) * ON_A_PAGE
    cases = _ordered(asked, viewer=viewer, now=now, until=first + ON_A_PAGE + 1)[first:]
    shown = cases[:ON_A_PAGE]
    here = _presences(shown, viewer=viewer, now=now)
    rows = [
        Row(
            case,
            [one.member for one in here.get(case.pk, ())],
            any(one.is_writing for one in here.get(case.pk, ())),
            case.last_inward_at is not None
            and (case.last_answered_at is None or case.last_inward_at > case.last_answered_at),
        )
        for case in shown
    ]
    return Listed(rows, len(cases) > ON_A_PAGE, _stamp(rows, now))


def tallies(*, viewer: Member, now: datetime) -> dict[str, int]:
    """How many live cases each tab holds, up to the most that is counted."""
    live = Case.objects.filter(workspace_id=viewer.workspace_id, state__in=LIVE)
    teams = teams_of(viewer)
    return {
        tab: live.filter(_tab(tab, viewer=viewer, teams=teams, now=now)).order_by()[: MOST_COUNTED + 1].count()
        for tab in TABS
    }


def waiting_for(viewer: Member) -> int:
    """How many live cases of the viewer's own wait for an answer, up to a hundred."""
    mine = Case.objects.filter(
        workspace_id=viewer.workspace_id, owner=viewer, state__in=(Case.State.NEW, Case.State.OPEN)
    )
    return mine.order_by()[:100].count()


def teams_of(viewer: Member) -> list[int]:
    """Numbers of the viewer's teams."""
    found = Team.objects.filter(memberships__member=viewer, deleted_at=None)
    return list(found.order_by("pk").values_list("pk", flat=True))


def found_cases(asked: Asked, *, viewer: Member, now: datetime) -> QuerySet[Case]:
    """Every case that the tab and the words let through, in no order. Raises QueryError."""
    cases = Case.objects.filter(workspace_id=viewer.workspace_id)
    if asked.figure and asked.scope:
        cases = cases.filter(pk__in=cases_behind(asked.figure, asked.scope, viewer=viewer).values("pk"))
    elif not names_a_state(asked.words):
        cases = cases.filter(state__in=LIVE)
    if asked.words.strip():
        matching = Case.objects.filter(
            case_query(asked.words, viewer=viewer, now=now), workspace_id=viewer.workspace_id
        )
        cases = cases.filter(pk__in=matching.values("pk"))
    teams = teams_of(viewer) if asked.tab == "team" else []
    return cases.filter(_tab(asked.tab, viewer=viewer, teams=teams, now=now))


def next_case(asked: Asked, *, viewer: Member, now: datetime, after: Case | None = None) -> Case | None:
    """The case to take next: the first of the queue, or the first after one."""
    cases = _ordered(asked, viewer=viewer, now=now, until=ON_A_PAGE)
    numbers = [case.pk for case in cases]
    place = numbers.index(after.pk) + 1 if after is not None and after.pk in numbers else 0
    return cases[place] if place < len(cases) else None


def case_or_404(number: int, *, viewer: Member) -> Case:
    """A case of the viewer's workspace."""
    case = (
        Case.objects.filter(workspace_id=viewer.workspace_id, number=number)
        .select_related("workspace", "owner__user", "team", "touchpoint", "requester__person__root")
        .first()
    )
    if case is None:
        raise Http404(_("There is no case of this number."))
    return case


def cases_numbered(numbers: Sequence[int], *, viewer: Member) -> list[Case]:
    """The cases of these numbers that there are in the viewer's workspace."""
    found = Case.objects.filter(workspace_id=viewer.workspace_id, number__in=numbers)
    return list(found.select_related("workspace", "owner__user", "team").order_by("number"))


def link_or_404(number: int, *, viewer: Member) -> ConversationLink:
    """A tie between conversations of the viewer's workspace."""
    link = ConversationLink.objects.filter(workspace_id=viewer.workspace_id, pk=number, undone_at=None).first()
    if link is None:
        raise Http404(_("There is no such tie."))
    return link


def views(*, viewer: Member) -> list[CaseView]:
    """The viewer's own filters, and those that are shared with everybody."""
    kept = CaseView.objects.filter(workspace_id=viewer.workspace_id).filter(Q(member=viewer) | Q(shared=True))
    return list(kept.select_related("member__user").order_by("name", "pk"))


def view_or_404(number: int, *, viewer: Member) -> CaseView:
    """A filter of the viewer's own."""
    view = CaseView.objects.filter(workspace_id=viewer.workspace_id, member=viewer, pk=number).first()
    if view is None:
        raise Http404(_("There is no such view."))
    return view


def _tab(tab: str, *, viewer: Member, teams: Sequence[int], now: datetime) -> Q:
    match tab:
        case "mine":
            return Q(owner=viewer)
        case "team":
            return Q(team__in=teams)
        case "unassigned":
            return Q(owner=None)
        case "due":
            return Q(due_at__lte=now + SOON)
    return Q()


def _ordered(asked: Asked, *, viewer: Member, now: datetime, until: int) -> list[Case]:
    """The first cases of the queue.

    One statement a state, each along the index of the queue, merged here: asked for all states at once, the database
    would read and sort every open case for the fifty that are shown.
    """
    found = found_cases(asked, viewer=viewer, now=now).select_related(
        "owner__user", "team", "touchpoint", "requester", "workspace"
    )
    due = F("due_at").asc(nulls_last=True)
    if asked.figure or names_a_state(asked.words):
        return list(found.order_by("-rank", due, "number")[:until])
    lists = [list(found.filter(state=state).order_by("-rank", due, "number")[:until]) for state in LIVE]
    return list(islice(merge(*lists, key=_place), until))


def _place(case: Case) -> tuple[float, bool, float, int]:
    return (-case.rank, case.due_at is None, case.due_at.timestamp() if case.due_at else 0.0, case.number)


def _presences(cases: Sequence[Case], *, viewer: Member, now: datetime) -> dict[int, list[Presence]]:
    rows = (
        Presence.objects.filter(case__in=[case.pk for case in cases], at__gt=now - STALE)
        .exclude(member=viewer)
        .select_related("member__user")
        .order_by("-is_writing", "pk")
    )
    found: dict[int, list[Presence]] = {}
    for row in rows:
        found.setdefault(row.case_id, []).append(row)
    return found


def _stamp(rows: Sequence[Row], now: datetime) -> str:
    """Versions, who is where, and the minutes of the clock, in which the words of deadlines change."""
    told = [(row.case.pk, row.case.version, row.writing, tuple(one.pk for one in row.here)) for row in rows]
    return hashlib.sha256(repr((told, int(now.timestamp()) // 60)).encode()).hexdigest()[:16]
