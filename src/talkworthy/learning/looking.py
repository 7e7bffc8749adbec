"""A look a week at whether a workspace's models meet other posts than before; kept for the page and for alerts."""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive import Scan
from talkworthy.archive.columns import HASH_BITS
from talkworthy.learning import drifting
from talkworthy.learning.actions import SURE
from talkworthy.learning.choosing import COLUMN
from talkworthy.learning.differing import CHANCES
from talkworthy.learning.drifting import RECENT, REFERENCE, Days, Labelled
from talkworthy.learning.models import DriftLook, Label
from talkworthy.listening.alerts import Sign
from talkworthy.listening.models import AlertRule
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Workspace

DAY = timedelta(days=1)
LISTED = 6
"""Answers that are told one by one; of languages the others are one."""
OTHERS = "others"
PAUSE = 300.0
"""Seconds after which a worker asks again whether a look is due."""

_asked: dict[str, float] = {}


@dataclass(frozen=True)
class _Cell:
    day: int
    version: str
    answer: str
    posts: int
    chances: float


def week_of(now: datetime) -> datetime:
    """The Monday with which the week of a moment began, in UTC: a look goes up to it."""
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day - timedelta(days=day.weekday())


def look_at_drift(*, now: datetime) -> int:
    """Look at one workspace that was not looked at this week; 0 where there is none, which is asked seldom."""
    moment = time.monotonic()
    if moment - _asked.get("at", -PAUSE) < PAUSE:
        return 0
    looked = DriftLook.objects.filter(week=week_of(now).date()).values("workspace")
    workspace = Workspace.objects.exclude(pk__in=looked).order_by("pk").first()
    if workspace is None:
        _asked["at"] = moment
        return 0
    look(workspace, now=now)
    return 1


def look(workspace: Workspace, *, now: datetime) -> None:
    """Compare the last two full weeks with the twelve before, for each task and the version that answers."""
    until = week_of(now)
    since = until - (RECENT + REFERENCE) * DAY
    cells = _cells(workspace, since, until)
    for task in SURE:
        figures = _looked(workspace, task, cells[task], since, until)
        DriftLook.objects.update_or_create(
            workspace=workspace, task=task, defaults={"week": until.date(), "figures": figures, "at": now}
        )


def drift_signs(rule: AlertRule, now: datetime) -> Iterator[Sign]:
    """What the newest looks warn of, once a week, task and figure."""
    for found in DriftLook.objects.filter(workspace=rule.workspace, week=week_of(now).date()).order_by("task"):
        for figure in found.figures["compared"]:
            if figure["warns"] and figure["probability"] < rule.threshold:
                evidence = {
                    **{
                        name: figure[name] for name in ("name", "recent", "reference", "difference", "probability", "n")
                    },
                    **{name: found.figures[name] for name in ("version", "since", "middle", "until")},
                    "task": found.task,
                }
                yield Sign(f"{found.task} {figure['name']} {found.week:%G-%V}", evidence)


def version_of(analysed_by: str, task: str) -> str:
    """What of a citation concerns a task: the pipeline, the workspace's own model, and how sure it must be."""
    named = {task, *(short for short, column in COLUMN.items() if column == task)}
    kept = [part for part in analysed_by.split() if part[0] not in "+~" or part[1:].rpartition(".")[0] in named]
    return " ".join(kept)


def _cells(workspace: Workspace, since: datetime, until: datetime) -> dict[str, list[_Cell]]:
    """Posts and sums of probability by day, citation and answer of each task, in one reading."""
    columns = ("published_at", "analysed_by", *SURE, *(CHANCES[task] for task in SURE))
    pieces: dict[str, list[pa.Table]] = {task: [] for task in SURE}
    for batch in archive_of(workspace).scan(Scan(columns=columns, since=since, until=until, order=None)):
        posts = pa.Table.from_batches([batch])
        days = pc.days_between(pa.scalar(since, posts["published_at"].type), posts["published_at"])
        for task in SURE:
            table = pa.table(
                {
                    "day": days,
                    "by": posts["analysed_by"],
                    "answer": posts[task],
                    "chance": posts[CHANCES[task]].cast(pa.float64()),
                }
            )
            grouped = table.group_by(["day", "by", "answer"]).aggregate([("chance", "sum"), ([], "count_all")])
            pieces[task].append(grouped)
    return {
        task: [
            _Cell(row["day"], version_of(row["by"], task), row["answer"], row["count_all"], row["chance_sum"] or 0.0)
            for table in tables
            for row in table.to_pylist()
            if row["by"] and row["answer"]
        ]
        for task, tables in pieces.items()
    }


def _looked(workspace: Workspace, task: str, cells: list[_Cell], since: datetime, until: datetime) -> dict[str, Any]:
    """The figures of one task as plain values; of the version that made most of the recent posts."""
    middle = until - RECENT * DAY
    recent = Counter[str]()
    for cell in cells:
        if cell.day >= REFERENCE:
            recent[cell.version] += cell.posts
    version = max(recent, key=lambda name: (recent[name], name), default="")
    mine = _few_answers([cell for cell in cells if cell.version == version])
    days = _days(mine)
    old, new = _part(days, 0, REFERENCE), _part(days, REFERENCE, REFERENCE + RECENT)
    seed = workspace.pk * 1_000 + until.toordinal() % 1_000
    figures = drifting.compared(new, old, seed=seed, labels=_labels(workspace, task, version, since, middle, until))
    weeks = [{**week, "since": (since + week["start"] * DAY).isoformat()} for week in drifting.weeks(days)]
    return {
        "version": version,
        "since": since.isoformat(),
        "middle": middle.isoformat(),
        "until": until.isoformat(),
        "answers": list(days.answers),
        "recent": int(new.posts.sum()),
        "reference": int(old.posts.sum()),
        "other_versions": sum(cell.posts for cell in cells) - sum(cell.posts for cell in mine),
        "shares": [_told(side) for side in (new, old)],
        "stability": drifting.stability(new.posts[:, :-1].sum(axis=0), old.posts[:, :-1].sum(axis=0)),
        "compared": [figure.as_json() for figure in figures],
        "weeks": weeks,
    }


def _few_answers(cells: list[_Cell]) -> list[_Cell]:
    """Of many answers the most frequent stay; the others are one."""
    counted = Counter[str]()
    for cell in cells:
        counted[cell.answer] += cell.posts
    if len(counted) <= LISTED + 1:
        return cells
    kept = {answer for answer, _posts in counted.most_common(LISTED)} | {"undecided"}
    return [cell if cell.answer in kept else replace(cell, answer=OTHERS) for cell in cells]


def _days(cells: list[_Cell]) -> Days:
    answers = drifting.joined([*{cell.answer for cell in cells}])
    place = {answer: number for number, answer in enumerate(answers)}
    posts, chances = np.zeros((REFERENCE + RECENT, len(answers))), np.zeros(REFERENCE + RECENT)
    for cell in cells:
        if 0 <= cell.day < len(posts):
            posts[cell.day, place[cell.answer]] += cell.posts
            chances[cell.day] += cell.chances
    return Days(answers, posts, chances)


def _part(days: Days, start: int, end: int) -> Days:
    return Days(days.answers, days.posts[start:end], days.chances[start:end])


def _told(days: Days) -> Mapping[str, float]:
    total = max(float(days.posts.sum()), 1.0)
    return dict(zip(days.answers, (days.posts.sum(axis=0) / total).round(4).tolist(), strict=True))


def _labels(
    workspace: Workspace, task: str, version: str, since: datetime, middle: datetime, until: datetime
) -> tuple[Labelled, Labelled]:
    """Labels drawn by lot of posts of both spans that this version had answered: how many it had right."""
    low, border, high = (int(moment.timestamp()) << HASH_BITS for moment in (since, middle, until))
    held = Label.objects.filter(
        workspace=workspace, task=task, drawn=True, ended_at=None, post_id__gte=low, post_id__lt=high
    ).exclude(answer="undecided")
    counted = {True: [0, 0], False: [0, 0]}
    for post, model, answer, value in held.values_list("post_id", "model", "answer", "value"):
        if answer and version_of(model, task) == version:
            counted[post >= border][0] += answer == value
            counted[post >= border][1] += 1
    return Labelled(*counted[True]), Labelled(*counted[False])
