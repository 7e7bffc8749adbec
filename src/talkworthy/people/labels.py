"""The words that pages use for what the desk keeps of people."""

from functools import lru_cache
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from talkworthy.connectors.registry import connector_named

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

ATTRIBUTES: "dict[str, StrPromise]" = {
    "email": _("E-mail"),
    "phone": _("Telephone"),
    "given_name": _("Given name"),
    "family_name": _("Family name"),
    "nickname": _("Nickname"),
    "title": _("Title"),
    "birthday": _("Birthday"),
    "address": _("Address"),
    "postcode": _("Postcode"),
    "city": _("City"),
    "country": _("Country"),
    "language": _("Language"),
    "url": _("Web page"),
    "identifier": _("Customer number"),
    "note": _("Note"),
}

FIELDS: "dict[str, StrPromise]" = {
    **ATTRIBUTES,
    "name": _("Name"),
    "handle": _("Handle"),
}

LEVELS: "dict[str, StrPromise]" = {
    "same": _("the same"),
    "swapped": _("the same, swapped"),
    "swapped and alike": _("alike, swapped"),
    "same sound": _("sounds the same"),
    "alike": _("alike"),
    "nearly alike": _("nearly alike"),
    "somewhat alike": _("somewhat alike"),
    "same family name": _("the same family name"),
    "same given name": _("the same given name"),
    "one name alike": _("one of the names alike"),
    "a name on the other side": _("a name stands on the other side"),
    "same before the @": _("the same before the @"),
    "one digit apart": _("one digit apart"),
    "two digits apart": _("two digits apart"),
    "one sign apart": _("one sign apart"),
    "within a month": _("within a month"),
    "within a year": _("within a year"),
    "same day of another year": _("the same day of another year"),
    "differs": _("differs"),
}

KINDS: "dict[str, StrPromise]" = {
    "post": _("Post"),
    "case": _("Case"),
    "reply": _("Reply"),
    "note": _("Note"),
    "message": _("Message"),
}
"""What a row of a timeline is, where it has no title."""

CHANGES: "dict[str, StrPromise]" = {
    "add person": _("was added"),
    "change person": _("was changed"),
    "learn": _("learnt"),
    "unlearn": _("taken away"),
    "give role": _("was given a role"),
    "end role": _("a role ended"),
    "consent": _("agreed"),
    "withdraw consent": _("withdrew consent"),
    "gain identity": _("an account was linked"),
    "lose identity": _("an account was unlinked"),
    "add identity": _("the account became known"),
    "rename": _("the account was renamed"),
    "merge into": _("was merged into another record"),
    "take in": _("another record was merged in"),
    "split from": _("was split off again"),
    "let go": _("a record was split off"),
    "remove person": _("was put away"),
    "restore person": _("was brought back"),
    "mark is_ours": _("marked as our own account"),
    "mark is_automated": _("marked as a program"),
}


@lru_cache(maxsize=256)
def channel_title(name: str) -> str:
    """A channel as people call it."""
    connector = connector_named(name)
    title = connector.title if connector else name
    return title.split(" (")[0].split(" and compatible")[0]
