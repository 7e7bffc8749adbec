"""Snippets: words that are often needed, in one or more languages."""

from typing import Annotated, Any

from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field

from talkworthy.api.cases import team_or_404
from talkworthy.api.routes import operation
from talkworthy.api.shapes import Deleted, Given, Id, Name
from talkworthy.api.tokens import Caller, CallerRequest
from talkworthy.responding import actions
from talkworthy.responding.models import Snippet
from talkworthy.responding.selectors.snippets import snippet_or_404, snippets_of

router = Router(tags=["snippets"])


class SnippetGiven(Given):
    """A snippet, whole: what is not named is empty."""

    name: Name
    shortcut: Annotated[str, Field(pattern=r"^[-a-zA-Z0-9_]{1,40}$", description="Typed after ; in the composer.")]
    team: Id | None = Field(None, description="null: everybody's.")
    texts: dict[str, str] = Field(description="By language, such as {“en”: “Thank you, {person.name}.”}.")


class SnippetShape(Schema):
    """Words that are often needed, with variables."""

    id: Id
    name: str
    shortcut: str
    team: Id | None
    texts: dict[str, str]
    uses: int


class Snippets(Schema):
    """The snippets, by name."""

    snippets: list[SnippetShape]


@operation(router, "GET", "/snippets", scope="drafts:read", response=Snippets)
def list_snippets(request: CallerRequest) -> dict[str, Any]:
    """The snippets, by name."""
    return {"snippets": [_shape(snippet) for snippet in snippets_of(viewer=request.auth.member)]}


@operation(router, "POST", "/snippets", scope="drafts:write", response={201: SnippetShape})
def create_snippet(request: CallerRequest, given: SnippetGiven) -> Status[dict[str, Any]]:
    """Make a snippet."""
    return Status(201, _saved(request.auth, given, None))


@operation(router, "PUT", "/snippets/{int:snippet_id}", scope="drafts:write", response=SnippetShape)
def change_snippet(request: CallerRequest, snippet_id: int, given: SnippetGiven) -> dict[str, Any]:
    """Let a snippet be this; a language that is not named goes."""
    return _saved(request.auth, given, snippet_or_404(snippet_id, viewer=request.auth.member))


@operation(router, "DELETE", "/snippets/{int:snippet_id}", scope="drafts:write", response=Deleted)
def delete_snippet(request: CallerRequest, snippet_id: int) -> dict[str, Any]:
    """Take a snippet away; it can be restored."""
    snippet = snippet_or_404(snippet_id, viewer=request.auth.member)
    actions.delete_snippet(snippet, by=request.auth.user, now=timezone.now())
    return {"id": str(snippet.pk)}


@operation(router, "POST", "/snippets/{int:snippet_id}/restore", scope="drafts:write", response=SnippetShape)
def restore_snippet(request: CallerRequest, snippet_id: int) -> dict[str, Any]:
    """Bring a deleted snippet back, if its shortcut is free."""
    snippet = snippet_or_404(snippet_id, viewer=request.auth.member)
    actions.restore_snippet(snippet, by=request.auth.user, now=timezone.now())
    return _shape(snippet)


def _saved(caller: Caller, given: SnippetGiven, snippet: Snippet | None) -> dict[str, Any]:
    kept = actions.save_snippet(
        caller.workspace,
        name=given.name,
        shortcut=given.shortcut,
        texts={language.strip().lower()[:12]: text for language, text in given.texts.items() if language.strip()},
        team=team_or_404(given.team, caller.member),
        snippet=snippet,
        by=caller.user,
        now=timezone.now(),
    )
    return _shape(kept)


def _shape(snippet: Snippet) -> dict[str, Any]:
    return {
        "id": str(snippet.pk),
        "name": snippet.name,
        "shortcut": snippet.shortcut,
        "team": None if snippet.team_id is None else str(snippet.team_id),
        "texts": {one.language: one.text for one in snippet.texts.all()},
        "uses": snippet.uses,
    }
