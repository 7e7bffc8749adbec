"""Counts over time, and whose voice is how large."""

from typing import Any, Literal
from zoneinfo import ZoneInfo

from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Id, Moment
from talkworthy.api.tokens import CallerRequest
from talkworthy.listening.periods import Period, read_period
from talkworthy.listening.selectors import series
from talkworthy.listening.selectors.monitors import monitor_or_404
from talkworthy.workspaces.models import Member

router = Router(tags=["series"])


class Span(Schema):
    """A span of full hours. Days are those of the workspace's time zone."""

    period: str = Field("30d", description="24h, 7d, 30d, 90d, 365d or all; `since` and `until` come before it.")
    since: str = Field("", description="A date or an ISO 8601 time.")
    until: str = ""


class AskedSeries(Span):
    """Which counts."""

    monitor: list[Id] = Field([], description="A series for each; without one, of every post.")
    channel: list[str] = []
    sentiment: list[str] = []


class AskedSentiment(Span):
    """Which counts, sentiment by sentiment."""

    monitor: Id | None = Field(None, description="Without one, every post.")
    channel: list[str] = []


class AskedVoice(Span):
    """Which monitors are compared."""

    monitor: list[Id] = Field(min_length=1)
    channel: list[str] = []


class AskedShares(Span):
    """By what the posts are divided."""

    by: Literal["channel", "language", "intent", "source", "site"]
    monitor: Id | None = Field(None, description="Without one, every post.")


class PointShape(Schema):
    """One step: posts from `since` up to `until`. Null where nothing of any kind was collected: a gap, not a zero."""

    since: Moment
    until: Moment
    posts: int | None


class SeriesShape(Schema):
    """Counts over time; `monitor` is null for every post, `before` the total of the span of equal length before."""

    monitor: Id | None
    sentiment: str | None
    points: list[PointShape]
    total: int
    before: int | None


class SeriesAnswer(Schema):
    """Series over one span; `grain` is hour, day, week or month."""

    since: Moment
    until: Moment
    grain: str
    series: list[SeriesShape]


class ShareShape(Schema):
    """One part of a whole, with the 95 % Wilson interval of its share and the share in the span before."""

    value: str
    posts: int
    of: int
    share: float
    low: float
    high: float
    share_before: float | None


class SharesAnswer(Schema):
    """Parts of a whole, the largest first."""

    since: Moment
    until: Moment
    shares: list[ShareShape]


@operation(router, "GET", "/series", scope="series:read", response=SeriesAnswer)
def get_series(request: CallerRequest, asked: Query[AskedSeries]) -> dict[str, Any]:
    """Posts over time, of each monitor, narrowed to channels and sentiments."""
    known_names(request, AskedSeries)
    viewer = request.auth.member
    period = _period(asked, viewer)
    numbers = _monitors(asked.monitor, viewer) or [series.EVERY_POST]
    narrowed: dict[str, Any] = {"viewer": viewer, "channels": asked.channel, "sentiments": asked.sentiment}
    found = series.volume(numbers, period, **narrowed)
    before = series.totals(numbers, period.before, **narrowed)
    rows = [_series(found[number], number, before=before[number]) for number in numbers]
    return {**_told(period), "grain": period.grain, "series": rows}


@operation(router, "GET", "/series/sentiment", scope="series:read", response=SeriesAnswer)
def get_sentiment(request: CallerRequest, asked: Query[AskedSentiment]) -> dict[str, Any]:
    """Posts of a monitor over time, sentiment by sentiment; `undecided` is one of them."""
    known_names(request, AskedSentiment)
    viewer = request.auth.member
    period, number = _period(asked, viewer), _monitor(asked.monitor, viewer)
    found = series.sentiment_over_time(number, period, viewer=viewer, channels=asked.channel)
    rows = [_series(points, number, sentiment=sentiment) for sentiment, points in found.items()]
    return {**_told(period), "grain": period.grain, "series": rows}


@operation(router, "GET", "/series/voice", scope="series:read", response=SharesAnswer)
def get_share_of_voice(request: CallerRequest, asked: Query[AskedVoice]) -> dict[str, Any]:
    """Each monitor's part of all their mentions; `value` is the monitor. A post of two monitors counts for each."""
    known_names(request, AskedVoice)
    viewer = request.auth.member
    period = _period(asked, viewer)
    found = series.share_of_voice(_monitors(asked.monitor, viewer), period, viewer=viewer, channels=asked.channel)
    return {**_told(period), "shares": [_share(share) for share in found]}


@operation(router, "GET", "/series/shares", scope="series:read", response=SharesAnswer)
def get_shares(request: CallerRequest, asked: Query[AskedShares]) -> dict[str, Any]:
    """Posts of a monitor by channel; or by language, intent, source or site, then in whole days of UTC."""
    known_names(request, AskedShares)
    viewer = request.auth.member
    period, number = _period(asked, viewer), _monitor(asked.monitor, viewer)
    if asked.by == "channel":
        found = series.channel_shares(number, period, viewer=viewer)
    else:
        period = period.of_sources()
        found = series.dimension_shares(number, (asked.by,), period, viewer=viewer)[asked.by]
    return {**_told(period), "shares": [_share(share) for share in found]}


def _period(asked: Span, viewer: Member) -> Period:
    """The span; a named one ends now, as on the pages."""
    held = series.coverage(viewer=viewer)
    return read_period(
        asked.period,
        since=asked.since,
        until=asked.until,
        now=held.standing_now(timezone.now()),
        zone=ZoneInfo(viewer.workspace.timezone),
        first=held.first,
        last=held.last,
    )


def _monitors(numbers: list[str], viewer: Member) -> list[int]:
    return [monitor_or_404(int(number), viewer=viewer).pk for number in dict.fromkeys(numbers)]


def _monitor(number: str | None, viewer: Member) -> int:
    return series.EVERY_POST if number is None else monitor_or_404(int(number), viewer=viewer).pk


def _told(period: Period) -> dict[str, Any]:
    return {"since": period.since, "until": period.until}


def _series(
    points: tuple[series.Point, ...], number: int, *, sentiment: str | None = None, before: int | None = None
) -> dict[str, Any]:
    steps = [{"since": point.bucket.since, "until": point.bucket.until, "posts": point.posts} for point in points]
    return {
        "monitor": None if number == series.EVERY_POST else str(number),
        "sentiment": sentiment,
        "points": steps,
        "total": sum(point.posts or 0 for point in points),
        "before": before,
    }


def _share(share: series.Share) -> dict[str, Any]:
    return {
        "value": share.value,
        "posts": share.posts,
        "of": share.of,
        "share": share.share,
        "low": share.low,
        "high": share.high,
        "share_before": share.share_before,
    }
