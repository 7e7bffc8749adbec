"""Pages of the settings of routing: teams, working hours, targets, and what one takes on oneself."""

import hashlib
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import partial

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from talkworthy.routing.actions import hours as hours_actions
from talkworthy.routing.actions import steps as step_actions
from talkworthy.routing.actions import teams as actions
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.escalating import step_in_words
from talkworthy.routing.forms.hours import PROMISES, WEEKDAYS, HoursForm, TargetsForm, fields_of, write_shifts
from talkworthy.routing.forms.steps import StepForm
from talkworthy.routing.forms.teams import AvailabilityForm, NewTeamForm, TeamForm
from talkworthy.routing.models import Availability, Case, EscalationStep, Target, WorkingHours
from talkworthy.routing.reckoning import Ahead, ahead_of
from talkworthy.routing.selectors import settings as selectors
from talkworthy.workspaces.models import Team
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required
from talkworthy.workspaces.selectors import members


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def teams(request: MemberRequest) -> HttpResponse:
    """The teams, and a new one."""
    form = NewTeamForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made = actions.create_team(request.workspace, **form.cleaned_data, by=request.user, now=timezone.now())
        except Refused as error:
            form.add_error("name", str(error))
        else:
            messages.success(request, _("The team “%(name)s” is made. Now say who is in it.") % {"name": made.name})
            return redirect("routing:team", request.workspace.slug, made.pk)
    found = {"form": form, "teams": selectors.teams(viewer=request.member)}
    return render(request, "routing/settings/teams.html", found, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def team(request: MemberRequest, number: int) -> HttpResponse:
    """One team: its name, its hours, who is in it and who leads it."""
    shown = selectors.team_or_404(number, viewer=request.member)
    form = TeamForm(request.POST if request.method == "POST" else None, team=shown, initial=_held(shown), kept=True)
    ahead = None
    if form.is_valid():
        save = partial(actions.change_team, shown, **form.cleaned_data, by=request.user, now=timezone.now())
        try:
            ahead = saved_or_ahead(request, save)
        except Refused as error:
            form.add_error(None, str(error))
        else:
            if ahead is None:
                messages.success(request, _("Saved."))
                return redirect("routing:team", request.workspace.slug, shown.pk)
    inside, leading = form.chosen("members"), form.chosen("leads")
    people = [(one, str(one.pk) in inside, str(one.pk) in leading) for one in members(viewer=request.member)]
    found = {"team": shown, "form": form, "people": people, "ahead": ahead}
    return render(request, "routing/settings/team.html", found, status=422 if form.errors else 200)


def _held(team: Team) -> dict[str, object]:
    """A team as its form shows it."""
    rows = list(team.memberships.all())
    own = WorkingHours.objects.filter(teams__team=team).first()
    return {
        "name": team.name,
        "about": team.about,
        "colour": team.colour,
        "hours": own.pk if own else None,
        "members": [row.member_id for row in rows],
        "leads": [row.member_id for row in rows if row.is_lead],
    }


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def delete_team(request: MemberRequest, number: int) -> HttpResponse:
    """Take a team away; the answer offers to undo it."""
    held = selectors.team_or_404(number, viewer=request.member)
    try:
        actions.delete_team(held, by=request.user, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect("routing:team", request.workspace.slug, held.pk)
    back = reverse("routing:restore_team", args=(request.workspace.slug, held.pk))
    offer_undo(request, _("The team “%(name)s” is deleted.") % {"name": held.name}, back)
    return redirect("routing:teams", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def restore_team(request: MemberRequest, number: int) -> HttpResponse:
    """Bring a deleted team back."""
    held = selectors.team_or_404(number, viewer=request.member, deleted=True)
    try:
        actions.restore_team(held, by=request.user, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect("routing:teams", request.workspace.slug)
    messages.success(request, _("The team “%(name)s” is back.") % {"name": held.name})
    return redirect("routing:team", request.workspace.slug, held.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def all_hours(request: MemberRequest) -> HttpResponse:
    """The working hours, and new ones."""
    begun = WorkingHours(workspace=request.workspace, timezone=request.workspace.timezone)
    form = HoursForm(request.POST if request.method == "POST" else None, initial=_new_week(request))
    kept_now, ahead = _kept(form, begun, request)
    if kept_now:
        messages.success(request, _("The working hours “%(name)s” are kept.") % {"name": form.cleaned_data["name"]})
        return redirect("routing:all_hours", request.workspace.slug)
    kept = list(selectors.all_hours(viewer=request.member))
    rows = [(held, _week(held), [row.team for row in held.teams.all() if not row.team.deleted_at]) for held in kept]
    found = {"form": form, "rows": rows, "has_default": any(held.is_default for held in kept), "ahead": ahead}
    return render(request, "routing/settings/all_hours.html", found, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def hours(request: MemberRequest, number: int) -> HttpResponse:
    """One set of working hours."""
    held = selectors.hours_or_404(number, viewer=request.member)
    form = HoursForm(request.POST if request.method == "POST" else None, initial=fields_of(held), kept=True)
    kept_now, ahead = _kept(form, held, request)
    if kept_now:
        messages.success(request, _("Saved."))
        return redirect("routing:hours", request.workspace.slug, held.pk)
    following = selectors.cases_by_default(viewer=request.member) if held.is_default else 0
    found = {"hours": held, "form": form, "ahead": ahead, "following": following}
    return render(request, "routing/settings/hours.html", found, status=422 if form.errors else 200)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def delete_hours(request: MemberRequest, number: int) -> HttpResponse:
    """Remove working hours for good."""
    held = selectors.hours_or_404(number, viewer=request.member)
    try:
        hours_actions.delete_hours(held, by=request.user, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect("routing:hours", request.workspace.slug, number)
    messages.success(request, _("The working hours “%(name)s” are deleted.") % {"name": held.name})
    return redirect("routing:all_hours", request.workspace.slug)


def _kept(form: HoursForm, held: WorkingHours, request: MemberRequest) -> tuple[bool, Ahead | None]:
    """Whether they were saved; else what saving them would do to open deadlines, where that is what is asked."""
    if not form.is_valid():
        return False, None
    told, now = form.cleaned_data, timezone.now()
    try:
        ahead = saved_or_ahead(request, lambda: hours_actions.save_hours(copy(held), **told, by=request.user, now=now))
    except Refused as error:
        form.add_error("name", str(error))
        return False, None
    return ahead is None, ahead


def saved_or_ahead(request: MemberRequest, save: Callable[[], object]) -> Ahead | None:
    """Save; or say first what saving does to open deadlines, unless exactly this was shown before."""
    if request.POST.get("sure") != _print_of(request.POST):
        ahead = ahead_of(request.workspace, save, now=timezone.now())
        if ahead.concerned:
            return replace(ahead, sure=_print_of(request.POST))
    save()
    return None


def _print_of(told_in: QueryDict) -> str:
    """A short print of what was filled in: another answer is asked about again."""
    told = sorted((name, str(value)) for name, value in told_in.lists() if name not in UNTOLD)
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]


UNTOLD = ("sure", "csrfmiddlewaretoken")


def _week(held: WorkingHours) -> list[tuple[str, str]]:
    """The weekdays that are worked, with their shifts."""
    days = ((word, held.shifts.get(str(day))) for day, word in enumerate(WEEKDAYS))
    return [(str(word), write_shifts(spans)) for word, spans in days if spans]


def _new_week(request: MemberRequest) -> dict[str, object]:
    """What the form of new hours begins with: Monday to Friday, to be changed before it is saved."""
    return {"timezone": request.workspace.timezone, **{f"day_{day}": "09:00-17:00" for day in range(5)}}


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def targets(request: MemberRequest) -> HttpResponse:
    """How soon a case of each class is answered and settled: of every team, or of one."""
    asked = request.GET.get("team", "")
    chosen = selectors.team_or_404(int(asked), viewer=request.member) if _is_number(asked) else None
    held = selectors.targets(chosen, viewer=request.member)
    form = TargetsForm(request.POST if request.method == "POST" else None, held=held)
    ahead = None
    if form.is_valid():
        now = timezone.now()
        save = partial(actions.save_targets, request.workspace, chosen, form.rows(), by=request.user, now=now)
        ahead = saved_or_ahead(request, save)
        if ahead is None:
            _say_saved(request, selectors.targets_gone(chosen, at=now, viewer=request.member))
            return redirect(_targets_of(request, chosen))
    found = {
        "form": form,
        "chosen": chosen,
        "teams": selectors.teams(viewer=request.member),
        "columns": list(PROMISES.values()),
        "usual": _usual() if not held and chosen is None else [],
        "ahead": ahead,
        "following": selectors.cases_by_default(viewer=request.member) if not held and chosen is None else 0,
        "steps": _steps_of(request, chosen),
        "step_form": _step_form(request, chosen) if held else None,
    }
    return render(request, "routing/settings/targets.html", found, status=422 if form.errors else 200)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def restore_targets(request: MemberRequest, numbers: str) -> HttpResponse:
    """Bring targets back that were taken away, with their steps."""
    wanted = [int(one) for one in numbers.split("-")[: len(Case.Priority)] if _is_number(one)]
    try:
        rows = actions.restore_targets(request.workspace, wanted, by=request.user, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect("routing:targets", request.workspace.slug)
    messages.success(request, _("It is as it was. Open deadlines follow in the background."))
    return redirect(_targets_of(request, rows[0].team if rows else None))


def _say_saved(request: MemberRequest, gone: list[Target]) -> None:
    """Say that it is saved; where targets went by it, offer to bring them back."""
    if not gone:
        messages.success(request, _("Saved."))
        return
    classes = ", ".join(str(Case.Priority(row.priority).label) for row in gone)
    numbers = "-".join(str(row.pk) for row in gone)
    back = reverse("routing:restore_targets", args=(request.workspace.slug, numbers))
    offer_undo(request, _("Saved. Nothing is promised here any more for: %(classes)s.") % {"classes": classes}, back)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
@once
def add_step(request: MemberRequest) -> HttpResponse:
    """A further step of escalation of a class of every team, or of one."""
    asked = request.GET.get("team", "")
    chosen = selectors.team_or_404(int(asked), viewer=request.member) if _is_number(asked) else None
    form = _step_form(request, chosen, request.POST)
    if form.is_valid():
        target, told = form.told()
        try:
            step_actions.add_step(target, **told, by=request.user, now=timezone.now())
        except Refused as error:
            form.add_error("whom", str(error))
        else:
            messages.success(request, _("The step holds from now on."))
            return redirect(f"{_targets_of(request, chosen)}#steps")
    found = {
        "form": TargetsForm(None, held=selectors.targets(chosen, viewer=request.member)),
        "chosen": chosen,
        "teams": selectors.teams(viewer=request.member),
        "columns": list(PROMISES.values()),
        "steps": _steps_of(request, chosen),
        "step_form": form,
    }
    return render(request, "routing/settings/targets.html", found, status=422)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def delete_step(request: MemberRequest, number: int) -> HttpResponse:
    """Take a step away; the answer offers to undo it."""
    held = selectors.step_or_404(number, viewer=request.member)
    step_actions.delete_step(held, by=request.user, now=timezone.now())
    back = reverse("routing:restore_step", args=(request.workspace.slug, held.pk))
    offer_undo(request, _("The step is taken away. What it did stays."), back)
    return redirect(f"{_targets_of(request, held.target.team if held.target else None)}#steps")


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def restore_step(request: MemberRequest, number: int) -> HttpResponse:
    """Bring a step back."""
    held = selectors.step_or_404(number, viewer=request.member)
    step_actions.restore_step(held, by=request.user, now=timezone.now())
    messages.success(request, _("The step is back."))
    return redirect(f"{_targets_of(request, held.target.team if held.target else None)}#steps")


def _steps_of(request: MemberRequest, team: Team | None) -> list[tuple[EscalationStep, str, str]]:
    """The steps, each with its class and what it does in words."""
    rows = selectors.steps(team, viewer=request.member)
    return [(step, str(Case.Priority(step.target.priority).label), step_in_words(step)) for step in rows if step.target]


def _step_form(request: MemberRequest, team: Team | None, told: QueryDict | None = None) -> StepForm:
    held = selectors.targets(team, viewer=request.member)
    return StepForm(
        told,
        targets=[held[name] for name in Case.Priority.values if name in held],
        members=list(members(viewer=request.member)),
        teams=list(selectors.teams(viewer=request.member)),
    )


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def begin_targets(request: MemberRequest) -> HttpResponse:
    """Take the usual targets, where there are none."""
    try:
        actions.begin_targets(request.workspace, by=request.user, now=timezone.now())
        messages.success(request, _("These targets hold from now on. Change them as you like."))
    except Refused as error:
        messages.error(request, str(error))
    return redirect("routing:targets", request.workspace.slug)


def _usual() -> list[tuple[str, list[tuple[str, int | None]], bool]]:
    """The usual targets as the page offers them."""
    return [
        (
            str(Case.Priority(name).label),
            [(str(word), row.get(key)) for key, word in PROMISES.items()],
            "around_the_clock" in row,
        )
        for name, row in actions.USUAL.items()
    ]


def _targets_of(request: MemberRequest, team: Team | None) -> str:
    here = reverse("routing:targets", args=(request.workspace.slug,))
    return f"{here}?team={team.pk}" if team else here


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.WORK_CASES)
def availability(request: MemberRequest) -> HttpResponse:
    """Whether one is there, how much one takes on, in which languages, with which skills."""
    held = selectors.availability(viewer=request.member)
    form = AvailabilityForm(request.POST if request.method == "POST" else None, initial=_told(held))
    if form.is_valid():
        actions.set_availability(request.member, **form.cleaned_data, by=request.user, now=timezone.now())
        messages.success(request, _("Saved."))
        return redirect("routing:availability", request.workspace.slug)
    return render(request, "routing/settings/availability.html", {"form": form}, status=422 if form.errors else 200)


def _told(held: Availability) -> dict[str, object]:
    return {
        "state": held.state,
        "away_until": held.away_until,
        "capacity": held.capacity,
        "languages": ", ".join(held.languages),
        "skills": ", ".join(held.skills),
    }
