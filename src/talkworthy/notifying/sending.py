"""What goes out: digests by mail, and events to endpoints, signed as Standard Webhooks says."""

import json
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from standardwebhooks import Webhook

from talkworthy.connectors.errors import ConnectorError, TryLater
from talkworthy.connectors.http import Http
from talkworthy.notifying.actions import notify, secrets_of
from talkworthy.notifying.models import Endpoint, Notification, WebhookDelivery
from talkworthy.states.claims import LEASE, claimed, free
from talkworthy.workspaces.credentials import LockedCredentials
from talkworthy.workspaces.models import Member, Workspace
from talkworthy.workspaces.permissions import Role

log = logging.getLogger(__name__)

GATHER = timedelta(minutes=2)
"""What happens within this time goes into one mail, and is not mailed if it was seen by then."""
TOO_OLD = timedelta(days=1)
PAUSES = (5, 30, 120, 600, 1800, 7200, 21600, 43200, 86400)
"""Seconds before each further attempt: ten attempts in about two days."""
TIMEOUT = 10.0
KEPT_OF_ANSWER = 2000
"""Characters of a reply that are kept to be looked at."""

OpenDoor = Callable[[Workspace], Http]


@dataclass(frozen=True)
class Answered:
    """What came of one call."""

    taken: bool
    status: int | None
    answer: str
    after: float | None = None
    """Seconds that the other side asked us to wait."""


def mail_digest(*, now: datetime) -> int:
    """Mail one member what has gathered for them; 0 when nobody waits."""
    waiting = Notification.objects.filter(by_mail=True, mailed_at=None, at__lte=now - GATHER, at__gt=now - TOO_OLD)
    waiting = waiting.filter(member__user__is_active=True)
    first = waiting.filter(free(now)).order_by("at", "pk").select_related("member__user", "workspace").first()
    if first is None:
        return 0
    ours = Notification.objects.filter(free(now), member=first.member, by_mail=True, mailed_at=None, at__lte=now)
    numbers = list(ours.values_list("pk", flat=True))
    if ours.filter(pk__in=numbers).update(claimed_until=now + LEASE) != len(numbers):
        return 1  # somebody else is at them: look again
    rows = Notification.objects.filter(pk__in=numbers)
    unseen = list(rows.exclude(in_page=True, seen_at__isnull=False).order_by("at", "pk"))
    if unseen and not _mailed(first.member, unseen):
        rows.update(claimed_until=now + timedelta(minutes=5))
        return 1
    rows.update(mailed_at=now, claimed_until=None)
    return 1


def deliver_webhook(*, now: datetime, opens: OpenDoor | None = None) -> int:
    """Bring the next due event to its endpoint; 0 when none is due. An endpoint has one call at a time."""
    called = WebhookDelivery.objects.filter(state=WebhookDelivery.State.WAITING, claimed_until__gte=now).values(
        "endpoint"
    )
    due = WebhookDelivery.objects.filter(state=WebhookDelivery.State.WAITING, due_at__lte=now)
    due = due.exclude(endpoint__in=called)
    for delivery in claimed(due.order_by("due_at", "pk"), now=now, most=5):
        _settle(delivery, _call(delivery, now=now, opens=opens or _door), now=now)
        return 1
    return 0


def pause_before(attempt: int, *, asked: float | None, chance: float) -> timedelta:
    """How long to wait after so many failed attempts; a server that asks for more gets it, up to a day."""
    usual = PAUSES[min(attempt, len(PAUSES)) - 1] * (0.9 + 0.2 * chance)
    return timedelta(seconds=min(max(usual, asked or 0.0), 86400.0))


def body_of(delivery: WebhookDelivery) -> str:
    """What is sent: the same bytes at every attempt."""
    event = delivery.event
    payload = {"type": event.type, "timestamp": event.at.isoformat(), "data": event.data}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":"))


def _call(delivery: WebhookDelivery, *, now: datetime, opens: OpenDoor) -> Answered:
    endpoint, body, name = delivery.endpoint, body_of(delivery), f"msg_{delivery.event.uid.hex}"
    try:
        signatures = [Webhook(secret).sign(name, now, body) for secret in secrets_of(endpoint, now=now)]
    except LockedCredentials as error:
        return Answered(False, None, str(error))
    headers = {
        "content-type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
    try:
        with opens(endpoint.workspace) as http:
            reply = http.post(endpoint.url, headers=headers, content=body.encode(), timeout=TIMEOUT, max_bytes=100_000)
    except TryLater as error:
        return Answered(False, None, str(error), error.after)
    except ConnectorError as error:
        return Answered(False, None, str(error))
    answer = reply.text[:KEPT_OF_ANSWER].replace("\0", "")  # PostgreSQL keeps none: the call would be made for ever
    return Answered(200 <= reply.status < 300, reply.status, answer, reply.wait)


@transaction.atomic
def _settle(delivery: WebhookDelivery, answered: Answered, *, now: datetime) -> None:
    """Write down what came of it. While one fails, what else waits for the same endpoint waits with it."""
    attempts = delivery.attempts + 1
    row = WebhookDelivery.objects.filter(pk=delivery.pk)
    told = {"attempts": attempts, "status": answered.status, "answer": answered.answer, "claimed_until": None}
    if answered.taken:
        row.update(state=WebhookDelivery.State.DELIVERED, delivered_at=now, **told)
        Endpoint.objects.filter(pk=delivery.endpoint_id).exclude(failing_since=None).update(failing_since=None)
        return
    Endpoint.objects.filter(pk=delivery.endpoint_id, failing_since=None).update(failing_since=now)
    if attempts > len(PAUSES) or delivery.event.type == "test":
        row.update(state=WebhookDelivery.State.FAILED, **told)
        if delivery.event.type != "test":
            _tell_administrators(delivery, now=now)
        return
    due = now + pause_before(attempts, asked=answered.after, chance=random.random())  # noqa: S311 - spreads retries
    row.update(due_at=due, **told)
    WebhookDelivery.objects.filter(
        endpoint=delivery.endpoint_id, state=WebhookDelivery.State.WAITING, due_at__lt=due
    ).exclude(event__type="test").update(due_at=due)


def _tell_administrators(delivery: WebhookDelivery, *, now: datetime) -> None:
    endpoint = Endpoint.objects.select_related("workspace").get(pk=delivery.endpoint_id)
    since = endpoint.failing_since or now
    for member in Member.objects.filter(workspace=endpoint.workspace, role=Role.ADMINISTRATOR.value):
        notify(
            member,
            kind="endpoint failing",
            text=_("The webhook endpoint “%(name)s” takes no calls: events were given up.") % {"name": endpoint.name},
            address=f"/{endpoint.workspace.slug}/settings/webhooks/{endpoint.pk}/",
            key=f"endpoint {endpoint.pk} {since:%Y-%m-%d}",
            now=now,
        )


def _mailed(member: Member, rows: list[Notification]) -> bool:
    """Whether the mail went out."""
    public = settings.CONFIGURATION.public_address
    subject = (
        rows[0].text.splitlines()[0][:150]
        if len(rows) == 1
        else ngettext("%(n)d thing waits for you", "%(n)d things wait for you", len(rows)) % {"n": len(rows)}
    )
    lines = [f"{row.text}\n{public}{row.address}" for row in rows]
    foot = _("You chose to be told by e-mail: %(address)s") % {
        "address": f"{public}/{member.workspace.slug}/notifications/choices/"
    }
    try:
        send_mail(subject, "\n\n".join([*lines, f"-- \n{foot}"]) + "\n", None, [member.user.email])
    except (SMTPException, OSError) as error:
        log.warning("the digest of member %s could not be mailed: %s", member.pk, error)
        return False
    return True


def _door(workspace: Workspace) -> Http:
    return Http(allow_hosts=frozenset([*settings.CONFIGURATION.allow_hosts, *workspace.allow_hosts]))
