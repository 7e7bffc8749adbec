"""On what a step of triage rests, in words for people."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from talkworthy.routing.models import Decision


def evidence_words(evidence: Mapping[str, Any]) -> str:
    """One sentence; the pieces of text, the model and its accuracy stand beside it."""
    says, value = str(evidence.get("says", "")), str(evidence.get("value", ""))
    if evidence.get("by") == "person":
        return _("A person answered so.")
    if evidence.get("by") == "nobody":
        return _("Nobody could tell, so the playbook's answer for that case holds.")
    if evidence.get("by") == "query":
        return _("It matches the query of this answer.")
    numbers = evidence.get("numbers") or {}
    words = {
        "alarm": _("It holds words of alarm: %(value)s."),
        "no_alarm": _("It holds no words of self-harm, danger or law that weigh enough."),
        "monitors": _("Found by %(value)s."),
        "written_to_us": _("It was written to us alone."),
        "no_monitor": _("None of the monitors of us, of rivals or of the field found it."),
        "intent": _("Taken for “%(value)s”."),
        "sentiment": _("The feeling is %(value)s."),
        "offensive": _("Taken for offensive."),
        "rating": _("It is a review with %(value)s stars."),
        "question": _("It asks a question."),
        "own_wish": _("Whoever asks, wishes or thanks is taken at their word."),
        "own_review": _("A review is taken as the author's own experience."),
        "own_experience": _("The author speaks of themselves, and is taken at their word."),
        "told_to_us": _("It is told to us directly, and taken at its word."),
        "claim": _("It claims something about us that is not the author's own experience."),
        "no_claim": _("It claims nothing that must be looked into."),
        "no_experience": _("Nothing says that the author lived through it."),
        "consent": _("The person agreed that we share it.") if value == "yes" else _("No agreement to share is known."),
        "unanswered": _("It asks something, and nobody has answered yet."),
        "answered": _("It asks something, and others have answered."),
        "no_question": _("It asks nothing."),
        "answers": _("%(n)s others have answered in the thread.") % {"n": int(numbers.get("answers", 0))},
        "influence": _("The author's influence and how far it spread, together %(n)s of 1 (harm from %(from)s on).")
        % {"n": numbers.get("together", "–"), "from": numbers.get("from", "–")},
        "outcome": _("The outcome belongs to this class."),
        "rest": _("It is in none of the classes before."),
    }
    text = words.get(says, says)
    return text % {"value": value} if "%(value)s" in text else text


def steps_of(decision: Decision) -> list[dict[str, Any]]:
    """The path of a decision with its words, for pages."""
    return [worded(step) for step in decision.path]


def worded(step: Mapping[str, Any]) -> dict[str, Any]:
    """One step with the sentence on what it rests."""
    return {**step, "words": evidence_words(step.get("evidence") or {})}
