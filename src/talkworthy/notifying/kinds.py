"""The kinds of things that members are told of, with what holds of each until a member chooses otherwise."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise


@dataclass(frozen=True)
class Kind:
    """One kind: its name in rows, and the words beside its two boxes."""

    name: str
    label: "str | StrPromise"
    by_mail: bool = False
    """Whether it is mailed to who has chosen nothing."""


KINDS = (
    Kind("assigned", _("A case becomes mine")),
    Kind("mentioned", _("Somebody names me in a note")),
    Kind("informed", _("A case of which I am informed, or decide, changes")),
    Kind("due", _("A case of mine is due soon")),
    Kind("missed", _("A time is missed on a case of mine or of my team")),
    Kind("reopened", _("Somebody writes again in a case that was settled")),
    Kind("rule", _("A rule says that I should know")),
    Kind("approval asked", _("A reply waits for my approval")),
    Kind("approved", _("My reply was approved")),
    Kind("refused", _("My reply was not approved")),
    Kind("reply stopped", _("A reply of mine was stopped")),
    Kind("reply failed", _("A reply of mine could not be sent")),
    Kind("reply unsure", _("Nobody knows whether a reply of mine arrived")),
    Kind("record due", _("The record of a person should end"), by_mail=True),
    Kind("endpoint failing", _("A webhook endpoint has given up"), by_mail=True),
)


def kind_of(name: str) -> Kind:
    """The kind of a name; one that is not in the table is told in the page, under its own name."""
    return next((kind for kind in KINDS if kind.name == name), Kind(name, name))
