"""A post as a card shows it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from talkworthy.analysis.meaning import MEANING
from talkworthy.listening.families import Family, Spread, spread_of
from talkworthy.listening.labels import URGENT_FROM, channel_title, value_label
from talkworthy.listening.models import Monitor
from talkworthy.query import CompiledQuery, QueryError, compile_query, highlights, parse

Span = tuple[int, int]

COLUMNS = (
    "id",
    "uid",
    "channel",
    "url",
    "author",
    "title",
    "text",
    "language",
    "published_at",
    "edited_at",
    "engagement_type",
    "media",
    "site",
    "community",
    "engagement",
    "detected_language",
    "sentiment",
    "intent",
    "urgency",
    "text_hash",
    "near_hash",
    "monitors",
)
"""What a card shows of a post; what its queries look at besides is `Cards.beyond`."""

LONG = 420
"""Characters after which a post is folded to an excerpt."""

LINES = 8
"""Lines of an excerpt: a post of many short lines is folded too."""


_LINE = re.compile(r"[^\n]*\S[^\n]*")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n)+")


@dataclass(frozen=True)
class MonitorChip:
    """A monitor as its chip shows it."""

    id: int
    label: str
    colour: str
    address: str


@dataclass(frozen=True)
class Note:
    """One annotation as its chip shows it; `key` is the value, `word` what people read."""

    task: str
    key: str
    word: str
    corrected: bool


@dataclass(frozen=True)
class Card:
    """What a card needs of a post; `html` and `title_html` are escaped words with marks, `excerpt` where it is long."""

    id: int
    uid: str
    address: str
    name: str
    handle: str
    reach: int | None
    verified: bool
    automated: bool
    channel: str
    site: str
    community: str
    at: datetime
    edited_at: datetime | None
    title_html: SafeString
    html: SafeString
    excerpt: SafeString
    language: str
    permalink: str
    monitors: Sequence[MonitorChip]
    notes: Sequence[Note]
    counts: Mapping[str, int | None] | None
    media: Sequence[Mapping[str, Any]]
    engagement_type: str
    near_copy: bool
    copies: "Copies | None" = None


@dataclass(frozen=True)
class Copies:
    """The near copies that a card stands for: how many, where, by whom, and the address that shows them."""

    n: int
    channels: Sequence[tuple[str, int]]
    spread: Spread
    address: str


class Cards:
    """Makes cards of posts, for one viewer's page: queries are compiled once, and only those that are needed."""

    def __init__(
        self, slug: str, monitors: Iterable[Monitor], *, now: datetime, words: CompiledQuery | None = None
    ) -> None:
        self.slug = slug
        self.now = now
        self.words = words
        self.monitors = {monitor.pk: monitor for monitor in monitors}
        self._compiled: dict[int, CompiledQuery | None] = {}

    def card(
        self, post: Mapping[str, Any], *, only: CompiledQuery | None = None, corrected: Iterable[str] = ()
    ) -> Card:
        """The card of a post; `only` is the one query whose finds are marked, `corrected` names tasks."""
        spans = self._spans(post, only)
        titled = [(start, end) for field, start, end in spans if field == "title"]
        said = [(start, end) for field, start, end in spans if field == "text"]
        author, text = post["author"] or {}, post["text"] or ""
        return Card(
            id=post["id"],
            uid=post["uid"],
            address=self._address("listening:post", post["id"]),
            name=author.get("name") or "",
            handle=author.get("handle") or "",
            reach=author.get("followers"),
            verified=bool(author.get("verified")),
            automated=bool(author.get("automated")),
            channel=channel_title(post["channel"]),
            site=post["site"] or "",
            community=post["community"] or "",
            at=post["published_at"],
            edited_at=post["edited_at"],
            title_html=marked(post["title"] or "", titled),
            html=marked(text, said),
            excerpt=excerpted(text, said),
            language=_language(post),
            permalink=post["url"] if str(post["url"] or "").startswith(("http://", "https://")) else "",
            monitors=self._chips(post["monitors"] or ()),
            notes=_notes(post, frozenset(corrected)),
            counts=_counts(post),
            media=[medium for medium in post["media"] or () if str(medium["url"]).startswith(("http://", "https://"))],
            engagement_type=post["engagement_type"] or "",
            near_copy=post["near_hash"] is not None,
        )

    def family(self, family: Family, *, corrected: Mapping[int, Iterable[str]]) -> Card:
        """The card of a family's first, with what stands behind it."""
        card = self.card(family.post, corrected=corrected.get(family.post["id"], ()))
        if not family.copies:
            return card
        spread = spread_of(family.posts)
        query = urlencode({"posts": ",".join(str(post["id"]) for post in family.copies)})
        address = f"{self._address('listening:copies', card.id)}?{query}"
        channels = [(channel_title(channel), n) for channel, n in spread.channels]
        return replace(card, copies=Copies(len(family.copies), channels, spread, address))

    def beyond(self, posts: Iterable[Mapping[str, Any]]) -> set[str]:
        """The columns that marking what was found in these posts looks at, and no card shows."""
        queries = [self.words] if self.words else [self.compiled(m) for m in self._all_matched(posts)]
        return {name for query in queries if query is not None for name in query.columns} - set(COLUMNS)

    def compiled(self, monitor: Monitor) -> CompiledQuery | None:
        """The monitor's query made ready; None where it cannot be used any more."""
        if monitor.pk not in self._compiled:
            try:
                self._compiled[monitor.pk] = compile_query(
                    parse(monitor.query, stage="monitor"), now=self.now, similarity=MEANING
                )
            except (QueryError, ValueError):
                self._compiled[monitor.pk] = None
        return self._compiled[monitor.pk]

    def _spans(self, post: Mapping[str, Any], only: CompiledQuery | None) -> list[tuple[str, int, int]]:
        queries = [only] if only else [self.words] if self.words else [self.compiled(m) for m in self._matched(post)]
        return [span for query in queries if query is not None for span in highlights(query, post, now=self.now)]

    def _all_matched(self, posts: Iterable[Mapping[str, Any]]) -> list[Monitor]:
        return list({monitor.pk: monitor for post in posts for monitor in self._matched(post)}.values())

    def _matched(self, post: Mapping[str, Any]) -> list[Monitor]:
        return [self.monitors[number] for number in post["monitors"] or () if number in self.monitors]

    def _chips(self, numbers: Iterable[int]) -> list[MonitorChip]:
        river = reverse("listening:river", args=(self.slug,))
        found = [self.monitors[number] for number in numbers if number in self.monitors]
        return [
            MonitorChip(monitor.pk, monitor.name, monitor.colour, f"{river}?monitor={monitor.pk}") for monitor in found
        ]

    def _address(self, route: str, *args: object) -> str:
        return reverse(route, args=(self.slug, *args))


def _language(post: Mapping[str, Any]) -> str:
    """The code for the `lang` attribute; empty where it is not known."""
    code = post["detected_language"] or post["language"] or ""
    return "" if code == "undecided" else code


def _notes(post: Mapping[str, Any], corrected: frozenset[str]) -> list[Note]:
    """Annotations worth a chip: sentiment, a decided intent, high urgency, the language."""
    found = []
    for task in ("sentiment", "intent", "urgency", "detected_language"):
        value = post[task]
        if value is None or (task not in corrected and not _worth(task, value)):
            continue
        found.append(Note(task, str(value), value_label(task, str(value)), task in corrected))
    return found


def _worth(task: str, value: Any) -> bool:
    if task == "urgency":
        return int(value) >= URGENT_FROM
    return not (task == "intent" and value in ("other", "undecided"))


def _counts(post: Mapping[str, Any]) -> dict[str, int | None] | None:
    counted = post["engagement"] or {}
    found = {name: counted.get(name) for name in ("replies", "shares", "likes")}
    return found if any(value is not None for value in found.values()) else None


def marked(text: str, spans: Iterable[Span]) -> SafeString:
    """The text, escaped, with `<mark>` around the spans (offsets in characters; they may overlap)."""
    pieces, at = [], 0
    for start, end in joined(spans):
        pieces += [escape(text[at:start]), "<mark>", escape(text[start:end]), "</mark>"]
        at = end
    return mark_safe("".join([*pieces, escape(text[at:])]))  # noqa: S308 - every piece of text is escaped above


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, those that touch or overlap made one."""
    found: list[Span] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def within(spans: Iterable[Span], start: int, end: int) -> list[Span]:
    """The spans as they lie in a piece of the text."""
    return [(max(a, start) - start, min(b, end) - start) for a, b in spans if a < end and b > start]


def excerpt_span(text: str, spans: Sequence[Span], length: int = LONG) -> Span:
    """The piece of a long text that shows most of the spans, cut between words, and no more than its lines."""
    if len(text) <= length:
        return 0, _line_end(text, 0, len(text))
    best = 0
    if spans:
        most = -1
        for start, _end in spans:
            held = sum(1 for a, b in spans if a >= start and b <= start + length - 60)
            if held > most:
                most, best = held, start
    start = max(0, best - 60) if best > length - 120 else 0
    if start:
        space = text.find(" ", start, start + 60)
        start = space + 1 if space >= 0 else start
    end = min(len(text), start + length)
    if end < len(text):
        space = text.rfind(" ", end - 60, end)
        end = space if space > start else end
    return start, _line_end(text, start, end)


def _line_end(text: str, start: int, end: int) -> int:
    """Where the last line of an excerpt ends that begins at `start`; blank lines are not counted."""
    lines = list(_LINE.finditer(text, start, end))
    return lines[LINES - 1].end() if len(lines) > LINES else end


def excerpted(text: str, spans: Sequence[Span]) -> SafeString:
    """A long text cut to its excerpt, with marks; empty where the text is short enough."""
    start, end = excerpt_span(text, spans)
    if (start, end) == (0, len(text)):
        return SafeString("")
    words = _BLANK_LINES.sub("\n", marked(text[start:end], within(spans, start, end)))
    return SafeString(("… " if start else "") + words + (" …" if end < len(text) else ""))
