"""People: found by a query, one with accounts, roles and what is known; made, changed, linked, merged and split."""

from typing import Annotated, Any

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import AwareDatetime, Field, StringConstraints

from talkworthy.api.problems import Problem
from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Changes, Deleted, Given, Id, Moment
from talkworthy.api.tokens import CallerRequest
from talkworthy.people import actions
from talkworthy.people.models import Identity, Person, PersonRole
from talkworthy.people.selectors.profiles import (
    identity_or_404,
    newest_change,
    person_or_404,
    persons,
    profile_of,
    removed_person_or_404,
)

router = Router(tags=["people"])


class PeopleAsked(Schema):
    """Whom, and which page of them."""

    q: str = Field("", description="A query over people, as on their page.", max_length=2_000)
    after: Annotated[int, Field(ge=0, le=1_000_000)] = Field(0, description="From the page before.")
    limit: int = Field(40, ge=1, le=200)


class AccountShape(Schema):
    """An account on a channel."""

    id: Id
    channel: str
    account: str
    handle: str
    name: str
    followers: int | None


class PersonShape(Schema):
    """Somebody of whom a record is kept, on which basis and until when."""

    id: Id
    name: str
    organisation: str | None
    basis: str
    retain_until: Moment
    accounts: list[AccountShape]
    roles: list[str]


class People(Schema):
    """A page of people, by name."""

    people: list[PersonShape]
    after: int | None = Field(None, description="Pass it as `after` for the next page; null at the end.")


class Known(Schema):
    """One thing that is known, and who says so."""

    name: str
    value: str
    source: str
    at: Moment


class PersonWhole(PersonShape):
    """A person with everything that is known of them and of the records merged into theirs."""

    known: list[Known]
    parts: list[Id] = Field(description="Records that were merged into this one.")
    version: int = Field(description="Grows with every change of the person and of its parts.")


PersonName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class PersonGiven(Given):
    """A record to be made. One without a basis and an end is refused."""

    name: PersonName
    basis: Person.Basis
    basis_note: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)] = Field(
        description="What the basis rests on."
    )
    retain_until: AwareDatetime
    organisation: Annotated[str, Field(max_length=200)] = ""
    notice: Person.Notice = Field(Person.Notice.DUE, description="Whether they know of it (GDPR, Article 14).")
    retention: Person.Retention = Person.Retention.ASK
    accounts: list[Id] = Field([], max_length=100, description="Accounts that the person is behind.")
    why: Annotated[str, Field(max_length=500)] = ""


class PersonChanged(Changes):
    """What is to change; the rest stays."""

    version: int = Field(description="The version that was read: where it is no longer the newest, the answer is 409.")
    name: PersonName = ""
    organisation: Annotated[str, Field(max_length=200)] = ""
    note: Annotated[str, Field(max_length=4_000)] = ""
    basis: Person.Basis = Person.Basis.INTEREST
    basis_note: Annotated[str, Field(max_length=1_000)] = ""
    notice: Person.Notice = Person.Notice.DUE
    retain_until: AwareDatetime | None = None
    retention: Person.Retention = Person.Retention.ASK
    why: Annotated[str, Field(max_length=500)] = ""


class KnownGiven(Given):
    """One thing that is known, and where from."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    value: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class RoleGiven(Given):
    """What the person is to us, and who says so."""

    role: PersonRole.Role
    source: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class MergeGiven(Given):
    """Which person this one is."""

    into: Id
    why: Annotated[str, Field(max_length=500)] = ""


class SplitGiven(Given):
    """Whether the two shall never be suggested or merged again."""

    never_again: bool = False
    why: Annotated[str, Field(max_length=500)] = ""


@operation(router, "GET", "/people", scope="people:read", response=People)
def list_people(request: CallerRequest, asked: Query[PeopleAsked]) -> dict[str, Any]:
    """The people whom a query finds, by name, page by page."""
    known_names(request, PeopleAsked)
    found = persons(viewer=request.auth.member, query=asked.q.strip(), now=timezone.now())
    page = list(found[asked.after : asked.after + asked.limit + 1])
    following = asked.after + asked.limit if len(page) > asked.limit else None
    return {"people": [_listed(person) for person in page[: asked.limit]], "after": following}


@operation(router, "GET", "/people/{int:number}", scope="people:read", response=PersonWhole)
def get_person(request: CallerRequest, number: int) -> dict[str, Any]:
    """One person with accounts, roles and what is known; a merged record answers with the whole it is part of."""
    return _whole(person_or_404(number, viewer=request.auth.member))


@operation(router, "POST", "/people", scope="people:write", response={201: PersonWhole})
def create_person(request: CallerRequest, given: PersonGiven) -> Status[dict[str, Any]]:
    """Keep a record of somebody, on a basis and until an end."""
    caller = request.auth
    told = given.model_dump()
    accounts = [identity_or_404(int(number), viewer=caller.member) for number in told.pop("accounts")]
    made = actions.create_person(
        caller.workspace, **_plain(told), identities=accounts, by=caller.user, now=timezone.now()
    )
    return Status(201, _whole(made))


@operation(router, "PATCH", "/people/{int:number}", scope="people:write", response=PersonWhole)
def change_person(request: CallerRequest, number: int, given: PersonChanged) -> dict[str, Any]:
    """Change what is named; 409 where it was changed since it was read."""
    caller = request.auth
    held = person_or_404(number, viewer=caller.member)
    changes = _plain(given.model_dump(include=given.model_fields_set - {"version"}))
    if "retain_until" in changes and changes["retain_until"] is None:
        raise Problem("invalid", _("A record needs an end: say until when it is kept."))
    with transaction.atomic():
        locked = Person.objects.select_for_update(of=("self",)).select_related("workspace").get(pk=held.pk)
        newest = newest_change(locked.root or locked)
        if newest != given.version:
            raise Problem("stale", _("Somebody changed it in the meantime. Read it again."), version=newest)
        actions.change_person(locked, **changes, by=caller.user, now=timezone.now())
    return _whole(person_or_404(number, viewer=caller.member))


@operation(router, "DELETE", "/people/{int:number}", scope="people:write", response=Deleted)
def remove_person(request: CallerRequest, number: int) -> dict[str, Any]:
    """Put a record away; for a month it can be restored."""
    held = person_or_404(number, viewer=request.auth.member)
    actions.remove_person(held, by=request.auth.user, now=timezone.now())
    return {"id": str(held.pk)}


@operation(router, "POST", "/people/{int:number}/restore", scope="people:write", response=PersonWhole)
def restore_person(request: CallerRequest, number: int) -> dict[str, Any]:
    """Bring a record back that was put away."""
    held = removed_person_or_404(number, viewer=request.auth.member)
    actions.restore_person(held, by=request.auth.user, now=timezone.now())
    return _whole(person_or_404(number, viewer=request.auth.member))


@operation(router, "POST", "/people/{int:number}/known", scope="people:write", response=PersonWhole)
def learn(request: CallerRequest, number: int, given: KnownGiven) -> dict[str, Any]:
    """Write down one thing that is known, and where from; the same from the same source twice is one."""
    held = person_or_404(number, viewer=request.auth.member)
    actions.add_attribute(held, **given.model_dump(), by=request.auth.user, now=timezone.now())
    return _whole(held)


@operation(router, "POST", "/people/{int:number}/roles", scope="people:write", response=PersonWhole)
def give_role(request: CallerRequest, number: int, given: RoleGiven) -> dict[str, Any]:
    """Say what the person is to us."""
    held = person_or_404(number, viewer=request.auth.member)
    actions.give_role(held, given.role.value, source=given.source, by=request.auth.user, now=timezone.now())
    return _whole(held)


@operation(router, "PUT", "/people/{int:number}/accounts/{int:account_id}", scope="people:write", response=PersonWhole)
def link_account(request: CallerRequest, number: int, account_id: int) -> dict[str, Any]:
    """Say that this person is behind an account."""
    held = person_or_404(number, viewer=request.auth.member)
    account = identity_or_404(account_id, viewer=request.auth.member)
    actions.link_identity(account, held, by=request.auth.user, now=timezone.now())
    return _whole(held)


@operation(
    router, "DELETE", "/people/{int:number}/accounts/{int:account_id}", scope="people:write", response=PersonWhole
)
def unlink_account(request: CallerRequest, number: int, account_id: int) -> dict[str, Any]:
    """Say that this person is not behind an account."""
    held = person_or_404(number, viewer=request.auth.member)
    account = identity_or_404(account_id, viewer=request.auth.member)
    if account.person is None or (account.person.root or account.person) != (held.root or held):
        raise Http404(_("This account is not linked to that person."))
    actions.unlink_identity(account, by=request.auth.user, now=timezone.now())
    return _whole(held)


@operation(router, "POST", "/people/{int:number}/merge", scope="people:write", response=PersonWhole)
def merge_person(request: CallerRequest, number: int, given: MergeGiven) -> dict[str, Any]:
    """Make it one with another person, shown as that one; no row is moved, so that it can be split again."""
    caller = request.auth
    part, whole = (person_or_404(one, viewer=caller.member) for one in (number, int(given.into)))
    merged = actions.merge_persons(part, whole, by=caller.user, now=timezone.now(), why=given.why)
    return _whole(person_or_404(merged.pk, viewer=caller.member))


@operation(router, "POST", "/people/{int:number}/split", scope="people:write", response=PersonWhole)
def split_person(request: CallerRequest, number: int, given: SplitGiven) -> dict[str, Any]:
    """Take a merged record off again, with all that was merged into it before."""
    caller = request.auth
    part = person_or_404(number, viewer=caller.member)
    told: dict[str, Any] = {"why": given.why, "never_again": given.never_again}
    actions.split_person(part, by=caller.user, now=timezone.now(), **told)
    return _whole(person_or_404(number, viewer=caller.member))


def _plain(told: dict[str, Any]) -> dict[str, Any]:
    """Choices as their values: what is kept in history is plain."""
    return {name: getattr(value, "value", value) for name, value in told.items()}


def _whole(held: Person) -> dict[str, Any]:
    person = held.root or held
    profile = profile_of(person)
    known = [
        {"name": row.name, "value": row.value, "source": row.source, "at": row.at}
        for shown in profile.known
        for row in shown.rows
    ]
    parts = Person.objects.filter(root=person).order_by("pk").values_list("pk", flat=True)
    return {
        **_shape(person, profile.identities, [role.role for role in profile.roles]),
        "known": known,
        "parts": [str(part) for part in parts],
        "version": newest_change(person),
    }


def _listed(person: Person) -> dict[str, Any]:
    records = [person, *person.members.all()]
    accounts = [account for record in records for account in record.identities.all()]
    return _shape(person, accounts, [role.role for record in records for role in record.roles.all()])


def _shape(person: Person, accounts: list[Identity] | Any, roles: list[str]) -> dict[str, Any]:
    return {
        "id": str(person.pk),
        "name": person.name,
        "organisation": person.organisation.name if person.organisation else None,
        "basis": str(person.basis),
        "retain_until": person.retain_until,
        "accounts": [
            {
                "id": str(one.pk),
                "channel": one.channel,
                "account": one.account,
                "handle": one.handle,
                "name": one.name,
                "followers": one.followers,
            }
            for one in accounts
        ],
        "roles": sorted(set(roles)),
    }
