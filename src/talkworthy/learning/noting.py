"""A label is written down with what the model had said, once a post and task."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from talkworthy.learning.models import Label
from talkworthy.workspaces.models import User, Workspace

PROBABILITY = {
    "sentiment": "sentiment_probability",
    "intent": "intent_probability",
    "detected_language": "language_probability",
}


def note_label(
    workspace: Workspace,
    post: Mapping[str, Any],
    *,
    task: str,
    value: str,
    by: User | None,
    now: datetime,
    drawn: bool = False,
    correction: int | None = None,
    answered: int | None = None,
) -> Label:
    """Keep a person's answer; an earlier one of the same post and task ends.

    `post` is its row before any correction. A post that was drawn by lot once stays so, and what the model had said
    before people spoke stays with the newest label. `answered` is the override of a playbook's answer that says it.
    """
    with transaction.atomic():
        live = Label.objects.select_for_update().filter(workspace=workspace, task=task, uid=post["uid"], ended_at=None)
        before = live.first()
        live.update(ended_at=now)
        said = said_of(post, task)
        if before is not None:
            said = {"answer": before.answer, "probability": before.probability, "model": before.model}
        return Label.objects.create(
            workspace=workspace,
            uid=post["uid"],
            post_id=post["id"],
            task=task,
            value=value,
            kind=_kind(value == said["answer"], answered),
            brought_by=answered,
            drawn=drawn or (before is not None and before.drawn),
            language=(post.get("detected_language") or "")[:12],
            channel=(post.get("channel") or "")[:40],
            correction=correction,
            by=by,
            at=now,
            **said,
        )


def said_of(post: Mapping[str, Any], task: str) -> dict[str, Any]:
    """What the model had said of a post, as a label keeps it."""
    chance = post.get(PROBABILITY.get(task, ""))
    return {
        "answer": "" if post.get(task) is None else str(post[task]),
        "probability": None if chance is None else round(float(chance), 4),
        "model": (post.get("analysed_by") or "")[:120],
    }


def _kind(agrees: bool, answered: int | None) -> str:
    if answered is not None:
        return Label.Kind.ANSWER
    return Label.Kind.CONFIRMATION if agrees else Label.Kind.CORRECTION
