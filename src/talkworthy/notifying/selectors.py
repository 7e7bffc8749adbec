"""Reads of what members and programs are told, asked as a viewer."""

from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.notifying.kinds import KINDS, Kind
from talkworthy.notifying.models import Endpoint, Notification, NotificationChoice, WebhookDelivery
from talkworthy.workspaces.models import Member

MOST_COUNTED = 100
"""The bell counts no further."""


def notifications(*, viewer: Member) -> QuerySet[Notification]:
    """What the viewer was told in the page, the newest first."""
    return Notification.objects.filter(member=viewer, in_page=True)


def unseen_count(*, viewer: Member) -> int:
    """How many the viewer has not seen, up to the most that is counted."""
    return notifications(viewer=viewer).filter(seen_at=None)[:MOST_COUNTED].count()


def notification_or_404(number: int, *, viewer: Member) -> Notification:
    """One of the viewer's own."""
    found = notifications(viewer=viewer).filter(pk=number).first()
    if found is None:
        raise Http404(_("There is no such notification."))
    return found


def choices(*, viewer: Member) -> list[tuple[Kind, bool, bool]]:
    """Each kind, with whether it is told in the page, and by mail."""
    chosen = {choice.kind: choice for choice in NotificationChoice.objects.filter(member=viewer)}
    return [
        (kind, chosen[kind.name].in_page, chosen[kind.name].by_mail)
        if kind.name in chosen
        else (kind, True, kind.by_mail)
        for kind in KINDS
    ]


def endpoints(*, viewer: Member) -> QuerySet[Endpoint]:
    """The endpoints of the workspace, with how many deliveries wait and were given up."""
    state = WebhookDelivery.State
    return Endpoint.objects.filter(workspace_id=viewer.workspace_id).annotate(
        waiting=Count("deliveries", filter=Q(deliveries__state=state.WAITING)),
        failed=Count("deliveries", filter=Q(deliveries__state=state.FAILED)),
    )


def endpoint_or_404(number: int, *, viewer: Member) -> Endpoint:
    """One endpoint of the viewer's workspace."""
    found = endpoints(viewer=viewer).filter(pk=number).select_related("workspace").first()
    if found is None:
        raise Http404(_("There is no such endpoint."))
    return found


def deliveries(endpoint: Endpoint, *, state: str = "", before: int | None = None) -> QuerySet[WebhookDelivery]:
    """Deliveries of an endpoint that the viewer got from `endpoint_or_404`, the newest first."""
    found = WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event", "endpoint")
    if state:
        found = found.filter(state=state)
    return found.filter(pk__lt=before) if before is not None else found


def delivery_or_404(number: int, *, viewer: Member) -> WebhookDelivery:
    """One delivery of the viewer's workspace."""
    found = (
        WebhookDelivery.objects.filter(pk=number, endpoint__workspace_id=viewer.workspace_id)
        .select_related("endpoint__workspace", "event")
        .first()
    )
    if found is None:
        raise Http404(_("There is no such delivery."))
    return found
