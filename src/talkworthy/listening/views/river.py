"""The river of mentions: look, filter, correct, keep the view, take it along."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from talkworthy.listening import actions
from talkworthy.listening.cards import COLUMNS, Card, Cards
from talkworthy.listening.families import Family, families, first_families
from talkworthy.listening.filters import LARGEST, LONGEST_WORDS, Filter, read_filter
from talkworthy.listening.labels import SENTIMENT, channel_title, language_name, value_label
from talkworthy.listening.models import Correction, Monitor, SavedView
from talkworthy.listening.periods import NAMED, BadPeriod, Period, read_period
from talkworthy.listening.selectors import mentions, series
from talkworthy.listening.views.naming import period_words
from talkworthy.listening.views.posts import pane
from talkworthy.listening.views.problems import problems_of_search
from talkworthy.query import QueryError, check, format_query
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required

FACET_MOST = 14

COPIES_MOST = 3
"""Posts that a page reads for each text that it has room for; a text that went round further goes on below."""


@dataclass(frozen=True)
class Option:
    """One value that a filter may take; `address` is the river with it switched."""

    label: str
    address: str
    on: bool
    posts: int | None = None
    colour: str = ""
    sign: str = ""


@dataclass(frozen=True)
class Facet:
    """One row of choices; `chosen` says in words what holds."""

    key: str
    label: str
    chosen: str
    options: Sequence[Option]
    clear: str


@require_GET
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def river(request: MemberRequest) -> HttpResponse:
    """The newest posts that the filter of the address lets through."""
    now, asked = timezone.now(), read_filter(request.GET)
    before = _number(request.GET.get("before"))
    monitors = mentions.monitors_of(viewer=request.member)
    problems = problems_of_search(asked.words)
    asked = replace(asked, words=asked.words[: LONGEST_WORDS + 1])  # every link of the page holds them
    context = _frame(request, asked, monitors, now=now)
    period: Period | None = context["period"]
    context |= {"errors": problems[0], "warnings": problems[1]}
    if problems[0] or period is None:
        return render(request, "listening/river/river.html", context | {"cards": []}, status=200)
    bounds = period if asked.period or asked.since or asked.until else None
    context |= _listed(request.member, asked, bounds, monitors, before=before, now=now)
    if request.htmx and before is not None:
        return render(request, "listening/river/river.html#more", context)
    context["count"] = mentions.cube_count(asked, period, viewer=request.member)
    opened = _number(request.GET.get("open"))
    if opened is not None:
        context |= pane(opened, viewer=request.member, now=now)
    return render(request, "listening/river/river.html", context)


@require_GET
@permission_required(Permission.READ)
def first(request: MemberRequest) -> HttpResponse:
    """The river as one begins with it: what monitors found, and every post where there is no monitor yet."""
    asked = Filter(found="any") if mentions.monitors_of(viewer=request.member) else Filter()
    return redirect(_river_address(request, asked.address))


@require_GET
@permission_required(Permission.READ)
def newer(request: MemberRequest) -> HttpResponse:
    """What arrived since the page's version: nothing (204) while the archive stands still, else the cards.

    `after` is the newest post of the page: what is not newer came late, and belongs further down.
    """
    now, asked = timezone.now(), read_filter(request.GET)
    version, seen = mentions.version(viewer=request.member), _number(request.GET.get("version"))
    after = _number(request.GET.get("after")) or 0
    if seen is None or version == seen:
        return HttpResponse(status=204)
    try:
        zone = timezone.get_current_timezone()
        period = (
            _period(asked, viewer=request.member, now=now, zone=zone)
            if asked.period or asked.since or asked.until
            else None
        )
        found = mentions.arrived(asked, viewer=request.member, period=period, now=now, since=seen, after=after)
    except (QueryError, BadPeriod, ValueError):
        return HttpResponse(status=204)
    monitors = mentions.monitors_of(viewer=request.member)
    cards = _cards(request.member, found.posts, monitors, asked, now=now)
    context = {
        "cards": cards,
        "new_count": sum(card.id > after for card in cards),
        "version": version,
        "asked": asked,
        "full": found.is_cut,
    }
    return render(request, "listening/river/newer.html", context)


@require_GET
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def copies(request: MemberRequest, post_id: int) -> HttpResponse:
    """The near copies of a post that stood with it in a list: under its card, or as a page."""
    now = timezone.now()
    numbers = [number for part in request.GET.get("posts", "").split(",") if (number := _number(part)) is not None]
    found = mentions.posts_of_ids(numbers[: mentions.PAGE * COPIES_MOST], viewer=request.member)
    cards = _cards(request.member, found, mentions.monitors_of(viewer=request.member), Filter(), now=now)
    if request.htmx:
        return render(request, "listening/river/copies.html", {"cards": cards})
    first = _cards(
        request.member,
        [mentions.post_or_404(post_id, viewer=request.member)],
        mentions.monitors_of(viewer=request.member),
        Filter(),
        now=now,
    )
    return render(request, "listening/river/copies_page.html", {"cards": [*first, *cards], "post_id": post_id})


@require_GET
@permission_required(Permission.READ)
def count(request: MemberRequest) -> HttpResponse:
    """How many posts the filter lets through, for filters that the cube does not hold."""
    now, asked = timezone.now(), read_filter(request.GET)
    try:
        period = _period(asked, viewer=request.member, now=now, zone=timezone.get_current_timezone())
        counted = mentions.count_mentions(asked, viewer=request.member, period=period, now=now)
    except (QueryError, BadPeriod, ValueError):
        return HttpResponse("")
    return render(request, "listening/river/count.html", {"counted": counted, "period": period})


@require_GET
@permission_required(Permission.READ)
def check_words(request: MemberRequest) -> HttpResponse:
    """What is wrong or odd in the words of the filter box, as they are typed."""
    words = request.GET.get("q", "").strip()
    errors, warnings = problems_of_search(words)
    return render(request, "listening/river/problems.html", {"errors": errors, "warnings": warnings, "words": words})


@require_POST
@permission_required(Permission.MARK)
def correct(request: MemberRequest, post_id: int) -> HttpResponse:
    """Replace an annotation; the answer offers to undo it."""
    post = mentions.post_or_404(post_id, viewer=request.member)
    try:
        correction = actions.correct_annotation(
            request.workspace,
            uid=post["uid"],
            task=request.POST.get("task", ""),
            new=request.POST.get("new", ""),
            by=request.user,
            now=timezone.now(),
        )
    except actions.Refused as error:
        messages.error(request, str(error))
    else:
        undo = reverse("listening:undo_correction", args=(request.workspace.slug, correction.pk))
        offer_undo(request, _("Corrected: it teaches the next model, and the counts have followed."), undo)
    return _noted(request, post_id)


@require_POST
@permission_required(Permission.MARK)
def undo_correction(request: MemberRequest, correction_id: int) -> HttpResponse:
    """Give a post back the answer it had."""
    correction = get_object_or_404(Correction, pk=correction_id, workspace=request.workspace)
    actions.undo_correction(correction, by=request.user, now=timezone.now())
    messages.success(request, _("The correction is taken back."))
    return _noted(request, correction.post_id)


@require_POST
@permission_required(Permission.MARK)
def save_view(request: MemberRequest) -> HttpResponse:
    """Keep the filter under a name."""
    address = read_filter(QueryDict(request.POST.get("address", ""))).address
    try:
        actions.save_view(
            request.member,
            name=request.POST.get("name", "")[:80],
            address=address,
            shared=bool(request.POST.get("shared")),
        )
        messages.success(request, _("The view is kept. It stands under “Views”."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect(_river_address(request, address))


@require_POST
@permission_required(Permission.MARK)
def delete_view(request: MemberRequest, view_id: int) -> HttpResponse:
    """Forget one of one's own views."""
    view = get_object_or_404(SavedView, pk=view_id, workspace=request.workspace, member=request.member)
    actions.delete_view(view)
    messages.success(request, _("The view “%(name)s” is gone.") % {"name": view.name})
    return redirect(_river_address(request, view.address))


@require_POST
@permission_required(Permission.EXPORT)
def export(request: MemberRequest) -> HttpResponse:
    """Write what the filter lets through to a file, in the background."""
    now = timezone.now()
    asked = read_filter(QueryDict(request.POST.get("address", "")))
    try:
        bounded = asked.period or asked.since or asked.until
        period = (
            _period(asked, viewer=request.member, now=now, zone=timezone.get_current_timezone()) if bounded else None
        )
        job = actions.start_export(
            request.workspace,
            query=asked.query,
            format=request.POST.get("format", "csv"),
            since=period.since if period else None,
            until=period.until if period else None,
            monitors=mentions.with_monitors(asked, viewer=request.member).monitors,
            by=request.user,
            now=now,
        )
    except (actions.Refused, BadPeriod) as error:
        messages.error(request, str(error))
        return redirect(_river_address(request, asked.address))
    return redirect("listening:job", request.workspace.slug, job.pk)


def _frame(request: MemberRequest, asked: Filter, monitors: Sequence[Monitor], *, now: datetime) -> dict[str, Any]:
    """What stands around the list: the filter's rows, the period in words, views."""
    zone = timezone.get_current_timezone()
    base = reverse("listening:river", args=(request.workspace.slug,))
    found: dict[str, Any] = {
        "asked": asked,
        "query": asked.words,
        "monitors": monitors,
        "address": base,
        "full_address": f"{base}?{asked.address}" if asked.address else base,
        "facets": [],
        "monitor_chips": _monitor_chips(asked, monitors, base, {}),
        "to_mentions": f"{base}?{replace(asked, found='any').address}",
        "to_every": _address(base, replace(asked, found="", monitors=())),
        "is_of_monitors": bool(asked.found or asked.monitors),
        "is_narrowed": replace(asked, found="").narrows,
        "cleared": f"{base}?{Filter(found='any').address}" if asked.found or asked.monitors else base,
        "carried": asked.without("words").pairs,
        "carried_without_period": _with_period(asked, "").pairs,
        "others": _others(asked, base),
        "views": _views(request.member, base, asked),
        "period": None,
        "period_error": "",
        "formatted": _formatted(asked.words),
        "as_query": asked.query,
    }
    try:
        period = _period(asked, viewer=request.member, now=now, zone=zone)
    except BadPeriod as error:
        return found | {"period_error": str(error)}
    facets = series.facets(asked.monitors, period, viewer=request.member)
    return found | {
        "period": period,
        "period_words": period_words(period),
        "monitor_chips": _monitor_chips(
            asked, monitors, base, _tallies(asked, monitors, period, viewer=request.member)
        ),
        "zone": str(zone),
        "facets": _facets(asked, facets, monitors, base, period),
    }


def _period(asked: Filter, *, viewer: Member, now: datetime, zone: Any) -> Period:
    covered = series.coverage(viewer=viewer)
    held = zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")
    return read_period(
        asked.period or "all",
        since=asked.since,
        until=asked.until,
        now=now,
        zone=held,
        first=covered.first,
        last=covered.last,
    )


def _listed(
    viewer: Member,
    asked: Filter,
    bounds: Period | None,
    monitors: Sequence[Monitor],
    *,
    before: int | None,
    now: datetime,
) -> dict[str, Any]:
    apart = asked.copies == "apart"
    found = _looked(viewer, asked, bounds, before=before, now=now, apart=apart)
    grouped = [Family(post) for post in found.posts] if apart else first_families(found.posts, mentions.PAGE)
    shown = sum(len(family.posts) for family in grouped)
    last, reached = found.older, found.reached
    if shown < len(found.posts):
        last, reached = found.posts[shown - 1]["id"], None
    older = "&".join(part for part in (asked.address, f"before={last}") if part) if last is not None else ""
    return {
        "cards": _family_cards(viewer, grouped, monitors, asked, now=now),
        "shown": shown,
        "switched": replace(asked, copies="" if apart else "apart").address,
        "older": older,
        "reached": reached,
        "newest": found.posts[0]["id"] if found.posts and before is None else 0,
        "version": mentions.version(viewer=viewer),
        "is_first": before is None,
    }


def _looked(
    viewer: Member, asked: Filter, bounds: Period | None, *, before: int | None, now: datetime, apart: bool
) -> mentions.Mentions:
    """The posts of a page: where copies stand together, on until a text comes that no longer fits on it.

    Most often that is the post after the last: reading as many as copies might take cost three times as much.
    """
    size = mentions.PAGE if apart else mentions.PAGE + 1
    posts: tuple[mentions.Post, ...] = ()
    while True:
        found = mentions.mentions(
            asked, viewer=viewer, period=bounds, now=now, before=before, limit=size, columns=COLUMNS
        )
        posts += found.posts
        is_full = apart or len(families(posts)) > mentions.PAGE or len(posts) >= mentions.PAGE * COPIES_MOST
        if is_full or found.older is None or found.reached is not None:
            return replace(found, posts=posts)
        before, size = found.older, min(size, mentions.PAGE * COPIES_MOST - len(posts))


def _cards(
    viewer: Member, posts: Sequence[mentions.Post], monitors: Sequence[Monitor], asked: Filter, *, now: datetime
) -> list[Card]:
    cards = Cards(viewer.workspace.slug, monitors, now=now, words=mentions.compiled_words(asked.words, now=now))
    corrected = mentions.corrected_tasks([post["id"] for post in posts], viewer=viewer)
    return [cards.card(post, corrected=corrected.get(post["id"], ())) for post in posts]


def _family_cards(
    viewer: Member, grouped: Sequence[Family], monitors: Sequence[Monitor], asked: Filter, *, now: datetime
) -> list[Card]:
    cards = Cards(viewer.workspace.slug, monitors, now=now, words=mentions.compiled_words(asked.words, now=now))
    heads = [family.post for family in grouped]
    corrected = mentions.corrected_tasks([post["id"] for post in heads], viewer=viewer)
    whole = mentions.completed(heads, cards.beyond(heads), viewer=viewer)
    shown = [replace(family, post=post) for family, post in zip(grouped, whole, strict=True)]
    return [cards.family(family, corrected=corrected) for family in shown]


def _facets(
    asked: Filter, counted: dict[str, list[tuple[str, int]]], monitors: Sequence[Monitor], base: str, period: Period
) -> list[Facet]:
    """The rows of the filter; counts are those of the period and, where just one is chosen, of the monitor."""

    def address(changed: Filter) -> str:
        return f"{base}?{changed.address}" if changed.address else base

    def choices(name: str, values: Sequence[tuple[str, int]], label: Any) -> list[Option]:
        held: tuple[str, ...] = getattr(asked, name)
        known = [value for value, _posts in values]
        rows = [*values[:FACET_MOST], *((value, 0) for value in held if value not in known[:FACET_MOST])]
        return [
            Option(label(value), address(asked.toggled(name, value)), value in held, posts)
            for value, posts in rows
            if value
        ]

    def facet(name: str, label: str, options: Sequence[Option]) -> Facet:
        chosen = [option.label for option in options if option.on]
        return Facet(name, label, ", ".join(chosen), options, address(asked.without(name)))

    spans = [
        Option(period_words(replace(period, name=name)), address(_with_period(asked, name)), asked.period == name)
        for name in NAMED
    ]
    spans.append(
        Option(_("all time"), address(_with_period(asked, "")), not (asked.period or asked.since or asked.until))
    )
    chosen = period_words(period) if asked.period or asked.since or asked.until else ""
    return [
        Facet("period", _("Period"), chosen, spans, address(_with_period(asked, ""))),
        facet("channels", _("Channel"), choices("channels", counted["channel"], channel_title)),
        facet(
            "sentiments",
            _("Sentiment"),
            choices("sentiments", counted["sentiment"], lambda value: str(SENTIMENT.get(value, value))),
        ),
        facet("languages", _("Language"), choices("languages", counted["language"], language_name)),
    ]


def _monitor_chips(
    asked: Filter, monitors: Sequence[Monitor], base: str, tallies: Mapping[int, int]
) -> list[tuple[Monitor, str, bool, int | None]]:
    """Each monitor, the organisation's own first, with its river, whether it is chosen, and its posts."""
    kinds = Monitor.Kind.values
    return [
        (
            monitor,
            _address(base, asked.toggled("monitors", str(monitor.pk))),
            monitor.pk in asked.monitors,
            tallies.get(monitor.pk),
        )
        for monitor in sorted(monitors, key=lambda monitor: kinds.index(monitor.kind))
    ]


def _tallies(asked: Filter, monitors: Sequence[Monitor], period: Period, *, viewer: Member) -> Mapping[int, int]:
    """How many posts each monitor found; nothing where the filter asks for what the counts do not hold."""
    if replace(asked, monitors=(), channels=(), sentiments=(), found="").narrows:
        return {}
    numbers = [monitor.pk for monitor in monitors]
    return series.totals(numbers, period, viewer=viewer, channels=asked.channels, sentiments=asked.sentiments)


def _address(base: str, asked: Filter) -> str:
    return f"{base}?{asked.address}" if asked.address else base


def _others(asked: Filter, base: str) -> list[tuple[str, str]]:
    """What came with the address and has no menu of its own: (words, the river without it)."""
    found = []
    for name in ("intents", "sources", "sites", "authors", "hashtags"):
        for value in getattr(asked, name):
            label = value_label("intent", value) if name == "intents" else f"#{value}" if name == "hashtags" else value
            found.append((label, f"{base}?{asked.toggled(name, value).address}"))
    return found


def _with_period(asked: Filter, name: str) -> Filter:
    return replace(asked, period=name, since="", until="")


def _views(viewer: Member, base: str, asked: Filter) -> list[dict[str, Any]]:
    return [
        {
            "id": view.pk,
            "name": view.name,
            "address": f"{base}?{view.address}" if view.address else base,
            "own": view.member_id == viewer.pk,
            "by": view.member,
            "on": view.address == asked.address,
        }
        for view in mentions.views_of(viewer=viewer)
    ]


def _formatted(words: str) -> str:
    """The words in one spelling, where that differs."""
    tree = check(words, stage="search").tree if 0 < len(words) <= LONGEST_WORDS else None
    neat = format_query(tree) if tree else ""
    return neat if neat != words else ""


def _noted(request: MemberRequest, post_id: int) -> HttpResponse:
    """After a correction: the card's notes anew, or back to where the person was."""
    if not request.htmx:
        back = request.headers.get("referer", "")
        safe = url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()})
        return redirect(back if safe else reverse("listening:post", args=(request.workspace.slug, post_id)))
    post = mentions.post_or_404(post_id, viewer=request.member)
    corrected = mentions.corrected_tasks([post_id], viewer=request.member).get(post_id, ())
    monitors = mentions.monitors_of(viewer=request.member)
    card = Cards(request.workspace.slug, monitors, now=timezone.now()).card(post, corrected=corrected)
    return render(request, "listening/river/noted.html", {"card": card})


def _river_address(request: MemberRequest, address: str) -> str:
    base = reverse("listening:river", args=(request.workspace.slug,))
    return f"{base}?{address}" if address else base


def _number(text: str | None) -> int | None:
    """A number from an address; None where there is none, 404 where it is none that a post could have."""
    if not text:
        return None
    try:
        number = int(text)
    except ValueError as error:
        raise Http404 from error
    if abs(number) >= LARGEST:
        raise Http404
    return number
