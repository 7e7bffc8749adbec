"""Training on labels: a process of its own fits, this one reads the posts and keeps what came of it.

The process has one thread of arithmetic, stands back behind everything else, and is killed when the job is stopped.
"""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from talkworthy.analysis.registry import model
from talkworthy.analysis.scoring import FEATURES
from talkworthy.archive.durable import write_durably
from talkworthy.learning.models import Label, TrainedModel
from talkworthy.learning.stores import file_of, models_folder
from talkworthy.listening.models import Job
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Workspace

PIECE = 2_000
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

Progress = Callable[[int, int | None], None]


class NotTrained(RuntimeError):
    """The training came to nothing; the message says why, for whoever waits."""


def work(job: Job, told: Progress) -> Mapping[str, Any]:
    """Train, compare, and keep the model beside the others; nothing answers differently until it is activated."""
    task = job.request["task"]
    rows = labelled(job.workspace, task)
    told(0, None)
    with TemporaryDirectory() as folder:
        found = _fitted(task, rows, Path(folder) / "model.npz", told)
        content = (Path(folder) / "model.npz").read_bytes()
    trained = _kept(job, task, found, content, rows)
    return {"task": task, "number": trained.number, "labels": len(rows), "verdict": found["comparison"]["verdict"]}


def labelled(workspace: Workspace, task: str) -> list[tuple[str, str, bool]]:
    """The labels of a task with the words of their posts, the oldest first; posts that are gone are left out."""
    archive = archive_of(workspace)
    labels = list(Label.objects.filter(workspace=workspace, task=task, ended_at=None).order_by("at", "pk"))
    rows = []
    for start in range(0, len(labels), PIECE):
        piece = labels[start : start + PIECE]
        posts = archive.named([label.uid for label in piece]).select(["uid", "title", "text"]).to_pylist()
        texts = {
            post["uid"]: f"{post['title']}\n{post['text'] or ''}" if post["title"] else post["text"] for post in posts
        }
        held = [(texts.get(label.uid) or label.text, label) for label in piece]
        rows += [(text, label.value, label.drawn) for text, label in held if text]
    return rows


def _fitted(task: str, rows: list[tuple[str, str, bool]], target: Path, told: Progress) -> dict[str, Any]:
    """What the process says, told of each step; it is killed where `told` raises."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "talkworthy.learning.fitting", str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **_ONE_THREAD},
    )
    try:
        given, back = process.stdin, process.stdout
        if given is None or back is None:
            raise NotTrained("no pipe")
        with suppress(BrokenPipeError):
            given.write(json.dumps({"task": task, "labels": rows}).encode())
            given.close()
        for line in back:
            said: dict[str, Any] = json.loads(line)
            if "done" in said:
                told(said["done"], said["total"])
            elif "few" in said:
                raise NotTrained(
                    _("There are %(found)s labels to learn from; at least %(needed)s are needed.") % said["few"]
                )
            else:
                return said
        raise NotTrained(f"the process ended with status {process.wait()}")
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def _kept(
    job: Job, task: str, found: Mapping[str, Any], content: bytes, rows: list[tuple[str, str, bool]]
) -> TrainedModel:
    workspace, now = job.workspace, timezone.now()
    models_folder(workspace).mkdir(parents=True, exist_ok=True)
    with transaction.atomic():
        Workspace.objects.select_for_update().filter(pk=workspace.pk).values_list("pk").first()
        newest = TrainedModel.objects.filter(workspace=workspace, task=task).aggregate(newest=Max("number"))["newest"]
        trained = TrainedModel.objects.create(
            workspace=workspace,
            task=task,
            number=(newest or 0) + 1,
            sha256=hashlib.sha256(content).hexdigest(),
            size=len(content),
            features=model(FEATURES).sha256,
            thresholds=found["thresholds"],
            comparison=found["comparison"],
            labels=len(rows),
            drawn=sum(drawn for _text, _value, drawn in rows),
            by=job.by,
            at=now,
        )
        write_durably(file_of(trained), content)
        note_change(workspace, verb="train", thing=trained, by=job.by, now=now, after={"labels": len(rows)})
    return trained
