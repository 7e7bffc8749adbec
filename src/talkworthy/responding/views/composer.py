"""The composer: a fragment of the case's page, and a page of its own."""

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from talkworthy.connectors.contract import SendingLimits
from talkworthy.responding import actions
from talkworthy.responding.composing import composer_of, looked_at, tried
from talkworthy.responding.differences import differences
from talkworthy.responding.models import Draft
from talkworthy.responding.selectors import drafts as selectors
from talkworthy.responding.selectors.snippets import ready_for, snippet_or_404
from talkworthy.responding.sending import limits_of
from talkworthy.routing.models import Case
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

FIELDS = ("text", "subject", "language", "visibility")
LONGEST = 100_000


@require_safe
@permission_required(Permission.READ)
def composer(request: MemberRequest, number: int) -> HttpResponse:
    """The composer of a case: a fragment for the case's page, a page of its own without it."""
    case = selectors.case_or_404(number, viewer=request.member)
    return _shown(request, case)


@require_POST
@permission_required(Permission.WORK_CASES)
def start(request: MemberRequest, number: int) -> HttpResponse:
    """Begin to answer: empty, from an earlier answer, or drafted by a machine."""
    case = selectors.case_or_404(number, viewer=request.member)
    now = timezone.now()
    if selectors.open_draft(case, viewer=request.member) is None:
        try:
            if request.POST.get("do") == "machine":
                actions.ask_machine(case, by=request.member, now=now)
            else:
                text = _earlier(request, case) if request.POST.get("earlier") else ""
                actions.start_only_draft(case, text=text, by=request.member, now=now)
        except actions.Refused as error:
            messages.error(request, str(error))
    return _back(request, case)


@require_POST
@permission_required(Permission.WORK_CASES)
def change(request: MemberRequest, draft_id: int) -> HttpResponse:
    """Save, and do what the button says."""
    draft = selectors.draft_or_404(draft_id, viewer=request.member)
    verb, _colon, argument = request.POST.get("do", "save").partition(":")
    now = timezone.now()
    try:
        if verb in UNSAVED:
            UNSAVED[verb](request, draft, now)
            return _back(request, draft.case)
        version = _number(request.POST.get("version", ""))
        changes = _changes(request, draft)
        if verb == "preview":
            return _previewed(request, draft, changes)
        if verb in ("snippet", "earlier"):
            changes["text"] = _with(changes["text"], _inserted(request, draft, verb, argument, now))
        draft = actions.save_draft(draft, version=version, by=request.member, now=now, **changes)
        _attach(request, draft, now)
        draft.refresh_from_db()
        if verb in SAVED:
            SAVED[verb](request, draft, now)
        elif verb == "save":
            messages.success(request, _("Saved."))
    except actions.Stale as error:
        return _conflict(request, error)
    except actions.Refused as error:
        messages.error(request, str(error))
    return _back(request, draft.case)


@require_POST
@permission_required(Permission.WORK_CASES)
def look(request: MemberRequest, draft_id: int) -> HttpResponse:
    """How long it is, how it will read, and what is wrong, while it is being written; nothing is saved."""
    draft = selectors.draft_or_404(draft_id, viewer=request.member)
    for name, value in _changes(request, draft).items():
        setattr(draft, name, value)
    looked = looked_at(draft, sender=request.member)
    limits = limits_of(draft.source) if draft.source else SendingLimits()
    found = {"looked": looked, "draft": draft, "limits": limits, "open": bool(request.POST.get("reading"))}
    return render(request, "responding/composer/looked.html", found)


@require_POST
@permission_required(Permission.READ)
def presence(request: MemberRequest, number: int) -> HttpResponse:
    """Say that one is here, and see who else is."""
    case = selectors.case_or_404(number, viewer=request.member)
    now = timezone.now()
    writing = bool(request.POST.get("text", "").strip())
    actions.note_presence(case, member=request.member, is_writing=writing, now=now)
    draft = selectors.open_draft(case, viewer=request.member)
    known = request.POST.get("version", "")
    newer = draft if draft and known.isdecimal() and draft.version > int(known) else None
    found = {"others": actions.others_here(case, viewer=request.member, now=now), "newer": newer, "case": case}
    return render(request, "responding/composer/presence.html", found)


@require_POST
@permission_required(Permission.WORK_CASES)
def restore(request: MemberRequest, draft_id: int) -> HttpResponse:
    """Bring a dropped draft back."""
    draft = selectors.draft_or_404(draft_id, viewer=request.member)
    try:
        actions.restore_draft(draft, by=request.member, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
    return _back(request, draft.case)


@require_POST
@permission_required(Permission.WORK_CASES)
def recall(request: MemberRequest, draft_id: int) -> HttpResponse:
    """Take a reply back before it leaves."""
    draft = selectors.draft_or_404(draft_id, viewer=request.member)
    try:
        actions.recall_draft(draft, by=request.member, now=timezone.now())
        messages.success(request, _("It was recalled. Nothing was sent."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return _back(request, draft.case)


@require_POST
@permission_required(Permission.WORK_CASES)
def detach(request: MemberRequest, attachment_id: int) -> HttpResponse:
    """Take a file away."""
    attachment = selectors.attachment_or_404(attachment_id, viewer=request.member)
    case = attachment.draft.case
    try:
        actions.remove_attachment(attachment, by=request.member, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
    return _back(request, case)


# what the buttons do


def _send(request: MemberRequest, draft: Draft, now: datetime) -> None:
    actions.send_draft(draft, version=draft.version, by=request.member, now=now)
    address = reverse("responding:recall", args=[request.workspace.slug, draft.pk])
    offer_undo(request, _("It goes out in a few seconds."), address)


def _schedule(request: MemberRequest, draft: Draft, now: datetime) -> None:
    told = parse_datetime(request.POST.get("send_at", "") or "")
    if told is None:
        raise actions.Refused(_("Say when it should go out."))
    at = told if told.tzinfo else timezone.make_aware(told)
    actions.schedule_draft(draft, version=draft.version, send_at=at, by=request.member, now=now)
    messages.success(request, _("It is scheduled."))


def _ask(request: MemberRequest, draft: Draft, now: datetime) -> None:
    asked = actions.ask_approval(draft, by=request.member, now=now)
    free = asked.state == Draft.State.APPROVED
    messages.success(request, _("Nobody must approve it.") if free else _("Those who must approve it are told."))


def _machine(request: MemberRequest, draft: Draft, now: datetime) -> None:
    actions.ask_machine(draft.case, by=request.member, now=now, draft=draft)


def _drop(request: MemberRequest, draft: Draft, now: datetime) -> None:
    actions.drop_draft(draft, version=_number(request.POST.get("version", "")), by=request.member, now=now)
    address = reverse("responding:restore_draft", args=[request.workspace.slug, draft.pk])
    offer_undo(request, _("The draft is given up."), address)


SAVED = {"send": _send, "schedule": _schedule, "ask": _ask, "machine": _machine}
"""Buttons that save first."""
UNSAVED = {"drop": _drop}


def _inserted(request: MemberRequest, draft: Draft, verb: str, argument: str, now: datetime) -> str:
    number = _number(argument)
    if verb == "earlier":
        return selectors.draft_or_404(number, viewer=request.member).text
    snippet = snippet_or_404(number, viewer=request.member)
    message = selectors.message_of(draft)
    for ready in ready_for(draft, viewer=request.member, message=message, now=now):
        if ready.snippet.pk == snippet.pk:
            actions.use_snippet(snippet)
            return ready.text
    raise actions.Refused(_("This snippet is of another team."))


def _earlier(request: MemberRequest, case: Case) -> str:
    return selectors.draft_or_404(_number(request.POST.get("earlier", "")), viewer=request.member).text


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0


def _with(text: str, more: str) -> str:
    return f"{text.rstrip()}\n\n{more}" if text.strip() else more


def _changes(request: MemberRequest, draft: Draft) -> dict[str, Any]:
    """What the form holds; what it leaves out stays as it was."""
    found: dict[str, Any] = {
        name: request.POST[name].replace("\r\n", "\n")[:LONGEST] for name in FIELDS if name in request.POST
    }
    found.setdefault("text", draft.text)
    source = _number(request.POST.get("source", ""))
    if source:
        chosen = next((one for one in selectors.accounts_for(draft) if one.pk == source), None)
        if chosen is not None:
            found["source"] = chosen
    return found


def _attach(request: MemberRequest, draft: Draft, now: datetime) -> None:
    for attachment in draft.attachments.all():
        alt = request.POST.get(f"alt-{attachment.pk}")
        if alt is not None and alt.strip() != attachment.alt:
            actions.describe_attachment(attachment, alt=alt, by=request.member, now=now)
    for file in request.FILES.getlist("file"):
        actions.attach_file(
            draft,
            name=file.name or "file",
            content_type=file.content_type or "application/octet-stream",
            body=file.read(),
            alt=request.POST.get("alt", ""),
            by=request.member,
            now=now,
        )


def _conflict(request: MemberRequest, error: actions.Stale) -> HttpResponse:
    """Both texts, side by side; nothing was overwritten."""
    theirs = error.draft
    found = {
        "draft": theirs,
        "yours": error.text,
        "subject": error.subject or theirs.subject,
        "pieces": differences(theirs.text, error.text),
        "problem": str(error),
        "who": theirs.versions.select_related("by__user").first(),
        "case": theirs.case,
    }
    return render(request, "responding/composer/conflict.html", found, status=409)


def _previewed(request: MemberRequest, draft: Draft, changes: dict[str, Any]) -> HttpResponse:
    """How it will read, as it stands in the form; nothing is saved."""
    for name, value in changes.items():
        setattr(draft, name, value)
    held = composer_of(draft.case, viewer=request.member, now=timezone.now())
    found = {"composer": tried(held, draft, viewer=request.member), "back": _where(request) or ""}
    return render(request, "responding/composer/page.html", found)


def _shown(request: MemberRequest, case: Case, status: int = 200) -> HttpResponse:
    found = {
        "composer": composer_of(case, viewer=request.member, now=timezone.now()),
        "back": _where(request) or "",
    }
    name = "responding/composer/composer.html" if request.htmx else "responding/composer/page.html"
    return render(request, name, found, status=status)


def _back(request: MemberRequest, case: Case) -> HttpResponse:
    return redirect(_where(request) or reverse("responding:composer", args=[request.workspace.slug, case.number]))


def _where(request: MemberRequest) -> str | None:
    """The page of ours that the composer stands in."""
    told = request.POST.get("back") or request.GET.get("back") or ""
    if not told and request.htmx:  # the page may not have its own address yet while it is swapped in: it is asked last
        told = request.htmx.current_url_abs_path or ""
    return told if told.startswith("/") and url_has_allowed_host_and_scheme(told, allowed_hosts=None) else None
