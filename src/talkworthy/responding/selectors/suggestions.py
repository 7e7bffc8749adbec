"""Earlier answers that were sent, as suggestions for a message."""

from talkworthy.responding.models import Draft
from talkworthy.responding.suggesting import Earlier, Suggestion, suggestions
from talkworthy.routing.models import Case, Message

NEWEST = 2_000
"""So many of the newest answers are compared."""
OPEN = ("public", "unlisted")


def suggestions_for(message: Message) -> tuple[Suggestion, ...]:
    """The best earlier answers; what was said in private is suggested in private only."""
    sent = (
        Draft.objects.filter(workspace_id=message.workspace_id, state=Draft.State.SENT)
        .exclude(conversation_id=message.conversation_id)
        .order_by("-changed_at")
    )
    if message.visibility in OPEN:
        sent = sent.filter(visibility__in=OPEN)
    rows = sent.values_list("pk", "in_reply_to", "text", "language", "case__number", "case__state")[:NEWEST]
    asked = dict(
        Message.objects.filter(workspace_id=message.workspace_id, uid__in={row[1] for row in rows}).values_list(
            "uid", "text"
        )
    )
    done = (Case.State.RESOLVED, Case.State.CLOSED)
    earlier = [
        Earlier(
            draft=pk,
            case_number=number,
            asked=asked[uid],
            answer=text,
            language=language,
            resolved=state in done,
        )
        for pk, uid, text, language, number, state in rows
        if asked.get(uid)
    ]
    return suggestions(message.text, earlier, language=message.language)
