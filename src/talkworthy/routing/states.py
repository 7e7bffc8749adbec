"""The states of a case, and the ways between them."""

from talkworthy.routing.models import Case
from talkworthy.states.graph import Graph

State = Case.State

CASE = Graph(
    "case",
    State.NEW.value,
    {
        State.NEW.value: frozenset({"open", "waiting", "snoozed", "resolved", "closed"}),
        State.OPEN.value: frozenset({"waiting", "snoozed", "resolved", "closed"}),
        State.WAITING.value: frozenset({"open", "snoozed", "resolved", "closed"}),
        State.SNOOZED.value: frozenset({"open", "waiting", "resolved", "closed"}),
        State.RESOLVED.value: frozenset({"open", "closed"}),
        State.CLOSED.value: frozenset({"open"}),
    },
)
LIVE = ("new", "open", "waiting", "snoozed")
"""States in which somebody still has the work."""
SETTLED = ("resolved", "closed")
