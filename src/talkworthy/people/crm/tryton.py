"""Tryton's contacts (parties) over JSON-RPC.

A server can save and still answer 500, or the connection can break after it saved: a contact that we create carries a
mark of ours, and is looked for before it is created again. What is changed is written as a whole value, so that
writing it twice changes nothing.
"""

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from talkworthy.connectors.errors import AskForCredentials, GiveUp, TryLater
from talkworthy.connectors.http import Http

MARK = "talkworthy:"
PIECE = 200
OVERLAP = timedelta(seconds=5)
"""Changes are asked for again from a little before the newest that was seen: their clock ticks while they save."""

_PARTS = ("year", "month", "day", "hour", "minute", "second", "microsecond")
_MECHANISMS = {"email": ("email",), "phone": ("phone", "mobile"), "url": ("website",)}
_WRITES = {"email": "email", "phone": "phone", "url": "website"}
_ADDRESS = {"address": "street", "postcode": "postal_code", "city": "city"}


@dataclass(frozen=True)
class Party:
    """A contact there: its number, and what it says."""

    remote: str
    values: Mapping[str, str]


class Tryton:
    """One session with one database."""

    def __init__(self, http: Http, *, url: str, database: str, user: str, password: str) -> None:
        self._http = http
        self._url = f"{url.rstrip('/')}/{database}/rpc/"
        self._user, self._password = user, password
        self._session = ""

    def changed_since(self, cursor: str | None) -> tuple[list[str], str | None]:
        """The numbers of contacts that were changed since, and the cursor for the next time."""
        since = datetime.fromisoformat(cursor) - OVERLAP if cursor else None
        numbers: set[int] = set()
        newest = datetime.fromisoformat(cursor) if cursor else None
        for model, owner in (("party", "id"), ("contact_mechanism", "party"), ("address", "party")):
            for row in self._rows(f"party.{model}", self._written(since), [owner, "write_date", "create_date"]):
                if row[owner]:
                    numbers.add(int(row[owner]))
                at = _time(row["write_date"] or row["create_date"])
                newest = max(newest, at) if newest and at else newest or at
        return [str(number) for number in sorted(numbers)], newest.isoformat() if newest else None

    def read(self, remotes: Iterable[str]) -> Iterator[Party]:
        """What these contacts say now; those that are gone are left out."""
        numbers = sorted({int(remote) for remote in remotes})
        for start in range(0, len(numbers), PIECE):
            yield from self._read(numbers[start : start + PIECE])

    def gone(self, remotes: Sequence[str]) -> set[str]:
        """Which of these contacts are not there any more, or were put out of use."""
        left: set[str] = set()
        for start in range(0, len(remotes), PIECE):
            piece = [int(remote) for remote in remotes[start : start + PIECE]]
            left |= {str(row["id"]) for row in self._rows("party.party", [["id", "in", piece]], ["name"])}
        return set(remotes) - left

    def find(self, mark: str) -> str | None:
        """The contact that carries our mark, if an earlier try has made it."""
        rows = self._rows("party.contact_mechanism", [["value", "=", MARK + mark]], ["party"])
        return next((str(row["party"]) for row in rows if row["party"]), None)

    def create(self, mark: str, values: Mapping[str, str]) -> str:
        """Make a contact that carries our mark, or find the one that an earlier try has made; returns its number."""
        found = self.find(mark)
        if found is not None:
            return found
        mechanisms = [{"type": kind, "value": values[name]} for name, kind in _WRITES.items() if values.get(name)]
        mechanisms.append({"type": "other", "value": MARK + mark})
        party: dict[str, Any] = {"name": values.get("name", ""), "contact_mechanisms": [["create", mechanisms]]}
        address = {theirs: values[ours] for ours, theirs in _ADDRESS.items() if values.get(ours)}
        if address:
            party["addresses"] = [["create", [address]]]
        return str(self._call("model.party.party.create", [party], {})[0])

    def write(self, remote: str, values: Mapping[str, str]) -> None:
        """Set these fields; an empty value takes the field away."""
        number = int(remote)
        if "name" in values:
            self._call("model.party.party.write", [number], {"name": values["name"]}, {})
        for name, kind in _WRITES.items():
            if name in values:
                self._write_mechanism(number, kind, _MECHANISMS[name], values[name])
        address = {theirs: values[ours] for ours, theirs in _ADDRESS.items() if ours in values}
        if address:
            rows = list(self._rows("party.address", [["party", "=", number]], ["street"]))
            if rows:
                self._call("model.party.address.write", [rows[0]["id"]], address, {})
            elif any(address.values()):
                self._call("model.party.address.create", [{"party": number, **address}], {})

    def check(self) -> int:
        """Sign in; returns how many contacts there are."""
        return int(self._call("model.party.party.search_count", [], {}))

    def _write_mechanism(self, number: int, kind: str, kinds: Sequence[str], value: str) -> None:
        found = self._rows(
            "party.contact_mechanism", [["party", "=", number], ["type", "in", list(kinds)]], ["type", "value"]
        )
        rows = list(found)
        if rows and value:
            self._call("model.party.contact_mechanism.write", [rows[0]["id"]], {"value": value}, {})
        elif rows:
            self._call("model.party.contact_mechanism.delete", [rows[0]["id"]], {})
        elif value:
            self._call("model.party.contact_mechanism.create", [{"party": number, "type": kind, "value": value}], {})

    def _read(self, numbers: list[int]) -> Iterator[Party]:
        named = {row["id"]: row["name"] or "" for row in self._rows("party.party", [["id", "in", numbers]], ["name"])}
        values: dict[int, dict[str, str]] = {number: {"name": name} for number, name in named.items()}
        wanted = [["party", "in", list(named)]]
        for row in self._rows("party.contact_mechanism", wanted, ["party", "type", "value"]):
            for name, kinds in _MECHANISMS.items():
                if row["type"] in kinds and row["value"]:
                    values[row["party"]].setdefault(name, str(row["value"]))
        for row in self._rows("party.address", wanted, ["party", "street", "postal_code", "city"]):
            for ours, theirs in _ADDRESS.items():
                if row[theirs]:
                    values[row["party"]].setdefault(ours, str(row[theirs]))
        for number, said in values.items():
            yield Party(str(number), said)

    def _rows(self, model: str, domain: list[Any], names: list[str]) -> Iterator[dict[str, Any]]:
        """Every row, in the order of their numbers, page by page."""
        last = 0
        while True:
            asked = [["id", ">", last], *([domain] if domain else [])]
            rows = self._call(f"model.{model}.search_read", asked, 0, PIECE, [["id", "ASC"]], names, {})
            yield from rows
            if len(rows) < PIECE:
                return
            last = rows[-1]["id"]

    def _written(self, since: datetime | None) -> list[Any]:
        if since is None:
            return []
        at = _told(since)
        return ["OR", ["write_date", ">=", at], [["write_date", "=", None], ["create_date", ">=", at]]]

    def _call(self, method: str, *given: Any) -> Any:
        if not self._session:
            self._sign_in()
        return self._post(method, given, {"Authorization": f"Session {self._session}"})

    def _sign_in(self) -> None:
        found = self._post("common.db.login", (self._user, {"password": self._password}, "en"), {})
        if not found:
            raise AskForCredentials("The CRM does not know this user and password.")
        self._session = base64.b64encode(f"{self._user}:{found[0]}:{found[1]}".encode()).decode()

    def _post(self, method: str, given: Sequence[Any], headers: Mapping[str, str]) -> Any:
        asked = {"id": 1, "method": method, "params": list(given)}
        response = self._http.post(self._url, json=asked, headers=headers, timeout=60.0)
        if response.status in (401, 403):
            raise AskForCredentials("The CRM refuses this user and password.")
        if response.status == 404:
            raise GiveUp("There is no such database at this address.")
        answer = response.raise_for_status().json()
        if not isinstance(answer, dict) or ("result" not in answer and "error" not in answer):
            raise TryLater("The CRM did not answer as Tryton does.", after=300)
        if "error" in answer:
            raise TryLater(f"The CRM refused it: {_said(answer['error'])}", after=300)
        return answer["result"]


def _said(error: Any) -> str:
    if isinstance(error, list) and len(error) > 1 and isinstance(error[1], list) and error[1]:
        return str(error[1][0])[:300]
    return str(error[0] if isinstance(error, list) and error else error)[:300]


def _time(value: Any) -> datetime | None:
    if not isinstance(value, dict):
        return None
    read = {name: int(value.get(name) or 0) for name in _PARTS}
    return datetime(**read, tzinfo=UTC)


def _told(at: datetime) -> dict[str, Any]:
    return {"__class__": "datetime", **{name: getattr(at, name) for name in _PARTS}}
