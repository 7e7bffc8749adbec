"""Open deadlines follow what is promised: said before a change is saved, and done in the background once it is.

A piece of cases and how far the work has come are written in one transaction: a worker that dies leaves no case
behind, and takes none twice.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, Q

from talkworthy.routing.clocks import Promises, moves_by, set_clocks, times_of
from talkworthy.routing.models import Case, CaseChange, Reckoning
from talkworthy.routing.states import LIVE
from talkworthy.states.claims import claimed
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Team, User, Workspace

PIECE = 100
LOOKED_AT = 1_000
"""So many cases are looked at before a change is saved; of more it is said that they were not."""


@dataclass(frozen=True)
class Ahead:
    """What a change would do to open deadlines: of `looked` cases so many would move; `concerned` follow it in all."""

    moved: int = 0
    looked: int = 0
    concerned: int = 0
    sure: str = ""
    """What whoever saves it all the same sends back."""

    @property
    def is_all(self) -> bool:
        """Whether every case that follows it was looked at."""
        return self.looked == self.concerned


def ahead_of(workspace: Workspace, save: Callable[[], object], *, now: datetime) -> Ahead:
    """What saving would do to open deadlines: it is saved, read, and taken back. Raises what `save` raises."""
    teams = {team.pk: team for team in Team.objects.filter(workspace=workspace)}
    groups = {
        (row["team"], row["priority"]): row["n"]
        for row in Case.objects.filter(workspace=workspace, state__in=LIVE)
        .order_by()
        .values("team", "priority")
        .annotate(n=Count("pk"))
    }
    held = _promised(workspace, groups, teams, now)
    with transaction.atomic():
        save()
        after = _promised(workspace, groups, teams, now)
        transaction.set_rollback(True)
    differing = [
        group for group in groups if held.of(teams.get(group[0]), group[1]) != after.of(teams.get(group[0]), group[1])
    ]
    if not differing:
        return Ahead()
    follow = Q()
    for team, priority in differing:
        follow |= Q(team=team, priority=priority)
    rows = Case.objects.filter(follow, workspace=workspace, state__in=LIVE).select_related("team").order_by("-pk")
    cases = list(rows[:LOOKED_AT])
    moved = sum(moves_by(case, after) for case in cases)
    return Ahead(moved, len(cases), sum(groups[group] for group in differing))


def _promised(
    workspace: Workspace, groups: dict[tuple[Any, str], int], teams: dict[int, Team], now: datetime
) -> Promises:
    """What is promised to the cases that there are, read at once."""
    found = Promises(workspace.pk, now)
    for team, priority in groups:
        found.of(teams.get(team), priority)
    return found


def begin_reckoning(workspace: Workspace, *, why: str, by: User | None, now: datetime) -> None:
    """Let open deadlines follow, from the next tick of a worker on; in the caller's transaction."""
    if Case.objects.filter(workspace=workspace, state__in=LIVE).exists():
        Reckoning.objects.create(workspace=workspace, why=why, by=by, at=now)


def reckon_due(*, now: datetime) -> int:
    """Take a piece of each open reckoning; returns how many pieces were done."""
    done = 0
    for reckoning in claimed(Reckoning.objects.filter(done_at=None), now=now, most=5):
        with transaction.atomic():
            _piece(Reckoning.objects.select_for_update().get(pk=reckoning.pk), now=now)
        done += 1
    return done


def _piece(reckoning: Reckoning, *, now: datetime) -> None:
    """The next cases by their number, then the place that was reached; at the end the line in the trail."""
    if reckoning.done_at is not None:
        return
    promises = Promises(reckoning.workspace_id, now)
    rows = Case.objects.filter(workspace=reckoning.workspace_id, state__in=LIVE, pk__gt=reckoning.reached)
    cases = list(rows.select_for_update(of=("self",)).select_related("team", "workspace").order_by("pk")[:PIECE])
    for case in cases:
        reckoning.moved += _follow(case, reckoning, promises, now=now)
        reckoning.reached = case.pk
    reckoning.looked += len(cases)
    reckoning.claimed_until = None
    if len(cases) < PIECE:
        reckoning.done_at = now
        note_change(
            reckoning.workspace,
            verb="reckon",
            thing=reckoning,
            by=reckoning.by,
            now=now,
            after={"cases": reckoning.looked, "moved": reckoning.moved},
            why=reckoning.why,
        )
    reckoning.save()


def _follow(case: Case, reckoning: Reckoning, promises: Promises, *, now: datetime) -> bool:
    """Bring one case in step; says whether a deadline of it moved."""
    before = times_of(case)
    set_clocks(case, now=now, promises=promises, keeps_rung=True)
    after = times_of(case)
    moved = [kind for kind in before if before[kind] != after[kind]]
    if not moved:
        return False
    old, new = ({kind: at.isoformat() for kind in moved if (at := times[kind])} for times in (before, after))
    CaseChange.objects.create(case=case, what="deadlines", old=old, new=new, by=reckoning.by, why=reckoning.why, at=now)
    names = ("first_answer_due_at", "next_answer_due_at", "resolution_due_at", "due_at")
    changed = {name: getattr(case, name) for name in names}
    Case.objects.filter(pk=case.pk).update(**changed)  # no new version: who works on it need not look again
    return True
