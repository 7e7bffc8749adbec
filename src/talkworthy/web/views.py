"""Pages that belong to no workspace: home, profile, a new workspace, and errors."""

import errno
import sys
from copy import copy
from zoneinfo import available_timezones

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from talkworthy.archive import Damaged
from talkworthy.listening.actions import ensure_alert_rules
from talkworthy.web.context import ZONE_TOLD
from talkworthy.web.jumping import jumps
from talkworthy.web.templatetags.words import in_workspace
from talkworthy.workspaces.actions import create_workspace, may_create_workspaces
from talkworthy.workspaces.forms import NewWorkspaceForm, ProfileForm
from talkworthy.workspaces.models import Member, User
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """To the workspace somebody was in last."""
    members = Member.objects.filter(user=_user(request)).select_related("workspace")
    member = max(members, key=lambda member: member.last_seen_at or member.created_at, default=None)
    if member is None:
        found = {"may_create": may_create_workspaces(_user(request))}
        return render(request, "web/no_workspace.html", found)
    return redirect(in_workspace(member.workspace.slug, "listening:first"))


@require_GET
def workspace(request: MemberRequest) -> HttpResponse:
    """The workspace's first page."""
    return redirect(in_workspace(request.workspace.slug, "listening:first"))


@require_GET
@permission_required(Permission.READ)
def jump(request: MemberRequest) -> HttpResponse:
    """The lines beneath the command box."""
    return render(request, "web/jumps.html", {"jumps": jumps(request.GET.get("q", "")[:200], viewer=request.member)})


@require_POST
def set_timezone(request: HttpRequest) -> HttpResponse:
    """The browser tells its time zone, once; a zone that the person chose is left alone."""
    user = _user(request)
    zone = request.POST.get("timezone", "")
    request.session[ZONE_TOLD] = True
    if user.timezone == "UTC" and zone in available_timezones():
        user.timezone = zone
        user.save(update_fields=["timezone"])
    return HttpResponse(status=204)


@require_http_methods(["GET", "HEAD", "POST"])
def profile(request: HttpRequest) -> HttpResponse:
    """One's own name, time zone and theme."""
    user = _user(request)
    form = ProfileForm(request.POST or None, instance=copy(user))
    if form.is_valid():
        form.save()
        request.session[ZONE_TOLD] = True
        messages.success(request, _("Saved."))
        return redirect("profile")
    memberships = Member.objects.filter(user=user).select_related("workspace").order_by("workspace__name")
    status = 422 if form.errors else 200
    return render(request, "web/profile.html", {"form": form, "memberships": memberships}, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def new_workspace(request: HttpRequest) -> HttpResponse:
    """An empty workspace, for administrators of another one."""
    user = _user(request)
    if not may_create_workspaces(user):
        raise PermissionDenied(_("Only an administrator of a workspace can make another one."))
    form = NewWorkspaceForm(request.POST or None)
    if form.is_valid():
        made = create_workspace(name=form.cleaned_data["name"], timezone=user.timezone, by=user, now=timezone.now())
        ensure_alert_rules(made, owner=Member.objects.get(workspace=made, user=user))
        return redirect(in_workspace(made.slug, "listening:follow"))
    return render(request, "web/new_workspace.html", {"form": form}, status=422 if form.errors else 200)


def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for it whatever the page says."""
    return HttpResponseRedirect(static("talkworthy/mark.svg"))


def robots(request: HttpRequest) -> HttpResponse:
    """Nothing here is for search engines."""
    return HttpResponse("User-agent: *\nDisallow: /\n", content_type="text/plain")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """400."""
    return _error(request, 400, exception)


def refused(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """403."""
    return _error(request, 403, exception)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """404."""
    return _error(request, 404, exception)


def failed(request: HttpRequest) -> HttpResponse:
    """500: nothing is asked of the database, which may be what failed."""
    return HttpResponse(render_to_string("500.html", {"said": _told(sys.exception())}), status=500)


def _told(error: BaseException | None) -> str:
    """What happened and what helps, where that is known: a full disk, or a damaged file of the archive."""
    while error is not None:
        if isinstance(error, Damaged):
            said = _("The file %(name)s of the archive is damaged. The administrator can put it back from a backup.")
            return said % {"name": error.path.name}
        if getattr(error, "errno", None) == errno.ENOSPC or "disk is full" in str(error):
            return _("The disk is full. Nothing new can be kept until the administrator makes room.")
        error = error.__cause__ or error.__context__
    return ""


def _error(request: HttpRequest, status: int, exception: Exception | None) -> HttpResponse:
    said = str(exception) if exception and exception.args and isinstance(exception.args[0], str) else ""
    return render(request, f"{status}.html", {"status": status, "said": said}, status=status)


def _user(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user
