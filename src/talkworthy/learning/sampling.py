"""Samples: posts are drawn by lot and labelled one after another; each step can be taken back."""

import random
import secrets
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.archive import Scan
from talkworthy.learning.actions import SURE, label_post
from talkworthy.learning.models import Label, Sample
from talkworthy.learning.newest import first_of_days
from talkworthy.listening.actions import Refused, undo_correction
from talkworthy.listening.models import Correction
from talkworthy.listening.selectors.mentions import Post
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User, Workspace

SIZE = 100
URN = 200_000
"""Of more posts the newest so many are drawn from."""
SKIPPED, GONE = "skipped", "gone"


def draw_sample(
    workspace: Workspace, task: str, *, by: User | None, now: datetime, seed: int | None = None
) -> Sample | None:
    """Draw posts of the newest days that have an answer, each with the same chance; None where there are none."""
    if task not in SURE:
        raise Refused(_("“%(task)s” cannot be labelled.") % {"task": task})
    archive = archive_of(workspace)
    scan = Scan(columns=("id", task), since=first_of_days(archive, now=now), until=now, limit=URN)
    ids = sorted(row["id"] for row in archive.table(scan).to_pylist() if row[task] is not None)
    if not ids:
        return None
    seed = secrets.randbits(32) if seed is None else seed
    lot = random.Random(seed).sample(ids, min(SIZE, len(ids)))  # noqa: S311 # a lot that can be drawn again
    with transaction.atomic():
        sample = Sample.objects.create(
            workspace=workspace, task=task, seed=seed, population=len(ids), posts=lot, by=by, at=now
        )
        note_change(workspace, verb="draw", thing=sample, by=by, now=now, after={"task": task, "posts": len(lot)})
    return sample


def next_of(sample: Sample) -> tuple[int, Post] | None:
    """The place and the row of the post whose turn it is; posts that are gone are passed over."""
    archive = archive_of(sample.workspace)
    for place in range(len(sample.steps), len(sample.posts)):
        post = archive.get(sample.posts[place])
        if post is not None and post[sample.task] is not None:
            return place, post
    return None


def take_step(
    workspace: Workspace, sample: Sample, *, post_id: int, value: str, by: User | None, now: datetime
) -> Label | None:
    """Label the post whose turn it is, or skip it where `value` is empty. Refused where somebody was faster."""
    with transaction.atomic():
        sample = Sample.objects.select_for_update().select_related("workspace").get(pk=sample.pk)
        turn = next_of(sample)
        if turn is None or turn[1]["id"] != post_id:
            raise Refused(_("This post was labelled or skipped meanwhile; here is the next one."))
        place, post = turn
        if value == "undecided":
            raise Refused(_("“Undecided” teaches nothing: choose an answer, or skip the post."))
        label = None
        if value:
            label = label_post(workspace, post, task=sample.task, value=value, drawn=True, by=by, now=now)
        passed = [GONE] * (place - len(sample.steps))
        sample.steps = [*sample.steps, *passed, label.pk if label else SKIPPED]
        sample.save(update_fields=["steps"])
    return label


def undo_step(workspace: Workspace, sample: Sample, *, by: User | None, now: datetime) -> bool:
    """Take the last step back: its label ends, the one before it holds again. False where there is no step."""
    with transaction.atomic():
        sample = Sample.objects.select_for_update().get(pk=sample.pk)
        steps = list(sample.steps)
        while steps and steps[-1] == GONE:
            steps.pop()
        if not steps:
            return False
        last = steps.pop()
        sample.steps = steps
        sample.save(update_fields=["steps"])
        if last != SKIPPED:
            _take_back(workspace, last, by=by, now=now)
    return True


def _take_back(workspace: Workspace, key: int, *, by: User | None, now: datetime) -> None:
    label = Label.objects.filter(workspace=workspace, pk=key, ended_at=None).first()
    if label is None:  # a later one took its place, or the post was erased
        return
    made = Correction.objects.filter(workspace=workspace, pk=label.correction).first() if label.correction else None
    if made is not None:
        undo_correction(made, by=by, now=now)
    Label.objects.filter(pk=label.pk).update(ended_at=now)
    note_change(workspace, verb="undo", thing=label, by=by, now=now, before={label.task: label.value})
    earlier = Label.objects.filter(workspace=workspace, task=label.task, uid=label.uid, pk__lt=label.pk)
    before = earlier.order_by("-pk").first()
    if before is not None and _still_stands(workspace, before):
        Label.objects.filter(pk=before.pk).update(ended_at=None)


def _still_stands(workspace: Workspace, label: Label) -> bool:
    """Whether what a label was made with was not taken back itself."""
    if label.correction is None:
        return str((archive_of(workspace).get(label.uid) or {}).get(label.task)) == label.value
    return Correction.objects.filter(workspace=workspace, pk=label.correction, undone_at=None).exists()
