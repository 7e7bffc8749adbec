"""Persons and a CRM are kept in step, and what both changed is asked."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from talkworthy.connectors.errors import TryLater
from talkworthy.people import actions, selectors
from talkworthy.people.actions.crm import add_crm
from talkworthy.people.crm import syncing
from talkworthy.people.crm.comparing import Move, compared
from talkworthy.people.crm.tryton import Party
from talkworthy.people.forgetting import forget
from talkworthy.people.models import CrmAccount, CrmConflict, CrmLink, Person

NAME = {"name": "Ann"}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "move"),
    [
        ("a", "a", "a", Move.NOTHING), ("a", "b", "b", Move.NOTHING), ("a", "a", "b", Move.PULL),
        ("a", "b", "a", Move.PUSH), ("a", "b", "c", Move.ASK), ("", "", "b", Move.PULL), ("", "b", "", Move.PUSH),
        ("", "a", "b", Move.ASK), ("a", "", "a", Move.ASK), ("a", "a", "", Move.ASK), ("a", "", "", Move.NOTHING),
    ],
)  # fmt: skip
def test_who_changed_a_field_alone_is_followed(base: str, ours: str, theirs: str, move: Move) -> None:
    steps = compared({"city": base}, {"city": ours}, {"city": theirs})
    assert next(step.move for step in steps if step.field == "city") is move


def test_a_number_that_is_grouped_otherwise_is_no_change() -> None:
    steps = compared({"phone": "+49 228 12"}, {"phone": "+49228 12"}, {"phone": "+4922812"})
    assert all(step.move is Move.NOTHING for step in steps)


class Shelf:
    """A CRM in memory: numbered contacts, and a time that each change moves on."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, str]] = {}
        self.marks: dict[str, str] = {}
        self.changed: dict[str, int] = {}
        self.time = 0
        self.saves_and_fails = False

    def put(self, remote: str, **values: str) -> None:
        """Somebody there changes a contact."""
        self.time += 1
        self.rows[remote] = {**self.rows.get(remote, {}), **values}
        self.changed[remote] = self.time

    def changed_since(self, cursor: str | None) -> tuple[list[str], str | None]:
        return [key for key, at in self.changed.items() if at >= int(cursor or 0)], str(self.time)

    def read(self, remotes: Iterable[str]) -> Iterable[Party]:
        return [Party(key, dict(self.rows[key])) for key in remotes if key in self.rows]

    def gone(self, remotes: list[str]) -> set[str]:
        return set(remotes) - self.rows.keys()

    def create(self, mark: str, values: Mapping[str, str]) -> str:
        if mark not in self.marks:
            remote = str(len(self.rows) + 100)
            self.put(remote, **{name: value for name, value in values.items() if value})
            self.marks[mark] = remote
            if self.saves_and_fails:
                raise TryLater("500")
        return self.marks[mark]

    def write(self, remote: str, values: Mapping[str, str]) -> None:
        self.put(remote, **values)
        if self.saves_and_fails:
            raise TryLater("500")


@pytest.fixture
def crm(workspace: Any, alice: Any, now: Any) -> CrmAccount:
    return add_crm(
        workspace,
        password="secret",
        by=alice,
        now=now,
        name="Tryton",
        url="http://crm.example",
        database="crm",
        user="admin",
        query="role:customer",
        basis="contract",
        basis_note="Customers",
        retention_days=100,
        every_hours=1,
    )


@pytest.fixture
def exchange(crm: CrmAccount, now: Any) -> Any:
    def run(shelf: Shelf) -> Mapping[str, int]:
        return syncing.sync(CrmAccount.objects.select_related("workspace").get(pk=crm.pk), shelf, now=now)

    return run


def test_contacts_come_from_there_and_customers_go_there(exchange: Any, person: Any, alice: Any, now: Any) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org", city="Bonn")
    ann, _decoy = person("Ann", email="ann@example.org"), person("Decoy")
    actions.give_role(ann, "customer", source="x", by=alice, now=now)
    done = exchange(shelf)
    assert (done["added"], done["created"]) == (1, 1)
    carla = Person.objects.get(name="Carla")
    assert carla.basis == "contract" and carla.attributes.get(name="city").source == "crm Tryton"
    assert sorted(row["name"] for row in shelf.rows.values()) == ["Ann", "Carla"]
    assert exchange(shelf)["created"] == exchange(shelf)["added"] == 0


def test_a_change_on_one_side_is_taken_over_by_the_other(exchange: Any, alice: Any, now: Any) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org", city="Bonn")
    exchange(shelf)
    carla = Person.objects.get(name="Carla")
    shelf.put("1", city="Köln")
    actions.add_attribute(carla, name="phone", value="123456", source="member", by=alice, now=now)
    done = exchange(shelf)
    assert shelf.rows["1"]["phone"] == "123456" and (done["pulled"], done["pushed"]) == (1, 1)
    assert {row.value for row in carla.attributes.filter(name="city")} == {"Köln"}
    assert CrmConflict.objects.count() == 0


@pytest.mark.parametrize("chosen", ["ours", "theirs"])
def test_what_both_changed_is_asked_and_then_holds_on_both(chosen: str, exchange: Any, alice: Any, now: Any) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org", city="Bonn")
    exchange(shelf)
    carla = Person.objects.get(name="Carla")
    later = now + timedelta(minutes=1)
    actions.add_attribute(carla, name="city", value="Kiel", source="member", by=alice, now=later)
    shelf.put("1", city="Köln")
    assert exchange(shelf)["conflicts"] == 1 and exchange(shelf)["conflicts"] == 0
    conflict = CrmConflict.objects.get()
    assert (conflict.base, conflict.ours, conflict.theirs) == ("Bonn", "Kiel", "Köln")
    assert shelf.rows["1"]["city"] == "Köln"
    syncing.decide(conflict, chosen, by=alice, now=later + timedelta(minutes=1))
    exchange(shelf)
    exchange(shelf)
    holds = "Kiel" if chosen == "ours" else "Köln"
    assert shelf.rows["1"]["city"] == holds == syncing.values_of(carla)["city"]
    assert not CrmConflict.objects.filter(decided_at=None).exists()


def test_a_contact_that_was_saved_although_it_failed_is_not_made_twice(
    exchange: Any, person: Any, alice: Any, now: Any
) -> None:
    shelf = Shelf()
    shelf.saves_and_fails = True
    actions.give_role(person("Ann", email="ann@example.org"), "customer", source="x", by=alice, now=now)
    assert exchange(shelf)["failed"] == 1
    shelf.saves_and_fails = False
    exchange(shelf)
    assert len(shelf.rows) == 1 and CrmLink.objects.count() == 1 and Person.objects.count() == 1


def test_who_is_known_by_an_address_is_tied_and_not_added_again(exchange: Any, person: Any) -> None:
    shelf = Shelf()
    ann = person("Ann", email="ann@example.org")
    shelf.put("1", name="Ann", email="Ann@Example.org", phone="123456")
    exchange(shelf)
    assert Person.objects.count() == 1 and CrmLink.objects.get().person == ann
    assert [known.value for known in selectors.profile_of(ann).known if known.name == "phone"] == ["123456"]


def test_what_is_gone_there_stays_here(exchange: Any) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org")
    exchange(shelf)
    del shelf.rows["1"], shelf.changed["1"]
    assert exchange(shelf)["gone"] == 1 and exchange(shelf)["gone"] == 0
    assert Person.objects.get().deleted_at is None and CrmLink.objects.get().gone_at is not None


def test_merged_records_that_are_both_there_do_not_fight(exchange: Any, alice: Any, now: Any) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org")
    shelf.put("2", name="Carla", phone="123456")
    exchange(shelf)
    one, two = Person.objects.order_by("pk")
    actions.merge_persons(two, one, by=alice, now=now)
    exchange(shelf)
    exchange(shelf)
    assert shelf.rows["1"] == shelf.rows["2"] | {"name": "Carla"} and CrmConflict.objects.count() == 0


def test_the_password_is_kept_encrypted(crm: CrmAccount) -> None:
    assert b"secret" not in bytes(crm.secrets)


class Interrupted(Shelf):
    """A CRM during whose first answer something is done here."""

    def __init__(self, shelf: Shelf, meanwhile: Any) -> None:
        super().__init__()
        self.rows, self.changed, self.time, self.meanwhile = shelf.rows, shelf.changed, shelf.time, meanwhile

    def read(self, remotes: Iterable[str]) -> Iterable[Party]:
        found = super().read(remotes)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        return found


def test_what_is_done_here_while_an_exchange_runs_is_not_undone(
    exchange: Any, person: Any, alice: Any, now: Any
) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org", city="Bonn")
    exchange(shelf)
    carla, whole = Person.objects.get(name="Carla"), person("Carla Whole")
    mine = CrmLink.objects.get().person
    slow = Interrupted(shelf, lambda: actions.merge_persons(mine, whole, by=alice, now=now))
    actions.change_person(carla, note="Calls back on Friday", by=alice, now=now)
    slow.put("1", name="Carla Other")
    exchange(slow)
    carla.refresh_from_db()
    assert carla.root == whole and carla.note == "Calls back on Friday"


def test_who_is_erased_while_an_exchange_runs_does_not_come_back(
    exchange: Any, person: Any, alice: Any, now: Any
) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org")
    exchange(shelf)
    carla = Person.objects.get(name="Carla")
    slow = Interrupted(shelf, lambda: forget(carla.workspace, [carla.pk], ()))
    slow.put("1", name="Carla Other", city="Bonn")
    exchange(slow)
    assert not Person.objects.filter(name__startswith="Carla").exists()


def test_who_was_erased_here_is_not_brought_back_by_a_change_there(exchange: Any, person: Any, now: Any) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org")
    shelf.put("2", name="Decoy")
    exchange(shelf)
    carla = Person.objects.get(name="Carla")
    forget(carla.workspace, [carla.pk], ())
    shelf.put("1", city="Bonn")
    shelf.put("2", city="Bonn")
    done = exchange(shelf)
    assert (done["added"], done["forgotten"], done["pulled"]) == (0, 1, 1)
    assert [each.name for each in Person.objects.all()] == ["Decoy"]


def test_a_decision_that_is_made_while_an_exchange_runs_holds(exchange: Any, alice: Any, now: Any) -> None:
    shelf = Shelf()
    shelf.put("1", name="Carla", city="Bonn")
    exchange(shelf)
    carla = Person.objects.get(name="Carla")
    actions.add_attribute(carla, name="city", value="Kiel", source="member", by=alice, now=now + timedelta(minutes=1))
    shelf.put("1", city="Köln")
    exchange(shelf)
    conflict = CrmConflict.objects.get()
    slow = Interrupted(shelf, lambda: syncing.decide(conflict, "ours", by=alice, now=now))
    slow.put("1", phone="123456")
    exchange(slow)
    exchange(shelf)
    assert shelf.rows["1"]["city"] == "Kiel"


def test_a_contact_is_not_tied_to_who_was_put_away_with_the_records_that_are_one_with_them(
    exchange: Any, person: Any, alice: Any, now: Any
) -> None:
    part, whole = person("Carla", email="carla@example.org"), person("Carla Whole")
    actions.merge_persons(part, whole, by=alice, now=now)
    actions.remove_person(whole, by=alice, now=now)
    shelf = Shelf()
    shelf.put("1", name="Carla", email="carla@example.org")
    assert exchange(shelf)["added"] == 1
