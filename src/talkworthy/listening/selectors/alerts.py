"""Reads of alerts and of the rules that raise them, asked as a viewer."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.listening.models import Alert, AlertRule, Monitor, Source
from talkworthy.workspaces.models import Member

PAGE = 30
"""Alerts on one page."""


@dataclass(frozen=True)
class AlertPage:
    """Some alerts, newest first, and where the next page begins."""

    alerts: list[Alert]
    older: int | None
    unseen: int


def alert_page(*, viewer: Member, only_unseen: bool = False, before: int | None = None) -> AlertPage:
    """One page of alerts."""
    every = Alert.objects.filter(workspace_id=viewer.workspace_id)
    found = every.select_related("rule__owner__user", "monitor", "source", "seen_by").order_by("-id")
    if only_unseen:
        found = found.filter(seen_at=None)
    if before is not None:
        found = found.filter(pk__lt=before)
    page = list(found[: PAGE + 1])
    older = page[PAGE - 1].pk if len(page) > PAGE else None
    return AlertPage(page[:PAGE], older, every.filter(seen_at=None).count())


def alert_or_404(alert_id: int, *, viewer: Member) -> Alert:
    """An alert of the viewer's workspace."""
    alert = Alert.objects.filter(workspace_id=viewer.workspace_id, pk=alert_id).first()
    if alert is None:
        raise Http404(_("There is no such alert. Its rule may have been deleted, and its alerts with it."))
    return alert


def rules(*, viewer: Member) -> QuerySet[AlertRule]:
    """The rules, by kind."""
    found = AlertRule.objects.filter(workspace_id=viewer.workspace_id)
    return found.select_related("monitor", "source", "owner__user").order_by("kind", "created_at", "pk")


def rule_or_404(rule_id: int, *, viewer: Member) -> AlertRule:
    """A rule of the viewer's workspace."""
    rule = rules(viewer=viewer).filter(pk=rule_id).select_related("workspace", "monitor", "source", "owner").first()
    if rule is None:
        raise Http404(_("There is no such rule."))
    return rule


def watchable(*, viewer: Member) -> tuple[QuerySet[Monitor], QuerySet[Source]]:
    """The monitors and the sources that a rule may watch."""
    monitors = Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).order_by("name")
    sources = Source.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).order_by("name")
    return monitors, sources
