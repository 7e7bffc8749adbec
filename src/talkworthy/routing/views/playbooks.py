"""Pages of the playbook: read it, try it on words, write a version, switch it on."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from talkworthy.analysis.meaning import MEANING
from talkworthy.listening.chosen import chosen_for, pipeline_for
from talkworthy.listening.models import Monitor
from talkworthy.routing.actions import playbooks as actions
from talkworthy.routing.askers import ANSWERS, OURS, Facts, Seen
from talkworthy.routing.evidence import evidence_words, worded
from talkworthy.routing.forms.playbooks import BadTree, editor_of, read, tree_of, written
from talkworthy.routing.models import PlaybookVersion
from talkworthy.routing.playbook import BadPlaybook, Fault, compile_playbook, differences
from talkworthy.routing.selectors import playbooks as selectors
from talkworthy.routing.triage import Triage, decide, known
from talkworthy.schema import posts_table
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

LONGEST_TRY = 10_000


@require_GET
@permission_required(Permission.READ)
def playbook(request: MemberRequest) -> HttpResponse:
    """The playbook as it is followed now, its versions, and a box to try it."""
    found = actions.playbook_of(request.workspace, now=timezone.now())
    shown = found.active or found.versions.first()
    return _version_page(request, shown)


@require_GET
@permission_required(Permission.READ)
def version(request: MemberRequest, number: int) -> HttpResponse:
    """One version, with what differs from the active one."""
    return _version_page(request, selectors.version_or_404(number, viewer=request.member))


def _version_page(request: MemberRequest, shown: PlaybookVersion | None) -> HttpResponse:
    if shown is None:  # a playbook without a version cannot be made by the product
        return redirect("workspace", request.workspace.slug)
    found = actions.playbook_of(request.workspace, now=timezone.now())
    text = request.GET.get("text", "")[:LONGEST_TRY].strip()
    about = request.GET.get("about", "us")
    context: dict[str, Any] = {
        "playbook": found,
        "version": shown,
        "tree": shown.tree,
        "versions": list(selectors.versions(found, viewer=request.member)),
        "changed": differences(found.active.tree, shown.tree) if found.active and found.active != shown else [],
        "text": text,
        "about": about,
        "tried": _tried(shown, text, about, request) if text else None,
        "yaml": written(shown.tree),
    }
    return render(request, "routing/playbooks/playbook.html", context)


def _tried(shown: PlaybookVersion, text: str, about: str, request: MemberRequest) -> dict[str, Any]:
    """The way of some words through a version, as if they were a mention of us, of a rival, of the field, or none."""
    now = timezone.now()
    posts = posts_table([{"uid": "try::1", "text": text, "published_at": now}])
    post = pipeline_for(chosen_for(request.workspace)).run(posts.combine_chunks().to_batches()[0]).to_pylist()[0]
    kinds = {"us": OURS, "rival": ("rival",), "field": ("field",)}.get(about, ())
    monitors = Monitor.objects.filter(workspace=request.workspace, deleted_at=None, kind__in=kinds).order_by("name")
    seen = [Seen(monitor.pk, monitor.name, monitor.kind) for monitor in monitors[:1]]
    if kinds and not seen:
        seen = [Seen(0, {"us": _("us"), "rival": _("a rival"), "field": _("our field")}[about], kinds[0])]
    return told(
        decide(compile_playbook(known(shown.tree), now=now, similarity=MEANING), Facts(post=post, monitors=seen))
    )


def told(found: Triage) -> dict[str, Any]:
    """A triage as a page shows it."""
    return {
        "path": [worded(step.as_json()) for step in found.path],
        "outcome": found.outcome,
        "priority": found.priority,
        "priority_words": evidence_words(found.priority_evidence.as_json()),
        "wait": found.wait,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_ROUTING)
def edit(request: MemberRequest, number: int) -> HttpResponse:
    """Write a new version, beginning from one that is there: question by question, or as text."""
    begun = selectors.version_or_404(number, viewer=request.member)
    newest = begun.playbook.versions.order_by("-version").values_list("version", flat=True)[0]
    as_text = request.GET.get("as") == "text"
    if request.method != "POST":
        return _editor(request, begun, begun.tree, as_text=as_text, seen=newest)
    text = request.POST.get("yaml")
    seen = request.POST.get("seen", "")
    note = request.POST.get("note", "")[:500]
    try:
        tree = read(text) if text is not None else tree_of(request.POST, name=begun.playbook.name)
    except BadTree as error:
        faults = [Fault(_("text"), str(error))]
        return _editor(request, begun, begun.tree, as_text=True, seen=newest, faults=faults, text=text, note=note)
    if "more" in request.POST:
        return _editor(request, begun, tree, as_text=False, seen=_number(seen, newest), note=note)
    try:
        saved = actions.save_version(
            begun.playbook, tree=tree, note=note, seen=_number(seen, 0), by=request.user, now=timezone.now()
        )
    except BadPlaybook as error:
        return _editor(
            request,
            begun,
            tree,
            as_text=text is not None,
            seen=_number(seen, 0),
            faults=list(error.faults),
            text=text,
            note=note,
        )
    except actions.NewerVersion as error:
        faults = [Fault(_("not saved"), str(error))]
        return _editor(
            request, begun, tree, as_text=text is not None, seen=error.newest, faults=faults, text=text, note=note
        )
    messages.success(request, _("Version %(n)s is kept. It is followed once you switch it on.") % {"n": saved.version})
    return redirect("routing:playbook_version", request.workspace.slug, saved.version)


def _editor(
    request: MemberRequest,
    begun: PlaybookVersion,
    tree: dict[str, Any],
    *,
    as_text: bool,
    seen: int,
    faults: list[Fault] | None = None,
    text: str | None = None,
    note: str = "",
) -> HttpResponse:
    context = {
        "version": begun,
        "as_text": as_text,
        "seen": seen,
        "note": note,
        "editor": None if as_text else editor_of(tree, faults or ()),
        "faults": faults or [],
        "yaml": text if text is not None else written(tree),
        "askers": sorted(ANSWERS),
    }
    return render(request, "routing/playbooks/edit.html", context, status=422 if faults else 200)


@require_POST
@permission_required(Permission.EDIT_ROUTING)
def activate(request: MemberRequest, number: int) -> HttpResponse:
    """Follow this version from now on."""
    found = selectors.version_or_404(number, viewer=request.member)
    actions.activate_version(found, by=request.user, now=timezone.now())
    messages.success(request, _("Mentions follow version %(n)s from now on.") % {"n": found.version})
    return redirect("routing:playbook", request.workspace.slug)


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isdecimal() else otherwise
