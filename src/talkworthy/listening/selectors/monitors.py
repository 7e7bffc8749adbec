"""Monitors with what is worth knowing of them: volume, precision, versions, backtests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from django.db.models import Count, Q
from django.http import Http404
from django.shortcuts import get_object_or_404

from talkworthy.listening.models import Job, Mark, Monitor, MonitorVersion
from talkworthy.listening.periods import NAMED, Period
from talkworthy.listening.planning import wilson
from talkworthy.listening.selectors import series
from talkworthy.listening.selectors.series import Change, Point
from talkworthy.workspaces.models import Member


@dataclass(frozen=True)
class Precision:
    """The share of marked mentions that rightly belong, with its 95 % Wilson interval."""

    right: int
    n: int

    @property
    def share(self) -> float | None:
        """0 to 1; None without a mark."""
        return self.right / self.n if self.n else None

    @property
    def low(self) -> float:
        """Lower end of the interval."""
        return wilson(self.right, self.n)[0]

    @property
    def high(self) -> float:
        """Upper end of the interval."""
        return wilson(self.right, self.n)[1]


@dataclass(frozen=True)
class Listed:
    """A monitor in the list."""

    monitor: Monitor
    points: Sequence[Point]
    week: Change
    precision: Precision
    is_matching: bool


def listed_monitors(*, viewer: Member, period: Period) -> list[Listed]:
    """The monitors with their volume in the period; its last seven days are compared with those before."""
    monitors = (
        Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None)
        .select_related("owner__user")
        .order_by("name")
    )
    kept = list(monitors)
    volumes = series.sparklines(kept, period, viewer=viewer)
    marks = precisions(kept)
    matching = set(
        Job.objects.filter(
            workspace_id=viewer.workspace_id, kind=Job.Kind.REMATCH, state__in=(Job.State.WAITING, Job.State.RUNNING)
        ).values_list("monitor_id", flat=True)
    )
    week = replace(period, since=period.until - NAMED["7d"], name="7d")
    numbers = [monitor.pk for monitor in kept]
    now, before = series.totals(numbers, week, viewer=viewer), series.totals(numbers, week.before, viewer=viewer)
    return [
        Listed(
            monitor,
            volumes[monitor.pk],
            series.change(now[monitor.pk], before[monitor.pk]),
            marks.get(monitor.pk, Precision(0, 0)),
            monitor.pk in matching,
        )
        for monitor in kept
    ]


def monitor_or_404(monitor_id: int, *, viewer: Member) -> Monitor:
    """A monitor of the viewer's workspace that is not deleted."""
    return get_object_or_404(
        Monitor.objects.select_related("owner__user", "workspace"),
        pk=monitor_id,
        workspace_id=viewer.workspace_id,
        deleted_at=None,
    )


def deleted_monitor_or_404(monitor_id: int, *, viewer: Member) -> Monitor:
    """A deleted monitor of the viewer's workspace."""
    return get_object_or_404(
        Monitor.objects.exclude(deleted_at=None).select_related("workspace"),
        pk=monitor_id,
        workspace_id=viewer.workspace_id,
    )


def precisions(monitors: Sequence[Monitor]) -> dict[int, Precision]:
    """Precision from the marks that were made of the version that holds now."""
    current = Q()
    for monitor in monitors:
        current |= Q(monitor_id=monitor.pk, version=monitor.version)
    if not monitors:
        return {}
    rows = (
        Mark.objects.filter(current)
        .values_list("monitor_id")
        .annotate(n=Count("pk"), right=Count("pk", filter=Q(right=True)))
    )
    return {monitor: Precision(right, n) for monitor, n, right in rows}


def versions_of(monitor: Monitor) -> list[MonitorVersion]:
    """Its queries as they stood, the newest first."""
    return list(MonitorVersion.objects.filter(monitor=monitor).select_related("by"))


def backtests_of(monitor: Monitor, limit: int = 5) -> list[Job]:
    """The newest backtests of a monitor."""
    return list(Job.objects.filter(monitor=monitor, kind=Job.Kind.BACKTEST).select_related("by")[:limit])


def rematch_of(monitor: Monitor) -> Job | None:
    """The matching of history that waits or is under way."""
    return Job.objects.filter(
        monitor=monitor, kind=Job.Kind.REMATCH, state__in=(Job.State.WAITING, Job.State.RUNNING)
    ).first()


def backtest_or_404(job_id: int, *, viewer: Member) -> Job:
    """A backtest of the viewer's workspace."""
    job = (
        Job.objects.filter(pk=job_id, workspace_id=viewer.workspace_id, kind=Job.Kind.BACKTEST)
        .select_related("monitor")
        .first()
    )
    if job is None:
        raise Http404
    return job
