"""Verbs that try rules and a playbook on history, in the background."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from talkworthy.listening.models import Job
from talkworthy.listening.selectors import series
from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.models import PlaybookVersion, Rule
from talkworthy.routing.replaying import asked
from talkworthy.workspaces.models import Member


def start_replay(
    tried: Sequence[Rule], version: PlaybookVersion | None, *, days: int, by: Member, now: datetime
) -> Job:
    """What these rules, saved or not, and this version (None: the one that is followed) would have made of history."""
    until = series.standing_now(viewer=by, now=now)
    followed = version or playbook_of(by.workspace, now=now).active
    return Job.objects.create(
        workspace=by.workspace,
        kind=Job.Kind.REPLAY,
        by=by.user,
        request=asked(tried, followed, until - timedelta(days=days), until),
        unit="mentions",
        created_at=now,
    )


def rules_on(workspace: int) -> list[Rule]:
    """The rules that are on, in their order."""
    return list(Rule.objects.filter(workspace=workspace, deleted_at=None, enabled=True))


def rules_with(workspace: int, tried: Rule, replaced: Rule | None) -> list[Rule]:
    """The rules that are on, with the one that is tried in its place, or at the end."""
    held = Rule.objects.filter(workspace=workspace, deleted_at=None)
    found = [
        tried if replaced and rule.pk == replaced.pk else rule for rule in held if rule.enabled or rule == replaced
    ]
    return found if replaced else [*found, tried]


def drafted(*, name: str, condition: str, effects: list[dict[str, object]], stops: bool, replaced: Rule | None) -> Rule:
    """A rule that is not saved, to be tried; a negative number tells it from those that are."""
    return Rule(
        pk=-replaced.pk if replaced else -1,
        name=name,
        condition=condition,
        effects=effects,
        stops=stops,
        version=replaced.version if replaced else 1,
    )
