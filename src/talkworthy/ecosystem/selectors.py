"""Touchpoints with their promises, and what listening knows of them; asked as a viewer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from django.db.models import Count, Q, QuerySet
from django.dispatch import Signal
from django.shortcuts import get_object_or_404

from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.workspaces.models import Member

touchpoints_heard = Signal()
"""Sent with `viewer`: the room that listens, which stands above, answers with what it Heard of each touchpoint."""


@dataclass(frozen=True)
class Heard:
    """The monitor that carries a touchpoint's query, and its mentions of the last thirty days."""

    monitor: int
    mentions: int


promises_heard = Signal()
"""Sent with `viewer` and `promises`: listening answers with what was Said of each, by its number."""


@dataclass(frozen=True)
class Part:
    """Mentions of one feeling, their share with its 95 % interval, and where they can be read."""

    feeling: str
    posts: int
    share: float
    low: float
    high: float
    address: str


@dataclass(frozen=True)
class Said:
    """What people said of a promise while it held: how much, with which feeling, and where it can be read."""

    since: datetime
    until: datetime
    mentions: int
    address: str
    """Of the river, with the same filter as the count."""
    parts: Sequence[Part]
    own: bool
    """By its own query; else it is what was said of its touchpoint."""
    beside: Part | None = None
    """What was said badly of the whole touchpoint in the same time, to compare with."""


@dataclass(frozen=True)
class Listed:
    """A touchpoint in the list."""

    touchpoint: Touchpoint
    promises: int
    heard: Heard | None


def listed_touchpoints(*, viewer: Member) -> list[Listed]:
    """The touchpoints by name."""
    kept = (
        Touchpoint.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None)
        .select_related("owner__user", "team")
        .annotate(promised=Count("promises", filter=Q(promises__deleted_at=None)))
        .order_by("name")
    )
    found = heard(viewer=viewer)
    return [Listed(touchpoint, touchpoint.promised, found.get(touchpoint.pk)) for touchpoint in kept]


def touchpoints_of(*, viewer: Member) -> QuerySet[Touchpoint]:
    """The touchpoints by name."""
    return Touchpoint.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).order_by("name")


def heard(*, viewer: Member) -> Mapping[int, Heard]:
    """What was heard of each touchpoint, by its number."""
    found: dict[int, Heard] = {}
    for _receiver, answer in touchpoints_heard.send(Touchpoint, viewer=viewer):
        found |= cast(Mapping[int, Heard], answer)
    return found


def touchpoint_or_404(touchpoint_id: int, *, viewer: Member) -> Touchpoint:
    """A touchpoint of the viewer's workspace that is not deleted."""
    return get_object_or_404(
        Touchpoint.objects.select_related("owner__user", "team", "workspace"),
        pk=touchpoint_id,
        workspace_id=viewer.workspace_id,
        deleted_at=None,
    )


def deleted_touchpoint_or_404(touchpoint_id: int, *, viewer: Member) -> Touchpoint:
    """A deleted touchpoint of the viewer's workspace."""
    return get_object_or_404(
        Touchpoint.objects.exclude(deleted_at=None).select_related("workspace"),
        pk=touchpoint_id,
        workspace_id=viewer.workspace_id,
    )


def promises_of(touchpoint: Touchpoint) -> QuerySet[Promise]:
    """What was promised there, the newest first."""
    return Promise.objects.filter(touchpoint=touchpoint, deleted_at=None).select_related("by")


def said_of(promises: Sequence[Promise], *, viewer: Member) -> Mapping[int, Said]:
    """What people said of each promise while it held, by its number; of one that does not hold yet nothing."""
    found: dict[int, Said] = {}
    for _receiver, answer in promises_heard.send(Promise, viewer=viewer, promises=promises):
        found |= cast(Mapping[int, Said], answer)
    return found


def promise_or_404(promise_id: int, *, viewer: Member, is_deleted: bool = False) -> Promise:
    """A promise of a touchpoint of the viewer's workspace."""
    return get_object_or_404(
        Promise.objects.select_related("touchpoint", "workspace"),
        pk=promise_id,
        workspace_id=viewer.workspace_id,
        deleted_at__isnull=not is_deleted,
        touchpoint__deleted_at=None,
    )
