"""Where the command box can go: pages down to a section of settings, monitors, sources; and always the search."""

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.listening.models import Monitor, Source
from talkworthy.web.context import RAIL
from talkworthy.web.templatetags.words import in_workspace
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Permission, may

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

MOST = 6
"""Monitors, sources, and pages below those of the rail, that are offered at once."""


@dataclass(frozen=True)
class Place:
    """A page that lies below a stop of the rail."""

    label: "StrPromise"
    icon: str
    route: str
    needs: Permission = Permission.READ


PLACES: tuple[Place, ...] = (
    Place(gettext_lazy("Follow a name"), "plus", "listening:follow", Permission.EDIT_MONITORS),
    Place(gettext_lazy("New monitor"), "plus", "listening:new_monitor", Permission.EDIT_MONITORS),
    Place(gettext_lazy("Add a source"), "plus", "listening:connectors", Permission.EDIT_SOURCES),
    Place(gettext_lazy("Rising memes"), "trends", "listening:memes"),
    Place(gettext_lazy("Who and what is named"), "trends", "listening:names"),
    Place(gettext_lazy("Voices"), "trends", "listening:voices"),
    Place(gettext_lazy("Touchpoints and promises"), "monitor", "ecosystem:touchpoints"),
    Place(gettext_lazy("Alert rules"), "bell", "listening:alert_rules"),
    Place(gettext_lazy("Jobs: imports, exports, backtests"), "clock", "listening:jobs"),
    Place(gettext_lazy("Reports on cases"), "chart", "routing:reports"),
    Place(gettext_lazy("Replies on their way"), "reply", "responding:deliveries"),
    Place(gettext_lazy("Snippets"), "reply", "responding:snippets"),
    Place(gettext_lazy("Stop all sending"), "pause", "responding:stops"),
    Place(gettext_lazy("Playbook"), "filter", "routing:playbook"),
    Place(gettext_lazy("Accounts of people"), "people", "people:accounts", Permission.READ_PEOPLE),
    Place(gettext_lazy("Organisations"), "people", "people:organisations", Permission.READ_PEOPLE),
    Place(gettext_lazy("Segments"), "people", "people:segments", Permission.READ_PEOPLE),
    Place(gettext_lazy("Links between accounts"), "link", "people:links", Permission.READ_PEOPLE),
    Place(gettext_lazy("Import and export of contacts"), "upload", "people:exchange", Permission.READ_PEOPLE),
    Place(gettext_lazy("CRM"), "people", "people:crm", Permission.READ_PEOPLE),
    Place(gettext_lazy("Notifications: what you are told"), "bell", "notifying:choices"),
    Place(gettext_lazy("Members"), "settings", "workspaces:members"),
    Place(gettext_lazy("Audit trail"), "history", "workspaces:audit", Permission.READ_AUDIT),
    Place(gettext_lazy("Teams"), "settings", "routing:teams", Permission.EDIT_ROUTING),
    Place(gettext_lazy("Working hours"), "clock", "routing:all_hours", Permission.EDIT_ROUTING),
    Place(gettext_lazy("Targets and escalation"), "clock", "routing:targets", Permission.EDIT_ROUTING),
    Place(gettext_lazy("My availability"), "person", "routing:availability", Permission.WORK_CASES),
    Place(gettext_lazy("What machines may do"), "spark", "responding:autonomy"),
    Place(gettext_lazy("Approval of replies"), "verified", "responding:approval_rules"),
    Place(gettext_lazy("Accounts that answer"), "reply", "responding:accounts"),
    Place(gettext_lazy("Models: training, drift, labels"), "spark", "learning:models"),
    Place(gettext_lazy("Import and export of posts"), "upload", "listening:data", Permission.EXPORT),
    Place(gettext_lazy("Erasure"), "trash", "listening:erasure", Permission.ERASE),
    Place(gettext_lazy("Tokens for programs"), "key", "workspaces:tokens", Permission.MANAGE_TOKENS),
    Place(gettext_lazy("Webhooks"), "link", "notifying:endpoints", Permission.MANAGE_WORKSPACE),
)
"""Offered once something is typed that stands in their name."""


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
    return [
        *found,
        *_pages(words, viewer),
        *_places(words, viewer),
        *_monitors(words, viewer),
        *_sources(words, viewer),
    ]


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
        if words.lower() in str(stop.label).lower() and may(viewer.role, stop.needs)
    ]


def _places(words: str, viewer: Member) -> list[Jump]:
    fitting = [place for place in PLACES if words and words.lower() in str(place.label).lower()]
    return [
        Jump(_("Go to"), str(place.label), place.icon, in_workspace(viewer.workspace.slug, place.route))
        for place in fitting
        if may(viewer.role, place.needs)
    ][:MOST]


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
