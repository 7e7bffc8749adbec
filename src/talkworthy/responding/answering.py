"""What a delivered reply leaves on the desk: the message, the case's clocks, the history.

Both run in the caller's transaction.
"""

from datetime import datetime

from talkworthy.connectors.contract import Sent
from talkworthy.notifying.actions import tell
from talkworthy.responding.models import Delivery, Draft
from talkworthy.routing.actions import data_of
from talkworthy.routing.clocks import set_clocks
from talkworthy.routing.models import Case, CaseChange, Conversation, Message, Timer
from talkworthy.routing.states import CASE


def keep_message(draft: Draft, sent: Sent, *, text: str, source: str, now: datetime) -> Message:
    """The reply as a message of its conversation; the same row where listening brought it back first."""
    at = sent.at or now
    message, is_new = Message.objects.get_or_create(
        workspace_id=draft.workspace_id,
        uid=sent.uid,
        defaults={
            "conversation_id": draft.conversation_id,
            "parent": draft.in_reply_to,
            "direction": Message.Direction.OUTWARD,
            "title": draft.subject,
            "text": text,
            "url": sent.url or "",
            "visibility": draft.visibility,
            "language": draft.language,
            "source": source,
            "at": at,
            "author_name": str(draft.by) if draft.by else "",
        },
    )
    if not is_new and message.direction != Message.Direction.OUTWARD:
        message.direction = Message.Direction.OUTWARD
        message.save(update_fields=["direction"])
    conversation = Conversation.objects.select_for_update().get(pk=draft.conversation_id)
    conversation.last_outward_at = max(conversation.last_outward_at or at, at)
    conversation.last_at = max(conversation.last_at, at)
    conversation.save(update_fields=["last_outward_at", "last_at"])
    return message


def note_answer(delivery: Delivery, draft: Draft, sent: Sent, *, now: datetime) -> None:
    """Stop the clocks that an answer stops, and write it into the case's history."""
    case = Case.objects.select_for_update().get(pk=draft.case_id)
    at = sent.at or now
    for timer in Timer.objects.filter(
        case=case, done_at=None, kind__in=[Timer.Kind.FIRST_ANSWER, Timer.Kind.NEXT_ANSWER, Timer.Kind.SILENT]
    ):
        timer.done_at, timer.outcome = now, "met" if at <= timer.due_at else "missed"
        timer.save(update_fields=["done_at", "outcome"])
    case.first_answered_at = case.first_answered_at or at
    case.last_answered_at = max(case.last_answered_at or at, at)
    before = case.state
    if case.state in (Case.State.NEW, Case.State.OPEN):
        case.state = CASE.step(case.state, Case.State.WAITING)
    set_clocks(case, now=now)
    case.version += 1
    case.changed_at = now
    case.save()
    by = delivery.by.user if delivery.by else None
    how = {"uid": sent.uid, "automatic": delivery.automatic, "made_by": draft.made_by}
    CaseChange.objects.create(case=case, what="sent", new=how, by=by, at=now)
    if case.state != before:
        CaseChange.objects.create(case=case, what="state", old=before, new=case.state, by=by, why="answered", at=now)
        more = {"was": before, "by": by.email if by else None}
        tell(case.workspace, type="case.state", data=data_of(case, **more), now=now)
