"""Drafts: who may do what with them, and what never overwrites what."""

from datetime import timedelta

import pytest

from talkworthy.notifying.models import Notification
from talkworthy.responding import actions
from talkworthy.responding.models import ApprovalRule, Draft
from talkworthy.routing.models import Conversation
from talkworthy.workspaces.models import AuditEntry

from .conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def rule(workspace):
    return ApprovalRule.objects.create(workspace=workspace, name="Public answers", condition={"visibility": ["public"]})


def test_a_draft_answers_the_last_message_from_the_account_that_may(case, inward, people, source):
    inward()
    inward("letterbox::later", "One more thing", at=NOW)
    draft = actions.start_draft(case, by=people["frank"], now=NOW)
    assert (draft.in_reply_to, draft.source, draft.language) == ("letterbox::later", source, "en")


def test_what_was_said_in_private_is_answered_in_private(case, inward, people):
    inward(visibility="private")
    assert actions.start_draft(case, by=people["frank"], now=NOW).visibility == "private"


def test_a_second_save_of_the_same_version_overwrites_nothing(draft, people):
    actions.save_draft(draft, version=1, text="Frank's", by=people["frank"], now=NOW)
    with pytest.raises(actions.Stale) as caught:
        actions.save_draft(draft, version=1, text="Gina's", by=people["gina"], now=NOW)
    assert (caught.value.draft.text, caught.value.text) == ("Frank's", "Gina's")
    draft.refresh_from_db()
    assert draft.text == "Frank's" and draft.version == 2


def test_a_save_without_a_change_makes_no_version(draft, people):
    assert actions.save_draft(draft, version=1, text=draft.text, by=people["frank"], now=NOW).version == 1


def test_every_version_stays_readable(draft, people):
    actions.save_draft(draft, version=1, text="Second", by=people["gina"], now=NOW)
    kept = draft.versions.order_by("version").values_list("version", "text", "by__user__name")
    assert list(kept) == [(1, "You are welcome", "Frank"), (2, "Second", "Gina")]


def test_where_nobody_must_approve_it_is_approved_when_asked(draft, people):
    assert actions.ask_approval(draft, by=people["frank"], now=NOW).state == "approved"


def test_what_must_be_approved_cannot_be_sent_before(draft, rule, people):
    with pytest.raises(actions.Refused, match="approved first"):
        actions.send_draft(draft, version=1, by=people["frank"], now=NOW)


def test_asked_approved_and_sent(draft, rule, people):
    assert actions.ask_approval(draft, by=people["frank"], now=NOW).state == "asked"
    assert {row.member for row in Notification.objects.all()} == {people["erin"], people["alice"]}
    assert actions.approve_draft(draft, version=1, by=people["erin"], now=NOW).state == "approved"
    actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    assert AuditEntry.objects.filter(verb="approve", by=people["erin"].user).exists()


@pytest.mark.parametrize("who", ["frank", "gina", "carol"])
def test_an_agent_and_a_viewer_do_not_approve(draft, rule, people, who):
    actions.ask_approval(draft, by=people["frank"], now=NOW)
    with pytest.raises(actions.Refused):
        actions.approve_draft(draft, version=1, by=people[who], now=NOW)


def test_nobody_approves_what_they_wrote_in(draft, rule, people):
    actions.save_draft(draft, version=1, text="Erin's words", by=people["erin"], now=NOW)
    actions.ask_approval(draft, by=people["frank"], now=NOW)
    with pytest.raises(actions.Refused):
        actions.approve_draft(draft, version=2, by=people["erin"], now=NOW)
    assert actions.approve_draft(draft, version=2, by=people["alice"], now=NOW).state == "approved"


def test_an_edit_after_the_approval_voids_it(draft, rule, people):
    actions.ask_approval(draft, by=people["frank"], now=NOW)
    actions.approve_draft(draft, version=1, by=people["erin"], now=NOW)
    assert actions.save_draft(draft, version=1, text="Other", by=people["frank"], now=NOW).state == "writing"
    with pytest.raises(actions.Refused):
        actions.send_draft(draft, version=2, by=people["frank"], now=NOW)


def test_an_approval_of_a_version_that_is_not_the_newest_is_refused(draft, rule, people):
    actions.ask_approval(draft, by=people["frank"], now=NOW)
    Draft.objects.update(version=2)
    with pytest.raises(actions.Stale):
        actions.approve_draft(draft, version=1, by=people["erin"], now=NOW)


def test_a_refusal_says_why_and_reaches_the_writer(draft, rule, people):
    actions.ask_approval(draft, by=people["frank"], now=NOW)
    with pytest.raises(actions.Refused, match="Say why"):
        actions.refuse_draft(draft, version=1, why=" ", by=people["erin"], now=NOW)
    assert actions.refuse_draft(draft, version=1, why="Too cold", by=people["erin"], now=NOW).state == "refused"
    assert Notification.objects.filter(kind="refused", member=people["frank"]).exists()


def test_a_schedule_lies_in_the_future(draft, people):
    with pytest.raises(actions.Refused):
        actions.schedule_draft(draft, version=1, send_at=NOW, by=people["frank"], now=NOW)
    actions.schedule_draft(draft, version=1, send_at=NOW + timedelta(days=1), by=people["frank"], now=NOW)
    draft.refresh_from_db()
    assert draft.state == "scheduled"


def test_it_is_sent_once_however_often_the_button_is_pressed(draft, people):
    actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    with pytest.raises(actions.Refused):
        actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    assert draft.deliveries.count() == 1


def test_a_dropped_draft_comes_back_and_an_empty_one_does_not_leave(draft, people):
    actions.drop_draft(draft, version=1, by=people["frank"], now=NOW)
    with pytest.raises(actions.Refused):
        actions.save_draft(draft, version=1, text="x", by=people["frank"], now=NOW)
    actions.restore_draft(draft, by=people["frank"], now=NOW)
    actions.save_draft(draft, version=1, text="  ", by=people["frank"], now=NOW)
    with pytest.raises(actions.Refused, match="nothing in it"):
        actions.send_draft(draft, version=2, by=people["frank"], now=NOW)


def test_files_are_those_that_the_channel_takes(draft, people, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    png = {"name": "a.png", "content_type": "image/png", "alt": "A router", "by": people["frank"], "now": NOW}
    with pytest.raises(actions.Refused, match="too large"):
        actions.attach_file(draft, body=b"x" * 1001, **png)
    with pytest.raises(actions.Refused, match="kind"):
        actions.attach_file(draft, body=b"x", **{**png, "content_type": "text/html"})
    actions.attach_file(draft, body=b"x", **png)
    actions.attach_file(draft, body=b"y", **png)
    with pytest.raises(actions.Refused, match="2 files"):
        actions.attach_file(draft, body=b"z", **png)
    draft.refresh_from_db()
    assert draft.version == 3


def test_without_an_account_that_answers_nothing_is_sent(draft, people):
    from talkworthy.responding.models import Sender

    Sender.objects.all().delete()
    with pytest.raises(actions.Refused, match="does not answer"):
        actions.send_draft(draft, version=1, by=people["frank"], now=NOW)


def test_a_case_without_a_message_cannot_be_answered(case, people):
    Conversation.objects.all().delete()
    with pytest.raises(actions.Refused):
        actions.start_draft(case, by=people["frank"], now=NOW)


def test_who_asks_twice_asks_once(draft, rule, people):
    for _click in range(2):
        assert actions.ask_approval(draft, by=people["frank"], now=NOW).state == "asked"
    assert Notification.objects.filter(kind="approval asked", member=people["erin"]).count() == 1


def test_what_was_refused_is_changed_before_it_is_asked_for_again(draft, rule, people):
    actions.ask_approval(draft, by=people["frank"], now=NOW)
    actions.refuse_draft(draft, version=1, why="Too short", by=people["erin"], now=NOW)
    with pytest.raises(actions.Refused, match="Change it first"):
        actions.ask_approval(draft, by=people["frank"], now=NOW)


def test_a_rule_that_is_made_after_an_approval_can_be_met(draft, people, workspace):
    actions.ask_approval(draft, by=people["frank"], now=NOW)
    ApprovalRule.objects.create(workspace=workspace, name="Everything")
    assert actions.ask_approval(draft, by=people["frank"], now=NOW).state == "asked"
    assert actions.approve_draft(draft, version=1, by=people["erin"], now=NOW).state == "approved"


def test_nobody_gives_up_what_they_have_not_read(draft, people):
    actions.save_draft(draft, version=1, text="Gina's", by=people["gina"], now=NOW)
    with pytest.raises(actions.Refused, match="newest version"):
        actions.drop_draft(draft, version=1, by=people["frank"], now=NOW)
    draft.refresh_from_db()
    assert draft.state == "writing"


def test_to_give_up_twice_is_to_give_up_once(draft, people):
    for _click in range(2):
        actions.drop_draft(draft, version=1, by=people["frank"], now=NOW)
    draft.refresh_from_db()
    assert draft.state == "dropped" and draft.changes.filter(new="dropped").count() == 1
