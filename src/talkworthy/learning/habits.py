"""What the sources of a workspace usually speak, learned from long posts of their words alone, once a day."""

import time
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction
from django.db.models import Q

from talkworthy.analysis.language import detector
from talkworthy.archive import Scan
from talkworthy.learning.models import SpokenLanguages
from talkworthy.learning.newest import first_of_days
from talkworthy.listening.models import Source
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Workspace

NEWEST = 5_000
SURE, LONG = 0.6, 80
"""Posts that tell: of so many letters, and so probable by their words alone. They are read anew, without what was known
beforehand, so that a habit does not learn from itself."""
LEAST_POSTS = 100
SELDOM = 0.01
MOVED = 0.05
"""The part of a source's posts that must be of other languages than before for the habit to be another."""
A_DAY, PAUSE = timedelta(days=1), 300.0
COLUMNS = ("source", "text")

Told = Mapping[str, Mapping[str, Any]]

_asked: dict[str, float] = {}


def look_at_habits(*, now: datetime) -> int:
    """Look at one workspace that was not looked at for a day; 0 where there is none, which is asked seldom."""
    moment = time.monotonic()
    if moment - _asked.get("at", -PAUSE) < PAUSE:
        return 0
    fresh = SpokenLanguages.objects.filter(looked_at__gt=now - A_DAY).values("workspace")
    heard = Q(pk__in=Source.objects.values("workspace"))
    workspace = Workspace.objects.filter(heard).exclude(pk__in=fresh).order_by("pk").first()
    if workspace is None:
        _asked["at"] = moment
        return 0
    learn_habits(workspace, now=now)
    return 1


def learn_habits(workspace: Workspace, *, now: datetime) -> None:
    """Keep what the sources of the newest posts speak, under another number where that moved."""
    archive = archive_of(workspace)
    scan = Scan(columns=COLUMNS, since=first_of_days(archive, now=now), until=now, limit=NEWEST)
    told = spoken_in(archive.table(scan))
    with transaction.atomic():
        row, _created = SpokenLanguages.objects.select_for_update().get_or_create(workspace=workspace)
        row.looked_at = now
        if is_other(row.sources, told):
            row.sources, row.number = told, row.number + 1
        row.save()


def spoken_in(posts: pa.Table) -> dict[str, dict[str, Any]]:
    """By source, from how many posts it was told, and the share of each language, the most frequent first."""
    known = posts.filter(pc.fill_null(pc.greater_equal(pc.utf8_length(posts["text"]), LONG), False))
    read = detector().best(known["text"].to_pylist(), sure=SURE)
    spoken = Counter(
        (source, language)
        for source, (language, _chance, is_sure) in zip(known["source"].to_pylist(), read, strict=True)
        if is_sure
    )
    many: dict[str, int] = {}
    for (source, _language), count in spoken.items():
        many[source] = many.get(source, 0) + count
    found: dict[str, dict[str, Any]] = {}
    for (source, language), count in sorted(spoken.items(), key=lambda one: (-one[1], one[0])):
        share = count / many[source]
        if source and many[source] >= LEAST_POSTS and share >= SELDOM:
            held = found.setdefault(source, {"posts": many[source], "shares": {}})
            held["shares"][language] = round(share, 3)
    return found


def is_other(before: Told, after: Told) -> bool:
    """Whether a source came or went, or speaks other languages in so many of its posts."""
    return before.keys() != after.keys() or any(_apart(before[name], after[name]) >= MOVED for name in after)


def _apart(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    names = one["shares"].keys() | other["shares"].keys()
    return float(sum(abs(one["shares"].get(name, 0) - other["shares"].get(name, 0)) for name in names)) / 2


def habits_of(workspace: Workspace) -> SpokenLanguages | None:
    """What answers: None where nothing is known, or that is switched off."""
    return SpokenLanguages.objects.filter(workspace=workspace, answers=True).exclude(sources={}).first()
