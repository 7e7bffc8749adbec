"""The rows that a change of a person or an identity leaves, and the words by which they are found."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Q

from talkworthy.analysis.names import folded_name, latin_name
from talkworthy.people.models import Attribute, Identity, Person, PersonChange
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User

WORDY = frozenset({"email", "phone", "given_name", "family_name", "city", "country", "nickname", "title", "company"})
"""Attributes whose words find a person."""


def note_person(
    person: Person,
    what: str,
    *,
    by: User | None,
    now: datetime,
    old: Any = None,
    new: Any = None,
    why: str = "",
    identity: Identity | None = None,
) -> None:
    """Write a row of the person's history, and a line of the workspace's trail that names no personal data."""
    PersonChange.objects.create(
        workspace_id=person.workspace_id,
        person=person,
        identity=identity,
        what=what,
        old=old,
        new=new,
        by=by,
        why=why,
        at=now,
    )
    note_change(person.workspace, verb=what, thing=person, by=by, now=now, label=unnamed(person))


def note_identity(
    identity: Identity,
    what: str,
    *,
    by: User | None,
    now: datetime,
    old: Any = None,
    new: Any = None,
    why: str = "",
    in_trail: bool = True,
) -> None:
    """Write a row of the identity's history, and a line of the trail where somebody decided it."""
    PersonChange.objects.create(
        workspace_id=identity.workspace_id,
        identity=identity,
        what=what,
        old=old,
        new=new,
        by=by,
        why=why,
        at=now,
    )
    if in_trail:
        note_change(identity.workspace, verb=what, thing=identity, by=by, now=now, label=unnamed(identity))


def unnamed(thing: Person | Identity) -> str:
    """Somebody as the trail names them, by number: it outlives an erasure."""
    return f"{thing._meta.verbose_name} {thing.pk}"


def index_words(roots: Iterable[int]) -> None:
    """Write down anew by which words these persons are found: names, handles, addresses, those of their parts too."""
    numbers = {number for number in roots if number}
    members: dict[int, int] = {}
    words: dict[int, list[str]] = {number: [] for number in numbers}
    rows = Person.objects.filter(Q(pk__in=numbers) | Q(root__in=numbers)).select_related("organisation")
    for person in rows:
        root = person.root_id or person.pk
        members[person.pk] = root
        words[root] += _spellings(person.name)
        if person.organisation:
            words[root] += _spellings(person.organisation.name)
    for owner, handle, name in Identity.objects.filter(person__in=members).values_list("person", "handle", "name"):
        words[members[owner]] += [*_spellings(handle, name), handle.casefold()]
    found = Attribute.objects.filter(person__in=members, name__in=WORDY).values_list("person", "value")
    for owner, value in found:
        words[members[owner]] += [*_spellings(value), value.strip().casefold()]
    for number in numbers:
        line = " | ".join(dict.fromkeys(word for word in words[number] if word))
        Person.objects.filter(pk=number).update(words=f" {line} ")


def _spellings(*names: str) -> list[str]:
    return [spelt for name in names for spelt in (folded_name(name), latin_name(name))]
