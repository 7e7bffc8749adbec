"""Pages of suggestions: who may be one person, and why."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from talkworthy.people import actions
from talkworthy.people.actions.links import Basis
from talkworthy.people.forms import BasisForm
from talkworthy.people.selectors import listing as selectors
from talkworthy.people.views.tabs import tabs
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

STATES = ("open", "confirmed", "denied")


@require_safe
@permission_required(Permission.READ_PEOPLE)
def links(request: MemberRequest) -> HttpResponse:
    """Pairs that may be one, the likeliest first, each with its evidence."""
    state = request.GET.get("state", "open")
    page: dict[str, Any] = {
        "state": state if state in (*STATES, "apart") else "open",
        "tabs": tabs(request, "links"),
        "counts": selectors.counts_of_links(viewer=request.member),
        "basis_form": BasisForm(),
    }
    if page["state"] == "apart":
        page["apart"] = selectors.kept_apart(viewer=request.member)
    else:
        page["suggestions"] = selectors.suggestions(viewer=request.member, state=page["state"])
    return render(request, "people/links.html", page)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def confirm(request: MemberRequest, suggestion_id: int) -> HttpResponse:
    """They are one."""
    suggestion = selectors.suggestion_or_404(suggestion_id, viewer=request.member)
    basis = None
    if "basis" in request.POST:
        form = BasisForm(request.POST)
        if not form.is_valid():
            messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
            return redirect("people:links", request.workspace.slug)
        data = form.cleaned_data
        basis = Basis(data["basis"], data["basis_note"], data["retain_until"])
    try:
        person = actions.confirm_link(suggestion, by=request.user, now=timezone.now(), basis=basis)
    except actions.Refused as error:
        messages.error(request, str(error))
        return redirect("people:links", request.workspace.slug)
    kind, _colon, number = suggestion.right.partition(":")
    text = _("They are one now: “%(name)s”.") % {"name": person.name}
    if kind == "person" and suggestion.left.startswith("person:"):
        offer_undo(request, text, reverse("people:split", args=(request.workspace.slug, int(number))))
    else:
        messages.success(request, text)
    return redirect("people:links", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def deny(request: MemberRequest, suggestion_id: int) -> HttpResponse:
    """They are not one, and shall never be suggested again."""
    suggestion = selectors.suggestion_or_404(suggestion_id, viewer=request.member)
    try:
        actions.deny_link(suggestion, by=request.user, now=timezone.now(), why=request.POST.get("why", ""))
    except actions.Refused as error:
        messages.error(request, str(error))
    else:
        address = reverse("people:reopen_link", args=(request.workspace.slug, suggestion.pk))
        offer_undo(request, _("They are kept apart, and are not suggested again."), address)
    return redirect("people:links", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def reopen(request: MemberRequest, suggestion_id: int) -> HttpResponse:
    """Take back that they are not one."""
    suggestion = selectors.suggestion_or_404(suggestion_id, viewer=request.member)
    actions.reopen_link(suggestion, by=request.user, now=timezone.now())
    return redirect("people:links", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def allow(request: MemberRequest, never_id: int) -> HttpResponse:
    """Take a pair off the list of those who are never one."""
    row = selectors.never_or_404(never_id, viewer=request.member)
    actions.allow_merging(row, by=request.user, now=timezone.now())
    messages.success(request, _("They may be suggested and merged again."))
    return redirect(reverse("people:links", args=(request.workspace.slug,)) + "?state=apart")
