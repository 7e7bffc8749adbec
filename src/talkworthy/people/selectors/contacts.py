"""Persons as contacts, for files."""

from collections.abc import Iterable
from datetime import datetime

from talkworthy.people.contacts import Contact
from talkworthy.people.models import Attribute, Person, PersonRole
from talkworthy.people.selectors.profiles import persons
from talkworthy.workspaces.models import Member

PIECE = 500


def contacts_of(*, viewer: Member, query: str, now: datetime) -> list[Contact]:
    """Whom a query finds, each with what any of the records merged into them says. Raises QueryError."""
    found = list(persons(viewer=viewer, query=query, now=now).prefetch_related(None))
    contacts: list[Contact] = []
    for start in range(0, len(found), PIECE):
        contacts += _contacts(found[start : start + PIECE])
    return contacts


def _contacts(found: list[Person]) -> Iterable[Contact]:
    heads = {person.pk: person.pk for person in found}
    parts = Person.objects.filter(root__in=list(heads)).values_list("pk", "root")
    heads |= {part: root for part, root in parts if root is not None}
    known: dict[int, dict[str, list[str]]] = {person.pk: {} for person in found}
    rows = Attribute.objects.filter(person__in=list(heads)).order_by("name", "-at")
    for owner, name, value in rows.values_list("person", "name", "value"):
        values = known[heads[owner]].setdefault(name, [])
        if value not in values:
            values.append(value)
    roles: dict[int, list[str]] = {}
    for owner, role in PersonRole.objects.filter(person__in=list(heads), until=None).values_list("person", "role"):
        roles.setdefault(heads[owner], []).append(role)
    for person in found:
        organisation = person.organisation.name if person.organisation else ""
        yield Contact(person.name, organisation, known[person.pk], tuple(dict.fromkeys(roles.get(person.pk, ()))))
