"""Where a workspace's posts lie, opened once a process."""

from functools import cache
from pathlib import Path
from uuid import UUID

from django.conf import settings

from talkworthy.archive import Archive, PayloadStore
from talkworthy.connectors.http import Http
from talkworthy.workspaces.models import Workspace


def archive_of(workspace: Workspace) -> Archive:
    """The archive of a workspace; threads may share it."""
    return _archive(folder_of(workspace), settings.CONFIGURATION.memory_mb)


def payloads_of(workspace: Workspace) -> PayloadStore:
    """The payloads of a workspace, without opening its archive."""
    return PayloadStore(folder_of(workspace) / "payloads")


def folder_of(workspace: Workspace) -> Path:
    """The folder that holds everything collected for a workspace."""
    return _folder(workspace.uid)


def http_for(workspace: Workspace) -> Http:
    """The door to the network, with the private hosts that administrators allow."""
    return Http(allow_hosts=frozenset([*settings.CONFIGURATION.allow_hosts, *workspace.allow_hosts]))


def _folder(uid: UUID) -> Path:
    return Path(settings.DATA) / "archive" / str(uid)


@cache
def _archive(folder: Path, megabytes: int) -> Archive:
    return Archive(folder, memory=f"{megabytes}MB")


def close_archives() -> None:
    """Give back what the opened archives hold; the next use opens them again."""
    _archive.cache_clear()
