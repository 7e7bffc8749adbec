"""Which touchpoints posts belong to: by the monitors that carry their queries, and by examples."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from talkworthy.ecosystem.models import Touchpoint
from talkworthy.hooks.manager import call
from talkworthy.listening.models import Monitor
from talkworthy.listening.ties import learned_of, tied_to
from talkworthy.workspaces.models import Workspace


def slugs_of(workspace: Workspace) -> dict[int, str]:
    """The slug of the touchpoint that each monitor carries."""
    return dict(
        Monitor.objects.filter(workspace=workspace, deleted_at=None, touchpoint__deleted_at=None)
        .exclude(touchpoint=None)
        .values_list("pk", "touchpoint__slug")
    )


def monitors_of_touchpoint(touchpoint: Touchpoint) -> list[int]:
    """The monitor that carries a touchpoint's query, if there is one."""
    return list(Monitor.objects.filter(touchpoint=touchpoint, deleted_at=None).values_list("pk", flat=True))


def learned_ids(workspace: Workspace, posts: Sequence[int] | None = None) -> dict[str, list[int]]:
    """Ids of posts (of these, else of all) that belong to a touchpoint by examples, by its slug."""
    found: dict[str, list[int]] = {}
    for answer in call("touchpoints_learned", workspace=workspace, posts=posts):
        for slug, ids in answer.items():
            found.setdefault(slug, []).extend(ids)
    return found


def learned_of_monitor(monitor: Monitor) -> list[int]:
    """Ids of posts that belong to the touchpoint which a monitor carries by examples; none where it carries none."""
    if monitor.touchpoint is None:
        return []
    return learned_ids(monitor.workspace).get(monitor.touchpoint.slug, [])


@dataclass(frozen=True)
class Learned:
    """Why examples tie a post to a touchpoint: None where a person said so, and the posts that it is like."""

    probability: float | None
    nearest: Sequence[tuple[int, float, Sequence[str]]]


def reasons_learned(workspace: Workspace, post_id: int) -> dict[str, Learned]:
    """Why a post belongs to touchpoints by examples, by slug."""
    found: dict[str, Learned] = {}
    for answer in call("ties_explained", workspace=workspace, post_id=post_id):
        found |= {slug: Learned(*told) for slug, told in answer.items()}
    return found


def with_touchpoints(posts: pa.Table, workspace: Workspace) -> pa.Table:
    """Posts with the slugs of their touchpoints in a column `touchpoint`; they must have `id` and `monitors`."""
    return learned_of(tied_to(posts, slugs_of(workspace)), learned_ids(workspace))
