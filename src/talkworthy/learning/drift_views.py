"""The page of drift: recent days against the weeks before, with charts and the posts behind them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from talkworthy.learning import drifting, selectors
from talkworthy.learning.actions import SURE
from talkworthy.learning.looking import OTHERS
from talkworthy.listening import charts
from talkworthy.listening.alerts import drift_told
from talkworthy.listening.labels import TASK, value_label
from talkworthy.listening.periods import Bucket, Period
from talkworthy.listening.selectors.series import Point
from talkworthy.listening.views.drawing import FORMS, Drawn, drawn, exported
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

WEEK = timedelta(days=7)
COLOURS = {"positive": "positive", "neutral": "neutral", "negative": "negative", "undecided": "slate", OTHERS: "amber"}
FILTERS = {"sentiment": "sentiment", "intent": "intent", "detected_language": "lang"}
"""By what the river narrows to an answer of a task."""


@require_safe
@permission_required(Permission.READ)
def drift(request: MemberRequest, task: str) -> HttpResponse:
    """What the newest look found."""
    if task not in SURE:
        raise Http404
    look = selectors.newest_look(task, viewer=request.member)
    context: dict[str, Any] = {"task": task, "title": TASK[task], "look": look, "least": drifting.LEAST_POSTS}
    if look is not None:
        found = look.figures
        moments = {name: datetime.fromisoformat(found[name]) for name in ("since", "middle", "until")}
        context |= {
            "found": found,
            **moments,
            "figures": [(_NAMES[one["name"]], one, drift_told(one)) for one in found["compared"]],
            "recent_rows": _river(request, moments["middle"], moments["until"]),
            "reference_rows": _river(request, moments["since"], moments["middle"]),
            "charts": _charts(request, task, found, moments["since"], moments["until"]),
            "is_few": not any(one["name"] == "shares" for one in found["compared"]),
        }
    return render(request, "learning/drift.html", context)


@require_safe
@permission_required(Permission.READ)
def drift_file(request: MemberRequest, task: str, key: str, form: str) -> HttpResponse:
    """A chart of the newest look as a file: PNG, SVG, or its table as CSV."""
    look = selectors.newest_look(task, viewer=request.member) if task in SURE and form in FORMS else None
    if look is None:
        raise Http404(_("There is nothing to draw: nobody has looked yet."))
    since, until = (datetime.fromisoformat(look.figures[name]) for name in ("since", "until"))
    for chart in _charts(request, task, look.figures, since, until):
        if chart.key == _key(task, key):
            return exported(chart, form)
    raise Http404(_("There is no such chart."))


_NAMES = {
    "shares": "spread",
    "confidence": "probability",
    "undecided": "undecided",
    "precision": "labels",
}


def _charts(
    request: MemberRequest, task: str, found: Mapping[str, Any], since: datetime, until: datetime
) -> Sequence[Drawn]:
    weeks = found["weeks"]
    if not any(week["posts"] for week in weeks):
        return ()
    period = Period(since, until, ZoneInfo("UTC"))
    names = [answer for answer in found["answers"] if any(week["shares"][answer] for week in weeks)]
    shares = [_line(request, task, weeks, answer, place) for place, answer in enumerate(names)]
    sure = charts.Line(
        _("mean probability"),
        "blue",
        [_point(week, week["confidence"]) for week in weeks],
        [_week_rows(request, week) for week in weeks],
    )
    n = sum(week["posts"] for week in weeks)
    return (
        _drawn(request, task, "spread", _("How answers are spread, week by week"), shares, period, n),
        _drawn(request, task, "probability", _("How probable answers are, week by week"), [sure], period, n),
    )


def _line(
    request: MemberRequest, task: str, weeks: Sequence[Mapping[str, Any]], answer: str, place: int
) -> charts.Line:
    colour = COLOURS.get(answer, charts.COLOURS[place % len(charts.COLOURS)])
    narrowed = {} if answer == OTHERS else {FILTERS[task]: answer}
    return charts.Line(
        _("others") if answer == OTHERS else value_label(task, answer),
        colour,
        [_point(week, week["shares"][answer]) for week in weeks],
        [_week_rows(request, week, **narrowed) for week in weeks],
    )


def _point(week: Mapping[str, Any], share: float) -> Point:
    since = datetime.fromisoformat(week["since"])
    return Point(Bucket(since, since + WEEK), round(100 * share) if week["posts"] else None)


def _key(task: str, name: str) -> str:
    return f"drift-{task}-{name}"


def _drawn(
    request: MemberRequest, task: str, key: str, title: str, lines: Sequence[charts.Line], period: Period, n: int
) -> Drawn:
    words = charts.Words(posts="%", gap=_("no post that this version answered"))
    spec = charts.lines(lines, period, words=words, now=timezone.now())
    rows = [
        [(charts.bucket_name(point.bucket.since, period), "")]
        + [(line.points[place].posts, line.addresses[place]) for line in lines]
        for place, point in enumerate(lines[0].points)
    ]
    columns = [_("Week from"), *(f"{line.name}, %" for line in lines)]
    exports = f"{reverse('learning:drift', args=(request.workspace.slug, task))}{key}"
    return drawn(_key(task, key), title, spec, period=period, n=n, columns=columns, rows=rows, exports=exports)


def _week_rows(request: MemberRequest, week: Mapping[str, Any], **narrowed: str) -> str:
    since = datetime.fromisoformat(week["since"])
    return _river(request, since, since + WEEK, **narrowed)


def _river(request: MemberRequest, since: datetime, until: datetime, **narrowed: str) -> str:
    asked = {**narrowed, "since": since.isoformat(), "until": until.isoformat()}
    return f"{reverse('listening:river', args=[request.workspace.slug])}?{urlencode(asked)}"
