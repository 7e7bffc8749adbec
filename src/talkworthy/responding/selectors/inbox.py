"""The inbox: the cases that wait, in the order in which they should be taken, asked as a viewer."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.responding.actions.presence import STALE
from talkworthy.responding.casequery import LIVE, SOON, case_query, names_a_state, seeks_words, unread_by
from talkworthy.responding.models import CaseSeen, Presence
from talkworthy.routing.models import DUE_OR_NEVER, NEVER, Case, CaseView, ConversationLink
from talkworthy.routing.selectors.reports import Scope, cases_behind
from talkworthy.workspaces.models import Member, Team

ON_A_PAGE = 50
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_COUNTED = 999
"""A tab counts no further, so that a long queue costs no more than a short one."""
TABS = {
    "mine": gettext_lazy("Mine"),
    "team": gettext_lazy("My team"),
    "unassigned": gettext_lazy("Unassigned"),
    "due": gettext_lazy("Due"),
    "unread": gettext_lazy("Unread"),
    "all": gettext_lazy("All"),
}


@dataclass(frozen=True)
class Place:
    """A place in the queue: what it is sorted by. It stays where it is, whatever comes and goes around it."""

    rank: float
    due: datetime
    number: int

    @classmethod
    def of(cls, case: Case) -> "Place":
        """Where a case stands."""
        return cls(case.rank, case.due_at or NEVER, case.number)

    @classmethod
    def read(cls, text: str) -> "Place | None":
        """The place that an address names; None where it names none."""
        found = re.fullmatch(r"(-?\d{1,9}(?:\.\d{1,20})?)_(\d{1,18}|never)_(\d{1,9})", text)
        if found is None:
            return None
        rank, due, number = found.groups()
        try:
            return cls(float(rank), NEVER if due == "never" else EPOCH + timedelta(microseconds=int(due)), int(number))
        except OverflowError:
            return None

    def __str__(self) -> str:
        due = "never" if self.due == NEVER else (self.due - EPOCH) // timedelta(microseconds=1)
        return f"{self.rank:.15f}".rstrip("0").rstrip(".") + f"_{due}_{self.number}"

    @property
    def key(self) -> tuple[float, datetime, int]:
        """What sorts cases as the queue does."""
        return (-self.rank, self.due, self.number)

    def after(self) -> Q:
        """The condition of what stands after it."""
        later = Q(due_order__gt=self.due) | Q(due_order=self.due, number__gt=self.number)
        return Q(rank__lte=self.rank) & (Q(rank__lt=self.rank) | later)

    def before(self) -> Q:
        """The condition of what stands before it."""
        earlier = Q(due_order__lt=self.due) | Q(due_order=self.due, number__lt=self.number)
        return Q(rank__gte=self.rank) & (Q(rank__gt=self.rank) | earlier)


@dataclass(frozen=True)
class Asked:
    """What of the inbox is looked at."""

    tab: str = "all"
    words: str = ""
    after: Place | None = None
    before: Place | None = None
    """Where in the queue the page begins or ends; neither: its beginning."""
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
    unread: bool
    """Whether they wrote what the viewer has not seen."""


@dataclass(frozen=True)
class Listed:
    """One page of the queue."""

    rows: Sequence[Row]
    newer: Place | None
    """The first row's place where something stands before it."""
    older: Place | None
    """The last row's place where something stands after it."""
    stamp: str
    """Changes when anything that is shown does."""


def inbox(asked: Asked, *, viewer: Member, now: datetime) -> Listed:
    """A page of the queue: its beginning, or what stands after or before a place. Raises QueryError."""
    if asked.before is not None:
        above = _ordered(asked, viewer=viewer, now=now, until=ON_A_PAGE + 1)
        if len(above) > ON_A_PAGE:
            return _listed(above[1:], above=True, below=True, viewer=viewer, now=now)
        asked = replace(asked, before=None)  # less than a page stands before it: that is the beginning
    cases = _ordered(asked, viewer=viewer, now=now, until=ON_A_PAGE + 1)
    below = len(cases) > ON_A_PAGE
    return _listed(cases[:ON_A_PAGE], above=asked.after is not None, below=below, viewer=viewer, now=now)


def _listed(shown: Sequence[Case], *, above: bool, below: bool, viewer: Member, now: datetime) -> Listed:
    here = _presences(shown, viewer=viewer, now=now)
    seen = dict(CaseSeen.objects.filter(member=viewer, case__in=shown).values_list("case", "up_to"))
    rows = [
        Row(
            case,
            [one.member for one in here.get(case.pk, ())],
            any(one.is_writing for one in here.get(case.pk, ())),
            case.last_inward_at is not None
            and (case.last_answered_at is None or case.last_inward_at > case.last_answered_at),
            case.last_inward_at is not None and (case.pk not in seen or seen[case.pk] < case.last_inward_at),
        )
        for case in shown
    ]
    newer = Place.of(shown[0]) if above and shown else None
    return Listed(rows, newer, Place.of(shown[-1]) if below else None, _stamp(rows, now))


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
    cases = _in_any_state(asked, viewer=viewer, now=now)
    return cases if _says_states(asked) else cases.filter(state__in=LIVE)


def _says_states(asked: Asked) -> bool:
    """Whether a figure or the words say which states are looked at; else those that somebody works on are."""
    return bool(asked.figure and asked.scope) or names_a_state(asked.words)


def _in_any_state(asked: Asked, *, viewer: Member, now: datetime) -> QuerySet[Case]:
    cases = Case.objects.filter(workspace_id=viewer.workspace_id).annotate(due_order=DUE_OR_NEVER)
    if asked.figure and asked.scope:
        cases = cases.filter(pk__in=cases_behind(asked.figure, asked.scope, viewer=viewer).values("pk"))
    if asked.words.strip():
        cases = cases.filter(case_query(asked.words, viewer=viewer, now=now))
    teams = teams_of(viewer) if asked.tab == "team" else []
    return cases.filter(_tab(asked.tab, viewer=viewer, teams=teams, now=now))


def next_case(asked: Asked, *, viewer: Member, now: datetime, after: Case | None = None) -> Case | None:
    """The case to take next: the first of the queue, or the first after one that stands in it."""
    asked = replace(asked, after=None, before=None)
    if after is not None and found_cases(asked, viewer=viewer, now=now).filter(pk=after.pk).exists():
        asked = replace(asked, after=Place.of(after))
    return next(iter(_ordered(asked, viewer=viewer, now=now, until=1)), None)


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
        case "unread":
            return unread_by(viewer)
    return Q()


def _ordered(asked: Asked, *, viewer: Member, now: datetime, until: int) -> list[Case]:
    """The first cases of the queue from a place on, or the last before one, in the order of the queue.

    One statement a state, each along the index of the queue, merged here: asked for all states at once, the database
    would read and sort every open case for the fifty that are shown. Only these are read whole. A frequent word fills
    the page from the first cases of the queue; of a rare one its cases are found first, and then sorted.
    """
    walked = _walked(asked, viewer=viewer, now=now, until=until) if _may_walk(asked) else None
    if walked is not None:
        return walked
    found = _in_any_state(asked, viewer=viewer, now=now)
    order = ["-rank", "due_order", "number"]
    if asked.before is not None:
        found, order = found.filter(asked.before.before()), ["rank", "-due_order", "-number"]
    elif asked.after is not None:
        found = found.filter(asked.after.after())
    found = found.order_by(*order)
    if _says_states(asked) or seeks_words(asked.words):
        listed = found if _says_states(asked) else found.filter(state__in=LIVE)
        numbers = list(listed.values_list("pk", flat=True)[:until])  # rows of numbers are sorted sooner than whole ones
    else:
        key = ["rank", "due_order", "number", "pk"]
        places = [row for state in LIVE for row in found.filter(state=state).values_list(*key)[:until]]
        places.sort(key=lambda row: (-row[0], *row[1:]), reverse=asked.before is not None)
        numbers = [row[-1] for row in places[:until]]
    cases = list(Case.objects.filter(pk__in=numbers).select_related(*_SHOWN))
    return sorted(cases, key=lambda case: Place.of(case).key)


def _may_walk(asked: Asked) -> bool:
    """Whether words are looked for case by case first: not where SQLite would read them otherwise than its index."""
    return seeks_words(asked.words) and not _says_states(asked) and asked.words.isascii()


def _walked(asked: Asked, *, viewer: Member, now: datetime, until: int) -> list[Case] | None:
    """The page out of the next cases of the queue, a few at first and then more; None where they do not fill it."""
    places = _next_places(replace(asked, words=""), viewer=viewer, now=now)
    words = case_query(asked.words, viewer=viewer, now=now, by_row=True)
    found: list[int] = []
    start = 0
    for size in WALKED:
        part = [number for _key, number in places.rows[start : start + size]]
        held = set(Case.objects.filter(words, pk__in=part).values_list("pk", flat=True))
        found += [number for number in part if number in held]
        start += size
        if len(found) >= until or start >= len(places.rows):
            break
    if len(found) < until and (start < len(places.rows) or not places.is_all):
        return None
    whole = Case.objects.filter(pk__in=found[:until]).select_related(*_SHOWN).in_bulk()
    cases = [whole[number] for number in found[:until] if number in whole]
    return cases[::-1] if asked.before is not None else cases


@dataclass(frozen=True)
class _Places:
    """The next cases of the queue, by what sorts them and their numbers in the table; and whether these are all."""

    rows: Sequence[tuple[tuple[float, datetime, int], int]]
    is_all: bool


def _next_places(asked: Asked, *, viewer: Member, now: datetime) -> _Places:
    """Along the index of the queue, as far as it is known of every state what comes next."""
    found = _in_any_state(asked, viewer=viewer, now=now)
    backwards = asked.before is not None
    order, key = ["-rank", "due_order", "number"], ["rank", "due_order", "number", "pk"]
    if asked.before is not None:
        found, order = found.filter(asked.before.before()), ["rank", "-due_order", "-number"]
    elif asked.after is not None:
        found = found.filter(asked.after.after())
    found = found.order_by(*order)
    most = sum(WALKED)
    rows: list[tuple[tuple[float, datetime, int], int]] = []
    ends = []
    for state in LIVE:
        told = found.filter(state=state).values_list(*key)[:most]
        held = [((-rank, due, number), pk) for rank, due, number, pk in told]
        rows += held
        if len(held) == most:
            ends.append(held[-1][0])
    rows.sort(reverse=backwards)
    if ends:
        end = max(ends) if backwards else min(ends)
        rows = [row for row in rows if (row[0] >= end if backwards else row[0] <= end)]
    return _Places(rows, not ends)


WALKED = (150, 350, 500)
"""So many cases of the queue are looked at for words, piece by piece, before their cases are found by an index."""
_SHOWN = ("owner__user", "team", "touchpoint", "requester", "workspace")


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
    told = [
        (row.case.pk, row.case.version, row.case.due_at, row.unread, row.writing, tuple(one.pk for one in row.here))
        for row in rows
    ]
    return hashlib.sha256(repr((told, int(now.timestamp()) // 60)).encode()).hexdigest()[:16]
