"""Verbs on deliveries: send, schedule, recall, try again, settle by hand, stop everything, lift the stop."""

from datetime import datetime, timedelta

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.connectors.contract import Sent
from talkworthy.responding.actions.drafts import step, withdraw
from talkworthy.responding.actions.problems import Refused, Stale
from talkworthy.responding.delivering import LIVING, record_sent
from talkworthy.responding.models import Delivery, Draft, Manner, Sender, Stop
from talkworthy.responding.reasons import warning_in_words
from talkworthy.responding.reply import warnings_for
from talkworthy.responding.sending import limits_of, sending_connector
from talkworthy.responding.situation import current_stop, standing_of
from talkworthy.responding.states import DELIVERY, OPEN
from talkworthy.responding.telling import case_address, concerned, tell
from talkworthy.routing.models import Message
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member, Workspace

DELAY = 10
"""Seconds in which a reply can be recalled, where the workspace says nothing else."""


def send_draft(draft: Draft, *, version: int, by: Member, now: datetime) -> Delivery:
    """Send what was read, after the short delay in which it can be recalled."""
    return _schedule(draft, version=version, due_at=now + delay_of(draft.workspace_id), by=by, now=now)


def schedule_draft(draft: Draft, *, version: int, send_at: datetime, by: Member, now: datetime) -> Delivery:
    """Send it at a time to come."""
    if send_at <= now:
        raise Refused(_("That time is over. Choose one to come, or send it now."))
    return _schedule(draft, version=version, due_at=send_at, by=by, now=now, send_at=send_at)


def schedule_by_machine(draft: Draft, *, version: int, delay_seconds: int, now: datetime) -> Delivery:
    """Let a machine's draft go out after the delay of its class; every rule is looked at again when it leaves."""
    due_at = now + max(timedelta(seconds=delay_seconds), delay_of(draft.workspace_id))
    return _schedule(draft, version=version, due_at=due_at, by=None, now=now, send_at=due_at)


def delay_of(workspace_id: int) -> timedelta:
    """How long a reply waits so that it can be recalled."""
    told = Manner.objects.filter(workspace_id=workspace_id).values_list("send_delay_seconds", flat=True).first()
    return timedelta(seconds=DELAY if told is None else told)


def recall_draft(draft: Draft, *, by: Member, now: datetime) -> Draft:
    """Take it back before it leaves; it is written on, and must be approved again only where it is changed."""
    with transaction.atomic():
        locked = Draft.objects.select_for_update().get(pk=draft.pk)
        if locked.state != Draft.State.SCHEDULED:
            raise Refused(_("It is not waiting to be sent: it is %(state)s.") % {"state": locked.get_state_display()})
        withdraw(locked, why=_("It was recalled."), now=now)
        locked.send_at = None
        step(locked, Draft.State.APPROVED if standing_of(locked).enough else Draft.State.WRITING, by=by, now=now)
        note_change(locked.workspace, verb="recall", thing=locked, by=by.user, now=now)
    return locked


def retry_delivery(delivery: Delivery, *, by: Member, now: datetime) -> None:
    """Try a failed one again: the same reply, so the same key."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update().get(pk=delivery.pk)
        draft = Draft.objects.select_for_update().get(pk=locked.draft_id)
        if locked.state != Delivery.State.FAILED or draft.version != locked.draft_version:
            raise Refused(_("It cannot be tried again as it stands. Open the case, and send it from there."))
        others = Delivery.objects.filter(draft=draft, state__in=[*LIVING, Delivery.State.DELIVERED])
        if others.exists() or draft.state not in OPEN:
            raise Refused(_("It was sent otherwise meanwhile. Open the case to see what became of it."))
        DELIVERY.step(locked.state, Delivery.State.WAITING)
        locked.state, locked.due_at, locked.attempts, locked.error = Delivery.State.WAITING, now, 0, ""
        locked.save()
        draft.known_until = now
        if draft.state != Draft.State.SCHEDULED:
            step(draft, Draft.State.SCHEDULED, by=by, now=now)
        draft.save(update_fields=["known_until"])
        note_change(locked.workspace, verb="retry", thing=locked, by=by.user, now=now)


def settle_by_hand(delivery: Delivery, *, arrived: bool, url: str = "", by: Member, now: datetime) -> None:
    """A person looked into the channel: the reply is there, or it is not and is sent again."""
    with transaction.atomic():
        locked = Delivery.objects.select_for_update().get(pk=delivery.pk)
        if locked.state != Delivery.State.UNSURE:
            raise Refused(_("It is known already what became of it."))
        note_change(
            locked.workspace, verb="settle", thing=locked, by=by.user, now=now, after={"arrived": arrived, "url": url}
        )
        if arrived:
            uid = f"{locked.draft.conversation.channel}:reply:{locked.key}"
            record_sent(locked, Sent(uid=uid, url=url or None, at=locked.began_at), now=now)
            return
        locked.state, locked.due_at, locked.claimed_until = Delivery.State.WAITING, now, None
        locked.save(update_fields=["state", "due_at", "claimed_until"])


def stop_sending(workspace: Workspace, *, why: str, machines_only: bool, by: Member, now: datetime) -> Stop:
    """The switch: nothing leaves any more, and what waited is stopped; what the channel is taking right now is not."""
    if not why.strip():
        raise Refused(_("Say why, so that everybody knows."))
    with transaction.atomic():
        stop = Stop.objects.create(
            workspace=workspace, why=why.strip(), machines_only=machines_only, by=by.user, at=now
        )
        waiting = Delivery.objects.select_for_update().filter(workspace=workspace, state=Delivery.State.WAITING)
        stopped = 0
        for delivery in waiting.filter(automatic=True) if machines_only else waiting:
            draft = (
                Draft.objects.select_for_update(of=("self",))
                .select_related("workspace", "case__owner", "by")
                .get(pk=delivery.draft_id)
            )
            reason = _("All sending was stopped: %(why)s") % {"why": stop.why}
            Delivery.objects.filter(pk=delivery.pk).update(
                state=Delivery.State.STOPPED, error=reason, claimed_until=None
            )
            if draft.state == Draft.State.SCHEDULED:
                draft.send_at = None
                new = Draft.State.APPROVED if standing_of(draft).enough else Draft.State.WRITING
                step(draft, new, by=by, now=now, why=reason)
            tell(
                concerned(draft),
                kind="reply stopped",
                text=_("The answer in case %(case)s was stopped, with everything else.") % {"case": draft.case},
                address=case_address(draft),
                key=f"delivery {delivery.pk} stopped",
                now=now,
            )
            stopped += 1
        note_change(
            workspace,
            verb="stop",
            thing=stop,
            by=by.user,
            now=now,
            after={"machines only": machines_only, "stopped": stopped},
            why=stop.why,
        )
    return stop


def lift_stop(stop: Stop, *, by: Member, now: datetime) -> None:
    """Let replies leave again. What was stopped stays with its writers: it goes out only when they send it anew."""
    with transaction.atomic():
        if Stop.objects.filter(pk=stop.pk, lifted_at=None).update(lifted_at=now, lifted_by=by.user):
            note_change(stop.workspace, verb="lift", thing=stop, by=by.user, now=now)


def _schedule(
    draft: Draft, *, version: int, due_at: datetime, by: Member | None, now: datetime, send_at: datetime | None = None
) -> Delivery:
    with transaction.atomic():
        locked = (
            Draft.objects.select_for_update(of=("self",)).select_related("workspace", "case", "source").get(pk=draft.pk)
        )
        if locked.version != version:
            raise Stale(_("It was changed after you read it. Read the newest version."), draft=locked, text="")
        _may_leave(locked, by=by)
        if Delivery.objects.filter(draft=locked, state__in=LIVING).exists():
            raise Refused(_("It is on its way already."))
        message = Message.objects.filter(workspace_id=locked.workspace_id, uid=locked.in_reply_to).first()
        delivery = Delivery.objects.create(
            workspace_id=locked.workspace_id,
            draft=locked,
            draft_version=locked.version,
            by=by,
            automatic=by is None,
            identity=message.identity if message else None,
            due_at=due_at,
        )
        locked.send_at = send_at
        if by is not None:
            locked.known_until = now
        step(locked, Draft.State.SCHEDULED, by=by, now=now)
        note_change(
            locked.workspace,
            verb="schedule",
            thing=locked,
            by=by.user if by else None,
            now=now,
            after={"version": version, "due": due_at.isoformat(), "automatic": by is None},
        )
    return delivery


def _may_leave(draft: Draft, *, by: Member | None) -> None:
    """Refuse early what would be held back at the moment of sending anyway."""
    if not draft.text.strip():
        raise Refused(_("There is nothing in it yet."))
    wrong = [warned for warned in warnings_for(draft, sender=by) if warned.stops]
    if wrong:
        raise Refused(" ".join(warning_in_words(wrong[0])))
    if draft.state not in (Draft.State.WRITING, Draft.State.APPROVED):
        raise Refused(_("It cannot be sent: it is %(state)s.") % {"state": draft.get_state_display()})
    if not standing_of(draft).enough:
        raise Refused(_("It must be approved first."))
    stop = current_stop(draft.workspace_id)
    if stop is not None and (by is None or not stop.machines_only):
        raise Refused(_("All sending is stopped: %(why)s") % {"why": stop.why})
    source = draft.source
    if source is None or sending_connector(source) is None:
        raise Refused(_("No account answers on this channel. An administrator can turn one on in the settings."))
    if not Sender.objects.filter(source=source, enabled=True).exists():
        raise Refused(_("“%(name)s” does not answer: it was turned off in the settings.") % {"name": source.name})
    limits = limits_of(source)
    if draft.visibility not in limits.visibilities:
        raise Refused(_("This channel has no “%(visibility)s” answers.") % {"visibility": draft.visibility})
