"""The verbs of learning. Each writes in a transaction and leaves a row in the trail."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.learning.models import Label, Sureness, TrainedModel
from talkworthy.learning.noting import note_label
from talkworthy.listening.actions import Refused, correct_annotation
from talkworthy.listening.models import Job
from talkworthy.listening.selectors.mentions import Post
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User, Workspace

TRAINABLE = ("sentiment", "intent")
SURE = ("sentiment", "intent", "detected_language")
OPEN = (Job.State.WAITING, Job.State.RUNNING)


def label_post(
    workspace: Workspace, post: Post, *, task: str, value: str, drawn: bool, by: User | None, now: datetime
) -> Label:
    """Say what an annotation should say: what differs is corrected at once, what agrees is confirmed."""
    with transaction.atomic():
        if str(post[task]) == value:
            label = note_label(workspace, post, task=task, value=value, by=by, now=now, drawn=drawn)
            note_change(workspace, verb="confirm", thing=label, by=by, now=now, after={task: value})
            return label
        made = correct_annotation(workspace, uid=post["uid"], task=task, new=value, by=by, now=now)
        label = Label.objects.get(workspace=workspace, correction=made.pk, ended_at=None)
        if drawn:
            label.drawn = True
            label.save(update_fields=["drawn"])
    return label


def start_retraining(workspace: Workspace, task: str, *, by: User | None, now: datetime) -> Job:
    """Train a task's model on all labels in the background; one training of a task at a time."""
    if task not in TRAINABLE:
        raise Refused(_("“%(task)s” cannot be trained.") % {"task": task})
    mine = Job.objects.filter(workspace=workspace, kind=Job.Kind.RETRAIN, state__in=OPEN, request__task=task)
    running = mine.first()
    if running is not None:
        return running
    with transaction.atomic():
        job = Job.objects.create(
            workspace=workspace, kind=Job.Kind.RETRAIN, by=by, request={"task": task}, unit="steps", created_at=now
        )
        note_change(workspace, verb="start", thing=job, by=by, now=now, after={"task": task})
    return job


def activate_model(
    workspace: Workspace, task: str, trained: TrainedModel | None, *, by: User | None, now: datetime
) -> TrainedModel | None:
    """Let a trained model answer from the next batch on; None lets the shipped one. Returns which answered before."""
    with transaction.atomic():
        models = TrainedModel.objects.select_for_update().filter(workspace=workspace, task=task)
        before = models.filter(activated_at__isnull=False).first()
        if before == trained:
            return before
        models.update(activated_at=None)
        if trained is not None:
            models.filter(pk=trained.pk).update(activated_at=now)
        thing = trained or before
        if thing is not None:
            held = (
                {"model": before.number if before else "shipped"},
                {"model": trained.number if trained else "shipped"},
            )
            note_change(workspace, verb="activate", thing=thing, by=by, now=now, before=held[0], after=held[1])
    return before


def set_sureness(
    workspace: Workspace, task: str, least: float | None, *, by: User | None, now: datetime
) -> float | None:
    """Say below which probability an answer is "undecided"; None: as the model has it. Returns what held before."""
    if task not in SURE or (least is not None and not 0 <= least <= 1):
        raise Refused(_("A probability is a number from 0 to 100 percent."))
    with transaction.atomic():
        held = Sureness.objects.select_for_update().filter(workspace=workspace, task=task).first()
        before = held.least if held else None
        if before == least:
            return before
        if least is None:
            thing: Sureness = held or Sureness(workspace=workspace, task=task, least=0)
            note_change(
                workspace, verb="change", thing=thing, by=by, now=now, before={task: before}, after={task: None}
            )
            Sureness.objects.filter(workspace=workspace, task=task).delete()
            return before
        made, _created = Sureness.objects.update_or_create(workspace=workspace, task=task, defaults={"least": least})
        note_change(workspace, verb="change", thing=made, by=by, now=now, before={task: before}, after={task: least})
    return before
