"""Labels from a file: each row names a post or brings its words, a task, and what is right.

What cannot be taken is set aside with its line and reason. A row never takes the place of what was said here before.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from talkworthy.analysis.training.adapting import answers_of
from talkworthy.learning.actions import SURE, TRAINABLE
from talkworthy.learning.models import Label
from talkworthy.learning.noting import said_of
from talkworthy.listening.models import Job
from talkworthy.listening.stores import archive_of
from talkworthy.listening.streams import opened
from talkworthy.query.languages import LANGUAGES
from talkworthy.schema.formats.csv import sniff_delimiter

FORMATS = {".csv": "csv", ".tsv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
PARTS = ("uid", "text", "task", "label")
GUESSES = {
    "uid": ("uid", "id", "post"),
    "text": ("text", "content", "message", "comment", "body"),
    "task": ("task", "annotation"),
    "label": ("label", "value", "answer", "sentiment", "intent"),
}
SHORT = {"pos": "positive", "neu": "neutral", "neg": "negative", "language": "detected_language"}
AT_ONCE = 500
LISTED = 100
LONGEST = 20_000

Progress = Callable[[int, int | None], None]
Row = Mapping[str, Any]


class Unreadable(ValueError):
    """The file cannot be read; the message says where."""


def format_of(name: str) -> str:
    """The format that the name of a file says; ValueError where it says none."""
    ending = Path(name.lower().removesuffix(".gz")).suffix
    if ending not in FORMATS:
        raise ValueError(f"{ending or name} is none of {', '.join(FORMATS)}")
    return FORMATS[ending]


def columns_in(path: Path, format: str) -> list[tuple[str, str]]:
    """The columns of a file, each with the first value that stands in it."""
    found: dict[str, str] = {}
    for _line, row in islice(rows_in(path, format), 20):
        for name, value in row.items():
            if not found.get(name):
                found[name] = "" if value is None else str(value)[:60]
    return list(found.items())


def guessed(columns: Sequence[str]) -> dict[str, str]:
    """Which column is what, by its name."""
    by_name = {name.strip().lower(): name for name in columns}
    found: dict[str, str] = {}
    for part, names in GUESSES.items():
        name = next((by_name[one] for one in names if one in by_name and by_name[one] not in found.values()), None)
        if name is not None:
            found[part] = name
    return found


def rows_in(path: Path, format: str) -> Iterator[tuple[int, Row]]:
    """The rows of a file with their line, or their number in Parquet. Raises Unreadable."""
    try:
        if format == "parquet":
            with opened(path) as (packed, _head):
                table = pq.ParquetFile(pa.BufferReader(packed.read()))
            number = 0
            for batch in table.iter_batches(AT_ONCE):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
            return
        with opened(path) as (packed, _head):
            text = io.TextIOWrapper(packed, "utf-8-sig", errors="replace", newline="")
            yield from _csv_rows(text) if format == "csv" else _json_rows(text)
    except (OSError, EOFError, pa.ArrowInvalid, csv.Error) as error:
        raise Unreadable(str(error)) from error


def _csv_rows(text: io.TextIOWrapper) -> Iterator[tuple[int, Row]]:
    head = text.readline()
    names = next(csv.reader([head], delimiter=(mark := sniff_delimiter(head))), [])
    reader = csv.reader(text, delimiter=mark)
    for row in reader:
        if row:
            yield reader.line_num + 1, dict(zip((name.strip() for name in names), row, strict=False))


def _json_rows(text: Iterable[str]) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(text, start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            yield number, row if isinstance(row, dict) else {}


def work(job: Job, told: Progress) -> Mapping[str, Any]:
    """Take the labels of a file, on from the row where an earlier process ended."""
    request = job.request
    path = Path(request["path"])
    rows = islice(rows_in(path, request["format"]), request.get("rows", 0), None)
    while piece := list(islice(rows, AT_ONCE)):
        told(job.request.get("rows", 0), None)
        with transaction.atomic():
            _take(job, piece)
    found = job.request
    told(found.get("rows", 0), found.get("rows", 0))
    path.unlink(missing_ok=True)
    counts = {name: found.get(name, 0) for name in ("rows", "labels", "same", "posts", "fault_count")}
    return {**counts, "faults": found.get("faults", [])}


def _take(job: Job, piece: Sequence[tuple[int, Row]]) -> None:
    """Keep the labels of some rows, with how far it is, in one transaction."""
    request = job.request
    read = [(line, *_read(row, request["mapping"])) for line, row in piece]
    uids = [uid for _line, uid, _text, _task, _label in read if uid]
    posts = {row["uid"]: row for row in archive_of(job.workspace).named(uids).to_pylist()} if uids else {}
    keys = [uid or key_of(text) for _line, uid, text, _task, _label in read]
    live = Label.objects.select_for_update().filter(workspace=job.workspace, uid__in=keys, ended_at=None)
    held = {(label.task, label.uid): label.value for label in live}
    made: list[Label] = []
    faults: list[str] = []
    same = 0
    for (line, uid, text, task, value), key in zip(read, keys, strict=True):
        post = posts.get(uid)
        fault = _fault(uid, text, task, value, post, held.get((task, key)))
        if fault:
            faults.append(_("line %(line)s: %(fault)s") % {"line": line, "fault": fault})
        elif held.get((task, key)) == value:
            same += 1
        else:
            held[task, key] = value
            made.append(_label(job, key, text, task, value, post))
    Label.objects.bulk_create(made)
    job.request = {
        **request,
        "rows": request.get("rows", 0) + len(piece),
        "labels": request.get("labels", 0) + len(made),
        "posts": request.get("posts", 0) + sum(bool(label.post_id) for label in made),
        "same": request.get("same", 0) + same,
        "fault_count": request.get("fault_count", 0) + len(faults),
        "faults": [*request.get("faults", ()), *faults][:LISTED],
    }
    Job.objects.filter(pk=job.pk).update(request=job.request)


def key_of(text: str) -> str:
    """What stands for the uid of words that no post here has."""
    return f"text:{hashlib.sha256(' '.join(text.split()).lower().encode()).hexdigest()[:32]}"


def _read(row: Row, mapping: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Uid, text, task and label of a row; a mapping to `=word` is that word in every row."""
    found = []
    for part in PARTS:
        named = mapping.get(part, "")
        value = named[1:] if named.startswith("=") else row.get(named)
        found.append("" if value is None else str(value).strip())
    uid, text, task, label = found
    task, label = SHORT.get(task.lower(), task.lower()), label if task.lower() == "urgency" else label.lower()
    return uid, text[:LONGEST], task, SHORT.get(label, label)


def _fault(uid: str, text: str, task: str, value: str, post: Row | None, held: str | None) -> str:
    """Why a row cannot be taken; empty where it can."""
    if not uid and not text:
        return _("it names no post and brings no text")
    if task not in SURE:
        return _("“%(task)s” is none of: %(tasks)s") % {"task": task[:40], "tasks": ", ".join(SURE)}
    allowed = answers_of(task) if task in TRAINABLE else LANGUAGES
    if value not in allowed:
        return _("“%(label)s” is no answer of %(task)s") % {"label": value[:40], "task": task}
    if post is None and not text:
        return _("the post %(uid)s is not here, and the row has no text") % {"uid": uid[:120]}
    if held is not None and held != value:
        return _("somebody said “%(held)s” here before, which stays") % {"held": held}
    return ""


def _label(job: Job, key: str, text: str, task: str, value: str, post: Row | None) -> Label:
    told = said_of(post, task) if post is not None else {}
    return Label(
        workspace=job.workspace,
        uid=key,
        post_id=post["id"] if post is not None else 0,
        task=task,
        value=value,
        kind=Label.Kind.IMPORT,
        drawn=job.request["drawn"],
        language=((post or {}).get("detected_language") or "")[:12],
        channel=((post or {}).get("channel") or "")[:40],
        brought_by=job.pk,
        text="" if post is not None else text,
        by=job.by,
        at=timezone.now(),
        **told,
    )
