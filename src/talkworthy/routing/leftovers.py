"""What an erasure leaves to a person: names in notes, in titles, and in what others said under an answer."""

from collections.abc import Iterator, Sequence

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from talkworthy.hooks.specs import TiedData
from talkworthy.people.models import Identity
from talkworthy.routing.keeping import pieces
from talkworthy.routing.models import Case, Message, Note
from talkworthy.routing.telling import address_of
from talkworthy.workspaces.models import Workspace

SHORTEST = 3
"""A shorter name stands in too many words to say anything."""
MOST = 500
"""Places of a kind that are listed."""


def tied_data(workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]) -> TiedData:
    """Our answers to these posts, and where the names of their authors stand besides."""
    answers = sorted({uid for piece in pieces(uids) for uid in _answers(workspace, piece)})
    names = _names(workspace, uids, authors)
    gone = {*uids, *answers}
    return TiedData(answers, list(dict.fromkeys(_places(workspace, names, gone))) if names else [])


def _answers(workspace: Workspace, uids: Sequence[str]) -> "QuerySet[Message, str]":
    ours = Message.objects.filter(workspace=workspace, parent__in=uids, direction=Message.Direction.OUTWARD)
    return ours.values_list("uid", flat=True)


def _names(workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]) -> list[str]:
    """What they are called: in their messages, and where their accounts are known."""
    found = set[str]()
    for piece in pieces(uids):
        rows = Message.objects.filter(workspace=workspace, uid__in=piece, direction=Message.Direction.INWARD)
        found |= {name for row in rows.values_list("author_name", "author_handle") for name in row}
    for channel, account in authors:
        known = Identity.objects.filter(workspace=workspace, channel=channel, account=account)
        found |= {name for row in known.values_list("name", "handle") for name in row}
    return sorted(name.lstrip("@") for name in found if len(name.lstrip("@")) >= SHORTEST)


def _places(workspace: Workspace, names: Sequence[str], gone: set[str]) -> Iterator[tuple[str, str]]:
    notes = Note.objects.filter(_named("text", names), case__workspace=workspace, deleted_at=None)
    for note in notes.select_related("case__workspace").order_by("pk")[:MOST]:
        yield _("a note of a member"), f"{address_of(note.case)}#note-{note.pk}"
    titles = Case.objects.filter(_named("title", names) | _named("outcome_note", names), workspace=workspace)
    kept = titles.exclude(Q(conversations__root__in=gone) | Q(decisions__uid__in=gone))
    for case in kept.select_related("workspace").order_by("pk")[:MOST]:
        yield _("the title or the last word of a case"), address_of(case)
    said = Message.objects.filter(_named("text", names), workspace=workspace, deleted_at=None)
    for message in said.prefetch_related("conversation__cases__workspace").order_by("pk")[:MOST]:
        for case in message.conversation.cases.all() if message.uid not in gone else ():
            yield _("words of others"), f"{address_of(case)}#message-{message.pk}"


def _named(column: str, names: Sequence[str]) -> Q:
    """Rows whose column holds one of the names, in whatever case."""
    found = Q(pk=None)
    for name in names:
        found |= Q(**{f"{column}__icontains": name})
    return found
