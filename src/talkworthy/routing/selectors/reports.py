"""How the work on cases went in a period, counted from rows; each figure's cases can be listed.

Times are clock time, and beside it the working time of the team that has the case now. A first answer counts from the
opening, a next answer from the first words that had none. Whether a promise was kept is what its timer says, which
counts working time where the target does.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from talkworthy.listening.planning import wilson
from talkworthy.routing.deadlines import WorkedTime
from talkworthy.routing.hours import hours_of, shifts_of
from talkworthy.routing.models import Case, CaseChange, Message, TeamHours, Timer
from talkworthy.routing.times import Taken, taken
from talkworthy.workspaces.models import Member, Team

DONE = (Case.State.RESOLVED, Case.State.CLOSED)
LIVE = (Case.State.NEW, Case.State.OPEN, Case.State.WAITING)
PROMISES = (Timer.Kind.FIRST_ANSWER, Timer.Kind.NEXT_ANSWER, Timer.Kind.RESOLUTION)
LENGTHS = ("answers", "again", "resolutions")
"""What is measured in time."""
LONGEST = timedelta(days=730)
"""Working time is laid out so far back from the period: what took longer counts from there on."""
GROUPS = ("priority", "channel", "team", "member")
FIGURES = {
    "opened": _("opened in the period"),
    "answered": _("first answered in the period"),
    "again": _("answered again in the period"),
    "resolved": _("settled in the period"),
    "reopened": _("opened again in the period"),
    "live": _("live now"),
    **{f"missed_{kind.value}": _("with a time that was missed in the period") for kind in PROMISES},
    **{f"promised_{kind.value}": _("with a promise that fell due in the period") for kind in PROMISES},
    "missed": _("with any time that was missed in the period"),
}
"""Figures whose cases can be listed, with the words that stand above the list."""


@dataclass(frozen=True)
class Scope:
    """What a figure is about: a period, and one group of cases where `by` names how they are grouped."""

    since: datetime
    until: datetime
    by: str = ""
    value: str = ""
    """The group: a value of the column, empty where the cases have none."""


@dataclass(frozen=True)
class Kept:
    """A promise: how many cases it fell due on, on how many it was missed, and the interval of the share kept."""

    kind: str
    n: int
    missed: int

    @property
    def share(self) -> float | None:
        """The share of cases on which it was kept."""
        return (self.n - self.missed) / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the share, 95 %."""
        return wilson(self.n - self.missed, self.n)


@dataclass(frozen=True)
class Worked:
    """The same lengths in working time."""

    answers: Taken
    again: Taken
    resolutions: Taken


@dataclass(frozen=True)
class Line:
    """One group of cases, or all of them."""

    label: str
    scope: Scope
    opened: int
    answers: Taken
    again: Taken
    """Next answers; `n` counts answers, of which a case may have several."""
    resolutions: Taken
    worked: "Worked"
    again_cases: int
    missed: int
    reopened: int
    live: int


@dataclass(frozen=True)
class Report:
    """A period in figures."""

    whole: Line
    kept: Sequence[Kept]
    lines: Sequence[Line]
    hours: Sequence[int]
    """Cases opened by hour of the day, in the viewer's time zone."""


def report(scope: Scope, *, by: str, viewer: Member, zone: ZoneInfo) -> Report:
    """The figures of a period, and the same by group."""
    rows = _rows(scope, by=by, viewer=viewer)
    labels = _labels(by, viewer=viewer)
    whole = _line("", scope, rows["all"])
    lines = [
        _line(labels.get(value, value), Scope(scope.since, scope.until, by, value), found)
        for value, found in rows.items()
        if value != "all"
    ]
    hours = [0] * 24
    for opened_at in _opened(scope, viewer=viewer).values_list("opened_at", flat=True):
        hours[opened_at.astimezone(zone).hour] += 1
    kept = [_kept(kind, scope, viewer=viewer) for kind in PROMISES]
    return Report(whole, kept, sorted(lines, key=lambda line: (-line.opened - line.live, line.label)), hours)


def cases_behind(figure: str, scope: Scope, *, viewer: Member) -> QuerySet[Case]:
    """The cases that a figure counts; none where there is no such figure."""
    cases = Case.objects.filter(workspace_id=viewer.workspace_id)
    if scope.by in GROUPS:
        cases = cases.filter(_of_group(scope))
    if figure == "opened":
        return cases.filter(opened_at__gte=scope.since, opened_at__lt=scope.until)
    if figure == "answered":
        return cases.filter(first_answered_at__gte=scope.since, first_answered_at__lt=scope.until)
    if figure == "again":
        return cases.filter(Exists(_next_answers(scope)))
    if figure == "resolved":
        return cases.filter(resolved_at__gte=scope.since, resolved_at__lt=scope.until)
    if figure == "live":
        return cases.filter(state__in=LIVE)
    if figure == "reopened":
        changes = CaseChange.objects.filter(what="state", old__in=DONE, at__gte=scope.since, at__lt=scope.until)
        return cases.filter(pk__in=changes.exclude(new__in=DONE).values("case"))
    kind = figure.partition("_")[2]
    if figure == "missed" or figure.startswith(("missed_", "promised_")):
        return cases.filter(pk__in=_timers(scope, kind, missed=figure.startswith("missed")).values("case"))
    return cases.none()


def _rows(scope: Scope, *, by: str, viewer: Member) -> dict[str, dict[str, Any]]:
    """Lengths and counts by group; `all` holds every case. One statement a figure, whatever the number of groups."""
    found: dict[str, dict[str, Any]] = {"all": _empty()}
    column = {"team": "team", "member": "owner"}.get(by, by)

    def each(figure: str, *values: str) -> Iterable[Any]:
        return cases_behind(figure, scope, viewer=viewer).values_list(column, *values)

    clocks = _Clocks(viewer.workspace_id, scope)

    def add(name: str, value: object, team: int | None, began: datetime, ended: datetime) -> None:
        worked = clocks.of(team).between(began, ended)
        for key in ("all", _key(value)):
            row = found.setdefault(key, _empty())
            row[name].append((ended - began).total_seconds())
            row[f"{name}_worked"].append(worked)

    for figure, name, end in (("answered", "answers", "first_answered_at"), ("resolved", "resolutions", "resolved_at")):
        for value, team, began, ended in each(figure, "team", "opened_at", end):
            add(name, value, team, began, ended)
    for case, value, team, began, ended in _answered_again(scope, column, viewer=viewer):
        add("again", value, team, began, ended)
        for key in ("all", _key(value)):
            found[key]["again_cases"].add(case)
    for figure in ("opened", "missed", "reopened", "live"):
        counted = cases_behind(figure, scope, viewer=viewer).order_by().values_list(column).annotate(n=Count("pk"))
        for value, n in counted:
            for key in ("all", _key(value)):
                found.setdefault(key, _empty())[figure] += n
    return found


def _line(label: str, scope: Scope, row: dict[str, Any]) -> Line:
    return Line(
        label,
        scope,
        row["opened"],
        taken(row["answers"]),
        taken(row["again"]),
        taken(row["resolutions"]),
        Worked(*(taken(row[f"{name}_worked"]) for name in LENGTHS)),
        len(row["again_cases"]),
        row["missed"],
        row["reopened"],
        row["live"],
    )


def _empty() -> dict[str, Any]:
    lengths: dict[str, Any] = {name: [] for each in LENGTHS for name in (each, f"{each}_worked")}
    return {**lengths, "again_cases": set(), "opened": 0, "missed": 0, "reopened": 0, "live": 0}


class _Clocks:
    """The working time of each team; of those that looked at a case long ago as it is today."""

    def __init__(self, workspace: int, scope: Scope) -> None:
        self._workspace = workspace
        self._since, self._until = scope.since - LONGEST, scope.until
        self._teams = {team.pk: team for team in Team.objects.filter(workspace=workspace)}
        self._own = dict(TeamHours.objects.filter(team__workspace=workspace).values_list("team", "hours"))
        self._held: dict[int | None, WorkedTime] = {}

    def of(self, team: int | None) -> WorkedTime:
        """That of a team; those without hours of their own share one."""
        key = team if team in self._own else None
        if key not in self._held:
            shifts = shifts_of(hours_of(self._workspace, self._teams.get(key) if key else None), now=self._until)
            self._held[key] = WorkedTime(shifts, since=self._since, until=self._until)
        return self._held[key]


def _answered_again(
    scope: Scope, column: str, *, viewer: Member
) -> Iterator[tuple[int, object, int | None, datetime, datetime]]:
    """Each next answer of the period: case, group, team, since when it was asked for, and when it came."""
    rows = (
        cases_behind("again", scope, viewer=viewer)
        .filter(conversations__messages__direction__in=("inward", "outward"))
        .order_by("pk", "conversations__messages__at", "conversations__messages__pk")
        .values_list("pk", column, "team", "conversations__messages__direction", "conversations__messages__at")
    )
    for case, messages in groupby(rows, key=itemgetter(0)):
        asked, answered = None, False
        for _case, value, team, direction, at in messages:
            if direction == Message.Direction.INWARD:
                asked = asked or at
                continue
            if asked is not None and answered and scope.since <= at < scope.until:
                yield case, value, team, asked, at
            asked, answered = None, True


def _next_answers(scope: Scope) -> "QuerySet[Message]":
    """Our answers of the period to words that came after an earlier answer of ours; of the case around it."""
    case = OuterRef("pk")
    inner = OuterRef(OuterRef("pk"))
    innermost = OuterRef(OuterRef(OuterRef("pk")))
    ours = Message.objects.filter(direction=Message.Direction.OUTWARD)
    earlier = ours.filter(conversation__cases=innermost, at__lt=OuterRef("at"))
    between = ours.filter(conversation__cases=innermost, at__gt=OuterRef("at"), at__lt=OuterRef(OuterRef("at")))
    asked = Message.objects.filter(
        Exists(earlier),
        ~Exists(between),
        conversation__cases=inner,
        direction=Message.Direction.INWARD,
        at__lt=OuterRef("at"),
    )
    return ours.filter(Exists(asked), conversation__cases=case, at__gte=scope.since, at__lt=scope.until)


def _key(value: object) -> str:
    return "" if value is None else str(value)


def _kept(kind: Timer.Kind, scope: Scope, *, viewer: Member) -> Kept:
    promised = cases_behind(f"promised_{kind.value}", scope, viewer=viewer).count()
    return Kept(kind.value, promised, cases_behind(f"missed_{kind.value}", scope, viewer=viewer).count())


def _timers(scope: Scope, kind: str, *, missed: bool) -> QuerySet[Timer]:
    """Promises that were kept or missed, by when they fell due."""
    outcomes = ("missed",) if missed else ("met", "missed")
    rows = Timer.objects.filter(outcome__in=outcomes, due_at__gte=scope.since, due_at__lt=scope.until)
    return rows.filter(kind=kind) if kind else rows.filter(kind__in=PROMISES)


def _opened(scope: Scope, *, viewer: Member) -> QuerySet[Case]:
    return cases_behind("opened", scope, viewer=viewer)


def _of_group(scope: Scope) -> Q:
    column = {"team": "team", "member": "owner"}.get(scope.by, scope.by)
    if column in ("team", "owner"):
        return Q(**{column: int(scope.value)}) if scope.value.isdecimal() else Q(**{f"{column}__isnull": True})
    return Q(**{column: scope.value})


def _labels(by: str, *, viewer: Member) -> dict[str, str]:
    """Names of groups that rows keep by number or by code."""
    if by == "priority":
        return {value: str(label) for value, label in Case.Priority.choices}
    none = {"": str(_("none"))}
    if by == "team":
        rows = Case.objects.filter(workspace_id=viewer.workspace_id).exclude(team=None)
        return none | {
            str(number): name for number, name in rows.values_list("team", "team__name").distinct().order_by()
        }
    if by == "member":
        members = Member.objects.filter(workspace_id=viewer.workspace_id).select_related("user")
        return none | {str(member.pk): str(member.user) for member in members}
    return none
