"""What the desk knows of the authors of posts: person, roles, segments; for rules and for filters of cases."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from talkworthy.people.models import Identity, Person, PersonRole, Segment
from talkworthy.people.segments import people_query
from talkworthy.workspaces.models import Workspace

Account = tuple[str, str]


@dataclass(frozen=True)
class DeskFacts:
    """Who is behind an account: the number of the person and of the identity, roles, and slugs of segments."""

    identity: int
    person: int | None
    name: str
    roles: tuple[str, ...]
    segments: tuple[str, ...]


def desk_facts(workspace: Workspace, accounts: Iterable[Account], *, now: datetime) -> Mapping[Account, DeskFacts]:
    """For each account (channel, account id) that is known here what `person:` and `segment:` compare."""
    wanted = list(dict.fromkeys(accounts))
    identities: list[Identity] = []
    for start in range(0, len(wanted), 300):
        condition = Q(pk=None)
        for channel, account in wanted[start : start + 300]:
            condition |= Q(channel=channel, account=account)
        rows = Identity.objects.filter(condition, workspace=workspace).select_related("person__root")
        identities += rows
    roots = {each.pk: _root(each) for each in identities}
    heads = {head.pk for head in roots.values() if head}
    roles = _roles(heads)
    segments = _segments(workspace, heads, now=now) if heads else {}
    found = {}
    for each in identities:
        head = roots[each.pk]
        number = head.pk if head else None
        found[each.channel, each.account] = DeskFacts(
            each.pk,
            number,
            head.name if head else str(each),
            tuple(sorted(roles.get(number or 0, ()))),
            tuple(sorted(segments.get(number or 0, ()))),
        )
    return found


def _root(identity: Identity) -> Person | None:
    person = identity.person
    head = (person.root or person) if person else None
    return head if head and head.deleted_at is None else None


def _roles(heads: set[int]) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    held = Q(person__in=heads) | Q(person__root__in=heads)
    rows = PersonRole.objects.filter(held, until=None).values_list("person", "person__root", "role")
    for person, root, role in rows:
        found.setdefault(root or person, set()).add(role)
    return found


def _segments(workspace: Workspace, heads: set[int], *, now: datetime) -> dict[int, set[str]]:
    found: dict[int, set[str]] = {}
    for segment in Segment.objects.filter(workspace=workspace, deleted_at=None):
        condition = people_query(workspace, segment.query, now=now, within=(segment.slug,))
        rows = Person.objects.filter(condition, workspace=workspace, pk__in=heads, deleted_at=None)
        for number in rows.values_list("pk", flat=True):
            found.setdefault(number, set()).add(segment.slug)
    return found
