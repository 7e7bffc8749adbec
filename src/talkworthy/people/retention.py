"""What happens on the day until which a record is kept, and to records that were put away."""

from datetime import datetime, timedelta

from django.db import transaction
from django.urls import reverse
from django.utils.translation import gettext as _

from talkworthy.notifying.actions import notify
from talkworthy.people.forgetting import forget, records_of
from talkworthy.people.models import Person
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Permission, may

PURGED_AFTER = timedelta(days=30)
"""How long a record that was put away can be brought back."""

PIECE = 20


def keep_terms(*, now: datetime) -> int:
    """Ask about records whose day has come, and purge what was put away a month ago; a few at a time."""
    return _ask(now) + _purge(now)


def due_for_erasure(*, now: datetime) -> list[Person]:
    """Records that are to be deleted because their day has come, and for which that was not begun yet."""
    due = Person.objects.filter(
        retain_until__lte=now,
        retention=Person.Retention.DELETE,
        asked_at=None,
        merged_into=None,
        deleted_at=None,
    )
    return list(due.select_related("workspace").order_by("retain_until")[:PIECE])


def begin(person: Person, *, now: datetime) -> bool:
    """Note that it was begun; False where another worker has."""
    return bool(Person.objects.filter(pk=person.pk, asked_at=None).update(asked_at=now))


def _ask(now: datetime) -> int:
    due = Person.objects.filter(
        retain_until__lte=now, retention=Person.Retention.ASK, asked_at=None, merged_into=None, deleted_at=None
    )
    found = list(due.select_related("workspace").order_by("retain_until")[:PIECE])
    for person in found:
        with transaction.atomic():
            if not begin(person, now=now):
                continue
            address = reverse("people:person", args=(person.workspace.slug, person.pk))
            for member in Member.objects.filter(workspace=person.workspace):
                if may(member.role, Permission.ERASE):
                    text = _("The record of person %(n)s should end: say until when it may be kept, or erase it.")
                    key = f"kept {person.pk} {person.retain_until:%Y-%m-%d}"
                    notify(member, kind="record due", text=text % {"n": person.pk}, address=address, key=key, now=now)
    return len(found)


def _purge(now: datetime) -> int:
    old = Person.objects.filter(deleted_at__lte=now - PURGED_AFTER, merged_into=None)
    found = list(old.select_related("workspace")[:PIECE])
    for person in found:
        with transaction.atomic():
            note_change(person.workspace, verb="purge", thing=person, by=None, now=now, label=f"person {person.pk}")
            forget(person.workspace, records_of(person), ())
    return len(found)
