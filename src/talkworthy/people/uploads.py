"""Files of contacts that people send in, kept until they were read, and an hour at most."""

import secrets
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from talkworthy.workspaces.models import Workspace

KEPT = timedelta(hours=1)


def keep_contacts(workspace: Workspace, upload: "UploadedFile[Any]") -> str:
    """Store what was sent; returns the name under which `kept_contacts` finds it."""
    ending = ".vcf" if (upload.name or "").lower().endswith((".vcf", ".vcard")) else ".csv"
    token = f"{secrets.token_hex(16)}{ending}"
    path = kept_contacts(workspace, token)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for piece in upload.chunks():
            file.write(piece)
    return token


def forget_contacts(workspace: Workspace, *, now: datetime) -> int:
    """Remove the files that nobody went on with; returns how many."""
    left = [path for path in kept_contacts(workspace, "any").parent.glob("*") if path.is_file()]
    old = [path for path in left if path.stat().st_mtime < (now - KEPT).timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def kept_contacts(workspace: Workspace, token: str) -> Path:
    """Where a file lies; the token is a bare file name."""
    return Path(settings.DATA) / "contacts" / str(workspace.uid) / Path(token).name
