"""What responding does when others call: due work, somebody's data, a member who leaves."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from talkworthy.hooks import joins
from talkworthy.responding.delivering import deliver_due
from talkworthy.responding.models import Draft
from talkworthy.responding.states import OPEN
from talkworthy.responding.turns import give_turns, take_turn


@joins(specname="work_due")
def replies_due(now: datetime) -> int:
    """Bring the next due reply a step on."""
    return deliver_due(now=now)


@joins(specname="work_due")
def turns_due(now: datetime) -> int:
    """The machine's turn, which may take a model's minute."""
    return take_turn(now=now) or give_turns(now=now)


@joins
def data_forgotten(
    workspace: Any, uids: Sequence[str], authors: Sequence[tuple[str, str]], now: datetime
) -> Mapping[str, int]:
    """Drafts and answers to what is erased go with it: they quote it, and speak to who wrote it."""
    found = Draft.objects.filter(workspace=workspace, in_reply_to__in=list(uids))
    count = found.count()
    for draft in found:
        for attachment in draft.attachments.all():
            attachment.file.delete(save=False)
    found.delete()
    return {"drafts": count}


@joins
def data_exported(
    workspace: Any, uids: Sequence[str], authors: Sequence[tuple[str, str]]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """What was sent to them, and what was drafted."""
    found = Draft.objects.filter(workspace=workspace, in_reply_to__in=list(uids)).order_by("pk")
    return {
        "drafts": [
            {
                "in_reply_to": draft.in_reply_to,
                "text": draft.text,
                "state": draft.state,
                "made_by": draft.made_by,
                "changed_at": draft.changed_at.isoformat(),
            }
            for draft in found
        ]
    }


@joins
def member_removed(member: Any, heir: Any) -> None:
    """Open drafts pass to the heir; what they scheduled still goes out, as somebody decided that it should."""
    Draft.objects.filter(by=member, state__in=OPEN).update(by=heir)
