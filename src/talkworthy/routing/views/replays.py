"""Trying rules and a playbook on history: the start, the progress, and what it found."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe
from django.views.decorators.vary import vary_on_headers

from talkworthy.listening.actions import stop_job
from talkworthy.listening.models import Job
from talkworthy.listening.selectors.jobs import time_left
from talkworthy.routing.actions import replays as actions
from talkworthy.routing.forms.rules import named_in, read_draft
from talkworthy.routing.models import Case, PlaybookVersion, Rule
from talkworthy.routing.selectors import playbooks, rules
from talkworthy.routing.views.rules import editor
from talkworthy.workspaces.models import Member, Team
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

DAYS = {"7d": 7, "30d": 30, "90d": 90}
ON_A_PAGE = 100
"""Differences that a page of a replay lists."""
OPEN = (Job.State.WAITING, Job.State.RUNNING)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
@once
def try_draft(request: MemberRequest) -> HttpResponse:
    """A rule as it stands in the editor, among the rules that are on; nothing is saved."""
    named = named_in(request.workspace)
    draft = read_draft(request.POST, named)
    number = request.POST.get("rule", "")
    changed = rules.rule_or_404(int(number), viewer=request.member) if number.isdecimal() else None
    if not draft.is_good:
        return editor(request, draft, changed, named)
    tried = actions.drafted(
        name=draft.name, condition=draft.condition, effects=draft.effects, stops=draft.stops, replaced=changed
    )
    return _started(request, actions.rules_with(request.workspace.pk, tried, changed), None)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
@once
def try_rule(request: MemberRequest, rule_id: int) -> HttpResponse:
    """A saved rule, as if it were on, among the rules that are on."""
    found = rules.rule_or_404(rule_id, viewer=request.member)
    return _started(request, actions.rules_with(request.workspace.pk, found, found), None)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
@once
def try_version(request: MemberRequest, number: int) -> HttpResponse:
    """A version of the playbook, with the rules that are on."""
    found = playbooks.version_or_404(number, viewer=request.member)
    return _started(request, actions.rules_on(request.workspace.pk), found)


@require_safe
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def replay(request: MemberRequest, job_id: int) -> HttpResponse:
    """How far it is, and then what it found."""
    job = Job.objects.filter(pk=job_id, workspace=request.workspace, kind=Job.Kind.REPLAY).first()
    if job is None:
        raise Http404(_("There is no such replay."))
    is_open = job.state in OPEN
    context: dict[str, Any] = {"job": job, "is_open": is_open, "left": time_left(job, now=timezone.now())}
    context |= {name: timezone.localtime(datetime.fromisoformat(job.request[name])) for name in ("since", "until")}
    if request.htmx and request.GET.get("progress"):
        if is_open:
            return render(request, "routing/rules/replay.html#progress", context)
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    if job.state == Job.State.DONE and job.result:
        after = request.GET.get("after", "")
        context |= _found(request.member, job, after=int(after) if after.isdecimal() and len(after) < 10 else 0)
    return render(request, "routing/rules/replay.html", context)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def stop(request: MemberRequest, job_id: int) -> HttpResponse:
    """Stop a replay; nothing was changed by it."""
    job = get_object_or_404(Job, pk=job_id, workspace=request.workspace, kind=Job.Kind.REPLAY)
    stop_job(job, by=request.user, now=timezone.now())
    return redirect("routing:replay", request.workspace.slug, job.pk)


def _found(viewer: Member, job: Job, *, after: int) -> dict[str, Any]:
    result = job.result or {}
    named = named_in(viewer.workspace)
    teams = dict(Team.objects.filter(workspace_id=viewer.workspace_id).values_list("pk", "name"))
    classes = {value: str(label) for value, label in Case.Priority.choices}
    titles = {row["name"]: row["title"] for row in result["outcomes"]}

    def words(said: dict[str, Any] | None) -> str:
        if said is None:
            return _("no rule held")
        told = [_("a case") if said["opens"] else _("no case"), titles.get(said["outcome"], said["outcome"])]
        told += [classes.get(said["priority"], said["priority"]), teams.get(said["team"], "") if said["team"] else ""]
        told += [named.words({"do": "escalate", "step": step}) for step in said.get("steps", ())]
        return " · ".join(part for part in told if part)

    for row in result["priorities"]:
        row["title"] = classes.get(row["name"], row["name"])
    shown = list(job.replay_differences.filter(place__gt=after)[: ON_A_PAGE + 1])
    steps = [(row, named.words({"do": "escalate", "step": json.loads(row["name"])})) for row in result.get("steps", ())]
    return {
        "steps": steps,
        "result": result,
        "version": PlaybookVersion.objects.filter(
            pk=job.request["playbook"] or 0, playbook__workspace_id=viewer.workspace_id
        ).first(),
        "tables": [
            (_("By team"), result["teams"], True),
            (_("By outcome of the playbook"), result["outcomes"], False),
            (_("By class"), result["priorities"], False),
        ],
        "differences": [(row, words(row.was), words(row.would)) for row in shown[:ON_A_PAGE]],
        "first": shown[0].place if shown else 0,
        "last": shown[:ON_A_PAGE][-1].place if shown else 0,
        "has_more": len(shown) > ON_A_PAGE,
        "earlier": max(0, after - ON_A_PAGE),
    }


def _started(request: MemberRequest, tried: Sequence[Rule], version: PlaybookVersion | None) -> HttpResponse:
    days = DAYS.get(request.POST.get("span", ""), 30)
    job = actions.start_replay(tried, version, days=days, by=request.member, now=timezone.now())
    return redirect("routing:replay", request.workspace.slug, job.pk)
