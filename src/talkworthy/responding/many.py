"""One change of every case that a filter finds, and its undo: background work, piece by piece, whole at the end.

A piece of cases and how far the work has come are written in one transaction: a worker that dies leaves no case
behind, and changes none twice. Each piece is known by its moment, so that the undo finds exactly its rows.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.listening.models import PROGRESSED, Job
from talkworthy.notifying.actions import notify
from talkworthy.responding.actions.problems import Refused
from talkworthy.responding.selectors.inbox import Asked, found_cases
from talkworthy.routing import actions
from talkworthy.routing.models import Case, CaseChange
from talkworthy.routing.selectors.reports import Scope
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member, Team, User
from talkworthy.workspaces.permissions import Permission, may

DOES: Mapping[str, Any] = {
    "resolve": gettext_lazy("settle them"),
    "mine": gettext_lazy("take them"),
    "assign": gettext_lazy("assign them"),
    "snooze": gettext_lazy("snooze them"),
    "priority": gettext_lazy("set their class"),
    "tag": gettext_lazy("tag them"),
    "wait": gettext_lazy("let them wait for an answer"),
}
"""What can be done with all of them, as a person says it."""
PIECE = 50
REASONS = 5
"""Reasons why cases were left that the result names."""

Progress = Callable[[int, int | None], None]


def change_found(asked: Asked, *, verb: str, told: Mapping[str, Any], by: Member, now: datetime) -> Job:
    """Do one thing with every case that is found, in the background. Raises QueryError and Refused."""
    _refuse_unknown(verb, told, by)
    total = found_cases(_whole(asked), viewer=by, now=now).count()
    if not total:
        raise Refused(_("No case fits this filter: nothing would be changed."))
    request = {
        "verb": verb,
        "told": dict(told),
        "member": by.pk,
        "asked": _as_json(_whole(asked)),
        "query": asked.words,
        "what": str(DOES[verb]),
        "total": total,
        "reached": 0,
        "moments": [],
        "left": {},
        "changed": 0,
    }
    return _started(by, request, now=now, after={"verb": verb, **told, "cases": total, "query": asked.words})


def undo_found(job: Job, *, by: Member, now: datetime) -> Job:
    """Give all of them back what they were, in the background; asked again, it is the same undo."""
    with transaction.atomic():
        job = Job.objects.select_for_update().get(pk=job.pk)
        if job.by_id != by.user_id or "undo" in job.request:
            raise Refused(_("Only who did it can undo it here."))
        if job.state in (Job.State.WAITING, Job.State.RUNNING):
            raise Refused(_("It is still being done. Stop it first, or wait for its end."))
        there = Job.objects.filter(pk=job.request.get("undone_by") or 0).exclude(state=Job.State.FAILED).first()
        if there is not None:
            return there
        moments = list(reversed(job.request["moments"]))
        request = {"undo": job.pk, "moments": moments, "done": 0, "undone": 0, "left": 0, "member": by.pk}
        request["what"] = _("give them back what they were before job %(n)d") % {"n": job.pk}
        made = _started(by, request | {"cases": job.request["changed"]}, now=now, after={"undo": job.pk})
        Job.objects.filter(pk=job.pk).update(request={**job.request, "undone_by": made.pk})
    return made


def undo_rows(rows: Sequence[CaseChange], *, by: User, now: datetime) -> tuple[int, int]:
    """Give cases back what they were before these rows of history, tags too: (undone, left)."""
    undone, left = actions.undo_changes([one for one in rows if one.what != "tags"], by=by, now=now)
    for change in rows:
        if change.what != "tags":
            continue
        was, became = set(change.old or []), set(change.new or [])
        if actions.tag_case(change.case, add=was - became, take=became - was, only_if=became, by=by, now=now):
            undone += 1
        else:
            left += 1
    return undone, left


def work(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Do a job that was asked for, from where it was left."""
    Job.objects.filter(pk=job.pk).update(unit="cases")
    member = Member.objects.select_related("user", "workspace").get(pk=job.request["member"], workspace=job.workspace)
    if not may(member.role, Permission.WORK_CASES):
        raise Refused(_("%(who)s may not work on cases any more.") % {"who": member})
    return _undo(job, member, progress) if "undo" in job.request else _change(job, member, progress)


def _change(job: Job, member: Member, progress: Progress) -> Mapping[str, Any]:
    request = job.request
    asked, verb = _asked(request["asked"]), VERBS[request["verb"]]
    looked = request["changed"] + sum(request["left"].values())
    while True:
        with transaction.atomic():
            found = found_cases(asked, viewer=member, now=job.created_at)
            found = found.filter(pk__gt=request["reached"], opened_at__lte=job.created_at).order_by("pk")
            cases = list(found.select_related("workspace", "owner__user", "team")[:PIECE])
            if cases:
                _piece(request, cases, verb, member, now=timezone.now())
            request[PROGRESSED] = job.attempts  # a worker that dies after this is not one that gets no further
            Job.objects.filter(pk=job.pk).update(request=request)
        looked += len(cases)
        progress(min(looked, request["total"]), request["total"])
        if len(cases) < PIECE:
            break
    if request["verb"] == "assign":
        _tell_owner(job, request, now=timezone.now())
    reasons = sorted(request["left"].items(), key=lambda one: -one[1])[:REASONS]
    return {"cases": request["changed"], "left": sum(request["left"].values()), "reasons": reasons}


def _piece(request: dict[str, Any], cases: Sequence[Case], verb: "Verb", member: Member, *, now: datetime) -> None:
    left = Counter[str](request["left"])
    for case in cases:
        try:
            verb(case, request["told"], member, now)
            request["changed"] += 1
        except actions.Refused as error:
            left[str(error)] += 1
    request["left"] = dict(left)
    request["reached"] = cases[-1].pk
    request["moments"].append(now.isoformat())


def _undo(job: Job, member: Member, progress: Progress) -> Mapping[str, Any]:
    """Piece by piece, the last first; a case that was changed again since is left alone."""
    request = job.request
    moments = request["moments"]
    while request["done"] < len(moments):
        with transaction.atomic():
            at = datetime.fromisoformat(moments[request["done"]])
            rows = CaseChange.objects.filter(case__workspace=job.workspace, by=member.user, at=at)
            undone, left = undo_rows(
                list(rows.select_related("case").order_by("-pk")), by=member.user, now=timezone.now()
            )
            request["undone"] += undone
            request["left"] += left
            request["done"] += 1
            request[PROGRESSED] = job.attempts
            Job.objects.filter(pk=job.pk).update(request=request)
        progress(min(request["done"] * PIECE, request["cases"]), request["cases"])
    return {"undone": request["undone"], "left": request["left"]}


def _tell_owner(job: Job, request: Mapping[str, Any], *, now: datetime) -> None:
    """Once for all of them: a member who is given a thousand cases is not told a thousand times."""
    owner = _owner(request["told"], job.workspace_id)
    if owner is None or owner.user_id == job.by_id or not request["changed"]:
        return
    words = _("%(n)d cases are yours now.") % {"n": request["changed"]}
    address = f"{reverse('inbox:inbox', args=[job.workspace.slug])}?tab=mine"
    notify(owner, kind="assigned", text=words, address=address, key=f"job {job.pk}", now=now)


def _started(by: Member, request: dict[str, Any], *, now: datetime, after: Mapping[str, Any]) -> Job:
    with transaction.atomic():
        job = Job.objects.create(
            workspace=by.workspace, kind=Job.Kind.CASES, by=by.user, request=request, unit="cases", created_at=now
        )
        note_change(by.workspace, verb="start", thing=job, by=by.user, now=now, after=dict(after))
    return job


def _whole(asked: Asked) -> Asked:
    return replace(asked, after=None, before=None)


def _as_json(asked: Asked) -> dict[str, Any]:
    scope = asked.scope
    told = {"tab": asked.tab, "words": asked.words, "figure": asked.figure}
    if scope is None:
        return told
    return told | {"scope": asdict(scope) | {"since": scope.since.isoformat(), "until": scope.until.isoformat()}}


def _asked(told: Mapping[str, Any]) -> Asked:
    scope = told.get("scope")
    if scope is None:
        return Asked(told["tab"], told["words"])
    since, until = (datetime.fromisoformat(scope[name]) for name in ("since", "until"))
    return Asked(
        told["tab"], told["words"], figure=told["figure"], scope=Scope(since, until, scope["by"], scope["value"])
    )


# What is done


Verb = Callable[[Case, Mapping[str, Any], Member, datetime], None]


def _refuse_unknown(verb: str, told: Mapping[str, Any], by: Member) -> None:
    if verb not in VERBS:
        raise Refused(_("There is no such thing to do with many cases."))
    if verb == "assign":
        owner = _owner(told, by.workspace_id)
        if told.get("to") and owner is None and _team(told, by.workspace_id) is None:
            raise Refused(_("There is no such team or member."))
        if owner is not None and not actions.may_own(owner):
            raise Refused(_("%(who)s may not work on cases. Give it to somebody who may.") % {"who": owner})
    if verb == "priority" and told.get("to") not in Case.Priority.values:
        raise Refused(_("There is no class of that name."))
    if verb == "tag" and not str(told.get("to") or "").strip():
        raise Refused(_("Write the tag."))
    if verb == "snooze" and not 60 <= int(told.get("for") or 0) <= 31_536_000:
        raise Refused(_("Choose for how long."))


def _named(told: Mapping[str, Any], kind: str) -> int:
    name, _dash, number = str(told.get("to") or "").partition("-")
    return int(number) if name == kind and number.isdecimal() and len(number) < 18 else 0


def _owner(told: Mapping[str, Any], workspace: int) -> Member | None:
    found = Member.objects.filter(workspace=workspace, pk=_named(told, "member"))
    return found.select_related("user", "workspace").first()


def _team(told: Mapping[str, Any], workspace: int) -> Team | None:
    return Team.objects.filter(workspace=workspace, deleted_at=None, pk=_named(told, "team")).first()


def _mine(case: Case, told: Mapping[str, Any], by: Member, now: datetime) -> None:
    actions.take_case(case, member=by, now=now)


def _assign(case: Case, told: Mapping[str, Any], by: Member, now: datetime) -> None:
    owner, team = _owner(told, case.workspace_id), _team(told, case.workspace_id)
    if told.get("to") and owner is None and team is None:
        raise actions.Refused(_("There is no such team or member."))
    actions.assign_case(case, owner=owner, team=team, by=by.user, now=now, tells=False)


def _resolve(case: Case, told: Mapping[str, Any], by: Member, now: datetime) -> None:
    actions.resolve_case(case, by=by.user, now=now)


def _wait(case: Case, told: Mapping[str, Any], by: Member, now: datetime) -> None:
    actions.set_state(case, state=Case.State.WAITING, by=by.user, now=now)


def _snooze(case: Case, told: Mapping[str, Any], by: Member, now: datetime) -> None:
    actions.snooze_case(case, until=now + timedelta(seconds=int(told["for"])), by=by.user, now=now)


def _priority(case: Case, told: Mapping[str, Any], by: Member, now: datetime) -> None:
    actions.set_priority(case, priority=str(told["to"]), by=by.user, now=now)


def _tag(case: Case, told: Mapping[str, Any], by: Member, now: datetime) -> None:
    actions.tag_case(case, add=[str(told["to"])], by=by.user, now=now)


VERBS: Mapping[str, Verb] = {
    "resolve": _resolve,
    "mine": _mine,
    "assign": _assign,
    "snooze": _snooze,
    "priority": _priority,
    "tag": _tag,
    "wait": _wait,
}
