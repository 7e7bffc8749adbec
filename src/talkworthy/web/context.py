"""What every page's frame needs: where one is, who one is, and what waits."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from talkworthy.listening.models import Alert
from talkworthy.responding.selectors.inbox import waiting_for
from talkworthy.responding.situation import current_stop
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Permission, Role, may

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True)
class Stop:
    """One stop of the rail."""

    name: str
    label: "str | StrPromise"
    icon: str
    route: str
    key: str
    """The second key after `g` that goes there."""
    needs: Permission = Permission.READ
    """Without it the stop is not shown."""
    in_reach: bool = False
    """Whether it stands in the bar of a phone; the others are under “More” there."""


ZONE_TOLD = "zone told"
"""In the session, once the browser's time zone was asked for."""

RAIL: tuple[Stop, ...] = (
    Stop("listen", _("Listen"), "listen", "listening:first", "l", in_reach=True),
    Stop("inbox", _("Inbox"), "inbox", "inbox:inbox", "i", in_reach=True),
    Stop("trends", _("Trends"), "trends", "listening:trends", "t"),
    Stop("monitors", _("Monitors"), "monitor", "listening:monitors", "m"),
    Stop("replies", _("Replies"), "reply", "responding:approvals", "r", in_reach=True),
    Stop("alerts", _("Alerts"), "bell", "listening:alerts", "a", in_reach=True),
    Stop("people", _("People"), "people", "people:persons", "p", Permission.READ_PEOPLE),
    Stop("routing", _("Routing"), "filter", "routing:rules", "o"),
    Stop("sources", _("Sources"), "source", "listening:sources", "s"),
    Stop("settings", _("Settings"), "settings", "workspaces:general", "e"),
)
"""The loop in its order, as far as it is built."""


UNDER = {"cases": "inbox", "reports": "inbox", "touchpoints": "monitors"}
"""First parts of addresses that lie under a stop of another name."""


def frame(request: HttpRequest) -> dict[str, Any]:
    """The frame's words; what costs a query is asked only where it is shown."""
    member: Member | None = getattr(request, "member", None)
    found: dict[str, Any] = {
        "csp_nonce": getattr(request, "csp_nonce", ""),
        "member": member,
        "workspace": getattr(request, "workspace", None),
    }
    if member is None:
        return found
    others = SimpleLazyObject(lambda: _others(member))
    rail, here = [stop for stop in RAIL if may(member.role, stop.needs)], _here(request)
    return found | {
        "rail": rail,
        "rail_more": [stop for stop in rail if not stop.in_reach],
        "here": here,
        "here_in_more": next((stop for stop in rail if stop.name == here and not stop.in_reach), None),
        "ask_timezone": member.user.timezone == "UTC" and not request.session.get(ZONE_TOLD),
        "sending_stop": current_stop(member.workspace_id) if getattr(member, "sending_is_stopped", False) else None,
        "waiting_cases": SimpleLazyObject(lambda: waiting_for(member)),
        "unseen_alerts": SimpleLazyObject(lambda: _unseen(member)),
        "other_workspaces": others,
        "may_create_workspace": SimpleLazyObject(lambda: _may_create(member, others)),
    }


def _here(request: HttpRequest) -> str:
    """The name of the rail's stop that the address lies under."""
    match = request.resolver_match
    parts = match.route.split("/") if match else []
    here = parts[1] if len(parts) > 1 else ""
    return UNDER.get(here, here)


def _unseen(member: Member) -> int:
    return Alert.objects.filter(workspace_id=member.workspace_id, seen_at=None).count()


def _may_create(member: Member, others: Iterable[Member]) -> bool:
    """As `may_create_workspaces` answers, from what is read for the menu anyway."""
    roles = {member.role, *(other.role for other in others)}
    return member.user.is_superuser or Role.ADMINISTRATOR.value in roles


def _others(member: Member) -> list[Member]:
    return list(
        Member.objects.filter(user_id=member.user_id)
        .exclude(pk=member.pk)
        .select_related("workspace")
        .order_by("workspace__name")
    )
