"""What is kept of somebody, table by table: to hand it out, and to remove it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import models, transaction
from django.db.models import Q, QuerySet

from talkworthy.people import merging
from talkworthy.people.actions.trail import index_words
from talkworthy.people.models import (
    Attribute,
    Consent,
    CrmAccount,
    CrmConflict,
    CrmLink,
    Identity,
    LinkSuggestion,
    NeverMerge,
    Person,
    PersonChange,
    PersonRole,
)
from talkworthy.workspaces.models import Workspace

PIECE = 300
LEFT_OUT = frozenset({"words", "claimed_until"})
"""Columns that are made of others, or tell of our machinery."""


def records_of(person: Person) -> list[int]:
    """The numbers of every record that is one with the person, put away or not."""
    root = person.root_id or person.pk
    return [root, *Person.objects.filter(root=root).values_list("pk", flat=True)]


def identities_of(workspace: Workspace, accounts: Sequence[tuple[str, str]]) -> list[Identity]:
    """The identities of accounts (channel, account id) that are known here."""
    found: list[Identity] = []
    for start in range(0, len(accounts), PIECE):
        wanted = Q(pk=None)
        for channel, account in accounts[start : start + PIECE]:
            wanted |= Q(channel=channel, account=account)
        found += Identity.objects.filter(wanted, workspace=workspace)
    return found


def kept_of(workspace: Workspace, persons: Sequence[int], identities: Sequence[int]) -> Mapping[str, Sequence[Any]]:
    """Every row that is kept of these records and accounts, by table, as JSON can hold it."""
    keys = _keys(persons, identities)
    tables: list[QuerySet[Any]] = [
        Person.objects.filter(pk__in=persons),
        Identity.objects.filter(pk__in=identities),
        Attribute.objects.filter(person__in=persons),
        PersonRole.objects.filter(person__in=persons),
        Consent.objects.filter(person__in=persons),
        PersonChange.objects.filter(Q(person__in=persons) | Q(identity__in=identities)),
        LinkSuggestion.objects.filter(Q(left__in=keys) | Q(right__in=keys), workspace=workspace),
        NeverMerge.objects.filter(Q(left__in=keys) | Q(right__in=keys), workspace=workspace),
        CrmLink.objects.filter(person__in=persons),
        CrmConflict.objects.filter(link__person__in=persons),
    ]
    rows = {table.model._meta.label: [row_of(row) for row in table.order_by("pk")] for table in tables}
    return {name: found for name, found in rows.items() if found}


def row_of(row: models.Model) -> dict[str, Any]:
    """A row as JSON can hold it: every column but those that are made of others."""
    return {
        field.attname: _plain(getattr(row, field.attname))
        for field in row._meta.concrete_fields
        if field.name not in LEFT_OUT
    }


def forget(workspace: Workspace, persons: Iterable[int], identities: Iterable[int]) -> Counter[str]:
    """Remove these records and accounts with every row of theirs; says how many rows of which table went."""
    numbers, accounts = list(persons), list(identities)
    keys = _keys(numbers, accounts)
    removed: Counter[str] = Counter()
    with transaction.atomic():
        for start in range(0, len(keys), PIECE):
            piece = keys[start : start + PIECE]
            for table in (LinkSuggestion, NeverMerge):
                rows = table.objects.filter(Q(left__in=piece) | Q(right__in=piece), workspace=workspace)
                removed.update(rows.delete()[1])
        _leave_out(numbers)
        _let_go(workspace, numbers)
        for start in range(0, len(accounts), PIECE):
            gone = Identity.objects.filter(workspace=workspace, pk__in=accounts[start : start + PIECE])
            removed.update(gone.delete()[1])
        for start in range(0, len(numbers), PIECE):
            persons_gone = Person.objects.filter(workspace=workspace, pk__in=numbers[start : start + PIECE])
            removed.update(persons_gone.delete()[1])
    return removed


def _leave_out(numbers: Sequence[int]) -> None:
    """Note of those who go under which number a CRM has them: the next exchange would add them anew."""
    gone: dict[int, set[str]] = {}
    for start in range(0, len(numbers), PIECE):
        links = CrmLink.objects.filter(person__in=numbers[start : start + PIECE])
        for account, remote in links.values_list("account", "remote"):
            gone.setdefault(account, set()).add(remote)
    for held in CrmAccount.objects.select_for_update().filter(pk__in=gone).order_by("pk"):
        held.forgotten = sorted({*held.forgotten, *gone[held.pk]})
        held.save(update_fields=["forgotten"])


def _let_go(workspace: Workspace, numbers: Sequence[int]) -> None:
    """Free those who go from the records that stay: what was merged into one of them stands by itself again."""
    gone = set(numbers)
    rows = Person.objects.filter(workspace=workspace).exclude(root=None).values_list("pk", "merged_into")
    parents = {part: None if holder in gone else holder for part, holder in rows if part not in gone}
    held = Person.objects.filter(merged_into__in=numbers).exclude(pk__in=numbers)
    for part in list(held.values_list("pk", flat=True)):
        below = merging.held_by(parents, part) - {part}
        Person.objects.filter(pk=part).update(merged_into=None, root=None)
        Person.objects.filter(pk__in=below).update(root=part)
    Person.objects.filter(pk__in=numbers).update(root=None, merged_into=None)


def forget_accounts(workspace: Workspace, accounts: Sequence[tuple[str, str]]) -> Counter[str]:
    """Remove accounts, and persons of whom nothing was known but through them. Twice is once.

    Of whom something was told by others (a contract, an import, the CRM), the person stays without the account: they
    are erased from their own page.
    """
    identities = identities_of(workspace, accounts)
    numbers = {identity.pk for identity in identities}
    behind = {identity.person_id for identity in identities if identity.person_id}
    roots = {root or number for number, root in Person.objects.filter(pk__in=behind).values_list("pk", "root")}
    alone: list[int] = []
    for root in Person.objects.filter(pk__in=roots):
        records = records_of(root)
        others = Identity.objects.filter(person__in=records).exclude(pk__in=numbers)
        told = Attribute.objects.filter(person__in=records)
        agreed = Consent.objects.filter(person__in=records)
        if not (others.exists() or told.exists() or agreed.exists()):
            alone += records
    removed = forget(workspace, alone, numbers)
    index_words(roots - set(alone))
    return removed


def _keys(persons: Iterable[int], identities: Iterable[int]) -> list[str]:
    return [*(f"person:{number}" for number in persons), *(f"identity:{number}" for number in identities)]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value
