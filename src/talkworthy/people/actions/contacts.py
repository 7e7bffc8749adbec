"""Verbs that take contacts in from files, and hand them out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from talkworthy.people.actions.persons import add_attribute, create_person, give_role, organisation_named
from talkworthy.people.actions.trail import index_words, note_person
from talkworthy.people.contacts import Contact
from talkworthy.people.models import Attribute, Person
from talkworthy.workspaces.models import User, Workspace


@dataclass(frozen=True)
class Kept:
    """On what basis contacts are kept, and until when."""

    basis: str
    basis_note: str
    retain_until: datetime
    retention: str = Person.Retention.ASK
    notice: str = Person.Notice.DUE


@dataclass(frozen=True)
class Imported:
    """How many were added, and how many were known already and learnt about."""

    added: int
    known: int


def import_contacts(
    workspace: Workspace,
    contacts: Sequence[Contact],
    *,
    kept: Kept,
    source: str,
    role: str = "",
    by: User | None,
    now: datetime,
) -> Imported:
    """Add persons, all or none; who is known by an address or a number learns what is new, with its source."""
    added = known = 0
    with transaction.atomic():
        register = _Register(workspace)
        for contact in contacts:
            person = register.find(contact)
            if person is None:
                person = create_person(
                    workspace,
                    name=contact.name,
                    basis=kept.basis,
                    basis_note=kept.basis_note,
                    retain_until=kept.retain_until,
                    retention=kept.retention,
                    notice=kept.notice,
                    organisation=contact.organisation,
                    by=by,
                    now=now,
                    why=source,
                )
                added += 1
            else:
                known += 1
                _learn_organisation(person, contact.organisation, by=by, now=now)
            register.add(contact, person)
            for name, values in contact.known.items():
                for value in values:
                    add_attribute(person, name=name, value=value, source=source, by=by, now=now)
            if role:
                give_role(person, role, source=source, by=by, now=now)
    return Imported(added, known)


def known_among(workspace: Workspace, contacts: Sequence[Contact]) -> list[Person | None]:
    """For each contact the person that it is known as, for a preview."""
    register = _Register(workspace)
    return [register.find(contact) for contact in contacts]


class _Register:
    """Who has which e-mail address or customer number: by them a contact is known again."""

    def __init__(self, workspace: Workspace) -> None:
        self._owners: dict[tuple[str, str], set[int]] = {}
        rows = Attribute.objects.filter(
            person__workspace=workspace,
            person__deleted_at=None,
            person__root__deleted_at=None,
            name__in=("email", "identifier"),
        ).values_list("name", "value", "person", "person__root")
        for name, value, person, root in rows.iterator(2000):
            self._owners.setdefault((name, value.casefold()), set()).add(root or person)

    def find(self, contact: Contact) -> Person | None:
        """The person; None where nobody has one of theirs, or several have."""
        found = {owner for key in self._keys(contact) for owner in self._owners.get(key, ())}
        return Person.objects.filter(pk=next(iter(found))).first() if len(found) == 1 else None

    def add(self, contact: Contact, person: Person) -> None:
        """Know them from now on: a second row of the same file is the same person."""
        for key in self._keys(contact):
            self._owners.setdefault(key, set()).add(person.root_id or person.pk)

    def _keys(self, contact: Contact) -> list[tuple[str, str]]:
        names = ("email", "identifier")
        return [(name, value.casefold()) for name in names for value in contact.known.get(name, ())]


def _learn_organisation(person: Person, name: str, *, by: User | None, now: datetime) -> None:
    if name and person.organisation is None:
        person.organisation = organisation_named(person.workspace, name)
        person.save(update_fields=["organisation"])
        note_person(person, "change person", by=by, now=now, new={"organisation": name})
        index_words([person.root_id or person.pk])
