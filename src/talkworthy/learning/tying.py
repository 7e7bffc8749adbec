"""Posts tied to a touchpoint by its examples: all recent ones when the examples change, then those that arrive."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from talkworthy.analysis.belonging import FEWEST, MOST_OTHERS, Belonging, Verdict
from talkworthy.archive import Scan
from talkworthy.learning.carrying import BELONGS, settle
from talkworthy.learning.models import TOUCHPOINT_TASK, Label, LearnedTie, TaughtTouchpoint
from talkworthy.learning.newest import first_of_days
from talkworthy.listening.stores import archive_of
from talkworthy.states.claims import claimed
from talkworthy.workspaces.models import Workspace

DOES_NOT = "no"
COLUMNS = ("id", "uid", "title", "text")
NEWEST = 5_000
"""Posts that are looked at when examples change, newest first."""
PAUSE = timedelta(seconds=30)
"""Between two looks at what arrived."""
ANEW = timedelta(days=1)
"""After so long all recent posts are looked at once more: what the collection is made of has moved."""
PIECE = 500

Post = Mapping[str, Any]
Told = tuple[float | None, list[tuple[int, float, list[str]]]]
"""A probability, and the examples nearest to a post: their posts, how alike they are, and the words that do most."""


@dataclass(frozen=True)
class Example:
    """A post that a person marked for a touchpoint."""

    label: Label
    text: str

    @property
    def belongs(self) -> bool:
        """Whether it was said to belong."""
        return self.label.value == BELONGS


@dataclass(frozen=True)
class Learned:
    """What the examples of a touchpoint come to; `examples` stand in the order of the places that verdicts name."""

    head: Belonging
    examples: tuple[Example, ...]

    def nearest(self, verdict: Verdict, text: str) -> list[tuple[int, float, list[str]]]:
        """The examples nearest to a post: their posts, how alike they are, and the words that do most."""
        return [
            (self.examples[place].label.post_id, alike, self.head.words(text, place))
            for place, alike in verdict.nearest
        ]


def examples_of(taught: TaughtTouchpoint) -> tuple[Example, ...]:
    """The examples that hold, with their words: those that belong first, each the oldest first."""
    labels = list(Label.objects.filter(workspace_id=taught.workspace_id, task=taught.task, ended_at=None))
    texts: dict[str, str] = {}
    archive = archive_of(taught.workspace)
    for start in range(0, len(labels), PIECE):
        rows = archive.named([label.uid for label in labels[start : start + PIECE]]).select(list(COLUMNS)).to_pylist()
        texts |= {row["uid"]: words_of(row) for row in rows}
    found = [Example(label, texts[label.uid]) for label in labels if texts.get(label.uid)]
    return tuple(sorted(found, key=lambda example: (not example.belongs, example.label.pk)))


def learned_from(taught: TaughtTouchpoint) -> Learned | None:
    """What a touchpoint's examples come to beside the newest posts; None before three of them belong."""
    examples = examples_of(taught)
    belong = [example.text for example in examples if example.belongs]
    if len(belong) < FEWEST:
        return None
    marked = {example.label.uid for example in examples}
    newest = archive_of(taught.workspace).table(Scan(columns=COLUMNS, limit=MOST_OTHERS + len(marked))).to_pylist()
    others = [words_of(post) for post in newest if post["uid"] not in marked and words_of(post)]
    refused = [example.text for example in examples if not example.belongs]
    return Learned(Belonging(belong, refused, others), examples)


def tie_due(*, now: datetime) -> int:
    """Look at what is due for each touchpoint with examples; how many were looked at."""
    due = TaughtTouchpoint.objects.filter(due_at__lte=now, touchpoint__deleted_at=None)
    done = 0
    for taught in claimed(due, now=now, most=5):
        look(taught, now=now)
        done += 1
    return done


def look(taught: TaughtTouchpoint, *, now: datetime) -> None:
    """Tie posts that arrived since the last look; all recent ones where the examples changed, or a day went by."""
    archive = archive_of(taught.workspace)
    version = archive.stats().version
    begun = taught.looked_at
    fresh = None
    if begun is not None and taught.looked_to is not None and begun > now - ANEW:
        fresh = archive.arrived(taught.looked_to)
    anew = fresh is None
    posts: list[Post] = []
    if anew or fresh:
        ids = None if anew else tuple((fresh or [])[-NEWEST:])
        scan = Scan(columns=COLUMNS, since=first_of_days(archive, now=now), ids=ids, limit=NEWEST)
        posts = archive.table(scan).to_pylist()
    held = learned_from(taught) if taught.answers and (anew or posts) else None
    ties = list(_ties(taught, held, posts, now=now)) if held else []
    with transaction.atomic():
        mine = TaughtTouchpoint.objects.select_for_update().filter(pk=taught.pk)
        current = mine.values_list("answers", "looked_at", "due_at").first()
        if current != (taught.answers, begun, taught.due_at):  # the examples changed meanwhile: look again
            mine.update(claimed_until=None)
            return
        if anew:
            LearnedTie.objects.filter(touchpoint_id=taught.touchpoint_id).delete()
        LearnedTie.objects.bulk_create(ties, ignore_conflicts=True)
        looked = now if anew else begun
        TaughtTouchpoint.objects.filter(pk=taught.pk).update(looked_at=looked, looked_to=version)
    settle(taught, now=now, anew=anew)
    mine = TaughtTouchpoint.objects.filter(pk=taught.pk)
    due = now + PAUSE if taught.answers else None
    if not mine.filter(due_at=taught.due_at).update(due_at=due, claimed_until=None):
        mine.update(claimed_until=None)  # the examples changed meanwhile: look again


def _ties(taught: TaughtTouchpoint, held: Learned, posts: Sequence[Post], *, now: datetime) -> Iterable[LearnedTie]:
    marked = {example.label.uid for example in held.examples}
    read = [(post, text) for post in posts if post["uid"] not in marked and (text := words_of(post))]
    for (post, text), verdict in zip(read, held.head.read([text for _, text in read]), strict=True):
        if verdict.belongs:
            yield LearnedTie(
                workspace_id=taught.workspace_id,
                touchpoint_id=taught.touchpoint_id,
                uid=post["uid"],
                post_id=post["id"],
                probability=verdict.probability,
                nearest=held.nearest(verdict, text),
                at=now,
            )


def learned_posts(workspace: Workspace, posts: Sequence[int] | None = None) -> dict[str, list[int]]:
    """Posts (of these, else of all) that belong to touchpoints by examples, by slug: marked by people, or tied."""
    taught = TaughtTouchpoint.objects.filter(workspace=workspace, touchpoint__deleted_at=None, answers=True)
    slugs = dict(taught.values_list("touchpoint_id", "touchpoint__slug"))
    if not slugs:
        return {}
    found: dict[str, list[int]] = {slug: [] for slug in slugs.values()}
    tasks = {f"{TOUCHPOINT_TASK}{number}": slug for number, slug in slugs.items()}
    labels = Label.objects.filter(workspace=workspace, task__in=tasks, value=BELONGS, ended_at=None)
    ties = LearnedTie.objects.filter(workspace=workspace, touchpoint__in=slugs)
    if posts is not None:
        labels, ties = labels.filter(post_id__in=posts), ties.filter(post_id__in=posts)
    for task, post_id in labels.order_by().values_list("task", "post_id"):
        found[tasks[task]].append(post_id)
    for number, post_id in ties.order_by().values_list("touchpoint_id", "post_id"):
        found[slugs[number]].append(post_id)
    return found


def reasons_of(workspace: Workspace, post_id: int) -> dict[str, Told]:
    """By the slug of each touchpoint that a post belongs to by examples: how probable that is, and the nearest ones.

    Without a probability a person marked it.
    """
    taught = TaughtTouchpoint.objects.filter(workspace=workspace, touchpoint__deleted_at=None, answers=True)
    slugs = dict(taught.values_list("touchpoint_id", "touchpoint__slug"))
    ties = LearnedTie.objects.filter(workspace=workspace, touchpoint__in=slugs, post_id=post_id)
    found: dict[str, Told] = {slugs[tie.touchpoint_id]: (tie.probability, tie.nearest) for tie in ties}
    tasks = {f"{TOUCHPOINT_TASK}{number}": slug for number, slug in slugs.items()}
    marked = Label.objects.filter(workspace=workspace, task__in=tasks, value=BELONGS, ended_at=None, post_id=post_id)
    return {**found, **{tasks[task]: (None, []) for task in marked.order_by().values_list("task", flat=True)}}


def forget_examples(workspace: Workspace, uids: Sequence[str], *, now: datetime) -> None:
    """Let touchpoints look anew whose examples are about to be erased."""
    tasks = Label.objects.filter(
        workspace=workspace, uid__in=uids, task__startswith=TOUCHPOINT_TASK, ended_at=None
    ).values_list("task", flat=True)
    numbers = [int(task.removeprefix(TOUCHPOINT_TASK)) for task in set(tasks)]
    TaughtTouchpoint.objects.filter(workspace=workspace, touchpoint__in=numbers).update(looked_at=None, due_at=now)


def words_of(post: Post) -> str:
    """A post as it is compared."""
    return f"{post['title']}\n{post['text'] or ''}" if post["title"] else post["text"] or ""
