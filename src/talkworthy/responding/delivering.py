"""Bring due replies to their channels: exactly one post a reply, whatever breaks in between.

The row says `sending` before the channel is called, and only the channel's answer moves it on. A row that still says
`sending` when its claim has ended was cut short: nobody knows whether it arrived, so the channel is searched for it
before anything else is done. What was surely not taken is tried again; what cannot be found out, a person decides.

Everything that speaks against sending is looked at in the very transaction that writes `sending`, not when the reply
was scheduled: another version, an approval withdrawn, the stop switch, autonomy and caps, an answer given meanwhile,
an account turned off.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from talkworthy.connectors.contract import Attachment, Outgoing, Sending, Sent
from talkworthy.connectors.errors import AskForCredentials, GiveUp, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.listening.collecting import settings_of, source_key
from talkworthy.listening.models import Source
from talkworthy.listening.stores import archive_of, http_for
from talkworthy.responding.answering import keep_message
from talkworthy.responding.autonomy import Deed, refusals, waits_for_hour
from talkworthy.responding.models import Delivery, Draft, DraftChange, Sender
from talkworthy.responding.reasons import refusal_in_words, warning_in_words
from talkworthy.responding.reply import warnings_for, words_of
from talkworthy.responding.sending import limits_of, sending_connector
from talkworthy.responding.situation import allowed_of, current_stop, situation_of, standing_of
from talkworthy.responding.states import DELIVERY, DRAFT, OPEN
from talkworthy.responding.telling import case_address, concerned, tell, tell_failed, tell_sent
from talkworthy.routing.actions.messages import note_answer
from talkworthy.routing.models import Conversation, Message
from talkworthy.schema import POST
from talkworthy.states.claims import claim, free
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.credentials import LockedCredentials

log = logging.getLogger(__name__)

TRIES = 12
"""Calls of the channel after which a reply that was never taken has failed."""
SETTLE = timedelta(seconds=30)
"""How long an unsure reply waits before its channel is searched: what was taken may not be shown at once."""
LOOKS = 2
"""How often a channel that knows no keys must say that a reply is not there before it is sent again."""
LEASE = timedelta(minutes=5)
"""Longer than any call of a channel takes."""
AGAIN = timedelta(seconds=20)
ASK = timedelta(days=3650)
"""An unsure reply that only a person can settle is due in ten years."""

LIVING = (Delivery.State.WAITING, Delivery.State.SENDING, Delivery.State.UNSURE)
Opens = Callable[[Source], Http]


@dataclass(frozen=True)
class Hold:
    """Why a reply does not leave now. `until` set: it waits; else it is stopped, and its writer is told."""

    why: str
    until: datetime | None = None
    superseded: bool = False


def deliver_due(*, now: datetime, opens: Opens | None = None) -> int:
    """Take up one due delivery and bring it a step on; returns how many were taken up, 0 or 1."""
    due = Delivery.objects.filter(free(now), state__in=LIVING, due_at__lte=now).order_by("due_at", "pk")
    for delivery in due[:10]:
        if claim(delivery, now=now, lease=LEASE, still=Q(state=delivery.state)):
            deliver(delivery, now=now, opens=opens or (lambda source: http_for(source.workspace)))
            return 1
    return 0


def deliver(delivery: Delivery, *, now: datetime, opens: Opens) -> None:
    """Bring a claimed delivery a step on."""
    delivery = _fresh(delivery)
    if delivery.state == Delivery.State.SENDING:
        _move(delivery, Delivery.State.UNSURE, now=now, error=_("Sending was cut short."))
    if delivery.state == Delivery.State.UNSURE:
        settle(delivery, now=now, opens=opens)
    elif delivery.state == Delivery.State.WAITING and begin(delivery, now=now):
        send(_fresh(delivery), now=now, opens=opens)


# before the call


def begin(delivery: Delivery, *, now: datetime) -> bool:
    """Write down that the channel is about to be called, if nothing speaks against it at this moment."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update().get(pk=delivery.pk)
        if locked.state != Delivery.State.WAITING:
            return False
        draft = Draft.objects.select_for_update().get(pk=locked.draft_id)
        Conversation.objects.select_for_update().get(pk=draft.conversation_id)
        hold = held(locked, draft, now=now)
        if hold is None:
            DELIVERY.step(locked.state, Delivery.State.SENDING)
            locked.state = Delivery.State.SENDING
            locked.began_at, locked.tried_at = locked.began_at or now, now
            locked.attempts += 1
            locked.looked = 0
            locked.save()
            return True
        if hold.until is not None:
            locked.due_at, locked.claimed_until, locked.error = hold.until, None, hold.why
            locked.save(update_fields=["due_at", "claimed_until", "error"])
        else:
            stop_delivery(locked, draft, why=hold.why, now=now, superseded=hold.superseded)
    return False


def held(delivery: Delivery, draft: Draft, *, now: datetime) -> Hold | None:
    """The first thing that speaks against sending now, or None."""
    if draft.state == Draft.State.SUPERSEDED:
        return Hold(_("Another draft took its place."), superseded=True)
    if draft.state != Draft.State.SCHEDULED or draft.version != delivery.draft_version:
        return Hold(_("It was changed after it was scheduled."))
    if not draft.text.strip():
        return Hold(_("There is nothing in it."))
    wrong = [warned for warned in warnings_for(draft, sender=delivery.by) if warned.stops]
    if wrong:
        return Hold(" ".join(warning_in_words(wrong[0])))
    if not standing_of(draft).enough:
        return Hold(_("It is not approved by everybody who must."))
    stop = current_stop(draft.workspace_id)
    if stop is not None and (delivery.automatic or not stop.machines_only):
        return Hold(_("All sending is stopped: %(why)s") % {"why": stop.why})
    return (
        _held_by_source(draft)
        or _held_by_conversation(delivery, draft, now=now)
        or (_held_by_autonomy(delivery, draft, now=now) if delivery.automatic else None)
    )


def _held_by_source(draft: Draft) -> Hold | None:
    source = draft.source
    if source is None or source.deleted_at is not None or sending_connector(source) is None:
        return Hold(_("The account that should send it is not there any more. Choose another one."))
    if not Sender.objects.filter(source=source, enabled=True).exists():
        return Hold(_("“%(name)s” does not answer: it was turned off in the settings.") % {"name": source.name})
    if source.state in (Source.State.PAUSED, Source.State.REFUSED, Source.State.GONE):
        return Hold(
            _("“%(name)s” is not well: %(state)s. Mend the source, then send it again.")
            % {"name": source.name, "state": source.get_state_display()}
        )
    return None


def _held_by_conversation(delivery: Delivery, draft: Draft, *, now: datetime) -> Hold | None:
    others = Delivery.objects.filter(draft__conversation=draft.conversation_id).exclude(pk=delivery.pk)
    if others.filter(state__in=[Delivery.State.SENDING, Delivery.State.UNSURE]).exists():
        return Hold(_("Another answer of the same conversation is on its way."), until=now + AGAIN)
    later = Message.objects.filter(conversation_id=draft.conversation_id, at__gt=draft.known_until)
    if later.filter(direction=Message.Direction.OUTWARD).exists():
        return Hold(_("The conversation was answered meanwhile. Read it, then send this one again if it still fits."))
    if delivery.automatic and later.filter(direction=Message.Direction.INWARD).exists():
        return Hold(_("They wrote again meanwhile: a machine does not answer what it has not read."))
    answered = Message.objects.filter(workspace_id=draft.workspace_id, uid=draft.in_reply_to).first()
    if answered is not None and answered.deleted_at is not None:
        return Hold(_("What it answers was deleted."))
    return None


def _held_by_autonomy(delivery: Delivery, draft: Draft, *, now: datetime) -> Hold | None:
    allowed = allowed_of(draft.workspace_id, draft.case.outcome)
    found = refusals(Deed.SEND, allowed, situation_of(draft, now=now, but=delivery))
    if not found:
        return None
    why = " ".join(refusal_in_words(refusal) for refusal in found)
    return Hold(why, until=now + timedelta(minutes=10) if waits_for_hour(found) else None)


# the call


def send(delivery: Delivery, *, now: datetime, opens: Opens) -> None:
    """Call the channel, once, and write down what it said."""
    found = _way(delivery)
    if isinstance(found, str):
        _back(delivery, now=now, error=found)
        return
    connector, source, settings = found
    try:
        outgoing = outgoing_of(delivery)
        with opens(source) as http:
            sent = connector.send(http, settings, outgoing, now=now)
    except TryLater as error:
        _try_later(delivery, error, now=now)
    except (GiveUp, AskForCredentials) as error:
        fail(delivery, str(error), now=now)
    except Exception as error:  # Unsure, and every fault that came after the request may have left
        log.info("delivery %s: not known whether it arrived: %s", delivery.pk, type(error).__name__)
        _unsure(delivery, str(error) or type(error).__name__, now=now)
    else:
        record_sent(delivery, sent, now=now)


def settle(delivery: Delivery, *, now: datetime, opens: Opens) -> None:
    """Find out whether an unsure reply is there: then write it down; else send it again, or ask a person."""
    found = _way(delivery)
    if isinstance(found, str):
        _postpone(delivery, found, due_at=now + timedelta(minutes=5))
        return
    connector, source, settings = found
    if not limits_of(source).searchable:
        _ask_a_person(delivery, now=now)
        return
    if delivery.tried_at is not None and now - delivery.tried_at < SETTLE:
        _postpone(delivery, delivery.error, due_at=delivery.tried_at + SETTLE)
        return
    try:
        with opens(source) as http:
            sent = connector.find_sent(http, settings, outgoing_of(delivery), now=now)
    except Unsure:
        _ask_a_person(delivery, now=now)
        return
    except Exception as error:
        after = error.after if isinstance(error, TryLater) else 300.0
        _postpone(delivery, str(error) or type(error).__name__, due_at=now + timedelta(seconds=max(after, 5.0)))
        return
    if sent is not None:
        record_sent(delivery, sent, now=now)
    elif delivery.looked + 1 < LOOKS and not limits_of(source).idempotent:
        delivery.looked += 1
        delivery.save(update_fields=["looked"])
        _postpone(delivery, delivery.error, due_at=now + timedelta(minutes=2))
    else:
        _back(delivery, now=now, error="")


def outgoing_of(delivery: Delivery) -> Outgoing:
    """The reply as it leaves, with what it answers and the thread above it."""
    draft = delivery.draft
    answered, thread = _answered(draft)
    return Outgoing(
        key=str(delivery.key),
        text=words_of(draft, sender=delivery.by),
        subject=draft.subject,
        language=draft.language or None,
        visibility=draft.visibility,
        in_reply_to=answered,
        thread=thread,
        attachments=tuple(
            Attachment(name=one.name, content_type=one.content_type, body=_bytes(one), alt=one.alt)
            for one in draft.attachments.order_by("pk")
        ),
        began_at=delivery.began_at if delivery.attempts > 1 or delivery.state == Delivery.State.UNSURE else None,
        automatic=delivery.automatic,
    )


# what became of it


def record_sent(delivery: Delivery, sent: Sent, *, now: datetime) -> None:
    """Write down that the channel has it: message, case, draft and delivery in one transaction."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update().get(pk=delivery.pk)
        if locked.state == Delivery.State.DELIVERED:
            return
        draft = Draft.objects.select_for_update().get(pk=locked.draft_id)
        DELIVERY.step(locked.state, Delivery.State.DELIVERED)
        locked.state = Delivery.State.DELIVERED
        locked.delivered_at = sent.at or now
        locked.remote_uid, locked.remote_url = sent.uid, sent.url or ""
        locked.error, locked.claimed_until = "", None
        locked.save()
        DraftChange.objects.create(draft=draft, what="state", old=draft.state, new=Draft.State.SENT, at=now)
        draft.state = Draft.State.SENT
        draft.changed_at = now
        draft.save(update_fields=["state", "changed_at"])
        keep_message(
            draft,
            sent,
            text=words_of(draft, sender=locked.by),
            source=source_key(draft.source_id) if draft.source_id else "",
            now=now,
        )
        by = locked.by.user if locked.by else None
        how = {"uid": sent.uid, "automatic": locked.automatic, "made_by": draft.made_by}
        note_answer(draft.case, at=sent.at or now, how=how, by=by, now=now)
        _supersede_others(draft, now=now)
        tell_sent(locked, draft, now=now)
        note_change(
            draft.workspace,
            verb="send",
            thing=locked,
            by=by,
            now=now,
            after={"uid": sent.uid, "automatic": locked.automatic},
        )


def fail(delivery: Delivery, error: str, *, now: datetime) -> None:
    """The channel does not take it: the draft stays, and whom it concerns is told."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update().get(pk=delivery.pk)
        DELIVERY.step(locked.state, Delivery.State.FAILED)
        locked.state, locked.error, locked.claimed_until = Delivery.State.FAILED, error, None
        locked.save(update_fields=["state", "error", "claimed_until"])
        tell(
            concerned(locked.draft),
            kind="reply failed",
            text=_("The answer in case %(case)s did not go out.") % {"case": locked.draft.case},
            address=case_address(locked.draft),
            key=f"delivery {locked.pk} failed {locked.attempts}",
            now=now,
        )
        tell_failed(locked, locked.draft, now=now)


def stop_delivery(delivery: Delivery, draft: Draft, *, why: str, now: datetime, superseded: bool = False) -> None:
    """Keep a waiting reply from leaving, in the caller's transaction; its draft can be read, changed and sent again."""
    DELIVERY.step(delivery.state, Delivery.State.STOPPED)
    delivery.state, delivery.error, delivery.claimed_until = Delivery.State.STOPPED, why, None
    delivery.save(update_fields=["state", "error", "claimed_until"])
    if draft.state == Draft.State.SCHEDULED:
        new = Draft.State.SUPERSEDED if superseded else Draft.State.WRITING
        DRAFT.step(draft.state, new)
        DraftChange.objects.create(draft=draft, what="state", old=draft.state, new=new, why=why, at=now)
        draft.state, draft.changed_at, draft.send_at = new, now, None
        draft.save(update_fields=["state", "changed_at", "send_at"])
    tell(
        concerned(draft),
        kind="reply stopped",
        text=_("The answer in case %(case)s was held back: %(why)s") % {"case": draft.case, "why": why},
        address=case_address(draft),
        key=f"delivery {delivery.pk} stopped",
        now=now,
    )


def _supersede_others(draft: Draft, *, now: datetime) -> None:
    """What else would have answered the same message never goes out."""
    others = Draft.objects.select_for_update().filter(
        conversation_id=draft.conversation_id, in_reply_to=draft.in_reply_to, state__in=OPEN
    )
    for other in others.exclude(pk=draft.pk):
        waiting = other.deliveries.filter(state=Delivery.State.WAITING).first()
        if waiting is not None:
            stop_delivery(waiting, other, why=_("Another answer was sent."), now=now, superseded=True)
        if other.state in OPEN and not other.deliveries.filter(state__in=LIVING).exists():
            DraftChange.objects.create(draft=other, what="state", old=other.state, new=Draft.State.SUPERSEDED, at=now)
            Draft.objects.filter(pk=other.pk).update(state=Draft.State.SUPERSEDED, changed_at=now)


def _try_later(delivery: Delivery, error: TryLater, *, now: datetime) -> None:
    """Surely not taken: again after what the channel asks, with longer pauses, and not for ever."""
    if delivery.attempts >= TRIES:
        fail(delivery, str(error), now=now)
        return
    pause = max(error.after, min(5.0 * 2**delivery.attempts, 3600.0))
    _move(delivery, Delivery.State.WAITING, now=now, error=str(error), due_at=now + timedelta(seconds=pause))


def _unsure(delivery: Delivery, error: str, *, now: datetime) -> None:
    _move(delivery, Delivery.State.UNSURE, now=now, error=error, due_at=now + SETTLE)


def _back(delivery: Delivery, *, now: datetime, error: str) -> None:
    """Surely not there: it waits to be sent, and everything is looked at anew."""
    if delivery.attempts >= TRIES:
        fail(delivery, error or _("The channel never took it."), now=now)
        return
    _move(delivery, Delivery.State.WAITING, now=now, error=error, due_at=now)


def _ask_a_person(delivery: Delivery, *, now: datetime) -> None:
    why = _("The channel does not say whether it arrived. Look there, and say so.")
    _postpone(delivery, why, due_at=(delivery.began_at or delivery.due_at) + ASK)
    tell(
        concerned(delivery.draft),
        kind="reply unsure",
        text=_("It is not known whether the answer in case %(case)s arrived. Look there, and say so.")
        % {"case": delivery.draft.case},
        address=case_address(delivery.draft),
        key=f"delivery {delivery.pk} unsure {delivery.attempts}",
        now=now,
    )


def _move(delivery: Delivery, state: str, *, now: datetime, error: str, due_at: datetime | None = None) -> None:
    """To another state, by a conditional update: only from where it stood."""
    DELIVERY.step(delivery.state, state)
    values = {"state": state, "error": error, "due_at": due_at or now}
    if state != Delivery.State.UNSURE or due_at is not None:
        values["claimed_until"] = None
    Delivery.objects.filter(pk=delivery.pk, state=delivery.state).update(**values)
    delivery.state = state
    delivery.error = error


def _postpone(delivery: Delivery, error: str, *, due_at: datetime) -> None:
    Delivery.objects.filter(pk=delivery.pk).update(error=error, due_at=due_at, claimed_until=None)


def _way(delivery: Delivery) -> tuple[Sending, Source, dict[str, object]] | str:
    """Connector, source and settings, or the sentence that says what is lacking."""
    source = delivery.draft.source
    connector = sending_connector(source) if source is not None else None
    if source is None or connector is None:
        return _("The account that should send it is not there any more. Choose another one.")
    try:
        return connector, source, settings_of(source)
    except LockedCredentials as error:
        return str(error)


def _answered(draft: Draft) -> tuple[dict[str, object], tuple[dict[str, object], ...]]:
    """The post that it answers and those before it, as rows of schema POST: from the archive, else from the desk."""
    archive = archive_of(draft.workspace)
    rows = (
        {row["uid"]: _post(row) for row in archive.thread(draft.in_reply_to).to_pylist()} if draft.in_reply_to else {}
    )
    for message in Message.objects.filter(conversation_id=draft.conversation_id, deleted_at=None):
        rows.setdefault(message.uid, _as_post(message, draft.conversation.channel))
    answered = rows.get(draft.in_reply_to, {})
    earlier = sorted(rows.values(), key=lambda row: str(row.get("published_at") or ""))
    return dict(answered), tuple(dict(row) for row in earlier if row.get("uid") != draft.in_reply_to)


def _post(row: dict[str, object]) -> dict[str, object]:
    return {name: row.get(name) for name in POST.names}


def _as_post(message: Message, channel: str) -> dict[str, object]:
    parts = message.uid.split(":", 2)
    origin, native = (parts[1] or None, parts[2]) if len(parts) == 3 else (None, message.uid)
    author = message.identity
    return dict.fromkeys(POST.names) | {
        "uid": message.uid,
        "channel": channel,
        "origin": origin,
        "native_id": native,
        "url": message.url or None,
        "kind": "note",
        "author": {
            "id": author.account if author else None,
            "handle": message.author_handle or None,
            "name": message.author_name or None,
        },
        "title": message.title or None,
        "text": message.text,
        "language": message.language or None,
        "published_at": message.at,
        "in_reply_to": message.parent or None,
        "references": message.references or None,
        "visibility": message.visibility,
    }


def _bytes(attachment: object) -> bytes:
    with attachment.file.open("rb") as file:  # type: ignore[attr-defined]
        return bytes(file.read())


def _fresh(delivery: Delivery) -> Delivery:
    related = (
        "draft__case__owner",
        "draft__conversation",
        "draft__source",
        "draft__workspace",
        "draft__by__user",
        "by",
    )
    return Delivery.objects.select_related(*related).get(pk=delivery.pk)
