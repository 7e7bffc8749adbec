"""What waits for approval, and what is on its way."""

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.responding import actions
from talkworthy.responding.models import Stop
from talkworthy.responding.selectors import deliveries as ways
from talkworthy.responding.selectors import drafts
from talkworthy.responding.situation import current_stop
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required


@require_safe
@permission_required(Permission.READ)
def approvals(request: MemberRequest) -> HttpResponse:
    """Drafts that wait, those first that one may decide."""
    found = {"asked": drafts.waiting_for_approval(viewer=request.member)}
    return render(request, "responding/approvals.html", found)


@require_POST
@permission_required(Permission.APPROVE)
def approve(request: MemberRequest, draft_id: int) -> HttpResponse:
    """Say yes to the version that was read."""
    draft = drafts.draft_or_404(draft_id, viewer=request.member)
    version = request.POST.get("version", "")
    try:
        approved = actions.approve_draft(
            draft, version=int(version) if version.isdecimal() else 0, by=request.member, now=timezone.now()
        )
        enough = approved.state == approved.State.APPROVED
        messages.success(request, _("Approved.") if enough else _("Your approval is kept; others are still needed."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("responding:approvals", request.workspace.slug)


@require_POST
@permission_required(Permission.APPROVE)
def refuse(request: MemberRequest, draft_id: int) -> HttpResponse:
    """Say no, and why."""
    draft = drafts.draft_or_404(draft_id, viewer=request.member)
    version = request.POST.get("version", "")
    try:
        actions.refuse_draft(
            draft,
            version=int(version) if version.isdecimal() else 0,
            why=request.POST.get("why", ""),
            by=request.member,
            now=timezone.now(),
        )
        messages.success(request, _("Its writer is told why."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("responding:approvals", request.workspace.slug)


@require_safe
@permission_required(Permission.READ)
def deliveries(request: MemberRequest) -> HttpResponse:
    """Replies on their way, and what became of them."""
    tab = request.GET.get("show", "waiting")
    tab = tab if tab in ways.TABS else "waiting"
    before = request.GET.get("before", "")
    rows = ways.deliveries(ways.TABS[tab], viewer=request.member, before=int(before) if before.isdecimal() else None)
    here = reverse("responding:deliveries", args=[request.workspace.slug])
    more = len(rows) > ways.PAGE
    found = {
        "deliveries": rows[: ways.PAGE],
        "show": tab,
        "states": [
            ("waiting", _("Waiting")),
            ("unsure", _("Not known")),
            ("failed", _("Failed")),
            ("stopped", _("Held back")),
            ("delivered", _("Delivered")),
        ],
        "counts": ways.counts(viewer=request.member),
        "share": ways.automated_share(viewer=request.member, now=timezone.now()),
        "older": f"{here}?{urlencode({'show': tab, 'before': rows[ways.PAGE - 1].pk})}" if more else "",
        "newest": f"{here}?{urlencode({'show': tab})}" if before else "",
    }
    return render(request, "responding/deliveries.html", found)


@require_POST
@permission_required(Permission.WORK_CASES)
def retry(request: MemberRequest, delivery_id: int) -> HttpResponse:
    """Try a failed one again."""
    delivery = ways.delivery_or_404(delivery_id, viewer=request.member)
    try:
        actions.retry_delivery(delivery, by=request.member, now=timezone.now())
        messages.success(request, _("It is tried again now."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect(_tab(request, "failed"))


@require_POST
@permission_required(Permission.WORK_CASES)
def settle(request: MemberRequest, delivery_id: int) -> HttpResponse:
    """A person looked: it is there, or it is not."""
    delivery = ways.delivery_or_404(delivery_id, viewer=request.member)
    try:
        actions.settle_by_hand(
            delivery,
            arrived=request.POST.get("arrived") == "yes",
            url=request.POST.get("url", "")[:2000],
            by=request.member,
            now=timezone.now(),
        )
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect(_tab(request, "unsure"))


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.READ)
def stops(request: MemberRequest) -> HttpResponse:
    """The switch that stops all sending, and when it was pressed."""
    if request.method == "POST":
        return _stop(request)
    found = {"stops": ways.stops(viewer=request.member), "current": current_stop(request.workspace)}
    return render(request, "responding/stops.html", found)


@permission_required(Permission.PRESS_STOP)
def _stop(request: MemberRequest) -> HttpResponse:
    try:
        actions.stop_sending(
            request.workspace,
            why=request.POST.get("why", ""),
            machines_only=request.POST.get("machines_only") == "on",
            by=request.member,
            now=timezone.now(),
        )
        messages.success(request, _("Nothing leaves any more."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("responding:stops", request.workspace.slug)


@require_POST
@permission_required(Permission.APPROVE)
def lift(request: MemberRequest, stop_id: int) -> HttpResponse:
    """Let replies leave again."""
    stop = Stop.objects.filter(workspace=request.workspace, pk=stop_id).select_related("workspace").first()
    if stop is not None:
        actions.lift_stop(stop, by=request.member, now=timezone.now())
        messages.success(request, _("Replies can leave again. What was stopped stays with its writers."))
    return redirect("responding:stops", request.workspace.slug)


def _tab(request: MemberRequest, tab: str) -> str:
    return f"{reverse('responding:deliveries', args=[request.workspace.slug])}?show={tab}"
