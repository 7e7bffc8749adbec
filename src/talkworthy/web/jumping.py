"""Where the command box can go: pages, monitors, sources; and always the search itself."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.utils.translation import gettext as _

from talkworthy.listening.models import Monitor, Source
from talkworthy.web.context import RAIL
from talkworthy.web.templatetags.words import in_workspace
from talkworthy.workspaces.models import Member

MOST = 6
"""Monitors, and sources, that are offered at once."""


@dataclass(frozen=True)
class Jump:
    """One line of the box."""

    group: str
    label: str
    icon: str
    address: str
    colour: str = ""
    keys: tuple[str, ...] = ()


def jumps(words: str, *, viewer: Member) -> list[Jump]:
    """What fits the words: the search first, then pages, monitors and sources by name."""
    words = words.strip()
    found = [_search(words, viewer)] if words else []
    return found + _pages(words, viewer) + _monitors(words, viewer) + _sources(words, viewer)


def _search(words: str, viewer: Member) -> Jump:
    address = f"{in_workspace(viewer.workspace.slug, 'listening:river')}?{urlencode({'q': words})}"
    return Jump("", _("Search posts for “%(words)s”") % {"words": words}, "search", address)


def _pages(words: str, viewer: Member) -> list[Jump]:
    return [
        Jump(
            _("Go to"),
            str(stop.label),
            stop.icon,
            in_workspace(viewer.workspace.slug, stop.route),
            keys=("g", stop.key),
        )
        for stop in RAIL
        if words.lower() in str(stop.label).lower()
    ]


def _monitors(words: str, viewer: Member) -> list[Jump]:
    if not words:
        return []
    found = Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None, name__icontains=words)[:MOST]
    return [
        Jump(
            _("Mentions of"),
            monitor.name,
            "monitor",
            f"{in_workspace(viewer.workspace.slug, 'listening:river')}?{urlencode({'monitor': monitor.pk})}",
            monitor.colour,
        )
        for monitor in found
    ]


def _sources(words: str, viewer: Member) -> list[Jump]:
    if not words:
        return []
    found = Source.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None, name__icontains=words)[:MOST]
    return [
        Jump(_("Sources"), source.name, "source", in_workspace(viewer.workspace.slug, "listening:source", source.pk))
        for source in found
    ]
