"""The types of events that programs are told by webhook, each with an example of its data.

Data holds numbers, states and addresses; what outsiders wrote, and their names, are fetched by who may read them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

CASE: Mapping[str, Any] = {
    "case": 1042,
    "state": "open",
    "priority": "service",
    "channel": "mastodon",
    "team": "support",
    "owner": "erin@acme.example",
    "due_at": "2026-03-04T14:30:00+00:00",
    "address": "https://talkworthy.acme.example/acme/cases/1042/",
}


@dataclass(frozen=True)
class EventType:
    """One type: its name, when it happens, and an example of its data."""

    name: str
    when: "str | StrPromise"
    example: Mapping[str, Any]


EVENT_TYPES = (
    EventType("case.opened", _("a case was opened"), {**CASE, "state": "new", "owner": None}),
    EventType("case.assigned", _("a case got another owner or team"), {**CASE, "by": "frank@acme.example"}),
    EventType("case.state", _("a case came into another state"), {**CASE, "was": "new", "by": "erin@acme.example"}),
    EventType("case.priority", _("a case got another priority"), {**CASE, "was": "low", "by": None}),
    EventType("case.missed", _("a promised time went by"), {**CASE, "timer": "first_answer"}),
    EventType("reply.sent", _("a reply was delivered"), {"case": 1042, "url": "https://social.example/@acme/1"}),
    EventType("reply.failed", _("a reply could not be delivered"), {"case": 1042, "error": "the account was locked"}),
    EventType("test", _("somebody pressed “Test”"), {"by": "alice@acme.example"}),
)

NAMES = frozenset(kind.name for kind in EVENT_TYPES)
