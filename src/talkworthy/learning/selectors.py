"""Reads of labels and models, asked as a viewer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.analysis.belonging import FEWEST as FEWEST_EXAMPLES
from talkworthy.analysis.belonging import NAME as BELONGING
from talkworthy.analysis.registry import Model, model
from talkworthy.analysis.training.adapting import FEWEST
from talkworthy.archive import Scan
from talkworthy.ecosystem.models import Touchpoint
from talkworthy.learning.actions import OPEN, SURE, TRAINABLE
from talkworthy.learning.choosing import Choice, answering_now
from talkworthy.learning.models import (
    TOUCHPOINT_TASK,
    DriftLook,
    Label,
    LearnedTie,
    Pair,
    Sample,
    SpokenLanguages,
    Sureness,
    TaughtTouchpoint,
    TrainedModel,
)
from talkworthy.learning.tying import Example, Learned, examples_of, learned_from
from talkworthy.learning.tying import words_of as words_in
from talkworthy.listening.collecting import source_key
from talkworthy.listening.filters import Filter
from talkworthy.listening.models import Job, Monitor, Source
from talkworthy.listening.selectors import mentions
from talkworthy.listening.selectors.mentions import Post
from talkworthy.listening.stores import archive_of
from talkworthy.listening.touchpoints import monitors_of_touchpoint
from talkworthy.query import QueryError
from talkworthy.workspaces.models import Member

TIES_SHOWN = 20
AT_ONCE = 400
MARKS_SHOWN = 8
LEAST_TO_MARK = 3
"""Posts that are offered even where none is doubtful."""
READ_FOR_MARKS = 400
"""Newest posts that are read to find those whose mark would teach most."""

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


def least_probability(task: str, *, viewer: Member) -> float:
    """Below which probability an answer is undecided today."""
    own = Sureness.objects.filter(workspace_id=viewer.workspace_id, task=task).values_list("least", flat=True).first()
    if own is not None:
        return own
    return model(SHIPPED_SURE[task]).undecided_below if task in SHIPPED_SURE else 0.0


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


def label_imports(*, viewer: Member) -> QuerySet[Job]:
    """Files whose labels were taken, the newest first."""
    found = Job.objects.filter(workspace_id=viewer.workspace_id, kind=Job.Kind.LABELS)
    return found.select_related("by", "workspace").order_by("-pk")


def label_import_or_404(job_id: int, *, viewer: Member) -> Job:
    """An import of labels of the viewer's workspace."""
    job = label_imports(viewer=viewer).filter(pk=job_id).first()
    if job is None:
        raise Http404(_("There is no such import."))
    return job


def labels_brought(job: Job, *, viewer: Member) -> int:
    """How many labels of an import hold."""
    return labels(viewer=viewer).filter(kind=Label.Kind.IMPORT, brought_by=job.pk).count()


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


@dataclass(frozen=True)
class Speaking:
    """What a source usually speaks: its name, from how many posts that was told, and the languages with shares."""

    name: str
    posts: int
    shares: Sequence[tuple[str, float]]


def speaking(*, viewer: Member) -> tuple[SpokenLanguages | None, list[Speaking]]:
    """What the workspace's sources speak, and whether that counts; None before anybody looked."""
    habits = SpokenLanguages.objects.filter(workspace_id=viewer.workspace_id).first()
    if habits is None or not habits.sources:
        return habits, []
    names = {source_key(source): source.name for source in Source.objects.filter(workspace_id=viewer.workspace_id)}
    found = [
        Speaking(names.get(key, key), told["posts"], list(told["shares"].items()))
        for key, told in habits.sources.items()
    ]
    return habits, sorted(found, key=lambda one: (-one.posts, one.name))


def pairs(*, viewer: Member) -> QuerySet[Pair]:
    """What people said of pairs of posts, the newest first."""
    return Pair.objects.filter(workspace_id=viewer.workspace_id, ended_at=None).select_related("by", "workspace")


def pairs_with_words(*, viewer: Member) -> Iterator[tuple[Pair, str, str]]:
    """Pairs with the words of both; those of which a post is gone are left out."""
    found = list(pairs(viewer=viewer))
    archive = archive_of(viewer.workspace)
    for start in range(0, len(found), AT_ONCE):
        some = found[start : start + AT_ONCE]
        uids = sorted({uid for pair in some for uid in (pair.first_uid, pair.second_uid)})
        rows = archive.named(uids).select(["uid", "title", "text"]).to_pylist()
        words = {row["uid"]: words_in(row) for row in rows}
        for pair in some:
            if words.get(pair.first_uid) and words.get(pair.second_uid):
                yield pair, words[pair.first_uid], words[pair.second_uid]


@dataclass(frozen=True)
class ToMark:
    """A post that somebody may mark: its words, and what the examples say of it, where they say something."""

    post_id: int
    text: str
    probability: float | None


@dataclass(frozen=True)
class Because:
    """An example that a tied post is like: its words, how alike they are, and the words that do most."""

    post_id: int
    text: str
    alike: float
    words: Sequence[str]


@dataclass(frozen=True)
class Tied:
    """A post that the examples tied, and why."""

    tie: LearnedTie
    text: str
    because: Sequence[Because]


@dataclass(frozen=True)
class ExamplesPage:
    """A touchpoint's examples and what came of them."""

    taught: TaughtTouchpoint | None
    belong: Sequence[Example]
    refused: Sequence[Example]
    missing: int
    """How many more must belong before anything is tied."""
    tied: int
    ties: Sequence[Tied]
    to_mark: Sequence[ToMark]
    problem: str
    """What is wrong with the words of the search."""
    card: Model

    @property
    def sides(self) -> Sequence[tuple[str, Sequence[Example]]]:
        """The examples that belong and those that do not, each with its heading."""
        return ((_("Belong here"), self.belong), (_("Do not belong here"), self.refused))


def example_labels(touchpoint: Touchpoint, *, viewer: Member) -> QuerySet[Label]:
    """The labels that make posts examples of a touchpoint."""
    return labels(viewer=viewer, task=f"{TOUCHPOINT_TASK}{touchpoint.pk}")


def examples_page(touchpoint: Touchpoint, *, words: str, viewer: Member, now: datetime) -> ExamplesPage:
    """Everything that the page of a touchpoint's examples shows."""
    taught = TaughtTouchpoint.objects.select_related("workspace").filter(touchpoint=touchpoint).first()
    held = examples_of(taught) if taught else ()
    belong = [example for example in held if example.belongs]
    refused = [example for example in held if not example.belongs]
    ties = LearnedTie.objects.filter(touchpoint=touchpoint)
    newest = list(ties[:TIES_SHOWN])
    texts = words_of([tie.post_id for tie in newest], viewer=viewer)
    by_post = {example.label.post_id: example.text for example in held}
    learned = learned_from(taught) if taught else None
    to_mark, problem = _to_mark(touchpoint, words, held, learned, viewer=viewer, now=now)
    return ExamplesPage(
        taught,
        belong,
        refused,
        max(0, FEWEST_EXAMPLES - len(belong)),
        ties.count(),
        [
            Tied(
                tie,
                texts[tie.post_id],
                [
                    Because(number, by_post[number], alike, near)
                    for number, alike, near in tie.nearest
                    if number in by_post
                ],
            )
            for tie in newest
            if tie.post_id in texts
        ],
        to_mark,
        problem,
        model(BELONGING),
    )


def _to_mark(
    touchpoint: Touchpoint,
    words: str,
    held: Sequence[Example],
    learned: Learned | None,
    *,
    viewer: Member,
    now: datetime,
) -> tuple[list[ToMark], str]:
    """Posts to be marked next: those of a search; else those of which the examples are least sure; else the newest."""
    marked = {example.label.uid for example in held}
    if words or learned is None:
        monitors = () if words else tuple(monitors_of_touchpoint(touchpoint))
        asked = Filter(words=words, monitors=monitors)
        try:
            rows: Sequence[Post] = mentions.mentions(asked, viewer=viewer, period=None, now=now).posts
        except QueryError as error:
            return [], str(error)
        rows = [row for row in rows if row["uid"] not in marked and words_in(row)][:MARKS_SHOWN]
    else:
        newest = archive_of(viewer.workspace).table(Scan(columns=("id", "uid", "title", "text"), limit=READ_FOR_MARKS))
        rows = [row for row in newest.to_pylist() if row["uid"] not in marked and words_in(row)]
    if learned is None:
        return [ToMark(row["id"], words_in(row), None) for row in rows], ""
    verdicts = learned.head.read([words_in(row) for row in rows]) if rows else []
    found = list(zip(rows, verdicts, strict=True))
    if not words:
        found = sorted((pair for pair in found if not pair[1].belongs), key=lambda pair: -pair[1].probability)
        doubtful = sum(said.belongs is None for _row, said in found)
        found = found[: max(doubtful, LEAST_TO_MARK)]
    return [ToMark(row["id"], words_in(row), said.probability) for row, said in found[:MARKS_SHOWN]], ""
