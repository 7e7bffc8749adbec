"""What an erasure leaves to a person: names in notes, in titles, and in what others said under an answer.

Names are looked for as whole words, in any script, and nothing is removed by them: only a person can tell whether a
word is the name.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from talkworthy.analysis.names import folded_name, holds_name, name_length
from talkworthy.hooks.specs import TiedData
from talkworthy.people.models import Identity
from talkworthy.routing.keeping import pieces
from talkworthy.routing.models import Case, Message, Note
from talkworthy.routing.telling import address_of
from talkworthy.workspaces.models import Workspace

SHORTEST = 2
"""Chinese names have two characters; a single one stands in too many words to say anything."""
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


def _names(workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]) -> dict[str, str]:
    """What they are called, folded, and what that is: in their messages, and where their accounts are known."""
    found: list[tuple[str, str]] = []
    name, handle, person = _("their name"), _("the handle of their account"), _("the name of the person behind it")
    for piece in pieces(uids):
        rows = Message.objects.filter(workspace=workspace, uid__in=piece, direction=Message.Direction.INWARD)
        for called, account in rows.values_list("author_name", "author_handle").distinct():
            found += [(called, name), (account, handle)]
    for channel, account in authors:
        known = Identity.objects.filter(workspace=workspace, channel=channel, account=account)
        for called, said, whole in known.values_list("name", "handle", "person__name"):
            found += [(called, name), (said, handle), (whole or "", person)]
    folded = ((folded_name(called), what) for called, what in reversed(found))
    return {called: what for called, what in folded if name_length(called) >= SHORTEST}


def _places(workspace: Workspace, names: Mapping[str, str], gone: set[str]) -> Iterator[tuple[str, str]]:
    inbox = reverse("inbox:inbox", args=[workspace.slug])
    notes = Note.objects.filter(case__workspace=workspace, deleted_at=None).values_list("pk", "text")
    yield from _listed(_("a note of a member"), _found(notes, names), inbox, _notes)
    others = Message.objects.filter(workspace=workspace, deleted_at=None).values_list("pk", "text", "title")
    titles = Case.objects.filter(workspace=workspace).exclude(
        Q(conversations__root__in=gone) | Q(decisions__uid__in=gone)
    )
    kept = titles.values_list("pk", "title", "outcome_note").distinct()
    yield from _listed(_("the title or the last word of a case"), _found(kept, names), inbox, _cases)
    yield from _listed(_("words of others"), _found(others, names), inbox, lambda found: _messages(found, gone))


def _found(rows: "QuerySet[Any, Any]", names: Mapping[str, str]) -> dict[int, str]:
    """The rows in which one of the names stands, up to one more than are listed, and which name it is."""
    plain = [name.split()[0] for name in names if name.isascii()]
    found: dict[int, str] = {}
    for number, *texts in rows.order_by("pk").iterator(chunk_size=2_000):
        for text in texts:
            if text.isascii() and not any(word in text.casefold() for word in plain):
                continue  # most texts end here, before they are folded letter by letter
            folded = folded_name(text)
            what = next((what for name, what in names.items() if holds_name(folded, name)), None)
            if what is not None:
                found[number] = what
                break
        if len(found) > MOST:
            break
    return found


def _listed(
    kind: str, found: Mapping[int, str], inbox: str, places: Callable[[Sequence[int]], Iterable[tuple[int, str]]]
) -> Iterator[tuple[str, str]]:
    """What stands where; and that there is more where there is."""
    for number, address in places(list(found)[:MOST]):
        yield _("%(place)s: %(what)s") % {"place": kind, "what": found[number]}, address
    if len(found) > MOST:
        yield _("%(place)s: more than %(n)d places; look for the name yourself") % {"place": kind, "n": MOST}, inbox


def _notes(numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    for note in Note.objects.filter(pk__in=numbers).select_related("case__workspace").order_by("pk"):
        yield note.pk, f"{address_of(note.case)}#note-{note.pk}"


def _cases(numbers: Sequence[int]) -> Iterator[tuple[int, str]]:
    for case in Case.objects.filter(pk__in=numbers).select_related("workspace").order_by("pk"):
        yield case.pk, address_of(case)


def _messages(numbers: Sequence[int], gone: set[str]) -> Iterator[tuple[int, str]]:
    rows = Message.objects.filter(pk__in=numbers).prefetch_related("conversation__cases__workspace")
    for message in rows.order_by("pk"):
        for case in message.conversation.cases.all() if message.uid not in gone else ():
            yield message.pk, f"{address_of(case)}#message-{message.pk}"
