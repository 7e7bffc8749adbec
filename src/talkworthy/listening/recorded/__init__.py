"""The recorded posts that a new installation begins with."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from talkworthy.listening import actions
from talkworthy.listening.collecting import Listener, source_key
from talkworthy.listening.models import Job, Source
from talkworthy.schema import POST
from talkworthy.workspaces.models import Member, Workspace

FOLDER = Path(__file__).parent
POSTS_A_PIECE = 4_000
KEY = "recorded"


def recorded_posts() -> pa.Table:
    """The posts, oldest first (schema POST)."""
    return pq.read_table(FOLDER / "posts.parquet").cast(POST)


def recorded_workspace() -> dict[str, Any]:
    """Name, time zone, source and monitors of the workspace around them."""
    described: dict[str, Any] = yaml.safe_load((FOLDER / "workspace.yaml").read_text(encoding="utf-8"))
    return described


def fill_workspace(workspace: Workspace, *, owner: Member, now: datetime) -> int:
    """Add the monitors and the posts; returns the number of posts. Twice is once."""
    described = recorded_workspace()
    for monitor in described["monitors"]:
        if not workspace.monitors.filter(name=monitor["name"]).exists():
            values = {name: monitor[name] for name in ("name", "kind", "colour")}
            actions.create_monitor(
                workspace, **values, query=monitor["query"].strip(), owner=owner, by=owner.user, now=now
            )
    Job.objects.filter(workspace=workspace, kind=Job.Kind.REMATCH, state=Job.State.WAITING).delete()
    actions.ensure_alert_rules(workspace, owner=owner)
    source, _created = Source.objects.get_or_create(
        workspace=workspace,
        key=f"{KEY}-{workspace.pk}",
        defaults={
            "connector": "files",
            "name": described["source"]["name"],
            "state": Source.State.PAUSED,
            "note": "Recorded posts, given to the public domain. Nothing new comes from here.",
        },
    )
    return _store(workspace, source, now=now)


def _store(workspace: Workspace, source: Source, *, now: datetime) -> int:
    listener, key, posts = Listener(workspace), source_key(source), recorded_posts()
    named = pa.array([key] * posts.num_rows, pa.string())
    collected = pa.array([now - timedelta(seconds=1)] * posts.num_rows, POST.field("collected_at").type)
    posts = posts.set_column(POST.get_field_index("source"), POST.field("source"), named)
    posts = posts.set_column(POST.get_field_index("collected_at"), POST.field("collected_at"), collected)
    for seq, start in enumerate(range(0, posts.num_rows, POSTS_A_PIECE), start=1):
        listener.archive.spool.write(key, seq, posts.slice(start, POSTS_A_PIECE).combine_chunks())
    return listener.store_pending(now=now).posts
