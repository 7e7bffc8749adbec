"""Whom a reply's fate concerns, and how they are told."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.urls import Resolver404, resolve, reverse

from talkworthy.notifying.actions import notify
from talkworthy.notifying.actions import tell as tell_programs
from talkworthy.responding.models import Delivery, Draft
from talkworthy.routing.actions import address_of
from talkworthy.workspaces.models import Member


def tell(
    members: Iterable[Member | None],
    *,
    kind: str,
    text: str,
    address: str,
    key: str,
    now: datetime,
    but: Member | None = None,
) -> None:
    """Tell each member once of what the key names, as they chose."""
    for member in {member.pk: member for member in members if member is not None}.values():
        if but is None or member.pk != but.pk:
            notify(member, kind=kind, text=text, address=address, key=key, now=now)


def tell_sent(delivery: Delivery, draft: Draft, *, now: datetime) -> None:
    """Tell programs that a reply was delivered."""
    data = {
        "case": draft.case.number,
        "url": delivery.remote_url,
        "automatic": delivery.automatic,
        "address": settings.CONFIGURATION.public_address + case_address(draft),
    }
    tell_programs(draft.workspace, type="reply.sent", data=data, now=now)


def tell_failed(delivery: Delivery, draft: Draft, *, now: datetime) -> None:
    """Tell programs that a reply could not be delivered."""
    data = {"case": draft.case.number, "error": delivery.error}
    tell_programs(draft.workspace, type="reply.failed", data=data, now=now)


def concerned(draft: Draft) -> list[Member | None]:
    """Who wrote it, and who owns its case."""
    return [draft.by, draft.case.owner]


def case_address(draft: Draft) -> str:
    """Where the case stands, else where its answer does."""
    address = address_of(draft.case)
    try:
        resolve(address)
    except Resolver404:
        return reverse("responding:composer", args=[draft.workspace.slug, draft.case.number])
    return address
