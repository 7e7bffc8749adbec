"""Due rows are the queue: one worker claims a row by a conditional UPDATE, acts, and releases it.

A worker that dies leaves nothing stuck: its claim ends by itself, and another one takes the row up.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

Row = TypeVar("Row", bound=Model)

LEASE = timedelta(minutes=2)


def free(now: datetime) -> Q:
    """Rows that nobody holds; they need a nullable `claimed_until`."""
    return Q(claimed_until=None) | Q(claimed_until__lt=now)


def claim(row: Model, *, now: datetime, lease: timedelta = LEASE, still: Q | None = None) -> bool:
    """Whether the row is ours until the lease ends. `still` says what must hold at that moment."""
    rows = type(row)._default_manager.filter(free(now), still or Q(), pk=row.pk)
    return bool(rows.update(claimed_until=now + lease))


def claimed(due: "QuerySet[Row]", *, now: datetime, lease: timedelta = LEASE, most: int = 100) -> Iterator[Row]:
    """Each due row that could be claimed, one after the other, freshly read; what others hold is passed over."""
    for number in list(due.filter(free(now)).values_list("pk", flat=True)[:most]):
        if due.filter(free(now), pk=number).update(claimed_until=now + lease):
            row = due.model._default_manager.filter(pk=number).first()
            if row is not None:
                yield row


def release(row: Model) -> None:
    """Give the row back before its lease ends."""
    type(row)._default_manager.filter(pk=row.pk).update(claimed_until=None)
