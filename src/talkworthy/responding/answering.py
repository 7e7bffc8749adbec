"""What a delivered reply leaves among the messages, in the caller's transaction."""

from datetime import datetime

from talkworthy.connectors.contract import Sent
from talkworthy.responding.models import Draft
from talkworthy.routing.arriving import await_answers
from talkworthy.routing.models import Conversation, Message


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
    await_answers(draft.workspace, sent.uid, now=now)
    conversation = Conversation.objects.select_for_update().get(pk=draft.conversation_id)
    conversation.last_outward_at = max(conversation.last_outward_at or at, at)
    conversation.last_at = max(conversation.last_at, at)
    conversation.save(update_fields=["last_outward_at", "last_at"])
    return message
