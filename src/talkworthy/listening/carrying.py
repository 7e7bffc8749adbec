"""The queries of touchpoints and promises are carried by monitors: mentions and charts come of themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.dispatch import receiver
from django.utils import timezone

from talkworthy.ecosystem.actions import promise_changed, touchpoint_changed
from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.ecosystem.selectors import Heard, Part, Said, promises_heard, touchpoints_heard
from talkworthy.listening import actions
from talkworthy.listening.filters import Filter
from talkworthy.listening.models import Monitor
from talkworthy.listening.periods import Period, read_period
from talkworthy.listening.planning import wilson
from talkworthy.listening.selectors import series
from talkworthy.workspaces.models import Member, User

LONGEST_NAME = 80
FEELINGS = ("negative", "neutral", "positive", "undecided")


@receiver(touchpoint_changed)
def keep_in_step(sender: object, touchpoint: Touchpoint, by: User | None, now: datetime, **kwargs: Any) -> None:
    """Make, change, delete or restore the monitor of a touchpoint as the touchpoint was."""
    _keep_touchpoint(touchpoint, by=by, now=now)
    for promise in touchpoint.promises.filter(deleted_at=None).exclude(query="").select_related("touchpoint"):
        _keep_promise(promise, by=by, now=now)


@receiver(promise_changed)
def keep_promise_in_step(sender: object, promise: Promise, by: User | None, now: datetime, **kwargs: Any) -> None:
    """Make, change, delete or restore the monitor of a promise as the promise was."""
    _keep_promise(promise, by=by, now=now)


def _keep_touchpoint(touchpoint: Touchpoint, *, by: User | None, now: datetime) -> None:
    gone = touchpoint.deleted_at is not None
    name = "" if gone else _free_name(touchpoint)
    _carry({"touchpoint": touchpoint}, touchpoint, None if gone else (name, touchpoint.query), by=by, now=now)


def _keep_promise(promise: Promise, *, by: User | None, now: datetime) -> None:
    """The monitor of a promise with a query; it goes with the promise, its query, or the touchpoint."""
    place = promise.touchpoint
    gone = promise.deleted_at is not None or not promise.query or place.deleted_at is not None
    name = "" if gone else _free_name_of_promise(promise)
    _carry({"promise": promise}, place, None if gone else (name, promise.query), by=by, now=now)


def _carry(
    carried: Mapping[str, Any],
    place: Touchpoint,
    wanted: tuple[str, str] | None,
    *,
    by: User | None,
    now: datetime,
) -> None:
    """Let the monitor of what is carried have this name and query, and colour and owner of the place; None: none."""
    monitor = Monitor.objects.filter(**carried).select_related("workspace").first()
    if wanted is None:
        if monitor is not None and monitor.deleted_at is None:
            actions.delete_monitor(monitor, by=by, now=now)
        return
    name, query = wanted
    told: dict[str, Any] = {"name": name, "colour": place.colour, "owner": place.owner, "query": query}
    if monitor is None:
        made = actions.create_monitor(place.workspace, kind=Monitor.Kind.TOUCHPOINT.value, by=by, now=now, **told)
        Monitor.objects.filter(pk=made.pk).update(**carried)
        return
    changed = actions.change_monitor(monitor, by=by, now=now, **told)
    if changed.deleted_at is not None:
        actions.restore_monitor(changed, by=by, now=now)


@receiver(promises_heard)
def tell_said(sender: object, viewer: Member, promises: Sequence[Promise], **kwargs: Any) -> Mapping[int, Said]:
    """What was said of each promise while it held: by its own query, else of its touchpoint."""
    now = series.standing_now(viewer=viewer, now=timezone.now())
    own, places = _monitors_of(promises, viewer=viewer)
    found = {}
    for promise in promises:
        period = _while_held(promise, now=now)
        place = places.get(promise.touchpoint_id)
        monitor = own.get(promise.pk) if promise.query else place
        if period is None or monitor is None:
            continue
        said = _said(monitor, period, viewer=viewer)
        if promise.query and place is not None:
            whole = _said(place, period, viewer=viewer)
            beside = next((part for part in whole.parts if part.feeling == "negative"), None)
            said = replace(said, own=True, beside=beside)
        found[promise.pk] = said
    return found


def _monitors_of(promises: Sequence[Promise], *, viewer: Member) -> tuple[dict[int, int], dict[int, int]]:
    """The monitors of promises, and of their touchpoints."""
    rows = Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None)
    own = rows.filter(promise__in=[promise.pk for promise in promises]).values_list("promise", "pk")
    places = rows.filter(touchpoint__in={promise.touchpoint_id for promise in promises})
    return (
        {promise: number for promise, number in own if promise is not None},
        {place: number for place, number in places.values_list("touchpoint", "pk") if place is not None},
    )


def _while_held(promise: Promise, *, now: datetime) -> Period | None:
    """The days of the promise in the zone that is looked from, as far as they are past; None where none is."""
    zone = timezone.get_current_timezone()
    until = now
    if promise.valid_to is not None:
        until = min(now, datetime.combine(promise.valid_to + timedelta(days=1), time(), tzinfo=zone))
    since = datetime.combine(promise.valid_from, time(), tzinfo=zone)
    if since >= until:
        return None
    return read_period("", since=since.isoformat(), until=until.isoformat(), now=now, zone=zone)


def _said(monitor: int, period: Period, *, viewer: Member) -> Said:
    """Mentions of a monitor in a period, by feeling."""
    counted = series.feelings(monitor, period, viewer=viewer)
    total = counted.total()
    asked = Filter(monitors=(monitor,), copies="apart").over(period.since, period.until)
    parts = []
    for feeling in (name for name in FEELINGS if total and (counted[name] > 0 or name != "undecided")):
        low, high = wilson(counted[feeling], total)
        address = replace(asked, sentiments=(feeling,)).address
        parts.append(Part(feeling, counted[feeling], counted[feeling] / total, low, high, address))
    return Said(period.since, period.until, total, asked.address, parts, own=False)


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
    return _free(touchpoint.name, "touchpoint", others.exclude(touchpoint=touchpoint))


def _free_name_of_promise(promise: Promise) -> str:
    """The words of the promise, as far as a name holds them."""
    words = f"“{' '.join(promise.words.split())}”"
    others = Monitor.objects.filter(workspace_id=promise.workspace_id, deleted_at=None)
    return _free(words, "promise", others.exclude(promise=promise))


def _free(name: str, kind: str, others: QuerySet[Monitor]) -> str:
    taken = set(others.values_list("name", flat=True))
    found, number = _cut(name, ""), 1
    while found in taken:
        found = _cut(name, f" ({kind})" if number == 1 else f" ({kind} {number})")
        number += 1
    return found


def _cut(name: str, end: str) -> str:
    """The name with its end, cut with a sign where it is too long."""
    room = LONGEST_NAME - len(end)
    return (name if len(name) <= room else f"{name[: room - 1].rstrip()}…") + end
