"""Verbs on persons: what is known of them, what they are to us, and on what basis they are kept."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.analysis.names import folded_name
from talkworthy.people.actions.identities import link_identity
from talkworthy.people.actions.problems import Refused
from talkworthy.people.actions.trail import index_words, note_person
from talkworthy.people.models import Attribute, Consent, Identity, Organisation, Person, PersonRole
from talkworthy.workspaces.audit import apply_changes
from talkworthy.workspaces.models import User, Workspace

TELL_WITHIN = timedelta(days=30)
"""How soon somebody must be told that we keep data that did not come from them (GDPR Article 14, paragraph 3)."""

LONGEST_VALUE = 2000
MEMBER = "member"
"""The source of what a member wrote down."""


def create_person(
    workspace: Workspace,
    *,
    name: str,
    basis: str,
    basis_note: str,
    retain_until: datetime,
    by: User | None,
    now: datetime,
    identities: Iterable[Identity] = (),
    organisation: str = "",
    notice: str = Person.Notice.DUE,
    retention: str = Person.Retention.ASK,
    why: str = "",
) -> Person:
    """Add a person. A record without a basis and an end is refused."""
    if basis not in Person.Basis.values or not basis_note.strip():
        raise Refused(_("Say on what basis this record may exist, and what that rests on."))
    if retain_until <= now:
        raise Refused(_("The day until which it is kept lies in the past."))
    if not name.strip():
        raise Refused(_("A person needs a name, or what stands for one."))
    with transaction.atomic():
        person = Person.objects.create(
            workspace=workspace,
            name=name.strip()[:200],
            basis=basis,
            basis_note=basis_note.strip(),
            notice=notice,
            notice_due_at=now + TELL_WITHIN if notice == Person.Notice.DUE else None,
            retain_until=retain_until,
            retention=retention,
            organisation=organisation_named(workspace, organisation),
            created_at=now,
        )
        note_person(person, "add person", by=by, now=now, new={"name": person.name, "basis": basis}, why=why)
        for identity in identities:
            link_identity(identity, person, by=by, now=now, why=why)
        index_words([person.pk])
    return person


def change_person(person: Person, *, by: User | None, now: datetime, why: str = "", **changes: Any) -> Person:
    """Change name, organisation (by name), note, basis, basis_note, notice, retain_until or retention."""
    if "organisation" in changes:
        changes["organisation"] = organisation_named(person.workspace, changes["organisation"])
    if (
        changes.get("basis", person.basis) not in Person.Basis.values
        or not str(changes.get("basis_note", person.basis_note)).strip()
    ):
        raise Refused(_("Say on what basis this record may exist, and what that rests on."))
    if not str(changes.get("name", person.name)).strip():
        raise Refused(_("A person needs a name, or what stands for one."))
    with transaction.atomic():
        held = Person.objects.select_for_update().filter(pk=person.pk).first()
        if held is None:
            raise Refused(_("This record is not here any more."))
        before, after = apply_changes(held, changes)
        if not after:
            return held
        saved = [*after]
        if "notice" in after:
            _date_notice(held, now=now)
            saved += ["noticed_at", "notice_due_at"]
        if "retain_until" in after:
            held.asked_at = None
            saved.append("asked_at")
        held.save(update_fields=saved)  # the others may have been changed since whoever calls has read them
        note_person(held, "change person", by=by, now=now, old=before, new=after, why=why)
        index_words([held.root_id or held.pk])
    for name in saved:
        setattr(person, name, getattr(held, name))
    return held


def add_attribute(
    person: Person, *, name: str, value: str, source: str, by: User | None, now: datetime
) -> Attribute | None:
    """Write down what is known, and where from; None where that source said so before."""
    name, value = name.strip().casefold().replace(" ", "_")[:40], value.strip()[:LONGEST_VALUE]
    if not name or not value:
        raise Refused(_("Say what is known, and its value."))
    with transaction.atomic():
        attribute, is_new = Attribute.objects.get_or_create(
            person=person, name=name, value=value, source=source[:120], defaults={"at": now, "by": by}
        )
        if not is_new:
            return None
        note_person(person, "learn", by=by, now=now, new={"name": name, "value": value, "source": source[:120]})
        index_words([person.root_id or person.pk])
    return attribute


def remove_attribute(attribute: Attribute, *, by: User | None, now: datetime, why: str = "") -> None:
    """Take away what is wrong; that it stood there stays in the history."""
    person = attribute.person
    old = {"name": attribute.name, "value": attribute.value, "source": attribute.source}
    with transaction.atomic():
        attribute.delete()
        note_person(person, "unlearn", by=by, now=now, old=old, why=why)
        index_words([person.root_id or person.pk])


def give_role(
    person: Person, role: str, *, source: str, by: User | None, now: datetime, since: datetime | None = None
) -> PersonRole:
    """Say what the person is to us; one role is held once at a time."""
    if role not in PersonRole.Role.values:
        raise Refused(_("“%(role)s” is no role.") % {"role": role})
    with transaction.atomic():
        held = person.roles.filter(role=role, until=None).first()
        if held is not None:
            return held
        given = PersonRole.objects.create(person=person, role=role, source=source[:120], since=since or now, by=by)
        note_person(person, "give role", by=by, now=now, new={"role": role, "source": source[:120]})
    return given


def end_role(role: PersonRole, *, by: User | None, now: datetime, why: str = "") -> None:
    """Say that the person is that no longer; that they were stays."""
    with transaction.atomic():
        if PersonRole.objects.filter(pk=role.pk, until=None).update(until=now):
            note_person(role.person, "end role", by=by, now=now, old={"role": role.role}, why=why)


def note_consent(person: Person, *, purpose: str, given: bool, proof: str, by: User | None, now: datetime) -> Consent:
    """Write down that they agreed, or withdrew: rows are added, never changed. Consent without proof is refused."""
    if not purpose.strip() or not proof.strip():
        raise Refused(_("Say for which purpose, and by what it can be proven."))
    with transaction.atomic():
        consent = Consent.objects.create(
            person=person, purpose=purpose.strip()[:80], given=given, proof=proof.strip(), at=now, by=by
        )
        what = "consent" if given else "withdraw consent"
        note_person(person, what, by=by, now=now, new={"purpose": consent.purpose})
    return consent


def remove_person(person: Person, *, by: User | None, now: datetime, why: str = "") -> None:
    """Put the record away; until it is purged it can be restored with everything."""
    with transaction.atomic():
        Person.objects.filter(pk=person.pk).update(deleted_at=now)
        note_person(person, "remove person", by=by, now=now, why=why)
    person.deleted_at = now


def restore_person(person: Person, *, by: User | None, now: datetime) -> None:
    """Bring a record back that was put away."""
    with transaction.atomic():
        Person.objects.filter(pk=person.pk).update(deleted_at=None)
        note_person(person, "restore person", by=by, now=now)
    person.deleted_at = None


def organisation_named(workspace: Workspace, name: str) -> Organisation | None:
    """The organisation of that name, however it is written; made where there is none. None for no name."""
    if not name.strip():
        return None
    wanted = folded_name(name)
    for found in Organisation.objects.filter(workspace=workspace, folded=wanted).order_by("pk")[:1]:
        return found
    return Organisation.objects.create(workspace=workspace, name=name.strip()[:200], folded=wanted)


def change_organisation(
    organisation: Organisation, *, name: str, domain: str, note: str, by: User | None, now: datetime
) -> Organisation:
    """Change what is known of an organisation."""
    from talkworthy.workspaces.audit import note_change

    changes = {"name": name.strip()[:200], "domain": domain.strip().casefold()[:200], "note": note.strip()}
    if not changes["name"]:
        raise Refused(_("An organisation needs a name."))
    with transaction.atomic():
        before, after = apply_changes(organisation, {**changes, "folded": folded_name(name)[:200]})
        if after:
            organisation.save()
            note_change(
                organisation.workspace, verb="change", thing=organisation, by=by, now=now, before=before, after=after
            )
            index_words(root or number for number, root in organisation.persons.values_list("pk", "root"))
    return organisation


def _date_notice(person: Person, *, now: datetime) -> None:
    person.noticed_at = now if person.notice == Person.Notice.TOLD else None
    person.notice_due_at = now + TELL_WITHIN if person.notice == Person.Notice.DUE else None
