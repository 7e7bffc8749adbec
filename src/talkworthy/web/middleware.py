"""What stands between the browser and every page: membership of the workspace, and a strict content policy."""

import secrets
import zoneinfo
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.db import OperationalError
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_htmx.http import HttpResponseClientRedirect

from talkworthy.responding.models import Stop
from talkworthy.workspaces.models import Member, User

Answering = Callable[[HttpRequest], HttpResponse]

MACHINES = ("receive", "api", "health", "static", "favicon.ico", "robots.txt")
"""First parts of addresses that machines call: no session is asked of them, and what lies there guards itself."""

OPEN = frozenset({*MACHINES, "account"})
"""First parts of addresses for which nobody needs to be signed in."""

BEFORE_NEW_PASSWORD = frozenset({"account_change_password", "account_logout", "account_reauthenticate", "set_timezone"})
"""What somebody may still do whose one-time password must be changed first."""

SEEN_EVERY = timedelta(minutes=5)


class Membership:
    """Finds the member behind a request to `/<workspace>/…`; a stranger is told that nothing is there.

    The view does not get the `workspace` argument of its address: it stands in `request.workspace`.
    """

    def __init__(self, get_response: Answering) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer in the time zone of whoever asks."""
        zone = _zone_of(request)
        if zone is None:
            return self.get_response(request)
        with timezone.override(zone):
            return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Answering, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Redirect to sign-in or to the new password, raise 404 for strangers, or let through."""
        first = _first_part(request)
        if first in MACHINES:
            return None
        user = request.user
        if isinstance(user, User) and user.must_change_password and not _is_before(request):
            return _go(request, reverse("account_change_password"))
        if first in OPEN:
            return None
        if not isinstance(user, User):
            return _sign_in(request)
        if "workspace" in kwargs:
            _join(request, user, kwargs.pop("workspace"))
        return None


class ContentSecurityPolicy:
    """Allows what this server sends and nothing else; `request.csp_nonce` is for the rare inline style."""

    def __init__(self, get_response: Answering) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Set the header, unless the view has set its own."""
        nonce = secrets.token_urlsafe(16)
        request.csp_nonce = nonce  # type: ignore[attr-defined]
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", policy(nonce, request.path_info))
        response.headers.setdefault("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
        return response


def policy(nonce: str, path: str) -> str:
    """The policy of a page; sign-in may send its form on to an identity provider."""
    forms = " ".join(("'self'", *(settings.SIGN_IN_FORM_TARGETS if path.startswith("/account/") else ())))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' 'nonce-{nonce}'",
            f"style-src 'self' 'nonce-{nonce}'",
            "img-src 'self' data:",
            "font-src 'self'",
            "connect-src 'self'",
            "manifest-src 'self'",
            f"form-action {forms}",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def _first_part(request: HttpRequest) -> str:
    return request.path_info.split("/", 2)[1]


def _is_before(request: HttpRequest) -> bool:
    """Whether the page may be seen before the one-time password is changed."""
    match = request.resolver_match
    return match is not None and match.view_name in BEFORE_NEW_PASSWORD


def _join(request: HttpRequest, user: User, slug: str) -> None:
    """Put the member and the workspace on the request."""
    stopped = Stop.objects.filter(workspace=OuterRef("workspace"), lifted_at=None)
    members = Member.objects.select_related("workspace").annotate(sending_is_stopped=Exists(stopped))
    member = members.filter(user=user, workspace__slug=slug).first()
    if member is None:
        raise Http404(_("There is no workspace of this name that you are a member of."))
    member.user = user
    request.member = member  # type: ignore[attr-defined]
    request.workspace = member.workspace  # type: ignore[attr-defined]
    now = timezone.now()
    if member.last_seen_at is None or now - member.last_seen_at > SEEN_EVERY:
        with suppress(OperationalError):  # a full disk keeps nobody from reading
            Member.objects.filter(pk=member.pk).update(last_seen_at=now)


def _sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page, and back afterwards; a fragment's request takes the whole page along."""
    if getattr(request, "htmx", None):
        here = request.htmx.current_url_abs_path or "/"  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(f"{reverse('account_login')}?{urlencode({'next': here})}")
    return redirect_to_login(request.get_full_path(), reverse("account_login"))


def _go(request: HttpRequest, address: str) -> HttpResponse:
    return HttpResponseClientRedirect(address) if getattr(request, "htmx", None) else HttpResponseRedirect(address)


def _zone_of(request: HttpRequest) -> zoneinfo.ZoneInfo | None:
    if _first_part(request) in MACHINES:
        return None
    user = request.user
    if not isinstance(user, User):
        return None
    try:
        return zoneinfo.ZoneInfo(user.timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):  # a zone that this machine does not know
        return None
