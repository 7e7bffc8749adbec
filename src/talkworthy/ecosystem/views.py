"""Pages of touchpoints: the list, one of them with its promises, and their forms."""

from copy import copy
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from talkworthy.ecosystem import actions, selectors
from talkworthy.ecosystem.forms import PromiseForm, TouchpointForm
from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required


@require_GET
@permission_required(Permission.READ)
def touchpoints(request: MemberRequest) -> HttpResponse:
    """Where people meet us, who answers for it, and how much is said."""
    return render(request, "ecosystem/list.html", {"rows": selectors.listed_touchpoints(viewer=request.member)})


@require_GET
@permission_required(Permission.READ)
def touchpoint(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    """One touchpoint, with what was promised there."""
    shown = selectors.touchpoint_or_404(touchpoint_id, viewer=request.member)
    promises = list(selectors.promises_of(shown))
    said = selectors.said_of(promises, viewer=request.member)
    context = {
        "touchpoint": shown,
        "heard": selectors.heard(viewer=request.member).get(shown.pk),
        "promises": [(promise, said.get(promise.pk)) for promise in promises],
        "today": timezone.localdate(),
    }
    return render(request, "ecosystem/touchpoint.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
@once
def new(request: MemberRequest) -> HttpResponse:
    """Make a touchpoint."""
    if request.method == "POST":
        return _saved(request, None)
    form = TouchpointForm(initial={"owner": request.member.pk}, workspace=request.workspace)
    return _editor(request, form, None)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def edit(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    """Change a touchpoint."""
    changed = selectors.touchpoint_or_404(touchpoint_id, viewer=request.member)
    if request.method == "POST":
        return _saved(request, changed)
    form = TouchpointForm(initial=_held(changed), workspace=request.workspace, kept=True)
    return _editor(request, form, changed)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def delete(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    """Take a touchpoint away; the answer offers to undo it."""
    deleted = selectors.touchpoint_or_404(touchpoint_id, viewer=request.member)
    actions.delete_touchpoint(deleted, by=request.user, now=timezone.now())
    undo = reverse("ecosystem:restore_touchpoint", args=(request.workspace.slug, deleted.pk))
    offer_undo(request, _("“%(name)s” is deleted.") % {"name": deleted.name}, undo)
    return redirect("ecosystem:touchpoints", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def restore(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    """Bring a deleted touchpoint back."""
    restored = selectors.deleted_touchpoint_or_404(touchpoint_id, viewer=request.member)
    actions.restore_touchpoint(restored, by=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” is back, with its promises.") % {"name": restored.name})
    return redirect("ecosystem:touchpoint", request.workspace.slug, restored.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
@once
def new_promise(request: MemberRequest, touchpoint_id: int) -> HttpResponse:
    """Write down what was promised."""
    place = selectors.touchpoint_or_404(touchpoint_id, viewer=request.member)
    if request.method != "POST":
        return _promise_editor(request, PromiseForm(initial={"valid_from": timezone.localdate()}), place, None)
    form = PromiseForm(request.POST)
    if not form.is_valid():
        return _promise_editor(request, form, place, None)
    try:
        actions.add_promise(place, by=request.user, now=timezone.now(), **form.cleaned_data)
    except actions.Refused as error:
        form.add_error("query", str(error))
        return _promise_editor(request, form, place, None)
    messages.success(request, _("The promise is written down."))
    return redirect("ecosystem:touchpoint", request.workspace.slug, place.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def edit_promise(request: MemberRequest, promise_id: int) -> HttpResponse:
    """Change a promise."""
    changed = selectors.promise_or_404(promise_id, viewer=request.member)
    place = changed.touchpoint
    if request.method != "POST":
        return _promise_editor(request, PromiseForm(instance=changed, kept=True), place, changed)
    form = PromiseForm(request.POST, instance=copy(changed), kept=True)
    if not form.is_valid():
        return _promise_editor(request, form, place, changed)
    try:
        actions.change_promise(changed, by=request.user, now=timezone.now(), **form.cleaned_data)
    except actions.Refused as error:
        form.add_error("query", str(error))
        return _promise_editor(request, form, place, changed)
    messages.success(request, _("The promise is saved."))
    return redirect("ecosystem:touchpoint", request.workspace.slug, place.pk)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def delete_promise(request: MemberRequest, promise_id: int) -> HttpResponse:
    """Take a promise away; the answer offers to undo it."""
    deleted = selectors.promise_or_404(promise_id, viewer=request.member)
    actions.delete_promise(deleted, by=request.user, now=timezone.now())
    undo = reverse("ecosystem:restore_promise", args=(request.workspace.slug, deleted.pk))
    offer_undo(request, _("The promise is deleted."), undo)
    return redirect("ecosystem:touchpoint", request.workspace.slug, deleted.touchpoint_id)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def restore_promise(request: MemberRequest, promise_id: int) -> HttpResponse:
    """Bring a deleted promise back."""
    restored = selectors.promise_or_404(promise_id, viewer=request.member, is_deleted=True)
    actions.restore_promise(restored, by=request.user, now=timezone.now())
    messages.success(request, _("The promise is back."))
    return redirect("ecosystem:touchpoint", request.workspace.slug, restored.touchpoint_id)


def _saved(request: MemberRequest, changed: Touchpoint | None) -> HttpResponse:
    held = _held(changed) if changed is not None else {}
    form = TouchpointForm(request.POST, initial=held, workspace=request.workspace, kept=changed is not None)
    if not form.is_valid():
        return _editor(request, form, changed)
    now = timezone.now()
    try:
        if changed is None:
            kept = actions.create_touchpoint(request.workspace, by=request.user, now=now, **form.cleaned_data)
            said = _("“%(name)s” is kept. Stored posts are being tied to it.") % {"name": kept.name}
        else:
            kept = actions.change_touchpoint(changed, by=request.user, now=now, **form.cleaned_data)
            said = _("“%(name)s” is saved.") % {"name": kept.name}
    except actions.Refused as error:
        form.add_error("query", str(error))
        return _editor(request, form, changed)
    messages.success(request, said)
    return redirect("ecosystem:touchpoint", request.workspace.slug, kept.pk)


def _held(touchpoint: Touchpoint) -> dict[str, Any]:
    """A touchpoint as its form shows it."""
    start = {name: getattr(touchpoint, name) for name in ("name", "kind", "about", "colour", "query")}
    return start | {"owner": touchpoint.owner_id, "team": touchpoint.team_id}


def _editor(request: MemberRequest, form: TouchpointForm, changed: Touchpoint | None) -> HttpResponse:
    context = {"form": form, "touchpoint": changed}
    return render(request, "ecosystem/edit.html", context, status=422 if form.errors else 200)


def _promise_editor(
    request: MemberRequest, form: PromiseForm, place: Touchpoint, changed: Promise | None
) -> HttpResponse:
    context = {"form": form, "touchpoint": place, "promise": changed}
    return render(request, "ecosystem/promise.html", context, status=422 if form.errors else 200)
