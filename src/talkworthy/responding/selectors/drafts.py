"""Reads of drafts, asked as a viewer."""

from dataclasses import dataclass

from django.db.models import Prefetch, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.listening.models import Source
from talkworthy.responding.approval import may_approve, rules_for
from talkworthy.responding.differences import Piece, differences
from talkworthy.responding.models import Approval, Attachment, Draft, Drafter, DraftVersion
from talkworthy.responding.sending import senders
from talkworthy.responding.situation import approver_of, draft_facts, rules_of
from talkworthy.responding.states import OPEN
from talkworthy.routing.models import Case, Message
from talkworthy.workspaces.models import Member

QUEUE = 50


@dataclass(frozen=True)
class Asked:
    """A draft that waits, what changed since the version before, and whether the viewer's word counts."""

    draft: Draft
    message: Message | None
    pieces: tuple[Piece, ...]
    has_before: bool
    mine: bool
    needed: tuple[str, ...]


def drafts(*, viewer: Member) -> QuerySet[Draft]:
    """Every draft of the viewer's workspace."""
    return Draft.objects.filter(workspace_id=viewer.workspace_id).select_related(
        "workspace", "case__owner__user", "conversation", "source", "by__user"
    )


def draft_or_404(draft_id: int, *, viewer: Member) -> Draft:
    """A draft of the viewer's workspace."""
    draft = drafts(viewer=viewer).filter(pk=draft_id).first()
    if draft is None:
        raise Http404(_("There is no such draft."))
    return draft


def case_or_404(number: int, *, viewer: Member) -> Case:
    """A case of the viewer's workspace by the number that people call it."""
    case = (
        Case.objects.filter(workspace_id=viewer.workspace_id, number=number)
        .select_related("workspace", "owner__user", "requester")
        .first()
    )
    if case is None:
        raise Http404(_("There is no such case."))
    return case


def open_draft(case: Case, *, viewer: Member) -> Draft | None:
    """The draft that is being worked on in a case: the newest that may still go out."""
    return drafts(viewer=viewer).filter(case=case, state__in=OPEN).order_by("-changed_at", "-pk").first()


def message_of(draft: Draft) -> Message | None:
    """What it answers."""
    return Message.objects.filter(workspace_id=draft.workspace_id, uid=draft.in_reply_to).first()


def attachment_or_404(attachment_id: int, *, viewer: Member) -> Attachment:
    """A file of a draft of the viewer's workspace."""
    found = (
        Attachment.objects.filter(pk=attachment_id, draft__workspace_id=viewer.workspace_id)
        .select_related("draft")
        .first()
    )
    if found is None:
        raise Http404(_("There is no such file."))
    return found


def accounts_for(draft: Draft) -> list[Source]:
    """The accounts that may answer on the channel of a draft."""
    found = [one.source for one in senders(draft.workspace_id)]
    return [source for source in found if source.connector == draft.conversation.channel]


def has_drafter(workspace_id: int) -> bool:
    """Whether a machine can be asked."""
    return Drafter.objects.filter(workspace_id=workspace_id, enabled=True).exists()


def waiting_for_approval(*, viewer: Member) -> list[Asked]:
    """What waits for approval, the oldest first, and what the viewer may decide before the rest."""
    waiting = (
        drafts(viewer=viewer)
        .filter(state=Draft.State.ASKED)
        .order_by("changed_at", "pk")
        .prefetch_related(
            Prefetch("versions", DraftVersion.objects.order_by("-version")),
            Prefetch("approvals", Approval.objects.select_related("by__user").order_by("at")),
            "attachments",
        )[:QUEUE]
    )
    found = list(waiting)
    said = {
        message.uid: message
        for message in Message.objects.filter(
            workspace_id=viewer.workspace_id, uid__in=[draft.in_reply_to for draft in found]
        )
    }
    who, rules = approver_of(viewer), rules_of(viewer.workspace_id)
    asked = []
    for draft in found:
        holding = rules_for(rules, draft_facts(draft))
        versions = draft.versions.all()
        before = next((one for one in versions if one.version < draft.version), None)
        writers = frozenset(one.by_id for one in versions if one.by_id) | ({draft.by_id} if draft.by_id else set())
        asked.append(
            Asked(
                draft=draft,
                message=said.get(draft.in_reply_to),
                pieces=differences(before.text if before else draft.text, draft.text),
                has_before=before is not None,
                mine=may_approve(who, holding, writers),
                needed=tuple(rule.name for rule in holding),
            )
        )
    return sorted(asked, key=lambda one: not one.mine)
