"""Opening a case on a post by hand, and answering a node of triage otherwise."""

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from talkworthy.listening.stores import archive_of
from talkworthy.routing.actions.opening import open_by_hand, override_node, undo_override
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.escalating import undo_escalation
from talkworthy.routing.models import Decision, Override
from talkworthy.routing.selectors.cases import escalation_or_404
from talkworthy.routing.telling import address_of
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required


@require_POST
@permission_required(Permission.WORK_CASES)
def open_post(request: MemberRequest, post_id: int) -> HttpResponse:
    """The case of a post: a new one that is mine, or the one that is there."""
    post = archive_of(request.workspace).get(post_id)
    if post is None:
        raise Http404(_("The post is not here any more."))
    case, is_new = open_by_hand(request.workspace, post, by=request.member, now=timezone.now())
    words = _("%(case)s is open, and yours.") if is_new else _("Somebody works on it already: %(case)s.")
    messages.success(request, words % {"case": case})
    return redirect(address_of(case))


@require_POST
@permission_required(Permission.WORK_CASES)
def override(request: MemberRequest, decision_id: int) -> HttpResponse:
    """Answer one node otherwise; the answer offers to undo it."""
    decision = get_object_or_404(
        Decision.objects.select_related("playbook", "case__workspace", "workspace"),
        pk=decision_id,
        workspace=request.workspace,
    )
    try:
        made = override_node(
            decision,
            node=request.POST.get("node", ""),
            answer=request.POST.get("answer", ""),
            why=request.POST.get("why", "")[:500],
            by=request.user,
            now=timezone.now(),
        )
    except Refused as error:
        messages.error(request, str(error))
    else:
        undo = reverse("routing:undo_override", args=(request.workspace.slug, made.pk))
        offer_undo(request, _("Answered otherwise: the rest of the way was followed anew."), undo)
    return _back(request, decision)


@require_POST
@permission_required(Permission.WORK_CASES)
def undo(request: MemberRequest, override_id: int) -> HttpResponse:
    """Let the playbook answer again."""
    found = get_object_or_404(
        Override.objects.select_related("decision", "workspace"), pk=override_id, workspace=request.workspace
    )
    try:
        undo_override(found, by=request.user, now=timezone.now())
        messages.success(request, _("The playbook answers this question again."))
    except Refused as error:
        messages.error(request, str(error))
    return _back(request, found.decision)


@require_POST
@permission_required(Permission.WORK_CASES)
def undo_step(request: MemberRequest, number: int) -> HttpResponse:
    """Take back what a step of escalation did."""
    held = escalation_or_404(number, viewer=request.member)
    try:
        left = undo_escalation(held, by=request.user, now=timezone.now())
        messages.success(
            request, _("Undone.") if not left else _("Undone, but for what somebody has changed again since.")
        )
    except Refused as error:
        messages.error(request, str(error))
    return redirect(address_of(held.case))


def _back(request: MemberRequest, decision: Decision) -> HttpResponse:
    decision.refresh_from_db()
    if decision.case is not None:
        return redirect(f"{address_of(decision.case)}?why=1")
    return redirect("listening:post", request.workspace.slug, decision.post_id or 0)
