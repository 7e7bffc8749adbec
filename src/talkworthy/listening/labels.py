"""The words that people read for values that the archive keeps."""

from functools import lru_cache
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from talkworthy.connectors.registry import connector_named
from talkworthy.query.languages import LANGUAGES

if TYPE_CHECKING:
    from django_stubs_ext import StrPromise

SENTIMENT: "dict[str, StrPromise]" = {
    "positive": _("positive"),
    "neutral": _("neutral"),
    "negative": _("negative"),
    "undecided": _("undecided"),
}

INTENT: "dict[str, StrPromise]" = {
    "help": _("asks for help"),
    "purchase": _("wants to buy"),
    "complaint": _("complaint"),
    "suggestion": _("suggestion"),
    "praise": _("praise"),
    "other": _("other intent"),
    "undecided": _("intent undecided"),
}

TASK: "dict[str, StrPromise]" = {
    "sentiment": _("Sentiment"),
    "intent": _("Intent"),
    "urgency": _("Urgency"),
    "detected_language": _("Language"),
}

NAME_KIND: "dict[str, StrPromise]" = {
    "person": _("person"),
    "organisation": _("organisation, product or work"),
    "place": _("place"),
}
"""What a name in a post names."""

SPOKE_FOR_NAME: "dict[str, StrPromise]" = {
    "the word": _("the word itself"),
    "how it is written": _("how it is written"),
    "lists of names": _("lists of names and places"),
    "the word before": _("the word before it"),
    "the word after": _("the word after it"),
    "how its neighbours are written": _("how its neighbours are written"),
    "two words before and after": _("the words around it"),
    "what it means": _("what such words mean"),
}
"""What made a name be read as one."""

URGENT_FROM = 50
"""Urgency from which a card says so."""


@lru_cache(maxsize=512)
def channel_title(name: str) -> str:
    """A channel as people call it, without what its connector adds; its own name where none is installed."""
    connector = connector_named(name)
    title = connector.title if connector else name or "–"
    return title.split(" (")[0].split(" and compatible")[0]


def language_name(code: str | None) -> str:
    """A language by its English name; the code where it has none here."""
    if not code or code == "undecided":
        return str(_("language undecided"))
    return LANGUAGES.get(code, code)


def value_label(task: str, value: str) -> str:
    """An annotation's value in words."""
    if task == "sentiment":
        return str(SENTIMENT.get(value, value))
    if task == "intent":
        return str(INTENT.get(value, value))
    if task == "detected_language":
        return language_name(value)
    return str(_("urgency %(value)s") % {"value": value}) if task == "urgency" else value
