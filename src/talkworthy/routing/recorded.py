"""The desk that the recorded posts come with: one rule, the usual targets, and the cases that the rule makes."""

from datetime import datetime

from talkworthy.listening.filters import Filter
from talkworthy.listening.recorded import recorded_workspace
from talkworthy.listening.selectors.mentions import mentions
from talkworthy.routing.actions.rules import STARTER, create_rule, switch_rule
from talkworthy.routing.actions.teams import begin_targets
from talkworthy.routing.models import Arrival, Rule, Target
from talkworthy.workspaces.models import Member, Workspace


def fill_desk(workspace: Workspace, *, owner: Member, now: datetime) -> int:
    """Add the rule, and let the newest posts that it holds of wait for it; how many. Twice is once.

    They are older than what opens a case by itself (`joining.FRESH`), so they are brought here by name: what looks at
    them, decides, and opens the cases is what does so with every mention that arrives.
    """
    if Rule.objects.filter(workspace=workspace).exists():
        return 0
    if not Target.objects.filter(workspace=workspace).exists():
        begin_targets(workspace, by=owner.user, now=now)
    described = recorded_workspace()["desk"]
    rule = create_rule(
        workspace,
        name=described["rule"],
        condition=described["condition"].strip(),
        effects=STARTER["effects"],
        by=owner.user,
        now=now,
    )
    switch_rule(rule, on=True, by=owner.user, now=now)
    found = mentions(Filter(words=rule.condition), viewer=owner, period=None, now=now, limit=described["cases"]).posts
    Arrival.objects.bulk_create(
        [Arrival(workspace=workspace, uid=post["uid"], post_id=post["id"], at=now, due_at=now) for post in found]
    )
    return len(found)
