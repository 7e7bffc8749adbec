"""One post: its words and thread, what analysis says of it and why, which monitors found it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from talkworthy.analysis.heads import Heads
from talkworthy.analysis.reasons import Evidence, Reason, why
from talkworthy.ecosystem.models import Touchpoint
from talkworthy.ecosystem.selectors import touchpoints_of
from talkworthy.listening.cards import Card, Cards, marked
from talkworthy.listening.chosen import chosen_for, heads_for
from talkworthy.listening.filters import Filter
from talkworthy.listening.labels import INTENT, NAME_KIND, SENTIMENT, SPOKE_FOR_NAME, TASK, value_label
from talkworthy.listening.models import Monitor
from talkworthy.listening.selectors import mentions
from talkworthy.listening.selectors.names import names_in, phrase
from talkworthy.listening.touchpoints import Learned, reasons_learned
from talkworthy.query import Branch, explain
from talkworthy.query.languages import LANGUAGES
from talkworthy.schema import INTENTS, SENTIMENTS
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

DEEPEST = 6
"""Steps to the right after which answers are not moved further."""

THREAD_MOST = 200
EVIDENCE_SHOWN = 8
LIKELY_LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr", "ru", "ar", "hi", "ja", "ko", "zh")


@dataclass(frozen=True)
class Told:
    """An annotation with what led to it, ready to show; `steps` is the bar's length from 1 to 10."""

    task: str
    label: str
    value: str
    word: str
    corrected: bool
    answer_differs: str
    reason: Reason
    words: SafeString
    evidence: Sequence[tuple[Evidence, int]]
    choices: Sequence[tuple[str, str, bool]]


@dataclass(frozen=True)
class Answered:
    """A post of the thread at its depth; `is_here` is the one that was opened."""

    card: Card
    depth: int
    is_here: bool
    parent: str


@dataclass(frozen=True)
class Found:
    """A monitor that found the post, and the verdict on each part of its query; None where it cannot be asked."""

    monitor: Monitor
    root: Branch | None
    still: bool
    learned: Learned | None = None
    """Why examples tied it, where they did."""


@dataclass(frozen=True)
class Named:
    """A name in the post: what it names, the river of its posts, how sure it is, and what spoke for it."""

    text: str
    kind: str
    address: str
    probability: float
    because: Sequence[str]


@require_GET
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def post(request: MemberRequest, post_id: int) -> HttpResponse:
    """The page of a post, or its inside for the pane beside the river."""
    context = pane(post_id, viewer=request.member, now=timezone.now())
    template = "listening/posts/opened.html" if request.htmx else "listening/posts/post.html"
    return render(request, template, context | {"in_pane": bool(request.htmx)})


@require_GET
@permission_required(Permission.READ)
def find_post(request: MemberRequest) -> HttpResponse:
    """To the page of a post known by its uid."""
    found = mentions.post_of_uid(request.GET.get("uid", ""), viewer=request.member)
    if found is None:
        raise Http404(_("No post of this uid is in the archive."))
    return redirect("listening:post", request.workspace.slug, found["id"])


@require_GET
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def reason(request: MemberRequest, post_id: int, task: str) -> HttpResponse:
    """Why an annotation says what it says, and how to correct it: a fragment under the card."""
    if task not in TASK:
        raise Http404
    row = mentions.post_or_404(post_id, viewer=request.member)
    corrected = mentions.corrected_tasks([post_id], viewer=request.member).get(post_id, set())
    said = told(row, task, corrected=corrected, heads=heads_for(chosen_for(request.workspace)))
    context = {"told": said, "post_id": post_id, "closes": bool(request.htmx)}
    return render(request, "listening/posts/told.html" if request.htmx else "listening/posts/reason_page.html", context)


def pane(post_id: int, *, viewer: Member, now: datetime) -> dict[str, Any]:
    """Everything that the page and the pane of a post show."""
    row = mentions.post_or_404(post_id, viewer=viewer)
    monitors = mentions.monitors_of(viewer=viewer)
    cards = Cards(viewer.workspace.slug, monitors, now=now)
    corrections = mentions.corrections_of(row, viewer=viewer)
    corrected = {correction.task for correction in corrections if correction.undone_at is None}
    heads = heads_for(chosen_for(viewer.workspace))
    known = list(touchpoints_of(viewer=viewer))
    told_of = reasons_learned(viewer.workspace, post_id) if known else {}
    learned = {one.pk: told_of[one.slug] for one in known if one.slug in told_of}
    found = found_by(row, cards, learned)
    return {
        "opened": cards.card(row, corrected=corrected),
        "row": row,
        "facts": facts(row),
        "thread": answers(mentions.thread_of(row, viewer=viewer), row, cards),
        "told": [told(row, task, corrected=corrected, heads=heads) for task in TASK],
        "found": found,
        "touchpoints": touchpoints(known, found, learned),
        "names": named(row, river=reverse("listening:river", args=(viewer.workspace.slug,))),
        "others": [cards.card(other) for other in mentions.posts_of_author(row, viewer=viewer)],
        "corrections": [
            (
                correction,
                value_label(correction.task, correction.old),
                value_label(correction.task, correction.new),
                TASK.get(correction.task),
            )
            for correction in corrections
        ],
    }


def told(row: mentions.Post, task: str, *, corrected: set[str], heads: Heads | None = None) -> Told:
    """An annotation of a post with its reason, as these heads (else the shipped) give it."""
    said = why(row, "language" if task == "detected_language" else task, heads)
    value = "" if row[task] is None else str(row[task])
    text = f"{row['title']}\n{row['text']}" if row["title"] else row["text"] or ""
    shown = said.evidence[:EVIDENCE_SHOWN]
    spans = [
        (item.start, item.end) for item in shown if item.weight > 0 and item.start is not None and item.end is not None
    ]
    start, end = _window(spans, len(text))
    inside = [(a - start, b - start) for a, b in spans if a >= start and b <= end]
    words = SafeString(("… " if start else "") + marked(text[start:end], inside) + (" …" if end < len(text) else ""))
    most = max((abs(item.weight) for item in shown), default=1.0) or 1.0
    weighed = [(item, max(1, round(10 * abs(item.weight) / most))) for item in shown]
    differs = value_label(task, said.answer) if value and said.answer != value and task not in corrected else ""
    return Told(
        task,
        str(TASK[task]),
        value,
        value_label(task, value) if value else _("not analysed"),
        task in corrected,
        differs,
        said,
        words,
        weighed,
        _choices(task, value),
    )


def touchpoints(
    known: Sequence[Touchpoint], found: Sequence[Found], learned: Mapping[int, Learned]
) -> list[tuple[Touchpoint, bool, Learned | None]]:
    """The workspace's touchpoints, and for each whether its query found the post, and why examples tied it."""
    by_query = {one.monitor.touchpoint_id for one in found if one.still or one.learned is None}
    return [(one, one.pk in by_query, learned.get(one.pk)) for one in known]


def named(row: mentions.Post, *, river: str) -> list[Named]:
    """The names in a post, each with what finds others of it."""
    return [
        Named(
            entity.text,
            str(NAME_KIND[entity.kind]),
            f"{river}?{Filter(words=phrase(entity.text), period='30d').address}",
            entity.probability,
            [str(SPOKE_FOR_NAME[what]) for what, _ in entity.because],
        )
        for entity in names_in(row)
    ]


def found_by(row: mentions.Post, cards: Cards, learned: Mapping[int, Learned]) -> list[Found]:
    """The monitors that found a post, each with the verdict on every part of its query as it stands now.

    `learned` says why examples tied it, by the touchpoint that a monitor carries.
    """
    found = []
    for number in row["monitors"] or ():
        monitor = cards.monitors.get(number)
        if monitor is None:
            continue
        compiled = cards.compiled(monitor)
        explained = explain(compiled, row, now=cards.now) if compiled else None
        found.append(
            Found(
                monitor,
                explained.root if explained else None,
                bool(explained and explained.matches),
                learned.get(monitor.touchpoint_id or 0),
            )
        )
    return found


def answers(rows: Sequence[mentions.Post], here: mentions.Post, cards: Cards) -> list[Answered]:
    """A thread in the order of reading: each answer beneath what it answers, the oldest first."""
    if len(rows) < 2:
        return []
    kept = rows[:THREAD_MOST]
    known = {row["uid"] for row in kept}
    below: dict[str, list[mentions.Post]] = {}
    for row in kept:
        parent = row["in_reply_to"] if row["in_reply_to"] in known and row["in_reply_to"] != row["uid"] else ""
        below.setdefault(parent, []).append(row)
    ordered: list[Answered] = []
    waiting = [(row, 0) for row in reversed(below.get("", []))]
    seen: set[str] = set()
    while waiting:
        row, depth = waiting.pop()
        if row["uid"] in seen:
            continue
        seen.add(row["uid"])
        ordered.append(
            Answered(cards.card(row), min(depth, DEEPEST), row["uid"] == here["uid"], row["in_reply_to"] or "")
        )
        waiting += [(child, depth + 1) for child in reversed(below.get(row["uid"], []))]
    return ordered


def facts(row: mentions.Post) -> list[tuple[str, object, str]]:
    """What the channel told of a post, plainly: (name, value, kind), kind one of text, time, address, list, number."""
    author, engagement = row["author"] or {}, row["engagement"] or {}
    named: list[tuple[str, object, str]] = [
        (_("Published"), row["published_at"], "time"),
        (_("Edited"), row["edited_at"], "time"),
        (_("Collected"), row["collected_at"], "time"),
        (_("Address"), row["url"], "address"),
        (_("Kind"), row["kind"], "text"),
        (_("Answers"), row["in_reply_to"], "uid"),
        (_("Repeats"), row["repeats"], "uid"),
        (_("Community"), row["community"], "text"),
        (_("Declared language"), LANGUAGES.get(row["language"] or "", row["language"]), "text"),
        (_("Author’s id"), author.get("id"), "text"),
        (_("Author’s page"), author.get("url"), "address"),
        (_("About the author"), author.get("bio"), "text"),
        (_("Followers"), author.get("followers"), "number"),
        (_("Links"), row["links"], "addresses"),
        (_("Hashtags"), row["hashtags"], "list"),
        (_("Mentions"), row["mentions"], "list"),
        (_("Labels"), row["tags"], "list"),
        (_("Rating"), row["rating"], "text"),
        (_("Views"), engagement.get("views"), "number"),
        (_("Counts taken"), engagement.get("taken_at"), "time"),
        (_("Source"), row["source"], "text"),
        (_("Uid"), row["uid"], "text"),
        (_("Analysed by"), row["analysed_by"], "text"),
    ]
    return [(name, value, kind) for name, value, kind in named if value not in (None, "", [], ())]


def _window(spans: Sequence[tuple[int, int]], length: int, most: int = 320) -> tuple[int, int]:
    """The piece of a text around its evidence."""
    if length <= most:
        return 0, length
    start = max(0, min((span[0] for span in spans), default=0) - 40)
    return start, min(length, start + most)


def _choices(task: str, value: str) -> list[tuple[str, str, bool]]:
    """What an annotation may be corrected to: (value, words, is it now)."""
    if task == "sentiment":
        return [(key, str(SENTIMENT[key]), key == value) for key in SENTIMENTS]
    if task == "intent":
        return [(key, str(INTENT[key]), key == value) for key in INTENTS]
    if task == "detected_language":
        codes = dict.fromkeys(
            [*([value] if value in LANGUAGES else []), *LIKELY_LANGUAGES, *sorted(LANGUAGES, key=LANGUAGES.__getitem__)]
        )
        return [(code, LANGUAGES[code], code == value) for code in codes]
    return [(str(step), str(step), str(step) == value) for step in (0, 25, 50, 75, 100)]
