"""Pages of how a workspace answers: autonomy, approval, accounts, drafter, manner; and its snippets."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.forms import Form
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.responding import actions
from talkworthy.responding.forms.settings import ApprovalRuleForm, DrafterForm, MannerForm, SnippetForm
from talkworthy.responding.models import ApprovalRule, Autonomy, Snippet
from talkworthy.responding.selectors import deliveries as ways
from talkworthy.responding.selectors import settings as selectors
from talkworthy.responding.selectors.snippets import snippet_or_404, snippets_of
from talkworthy.responding.snippets import VARIABLES
from talkworthy.workspaces.permissions import Permission, may
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required
from talkworthy.workspaces.seen import print_of

READS = ["GET", "HEAD", "POST"]
NUMBERS = {"delay_seconds": 86_400, "cap_person_a_day": 99, "cap_conversation": 99, "cap_hour": 9_999}
"""What the table of machines asks for, and the most of each."""


@require_http_methods(READS)
@permission_required(Permission.READ)
def autonomy(request: MemberRequest) -> HttpResponse:
    """How far a machine may go with each class."""
    if request.method == "POST":
        return _set_autonomy(request)
    return _table(request, selectors.autonomy_table(viewer=request.member))


def _table(request: MemberRequest, rows: Sequence[selectors.Row], faults: Sequence[str] = ()) -> HttpResponse:
    found = {
        "rows": rows,
        "faults": faults,
        "levels": Autonomy.Level.choices,
        "limits": NUMBERS,
        "share": ways.automated_share(viewer=request.member, now=timezone.now()),
        "changing": may(request.member.role, Permission.MANAGE_WORKSPACE),
    }
    return render(request, "responding/settings/autonomy.html", found, status=422 if faults else 200)


@permission_required(Permission.MANAGE_WORKSPACE)
def _set_autonomy(request: MemberRequest) -> HttpResponse:
    """Keep the whole table, or nothing of it: what was typed stands there again beside what is wrong."""
    rows = [row for row in selectors.autonomy_table(viewer=request.member) if f"level-{row.outcome}" in request.POST]
    told = {row.outcome: _told(request, row.outcome) for row in rows}
    faults = [
        _("%(outcome)s: write a whole number from 0 to %(most)s.") % {"outcome": row.title, "most": NUMBERS[name]}
        for row in rows
        for name, value in told[row.outcome].items()
        if name in NUMBERS and not (value.isdecimal() and int(value[:9]) <= NUMBERS[name])
    ]
    faults += [
        _("%(outcome)s: somebody else changed it after you had opened the page. To put yours in its place, save again.")
        % {"outcome": row.title}
        for row in rows
        if told[row.outcome] and request.POST.get(f"seen-{row.outcome}", row.seen) != row.seen
    ]
    if not faults:
        try:
            with transaction.atomic():
                for row in rows:
                    _set_row(request, row, told[row.outcome])
            messages.success(request, _("Saved."))
            return redirect("responding:autonomy", request.workspace.slug)
        except actions.Refused as error:
            faults = [str(error)]
    for row in rows:
        for name, value in told[row.outcome].items():
            setattr(row.autonomy, name, value)
    return _table(request, rows, faults)


def _told(request: MemberRequest, outcome: str) -> dict[str, str]:
    """What the form says of one outcome, as it was typed; nothing where it is as it was shown, whatever holds now."""
    names = [name for name in ("level", *NUMBERS) if f"{name}-{outcome}" in request.POST]
    told = {name: request.POST[f"{name}-{outcome}"].strip() for name in names}
    return {} if request.POST.get(f"seen-{outcome}") == print_of(told) else told


def _set_row(request: MemberRequest, row: selectors.Row, told: Mapping[str, str]) -> None:
    asked = {name: int(value) if name in NUMBERS else value for name, value in told.items()}
    if any(getattr(row.autonomy, name) != value for name, value in asked.items()):
        actions.set_autonomy(request.workspace, outcome=row.outcome, by=request.user, now=timezone.now(), **asked)


@require_safe
@permission_required(Permission.READ)
def rules(request: MemberRequest) -> HttpResponse:
    """Which drafts must be approved."""
    found = {"rules": selectors.approval_rules(viewer=request.member)}
    return render(request, "responding/settings/rules.html", found)


@require_http_methods(READS)
@permission_required(Permission.EDIT_ROUTING)
def rule(request: MemberRequest, rule_id: int | None = None) -> HttpResponse:
    """Make or change a rule."""
    kept = selectors.rule_or_404(rule_id, viewer=request.member) if rule_id is not None else None
    form = ApprovalRuleForm(request.POST if request.method == "POST" else None, viewer=request.member, rule=kept)
    if form.is_valid() and _kept(request, form, kept):
        return redirect("responding:approval_rules", request.workspace.slug)
    found = {"form": form, "rule": kept}
    return render(request, "responding/settings/rule.html", found, status=422 if form.is_bound else 200)


def _kept(request: MemberRequest, form: ApprovalRuleForm, kept: ApprovalRule | None) -> bool:
    try:
        actions.save_approval_rule(request.workspace, **form.values(), rule=kept, by=request.user, now=timezone.now())
    except actions.Refused as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, _("The rule is kept."))
    return True


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def delete_rule(request: MemberRequest, rule_id: int) -> HttpResponse:
    """Away with a rule."""
    kept = selectors.rule_or_404(rule_id, viewer=request.member)
    actions.delete_approval_rule(kept, by=request.user, now=timezone.now())
    messages.success(request, _("The rule is deleted."))
    return redirect("responding:approval_rules", request.workspace.slug)


@require_safe
@permission_required(Permission.READ)
def accounts(request: MemberRequest) -> HttpResponse:
    """Which accounts answer."""
    found = {"accounts": selectors.accounts(viewer=request.member)}
    return render(request, "responding/settings/accounts.html", found)


@require_POST
@permission_required(Permission.MANAGE_WORKSPACE)
def turn_account(request: MemberRequest, source_id: int) -> HttpResponse:
    """Let an account answer, or not any more."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    try:
        actions.turn_sender(source, on=request.POST.get("on") == "yes", by=request.user, now=timezone.now())
        messages.success(request, _("Saved."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("responding:accounts", request.workspace.slug)


@require_http_methods(READS)
@permission_required(Permission.MANAGE_WORKSPACE)
def drafter(request: MemberRequest) -> HttpResponse:
    """Where drafts may be asked for."""
    kept = selectors.drafter_of(viewer=request.member)
    initial = {name: getattr(kept, name) for name in ("url", "model", "instructions", "enabled")}
    form = DrafterForm(request.POST if request.method == "POST" else None, initial=initial, kept=True)
    if form.is_valid():
        token = form.cleaned_data.pop("token") or None
        actions.save_drafter(request.workspace, **form.cleaned_data, token=token, by=request.user, now=timezone.now())
        messages.success(request, _("Saved."))
        return redirect("responding:drafter", request.workspace.slug)
    return _form(request, "responding/settings/drafter.html", form, has_token=bool(kept.secret))


@require_http_methods(READS)
@permission_required(Permission.MANAGE_WORKSPACE)
def manner(request: MemberRequest) -> HttpResponse:
    """How the workspace speaks."""
    kept = selectors.manner_of(viewer=request.member)
    names = ("disclosure", "machine_disclosure", "guidance", "send_delay_seconds")
    form = MannerForm(
        request.POST if request.method == "POST" else None,
        initial={name: getattr(kept, name) for name in names},
        kept=True,
    )
    if form.is_valid():
        actions.save_manner(request.workspace, **form.cleaned_data, by=request.user, now=timezone.now())
        messages.success(request, _("Saved."))
        return redirect("responding:manner", request.workspace.slug)
    return _form(request, "responding/settings/manner.html", form)


@require_safe
@permission_required(Permission.READ)
def snippets(request: MemberRequest) -> HttpResponse:
    """The snippets."""
    return render(request, "responding/snippets.html", {"snippets": snippets_of(viewer=request.member)})


@require_http_methods(READS)
@permission_required(Permission.WORK_CASES)
def snippet(request: MemberRequest, snippet_id: int | None = None) -> HttpResponse:
    """Make or change a snippet."""
    kept = snippet_or_404(snippet_id, viewer=request.member) if snippet_id is not None else None
    initial = {name: getattr(kept, name) for name in ("name", "shortcut", "team")} if kept else {}
    form = SnippetForm(
        request.POST if request.method == "POST" else None,
        viewer=request.member,
        initial=initial | {"texts": _kept_texts(kept)},
        kept=kept is not None,
    )
    texts = _texts(request, kept)
    if form.is_valid():
        try:
            actions.save_snippet(
                request.workspace,
                **form.cleaned_data,
                texts={language.strip().lower(): text for language, text in texts if language.strip()},
                snippet=kept,
                by=request.user,
                now=timezone.now(),
            )
            messages.success(request, _("The snippet is kept."))
            return redirect("responding:snippets", request.workspace.slug)
        except actions.Refused as error:
            form.add_error(None, str(error))
    rows = [*texts, ("", "")]
    return _form(request, "responding/snippet.html", form, snippet=kept, texts=rows, variables=VARIABLES)


@require_POST
@permission_required(Permission.WORK_CASES)
def delete_snippet(request: MemberRequest, snippet_id: int) -> HttpResponse:
    """Away with it, with a way back."""
    kept = snippet_or_404(snippet_id, viewer=request.member)
    actions.delete_snippet(kept, by=request.user, now=timezone.now())
    address = reverse("responding:restore_snippet", args=[request.workspace.slug, kept.pk])
    offer_undo(request, _("The snippet is deleted."), address)
    return redirect("responding:snippets", request.workspace.slug)


@require_POST
@permission_required(Permission.WORK_CASES)
def restore_snippet(request: MemberRequest, snippet_id: int) -> HttpResponse:
    """Bring it back."""
    try:
        actions.restore_snippet(snippet_or_404(snippet_id, viewer=request.member), by=request.user, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("responding:snippets", request.workspace.slug)


def _texts(request: MemberRequest, kept: Snippet | None) -> list[tuple[str, str]]:
    """Languages and texts: as they were typed, else as they are kept."""
    if request.method == "POST":
        return list(zip(request.POST.getlist("language"), request.POST.getlist("text"), strict=False))
    return _kept_texts(kept) or [("en", "")]


def _kept_texts(kept: Snippet | None) -> list[tuple[str, str]]:
    return list(kept.texts.order_by("pk").values_list("language", "text")) if kept else []


def _form(request: MemberRequest, template: str, form: Form, **more: Any) -> HttpResponse:
    return render(request, template, {"form": form, **more}, status=422 if form.is_bound else 200)
