"""Verbs on drafts: begin, save, drop, bring back, attach."""

from datetime import datetime
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.connectors.contract import SendingLimits
from talkworthy.responding.actions.problems import Refused, Stale
from talkworthy.responding.delivering import LIVING
from talkworthy.responding.models import Attachment, Delivery, Draft, DraftChange, DraftVersion
from talkworthy.responding.sending import limits_of, sender_for
from talkworthy.responding.states import DRAFT, OPEN
from talkworthy.routing.models import Case, Conversation, Message
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member, User

KEPT_BY_SAVING = frozenset({Draft.State.WRITING, Draft.State.REFUSED})
"""From the other open states a save goes back to writing: what was approved or scheduled is not what stands there."""


def start_draft(
    case: Case,
    *,
    message: Message | None = None,
    text: str = "",
    subject: str = "",
    language: str = "",
    visibility: str = "",
    made_by: str = "",
    evidence: dict[str, Any] | None = None,
    by: Member | None,
    now: datetime,
) -> Draft:
    """Begin an answer to a message, or to the last one that came in."""
    message = message or last_inward(case)
    if message is None:
        raise Refused(_("There is no message here that could be answered."))
    source = sender_for(message.conversation, heard_by=message.source)
    limits = limits_of(source) if source is not None else SendingLimits()
    text = text if not limits.addressed or made_by else addressed(text, message)
    with transaction.atomic():
        draft = Draft.objects.create(
            workspace_id=case.workspace_id,
            case=case,
            conversation=message.conversation,
            in_reply_to=message.uid,
            source=source,
            subject=subject or (_answering_subject(message) if limits.subject else ""),
            text=text,
            language=language or message.language,
            visibility=visibility or fitting_visibility(message.visibility, limits),
            by=by,
            made_by=made_by,
            evidence=evidence or {},
            known_until=now,
            created_at=now,
            changed_at=now,
        )
        _keep_version(draft, by=by, now=now)
        note_change(draft.workspace, verb="create", thing=draft, by=_user(by), now=now, after={"made by": made_by})
    return draft


def start_only_draft(case: Case, **told: Any) -> Draft:
    """As `start_draft`, where nobody writes already: else it is theirs. Two clicks at the same moment make one."""
    with transaction.atomic():
        Case.objects.select_for_update().get(pk=case.pk)
        there = Draft.objects.filter(case=case, state__in=OPEN).order_by("-changed_at", "-pk").first()
        return there or start_draft(case, **told)


def save_draft(draft: Draft, *, version: int, by: Member | None, now: datetime, **changes: Any) -> Draft:
    """Keep what was written, if `version` is the newest; else Stale, with both texts, and nothing is overwritten.

    Approvals and a schedule of the version before no longer hold.
    """
    unknown = changes.keys() - {"text", "subject", "language", "visibility", "source", "made_by", "evidence"}
    if unknown:
        raise TypeError(f"a draft has no {sorted(unknown)[0]}")
    with transaction.atomic():
        locked = Draft.objects.select_for_update(of=("self",)).select_related("workspace", "by__user").get(pk=draft.pk)
        if locked.version != version:
            raise Stale(
                _("Somebody saved it in the meantime. Nothing was overwritten: take theirs, or save yours over it."),
                draft=locked,
                text=changes.get("text", ""),
                subject=changes.get("subject", ""),
            )
        if locked.state not in OPEN:
            raise Refused(_("It is %(state)s and can no longer be changed.") % {"state": locked.get_state_display()})
        if all(getattr(locked, name) == value for name, value in changes.items()):
            return locked
        withdraw(locked, why=_("It was changed."), now=now)
        for name, value in changes.items():
            setattr(locked, name, value)
        locked.version += 1
        locked.changed_at = locked.known_until = now
        if locked.state not in KEPT_BY_SAVING:
            step(locked, Draft.State.WRITING, by=by, now=now, why=_("It was changed."))
        locked.save()
        _keep_version(locked, by=by, now=now)
        DraftChange.objects.create(draft=locked, what="saved", old=version, new=locked.version, by=_user(by), at=now)
    return locked


def drop_draft(draft: Draft, *, by: Member, now: datetime, version: int | None = None) -> None:
    """Give it up; it can be brought back. Refused where somebody wrote on since the version that was read."""
    with transaction.atomic():
        locked = Draft.objects.select_for_update().get(pk=draft.pk)
        if locked.state == Draft.State.DROPPED:
            return  # the second of two clicks
        if version is not None and locked.version != version:
            raise Refused(_("It was changed after you read it. Read the newest version."))
        if locked.state not in OPEN:
            raise Refused(_("It is %(state)s and can no longer be changed.") % {"state": locked.get_state_display()})
        withdraw(locked, why=_("It was given up."), now=now)
        step(locked, Draft.State.DROPPED, by=by, now=now)
        note_change(locked.workspace, verb="drop", thing=locked, by=by.user, now=now)


def restore_draft(draft: Draft, *, by: Member, now: datetime) -> None:
    """Bring a dropped or superseded draft back to writing."""
    with transaction.atomic():
        locked = Draft.objects.select_for_update().get(pk=draft.pk)
        if locked.state not in (Draft.State.DROPPED, Draft.State.SUPERSEDED):
            raise Refused(_("It is not given up."))
        step(locked, Draft.State.WRITING, by=by, now=now)
        note_change(locked.workspace, verb="restore", thing=locked, by=by.user, now=now)


def attach_file(
    draft: Draft, *, name: str, content_type: str, body: bytes, alt: str, by: Member, now: datetime
) -> Attachment:
    """Add a file, if the channel takes one of its kind and size; it makes a new version."""
    limits = limits_of(draft.source) if draft.source else SendingLimits()
    if draft.attachments.count() >= limits.attachments:
        raise Refused(_("This channel takes %(n)d files in an answer.") % {"n": limits.attachments})
    if limits.attachment_types and content_type not in limits.attachment_types:
        raise Refused(_("This channel does not take files of the kind %(kind)s.") % {"kind": content_type})
    if limits.attachment_bytes and len(body) > limits.attachment_bytes:
        raise Refused(_("The file is too large: %(n)d bytes are taken.") % {"n": limits.attachment_bytes})
    with transaction.atomic():
        locked = _changed(draft, by=by, now=now)
        attachment = Attachment(
            draft=locked, name=name[:200], content_type=content_type, size=len(body), alt=alt.strip()
        )
        attachment.file.save(name[:100], ContentFile(body), save=False)
        attachment.save()
    return attachment


def describe_attachment(attachment: Attachment, *, alt: str, by: Member, now: datetime) -> None:
    """Another description for people who do not see it."""
    with transaction.atomic():
        _changed(attachment.draft, by=by, now=now)
        Attachment.objects.filter(pk=attachment.pk).update(alt=alt.strip())


def remove_attachment(attachment: Attachment, *, by: Member, now: datetime) -> None:
    """Take a file away."""
    with transaction.atomic():
        _changed(attachment.draft, by=by, now=now)
        attachment.delete()
    attachment.file.delete(save=False)


def last_inward(case: Case) -> Message | None:
    """The newest message of a case's conversations that came from outside and is still there."""
    return (
        Message.objects.filter(conversation__cases=case, direction=Message.Direction.INWARD, deleted_at=None)
        .select_related("conversation", "identity")
        .order_by("-at", "-id")
        .first()
    )


def fitting_visibility(theirs: str, limits: SendingLimits) -> str:
    """Who sees the answer: what is said in private is answered in private; where the channel cannot, its own."""
    if theirs in limits.visibilities:
        return theirs
    if theirs in ("private", "members") and "private" in limits.visibilities:
        return "private"
    return limits.visibilities[0]


def withdraw(draft: Draft, *, why: str, now: datetime) -> None:
    """Stop the delivery that waits. What is being sent, or may have been, is settled first: Refused."""
    living = Delivery.objects.select_for_update().filter(draft=draft, state__in=LIVING).first()
    if living is None:
        return
    if living.state != Delivery.State.WAITING:
        raise Refused(_("It is on its way to the channel right now. Wait until that is settled."))
    Delivery.objects.filter(pk=living.pk).update(state=Delivery.State.STOPPED, error=why, claimed_until=None)


def step(draft: Draft, state: str, *, by: Member | None, now: datetime, why: str = "") -> None:
    """To another state, with the row of its history; in the caller's transaction."""
    DRAFT.step(draft.state, state)
    DraftChange.objects.create(draft=draft, what="state", old=draft.state, new=state, by=_user(by), why=why, at=now)
    draft.state, draft.changed_at = state, now
    draft.save(update_fields=["state", "changed_at", "send_at", "known_until"])


def _changed(draft: Draft, *, by: Member, now: datetime) -> Draft:
    """A new version, because what goes out is another thing."""
    locked = Draft.objects.select_for_update().get(pk=draft.pk)
    if locked.state not in OPEN:
        raise Refused(_("It is %(state)s and can no longer be changed.") % {"state": locked.get_state_display()})
    withdraw(locked, why=_("It was changed."), now=now)
    locked.version += 1
    if locked.state not in KEPT_BY_SAVING:
        step(locked, Draft.State.WRITING, by=by, now=now, why=_("It was changed."))
    locked.save()
    _keep_version(locked, by=by, now=now)
    return locked


def _keep_version(draft: Draft, *, by: Member | None, now: datetime) -> None:
    DraftVersion.objects.create(
        draft=draft,
        version=draft.version,
        subject=draft.subject,
        text=draft.text,
        visibility=draft.visibility,
        by=by,
        made_by=draft.made_by if by is None else "",
        at=now,
    )


def addressed(text: str, message: Message) -> str:
    """The text with the name of whom it answers in front, where the channel tells them by it."""
    name = message.author_handle.lstrip("@")
    return text if not name or f"@{name}" in text else f"@{name} {text}"


def _answering_subject(message: Message) -> str:
    title = message.title or Conversation.objects.values_list("title", flat=True).get(pk=message.conversation_id)
    return title if not title or title[:3].casefold() == "re:" else f"Re: {title}"


def _user(by: Member | None) -> User | None:
    return by.user if by is not None else None
