"""Persons with all that stands behind them: accounts, what is known, roles, consent, history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Prefetch, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.hooks.manager import call
from talkworthy.hooks.specs import TimelineRow
from talkworthy.people import merging
from talkworthy.people.models import Attribute, Consent, Identity, Person, PersonChange, PersonRole
from talkworthy.people.segments import people_query
from talkworthy.workspaces.models import Member

HISTORY = 100
"""Rows of history that the page shows."""


@dataclass(frozen=True)
class Part:
    """A record that was merged into the person, with what it brought and would take along."""

    person: Person
    depth: int
    identities: Sequence[Identity]
    attributes: int


@dataclass(frozen=True)
class Profile:
    """A person as their page shows them: every record that is one with it taken together."""

    person: Person
    known: Sequence[merging.Shown]
    identities: Sequence[Identity]
    roles: Sequence[PersonRole]
    past_roles: Sequence[PersonRole]
    consents: Sequence[Consent]
    parts: Sequence[Part]
    history: Sequence[PersonChange]

    @property
    def disputed(self) -> list[merging.Shown]:
        """What two sources say differently of which there is one."""
        return [each for each in self.known if each.is_disputed]


def persons(*, viewer: Member, query: str = "", now: datetime) -> QuerySet[Person]:
    """Persons whom the query finds, by name; parts of others are not listed. Raises QueryError."""
    workspace = viewer.workspace
    found = Person.objects.filter(
        people_query(workspace, query, now=now), workspace=workspace, merged_into=None, deleted_at=None
    )
    accounts = Identity.objects.order_by("channel", "handle")
    return (
        found.select_related("organisation")
        .prefetch_related(
            Prefetch("identities", queryset=accounts),
            Prefetch("members__identities", queryset=accounts),
            Prefetch("roles", queryset=PersonRole.objects.filter(until=None)),
            Prefetch("members__roles", queryset=PersonRole.objects.filter(until=None)),
        )
        .order_by("name", "pk")
    )


def person_or_404(number: int, *, viewer: Member) -> Person:
    """A person of the viewer's workspace that was not put away."""
    found = Person.objects.filter(workspace_id=viewer.workspace_id, pk=number, deleted_at=None)
    person = found.select_related("workspace", "organisation", "root").first()
    if person is None:
        raise Http404(_("There is no such person."))
    return person


def newest_change(person: Person) -> int:
    """The number of the newest row of history of a person and of the records merged into it: it grows with each."""
    rows = PersonChange.objects.filter(Q(person=person) | Q(person__root=person))
    newest: int | None = rows.order_by("-pk").values_list("pk", flat=True).first()
    return newest or 0


def removed_person_or_404(number: int, *, viewer: Member) -> Person:
    """A person of the viewer's workspace that was put away."""
    found = Person.objects.filter(workspace_id=viewer.workspace_id, pk=number).exclude(deleted_at=None)
    person = found.select_related("workspace").first()
    if person is None:
        raise Http404(_("There is no such person."))
    return person


def identity_or_404(number: int, *, viewer: Member) -> Identity:
    """An account of the viewer's workspace."""
    found = Identity.objects.filter(workspace_id=viewer.workspace_id, pk=number)
    identity = found.select_related("workspace", "person__root").first()
    if identity is None:
        raise Http404(_("There is no such account."))
    return identity


def profile_of(person: Person) -> Profile:
    """Everything that is known of a person and of the records merged into it."""
    members = members_of(person)
    numbers = [member.pk for member in members]
    attributes = list(Attribute.objects.filter(person__in=numbers).select_related("by"))
    identities = list(Identity.objects.filter(person__in=numbers).order_by("channel", "handle", "pk"))
    roles = list(PersonRole.objects.filter(person__in=numbers).select_related("by"))
    rows = [merging.Known(row.person_id, row.name, row.value, row.source, row.at) for row in attributes]
    concerned = Q(person__in=numbers) | Q(identity__in=[identity.pk for identity in identities])
    history = PersonChange.objects.filter(concerned).select_related("by", "identity", "person")[:HISTORY]
    return Profile(
        person,
        merging.shown(rows),
        identities,
        [role for role in roles if role.until is None],
        [role for role in roles if role.until is not None],
        list(Consent.objects.filter(person__in=numbers).select_related("by")),
        _parts(person, members, identities, attributes),
        list(history),
    )


def members_of(person: Person) -> list[Person]:
    """The person and every record merged into it, directly or through another."""
    return [person, *Person.objects.filter(root=person).select_related("organisation").order_by("pk")]


def accounts_of(person: Person) -> list[tuple[str, str]]:
    """Channel and account id of each account of a person, also where a record of theirs that was merged is given."""
    root = person.root_id or person.pk
    rows = Identity.objects.filter(Q(person=root) | Q(person__root=root))
    return [(channel, account) for channel, account in rows.values_list("channel", "account").order_by("pk")]


def timeline(person: Person, *, before: datetime | None = None, limit: int = 30) -> list[TimelineRow]:
    """What happened with a person across channels and cases, the newest first; every room adds its own."""
    rows = Identity.objects.filter(Q(person=person) | Q(person__root=person)).order_by("pk")
    accounts = [(identity.channel, identity.account) for identity in rows]
    numbers = [identity.pk for identity in rows]
    if not numbers:
        return []
    answers = call(
        "timeline_rows",
        workspace=person.workspace,
        accounts=accounts,
        identities=numbers,
        before=before,
        limit=limit,
    )
    every = [row for answer in answers for row in answer]
    return sorted(every, key=lambda row: row.at, reverse=True)[:limit]


def _parts(
    person: Person, members: Sequence[Person], identities: Sequence[Identity], attributes: Sequence[Attribute]
) -> list[Part]:
    """The merged records in the order of the tree, each below the one that holds it."""
    below: dict[int, list[Person]] = {}
    for member in members:
        if member.merged_into_id is not None:
            below.setdefault(member.merged_into_id, []).append(member)
    found: list[Part] = []

    def follow(holder: int, depth: int) -> None:
        for part in below.get(holder, ()):
            own = [identity for identity in identities if identity.person_id == part.pk]
            found.append(Part(part, depth, own, sum(row.person_id == part.pk for row in attributes)))
            follow(part.pk, depth + 1)

    follow(person.pk, 0)
    return found
