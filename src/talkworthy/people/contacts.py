"""Contacts in files: vCard and CSV, read into one shape and written from it. Pure."""

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import vobject

from talkworthy.analysis.names import folded_name

MOST = 5000
"""Contacts that one file may hold."""

LARGEST = 10_000_000
"""Bytes that one file may have."""

GUESSES: Mapping[str, tuple[str, ...]] = {
    "name": ("name", "full name", "display name", "fn", "contact", "vollstandiger name", "nom complet", "nombre"),
    "given_name": ("given name", "first name", "firstname", "vorname", "prenom", "nombre de pila"),
    "family_name": ("family name", "last name", "lastname", "surname", "nachname", "apellido", "apellidos"),
    "organisation": ("organisation", "organization", "company", "firma", "account name", "empresa"),
    "email": ("email", "e mail", "mail", "email address", "e mail address", "e mail 1 value", "correo"),
    "phone": ("phone", "telephone", "mobile", "phone 1 value", "telefon", "tel", "mobil", "telefono"),
    "title": ("title", "job title", "position", "titel"),
    "birthday": ("birthday", "date of birth", "dob", "geburtstag"),
    "address": ("address", "street", "strasse", "street address", "rue", "direccion"),
    "postcode": ("postcode", "zip", "postal code", "plz", "zip code", "code postal"),
    "city": ("city", "town", "ort", "stadt", "ville", "ciudad"),
    "country": ("country", "land", "pays", "pais"),
    "language": ("language", "sprache", "langue", "idioma"),
    "url": ("url", "website", "web", "homepage"),
    "identifier": ("id", "identifier", "customer number", "kundennummer", "customer id", "lead id"),
    "note": ("note", "notes", "notiz", "description"),
}  # fmt: skip
"""Headers by which a column is known, folded."""

_SIMPLE = {"email": "email", "tel": "phone", "title": "title", "bday": "birthday", "url": "url", "nickname": "nickname",
           "lang": "language", "note": "note"}  # fmt: skip


class Unreadable(ValueError):
    """The file is no file of contacts; the message says why."""


@dataclass(frozen=True)
class Contact:
    """One contact: a name, an organisation, and what is known, several values of a thing where there are."""

    name: str
    organisation: str = ""
    known: Mapping[str, Sequence[str]] = field(default_factory=dict)
    roles: Sequence[str] = ()

    def first(self, name: str) -> str:
        """The first value of a thing; empty where there is none."""
        return next(iter(self.known.get(name, ())), "")


def read_vcards(data: bytes) -> tuple[list[Contact], list[str]]:
    """Contacts of a vCard file of version 2.1, 3.0 or 4.0, and what could not be read."""
    contacts: list[Contact] = []
    faults: list[str] = []
    text = _text(data)
    if "BEGIN:VCARD" not in text.upper():
        raise Unreadable("there is no BEGIN:VCARD in it")
    for number, card in enumerate(re.findall(r"(?is)BEGIN:VCARD.*?END:VCARD", text), start=1):
        try:
            contact = _contact(vobject.readOne(card, ignoreUnreadable=True, allowQP=True))
        except Exception as error:  # vobject raises what its parts raise
            faults.append(f"card {number}: {error}")
            continue
        if contact.name:
            contacts.append(contact)
        else:
            faults.append(f"card {number}: it names nobody")
        if len(contacts) > MOST:
            raise Unreadable(f"it holds more than {MOST} contacts: import it in parts")
    return contacts, faults


def write_vcards(contacts: Iterable[Contact]) -> str:
    """A vCard 3.0 file, the version that every address book reads."""
    return "".join(_card(contact).serialize() for contact in contacts)


def columns_of(data: bytes) -> list[tuple[str, str, tuple[str, ...]]]:
    """Each column of a CSV file: its header, what it probably is, and examples."""
    rows = _rows(data)
    header, taken, found = rows[0], set[str](), []
    for place, name in enumerate(header):
        guess = _guess(name)
        if guess in taken and guess not in ("email", "phone", "url"):
            guess = ""
        taken.add(guess)
        cells = (row[place].strip() for row in rows[1:50] if place < len(row))
        examples = tuple(dict.fromkeys(cell[:80] for cell in cells if cell))[:3]
        found.append((name.strip() or f"column {place + 1}", guess, examples))
    return found


def read_csv(data: bytes, mapping: Mapping[str, str]) -> tuple[list[Contact], list[str]]:
    """Contacts of a CSV file whose columns were named: header → what it is (`keep`: under the header's own name)."""
    rows = _rows(data)
    if len(rows) > MOST + 1:
        raise Unreadable(f"it holds more than {MOST} contacts: import it in parts")
    header = [name.strip() or f"column {place + 1}" for place, name in enumerate(rows[0])]
    contacts, faults = [], []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        known: dict[str, list[str]] = {}
        for name, cell in zip(header, row, strict=False):
            target = mapping.get(name, "")
            target = folded_name(name).replace(" ", "_")[:40] if target == "keep" else target
            if target and cell.strip():
                known.setdefault(target, []).append(cell.strip())
        name = " ".join(known.pop("name", [])[:1]) or _named(known)
        organisation = " ".join(known.pop("organisation", [])[:1])
        if name:
            contacts.append(Contact(name, organisation, known))
        else:
            faults.append(f"line {number}: it names nobody")
    return contacts, faults


def write_csv(contacts: Sequence[Contact]) -> str:
    """A CSV file with a column for each thing that is known of anybody; several values stand with ; between them."""
    names = sorted({name for contact in contacts for name in contact.known})
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(["name", "organisation", "roles", *names])
    for contact in contacts:
        values = ["; ".join(contact.known.get(name, ())) for name in names]
        row = [contact.name, contact.organisation, "; ".join(contact.roles), *values]
        writer.writerow([_harmless(cell) for cell in row])
    return file.getvalue()


def _contact(card: "vobject.base.Component") -> Contact:
    known: dict[str, list[str]] = {}

    def add(name: str, value: object) -> None:
        text = " ".join(str(value).split()) if name != "note" else str(value).strip()
        if text and text not in known.setdefault(name, []):
            known[name].append(text)

    for key, name in _SIMPLE.items():
        for line in card.contents.get(key, ()):
            add(name, str(line.value).removeprefix("tel:").removeprefix("mailto:"))
    for line in card.contents.get("adr", ()):
        address = line.value
        places = {"address": address.street, "postcode": address.code, "city": address.city, "country": address.country}
        for name, value in places.items():
            add(name, _joined(value))
    given, family = "", ""
    if "n" in card.contents:
        given, family = _joined(card.n.value.given), _joined(card.n.value.family)
        add("given_name", given)
        add("family_name", family)
    organisation = card.contents["org"][0].value if "org" in card.contents else ""
    organisation = organisation if isinstance(organisation, str) else next(iter(organisation), "")
    full = str(card.fn.value).strip() if "fn" in card.contents else ""
    name = full or f"{given} {family}".strip() or next(iter(known.get("email", ())), "") or str(organisation)
    kept = {key: values for key, values in known.items() if values}
    return Contact(name, str(organisation).strip(), kept)


def _card(contact: Contact) -> "vobject.base.Component":
    card = vobject.vCard()
    card.add("fn").value = contact.name
    words = contact.name.split()
    family = contact.first("family_name") or (words[-1] if len(words) > 1 else "")
    given = contact.first("given_name") or (" ".join(words[:-1]) if len(words) > 1 else contact.name)
    card.add("n").value = vobject.vcard.Name(family=family, given=given)
    if contact.organisation:
        card.add("org").value = [contact.organisation]
    for key, name in _SIMPLE.items():
        for value in contact.known.get(name, ()):
            card.add(key).value = value
    places = {name: contact.first(name) for name in ("address", "postcode", "city", "country")}
    if any(places.values()):
        card.add("adr").value = vobject.vcard.Address(
            street=places["address"], code=places["postcode"], city=places["city"], country=places["country"]
        )
    if contact.roles:
        card.add("categories").value = list(contact.roles)
    return card


def _rows(data: bytes) -> list[list[str]]:
    text = _text(data)
    head = text[:20_000]
    try:
        dialect: type[csv.Dialect] | csv.Dialect = csv.Sniffer().sniff(head, delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), dialect))
    except csv.Error as error:
        raise Unreadable(str(error)) from error
    rows = [row for row in rows if any(cell.strip() for cell in row)]
    if len(rows) < 2:
        raise Unreadable("it needs a line with the names of the columns, and a line for each contact")
    return rows


def _text(data: bytes) -> str:
    if len(data) > LARGEST:
        raise Unreadable(f"it has more than {LARGEST // 1_000_000} MB")
    for encoding in ("utf-8-sig", "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _guess(header: str) -> str:
    folded = folded_name(header)
    return next((name for name, words in GUESSES.items() if folded in words), "")


def _named(known: Mapping[str, Sequence[str]]) -> str:
    first = [next(iter(known.get(name, ())), "") for name in ("given_name", "family_name")]
    return " ".join(word for word in first if word) or next(iter(known.get("email", ())), "")


def _joined(value: object) -> str:
    return " ".join(str(part) for part in value if part).strip() if isinstance(value, list) else str(value).strip()


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@") and not re.fullmatch(r"\+?[\d\s()/-]+", cell) else cell
