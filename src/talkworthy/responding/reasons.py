"""Why a machine did not do it, in words for people."""

from django.utils.translation import gettext as _

from talkworthy.responding.autonomy import Never, Refusal


def refusal_in_words(refusal: Refusal) -> str:
    """One sentence."""
    numbers = {"sent": refusal.numbers.get("sent", 0), "cap": refusal.numbers.get("cap", 0)}
    return {
        Never.LEVEL: _("The class of this matter does not let a machine go so far."),
        Never.STOPPED: _("All sending is stopped."),
        Never.FIRST_NEGATIVE: _("It is the first contact, and what they wrote is not plainly friendly."),
        Never.VULNERABLE: _("They may be in danger: a person answers."),
        Never.LEGAL: _("It is a legal or risky matter: a person answers."),
        Never.INFLUENCER: _("Their word reaches far: a person answers."),
        Never.AUTOMATED: _("The other side is a machine."),
        Never.PERSON_ANSWERS: _("A person has taken over the conversation."),
        Never.CAP_PERSON: _("Machines wrote to this person %(sent)d times in a day; %(cap)d are allowed.") % numbers,
        Never.CAP_CONVERSATION: _("Machines wrote %(sent)d times in this conversation; %(cap)d are allowed.") % numbers,
        Never.CAP_HOUR: _("Machines sent %(sent)d answers within an hour; %(cap)d are allowed.") % numbers,
        Never.UNKNOWN: _("It is not known whom it answers."),
    }[refusal.why]
