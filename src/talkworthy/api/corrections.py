"""A person knows better: corrections of annotations."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from talkworthy.api.posts import post_named
from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Given, Id, Moment
from talkworthy.api.tokens import CallerRequest
from talkworthy.listening import actions
from talkworthy.listening.models import Correction
from talkworthy.listening.selectors import mentions

router = Router(tags=["corrections"])


class CorrectionGiven(Given):
    """The annotation that is wrong, and what is right."""

    post: str = Field(description="The post's uid or id.", min_length=1)
    task: str = Field(description="sentiment, intent, detected_language or urgency")
    new: str


class CorrectionsAsked(Schema):
    """Of which post."""

    post: str = Field(description="The post's uid or id.", min_length=1)


class CorrectionShape(Schema):
    """An annotation as a person corrected it."""

    id: Id
    uid: str
    task: str
    old: str
    new: str
    by: str | None
    at: Moment
    undone_at: Moment | None


class Corrections(Schema):
    """The corrections of a post, newest first."""

    corrections: list[CorrectionShape]


@operation(router, "POST", "/corrections", scope="mentions:write", response={201: CorrectionShape})
def correct_annotation(request: CallerRequest, given: CorrectionGiven) -> Status[dict[str, Any]]:
    """Replace an annotation of a post: at once on pages and in counts, kept as a label for training."""
    caller = request.auth
    post = post_named(given.post, caller.member)
    correction = actions.correct_annotation(
        caller.workspace, uid=post["uid"], task=given.task, new=given.new, by=caller.user, now=timezone.now()
    )
    return Status(201, _shape(correction))


@operation(router, "GET", "/corrections", scope="mentions:read", response=Corrections)
def list_corrections(request: CallerRequest, asked: Query[CorrectionsAsked]) -> dict[str, Any]:
    """What people corrected of a post, newest first."""
    known_names(request, CorrectionsAsked)
    viewer = request.auth.member
    found = mentions.corrections_of(post_named(asked.post, viewer), viewer=viewer)
    return {"corrections": [_shape(correction) for correction in found]}


@operation(router, "DELETE", "/corrections/{int:correction_id}", scope="mentions:write", response=CorrectionShape)
def undo_correction(request: CallerRequest, correction_id: int) -> dict[str, Any]:
    """Give a post back the annotation that it had before a correction."""
    correction = get_object_or_404(Correction, pk=correction_id, workspace=request.auth.workspace)
    actions.undo_correction(correction, by=request.auth.user, now=timezone.now())
    return _shape(correction)


def _shape(correction: Correction) -> dict[str, Any]:
    return {
        "id": str(correction.pk),
        "uid": correction.uid,
        "task": correction.task,
        "old": correction.old,
        "new": correction.new,
        "by": str(correction.by) if correction.by else None,
        "at": correction.at,
        "undone_at": correction.undone_at,
    }
