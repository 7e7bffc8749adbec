"""A real Tryton: contacts are made once, changed on both sides, and found again. Start it with start-tryton."""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest

from talkworthy.connectors.errors import AskForCredentials, GiveUp, TryLater
from talkworthy.connectors.http import Http
from talkworthy.people.crm.tryton import Tryton

pytestmark = pytest.mark.peer

URL = os.environ.get("TRYTON_URL", "http://localhost:18160")
ALLOWED = {httpx.URL(URL).netloc.decode()}


def opened(**more: Any) -> Tryton:
    said = {"url": URL, "database": "crm", "user": "admin", "password": "admin-pass", **more}
    http = said.pop("http", None) or Http(allow_hosts=ALLOWED, pace=0)
    return Tryton(http, **said)


def said(crm: Tryton, remote: str) -> Mapping[str, str]:
    (party,) = crm.read([remote])
    return party.values


def test_a_contact_is_made_once_read_changed_and_found_among_what_changed() -> None:
    crm, mark = opened(), str(uuid4())
    given = {"name": "Наталья", "email": "n@example.org", "phone": "+49 228 1234567", "address": "Main 1",
             "postcode": "53111", "city": "Bonn", "url": "https://example.org"}  # fmt: skip
    _changed, cursor = crm.changed_since(None)
    remote = crm.create(mark, given)
    assert crm.create(mark, given) == remote == crm.find(mark)
    read = said(crm, remote)
    assert {name: read[name] for name in given if name != "phone"} == {n: v for n, v in given.items() if n != "phone"}
    assert read["phone"].replace(" ", "") == "+492281234567"
    crm.write(remote, {"name": "Natalia", "email": "new@example.org", "city": "Köln", "url": ""})
    again = said(crm, remote)
    assert (again["name"], again["email"], again["city"], again.get("url")) == (
        "Natalia", "new@example.org", "Köln", None,
    )  # fmt: skip
    changed, newest = crm.changed_since(cursor)
    assert remote in changed and newest is not None and datetime.fromisoformat(newest)
    assert crm.gone([remote, "999999"]) == {"999999"}


def test_a_wrong_password_and_a_wrong_database_are_told_apart() -> None:
    with pytest.raises(AskForCredentials):
        opened(password="wrong").check()
    with pytest.raises((GiveUp, TryLater)):
        opened(database="nowhere").check()


def test_a_contact_that_was_saved_although_the_server_failed_is_found_again() -> None:
    """Between us and the server stands something that loses the answer to what creates."""

    class Losing(httpx.BaseTransport):
        lost = 0

        def __init__(self) -> None:
            self.inner = httpx.HTTPTransport()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = self.inner.handle_request(request)
            if b"party.party.create" in request.content:
                Losing.lost += 1
                answer.read()
                answer.close()
                return httpx.Response(500)
            return answer

        def close(self) -> None:
            self.inner.close()

    mark = str(uuid4())
    with Http(transport=Losing(), allow_hosts=ALLOWED, pace=0) as http, pytest.raises(TryLater):
        opened(http=http).create(mark, {"name": "Once"})
    crm = opened()
    remote = crm.create(mark, {"name": "Once"})
    assert Losing.lost == 1 and said(crm, remote)["name"] == "Once"


@pytest.mark.django_db
def test_an_exchange_brings_contacts_and_takes_changes_both_ways(
    workspace: Any, person: Any, alice: Any, now: Any
) -> None:
    from talkworthy.people import actions
    from talkworthy.people.actions.crm import add_crm
    from talkworthy.people.crm import syncing
    from talkworthy.people.models import CrmAccount, CrmConflict, CrmLink, Person

    name = f"Carla {uuid4()}"
    theirs = opened().create(str(uuid4()), {"name": name, "email": f"{uuid4()}@example.org", "city": "Bonn"})
    account = add_crm(
        workspace, password="admin-pass", by=alice, now=now, name="Tryton", url=URL, database="crm", user="admin",
        query="role:customer", basis="contract", basis_note="Customers", retention_days=100, every_hours=1,
    )  # fmt: skip
    ours = person(f"Ann {uuid4()}", email=f"{uuid4()}@example.org")
    actions.give_role(ours, "customer", source="x", by=alice, now=now)

    def exchange() -> Mapping[str, int]:
        fresh = CrmAccount.objects.select_related("workspace").get(pk=account.pk)
        return syncing.sync(fresh, opened(), now=now)

    assert exchange()["created"] == 1
    carla, there = Person.objects.get(name=name), CrmLink.objects.get(person=ours).remote
    assert said(opened(), there)["name"] == ours.name
    opened().write(there, {"city": "Kiel"})
    actions.add_attribute(carla, name="phone", value="+492281234567", source="member", by=alice, now=now)
    done = exchange()
    assert done["pulled"] == 1 and done["pushed"] == 1 and CrmConflict.objects.count() == 0
    assert ours.attributes.get(name="city").value == "Kiel"
    assert said(opened(), theirs)["phone"].replace(" ", "") == "+492281234567"
    assert exchange()["pushed"] == exchange()["pulled"] == 0
