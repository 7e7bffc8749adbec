"""One exchange with a CRM: what came is taken over, what is ours is written there, what both changed is asked."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction

from talkworthy.connectors.errors import ConnectorError
from talkworthy.connectors.http import Http
from talkworthy.people import actions, merging
from talkworthy.people.crm.comparing import FIELDS, Move, Step, compared
from talkworthy.people.crm.tryton import Party, Tryton
from talkworthy.people.models import Attribute, CrmAccount, CrmConflict, CrmLink, Person
from talkworthy.people.segments import people_query
from talkworthy.workspaces.credentials import opened
from talkworthy.workspaces.models import Workspace

Told = Callable[[int, int | None], None]
PIECE = 200
COUNTED = ("read", "added", "pulled", "pushed", "created", "conflicts", "gone", "forgotten", "failed")


class Crm(Protocol):
    """What an exchange needs of a CRM."""

    def changed_since(self, cursor: str | None) -> tuple[list[str], str | None]:
        """The contacts that were changed since, and the next cursor."""

    def read(self, remotes: Iterable[str]) -> Iterable[Party]:
        """What contacts say now."""

    def gone(self, remotes: list[str]) -> set[str]:
        """Which are not there any more."""

    def create(self, mark: str, values: Mapping[str, str]) -> str:
        """Make a contact once."""

    def write(self, remote: str, values: Mapping[str, str]) -> None:
        """Set fields."""


def crm_of(account: CrmAccount, http: Http) -> Tryton:
    """The CRM of an account. Raises LockedCredentials."""
    secrets = opened(account.secrets)
    return Tryton(
        http,
        url=account.url,
        database=account.database,
        user=account.user,
        password=str(secrets.get("password", "")),
    )


def door(workspace: Workspace) -> Http:
    """The door to the network, with the private hosts that administrators allow."""
    return Http(allow_hosts=frozenset([*settings.CONFIGURATION.allow_hosts, *workspace.allow_hosts]))


def sync(account: CrmAccount, crm: Crm, *, now: datetime, told: Told = lambda done, total: None) -> Mapping[str, int]:
    """Exchange once. Each contact is done by itself, so that what stops it in the middle is gone on with next time."""
    return _Exchange(account, crm, now).run(told)


class _Exchange:
    def __init__(self, account: CrmAccount, crm: Crm, now: datetime) -> None:
        self.account, self.crm, self.now = account, crm, now
        self.source = f"crm {account.name}"[:120]
        self.counts = dict.fromkeys(COUNTED, 0)

    def run(self, told: Told) -> Mapping[str, int]:
        changed, cursor = self.crm.changed_since(self.account.cursor.get("since"))
        links = {link.remote: link for link in self.account.links.select_related("person__root", "person__workspace")}
        self._note_gone(links)
        total = len(changed) + len(links)
        seen: set[str] = set()
        for party in self.crm.read(changed):
            self.counts["read"] += 1
            link = links.get(party.remote) or self._met(party)
            if link is not None:
                self._bring_together(link, party)
                seen.add(party.remote)
            told(self.counts["read"], total)
        self._send([link for link in links.values() if link.remote not in seen and link.gone_at is None])
        self._create_there()
        CrmAccount.objects.filter(pk=self.account.pk).update(
            cursor={"since": cursor} if cursor else {}, synced_at=self.now, outcome=self.counts, error=""
        )
        told(total, total)
        return self.counts

    def _note_gone(self, links: Mapping[str, CrmLink]) -> None:
        """Mark what is not there any more; nothing here goes for that."""
        for remote in self.crm.gone(list(links)):
            if links[remote].gone_at is None:
                links[remote].gone_at = self.now
                links[remote].save(update_fields=["gone_at"])
                self.counts["gone"] += 1

    def _met(self, party: Party) -> CrmLink | None:
        """A contact that is new to us: tied to whom we know by its address, else a person is added for it."""
        name = party.values.get("name") or party.values.get("email") or party.values.get("phone")
        if not name:
            return None
        with transaction.atomic():
            if party.remote in CrmAccount.objects.select_for_update().get(pk=self.account.pk).forgotten:
                self.counts["forgotten"] += 1
                return None
            person = self._known(party)
            if person is None:
                person = actions.create_person(
                    self.account.workspace,
                    name=name,
                    basis=self.account.basis,
                    basis_note=self.account.basis_note,
                    retain_until=self.now + timedelta(days=self.account.retention_days),
                    by=None,
                    now=self.now,
                    why=self.source,
                )
                self.counts["added"] += 1
            return CrmLink.objects.create(account=self.account, person=person, remote=party.remote, synced_at=self.now)

    def _known(self, party: Party) -> Person | None:
        email = party.values.get("email", "").strip()
        if not email:
            return None
        rows = Attribute.objects.filter(
            person__workspace=self.account.workspace,
            person__deleted_at=None,
            person__root__deleted_at=None,
            name="email",
            value__iexact=email,
        )
        found = {root or person for person, root in rows.values_list("person", "person__root")}
        if len(found) != 1:
            return None
        person = Person.objects.get(pk=found.pop())
        return None if person.crm_links.filter(account=self.account).exists() else person

    def _bring_together(self, link: CrmLink, party: Party) -> None:
        """Take over, write there, or ask, field by field; of whom we read anew, as an exchange takes its time."""
        theirs = {name: party.values.get(name, "") for name in FIELDS}
        to_write = {}
        with transaction.atomic():
            held = self._held(link)
            if held is None:
                return
            link, base = held, dict(held.base)
            for step in compared(link.base, values_of(_head(link.person)), theirs):
                if step.field in link.decided:
                    to_write[step.field] = link.decided[step.field]
                elif step.move is Move.NOTHING:
                    base[step.field] = step.theirs
                    self._settle(link, step)
                elif step.move is Move.PULL:
                    take_over(link.person, step.field, step.theirs, source=self.source, now=self.now)
                    base[step.field] = step.theirs
                    self._settle(link, step)
                    self.counts["pulled"] += 1
                elif step.move is Move.PUSH:
                    to_write[step.field] = step.ours
                else:
                    self._ask(link, step)
            self._keep(link, base)
        if to_write:
            self._write(link, to_write)

    def _held(self, link: CrmLink) -> CrmLink | None:
        """The link as it is now, locked; None where it or its person went while the exchange ran."""
        rows = CrmLink.objects.select_for_update(of=("self",)).select_related("person__root", "person__workspace")
        return rows.filter(pk=link.pk).first()

    def _write(self, link: CrmLink, values: Mapping[str, str]) -> None:
        """Write there, then note that both agree; where that fails it is found to differ the next time."""
        try:
            self.crm.write(link.remote, values)
        except ConnectorError:
            self.counts["failed"] += 1
            return
        self.counts["pushed"] += len(values)
        with transaction.atomic():
            held = self._held(link)
            if held is not None:
                held.decided = {name: value for name, value in held.decided.items() if values.get(name) != value}
                self._keep(held, {**held.base, **values})

    def _keep(self, link: CrmLink, base: Mapping[str, str]) -> None:
        link.base, link.synced_at, link.gone_at = dict(base), self.now, None
        link.save(update_fields=["base", "decided", "synced_at", "gone_at"])

    def _ask(self, link: CrmLink, step: Step) -> None:
        said = {"base": step.base, "ours": step.ours, "theirs": step.theirs, "at": self.now}
        _row, is_new = CrmConflict.objects.update_or_create(link=link, field=step.field, decided_at=None, defaults=said)
        self.counts["conflicts"] += is_new

    def _settle(self, link: CrmLink, step: Step) -> None:
        """Both came to agree by themselves: nothing is left to ask."""
        CrmConflict.objects.filter(link=link, field=step.field, decided_at=None).delete()

    def _send(self, links: list[CrmLink]) -> None:
        """What was changed here alone; what it says there is read again first, so that no change there is lost."""
        differing = [
            link
            for link in links
            if link.decided
            or any(
                step.move is not Move.NOTHING for step in compared(link.base, values_of(_head(link.person)), link.base)
            )
        ]
        by_remote = {link.remote: link for link in differing}
        for party in self.crm.read(list(by_remote)):
            self._bring_together(by_remote[party.remote], party)

    def _create_there(self) -> None:
        """Persons whom the account's query finds and who are not there yet."""
        if not self.account.query.strip():
            return
        condition = people_query(self.account.workspace, self.account.query, now=self.now)
        wanted = Person.objects.filter(
            condition, workspace=self.account.workspace, merged_into=None, deleted_at=None
        ).exclude(crm_links__account=self.account)
        tied = set(
            Person.objects.filter(crm_links__account=self.account).exclude(root=None).values_list("root", flat=True)
        )
        for person in wanted.order_by("pk").iterator(PIECE):
            if person.pk in tied:
                continue
            values = values_of(person)
            try:
                remote = self.crm.create(str(person.uid), values)
            except ConnectorError:
                self.counts["failed"] += 1  # it may have been saved all the same: the next run looks before it creates
                continue
            CrmLink.objects.update_or_create(
                account=self.account,
                remote=remote,
                defaults={"person": person, "base": values, "synced_at": self.now},
            )
            self.counts["created"] += 1


def values_of(person: Person) -> dict[str, str]:
    """What we say of a person in the fields that are exchanged: of each the newest value that any source told."""
    rows = Attribute.objects.filter(person__in=[person.pk, *person.members.values_list("pk", flat=True)])
    known = merging.shown(merging.Known(row.person_id, row.name, row.value, row.source, row.at) for row in rows)
    return {"name": person.name, **{name: merging.value_of(known, name) for name in FIELDS if name != "name"}}


def take_over(person: Person, field: str, value: str, *, source: str, now: datetime, by: Any = None) -> None:
    """Let a field be what the CRM says; what the CRM said before goes, what others say stays beneath it."""
    head = _head(person)
    if field == "name":
        if value:
            actions.change_person(head, name=value, by=by, now=now, why=source)
        return
    records = [head.pk, *head.members.values_list("pk", flat=True)]
    stale = Attribute.objects.filter(person__in=records, name=field, source=source).select_related("person__workspace")
    for row in stale:
        actions.remove_attribute(row, by=by, now=now, why=source)
    if value:
        actions.add_attribute(person, name=field, value=value, source=source, by=by, now=now)


def decide(conflict: CrmConflict, chosen: str, *, by: Any, now: datetime) -> None:
    """Say which value holds: ours is written there with the next exchange, theirs is taken over now."""
    if chosen not in ("ours", "theirs"):
        raise actions.Refused("choose ours or theirs")
    link = conflict.link
    with transaction.atomic():
        open_row = CrmConflict.objects.filter(pk=conflict.pk, decided_at=None)
        if not open_row.update(chosen=chosen, by=by, decided_at=now):
            return
        if chosen == "theirs":
            _follow(link, conflict, by=by, now=now)
            link.base = {**link.base, conflict.field: conflict.theirs}
            link.save(update_fields=["base"])
        else:
            link.decided = {**link.decided, conflict.field: conflict.ours}
            link.save(update_fields=["decided"])
        CrmAccount.objects.filter(pk=link.account_id).update(due_at=now)


def _follow(link: CrmLink, conflict: CrmConflict, *, by: Any, now: datetime) -> None:
    """Take over what they say; where they emptied it, every row of ours that says it goes."""
    if not conflict.theirs and conflict.field != "name":
        head = _head(link.person)
        records = [head.pk, *head.members.values_list("pk", flat=True)]
        rows = Attribute.objects.filter(person__in=records, name=conflict.field)
        for row in rows.select_related("person__workspace"):
            actions.remove_attribute(row, by=by, now=now, why=f"crm {link.account.name}")
        return
    take_over(link.person, conflict.field, conflict.theirs, source=f"crm {link.account.name}"[:120], now=now, by=by)


def _head(person: Person) -> Person:
    return person.root or person
