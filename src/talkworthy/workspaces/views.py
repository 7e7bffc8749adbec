"""Pages of a workspace's settings: general, members, tokens, and the trail."""

import csv
import json
from collections.abc import Iterable, Iterator
from copy import copy
from datetime import UTC
from io import StringIO
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.workspaces import actions, selectors
from talkworthy.workspaces.forms import ROLES, SCOPE_HELP, MemberForm, RoleForm, TokenForm, TrailForm, WorkspaceForm
from talkworthy.workspaces.models import AuditEntry
from talkworthy.workspaces.permissions import Permission, may
from talkworthy.workspaces.requests import MemberRequest, permission_required


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.READ)
def general(request: MemberRequest) -> HttpResponse:
    """Name, time zone, retention, private hosts: to read for everybody, to change for administrators."""
    changing = may(request.member.role, Permission.MANAGE_WORKSPACE)
    if request.method == "POST":
        return _change_workspace(request)
    form = WorkspaceForm(instance=request.workspace, kept=True)
    if not changing:
        for field in form.fields.values():
            field.disabled = True
    return render(request, "workspaces/general.html", {"form": form, "changing": changing})


@permission_required(Permission.MANAGE_WORKSPACE)
def _change_workspace(request: MemberRequest) -> HttpResponse:
    form = WorkspaceForm(request.POST, instance=copy(request.workspace), kept=True)
    if not form.is_valid():
        return render(request, "workspaces/general.html", {"form": form, "changing": True}, status=422)
    actions.change_workspace(request.workspace, by=request.user, now=timezone.now(), **form.cleaned_data)
    messages.success(request, _("Saved."))
    return redirect("workspaces:general", request.workspace.slug)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.READ)
def members(request: MemberRequest) -> HttpResponse:
    """Who is here, and in which role; administrators add people."""
    if request.method == "POST":
        return _add_member(request)
    return _members(request, MemberForm())


@permission_required(Permission.MANAGE_MEMBERS)
def _add_member(request: MemberRequest) -> HttpResponse:
    form = MemberForm(request.POST)
    if not form.is_valid():
        return _members(request, form, status=422)
    try:
        invited = actions.add_member(request.workspace, **form.cleaned_data, by=request.user, now=timezone.now())
    except actions.Refused as error:
        form.add_error("email", str(error))
        return _members(request, form, status=422)
    if invited.password is None:
        messages.success(request, _("%(who)s is a member now.") % {"who": invited.member.user})
        return redirect("workspaces:members", request.workspace.slug)
    return _members(request, MemberForm(), handed_over=invited)


@never_cache
@require_POST
@permission_required(Permission.MANAGE_MEMBERS)
def give_password(request: MemberRequest, member_id: int) -> HttpResponse:
    """A new one-time password, shown once."""
    member = selectors.member_or_404(member_id, viewer=request.member)
    try:
        password = actions.give_one_time_password(member, by=request.user, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
        return redirect("workspaces:members", request.workspace.slug)
    return _members(request, MemberForm(), handed_over=actions.Invited(member, password))


@require_POST
@permission_required(Permission.MANAGE_MEMBERS)
def change_role(request: MemberRequest, member_id: int) -> HttpResponse:
    """Another role for somebody."""
    member = selectors.member_or_404(member_id, viewer=request.member)
    form = RoleForm(request.POST)
    try:
        role = form.cleaned_data["role"] if form.is_valid() else ""
        actions.change_role(member, role=role, by=request.user, now=timezone.now())
        messages.success(request, _("%(who)s is now: %(role)s.") % {"who": member.user, "role": role})
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("workspaces:members", request.workspace.slug)


@require_POST
@permission_required(Permission.MANAGE_MEMBERS)
def remove_member(request: MemberRequest, member_id: int) -> HttpResponse:
    """Out of the workspace."""
    member = selectors.member_or_404(member_id, viewer=request.member)
    try:
        actions.remove_member(member, by=request.user, now=timezone.now())
        messages.success(request, _("%(who)s is no longer a member.") % {"who": member.user})
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("workspaces:members", request.workspace.slug)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_TOKENS)
def tokens(request: MemberRequest) -> HttpResponse:
    """Keys for programs; a new one's secret is shown once."""
    form = TokenForm(request.POST if request.method == "POST" else None)
    issued = None
    if form.is_valid():
        data = form.cleaned_data
        issued = actions.create_token(
            request.member,
            name=data["name"],
            scopes=data["scopes"],
            expires_at=data["expires"],
            by=request.user,
            now=timezone.now(),
        )
        form = TokenForm()
    found = {
        "form": form,
        "issued": issued,
        "tokens": selectors.tokens(viewer=request.member),
        "scope_help": SCOPE_HELP,
    }
    return render(request, "workspaces/tokens.html", found, status=422 if form.errors else 200)


@require_POST
@permission_required(Permission.MANAGE_TOKENS)
def revoke_token(request: MemberRequest, token_id: int) -> HttpResponse:
    """Useless from now on."""
    token = selectors.token_or_404(token_id, viewer=request.member)
    actions.revoke_token(token, by=request.user, now=timezone.now())
    messages.success(request, _("The token “%(name)s” is revoked: nothing can use it any more.") % {"name": token.name})
    return redirect("workspaces:tokens", request.workspace.slug)


@require_safe
@permission_required(Permission.READ_AUDIT)
def audit(request: MemberRequest) -> HttpResponse:
    """Who changed what, newest first."""
    asked, chosen = _asked(request)
    trail = selectors.trail(chosen, viewer=request.member, before=asked.get("before"))
    verbs, nouns = selectors.trail_words(viewer=request.member)
    kept = {name: value for name, value in asked.items() if value and name != "before"}
    here = reverse("workspaces:audit", args=[request.workspace.slug])
    found = {
        "trail": trail,
        "asked": chosen,
        "verbs": verbs,
        "nouns": nouns,
        "members": selectors.members(viewer=request.member),
        "is_filtered": bool(kept),
        "as_file": f"{reverse('workspaces:audit_file', args=[request.workspace.slug])}?{urlencode(kept)}",
        "older": f"{here}?{urlencode({**kept, 'before': trail.older})}" if trail.older else "",
        "newest": f"{here}?{urlencode(kept)}" if asked.get("before") else "",
    }
    return render(request, "workspaces/audit.html", found)


@require_safe
@permission_required(Permission.READ_AUDIT)
def audit_file(request: MemberRequest) -> StreamingHttpResponse:
    """Everything that the filter lets through, as CSV: times in UTC, what it was and became as JSON."""
    _words, chosen = _asked(request)
    entries = selectors.entries_of(chosen, viewer=request.member).iterator(chunk_size=1_000)
    answer = StreamingHttpResponse(_lines(entries), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{request.workspace.slug}-audit.csv"'
    return answer


def _asked(request: MemberRequest) -> tuple[dict[str, Any], selectors.TrailFilter]:
    """What the address asks of the trail, as it stands there and as a filter."""
    form = TrailForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    words = asked.get("words", "").strip()
    return asked, selectors.TrailFilter(asked.get("verb", ""), asked.get("noun", ""), asked.get("by"), words)


def _lines(entries: Iterable[AuditEntry]) -> Iterator[str]:
    file = StringIO()
    out = csv.writer(file)
    out.writerow(["at", "by", "verb", "noun", "key", "label", "why", "before", "after"])
    for entry in entries:
        at, by = entry.at.astimezone(UTC).isoformat(timespec="seconds"), entry.by.email if entry.by else ""
        told = [by, entry.verb, entry.noun, entry.key, entry.label, entry.why]
        states = [json.dumps(state, ensure_ascii=False) if state else "" for state in (entry.before, entry.after)]
        out.writerow([at, *map(_harmless, told), *states])
        if file.tell() > 60_000:
            yield file.getvalue()
            file.seek(0)
            file.truncate()
    yield file.getvalue()


def _harmless(text: str) -> str:
    """A cell that no table program takes for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


@require_safe
@permission_required(Permission.READ)
def sample(request: MemberRequest) -> HttpResponse:
    """Where the recorded posts of the sample workspace come from."""
    if not request.workspace.is_sample:
        raise Http404(_("This is no sample workspace: its posts come from its sources."))
    return render(request, "workspaces/sample.html")


def _members(
    request: MemberRequest, form: MemberForm, *, handed_over: actions.Invited | None = None, status: int = 200
) -> HttpResponse:
    found = {
        "form": form,
        "members": selectors.members(viewer=request.member),
        "roles": ROLES,
        "handed_over": handed_over,
        "address": request.build_absolute_uri("/"),
    }
    return render(request, "workspaces/members.html", found, status=status)
