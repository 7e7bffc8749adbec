"""Pages of the CRMs that persons are exchanged with, and of what both sides changed."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.connectors.errors import ConnectorError
from talkworthy.people import actions
from talkworthy.people.actions.crm import add_crm, change_crm, exchange_now, remove_crm
from talkworthy.people.crm import syncing
from talkworthy.people.forms import CrmForm
from talkworthy.people.labels import FIELDS
from talkworthy.people.models import CrmAccount
from talkworthy.people.selectors import listing as selectors
from talkworthy.people.views.tabs import tabs
from talkworthy.workspaces.credentials import LockedCredentials
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

SETTINGS = ("name", "url", "database", "user", "query", "basis", "basis_note", "retention_days", "every_hours")


@require_safe
@permission_required(Permission.READ_PEOPLE)
def accounts(request: MemberRequest) -> HttpResponse:
    """The CRMs, and how the last exchange went."""
    page = {"accounts": selectors.crm_accounts(viewer=request.member), "tabs": tabs(request, "crm")}
    return render(request, "people/crm.html", page)


@require_safe
@permission_required(Permission.READ_PEOPLE)
def account(request: MemberRequest, account_id: int) -> HttpResponse:
    """One CRM: its last exchange, and what is to be decided."""
    shown = selectors.crm_account_or_404(account_id, viewer=request.member)
    rows = [(FIELDS.get(row.field, row.field), row) for row in selectors.conflicts(shown)]
    counts = [(_COUNTS[name](), n) for name, n in (shown.outcome or {}).items() if name in _COUNTS]
    return render(request, "people/crm_account.html", {"account": shown, "conflicts": rows, "counts": counts})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_WORKSPACE)
def new(request: MemberRequest) -> HttpResponse:
    """Exchange persons with a CRM."""
    return _form(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_WORKSPACE)
def change(request: MemberRequest, account_id: int) -> HttpResponse:
    """Change its settings."""
    return _form(request, selectors.crm_account_or_404(account_id, viewer=request.member))


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def sync(request: MemberRequest, account_id: int) -> HttpResponse:
    """Exchange now."""
    shown = selectors.crm_account_or_404(account_id, viewer=request.member)
    exchange_now(shown, by=request.user, now=timezone.now())
    messages.success(request, _("It begins as soon as the worker is free."))
    return redirect("people:crm_account", request.workspace.slug, shown.pk)


@require_POST
@permission_required(Permission.MANAGE_WORKSPACE)
def remove(request: MemberRequest, account_id: int) -> HttpResponse:
    """Exchange no more."""
    shown = selectors.crm_account_or_404(account_id, viewer=request.member)
    remove_crm(shown, by=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” is exchanged with no more. Nobody was deleted.") % {"name": shown.name})
    return redirect("people:crm", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_PEOPLE)
def decide(request: MemberRequest, conflict_id: int) -> HttpResponse:
    """Say which value holds."""
    conflict = selectors.conflict_or_404(conflict_id, viewer=request.member)
    try:
        syncing.decide(conflict, request.POST.get("chosen", ""), by=request.user, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("people:crm_account", request.workspace.slug, conflict.link.account_id)


def _form(request: MemberRequest, shown: CrmAccount | None) -> HttpResponse:
    form = CrmForm(
        request.POST if request.method == "POST" else None,
        initial={name: getattr(shown, name) for name in SETTINGS} if shown else {},
        workspace=request.workspace,
        account=shown,
        kept=shown is not None,
    )
    if form.is_valid():
        try:
            saved = _saved(request, shown, form.cleaned_data)
        except actions.Refused as error:
            form.add_error(None, str(error))
        else:
            _try(request, saved)
            return redirect("people:crm_account", request.workspace.slug, saved.pk)
    page = {"form": form, "account": shown}
    return render(request, "people/crm_form.html", page, status=422 if form.is_bound else 200)


def _saved(request: MemberRequest, shown: CrmAccount | None, said: dict[str, Any]) -> CrmAccount:
    if shown is None:
        return add_crm(request.workspace, **said, by=request.user, now=timezone.now())
    return change_crm(shown, **said, by=request.user, now=timezone.now())


def _try(request: MemberRequest, saved: CrmAccount) -> None:
    """Sign in once, so that a wrong password is told at once."""
    try:
        with syncing.door(request.workspace) as http:
            n = syncing.crm_of(saved, http).check()
    except (ConnectorError, LockedCredentials) as error:
        messages.error(request, _("Saved, but it cannot be reached: %(why)s") % {"why": error})
    else:
        messages.success(request, _("Saved. It answers, and has %(n)s contacts.") % {"n": n})


_COUNTS = {
    "read": lambda: _("read there"),
    "added": lambda: _("persons added here"),
    "pulled": lambda: _("values taken over"),
    "pushed": lambda: _("values written there"),
    "created": lambda: _("contacts created there"),
    "conflicts": lambda: _("new conflicts"),
    "gone": lambda: _("gone there"),
    "forgotten": lambda: _("erased here, and not added again"),
    "failed": lambda: _("failed, tried again next time"),
}
