"""Reads of snippets, asked as a viewer, and their variables filled in for a draft."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import override

from talkworthy.responding import snippets
from talkworthy.responding.models import Draft, Snippet
from talkworthy.routing.models import Message
from talkworthy.workspaces.models import Member


@dataclass(frozen=True)
class Ready:
    """A snippet as it would stand in a draft."""

    snippet: Snippet
    text: str
    missing: tuple[str, ...]


def snippets_of(*, viewer: Member) -> QuerySet[Snippet]:
    """Everybody's snippets and those of the viewer's teams; leads see all."""
    found = Snippet.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).select_related("team")
    return found.prefetch_related("texts").order_by("name", "pk")


def usable(*, viewer: Member) -> list[Snippet]:
    """Those that the viewer would use: everybody's, and those of their teams, the most used first."""
    own = Q(team=None) | Q(team__members=viewer)
    return list(snippets_of(viewer=viewer).filter(own).distinct().order_by("-uses", "name"))


def snippet_or_404(snippet_id: int, *, viewer: Member) -> Snippet:
    """A snippet of the viewer's workspace, deleted or not."""
    found = (
        Snippet.objects.filter(workspace_id=viewer.workspace_id, pk=snippet_id)
        .select_related("workspace", "team")
        .first()
    )
    if found is None:
        raise Http404(_("There is no such snippet."))
    return found


def ready_for(draft: Draft, *, viewer: Member, message: Message | None, now: datetime) -> list[Ready]:
    """The snippets with their variables filled in, in the language of the draft."""
    values = values_for(draft, viewer=viewer, message=message, now=now)
    found = []
    for snippet in usable(viewer=viewer):
        texts = {one.language: one.text for one in snippet.texts.all()}
        text = snippets.best_language(texts, draft.language)
        if text is not None:
            filled = snippets.fill(text, values)
            found.append(Ready(snippet, filled.text, filled.missing))
    return found


def values_for(draft: Draft, *, viewer: Member, message: Message | None, now: datetime) -> Mapping[str, str]:
    """What the variables stand for."""
    name = (message.author_name if message else "") or ""
    with override(draft.language or None):
        today = date_format(timezone.localtime(now), "DATE_FORMAT")
    return {
        "person.name": name or (message.author_handle if message else ""),
        "person.given_name": name.split()[0] if name.split() else "",
        "person.handle": message.author_handle if message else "",
        "agent.name": viewer.user.name,
        "case.number": str(draft.case.number),
        "case.title": draft.case.title,
        "workspace.name": draft.workspace.name,
        "today": today,
    }
