"""The order of the queue: Risk > Purchase > Cancel > Service > Low, then urgency, then influence. Pure.

    rank = 1,000,000 · class + 1,000 · urgency + 999 · influence

with class 4 for risk down to 0 for low, urgency 0 to 100, influence 0 to 1. Equal ranks go by the earlier deadline.
"""

from talkworthy.routing.playbook import PRIORITIES


def rank(priority: str, *, urgency: int, influence: float) -> float:
    """The place of a case in the queue, the highest first. An unknown class raises ValueError."""
    weight = len(PRIORITIES) - 1 - PRIORITIES.index(priority)
    return weight * 1_000_000 + min(100, max(0, urgency)) * 1_000 + 999 * min(1.0, max(0.0, influence))
