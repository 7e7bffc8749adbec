"""The accounts of an archive, counted and kept on the desk: who is heard how far."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from django.db import transaction
from django.db.models import Q

from talkworthy.analysis.influence import judged
from talkworthy.analysis.voices import POSTS, Gathering, Voices
from talkworthy.archive import Archive, Scan
from talkworthy.listening.models import Job, Source, Voice, VoicesCounted
from talkworthy.listening.replay import slices_of
from talkworthy.listening.stores import archive_of
from talkworthy.listening.ties import Influence, Ties
from talkworthy.listening.touchpoints import learned_ids, slugs_of
from talkworthy.listening.weighing import Weighed, weighed
from talkworthy.query import CompiledQuery
from talkworthy.workspaces.models import Workspace

A_DAY, AN_HOUR, SOON = timedelta(days=1), timedelta(hours=1), timedelta(minutes=10)
FEW_POSTS = 50_000
"""An archive up to so many posts is counted each hour that it grew, as it is done in seconds."""
AT_ONCE = 1_000
USUAL_FOLLOWERS = 300
"""Beside whom an account is judged while none of its channel was counted."""
OPEN = (Job.State.WAITING, Job.State.RUNNING)
_KEPT = (
    "handle", "name", "posts", "found", "people", "counts", "signs", "acts",
    "reach", "relevance", "credibility", "influence", "computed_at",
)  # fmt: skip


def count_voices(
    workspace: Workspace, archive: Archive, *, progress: Callable[[int, int], None], now: datetime
) -> Mapping[str, Any]:
    """Count every account from the archive and keep it; those that are not there any more go.

    Where somebody's data was erased meanwhile nothing is kept, as what was read may hold them: it is begun anew soon.
    """
    version = archive.posts.snapshot().version
    gathering, slices = Gathering(), list(slices_of(archive, None, None))
    for number, (since, until) in enumerate(slices):
        for batch in archive.scan(Scan(columns=POSTS, since=since, until=until, order=None)):
            gathering.add(batch)
        progress(number + 1, len(slices) + 1)
    voices = gathering.voices()
    found = weighed(voices)
    with transaction.atomic():
        if _was_erased(workspace, since=now):
            VoicesCounted.objects.filter(workspace=workspace).update(due_at=now)
            return {"posts": gathering.posts, "accounts": 0, "decided": 0, "put_off": True}
        _keep(workspace, voices, found, now=now)
        VoicesCounted.objects.update_or_create(
            workspace=workspace,
            defaults={
                "archive_version": version,
                "counted_at": now,
                "posts": gathering.posts,
                "accounts": len(voices),
                "unresolved": voices.unresolved,
                "usual": found.usual,
                "middles": found.middles,
            },
        )
    progress(len(slices) + 1, len(slices) + 1)
    decided = sum(value is not None for value in found.influence)
    return {"posts": gathering.posts, "accounts": len(voices), "decided": decided}


def begin_counting(*, now: datetime) -> int:
    """Begin a job for each workspace whose day has come and whose archive moved since it was counted."""
    for number in Source.objects.filter(workspace__voices_counted=None).values_list("workspace", flat=True).distinct():
        VoicesCounted.objects.get_or_create(workspace_id=number, defaults={"due_at": now})
    begun = 0
    for row in VoicesCounted.objects.filter(due_at__lte=now).select_related("workspace")[:20]:
        snapshot = archive_of(row.workspace).posts.snapshot()
        moved = snapshot.version != row.archive_version and archive_of(row.workspace).stats().rows > 0
        pause = SOON if not moved else AN_HOUR if row.posts < FEW_POSTS else A_DAY
        claimed = VoicesCounted.objects.filter(pk=row.pk, due_at=row.due_at).update(due_at=now + pause)
        running = Job.objects.filter(workspace=row.workspace, kind=Job.Kind.INFLUENCE, state__in=OPEN)
        if claimed and moved and not running.exists():
            Job.objects.create(workspace=row.workspace, kind=Job.Kind.INFLUENCE, created_at=now)
            begun += 1
    return begun


def forget_voices(workspace: Workspace, authors: Sequence[tuple[str, str]]) -> int:
    """Remove accounts; how many there were."""
    return sum(
        Voice.objects.filter(workspace=workspace, channel=channel, account=account).delete()[0]
        for channel, account in authors
    )


def influence_of(workspace: Workspace) -> Influence:
    """The influence of every account of which it is known."""
    rows = Voice.objects.filter(workspace=workspace, influence__isnull=False)
    return Influence.of(
        {
            (channel, account): value
            for channel, account, value in rows.values_list("channel", "account", "influence")
            if value is not None
        }
    )


@dataclass(frozen=True)
class Heard:
    """How far an account is heard, 0 to 100, None where it is not known; with the parts that led to it.

    Before it was counted it is judged by its followers alone, beside the middle account of its channel: 50 is as loud
    as that one, too.
    """

    influence: int | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    counted: bool = False


def heard_of(workspace: Workspace, posts: Sequence[Mapping[str, Any]]) -> list[Heard]:
    """How far who wrote each of the posts is heard: one statement a channel, whatever number of accounts there are."""
    asked: dict[str, set[str]] = {}
    keys = [(str(post["channel"]), account_of(post.get("author") or {})) for post in posts]
    for channel, account in keys:
        asked.setdefault(channel, set()).add(account)
    held: dict[tuple[str, str], Heard] = {}
    for channel, accounts in asked.items():
        rows = Voice.objects.filter(workspace=workspace, channel=channel, account__in=sorted(accounts))
        for voice in rows.only("channel", "account", "influence", "reach", "relevance", "credibility"):
            parts = {name: round(getattr(voice, name), 3) for name in ("reach", "relevance", "credibility")}
            held[channel, voice.account] = Heard(voice.influence, parts, counted=True)
    counted = VoicesCounted.objects.filter(workspace=workspace).first()
    middles = counted.middles if counted else {}
    return [
        known if (known := held.get(key)) is not None else _by_followers(post.get("author") or {}, middles.get(key[0]))
        for key, post in zip(keys, posts, strict=True)
    ]


def account_of(author: Mapping[str, Any]) -> str:
    """What an account is counted by: its id on the channel, its handle where the channel gives none."""
    return str(author.get("id") or author.get("handle") or "")


def _by_followers(author: Mapping[str, Any], middle: Mapping[str, float | None] | None) -> Heard:
    followers = author.get("followers")
    if followers is None or followers < 0:
        return Heard()
    beside = (middle or {}).get("follower_count")
    beside = USUAL_FOLLOWERS if beside is None else beside
    reach = judged({"follower_count": followers}, {"follower_count": beside}).probability
    return Heard(round(100 * reach), {"reach": round(reach, 3), "followers": float(followers)})


def ties_for(query: CompiledQuery | None, workspace: Workspace) -> Ties | None:
    """What a search must know to answer `touchpoint:` and `influence:`; None, and nothing is read, without them."""
    if query is None or not {"touchpoint", "influence"} & query.columns:
        return None
    asks_touchpoint = "touchpoint" in query.columns
    return Ties(
        slugs_of(workspace) if asks_touchpoint else None,
        learned_ids(workspace) if asks_touchpoint else {},
        influence_of(workspace) if "influence" in query.columns else None,
    )


def _was_erased(workspace: Workspace, *, since: datetime) -> bool:
    """Whether anybody's data was, or is just being erased."""
    erasures = Job.objects.filter(workspace=workspace, kind=Job.Kind.ERASURE)
    return erasures.filter(Q(state=Job.State.RUNNING) | Q(ended_at__gte=since)).exists()


def _keep(workspace: Workspace, voices: Voices, found: Weighed, *, now: datetime) -> None:
    rows = _rows(workspace, voices, found, now=now)
    while piece := list(islice(rows, AT_ONCE)):
        Voice.objects.bulk_create(
            piece,
            update_conflicts=True,
            unique_fields=("workspace", "channel", "account"),
            update_fields=_KEPT,
        )
    Voice.objects.filter(workspace=workspace).exclude(computed_at=now).delete()


def _rows(workspace: Workspace, voices: Voices, found: Weighed, *, now: datetime) -> Iterator[Voice]:
    for place in range(len(voices)):
        yield Voice(
            workspace=workspace,
            channel=voices.channels[place],
            account=voices.accounts[place],
            handle=voices.handles[place],
            name=voices.names[place],
            posts=int(voices.posts[place]),
            found=int(voices.found[place]),
            people=int(voices.people[place]),
            counts=found.counts[place],
            signs=[[sign.name, round(sign.points, 3), round(sign.value, 3)] for sign in found.signs[place]],
            acts=voices.acts.of(place),
            reach=float(found.reach[place]),
            relevance=found.relevance[place],
            credibility=found.credibility[place],
            influence=found.influence[place],
            computed_at=now,
        )
