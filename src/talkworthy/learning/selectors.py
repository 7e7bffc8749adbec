"""Reads of labels and models, asked as a viewer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.analysis.registry import model
from talkworthy.analysis.training.adapting import FEWEST
from talkworthy.archive import Scan
from talkworthy.learning.actions import OPEN, SURE, TRAINABLE
from talkworthy.learning.choosing import Choice, answering_now
from talkworthy.learning.models import DriftLook, Label, Sample, Sureness, TrainedModel
from talkworthy.listening.models import Job, Monitor
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Member

SHIPPED_SURE = {"sentiment": "sentiment", "detected_language": "language"}


@dataclass(frozen=True)
class TaskPage:
    """What is known of one task: its labels, its models, and how sure an answer must be, in percent."""

    task: str
    labels: int
    drawn: int
    right: int
    """Labels drawn by lot that agree with what the model had answered."""
    trained: Sequence[TrainedModel]
    active: TrainedModel | None
    job: Job | None
    can_train: bool
    missing: int
    sure: float
    is_own_sure: bool
    drifts: int
    """Figures that the newest look warns of."""


def labels(*, viewer: Member, task: str = "") -> QuerySet[Label]:
    """The labels that hold, the newest first."""
    found = Label.objects.filter(workspace_id=viewer.workspace_id, ended_at=None).select_related("by")
    return found.filter(task=task) if task else found


def task_pages(*, viewer: Member) -> list[TaskPage]:
    """Every task whose model can be trained or whose sureness can be set."""
    counted: dict[str, Any] = {
        row["task"]: row
        for row in labels(viewer=viewer)
        .order_by()
        .values("task")
        .annotate(
            n=Count("pk"),
            lots=Count("pk", filter=Q(drawn=True)),
            right=Count("pk", filter=Q(drawn=True, value=F("answer"))),
        )
    }
    trained = list(TrainedModel.objects.filter(workspace_id=viewer.workspace_id).select_related("by"))
    jobs = list(
        Job.objects.filter(workspace_id=viewer.workspace_id, kind=Job.Kind.RETRAIN, state__in=OPEN).order_by("pk")
    )
    sure = dict(Sureness.objects.filter(workspace_id=viewer.workspace_id).values_list("task", "least"))
    drifting = warnings(viewer=viewer)
    pages = []
    for task in SURE:
        mine = [one for one in trained if one.task == task]
        row = counted.get(task, {"n": 0, "lots": 0, "right": 0})
        shipped = model(SHIPPED_SURE[task]).undecided_below if task in SHIPPED_SURE else 0.0
        pages.append(
            TaskPage(
                task,
                row["n"],
                row["lots"],
                row["right"],
                mine,
                next((one for one in mine if one.activated_at), None),
                next((job for job in jobs if job.request.get("task") == task), None),
                task in TRAINABLE,
                max(0, FEWEST - row["n"]),
                round(100 * sure.get(task, shipped), 1),
                task in sure,
                drifting.get(task, 0),
            )
        )
    return pages


def trained_or_404(task: str, number: int, *, viewer: Member) -> TrainedModel:
    """A trained model of the viewer's workspace."""
    found = TrainedModel.objects.filter(workspace_id=viewer.workspace_id, task=task, number=number).first()
    if found is None:
        raise Http404(_("There is no such model."))
    return found


@dataclass(frozen=True)
class Recomputable:
    """What can be chosen where annotations are recomputed, and what was asked for before."""

    monitors: QuerySet[Monitor]
    trained: dict[str, list[TrainedModel]]
    """The workspace's own models of each task that has any."""
    answering: Choice
    jobs: Sequence[Job]


def recomputable(*, viewer: Member) -> Recomputable:
    """What can be chosen, and the last twenty times that it was."""
    trained: dict[str, list[TrainedModel]] = {}
    for one in TrainedModel.objects.filter(workspace_id=viewer.workspace_id).order_by("task", "-number"):
        trained.setdefault(one.task, []).append(one)
    return Recomputable(
        Monitor.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).order_by("name"),
        trained,
        answering_now(viewer.workspace),
        list(_recomputations(viewer)[:20]),
    )


def recomputation_or_404(job_id: int, *, viewer: Member) -> Job:
    """A recomputation of the viewer's workspace."""
    job = _recomputations(viewer).filter(pk=job_id).first()
    if job is None:
        raise Http404(_("There is no such recomputation."))
    return job


def _recomputations(viewer: Member) -> QuerySet[Job]:
    found = Job.objects.filter(workspace_id=viewer.workspace_id, kind=Job.Kind.RECOMPUTE)
    return found.select_related("by", "monitor", "workspace").order_by("-pk")


def newest_look(task: str, *, viewer: Member) -> DriftLook | None:
    """The newest weekly look at a task's posts."""
    return DriftLook.objects.filter(workspace_id=viewer.workspace_id, task=task).first()


def warnings(*, viewer: Member) -> dict[str, int]:
    """How many figures of each task drift, as the newest look has it."""
    looks = DriftLook.objects.filter(workspace_id=viewer.workspace_id)
    return {one.task: sum(figure["warns"] for figure in one.figures["compared"]) for one in looks}


def newest_sample(task: str, *, viewer: Member) -> Sample | None:
    """The sample of a task that goes on."""
    found = Sample.objects.filter(workspace_id=viewer.workspace_id, task=task).select_related("workspace")
    return found.order_by("-pk").first()


def words_of(posts: Sequence[int], *, viewer: Member) -> dict[int, str]:
    """What posts say, by their number; those that are gone are missing."""
    if not posts:
        return {}
    scan = Scan(columns=("id", "title", "text"), ids=tuple(posts))
    rows = archive_of(viewer.workspace).table(scan).to_pylist()
    return {row["id"]: row["text"] or row["title"] or "" for row in rows}
