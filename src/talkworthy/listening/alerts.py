"""Who must be told: more than usual, a silent source, a monitor that finds nothing any more."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from smtplib import SMTPException
from typing import Any

from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.db.models import Sum
from django.utils.translation import gettext as _

from talkworthy.listening.collecting import source_key
from talkworthy.listening.labels import TASK
from talkworthy.listening.models import Alert, AlertRule, DayCube, HourCube, Monitor, Source
from talkworthy.listening.planning import how_unusual, is_silent
from talkworthy.workspaces.models import Workspace

log = logging.getLogger(__name__)

HISTORY = timedelta(days=28)
LEAST_HISTORY = 14
"""Like periods that must lie behind before a count can be called unusual."""


@dataclass(frozen=True)
class Sign:
    """Something a rule found: what it speaks of, and the figures."""

    period: str
    evidence: dict[str, Any]
    monitor: Monitor | None = None
    source: Source | None = None


def raise_alerts(workspace: Workspace, *, now: datetime) -> list[Alert]:
    """Look at every rule of a workspace; each speaks once of a period. Returns the new alerts."""
    raised = []
    for rule in AlertRule.objects.filter(workspace=workspace, enabled=True).select_related(
        "owner__user", "monitor", "source"
    ):
        for sign in _SIGNS[AlertRule.Kind(rule.kind)](rule, now):
            try:
                with transaction.atomic():
                    raised.append(
                        Alert.objects.create(
                            workspace=workspace,
                            rule=rule,
                            monitor=sign.monitor,
                            source=sign.source,
                            period=sign.period,
                            evidence=sign.evidence,
                            at=now,
                        )
                    )
            except IntegrityError:
                continue  # it has spoken of this already
    return raised


def mail_alerts(*, now: datetime) -> int:
    """Send the mails that are due, each once; one that cannot be sent is tried again at the next call."""
    sent = 0
    due = Alert.objects.filter(rule__by_mail=True, mailed_at=None, at__gte=now - timedelta(days=1))
    for alert in due.select_related("rule__owner__user", "workspace", "monitor", "source"):
        if not Alert.objects.filter(pk=alert.pk, mailed_at=None).update(mailed_at=now):
            continue
        address = f"{settings.CONFIGURATION.public_address}/{alert.workspace.slug}/alerts/"
        try:
            send_mail(
                headline(alert),
                f"{headline(alert)}\n\n{detail(alert)}\n\n{address}\n",
                None,
                [alert.rule.owner.user.email],
            )
            sent += 1
        except (SMTPException, OSError) as error:
            log.warning("alert %s could not be mailed: %s", alert.pk, error)
            Alert.objects.filter(pk=alert.pk).update(mailed_at=None)
    return sent


def headline(alert: Alert) -> str:
    """What happened, in one line."""
    if alert.rule.kind == AlertRule.Kind.UNUSUAL:
        return _("%(monitor)s: %(count)s mentions, %(expected)s are usual") % {
            "monitor": f"\u2068{alert.monitor}\u2069",
            "count": alert.evidence["count"],
            "expected": round(alert.evidence["expected"], 1),
        }
    if alert.rule.kind == AlertRule.Kind.SILENT:
        return _("%(source)s has gone silent") % {"source": f"\u2068{alert.source}\u2069"}
    if alert.rule.kind == AlertRule.Kind.DRIFT:
        return _("%(task)s: the model meets other posts than before") % {"task": TASK[alert.evidence["task"]]}
    return _("%(monitor)s finds nothing any more") % {"monitor": f"\u2068{alert.monitor}\u2069"}


def detail(alert: Alert) -> str:
    """The figures behind it."""
    evidence = alert.evidence
    if alert.rule.kind == AlertRule.Kind.UNUSUAL:
        return _(
            "From %(since)s to %(until)s. The %(n)s like hours before had %(expected)s on average; were nothing going "
            "on, so many or more would come with probability %(probability)s."
        ) % {**evidence, "expected": round(evidence["expected"], 2), "probability": f"{evidence['probability']:.1e}"}
    if alert.rule.kind == AlertRule.Kind.DRIFT:
        return drift_told(evidence)
    return str(_("Nothing since %(last)s; after %(limit)s hours that is unusual.") % evidence)


def drift_told(found: Mapping[str, Any]) -> str:
    """A figure of drift in words."""
    sides = {name: f"{100 * found[name]:.1f} %" for name in ("recent", "reference") if found[name] is not None}
    said = {
        "shares": _("Answers are spread otherwise: %(bits)s bits apart."),
        "confidence": _("Answers have a mean probability of %(recent)s, before %(reference)s."),
        "undecided": _("%(recent)s are undecided, before %(reference)s."),
        "precision": _("%(recent)s of the labels agree with it, before %(reference)s."),
    }[found["name"]] % {**sides, "bits": f"{found['difference']:.3f}"}
    chance = _("n = %(n)s; by chance alone with a probability of %(probability)s.") % {
        "n": found["n"],
        "probability": f"{found['probability']:.4f}",
    }
    return f"{said} {chance}"


def _unusual(rule: AlertRule, now: datetime) -> Iterator[Sign]:
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    for monitor in _monitors(rule):
        counts = _hours(monitor, since=hour - HISTORY - timedelta(hours=1), until=now)
        for start in (hour - timedelta(hours=1), hour):
            like = [
                start - timedelta(days=day) + timedelta(hours=shift)
                for day in range(1, HISTORY.days + 1)
                for shift in (-1, 0, 1)
            ]
            first = min(counts, default=start)
            earlier = [counts.get(moment, 0) for moment in like if moment >= first]
            found = how_unusual(counts.get(start, 0), earlier)
            if found.n < LEAST_HISTORY or found.count < rule.minimum or found.probability >= rule.threshold:
                continue
            yield Sign(
                period=f"{monitor.pk} {start:%Y-%m-%dT%H}",
                monitor=monitor,
                evidence={
                    "count": found.count,
                    "expected": found.expected,
                    "variance": found.variance,
                    "probability": found.probability,
                    "n": found.n,
                    "since": start.isoformat(),
                    "until": (start + timedelta(hours=1)).isoformat(),
                },
            )


def _silent(rule: AlertRule, now: datetime) -> Iterator[Sign]:
    sources = Source.objects.filter(workspace=rule.workspace, deleted_at=None).exclude(state=Source.State.PAUSED)
    for source in sources.filter(pk=rule.source_id) if rule.source_id else sources:
        hours = _arrivals(source, until=now)
        quiet, length, limit = is_silent(now=now, arrivals=hours, factor=rule.threshold)
        if quiet:
            yield Sign(
                period=f"{source.pk} {max(hours):%Y-%m-%dT%H}",
                source=source,
                evidence=_silence(max(hours), length, limit),
            )


def _empty(rule: AlertRule, now: datetime) -> Iterator[Sign]:
    for monitor in _monitors(rule):
        counts = _hours(monitor, since=now - HISTORY * 3, until=now)
        quiet, length, limit = is_silent(now=now, arrivals=list(counts), factor=rule.threshold)
        if quiet and limit < HISTORY:
            yield Sign(
                period=f"{monitor.pk} {max(counts):%Y-%m-%dT%H}",
                monitor=monitor,
                evidence=_silence(max(counts), length, limit),
            )


_SIGNS: dict[AlertRule.Kind, Callable[[AlertRule, datetime], Iterator[Sign]]] = {
    AlertRule.Kind.UNUSUAL: _unusual,
    AlertRule.Kind.SILENT: _silent,
    AlertRule.Kind.EMPTY: _empty,
}


def register_signs(kind: AlertRule.Kind, signs: Callable[[AlertRule, datetime], Iterator[Sign]]) -> None:
    """Let a room above say what the rules of a kind find."""
    _SIGNS[kind] = signs


def _arrivals(source: Source, *, until: datetime) -> list[datetime]:
    """The days on which its posts were published, at midnight UTC, and the last arrival."""
    since = (until - HISTORY * 3).date()
    days = DayCube.objects.filter(
        workspace_id=source.workspace_id, monitor=0, dimension="source", value=source_key(source), day__gte=since
    )
    found = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in days.values_list("day", flat=True)]
    return [*found, source.last_arrival_at] if source.last_arrival_at and found else found


def _silence(last: datetime, length: timedelta, limit: timedelta) -> dict[str, Any]:
    return {
        "last": last.isoformat(),
        "quiet_hours": round(length.total_seconds() / 3600, 1),
        "limit": round(limit.total_seconds() / 3600, 1),
    }


def _monitors(rule: AlertRule) -> Iterator[Monitor]:
    monitors = Monitor.objects.filter(workspace=rule.workspace, deleted_at=None, paused_at=None)
    yield from monitors.filter(pk=rule.monitor_id) if rule.monitor_id else monitors


def _hours(monitor: Monitor, *, since: datetime, until: datetime) -> dict[datetime, int]:
    cells = HourCube.objects.filter(
        workspace_id=monitor.workspace_id, monitor=monitor.pk, hour__gte=since, hour__lte=until
    )
    return {row["hour"]: row["total"] for row in cells.values("hour").annotate(total=Sum("posts"))}
