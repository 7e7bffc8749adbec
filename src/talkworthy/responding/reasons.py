"""Why a machine did not do it, and what is wrong with a reply, in words for people."""

from django.utils.translation import gettext as _

from talkworthy.responding.autonomy import Never, Refusal
from talkworthy.responding.warnings import Kind, Warned


def refusal_in_words(refusal: Refusal) -> str:
    """One sentence."""
    numbers = {"sent": refusal.numbers.get("sent", 0), "cap": refusal.numbers.get("cap", 0)}
    return {
        Never.LEVEL: _("The class of this matter does not let a machine go so far."),
        Never.STOPPED: _("All sending is stopped."),
        Never.FIRST_NEGATIVE: _("It is the first contact, and what they wrote is not plainly friendly."),
        Never.VULNERABLE: _("They may be in danger: a person answers."),
        Never.LEGAL: _("It is a legal or risky matter: a person answers."),
        Never.SECURITY: _("It is a matter of security, such as a hacked account: a person answers."),
        Never.INFLUENCER: _("Their word reaches far: a person answers."),
        Never.AUTOMATED: _("The other side is a machine."),
        Never.PERSON_ANSWERS: _("A person has taken over the conversation."),
        Never.STRANGE_LINK: _("It holds a link that nobody of us wrote."),
        Never.PERSONAL: _("It asks for personal data, or tells it, where everybody reads."),
        Never.CAP_PERSON: _("Machines wrote to this person %(sent)d times in a day; %(cap)d are allowed.") % numbers,
        Never.CAP_CONVERSATION: _("Machines wrote %(sent)d times in this conversation; %(cap)d are allowed.") % numbers,
        Never.CAP_HOUR: _("Machines sent %(sent)d answers within an hour; %(cap)d are allowed.") % numbers,
        Never.UNKNOWN: _("It is not known whom it answers."),
    }[refusal.why]


def warning_in_words(warned: Warned) -> tuple[str, str]:
    """What is wrong, and what to do."""
    numbers = [*warned.numbers, 0, 0]
    what = personal_in_words(warned.what)
    return {
        Kind.TOO_LONG: (
            _("%(long)d of %(most)d characters.") % {"long": numbers[0], "most": numbers[1]},
            _("Shorten it: the channel does not take it like this."),
        ),
        Kind.UNFILLED: (
            _("“%(name)s” stands there still.") % {"name": warned.what},
            _("Write what it stands for, or take it out."),
        ),
        Kind.NO_SUBJECT: (_("It has no subject."), _("Give it one.")),
        Kind.NO_ALT: (
            _("%(n)d files have no description.") % {"n": numbers[0]},
            _("Say in a sentence what is to be seen, for people who do not see it."),
        ),
        Kind.ASKS_PERSONAL: (
            _("It asks for personal data where everybody reads: %(what)s.") % {"what": what},
            _("Ask for it in a private message."),
        ),
        Kind.TELLS_PERSONAL: (
            _("It tells personal data where everybody reads: %(what)s.") % {"what": what},
            _("Take it out, or answer in private."),
        ),
        Kind.OTHER_LANGUAGE: (
            _("It is not written in their language (%(languages)s).") % {"languages": warned.what.replace(" ", " ≠ ")},
            _("Answer in the language in which they wrote, if you can."),
        ),
        Kind.SHOUTS: (_("It shouts."), _("Write it without capitals and with one mark.")),
        Kind.STRANGE_LINK: (
            _("Nobody of us wrote this link: %(link)s") % {"link": warned.what},
            _("Look where it leads before you send it."),
        ),
    }[warned.kind]


def personal_in_words(what: str) -> str:
    """A kind of personal data."""
    return {
        "email": _("e-mail address"),
        "phone": _("telephone number"),
        "order": _("number of an order or customer"),
        "address": _("postal address"),
        "birth": _("date of birth"),
        "secret": _("password or code"),
        "payment": _("card or account number"),
    }.get(what, what)
