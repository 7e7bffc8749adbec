"""Verbs that make two persons one, and two again."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from talkworthy.people import merging
from talkworthy.people.actions.problems import Refused
from talkworthy.people.actions.trail import index_words, note_person
from talkworthy.people.models import Identity, NeverMerge, Person
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User, Workspace

Pair = tuple[str, str]


def merge_persons(part: Person, whole: Person, *, by: User | None, now: datetime, why: str = "") -> Person:
    """Make them one, shown as `whole`; returns it. Nothing is moved: each row stays with its own record."""
    if part.workspace_id != whole.workspace_id:
        raise Refused(_("The two are in different workspaces."))
    with transaction.atomic():
        parents = _parents(part, whole)
        try:
            after = merging.merged(parents, part.pk, whole.pk)
        except merging.Circle as error:
            raise Refused(_("The two are one already.")) from error
        below, above = merging.root_of(parents, part.pk), merging.root_of(parents, whole.pk)
        ours, theirs = merging.held_by(parents, above), merging.held_by(parents, below)
        refuse_apart(never_between(part.workspace_id, ours, theirs))
        joined = merging.held_by(after, below)
        Person.objects.filter(pk=below).update(merged_into=above, root=above)
        Person.objects.filter(pk__in=joined - {below}).update(root=above)
        for number, what in ((below, "merge into"), (above, "take in")):
            note_person(
                Person.objects.get(pk=number), what, by=by, now=now, new=above if number == below else below, why=why
            )
        index_words([above, below])
    return Person.objects.get(pk=above)


def split_person(part: Person, *, by: User | None, now: datetime, why: str = "", never_again: bool = False) -> Person:
    """Take a part off again, with all that was merged into it before; returns it. Every row is where it always was."""
    with transaction.atomic():
        parents = _parents(part)
        try:
            split = merging.split_off(parents, part.pk)
        except ValueError as error:
            raise Refused(_("This record is no part of another one.")) from error
        above = merging.root_of(parents, part.pk)
        Person.objects.filter(pk=part.pk).update(merged_into=None, root=None)
        Person.objects.filter(pk__in=split.goes - {part.pk}).update(root=part.pk)
        fresh, whole = Person.objects.get(pk=part.pk), Person.objects.get(pk=above)
        note_person(fresh, "split from", by=by, now=now, old=above, why=why)
        note_person(whole, "let go", by=by, now=now, old=part.pk, why=why)
        if never_again:
            keep_apart(fresh.workspace, key_of(fresh), key_of(whole), why=why, by=by, now=now)
        index_words([above, part.pk])
    return fresh


def keep_apart(workspace: Workspace, one: str, other: str, *, why: str, by: User | None, now: datetime) -> NeverMerge:
    """Say that two are never one, whatever they have in common."""
    left, right = ordered(one, other)
    with transaction.atomic():
        row, is_new = NeverMerge.objects.get_or_create(
            workspace=workspace, left=left, right=right, defaults={"why": why.strip(), "by": by, "at": now}
        )
        if is_new:
            note_change(workspace, verb="keep apart", thing=row, by=by, now=now, label=f"{left} ≠ {right}")
    return row


def allow_merging(row: NeverMerge, *, by: User | None, now: datetime) -> None:
    """Take back that two are never one."""
    with transaction.atomic():
        note_change(row.workspace, verb="allow merging", thing=row, by=by, now=now, label=str(row))
        row.delete()


def key_of(thing: Person | Identity) -> str:
    """What stands for a person or an identity in a pair."""
    return f"{'person' if isinstance(thing, Person) else 'identity'}:{thing.pk}"


def ordered(one: str, other: str) -> Pair:
    """A pair, the smaller one left."""
    left, right = sorted((one, other), key=lambda key: (key.split(":")[0], int(key.split(":")[1])))
    return left, right


def never_between(workspace_id: int, ours: frozenset[int], theirs: frozenset[int]) -> NeverMerge | None:
    """A row that keeps one of ours, or an account of theirs, from one of the others."""
    left, right = _keys(ours), _keys(theirs)
    crossing = Q(left__in=left, right__in=right) | Q(left__in=right, right__in=left)
    return NeverMerge.objects.filter(crossing, workspace_id=workspace_id).first()


def apart_from(person: Person, account: Identity) -> NeverMerge | None:
    """A row that keeps an account from the person, or from a record or an account that is theirs."""
    root, own = person.root_id or person.pk, key_of(account)
    theirs = _keys(frozenset([root, *Person.objects.filter(root=root).values_list("pk", flat=True)]))
    pairs = Q(left=own, right__in=theirs) | Q(right=own, left__in=theirs)
    return NeverMerge.objects.filter(pairs, workspace_id=person.workspace_id).first()


def refuse_apart(row: NeverMerge | None) -> None:
    """Raise Refused where somebody said that the two are never one."""
    if row is not None:
        words = _("Somebody said that these are never one: %(why)s Take that back first.")
        raise Refused(words % {"why": row.why or "–"})


def _keys(persons: frozenset[int]) -> list[str]:
    accounts = Identity.objects.filter(person__in=persons).values_list("pk", flat=True)
    return [*(f"person:{number}" for number in persons), *(f"identity:{number}" for number in accounts)]


def _parents(*persons: Person) -> dict[int, int | None]:
    """The records around these persons, locked, with the one that holds each."""
    numbers = {person.pk for person in persons}
    roots = set(Person.objects.filter(pk__in=numbers).exclude(root=None).values_list("root", flat=True)) | numbers
    rows = Person.objects.select_for_update().filter(Q(pk__in=roots) | Q(root__in=roots))
    return dict(rows.values_list("pk", "merged_into"))
