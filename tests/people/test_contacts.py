"""Contacts come from files and go to them, and nobody is overwritten."""

import os
import time
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from talkworthy.people import contacts
from talkworthy.people.actions.contacts import Kept, import_contacts
from talkworthy.people.contacts import Contact, Unreadable
from talkworthy.people.models import Attribute, Person
from talkworthy.people.uploads import forget_contacts, keep_contacts, kept_contacts

CARD = """BEGIN:VCARD
VERSION:3.0
FN:Наталья Иванова
N:Иванова;Наталья;;;
ORG:Acme GmbH;Support
EMAIL;TYPE=work:nata@example.org
EMAIL;TYPE=home:n@example.net
TEL:+49 228 1234567
ADR;TYPE=home:;;Main St 1;Bonn;;53111;Germany
BDAY:1980-01-02
NOTE:Line one\\nline two
END:VCARD
"""
OLD = (
    "BEGIN:VCARD\r\nVERSION:2.1\r\nN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:M=C3=BCller;J=C3=BCrgen\r\n"
    "FN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen M=C3=BCller\r\nTEL;CELL:0170 1234567\r\nEND:VCARD\r\n"
)


def test_a_card_is_read_with_every_address_and_its_script() -> None:
    (found,), faults = contacts.read_vcards(CARD.encode())
    assert (found.name, found.organisation, faults) == ("Наталья Иванова", "Acme GmbH", [])
    assert found.known["email"] == ["nata@example.org", "n@example.net"]
    assert (found.first("city"), found.first("postcode"), found.first("birthday")) == ("Bonn", "53111", "1980-01-02")


def test_a_card_of_an_old_telephone_is_read() -> None:
    (found,), _faults = contacts.read_vcards(OLD.encode())
    assert (found.name, found.first("phone")) == ("Jürgen Müller", "0170 1234567")


def test_a_card_that_is_broken_does_not_take_the_others_with_it() -> None:
    broken = "BEGIN:VCARD\nVERSION:3.0\nthis is nothing\nEND:VCARD\n"
    found, faults = contacts.read_vcards((broken + CARD).encode())
    assert [contact.name for contact in found] == ["Наталья Иванова"] and len(faults) == 1


def test_what_is_no_file_of_contacts_says_so() -> None:
    for data in (b"hello", b"\x89PNG\r\n", b""):
        with pytest.raises(Unreadable):
            contacts.read_vcards(data)
    for data in (b"", b"name,email\n"):
        with pytest.raises(Unreadable):
            contacts.columns_of(data)


def test_cards_that_are_written_are_read_again_alike() -> None:
    known = {"email": ["a@x.org", "b@x.org"], "phone": ["123 456"], "address": ["Main; St, 1"], "city": ["Bonn"]}
    given = Contact("Ann\nExample; née X", "Acme, Inc.", known, ("customer",))
    (read,), faults = contacts.read_vcards(contacts.write_vcards([given]).encode())
    assert faults == [] and read.known["email"] == known["email"] and read.organisation == "Acme, Inc."
    assert (read.first("address"), read.first("city")) == ("Main; St, 1", "Bonn")


def test_columns_are_guessed_in_several_languages_and_encodings() -> None:
    data = "Vorname;Nachname;E-Mail;PLZ;Was sonst\nJürgen;Müller;j@x.org;53111;rot\n".encode("cp1252")
    columns = contacts.columns_of(data)
    assert [guess for _name, guess, _examples in columns] == ["given_name", "family_name", "email", "postcode", ""]
    mapping = {name: guess or "keep" for name, guess, _examples in columns}
    (found,), _faults = contacts.read_csv(data, mapping)
    assert (found.name, found.first("was_sonst")) == ("Jürgen Müller", "rot")


def test_no_cell_that_is_written_is_taken_for_a_formula() -> None:
    written = contacts.write_csv([Contact("=HYPERLINK(1)", "@x", {"phone": ["+49 228 12"], "note": ["-1+1"]})])
    assert "'=HYPERLINK(1)" in written and "'@x" in written and ",+49 228 12" in written and "'-1+1" in written


def kept(now: Any) -> Kept:
    return Kept("contract", "Customers of 2026", now + timedelta(days=100))


def test_an_import_adds_who_is_new_and_teaches_who_is_known(workspace: Any, person: Any, alice: Any, now: Any) -> None:
    ann = person("Ann", email="ANN@example.org", city="Bonn")
    file = [
        Contact("Ann Other", "Acme", {"email": ["ann@example.org"], "city": ["Köln"]}),
        Contact("Bea", "", {"email": ["bea@example.org"]}),
        Contact("Bea again", "", {"email": ["bea@example.org"], "phone": ["123"]}),
        Contact("Nameless twin"),
    ]
    done = import_contacts(workspace, file, kept=kept(now), source="import f.csv", role="customer", by=alice, now=now)
    assert (done.added, done.known, Person.objects.count()) == (2, 2, 3)
    ann.refresh_from_db()
    assert ann.name == "Ann" and {row.value for row in ann.attributes.filter(name="city")} == {"Bonn", "Köln"}
    assert ann.roles.get().source == "import f.csv" and ann.organisation.name == "Acme"
    assert Attribute.objects.get(value="123").person.name == "Bea"


def test_the_same_file_twice_changes_nothing(workspace: Any, alice: Any, now: Any) -> None:
    file = [Contact("Bea", "Acme", {"email": ["bea@example.org"], "city": ["Bonn"]})]
    for _time in range(2):
        import_contacts(workspace, file, kept=kept(now), source="import f.csv", by=alice, now=now)
    assert (Person.objects.count(), Attribute.objects.count()) == (1, 2)


def test_an_address_that_two_persons_have_makes_nobody_learn_by_chance(
    workspace: Any, person: Any, alice: Any, now: Any
) -> None:
    person("One", email="office@example.org")
    person("Two", email="office@example.org")
    file = [Contact("Three", "", {"email": ["office@example.org"], "city": ["Bonn"]})]
    import_contacts(workspace, file, kept=kept(now), source="f", by=alice, now=now)
    assert Attribute.objects.get(value="Bonn").person.name == "Three"


@pytest.mark.django_db
def test_a_file_that_nobody_went_on_with_is_kept_for_an_hour(workspace: Any) -> None:
    left, fresh = (keep_contacts(workspace, SimpleUploadedFile("a.csv", b"name\nAnn\n")) for _file in range(2))
    os.utime(kept_contacts(workspace, left), (0, time.time() - 3700))
    assert forget_contacts(workspace, now=timezone.now()) == 1
    assert not kept_contacts(workspace, left).exists() and kept_contacts(workspace, fresh).exists()
