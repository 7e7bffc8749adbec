"""The verbs of learning. Each writes in a transaction and leaves a row in the trail."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from talkworthy.analysis.similarity import NAME as SIMILAR
from talkworthy.ecosystem.models import Touchpoint
from talkworthy.learning import likening
from talkworthy.learning.carrying import BELONGS
from talkworthy.learning.choosing import Choice, choice_cited
from talkworthy.learning.models import (
    TOUCHPOINT_TASK,
    Label,
    LearnedTie,
    Pair,
    SpokenLanguages,
    Sureness,
    TaughtTouchpoint,
    TrainedModel,
)
from talkworthy.learning.noting import note_label
from talkworthy.learning.tying import DOES_NOT
from talkworthy.listening.actions import Refused, correct_annotation
from talkworthy.listening.models import Job, Monitor
from talkworthy.listening.selectors.mentions import Post
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import User, Workspace

TRAINABLE = ("sentiment", "intent")
SURE = ("sentiment", "intent", "detected_language")
OPEN = (Job.State.WAITING, Job.State.RUNNING)
ENDED = (Job.State.DONE, Job.State.STOPPED, Job.State.FAILED)


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


def start_label_import(
    workspace: Workspace,
    *,
    path: Path,
    name: str,
    format: str,
    mapping: Mapping[str, str],
    drawn: bool,
    by: User | None,
    now: datetime,
) -> Job:
    """Take labels from a file in the background; the file is removed when it is done."""
    if not mapping.get("label") or not mapping.get("task") or not (mapping.get("uid") or mapping.get("text")):
        raise Refused(_("Name the task, what is right, and the post or its text."))
    request = {"path": str(path), "name": name, "format": format, "mapping": dict(mapping), "drawn": drawn}
    with transaction.atomic():
        job = Job.objects.create(
            workspace=workspace, kind=Job.Kind.LABELS, by=by, request=request, unit="rows", created_at=now
        )
        note_change(workspace, verb="import", thing=job, by=by, now=now, after={"name": name, "drawn": drawn})
    return job


def undo_label_import(job: Job, *, by: User | None, now: datetime) -> int:
    """End the labels that came with a file; the words that they brought go."""
    if job.state in OPEN:
        raise Refused(_("It is still being read: stop it first."))
    with transaction.atomic():
        found = Label.objects.filter(workspace=job.workspace, kind=Label.Kind.IMPORT, brought_by=job.pk)
        ended = found.filter(ended_at=None).update(ended_at=now)
        found.update(text="")
        note_change(job.workspace, verb="undo", thing=job, by=by, now=now, before={"labels": ended})
    return ended


def start_recomputation(
    workspace: Workspace,
    *,
    choice: Choice,
    since: datetime | None = None,
    until: datetime | None = None,
    monitor: Monitor | None = None,
    apply: bool,
    undoes: Job | None = None,
    by: User | None,
    now: datetime,
) -> Job:
    """Let models look at stored posts again; with `apply` what they say is written. One at a time."""
    open_ones = Job.objects.filter(workspace=workspace, kind=Job.Kind.RECOMPUTE, state__in=OPEN)
    if open_ones.exists():
        raise Refused(_("Annotations are being recomputed already: wait until that is done, or stop it."))
    request: dict[str, Any] = {
        "since": since.isoformat() if since else None,
        "until": (until or now).isoformat(),
        "monitor": monitor.pk if monitor else None,
        "apply": apply,
        "undoes": undoes.pk if undoes else None,
        **choice.as_json(),
    }
    with transaction.atomic():
        job = Job.objects.create(
            workspace=workspace, kind=Job.Kind.RECOMPUTE, by=by, request=request, unit="posts", created_at=now
        )
        note_change(workspace, verb="recompute" if apply else "preview", thing=job, by=by, now=now, after=request)
    return job


def apply_recomputation(preview: Job, *, by: User | None, now: datetime) -> Job:
    """Write what a preview said, with the models that it asked."""
    if preview.state != Job.State.DONE or preview.request["apply"]:
        raise Refused(_("There is no preview to apply: wait until it is done."))
    return _again(preview, Choice(preview.request["models"], preview.request["sure"]), by=by, now=now)


def undo_recomputation(done: Job, *, by: User | None, now: datetime) -> Job:
    """Recompute with the models that had made most of the annotations before."""
    tally = done.result or done.request.get("tally") or {}
    before = next((title for title, _posts in tally.get("versions", ()) if title), None)
    if not done.request["apply"] or done.state not in ENDED or before is None:
        raise Refused(_("There is nothing to undo here."))
    return _again(done, choice_cited(before), undoes=done, by=by, now=now)


def _again(earlier: Job, choice: Choice, *, undoes: Job | None = None, by: User | None, now: datetime) -> Job:
    asked = earlier.request
    since, until = (datetime.fromisoformat(asked[name]) if asked[name] else None for name in ("since", "until"))
    monitor = Monitor.objects.filter(workspace=earlier.workspace, pk=asked["monitor"]).first()
    if asked["monitor"] and monitor is None:
        raise Refused(_("The monitor whose posts were asked for is gone."))
    return start_recomputation(
        earlier.workspace,
        choice=choice,
        since=since,
        until=until,
        monitor=monitor,
        apply=True,
        undoes=undoes,
        by=by,
        now=now,
    )


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
    if task not in (*SURE, SIMILAR) or (least is not None and not 0 <= least <= 1):
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


def let_habits_answer(workspace: Workspace, answers: bool, *, by: User | None, now: datetime) -> None:
    """Let what sources usually speak count for short posts, or no longer."""
    with transaction.atomic():
        habits = get_object_or_404(SpokenLanguages.objects.select_for_update(), workspace=workspace)
        before, after = apply_changes(habits, {"answers": answers})
        if after:
            habits.save(update_fields=["answers"])
            note_change(workspace, verb="change", thing=habits, by=by, now=now, before=before, after=after)


def say_of_pair(
    workspace: Workspace, post: Post, other: Post, *, same: bool, probability: float, by: User | None, now: datetime
) -> Pair:
    """Say whether two posts are of the same matter; an earlier word on them ends."""
    if post["uid"] == other["uid"]:
        raise Refused(_("A post is always of its own matter."))
    first, second = sorted((post, other), key=lambda row: str(row["uid"]))
    uids = {"first_uid": first["uid"], "second_uid": second["uid"]}
    with transaction.atomic():
        Pair.objects.select_for_update().filter(workspace=workspace, ended_at=None, **uids).update(ended_at=now)
        pair = Pair.objects.create(
            workspace=workspace,
            first_id=first["id"],
            second_id=second["id"],
            same=same,
            probability=round(probability, 4),
            model=likening.version(),
            by=by,
            at=now,
            **uids,
        )
        note_change(workspace, verb="mark", thing=pair, by=by, now=now, after={"same": same})
    return pair


def take_pair_back(pair: Pair, *, by: User | None, now: datetime) -> None:
    """Let a person's word on two posts hold no longer."""
    with transaction.atomic():
        if Pair.objects.filter(pk=pair.pk, ended_at=None).update(ended_at=now):
            note_change(pair.workspace, verb="undo", thing=pair, by=by, now=now, before={"same": pair.same})


def mark_example(
    touchpoint: Touchpoint, post: Post, *, belongs: bool, by: User | None, now: datetime
) -> tuple[Label, Label | None]:
    """Say whether a post belongs to a touchpoint; returns the label, and the one that held before.

    From three on that belong, the touchpoint ties posts that are like its examples.
    """
    task = f"{TOUCHPOINT_TASK}{touchpoint.pk}"
    with transaction.atomic():
        taught, _created = TaughtTouchpoint.objects.get_or_create(
            touchpoint=touchpoint, defaults={"workspace": touchpoint.workspace, "due_at": now}
        )
        tie = LearnedTie.objects.filter(touchpoint=touchpoint, uid=post["uid"]).first()
        before = Label.objects.filter(workspace=touchpoint.workspace, task=task, uid=post["uid"], ended_at=None).first()
        said = {**post, task: BELONGS if tie else None, "analysed_by": ""}
        label = note_label(
            touchpoint.workspace, said, task=task, value=BELONGS if belongs else DOES_NOT, by=by, now=now
        )
        LearnedTie.objects.filter(touchpoint=touchpoint, uid=post["uid"]).delete()
        _look_anew(taught, now=now)
        held = {touchpoint.slug: label.value}
        note_change(touchpoint.workspace, verb="mark", thing=label, by=by, now=now, after=held)
    return label, before


def take_example_back(touchpoint: Touchpoint, label: Label, *, by: User | None, now: datetime) -> None:
    """Let a post be no example any more."""
    with transaction.atomic():
        if not Label.objects.filter(pk=label.pk, ended_at=None).update(ended_at=now):
            return
        note_change(
            touchpoint.workspace, verb="undo", thing=label, by=by, now=now, before={touchpoint.slug: label.value}
        )
        for taught in TaughtTouchpoint.objects.filter(touchpoint=touchpoint):
            _look_anew(taught, now=now)


def let_examples_answer(touchpoint: Touchpoint, answers: bool, *, by: User | None, now: datetime) -> None:
    """Tie posts by the examples, or no longer: what they tied is untied at once, and the examples stay."""
    with transaction.atomic():
        taught = get_object_or_404(TaughtTouchpoint.objects.select_for_update(), touchpoint=touchpoint)
        before, after = apply_changes(taught, {"answers": answers})
        if not after:
            return
        taught.save(update_fields=["answers"])
        if not answers:
            LearnedTie.objects.filter(touchpoint=touchpoint).delete()
        _look_anew(taught, now=now)
        note_change(touchpoint.workspace, verb="change", thing=taught, by=by, now=now, before=before, after=after)


def _look_anew(taught: TaughtTouchpoint, *, now: datetime) -> None:
    TaughtTouchpoint.objects.filter(pk=taught.pk).update(looked_at=None, due_at=now)
