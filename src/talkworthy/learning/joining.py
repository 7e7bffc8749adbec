"""What learning does when others call: corrections become labels, and listening asks for the models."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Q

from talkworthy.hooks import joins
from talkworthy.learning.choosing import answering_now, chosen_of
from talkworthy.learning.habits import look_at_habits
from talkworthy.learning.looking import look_at_drift
from talkworthy.learning.models import CarriedTie, Label, LearnedTie, Pair
from talkworthy.learning.noting import note_label
from talkworthy.learning.recomputing import forget_posts
from talkworthy.learning.tying import forget_examples, learned_posts, reasons_of, tie_due
from talkworthy.listening.chosen import Chosen
from talkworthy.listening.models import Correction
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Workspace

PIECE = 500
KIND = "kind"
"""Who is asked at the node of a playbook that says what a mention is."""
INTENT_OF = {
    **{name: name for name in ("help", "purchase", "complaint", "suggestion", "praise")},
    "remark": "other",
}
"""Its answers that mean the same as an intent; a review, a joke, a rant or an attack may have any."""


@joins
def models_chosen(workspace: Workspace) -> Chosen:
    """The models that were activated, and how sure answers must be."""
    return chosen_of(workspace, answering_now(workspace))


@joins
def annotation_corrected(workspace: Workspace, correction: Correction, post: Mapping[str, Any], now: datetime) -> None:
    """A correction is a label."""
    note_label(
        workspace, post, task=correction.task, value=correction.new, by=correction.by, now=now, correction=correction.pk
    )


@joins
def correction_undone(workspace: Workspace, correction: Correction, now: datetime) -> None:
    """Its label ends with it."""
    Label.objects.filter(workspace=workspace, correction=correction.pk, ended_at=None).update(ended_at=now)


@joins
def node_answered(workspace: Workspace, uid: str, ask: str, answer: str, override: int, by: Any, now: datetime) -> None:
    """What kind of thing a mention is, said by a person, is its intent."""
    value = INTENT_OF.get(answer)
    post = archive_of(workspace).get(uid) if ask == KIND and value else None
    if post is not None and value is not None:
        note_label(workspace, post, task="intent", value=value, by=by, now=now, answered=override)


@joins
def node_answer_undone(workspace: Workspace, overrides: Sequence[int], now: datetime) -> None:
    """Their labels end with them."""
    found = Label.objects.filter(workspace=workspace, kind=Label.Kind.ANSWER, brought_by__in=overrides)
    found.filter(ended_at=None).update(ended_at=now)


@joins(specname="work_due")
def looks_due(now: datetime) -> int:
    """One workspace's weekly look at drift."""
    return look_at_drift(now=now)


@joins(specname="work_due")
def habits_due(now: datetime) -> int:
    """Once a day what the sources of a workspace speak."""
    return look_at_habits(now=now)


@joins(specname="work_due")
def touchpoints_due(now: datetime) -> int:
    """Tie posts to touchpoints by their examples."""
    return tie_due(now=now)


@joins
def touchpoints_learned(workspace: Workspace, posts: Sequence[int] | None) -> Mapping[str, Sequence[int]]:
    """The posts that belong to touchpoints by their examples."""
    return learned_posts(workspace, posts)


@joins
def ties_explained(workspace: Workspace, post_id: int) -> Mapping[str, Any]:
    """Why a post belongs to touchpoints by their examples."""
    return reasons_of(workspace, post_id)


@joins
def data_forgotten(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]], now: datetime
) -> Mapping[str, int]:
    """The labels of their posts, their places in what recomputing found, and what tied them to touchpoints."""
    pieces = [uids[start : start + PIECE] for start in range(0, len(uids), PIECE)]
    forget_posts(workspace, set(uids))
    for piece in pieces:
        LearnedTie.objects.filter(workspace=workspace, uid__in=piece).delete()
        CarriedTie.objects.filter(workspace=workspace, uid__in=piece).delete()
        Pair.objects.filter(Q(first_uid__in=piece) | Q(second_uid__in=piece), workspace=workspace).delete()
        forget_examples(workspace, piece, now=now)
    return {"labels": sum(Label.objects.filter(workspace=workspace, uid__in=piece).delete()[0] for piece in pieces)}


@joins
def data_exported(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The labels of their posts."""
    pieces = [uids[start : start + PIECE] for start in range(0, len(uids), PIECE)]
    rows = [
        row
        for piece in pieces
        for row in Label.objects.filter(workspace=workspace, uid__in=piece).values("uid", "task", "value", "answer")
    ]
    told = ("first_uid", "second_uid", "same", "probability")
    pairs = [
        row
        for piece in pieces
        for row in Pair.objects.filter(
            Q(first_uid__in=piece) | Q(second_uid__in=piece), workspace=workspace, ended_at=None
        ).values(*told)
    ]
    return {name: found for name, found in (("labels", rows), ("pairs", pairs)) if found}
