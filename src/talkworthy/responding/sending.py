"""Which account answers where, and what its channel takes."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from talkworthy.connectors.contract import Sending, SendingLimits
from talkworthy.connectors.registry import connector_named
from talkworthy.listening.collecting import settings_of
from talkworthy.listening.models import Source
from talkworthy.responding.models import Sender
from talkworthy.routing.models import Conversation
from talkworthy.workspaces.credentials import LockedCredentials


def sending_connector(source: Source) -> Sending | None:
    """The connector of a source where it can send."""
    found = connector_named(source.connector)
    return found if isinstance(found, Sending) else None


def has_credentials(source: Source) -> bool:
    """Whether the source has everything that its connector needs to send."""
    connector = sending_connector(source)
    if connector is None:
        return False
    try:
        given = settings_of(source)
    except LockedCredentials:
        return False
    return all(given.get(name) for name in connector.sending.needs)


def senders(workspace: Any) -> list[Sender]:
    """The accounts that may answer, one a source, whatever their state."""
    return list(
        Sender.objects.filter(source__workspace=workspace, source__deleted_at=None, enabled=True)
        .select_related("source")
        .order_by("source__name", "pk")
    )


def sender_for(conversation: Conversation, *, heard_by: str = "") -> Source | None:
    """The account that answers in a conversation: the source that heard it where it may, else one of its channel."""
    fit = [one.source for one in senders(conversation.workspace_id) if one.source.connector == conversation.channel]
    heard = [source for source in fit if f"source-{source.pk}" == heard_by]
    return next(iter([*heard, *fit]), None)


def limits_of(source: Source) -> SendingLimits:
    """What the channel takes: as the connector declares, and as this very server told when it was asked."""
    connector = sending_connector(source)
    if connector is None:
        return SendingLimits()
    told = Sender.objects.filter(source=source).values_list("limits", flat=True).first()
    return laid_over(connector.sending, told or {})


def laid_over(declared: SendingLimits, told: Mapping[str, Any]) -> SendingLimits:
    """What a connector declares, with what its server told in its place."""
    known = {field.name for field in fields(SendingLimits)}
    given: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in told.items() if name in known
    }
    return replace(declared, **given)
