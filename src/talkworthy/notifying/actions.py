"""What tells members and programs, and what they choose."""

import base64
import secrets
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.notifying.events import NAMES
from talkworthy.notifying.kinds import KINDS, kind_of
from talkworthy.notifying.models import Endpoint, Event, Notification, NotificationChoice, WebhookDelivery
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.credentials import opened, sealed
from talkworthy.workspaces.models import Member, User, Workspace

BOTH_SECRETS = timedelta(days=1)
"""How long the secret before signs beside the new one, so that programs can be changed over."""


class Refused(ValueError):
    """It was not done; the message says why and what can be done."""


@dataclass(frozen=True)
class Made:
    """An endpoint and its signing secret: shown once, then kept encrypted."""

    endpoint: Endpoint
    secret: str


def notify(member: Member, *, kind: str, text: str, address: str, key: str, now: datetime) -> Notification | None:
    """Tell a member, once a key, as they chose; None where they were told already or do not want to be.

    `text` holds ids and names of cases, never what outsiders wrote: it goes into mails.
    """
    in_page, by_mail = _choice(member, kind)
    if not (in_page or by_mail):
        return None
    notification, is_new = Notification.objects.get_or_create(
        member=member,
        key=key[:120],
        defaults={
            "workspace_id": member.workspace_id,
            "kind": kind[:40],
            "text": text,
            "address": address,
            "at": now,
            "in_page": in_page,
            "by_mail": by_mail,
            "seen_at": None if in_page else now,
        },
    )
    return notification if is_new else None


def see_notifications(member: Member, *, now: datetime, only: int | None = None) -> int:
    """The member has seen all of them, or one."""
    unseen = Notification.objects.filter(member=member, seen_at=None)
    return (unseen if only is None else unseen.filter(pk=only)).update(seen_at=now)


def choose_notifications(member: Member, *, chosen: Mapping[str, tuple[bool, bool]]) -> None:
    """Keep how the member wants to be told: for each kind whether in the page, and whether by mail."""
    with transaction.atomic():
        for kind in KINDS:
            in_page, by_mail = chosen.get(kind.name, (False, False))
            NotificationChoice.objects.update_or_create(
                member=member, kind=kind.name, defaults={"in_page": in_page, "by_mail": by_mail}
            )


def tell(workspace: Workspace, *, type: str, data: Mapping[str, Any], now: datetime) -> Event | None:
    """Write an event down for every endpoint that wants it, in the caller's transaction; None where none does."""
    if type not in NAMES:
        raise ValueError(f"{type} is no event; they stand in notifying/events.py")
    endpoints = [
        endpoint
        for endpoint in Endpoint.objects.filter(workspace=workspace, enabled=True)
        if not endpoint.events or type in endpoint.events
    ]
    if not endpoints:
        return None
    with transaction.atomic():
        event = Event.objects.create(workspace=workspace, type=type, data=dict(data), at=now)
        WebhookDelivery.objects.bulk_create(
            WebhookDelivery(endpoint=endpoint, event=event, due_at=now) for endpoint in endpoints
        )
    return event


def add_endpoint(workspace: Workspace, *, name: str, url: str, events: Sequence[str], by: User, now: datetime) -> Made:
    """A program's address; its secret is made here."""
    _check_events(events)
    secret = _new_secret()
    with transaction.atomic():
        endpoint = Endpoint.objects.create(
            workspace=workspace,
            name=name.strip(),
            url=url,
            events=sorted(events),
            secret=sealed({"secret": secret}),
            created_at=now,
        )
        after = {"name": endpoint.name, "url": url, "events": endpoint.events}
        note_change(workspace, verb="create", thing=endpoint, by=by, now=now, after=after)
    return Made(endpoint, secret)


def change_endpoint(endpoint: Endpoint, *, by: User, now: datetime, **changes: Any) -> Endpoint:
    """Another name, address, choice of events, or off; what waits for one that is turned off is given up."""
    _check_events(changes.get("events", ()))
    with transaction.atomic():
        endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        before, after = apply_changes(endpoint, changes)
        if after:
            endpoint.save()
            note_change(endpoint.workspace, verb="change", thing=endpoint, by=by, now=now, before=before, after=after)
        if not endpoint.enabled:
            waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state=WebhookDelivery.State.WAITING)
            waiting.update(state=WebhookDelivery.State.FAILED, answer=_("The endpoint was turned off."))
    return endpoint


def rotate_secret(endpoint: Endpoint, *, by: User, now: datetime) -> Made:
    """A new secret; the one before signs beside it for a day."""
    secret = _new_secret()
    with transaction.atomic():
        endpoint = Endpoint.objects.select_for_update().get(pk=endpoint.pk)
        endpoint.old_secret, endpoint.old_secret_until = endpoint.secret, now + BOTH_SECRETS
        endpoint.secret = sealed({"secret": secret})
        endpoint.save()
        note_change(endpoint.workspace, verb="rotate secret of", thing=endpoint, by=by, now=now)
    return Made(endpoint, secret)


def remove_endpoint(endpoint: Endpoint, *, by: User, now: datetime) -> None:
    """Away, with its list of deliveries."""
    with transaction.atomic():
        before = {"name": endpoint.name, "url": endpoint.url}
        note_change(endpoint.workspace, verb="remove", thing=endpoint, by=by, now=now, before=before)
        endpoint.delete()


def send_test(endpoint: Endpoint, *, by: User, now: datetime) -> WebhookDelivery:
    """Send it the event “test”, whatever it has chosen."""
    if not endpoint.enabled:
        raise Refused(_("This endpoint is off. Turn it on first."))
    with transaction.atomic():
        event = Event.objects.create(
            uid=uuid.uuid4(), workspace=endpoint.workspace, type="test", data={"by": by.email}, at=now
        )
        return WebhookDelivery.objects.create(endpoint=endpoint, event=event, due_at=now)


def send_again(delivery: WebhookDelivery, *, by: User, now: datetime) -> None:
    """Put a delivery back into the queue, with all its attempts before it."""
    if not delivery.endpoint.enabled:
        raise Refused(_("This endpoint is off. Turn it on first."))
    with transaction.atomic():
        WebhookDelivery.objects.filter(pk=delivery.pk).update(
            state=WebhookDelivery.State.WAITING, attempts=0, due_at=now, claimed_until=None
        )
        note_change(
            delivery.endpoint.workspace,
            verb="send again",
            thing=delivery,
            by=by,
            now=now,
            label=f"{delivery.event.type} → {delivery.endpoint}",
        )


def secrets_of(endpoint: Endpoint, *, now: datetime) -> list[str]:
    """The secrets that sign now, the newest first; raises LockedCredentials."""
    found = [opened(endpoint.secret)["secret"]]
    if endpoint.old_secret_until is not None and endpoint.old_secret_until > now:
        found.append(opened(endpoint.old_secret)["secret"])
    return found


def _choice(member: Member, kind: str) -> tuple[bool, bool]:
    choice = NotificationChoice.objects.filter(member=member, kind=kind).first()
    return (choice.in_page, choice.by_mail) if choice else (True, kind_of(kind).by_mail)


def _new_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def _check_events(events: Sequence[str]) -> None:
    unknown = sorted(set(events) - NAMES)
    if unknown:
        raise Refused(_("There are no events of the names: %(names)s.") % {"names": ", ".join(unknown)})
