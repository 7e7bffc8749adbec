"""Reads of cases, asked as a viewer."""

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.routing.models import Case, Conversation, ConversationLink, Escalation
from talkworthy.workspaces.models import Member


def cases(*, viewer: Member) -> "QuerySet[Case]":
    """Every case of the viewer's workspace, in the order of the queue."""
    return Case.objects.filter(workspace_id=viewer.workspace_id)


def conversation_or_404(number: int, *, viewer: Member) -> Conversation:
    """A conversation of the viewer's workspace."""
    found = Conversation.objects.filter(workspace_id=viewer.workspace_id, pk=number).first()
    if found is None:
        raise Http404(_("There is no such conversation."))
    return found


def links_of(case: Case) -> "list[ConversationLink]":
    """The ties of a case's conversations that were not undone, the oldest first."""
    ours = Q(one__cases=case) | Q(other__cases=case)
    return list(ConversationLink.objects.filter(ours, undone_at=None).distinct().order_by("at", "pk"))


def escalation_or_404(number: int, *, viewer: Member) -> Escalation:
    """A step that was taken on a case of the viewer's workspace."""
    rows = Escalation.objects.filter(case__workspace_id=viewer.workspace_id, done_at__isnull=False)
    found = rows.select_related("case__workspace", "step__member__user", "step__team").filter(pk=number).first()
    if found is None:
        raise Http404(_("There is no such step."))
    return found


def case_or_404(number: int, *, viewer: Member) -> Case:
    """A case by its number, with what its page shows first."""
    found = (
        cases(viewer=viewer)
        .filter(number=number)
        .select_related("workspace", "team", "owner__user", "requester__person", "touchpoint")
        .first()
    )
    if found is None:
        raise Http404(_("There is no case #%(n)s here.") % {"n": number})
    return found
