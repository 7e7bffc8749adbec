"""Verbs on suggestions that two are one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.people.actions.identities import link_identity
from talkworthy.people.actions.merging import keep_apart, merge_persons, ordered
from talkworthy.people.actions.problems import Refused
from talkworthy.people.models import Identity, LinkSuggestion, NeverMerge, Person
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User, Workspace


@dataclass(frozen=True)
class Suggested:
    """Two that may be one: their keys, how probable that is, and by what."""

    left: str
    right: str
    probability: float
    evidence: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Basis:
    """On what a person may be kept who is made by confirming a link between two accounts."""

    basis: str
    note: str
    retain_until: datetime


def keep_suggestions(workspace: Workspace, suggested: Iterable[Suggested], *, model: str, now: datetime) -> int:
    """Put what a run found before people; what was decided stays, what is no longer found goes. Returns how many."""
    apart = set(NeverMerge.objects.filter(workspace=workspace).values_list("left", "right"))
    decided = set(
        LinkSuggestion.objects.filter(workspace=workspace)
        .exclude(state=LinkSuggestion.State.OPEN)
        .values_list("left", "right")
    )
    rows: dict[tuple[str, str], LinkSuggestion] = {}
    for each in suggested:
        pair = ordered(each.left, each.right)
        if pair not in apart and pair not in decided:
            rows[pair] = LinkSuggestion(
                workspace=workspace,
                left=pair[0],
                right=pair[1],
                probability=min(max(each.probability, 0.0), 1.0),
                evidence=list(each.evidence),
                model=model[:80],
                created_at=now,
            )
    with transaction.atomic():
        LinkSuggestion.objects.filter(workspace=workspace, state=LinkSuggestion.State.OPEN).delete()
        LinkSuggestion.objects.bulk_create(rows.values(), batch_size=500)
    return len(rows)


def confirm_link(
    suggestion: LinkSuggestion, *, by: User | None, now: datetime, basis: Basis | None = None, why: str = ""
) -> Person:
    """They are one: merge the persons, or link the account. Two bare accounts need a basis for the person they make."""
    with transaction.atomic():
        _decide(suggestion, LinkSuggestion.State.CONFIRMED, by=by, now=now)
        left, right = thing_of(suggestion.workspace, suggestion.left), thing_of(suggestion.workspace, suggestion.right)
        why = why or str(_("Suggested with a probability of %(p).3f.") % {"p": suggestion.probability})
        if isinstance(left, Person) and isinstance(right, Person):
            return merge_persons(right, left, by=by, now=now, why=why)
        accounts = [thing for thing in (left, right) if isinstance(thing, Identity)]
        person = next((thing for thing in (left, right) if isinstance(thing, Person)), None)
        person = person or next((account.person for account in accounts if account.person), None)
        if person is None:
            person = _person_for(accounts, basis, by=by, now=now, why=why)
        for account in accounts:
            if account.person is None:
                link_identity(account, person, by=by, now=now, why=why)
            elif (account.person.root or account.person) != (person.root or person):
                merge_persons(account.person, person, by=by, now=now, why=why)
    return person


def deny_link(suggestion: LinkSuggestion, *, by: User | None, now: datetime, why: str = "") -> None:
    """They are not one, and shall never be suggested or merged again."""
    with transaction.atomic():
        _decide(suggestion, LinkSuggestion.State.DENIED, by=by, now=now)
        keep_apart(suggestion.workspace, suggestion.left, suggestion.right, why=why, by=by, now=now)


def reopen_link(suggestion: LinkSuggestion, *, by: User | None, now: datetime) -> None:
    """Take back a denial."""
    with transaction.atomic():
        NeverMerge.objects.filter(workspace=suggestion.workspace, left=suggestion.left, right=suggestion.right).delete()
        LinkSuggestion.objects.filter(pk=suggestion.pk, state=LinkSuggestion.State.DENIED).update(
            state=LinkSuggestion.State.OPEN, by=None, decided_at=None
        )
        _note(suggestion, "reopen link", by=by, now=now)


def thing_of(workspace: Workspace, key: str) -> Person | Identity:
    """The person or identity of a key; Refused where it is gone."""
    kind, _colon, number = key.partition(":")
    found: Person | Identity | None = None
    if number.isdecimal():
        if kind == "person":
            found = Person.objects.filter(workspace=workspace, pk=int(number), deleted_at=None).first()
        elif kind == "identity":
            found = Identity.objects.filter(workspace=workspace, pk=int(number)).select_related("person").first()
    if found is None:
        raise Refused(_("One of the two is gone."))
    return found


def _decide(suggestion: LinkSuggestion, state: str, *, by: User | None, now: datetime) -> None:
    rows = LinkSuggestion.objects.filter(pk=suggestion.pk, state=LinkSuggestion.State.OPEN)
    if not rows.update(state=state, by=by, decided_at=now):
        raise Refused(_("Somebody decided that already."))
    suggestion.refresh_from_db()
    _note(suggestion, "confirm link" if state == LinkSuggestion.State.CONFIRMED else "deny link", by=by, now=now)


def _note(suggestion: LinkSuggestion, verb: str, *, by: User | None, now: datetime) -> None:
    note_change(
        suggestion.workspace,
        verb=verb,
        thing=suggestion,
        by=by,
        now=now,
        label=f"{suggestion.left} = {suggestion.right}",
    )


def _person_for(
    accounts: Sequence[Identity], basis: Basis | None, *, by: User | None, now: datetime, why: str
) -> Person:
    from talkworthy.people.actions.persons import create_person

    if basis is None:
        raise Refused(_("Neither account has a person yet. Say on what basis one may be kept."))
    return create_person(
        accounts[0].workspace,
        name=max((str(account) for account in accounts), key=len),
        basis=basis.basis,
        basis_note=basis.note,
        retain_until=basis.retain_until,
        by=by,
        now=now,
        why=why,
    )
