"""What becomes of rules and monitors whose owner leaves."""

import pytest
from django.utils import timezone

from talkworthy.listening.models import Alert, AlertRule, Monitor
from talkworthy.workspaces.actions import remove_member
from talkworthy.workspaces.models import Member

pytestmark = pytest.mark.django_db


def test_a_rule_does_not_fall_silent_with_the_person_who_leaves(workspace, alice, bob, carol):
    leaving = Member.objects.get(user=bob)
    rule = AlertRule.objects.create(workspace=workspace, kind="empty", owner=leaving)
    Alert.objects.create(workspace=workspace, rule=rule, period="a")
    monitor = Monitor.objects.create(workspace=workspace, name="Acme", query="acme", owner=leaving)
    theirs = AlertRule.objects.create(workspace=workspace, kind="silent", owner=Member.objects.get(user=carol))
    remove_member(leaving, by=alice, now=timezone.now())
    rule.refresh_from_db()
    monitor.refresh_from_db()
    theirs.refresh_from_db()
    assert rule.owner.user == monitor.owner.user == alice and theirs.owner.user == carol
    assert Alert.objects.count() == 1
