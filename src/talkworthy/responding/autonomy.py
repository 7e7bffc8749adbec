"""How far a machine may go with one answer: suggest, draft, send. Pure.

Every refusal is a word of REFUSALS with the numbers that led to it; all that hold are given, not the first alone, so
that a person sees at once why nothing was sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

LEVELS = ("observe", "suggest", "draft", "send")
"""From looking on to sending; each includes those before it."""


class Deed(StrEnum):
    """What a machine wants to do."""

    SUGGEST = "suggest"
    DRAFT = "draft"
    SEND = "send"


class Never(StrEnum):
    """Why a machine does not do it."""

    LEVEL = "level"
    """The class of outcome does not allow so much."""
    STOPPED = "stopped"
    FIRST_NEGATIVE = "first contact, negative"
    VULNERABLE = "vulnerable person"
    LEGAL = "legal matter"
    SECURITY = "security matter"
    """An account that was taken over, or data that leaked."""
    INFLUENCER = "influencer"
    AUTOMATED = "another automation"
    PERSON_ANSWERS = "a person has taken over"
    CAP_PERSON = "cap a person"
    CAP_CONVERSATION = "cap a conversation"
    CAP_HOUR = "cap an hour"
    STRANGE_LINK = "a link that nobody of us wrote"
    """Whoever is answered may have talked the model into it."""
    PERSONAL = "personal data in public"
    UNKNOWN = "nobody knows whom it answers"
    """Without the message that it answers none of the rules can be checked."""


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a class of outcome allows."""

    level: str = "observe"
    delay_seconds: int = 600
    cap_person_a_day: int = 1
    cap_conversation: int = 1
    cap_hour: int = 20


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What is known at this moment of the person, the conversation and the workspace.

    What is not known is taken as the worse of the two: a machine that cannot tell does not send.
    """

    known: bool = True
    first_contact: bool = True
    negative: bool = True
    vulnerable: bool = False
    legal: bool = False
    security: bool = False
    influencer: bool = False
    automated: bool = False
    person_answered: bool = False
    """A person of ours has spoken in the conversation."""
    stopped: bool = False
    strange_link: bool = False
    personal: bool = False
    """It asks for personal data, or tells it, where everybody reads."""
    sent_to_person_today: int = 0
    sent_in_conversation: int = 0
    sent_this_hour: int = 0


@dataclass(frozen=True)
class Refusal:
    """One reason, with its numbers."""

    why: Never
    numbers: Mapping[str, int] = field(default_factory=dict)


def refusals(deed: Deed, allowed: Allowed, situation: Situation) -> tuple[Refusal, ...]:
    """Why the machine does not do it; empty: it may."""
    found = []
    if LEVELS.index(allowed.level if allowed.level in LEVELS else "observe") < LEVELS.index(deed):
        found.append(Refusal(Never.LEVEL))
    if deed is not Deed.SEND:
        return tuple(found)
    holds = {
        Never.STOPPED: situation.stopped,
        Never.UNKNOWN: not situation.known,
        Never.FIRST_NEGATIVE: situation.first_contact and situation.negative,
        Never.VULNERABLE: situation.vulnerable,
        Never.LEGAL: situation.legal,
        Never.SECURITY: situation.security,
        Never.INFLUENCER: situation.influencer,
        Never.AUTOMATED: situation.automated,
        Never.PERSON_ANSWERS: situation.person_answered,
        Never.STRANGE_LINK: situation.strange_link,
        Never.PERSONAL: situation.personal,
    }
    found += [Refusal(why) for why, does in holds.items() if does]
    for why, sent, cap in (
        (Never.CAP_PERSON, situation.sent_to_person_today, allowed.cap_person_a_day),
        (Never.CAP_CONVERSATION, situation.sent_in_conversation, allowed.cap_conversation),
        (Never.CAP_HOUR, situation.sent_this_hour, allowed.cap_hour),
    ):
        if sent >= cap:
            found.append(Refusal(why, {"sent": sent, "cap": cap}))
    return tuple(found)


def may(deed: Deed, allowed: Allowed, situation: Situation) -> bool:
    """Whether the machine may do it."""
    return not refusals(deed, allowed, situation)


def waits_for_hour(found: tuple[Refusal, ...]) -> bool:
    """Whether the only thing in the way passes by itself: the cap an hour."""
    return bool(found) and {refusal.why for refusal in found} == {Never.CAP_HOUR}
