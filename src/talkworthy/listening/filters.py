"""What the river shows: a filter that is an address, and an address that is a filter. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlencode

LARGEST = 1 << 63
"""No number of a row or a post is so large."""

LONGEST_WORDS = 4_000
"""Characters that the words of a filter may have; a monitor's query may be longer."""


class Parameters(Protocol):
    """The query string of an address, as Django reads it."""

    def getlist(self, key: str) -> list[str]: ...


@dataclass(frozen=True)
class Filter:
    """Which mentions are shown. Within one field any value will do, and every field must hold.

    `period` is a name such as 30d; `since` and `until` (ISO 8601) come before it. No field set: every post. `found`
    "any" asks for posts that some monitor found, where `monitors` names none. `copies` is no condition: "apart" shows
    near copies each for itself, where else the first stands for all.
    """

    words: str = ""
    monitors: tuple[int, ...] = ()
    channels: tuple[str, ...] = ()
    sentiments: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    intents: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    hashtags: tuple[str, ...] = ()
    period: str = ""
    since: str = ""
    until: str = ""
    found: str = ""
    copies: str = ""

    @property
    def address(self) -> str:
        """The query string that reads back as this filter; empty where nothing is filtered."""
        return urlencode(self.pairs)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Name and value of each part of the address."""
        return [(PARAMETERS[name], value) for name, value in self._pairs()]

    @property
    def is_empty(self) -> bool:
        """Whether it lets every post of every time through."""
        return not any(True for _ in self._pairs())

    @property
    def narrows(self) -> bool:
        """Whether it lets through less than every post of its period."""
        return replace(self, period="", since="", until="", copies="") != Filter()

    @property
    def query(self) -> str:
        """The whole filter but its period and monitors as one query; empty where nothing is asked."""
        parts = [f"({self.words})"] if self.words else []
        for name in ("channels", "sentiments", "languages", "intents", "sources", "sites", "authors", "hashtags"):
            values = getattr(self, name)
            if values:
                either = " OR ".join(f'"{value}"' for value in values)
                parts.append(f"{PARAMETERS[name]}:({either})" if len(values) > 1 else f"{PARAMETERS[name]}:{either}")
        return self.words if len(parts) == 1 and self.words else " AND ".join(parts)

    def toggled(self, name: str, value: str) -> "Filter":
        """With one value of a field added, or taken away where it stands already."""
        held: tuple[object, ...] = getattr(self, name)
        typed: object = int(value) if name == "monitors" else value
        changed = tuple(old for old in held if old != typed) if typed in held else (*held, typed)
        return replace(self, **{name: changed})  # type: ignore[arg-type]

    def without(self, name: str) -> "Filter":
        """With a field emptied."""
        return replace(self, **{name: type(getattr(self, name))()})

    def over(self, since: datetime, until: datetime) -> "Filter":
        """The same filter over a span of its own."""
        return replace(self, period="", since=_iso(since), until=_iso(until))

    def _pairs(self) -> Iterable[tuple[str, str]]:
        for field in fields(self):
            value = getattr(self, field.name)
            for item in value if isinstance(value, tuple) else (value,) if value else ():
                yield field.name, str(item)


PARAMETERS: dict[str, str] = {
    "words": "q",
    "monitors": "monitor",
    "channels": "channel",
    "sentiments": "sentiment",
    "languages": "language",
    "intents": "intent",
    "sources": "source",
    "sites": "site",
    "authors": "author",
    "hashtags": "hashtag",
    "period": "period",
    "since": "since",
    "until": "until",
    "found": "found",
    "copies": "copies",
}
"""Field of the filter → name in the address."""


def read_filter(parameters: Parameters) -> Filter:
    """The filter of an address; what cannot be read (a monitor that is no number) is left out."""
    found: dict[str, object] = {}
    for field in fields(Filter):
        name = PARAMETERS[field.name]
        if field.default == ():
            values = tuple(dict.fromkeys(value for value in parameters.getlist(name) if value))
            found[field.name] = (
                tuple(int(v) for v in values if v.isdecimal() and int(v[:40]) < LARGEST)
                if field.name == "monitors"
                else values
            )
        else:
            found[field.name] = next(iter(parameters.getlist(name)[-1:]), "").strip()
    return Filter(**found)  # type: ignore[arg-type]


def span_address(since: datetime, until: datetime) -> str:
    """The end of an address that is bounded by two moments: what `over` adds to one without a period."""
    return urlencode({PARAMETERS["since"]: _iso(since), PARAMETERS["until"]: _iso(until)})


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ")
