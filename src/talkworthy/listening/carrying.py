"""A touchpoint's query is carried by a monitor, so that its mentions, charts and backtests come of themselves."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.dispatch import receiver
from django.utils import timezone

from talkworthy.ecosystem.actions import touchpoint_changed
from talkworthy.ecosystem.models import Touchpoint
from talkworthy.ecosystem.selectors import Heard, touchpoints_heard
from talkworthy.listening import actions
from talkworthy.listening.models import Monitor
from talkworthy.listening.periods import read_period
from talkworthy.listening.selectors import series
from talkworthy.workspaces.models import Member, User

LONGEST_NAME = 80


@receiver(touchpoint_changed)
def keep_in_step(sender: object, touchpoint: Touchpoint, by: User | None, now: datetime, **kwargs: Any) -> None:
    """Make, change, delete or restore the monitor of a touchpoint as the touchpoint was."""
    monitor = Monitor.objects.filter(touchpoint=touchpoint).select_related("workspace").first()
    if touchpoint.deleted_at is not None:
        if monitor is not None and monitor.deleted_at is None:
            actions.delete_monitor(monitor, by=by, now=now)
        return
    wanted: dict[str, Any] = {
        "name": _free_name(touchpoint),
        "colour": touchpoint.colour,
        "owner": touchpoint.owner,
        "query": touchpoint.query,
    }
    if monitor is None:
        made = actions.create_monitor(
            touchpoint.workspace, kind=Monitor.Kind.TOUCHPOINT.value, by=by, now=now, **wanted
        )
        Monitor.objects.filter(pk=made.pk).update(touchpoint=touchpoint)
        return
    changed = actions.change_monitor(monitor, by=by, now=now, **wanted)
    if changed.deleted_at is not None:
        actions.restore_monitor(changed, by=by, now=now)


@receiver(touchpoints_heard)
def tell_heard(sender: object, viewer: Member, **kwargs: Any) -> Mapping[int, Heard]:
    """The monitor of each touchpoint, and its mentions of the last thirty days."""
    tied = dict(
        Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None, touchpoint__deleted_at=None)
        .exclude(touchpoint=None)
        .values_list("touchpoint_id", "pk")
    )
    if not tied:
        return {}
    now = series.standing_now(viewer=viewer, now=timezone.now())
    period = read_period("30d", now=now, zone=timezone.get_current_timezone())
    counts = series.totals(list(tied.values()), period, viewer=viewer)
    return {touchpoint: Heard(monitor, counts[monitor]) for touchpoint, monitor in tied.items() if touchpoint}


def _free_name(touchpoint: Touchpoint) -> str:
    """The touchpoint's name, with words that tell it apart where another monitor is called so."""
    others = Monitor.objects.filter(workspace_id=touchpoint.workspace_id, deleted_at=None)
    taken = set(others.exclude(touchpoint=touchpoint).values_list("name", flat=True))
    name, number = touchpoint.name, 1
    while name in taken:
        end = " (touchpoint)" if number == 1 else f" (touchpoint {number})"
        name, number = touchpoint.name[: LONGEST_NAME - len(end)] + end, number + 1
    return name
