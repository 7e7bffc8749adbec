"""Verbs on identities: accounts on channels."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.people.actions.merging import apart_from, refuse_apart
from talkworthy.people.actions.problems import Refused
from talkworthy.people.actions.trail import index_words, note_identity, note_person
from talkworthy.people.models import Identity, Person
from talkworthy.workspaces.models import User, Workspace

SEEN = ("handle", "name", "url", "bio", "followers", "verified")
"""What an account says of itself, taken over whenever it is seen anew."""


def identity_of(
    workspace: Workspace, author: Mapping[str, Any] | None, channel: str, *, now: datetime, by: User | None = None
) -> Identity | None:
    """The identity of a post's author, made where there is none; None where the channel does not say who wrote it.

    To be called when somebody becomes work, never for a mere mention. A later sight brings it up to date: what the
    account said of itself before stays in its history.
    """
    author = author or {}
    account = str(author.get("id") or author.get("handle") or "")[:400]
    if not account:
        return None
    with transaction.atomic():
        identity, is_new = Identity.objects.get_or_create(
            workspace=workspace,
            channel=channel,
            account=account,
            defaults={**_seen(author), "is_automated": bool(author.get("automated")), **_at(now)},
        )
        if is_new:
            note_identity(identity, "add identity", by=by, now=now, new={"channel": channel})
        else:
            _bring_up_to_date(identity, author, now=now)
    return identity


def mark_identity(identity: Identity, *, by: User | None, now: datetime, **flags: bool) -> None:
    """Say that it is an account that we answer from (is_ours), or a program (is_automated)."""
    with transaction.atomic():
        for name, value in flags.items():
            if name not in ("is_ours", "is_automated"):
                raise TypeError(f"{name} is no mark of an identity")
            if getattr(identity, name) != value:
                note_identity(identity, f"mark {name}", by=by, now=now, old=not value, new=value)
                setattr(identity, name, value)
        identity.save(update_fields=list(flags))


def link_identity(identity: Identity, person: Person, *, by: User | None, now: datetime, why: str = "") -> None:
    """Say that this person is behind the account."""
    if identity.workspace_id != person.workspace_id:
        raise Refused(_("The account and the person are in different workspaces."))
    with transaction.atomic():
        before = Identity.objects.select_for_update().get(pk=identity.pk).person
        if before == person:
            return
        refuse_apart(apart_from(person, identity))
        if before is not None:
            note_person(before, "lose identity", by=by, now=now, old=identity.pk, why=why, identity=identity)
        Identity.objects.filter(pk=identity.pk).update(person=person)
        note_person(person, "gain identity", by=by, now=now, new=identity.pk, why=why, identity=identity)
        index_words([person.root_id or person.pk, *([before.root_id or before.pk] if before else [])])
    identity.person = person


def unlink_identity(identity: Identity, *, by: User | None, now: datetime, why: str = "") -> None:
    """Say that nobody known is behind the account; its own history stays with it."""
    person = identity.person
    if person is None:
        return
    with transaction.atomic():
        Identity.objects.filter(pk=identity.pk).update(person=None)
        note_person(person, "lose identity", by=by, now=now, old=identity.pk, why=why, identity=identity)
        index_words([person.root_id or person.pk])
    identity.person = None


def _bring_up_to_date(identity: Identity, author: Mapping[str, Any], *, now: datetime) -> None:
    if identity.last_seen_at > now:
        return  # an older post that arrives late says nothing new
    told = {name: value for name, value in _seen(author).items() if value not in (None, "")}
    changed = {name: value for name, value in told.items() if getattr(identity, name) != value}
    renamed = {name: getattr(identity, name) for name in ("handle", "name") if name in changed}
    for name, value in changed.items():
        setattr(identity, name, value)
    identity.last_seen_at = now
    identity.save(update_fields=[*changed, "last_seen_at"])
    if any(renamed.values()):
        new = {name: changed[name] for name in renamed}
        note_identity(identity, "rename", by=None, now=now, old=renamed, new=new, in_trail=False)
    if renamed and identity.person:
        index_words([identity.person.root_id or identity.person.pk])


def _seen(author: Mapping[str, Any]) -> dict[str, Any]:
    words = {name: str(author.get(name) or "") for name in ("handle", "name", "url", "bio")}
    words["handle"], words["name"] = words["handle"][:300], words["name"][:300]
    return {**words, "followers": author.get("followers"), "verified": author.get("verified")}


def _at(now: datetime) -> dict[str, datetime]:
    return {"first_seen_at": now, "last_seen_at": now}
