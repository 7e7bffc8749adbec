"""Reads of sources and of what they set aside, asked as a viewer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.archive import Aside
from talkworthy.connectors.contract import Connector
from talkworthy.connectors.registry import connector_named
from talkworthy.listening.collecting import source_key
from talkworthy.listening.models import Source
from talkworthy.listening.stores import payloads_of
from talkworthy.workspaces.models import Member

LATE = timedelta(minutes=5)
"""How long a source may be due before one asks whether the worker runs."""

ASIDES = 20
"""Set-aside payloads that are shown at once."""

FRAGMENT = 1_500
"""Characters shown of a payload."""


@dataclass(frozen=True)
class SourceHealth:
    """How a source is doing."""

    source: Source
    connector: Connector | None
    """None where it is not installed any more."""
    aside: int
    lag: timedelta | None
    """From the publication of its newest post to its storing."""
    is_late: bool
    """Whether it should have been fetched a while ago."""

    @property
    def sign(self) -> str:
        """The state in one of four words: good, warn, danger, or nothing."""
        if self.source.state in {Source.State.REFUSED, Source.State.GONE} or self.connector is None:
            return "danger"
        if self.source.state == Source.State.RETRYING or self.is_late:
            return "warn"
        return "good" if self.source.state == Source.State.HEALTHY else ""


@dataclass(frozen=True)
class SetAside:
    """A payload that could not be read, as it is shown."""

    seq: int
    index: int
    reason: str
    at: datetime
    content_type: str
    url: str | None
    size: int
    fragment: str
    is_cut: bool


def sources(*, viewer: Member, now: datetime) -> list[SourceHealth]:
    """The workspace's sources with their health: those that need somebody first, then by name."""
    found = Source.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None)
    rows = [health(source, viewer=viewer, now=now) for source in found]
    urgency = {"danger": 0, "warn": 1}
    return sorted(rows, key=lambda row: (urgency.get(row.sign, 2), row.source.name.casefold()))


def health(source: Source, *, viewer: Member, now: datetime) -> SourceHealth:
    """How one source is doing."""
    waits = source.state not in {Source.State.PAUSED, Source.State.GONE, Source.State.REFUSED}
    held = source.claimed_until is not None and source.claimed_until > now
    lag = None
    if source.last_arrival_at and source.last_post_at and (waits or source.last_fetch_at):  # not of a file brought once
        lag = max(source.last_arrival_at - source.last_post_at, timedelta(0))
    return SourceHealth(
        source=source,
        connector=connector_named(source.connector),
        aside=payloads_of(viewer.workspace).count_aside(source_key(source)),
        lag=lag,
        is_late=waits and not held and now - source.due_at > LATE,
    )


def source_or_404(source_id: int, *, viewer: Member, deleted: bool = False) -> Source:
    """A source of the viewer's workspace; a deleted one only where it is asked for."""
    found = Source.objects.filter(workspace_id=viewer.workspace_id, pk=source_id, deleted_at__isnull=not deleted)
    source = found.select_related("workspace").first()
    if source is None:
        raise Http404(_("There is no such source. It may have been deleted; then the audit trail says by whom."))
    return source


def connector_or_404(name: str) -> Connector:
    """An installed connector."""
    connector = connector_named(name)
    if connector is None:
        raise Http404(_("The connector “%(name)s” is not installed.") % {"name": name})
    return connector


def set_aside(source: Source, *, viewer: Member) -> list[SetAside]:
    """The oldest payloads that could not be read, with their reasons."""
    return [_shown(aside) for aside in payloads_of(viewer.workspace).aside(source_key(source), limit=ASIDES)]


def _shown(aside: Aside) -> SetAside:
    body = aside.payload.body
    text = body[: FRAGMENT * 4].decode("utf-8", errors="replace")
    return SetAside(
        seq=aside.seq,
        index=aside.index,
        reason=aside.reason,
        at=aside.set_aside_at,
        content_type=aside.payload.content_type,
        url=aside.payload.url,
        size=len(body),
        fragment=text[:FRAGMENT],
        is_cut=len(text) > FRAGMENT or len(body) > FRAGMENT * 4,
    )
