"""What becomes of monitors and alert rules when their owner leaves the workspace."""

from typing import Any

from django.dispatch import receiver

from talkworthy.hooks.manager import call
from talkworthy.listening.models import AlertRule, Monitor
from talkworthy.workspaces.actions import member_leaves
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Role


@receiver(member_leaves)
def hand_over(sender: object, member: Member, **kwargs: Any) -> None:
    """Give them to the administrator who has been there longest: a rule must not fall silent with a person."""
    administrators = Member.objects.filter(workspace=member.workspace_id, role=Role.ADMINISTRATOR.value)
    heir = administrators.exclude(pk=member.pk).order_by("pk").first()
    call("member_removed", member=member, heir=heir)
    if heir is not None:
        AlertRule.objects.filter(owner=member).update(owner=heir)
        Monitor.objects.filter(owner=member).update(owner=heir)
