"""Trends: how much, whose, how it sounds, where; every figure leads to its rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET
from django.views.decorators.vary import vary_on_headers

from talkworthy.listening import charts
from talkworthy.listening.filters import Filter, read_filter, span_address
from talkworthy.listening.labels import INTENT, NAME_KIND, SENTIMENT, channel_title, language_name
from talkworthy.listening.models import Monitor
from talkworthy.listening.periods import NAMED, BadPeriod, Period, read_period
from talkworthy.listening.planning import wilson
from talkworthy.listening.selectors import mentions, series
from talkworthy.listening.selectors.memes import query_of, rising_memes
from talkworthy.listening.selectors.names import kinds_of, names_said
from talkworthy.listening.selectors.series import EVERY_POST, Change, Counts, Point, Share
from talkworthy.listening.views.drawing import FORMS, Drawn, drawn, exported, plotted
from talkworthy.listening.views.naming import period_words, short_period
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

MOST_LINES = 6
VAGUE = ("undecided", "other")
"""Values that make no sentence while there is another."""

MOST_BARS, MOST_ROWS = 10, 50
SENTIMENT_COLOURS = {"positive": "positive", "neutral": "line-control", "negative": "negative", "undecided": "line-2"}


@dataclass(frozen=True)
class Asked:
    """What the page compares (`chosen`), whom it looks into (`focus`, None: every post), and when."""

    viewer: Member
    base: Filter
    chosen: Sequence[Monitor]
    focus: Monitor | None
    period: Period
    now: datetime
    river: str
    exports: str
    parameters: str
    monitors: Sequence[Monitor]
    counts: Counts
    is_past: bool
    is_empty: bool

    @property
    def number(self) -> int:
        """The cube's number of the focus."""
        return self.focus.pk if self.focus else EVERY_POST

    @property
    def name(self) -> str:
        """The focus in words."""
        return self.focus.name if self.focus else _("All posts")

    @property
    def colour(self) -> str:
        """The focus's colour."""
        return self.focus.colour if self.focus else "slate"

    def rows(self, **changes: Any) -> Filter:
        """The filter of the focus's rows."""
        monitors = (self.focus.pk,) if self.focus else ()
        return replace(self.base, monitors=monitors, words="", period="", since="", until="", **changes)

    def address(self, asked: Filter, since: datetime, until: datetime) -> str:
        """The river with exactly these rows."""
        return f"{self.river}?{asked.over(since, until).address}"

    def addresses(self, asked: Filter, points: Sequence[Point]) -> list[str]:
        """The river with the rows of each point."""
        narrowed = replace(asked, period="", since="", until="").address
        before = f"{self.river}?{narrowed}&" if narrowed else f"{self.river}?"
        return [before + span_address(point.bucket.since, point.bucket.until) for point in points]


@require_GET
@permission_required(Permission.READ)
def trends(request: MemberRequest) -> HttpResponse:
    """The charts of a period."""
    try:
        asked = _asked(request)
    except BadPeriod as error:
        return render(request, "listening/trends/trends.html", {"period_error": str(error), "monitors": []})
    held = {monitor.pk for monitor in asked.chosen}
    monitors = asked.monitors
    base = reverse("listening:trends", args=(request.workspace.slug,))
    context = {
        "asked": asked,
        "base": asked.base,
        "period_words": period_words(asked.period),
        "monitors": [(monitor, _toggled(request, base, monitor, held), monitor.pk in held) for monitor in monitors],
        "focuses": [
            (
                monitor,
                _with(request, base, of=str(monitor.pk)),
                asked.focus is not None and monitor.pk == asked.focus.pk,
            )
            for monitor in monitors
        ],
        "every_post": (_with(request, base, of="0"), asked.focus is None),
        "periods": [
            (
                short_period(name),
                _with(request, base, period=name, since="", until=""),
                asked.period.name == name,
            )
            for name in (*NAMED, "all")
        ],
        "figures": _figures(asked),
        "compared": [
            replace(chart, width=width) for chart, width in ((_volume(asked), 700), (_share(asked), 400)) if chart
        ],
        "inside": [
            replace(chart, width=1060 if chart.key == "sentiment" else 520)
            for chart in (_BUILDERS[key](asked) for key in _INSIDE)
            if chart
        ],
        "by_channel": bool(asked.base.channels),
        "memes": f"{reverse('listening:memes', args=(request.workspace.slug,))}?{request.GET.urlencode()}",
        "names": f"{reverse('listening:names', args=(request.workspace.slug,))}?{request.GET.urlencode()}",
        "is_past": asked.is_past,
        "is_empty": asked.is_empty,
        "vega": reverse("listening:vega", args=(request.workspace.slug,)),
    }
    return render(request, "listening/trends/trends.html", context)


@require_GET
@permission_required(Permission.READ)
def chart(request: MemberRequest, key: str, form: str) -> HttpResponse:
    """One chart as PNG, SVG or CSV."""
    if key not in _BUILDERS or form not in FORMS:
        raise Http404
    try:
        built = _BUILDERS[key](_asked(request))
    except BadPeriod as error:
        raise Http404(str(error)) from error
    if built is None:
        raise Http404(_("There is nothing to draw: no post in this period."))
    return exported(built, form)


@require_GET
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def memes(request: MemberRequest) -> HttpResponse:
    """What rises in the period against the time before; a part of the page that comes when it is ready."""
    try:
        asked = _asked(request)
    except BadPeriod as error:
        raise Http404(str(error)) from error
    numbers = [asked.focus.pk] if asked.focus else []
    found = rising_memes(numbers, asked.period, viewer=request.member)
    kinds = kinds_of(found.memes)
    rows = [
        (
            meme,
            asked.address(Filter(words=query_of(meme), monitors=tuple(numbers)), found.since, found.until),
            NAME_KIND.get(kinds.get(meme.term.text, ""), ""),
        )
        for meme in found.memes
    ]
    context = {
        "asked": asked,
        "found": found,
        "rows": rows,
        "uid_address": reverse("listening:find_post", args=(request.workspace.slug,)),
    }
    return render(
        request, "listening/trends/memes.html" if not request.htmx else "listening/trends/memes.html#rising", context
    )


@require_GET
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def names(request: MemberRequest) -> HttpResponse:
    """Persons, organisations and places that the newest posts of the period name most; a part that comes when ready."""
    try:
        asked = _asked(request)
    except BadPeriod as error:
        raise Http404(str(error)) from error
    numbers = (asked.focus.pk,) if asked.focus else ()
    found = names_said(numbers, asked.period, viewer=request.member)
    since = found.since if found.is_cut and found.since else asked.period.since
    rows = [
        (
            name,
            NAME_KIND[name.kind],
            asked.address(Filter(words=name.query, monitors=numbers), since, asked.period.until),
        )
        for name in found.names
    ]
    template = "listening/trends/names.html" if not request.htmx else "listening/trends/names.html#said"
    return render(request, template, {"asked": asked, "found": found, "rows": rows})


@require_GET
@permission_required(Permission.READ)
@cache_control(max_age=31_536_000, immutable=True, private=True)
def vega(request: MemberRequest) -> HttpResponse:
    """The script that makes charts answer to the pointer; made once, from what is installed."""
    return HttpResponse(_bundle(), content_type="text/javascript; charset=utf-8")


@cache
def _bundle() -> bytes:
    path = Path(settings.DATA) / "cache" / f"vega-{charts.VEGA_LITE}.js"
    if path.exists():
        return path.read_bytes()
    body = charts.browser_bundle().encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(body)
    fresh.replace(path)
    return body


def _asked(request: MemberRequest) -> Asked:
    base = read_filter(request.GET)
    viewer, now = request.member, timezone.now()
    zone = timezone.get_current_timezone()
    covered = series.coverage(viewer=viewer)
    held = zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")
    standing = covered.standing_now(now)
    period = read_period(
        base.period or "30d",
        since=base.since,
        until=base.until,
        now=standing,
        zone=held,
        first=covered.first,
        last=covered.last,
    )
    monitors = mentions.monitors_of(viewer=viewer)
    chosen = [monitor for monitor in monitors if monitor.pk in base.monitors] or _loudest(monitors, period, viewer)
    focus = _focus(request.GET.get("of", ""), monitors, chosen)
    slug = viewer.workspace.slug
    return Asked(
        viewer=viewer,
        base=base,
        chosen=chosen,
        focus=focus,
        period=period,
        now=now,
        river=reverse("listening:river", args=(slug,)),
        exports=reverse("listening:trends", args=(slug,)),
        parameters=request.GET.urlencode(),
        monitors=monitors,
        counts=Counts(
            [monitor.pk for monitor in chosen],
            focus.pk if focus else EVERY_POST,
            period,
            viewer=viewer,
            channels=base.channels,
            sentiments=base.sentiments,
        ),
        is_past=standing != now,
        is_empty=covered.first is None,
    )


def _loudest(monitors: Sequence[Monitor], period: Period, viewer: Member) -> list[Monitor]:
    """The monitors with the most mentions, in the order of their names."""
    counted = series.totals([monitor.pk for monitor in monitors], period, viewer=viewer)
    loud = sorted(monitors, key=lambda monitor: -counted[monitor.pk])[:MOST_LINES]
    return sorted(loud, key=lambda monitor: monitor.name.lower())


def _focus(of: str, monitors: Sequence[Monitor], chosen: Sequence[Monitor]) -> Monitor | None:
    """The monitor that is looked into: the asked one, the first brand, the first chosen, or every post."""
    if of == "0":
        return None
    asked = [monitor for monitor in monitors if str(monitor.pk) == of]
    brands = [monitor for monitor in chosen if monitor.kind == Monitor.Kind.BRAND]
    return next(iter([*asked, *brands, *chosen]), None)


def _volume(asked: Asked) -> Drawn | None:
    """Mentions over time, a line for each monitor that is compared; every post where there is no monitor."""
    numbers = [monitor.pk for monitor in asked.chosen] or [EVERY_POST]
    volumes = {number: asked.counts.volume[number] for number in numbers}
    names: Mapping[int, tuple[str, str]] = {monitor.pk: (monitor.name, monitor.colour) for monitor in asked.chosen} or {
        EVERY_POST: (_("All posts"), "slate")
    }
    lines = []
    for number, points in volumes.items():
        rows = Filter(
            monitors=(number,) if number else (), channels=asked.base.channels, sentiments=asked.base.sentiments
        )
        lines.append(charts.Line(*names[number], points, asked.addresses(rows, points)))
    sums = {number: sum(point.posts or 0 for point in points) for number, points in volumes.items()}
    total = sum(sums.values())
    if not total:
        return None
    top = max(sums, key=lambda number: sums[number])
    spec = (
        charts.lines(lines, asked.period, words=plotted(), now=asked.now)
        if len(lines) > 1
        else charts.bars(lines[0], asked.period, words=plotted(), now=asked.now)
    )
    said = {"name": names[top][0], "n": _n(sums[top]), "all": _n(total), "period": period_words(asked.period)}
    title = (
        _("%(name)s is talked about most: %(n)s of %(all)s mentions in %(period)s") % said
        if len(lines) > 1
        else _("%(name)s: %(n)s mentions in %(period)s") % said
    )
    table = [
        [
            (charts.bucket_name(point.bucket.since, asked.period), ""),
            *((line.points[place].posts, line.addresses[place]) for line in lines),
        ]
        for place, point in enumerate(lines[0].points)
    ]
    foot = _gap_words(asked.period)
    if len(lines) > 1:
        foot = _("A post that two monitors find counts for both.") + " " + foot
    return _drawn(
        asked,
        "volume",
        title,
        spec,
        total,
        [_("From"), *(line.name for line in lines)],
        table,
        foot=foot,
        unit=ngettext("mention", "mentions", total),
    )


def _share(asked: Asked) -> Drawn | None:
    """Whose part of all mentions of the compared monitors."""
    if len(asked.chosen) < 2:
        return None
    named = {str(monitor.pk): monitor for monitor in asked.chosen}
    shares = asked.counts.share_of_voice
    if not shares:
        return None
    address = {
        share.value: asked.address(
            Filter(monitors=(int(share.value),), channels=asked.base.channels), asked.period.since, asked.period.until
        )
        for share in shares
    }
    bars = [
        charts.Bar(named[s.value].name, named[s.value].colour, s.posts, _labelled(s), address[s.value]) for s in shares
    ]
    first = shares[0]
    title = _("%(name)s has %(share)s of the voice among %(n)s monitors") % {
        "name": named[first.value].name,
        "share": _percent(first.share),
        "n": len(asked.chosen),
    }
    table = _share_rows(shares, lambda value: named[value].name, lambda value: address[value])
    foot = _(
        "Share: mentions of a monitor divided by those of all compared. A post that two monitors find counts for both."
    )
    return _drawn(
        asked,
        "share",
        title,
        charts.ranking(bars, words=plotted()),
        first.of,
        _share_columns(_("Monitor")),
        table,
        foot=foot,
        unit=_("mentions"),
    )


def _sentiment(asked: Asked) -> Drawn | None:
    """How the focus sounds over time."""
    found = asked.counts.sentiment
    sums = {key: sum(point.posts or 0 for point in points) for key, points in found.items()}
    total = sum(sums.values())
    if not total:
        return None
    kept = [key for key in found if sums[key] or key in ("positive", "neutral", "negative")]
    lines = []
    for key in kept:
        rows = asked.rows(sentiments=(key,))
        named = str(SENTIMENT.get(key, key))
        colour = SENTIMENT_COLOURS.get(key, "line-2")
        lines.append(charts.Line(named, colour, found[key], asked.addresses(rows, found[key])))
    said = {
        "name": asked.name,
        "positive": _percent(sums["positive"] / total),
        "negative": _percent(sums["negative"] / total),
    }
    title = _("%(name)s: %(negative)s negative, %(positive)s positive") % said
    table = [
        [
            (charts.bucket_name(point.bucket.since, asked.period), ""),
            *((line.points[place].posts, line.addresses[place]) for line in lines),
        ]
        for place, point in enumerate(lines[0].points)
    ]
    foot = _("“Undecided” is a share of its own: the model was not sure enough.") + " " + _gap_words(asked.period)
    return _drawn(
        asked,
        "sentiment",
        title,
        charts.stack(lines, asked.period, words=plotted(), now=asked.now),
        total,
        [_("From"), *(line.name for line in lines)],
        table,
        foot=foot,
    )


def _channels(asked: Asked) -> Drawn | None:
    """Where the focus is talked about."""
    shares = asked.counts.channel_shares
    said = _("%(name)s is heard most on %(value)s: %(share)s")
    return _ranked(
        asked,
        "channels",
        shares,
        asked.period,
        column=_("Channel"),
        said=said,
        label=channel_title,
        narrow=lambda value: asked.rows(channels=(value,)),
    )


def _languages(asked: Asked) -> Drawn | None:
    """In which languages."""
    said = _("%(name)s is talked about most in %(value)s: %(share)s")
    return _by_day(
        asked,
        "languages",
        "language",
        column=_("Language"),
        said=said,
        label=language_name,
        narrow=lambda value: asked.rows(languages=(value,)),
    )


def _intents(asked: Asked) -> Drawn | None:
    """What people want."""
    said = _("%(name)s, what people want most often: %(value)s, %(share)s")
    return _by_day(
        asked,
        "intents",
        "intent",
        column=_("Intent"),
        said=said,
        label=lambda value: str(INTENT.get(value, value)),
        narrow=lambda value: asked.rows(intents=(value,)),
    )


def _sites(asked: Asked) -> Drawn | None:
    """On which sites."""
    said = _("%(name)s, the site with most posts: %(value)s, %(share)s")
    return _by_day(
        asked, "sites", "site", column=_("Site"), said=said, label=str, narrow=lambda value: asked.rows(sites=(value,))
    )


def _communities(asked: Asked) -> Drawn | None:
    """In which communities: subreddits, forum categories, repositories, lists."""
    said = _("%(name)s, the community that talks most: %(value)s, %(share)s")
    return _by_day(
        asked,
        "communities",
        "community",
        column=_("Community"),
        said=said,
        label=str,
        narrow=lambda value: replace(asked.rows(), words=f'subreddit:"{value}"'),
    )


def _by_day(
    asked: Asked,
    key: str,
    dimension: str,
    *,
    column: str,
    said: str,
    label: Callable[[str], str],
    narrow: Callable[[str], Filter],
) -> Drawn | None:
    """A ranking from the cube of days, which knows no channel: left out where one is chosen."""
    if asked.base.channels:
        return None
    shares = asked.counts.dimension_shares[dimension]
    return _ranked(asked, key, shares, asked.period.of_sources(), column=column, said=said, label=label, narrow=narrow)


def _ranked(
    asked: Asked,
    key: str,
    shares: Sequence[Share],
    period: Period,
    *,
    column: str,
    said: str,
    label: Callable[[str], str],
    narrow: Callable[[str], Filter],
) -> Drawn | None:
    """A ranking of values with their shares; posts without a value are counted below, not drawn."""
    named = [share for share in shares if share.value]
    if not named:
        return None
    shown = named[:MOST_BARS]
    address = {
        share.value: asked.address(narrow(share.value), period.since, period.until) for share in named[:MOST_ROWS]
    }
    bars = [charts.Bar(label(s.value), asked.colour, s.posts, _labelled(s), address[s.value]) for s in shown]
    first = next((share for share in named if share.value not in VAGUE), named[0])
    title = said % {"name": asked.name, "value": label(first.value), "share": _percent(first.share)}
    unnamed = sum(share.posts for share in shares if not share.value)
    feet = [_("%(n)s posts without one") % {"n": _n(unnamed)}] if unnamed else []
    feet += [_("%(n)s more in the table") % {"n": len(named) - len(shown)}] if len(named) > len(shown) else []
    table = _share_rows(named, label, lambda value: address.get(value, ""))
    foot = " · ".join(feet)
    return drawn(
        key,
        title,
        charts.ranking(bars, words=plotted()),
        period=period,
        n=first.of,
        columns=_share_columns(column),
        rows=table,
        exports=f"{asked.exports}{key}",
        parameters=asked.parameters,
        foot=foot,
        most=MOST_ROWS,
    )


def _drawn(
    asked: Asked,
    key: str,
    title: str,
    spec: charts.Spec,
    n: int,
    columns: Sequence[str],
    rows: Sequence[Any],
    *,
    foot: str,
    unit: str = "",
) -> Drawn:
    return drawn(
        key,
        title,
        spec,
        period=asked.period,
        n=n,
        columns=columns,
        rows=rows,
        exports=f"{asked.exports}{key}",
        parameters=asked.parameters,
        unit=unit,
        foot=foot,
    )


def _share_columns(first: str) -> list[str]:
    return [first, _("Posts"), _("Share"), _("95 % interval"), _("Share before")]


def _share_rows(
    shares: Sequence[Share], label: Callable[[str], str], address: Callable[[str], str]
) -> list[list[tuple[Any, str]]]:
    return [
        [
            (label(share.value), ""),
            (share.posts, address(share.value)),
            (_percent(share.share), ""),
            (f"{_percent(share.low)} – {_percent(share.high)}", ""),
            ("–" if share.share_before is None else _percent(share.share_before), ""),
        ]
        for share in shares
    ]


def _figures(asked: Asked) -> list[dict[str, Any]]:
    """The focus in numbers, each against the period before."""
    period = asked.period
    now, before = asked.counts.engagement[asked.number]
    rows = asked.address(asked.rows(channels=asked.base.channels), period.since, period.until)
    found = [
        {
            "name": _("Mentions of %(name)s") % {"name": asked.name} if asked.focus else _("Posts"),
            "value": _n(now.posts),
            "beneath": change_words(series.change(now.posts, before.posts)),
            "n": now.posts,
            "address": rows,
        }
    ]
    by_sentiment = {key: sum(point.posts or 0 for point in points) for key, points in asked.counts.sentiment.items()}
    for key, name in (("positive", _("Positive")), ("negative", _("Negative"))):
        low, high = wilson(by_sentiment[key], now.posts)
        address = asked.address(asked.rows(channels=asked.base.channels, sentiments=(key,)), period.since, period.until)
        interval = _("95 %%: %(low)s to %(high)s") % {"low": _percent(low), "high": _percent(high)}
        found.append(
            {
                "name": name,
                "value": _percent(by_sentiment[key] / now.posts) if now.posts else "–",
                "beneath": interval if now.posts else "",
                "n": now.posts,
                "address": address,
            }
        )
    reactions = now.replies + now.shares + now.likes
    parts = _("%(replies)s replies, %(shares)s shares, %(likes)s likes") % {
        "replies": _n(now.replies),
        "shares": _n(now.shares),
        "likes": _n(now.likes),
    }
    found.append(
        {
            "name": _("Reactions, as last counted"),
            "value": _n(reactions),
            "beneath": parts,
            "n": now.posts,
            "address": rows,
        }
    )
    return found


def change_words(change: Change) -> str:
    """A change against the period before, with its interval, in words."""
    if change.ratio is None or change.low is None or change.high is None:
        return _("%(n)s in the period before") % {"n": _n(change.before)}
    ends = {"low": _signed(change.low), "high": _signed(change.high)}
    said = _("%(change)s against the period before (95 %%: %(low)s to %(high)s)") % {
        "change": _signed(change.ratio),
        **ends,
    }
    return said if change.is_clear else _("%(said)s: no clear change") % {"said": said}


def _labelled(share: Share) -> str:
    return f"{_n(share.posts)} · {_percent(share.share)}"


def _gap_words(period: Period) -> str:
    if period.grain == "hour":
        return _("Shaded: six hours or more without a post of any kind.")
    return _("Shaded: no post of any kind was collected.")


def _n(value: int) -> str:
    return number_format(value, use_l10n=True, force_grouping=True)


def _percent(share: float) -> str:
    places = 1 if 0 < share < 0.01 else 0
    return f"{number_format(round(share * 100, places), decimal_pos=places)} %"


def _signed(ratio: float) -> str:
    return f"{'+' if ratio >= 0 else '−'}{number_format(round(abs(ratio) * 100), decimal_pos=0, force_grouping=True)} %"


def _toggled(request: MemberRequest, base: str, monitor: Monitor, held: set[int]) -> str:
    """The page with a monitor more, or less, to compare."""
    parameters = request.GET.copy()
    parameters.setlist("monitor", [str(number) for number in sorted(held ^ {monitor.pk})])
    return f"{base}?{parameters.urlencode()}"


def _with(request: MemberRequest, base: str, **changes: str) -> str:
    """The page with parameters changed; empty ones are taken out."""
    parameters = request.GET.copy()
    for name, value in changes.items():
        if value:
            parameters[name] = value
        else:
            parameters.pop(name, None)
    return f"{base}?{parameters.urlencode()}"


_BUILDERS: dict[str, Callable[[Asked], Drawn | None]] = {
    "volume": _volume,
    "share": _share,
    "sentiment": _sentiment,
    "channels": _channels,
    "languages": _languages,
    "intents": _intents,
    "sites": _sites,
    "communities": _communities,
}
_INSIDE = ("sentiment", "intents", "channels", "languages", "sites", "communities")
