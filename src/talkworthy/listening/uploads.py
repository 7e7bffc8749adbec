"""Files that people send in, kept until their import has read them."""

import io
import secrets
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.utils.text import slugify

from talkworthy.listening.models import Job
from talkworthy.listening.streams import opened, whole
from talkworthy.schema.formats import suggest_mapping
from talkworthy.schema.formats.csv import head_of, sniff_delimiter
from talkworthy.workspaces.models import Workspace

COLUMNS = 200
"""Columns that are asked about; further ones are left out."""

EXAMPLES = 3
"""Cells of a column that are shown as examples."""

LOOKED_AT = 200_000
"""Bytes of a file of rows from which its columns are guessed."""


LEFT = timedelta(days=1)
"""How long a file is kept that no work will read: its columns were not named, or its import failed or was stopped."""


@dataclass(frozen=True)
class Column:
    """One column of a file of rows: its header, what stands in it, and what it probably is."""

    name: str
    examples: tuple[str, ...]
    guess: str


def keep_upload(workspace: Workspace, upload: "UploadedFile[Any]") -> str:
    """Store what was sent, durably and whole; returns the name under which `kept_upload` finds it. Raises OSError."""
    token = f"{secrets.token_hex(16)}{Path(upload.name or '').suffix.lower()[:12]}"
    path = kept_upload(workspace, token)
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        for piece in upload.chunks():
            file.write(piece)
    return token


def kept_upload(workspace: Workspace, token: str) -> Path:
    """Where an upload lies; the token is a bare file name."""
    return Path(settings.DATA) / "imports" / str(workspace.uid) / Path(token).name


def forget_uploads(workspace: Workspace, *, now: datetime) -> int:
    """Remove the files that were left and that no work waits for; returns how many."""
    is_open = Q(state__in=(Job.State.WAITING, Job.State.RUNNING))
    jobs = Job.objects.filter(workspace=workspace, request__has_key="path")
    awaited = {Path(path) for path in jobs.filter(is_open).values_list("request__path", flat=True)}
    ended = {Path(path) for path in jobs.filter(~is_open).values_list("request__path", flat=True)}
    left = [path for path in {*ended, *kept_upload(workspace, "any").parent.glob("*")} - awaited if path.is_file()]
    old = [path for path in left if path.stat().st_mtime < (now - LEFT).timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def columns_of(path: Path) -> list[Column]:
    """The columns of a file of rows with examples and guesses; none where it has no header.

    OSError or EOFError where it is packed and broken.
    """
    try:
        with opened(path) as (file, _head):
            head = file.read(LOOKED_AT)
    except zlib.error as error:
        raise EOFError(str(error)) from error
    delimiter = sniff_delimiter(head.decode("utf-8", "replace"))
    rows = head_of(io.BytesIO(head), delimiter=delimiter)
    if not rows:
        return []
    guessed = {
        name: target
        for target, name in suggest_mapping(rows[0][:COLUMNS], rows[1:], delimiter=delimiter).columns.items()
    }
    return [
        Column(name.strip(), _examples(rows[1:], place), guessed.get(name.strip(), ""))
        for place, name in enumerate(rows[0][:COLUMNS])
    ]


def origin_of(name: str) -> str:
    """A name for where the posts of a file come from, made of the file's: `Survey 2026.csv.gz`, survey-2026."""
    return slugify(name.lower().removesuffix(".gz").rpartition(".")[0])[:40]


def _examples(rows: Iterable[list[str]], place: int) -> tuple[str, ...]:
    cells = (row[place].strip() for row in rows if place < len(row))
    return tuple(dict.fromkeys(cell[:120] for cell in cells if cell))[:EXAMPLES]
