"""People: found by a query, and one with accounts, roles and what is known."""

from typing import Annotated, Any

from django.utils import timezone
from ninja import Query, Router, Schema
from pydantic import Field

from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Id, Moment
from talkworthy.api.tokens import CallerRequest
from talkworthy.people.models import Identity, Person
from talkworthy.people.selectors.profiles import person_or_404, persons, profile_of

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
    held = person_or_404(number, viewer=request.auth.member)
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
