"""Reads of deliveries and of how much machines send, asked as a viewer."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.responding.models import Delivery, Stop
from talkworthy.workspaces.models import Member

PAGE = 50
DAYS = 30
TABS: dict[str, tuple[str, ...]] = {
    "waiting": ("waiting", "sending"),
    "unsure": ("unsure",),
    "failed": ("failed",),
    "stopped": ("stopped",),
    "delivered": ("delivered",),
}
"""Tabs of the page, and the states that each shows."""


@dataclass(frozen=True)
class Share:
    """How many of the replies that arrived were sent by a machine, and drafted by one, in so many days."""

    n: int
    automatic: int
    drafted: int
    days: int

    @property
    def share(self) -> float | None:
        """Automatic replies among all; None where there were none."""
        return self.automatic / self.n if self.n else None


def deliveries(states: tuple[str, ...], *, viewer: Member, before: int | None = None) -> list[Delivery]:
    """One page and one more, the newest first."""
    found = _all(viewer).filter(state__in=states).order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    return list(found[: PAGE + 1])


def counts(*, viewer: Member) -> dict[str, int]:
    """How many there are in each tab."""
    rows = dict(
        Delivery.objects.filter(workspace_id=viewer.workspace_id)
        .order_by()
        .values_list("state")
        .annotate(n=Count("pk"))
    )
    return {tab: sum(rows.get(state, 0) for state in states) for tab, states in TABS.items()}


def delivery_or_404(delivery_id: int, *, viewer: Member) -> Delivery:
    """A delivery of the viewer's workspace."""
    found = _all(viewer).filter(pk=delivery_id).first()
    if found is None:
        raise Http404(_("There is no such delivery."))
    return found


def automated_share(*, viewer: Member, now: datetime, days: int = DAYS) -> Share:
    """The published measure: of the replies delivered in the last days, how many no person sent."""
    found = Delivery.objects.filter(
        workspace_id=viewer.workspace_id,
        state=Delivery.State.DELIVERED,
        delivered_at__gt=now - timedelta(days=days),
        delivered_at__lte=now,
    ).aggregate(
        n=Count("pk"),
        automatic=Count("pk", filter=Q(automatic=True)),
        drafted=Count("pk", filter=~Q(draft__made_by="")),
    )
    return Share(found["n"], found["automatic"], found["drafted"], days)


def stops(*, viewer: Member) -> list[Stop]:
    """When all sending was stopped, the newest first."""
    return list(Stop.objects.filter(workspace_id=viewer.workspace_id).select_related("by", "lifted_by")[:20])


def _all(viewer: Member) -> QuerySet[Delivery]:
    return Delivery.objects.filter(workspace_id=viewer.workspace_id).select_related(
        "draft__case__owner__user",
        "draft__conversation",
        "draft__source",
        "draft__workspace",
        "draft__by__user",
        "by__user",
        "identity",
    )
