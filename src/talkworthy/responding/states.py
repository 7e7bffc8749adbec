"""How a draft becomes an answer, and a delivery arrives: the states, and the ways between them. Pure."""

from talkworthy.states.graph import Graph

DRAFT = Graph(
    "draft",
    "writing",
    {
        "writing": frozenset({"asked", "approved", "scheduled", "superseded", "dropped"}),
        "asked": frozenset({"writing", "approved", "refused", "superseded", "dropped"}),
        "refused": frozenset({"writing", "superseded", "dropped"}),
        "approved": frozenset({"writing", "refused", "scheduled", "superseded", "dropped"}),
        "scheduled": frozenset({"writing", "approved", "sent", "superseded", "dropped"}),
        "sent": frozenset(),
        "superseded": frozenset({"writing"}),
        "dropped": frozenset({"writing"}),
    },
)
"""From scheduled back to writing: it was recalled, or held back when it should have left."""

DELIVERY = Graph(
    "delivery",
    "waiting",
    {
        "waiting": frozenset({"sending", "stopped", "failed"}),
        "sending": frozenset({"waiting", "unsure", "delivered", "failed"}),
        "unsure": frozenset({"waiting", "delivered", "failed"}),
        "failed": frozenset({"waiting", "stopped"}),
        "delivered": frozenset(),
        "stopped": frozenset(),
    },
)
"""What is being sent, or may have been, can not be stopped: it is settled first."""

OPEN = ("writing", "asked", "refused", "approved", "scheduled")
"""A draft that may still become an answer."""
