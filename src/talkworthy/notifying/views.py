"""Pages of notifications, and of the endpoints that are told by webhook."""

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.notifying import actions, selectors
from talkworthy.notifying.events import EVENT_TYPES
from talkworthy.notifying.forms import EndpointForm
from talkworthy.notifying.kinds import KINDS
from talkworthy.notifying.models import Endpoint, WebhookDelivery
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

ON_A_PAGE = 50
IN_THE_BELL = 8


@require_safe
@permission_required(Permission.READ)
def notifications(request: MemberRequest) -> HttpResponse:
    """Everything that one was told, the newest first."""
    before = request.GET.get("before", "")
    found = selectors.notifications(viewer=request.member)
    if before.isdecimal():
        found = found.filter(pk__lt=int(before))
    rows = list(found.order_by("-pk")[: ON_A_PAGE + 1])
    older = f"?before={rows[ON_A_PAGE - 1].pk}" if len(rows) > ON_A_PAGE else ""
    return render(request, "notifying/notifications.html", {"rows": rows[:ON_A_PAGE], "older": older})


@require_safe
@permission_required(Permission.READ)
def bell(request: MemberRequest) -> HttpResponse:
    """The newest few, and how many are new: a fragment for the frame; 204 while nothing changed."""
    rows = list(selectors.notifications(viewer=request.member).order_by("-pk")[:IN_THE_BELL])
    unseen = selectors.unseen_count(viewer=request.member)
    stamp = f"{rows[0].pk if rows else 0}-{unseen}"
    if request.GET.get("stamp") == stamp:
        return HttpResponse(status=204)
    return render(request, "notifying/bell.html", {"rows": rows, "unseen": unseen, "stamp": stamp})


@require_POST
@permission_required(Permission.READ)
def see(request: MemberRequest) -> HttpResponse:
    """All of them are seen."""
    actions.see_notifications(request.member, now=timezone.now())
    if request.htmx:
        return bell_of(request)
    return redirect("notifying:notifications", request.workspace.slug)


def bell_of(request: MemberRequest) -> HttpResponse:
    """The bell as it is now."""
    rows = list(selectors.notifications(viewer=request.member).order_by("-pk")[:IN_THE_BELL])
    unseen = selectors.unseen_count(viewer=request.member)
    found = {"rows": rows, "unseen": unseen, "stamp": f"{rows[0].pk if rows else 0}-{unseen}", "is_open": True}
    return render(request, "notifying/bell.html", found)


@require_safe
@permission_required(Permission.READ)
def follow(request: MemberRequest, number: int) -> HttpResponse:
    """To the place that it speaks of; it is seen now."""
    row = selectors.notification_or_404(number, viewer=request.member)
    actions.see_notifications(request.member, now=timezone.now(), only=row.pk)
    here = reverse("notifying:notifications", args=[request.workspace.slug])
    is_ours = row.address.startswith("/") and url_has_allowed_host_and_scheme(row.address, allowed_hosts=None)
    return redirect(row.address if is_ours else here)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.READ)
def choices(request: MemberRequest) -> HttpResponse:
    """How one wants to be told of what."""
    if request.method == "POST":
        in_page, by_mail = set(request.POST.getlist("in_page")), set(request.POST.getlist("by_mail"))
        chosen = {kind.name: (kind.name in in_page, kind.name in by_mail) for kind in KINDS}
        actions.choose_notifications(request.member, chosen=chosen)
        messages.success(request, _("Saved."))
        return redirect("notifying:choices", request.workspace.slug)
    return render(request, "notifying/choices.html", {"choices": selectors.choices(viewer=request.member)})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_WORKSPACE)
def endpoints(request: MemberRequest) -> HttpResponse:
    """The programs that are told, and a form for another one."""
    form = EndpointForm(request.POST if request.method == "POST" else None, is_new=True)
    made = None
    if form.is_valid():
        made = actions.add_endpoint(request.workspace, **form.cleaned_data, by=request.user, now=timezone.now())
        form = EndpointForm(is_new=True)
    found = {"form": form, "made": made, "endpoints": selectors.endpoints(viewer=request.member)}
    return render(request, "notifying/endpoints.html", found, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.MANAGE_WORKSPACE)
def endpoint(request: MemberRequest, number: int) -> HttpResponse:
    """One endpoint: its settings, and every delivery with its answer."""
    one = selectors.endpoint_or_404(number, viewer=request.member)
    if request.method == "POST":
        form = EndpointForm(request.POST, initial=_held(one), kept=True)
        if form.is_valid():
            changes = {**form.cleaned_data, "events": sorted(form.cleaned_data["events"])}
            actions.change_endpoint(one, by=request.user, now=timezone.now(), **changes)
            messages.success(request, _("Saved."))
            return redirect("notifying:endpoint", request.workspace.slug, one.pk)
        return _endpoint(request, one, form=form, status=422)
    return _endpoint(request, one)


@never_cache
@require_POST
@permission_required(Permission.MANAGE_WORKSPACE)
def rotate(request: MemberRequest, number: int) -> HttpResponse:
    """A new secret, shown once."""
    one = selectors.endpoint_or_404(number, viewer=request.member)
    made = actions.rotate_secret(one, by=request.user, now=timezone.now())
    return _endpoint(request, selectors.endpoint_or_404(number, viewer=request.member), made=made)


@require_POST
@permission_required(Permission.MANAGE_WORKSPACE)
def test(request: MemberRequest, number: int) -> HttpResponse:
    """Send it a test."""
    one = selectors.endpoint_or_404(number, viewer=request.member)
    try:
        actions.send_test(one, by=request.user, now=timezone.now())
        messages.success(request, _("A test is on its way. Its answer stands below in a moment."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("notifying:endpoint", request.workspace.slug, one.pk)


@require_POST
@permission_required(Permission.MANAGE_WORKSPACE)
def remove(request: MemberRequest, number: int) -> HttpResponse:
    """Tell it nothing any more."""
    one = selectors.endpoint_or_404(number, viewer=request.member)
    actions.remove_endpoint(one, by=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” is told nothing any more.") % {"name": one.name})
    return redirect("notifying:endpoints", request.workspace.slug)


@require_POST
@permission_required(Permission.MANAGE_WORKSPACE)
def again(request: MemberRequest, number: int) -> HttpResponse:
    """Send one delivery once more."""
    delivery = selectors.delivery_or_404(number, viewer=request.member)
    try:
        actions.send_again(delivery, by=request.user, now=timezone.now())
        messages.success(request, _("It is on its way again."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect("notifying:endpoint", request.workspace.slug, delivery.endpoint_id)


def _endpoint(
    request: MemberRequest,
    one: Endpoint,
    *,
    form: EndpointForm | None = None,
    made: actions.Made | None = None,
    status: int = 200,
) -> HttpResponse:
    state, before = request.GET.get("state", ""), request.GET.get("before", "")
    state = state if state in WebhookDelivery.State.values else ""
    rows = list(
        selectors.deliveries(one, state=state, before=int(before) if before.isdecimal() else None)[: ON_A_PAGE + 1]
    )
    older = f"?state={state}&before={rows[ON_A_PAGE - 1].pk}" if len(rows) > ON_A_PAGE else ""
    here = reverse("notifying:endpoint", args=[request.workspace.slug, one.pk])
    tabs = [(_("All"), here, not state, None)]
    tabs += [
        (str(label), f"{here}?state={value}", state == value, None) for value, label in WebhookDelivery.State.choices
    ]
    found = {
        "one": one,
        "form": form or EndpointForm(initial=_held(one), kept=True),
        "made": made,
        "rows": rows[:ON_A_PAGE],
        "older": older,
        "tabs": tabs,
        "types": EVENT_TYPES,
    }
    return render(request, "notifying/endpoint.html", found, status=status)


def _held(one: Endpoint) -> dict[str, Any]:
    """An endpoint as its form shows it."""
    return {"name": one.name, "url": one.url, "events": one.events, "enabled": one.enabled}
