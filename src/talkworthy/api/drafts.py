"""Drafts: written by programs where the class of the case lets a machine draft, and given to who must approve.

Nothing here sends. What a program wrote is a machine's, and a person sends it from its case.
"""

from typing import Annotated, Any

from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field, StringConstraints

from talkworthy.api.routes import operation
from talkworthy.api.shapes import Changes, Given, Id, Moment
from talkworthy.api.tokens import Caller, CallerRequest
from talkworthy.responding import actions
from talkworthy.responding.actions.machines import change_by_program, draft_by_program
from talkworthy.responding.models import Draft
from talkworthy.responding.selectors.drafts import draft_or_404, drafts
from talkworthy.routing.selectors.cases import case_or_404

router = Router(tags=["drafts"])

Text = Annotated[str, StringConstraints(max_length=100_000)]


class DraftGiven(Given):
    """An answer to the last message that came in. It is marked as a machine's, under the name of the token."""

    text: Annotated[Text, StringConstraints(strip_whitespace=True, min_length=1)]
    subject: Annotated[str, Field(max_length=1_000)] = ""
    language: Annotated[str, Field(max_length=12)] = ""


class DraftChanged(Changes):
    """What is to change; the rest stays. Approvals of the version before no longer hold."""

    version: int = Field(description="The version that was read: where it is no longer the newest, the answer is 409.")
    text: Text = ""
    subject: Annotated[str, Field(max_length=1_000)] = ""
    language: Annotated[str, Field(max_length=12)] = ""


class DraftShape(Schema):
    """What may be said. `version` counts every save."""

    id: Id
    case: Id = Field(description="Number of the case.")
    state: str = Field(description="writing, asked, refused, approved, scheduled, sent, superseded or dropped")
    version: int
    subject: str
    text: str
    language: str
    visibility: str
    in_reply_to: str = Field(description="uid of what it answers.")
    by: Id | None = Field(description="Number of a member.")
    made_by: str = Field(description="The machine that wrote it; empty: a person alone.")
    created_at: Moment
    changed_at: Moment


class Drafts(Schema):
    """The drafts of a case, the newest first."""

    drafts: list[DraftShape]


@operation(router, "GET", "/cases/{int:number}/drafts", scope="drafts:read", response=Drafts)
def list_drafts(request: CallerRequest, number: int) -> dict[str, Any]:
    """The drafts of a case, the newest first."""
    case = case_or_404(number, viewer=request.auth.member)
    found = drafts(viewer=request.auth.member).filter(case=case).order_by("-pk")
    return {"drafts": [_shape(draft) for draft in found]}


@operation(router, "POST", "/cases/{int:number}/drafts", scope="drafts:write", response={201: DraftShape})
def create_draft(request: CallerRequest, number: int, given: DraftGiven) -> Status[dict[str, Any]]:
    """Write an answer, where the class of the case lets a machine draft. It is not sent."""
    caller = request.auth
    case = case_or_404(number, viewer=caller.member)
    made = draft_by_program(case, **given.model_dump(), program=_name(caller), by=caller.member, now=timezone.now())
    return Status(201, _shape(made))


@operation(router, "GET", "/drafts/{int:draft_id}", scope="drafts:read", response=DraftShape)
def get_draft(request: CallerRequest, draft_id: int) -> dict[str, Any]:
    """One draft."""
    return _shape(draft_or_404(draft_id, viewer=request.auth.member))


@operation(router, "PATCH", "/drafts/{int:draft_id}", scope="drafts:write", response=DraftShape)
def change_draft(request: CallerRequest, draft_id: int, given: DraftChanged) -> dict[str, Any]:
    """Change what is named; 409 where it was changed since it was read. It is a machine's from then on."""
    caller = request.auth
    draft = draft_or_404(draft_id, viewer=caller.member)
    changes = given.model_dump(include=given.model_fields_set - {"version"})
    changed = change_by_program(
        draft, version=given.version, program=_name(caller), by=caller.member, now=timezone.now(), **changes
    )
    return _shape(changed)


@operation(router, "POST", "/drafts/{int:draft_id}/ask", scope="drafts:write", response=DraftShape)
def ask_approval(request: CallerRequest, draft_id: int) -> dict[str, Any]:
    """Give it to those who must approve; where nobody must, it is approved, and waits for a person to send it."""
    draft = draft_or_404(draft_id, viewer=request.auth.member)
    return _shape(actions.ask_approval(draft, by=request.auth.member, now=timezone.now()))


@operation(router, "DELETE", "/drafts/{int:draft_id}", scope="drafts:write", response=DraftShape)
def drop_draft(request: CallerRequest, draft_id: int) -> dict[str, Any]:
    """Give it up; it can be brought back."""
    draft = draft_or_404(draft_id, viewer=request.auth.member)
    actions.drop_draft(draft, by=request.auth.member, now=timezone.now())
    return _shape(draft_or_404(draft_id, viewer=request.auth.member))


@operation(router, "POST", "/drafts/{int:draft_id}/restore", scope="drafts:write", response=DraftShape)
def restore_draft(request: CallerRequest, draft_id: int) -> dict[str, Any]:
    """Bring a draft back that was given up."""
    draft = draft_or_404(draft_id, viewer=request.auth.member)
    actions.restore_draft(draft, by=request.auth.member, now=timezone.now())
    return _shape(draft_or_404(draft_id, viewer=request.auth.member))


def _name(caller: Caller) -> str:
    return f"program {caller.token.name}"[:80]


def _shape(draft: Draft) -> dict[str, Any]:
    names = ("version", "subject", "text", "language", "visibility", "in_reply_to", "made_by")
    return {
        **{name: getattr(draft, name) for name in names},
        "id": str(draft.pk),
        "case": str(draft.case.number),
        "state": str(draft.state),
        "by": None if draft.by_id is None else str(draft.by_id),
        "created_at": draft.created_at,
        "changed_at": draft.changed_at,
    }
