"""The whole interface, and the document that describes it (OpenAPI 3.1)."""

from importlib.metadata import version
from typing import Any

from ninja import NinjaAPI, Router
from ninja.openapi.schema import OpenAPISchema

from talkworthy.api import (
    cases,
    conversations,
    corrections,
    drafts,
    jobs,
    monitors,
    people,
    posts,
    rules,
    series,
    snippets,
    sources,
    targets,
)
from talkworthy.api.problems import CODES, MEDIA_TYPE, listen_for_problems
from talkworthy.api.routes import operation
from talkworthy.api.shapes import Me
from talkworthy.api.tokens import CallerRequest

ABOUT = """Reads and changes one workspace: the one that the token was made in.

Send the token as `Authorization: Bearer tw_…`. Errors are `application/problem+json` (RFC 9457) with a stable `code`.
Every id is text. Times are ISO 8601; answers are in UTC. Within a version fields are added, never taken away."""

PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": list(CODES)},
        "detail": {"type": "string", "description": "What is wrong and what can be done, for people."},
        "scope": {"type": "string", "description": "The scope that is missing."},
        "version": {"type": "integer", "description": "Where it was changed since: its newest version."},
        "changes": {"type": "array", "items": {"type": "object"}, "description": "What was changed since, in words."},
        "errors": {"type": "array", "items": {"type": "object"}, "description": "Where it is wrong, piece by piece."},
    },
}


class Interface(NinjaAPI):
    """The interface whose document also names the scope and the problems of each operation."""

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """The document; operations name their scope as OpenAPI 3.1 allows for bearer tokens."""
        document = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        document["components"]["schemas"]["Problem"] = PROBLEM
        content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        document["components"]["responses"] = {"Problem": {"description": "It was not done.", "content": content}}
        for path in document["paths"].values():
            for told in path.values():
                scope = told.pop("x-scope", None)
                told["security"] = [{"Bearer": [scope] if scope else []}]
                told["responses"]["default"] = {"$ref": "#/components/responses/Problem"}
        return document


account = Router(tags=["token"])


@operation(account, "GET", "/me", scope=None, response=Me)
def get_me(request: CallerRequest) -> dict[str, Any]:
    """Whom the token speaks for, and what it may do."""
    caller = request.auth
    return {
        "workspace": caller.workspace.name,
        "slug": caller.workspace.slug,
        "member": str(caller.user),
        "role": caller.member.role,
        "token": caller.token.name,
        "scopes": caller.token.scopes,
        "expires_at": caller.token.expires_at,
    }


api = Interface(
    title="Talkworthy",
    version=version("talkworthy"),
    description=ABOUT,
    docs_url=None,
    openapi_url="/openapi.json",
    urls_namespace="api",
)
listen_for_problems(api)
for router in (
    account, posts.router, monitors.router, monitors.marking, corrections.router, sources.router, series.router,
    cases.router, conversations.router, drafts.router, snippets.router, people.router, rules.router, targets.router,
    jobs.router,
):  # fmt: skip
    api.add_router("", router)
