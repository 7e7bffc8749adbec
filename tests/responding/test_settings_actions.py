"""What an administrator sets, who is here, and what others call."""

from datetime import timedelta

import pytest

from talkworthy.hooks.manager import call
from talkworthy.responding import actions
from talkworthy.responding.models import Draft, Drafter, Sender
from talkworthy.responding.situation import allowed_of
from talkworthy.workspaces.models import AuditEntry

from .conftest import NOW

pytestmark = pytest.mark.django_db


def test_an_outcome_without_a_row_allows_what_the_playbook_says_but_never_to_send(workspace):
    levels = [allowed_of(workspace, name).level for name in ("thank", "support", "escalate_crisis", "never heard of")]
    assert levels == ["draft", "suggest", "observe", "observe"]


@pytest.mark.parametrize("outcome", ["escalate_crisis", "respond_current_only"])
def test_what_may_be_a_crisis_is_never_answered_by_a_machine(workspace, alice, outcome):
    with pytest.raises(actions.Refused):
        actions.set_autonomy(workspace, outcome=outcome, level="send", by=alice, now=NOW)


def test_a_level_is_set_and_written_into_the_trail(workspace, alice):
    actions.set_autonomy(workspace, outcome="thank", level="send", cap_hour=5, by=alice, now=NOW)
    assert allowed_of(workspace, "thank").cap_hour == 5
    assert AuditEntry.objects.get(noun="autonomy").after["level"] == "send"


@pytest.mark.parametrize("change", [{"condition": {"visbility": ["public"]}}, {"count": 0}])
def test_a_rule_that_would_not_hold_is_refused(workspace, alice, change):
    values = {"name": "x", "condition": {}, "team": None, "count": 1, "by_another": True, "enabled": True} | change
    with pytest.raises(actions.Refused):
        actions.save_approval_rule(workspace, **values, by=alice, now=NOW)


def test_an_account_without_credentials_is_not_turned_on(source, alice):
    type(source).objects.update(secrets=b"")
    source.refresh_from_db()
    with pytest.raises(actions.Refused, match="lacks"):
        actions.turn_sender(source, on=True, by=alice, now=NOW)
    actions.turn_sender(source, on=False, by=alice, now=NOW)
    assert not Sender.objects.get().enabled


def test_the_token_of_the_drafter_is_kept_sealed_and_out_of_the_trail(workspace, alice):
    values = {"url": "https://api.example/v1", "model": "m", "instructions": "", "enabled": True}
    actions.save_drafter(workspace, **values, token="hush-hush", by=alice, now=NOW)
    actions.save_drafter(workspace, **values, token=None, by=alice, now=NOW)
    assert b"hush" not in bytes(Drafter.objects.get().secret) and Drafter.objects.get().secret
    assert "hush" not in str(list(AuditEntry.objects.values_list("before", "after")))


def test_a_stop_needs_a_reason(workspace, people):
    with pytest.raises(actions.Refused):
        actions.stop_sending(workspace, why=" ", machines_only=False, by=people["frank"], now=NOW)


def test_two_people_in_a_case_see_each_other_until_one_is_gone(case, people):
    actions.note_presence(case, member=people["frank"], is_writing=True, now=NOW)
    actions.note_presence(case, member=people["gina"], is_writing=False, now=NOW)
    (seen,) = actions.others_here(case, viewer=people["gina"], now=NOW)
    assert seen.member == people["frank"] and seen.is_writing
    assert actions.others_here(case, viewer=people["gina"], now=NOW + timedelta(minutes=1)) == []


def test_somebody_s_data_is_exported_and_forgotten_with_what_was_answered(draft, workspace):
    authors = [("letterbox", "zoe")]
    exported = call("data_exported", workspace=workspace, uids=["letterbox::q"], authors=authors)
    assert [row["text"] for one in exported for row in one.get("drafts", [])] == ["You are welcome"]
    call("data_forgotten", workspace=workspace, uids=["letterbox::other"], authors=authors, now=NOW)
    assert Draft.objects.exists()
    call("data_forgotten", workspace=workspace, uids=["letterbox::q"], authors=authors, now=NOW)
    assert not Draft.objects.exists()


def test_open_drafts_pass_to_the_heir(draft, people):
    call("member_removed", member=people["frank"], heir=people["gina"])
    draft.refresh_from_db()
    assert draft.by == people["gina"]


def test_the_worker_s_tick_delivers(draft, people, channel):
    actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    call("work_due", now=NOW + timedelta(seconds=11))
    assert channel.texts == ["You are welcome"]
