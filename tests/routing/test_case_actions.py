"""What is done with a case, and the rows that it leaves."""

from datetime import timedelta

import pytest
from tests.conftest import NOW

from talkworthy.notifying.models import Notification
from talkworthy.routing import actions
from talkworthy.routing.actions import Refused, Stale
from talkworthy.routing.models import Case, CaseChange, CaseRole, Conversation, Target, Timer
from talkworthy.workspaces.models import Member, User, Workspace

LATER = NOW + timedelta(hours=1)


def member(user: User, workspace: Workspace) -> Member:
    """Who somebody is in a workspace."""
    return Member.objects.get(user=user, workspace=workspace)


def whats(case: Case) -> list[str]:
    """What happened with a case, in order."""
    return list(CaseChange.objects.filter(case=case).order_by("pk").values_list("what", flat=True))


def test_there_is_one_live_case_a_conversation(case: Case, conversation: Conversation) -> None:
    again, is_new = actions.open_case(conversation, title="Once more", by=None, now=LATER)
    assert (again, is_new) == (case, False)
    assert case.number == 2


def test_a_settled_conversation_may_get_a_new_case(case: Case, conversation: Conversation, alice: User) -> None:
    actions.resolve_case(case, outcome="support", by=alice, now=NOW)
    again, is_new = actions.open_case(conversation, title="Once more", by=None, now=LATER)
    assert is_new
    assert again.number == 3


@pytest.mark.usefixtures("agents")
def test_each_change_leaves_its_row_with_who_and_what(case: Case, alice: User, bob: User) -> None:
    actions.assign_case(case, owner=member(bob, case.workspace), by=alice, now=NOW, why="knows routers")
    row = CaseChange.objects.get(case=case, what="owner")
    assert (row.old, row.new, row.by, row.why) == (None, member(bob, case.workspace).pk, alice, "knows routers")


def test_two_who_tag_at_once_lose_no_tag(case: Case, alice: User, bob: User) -> None:
    seen = Case.objects.prefetch_related("tags").get(pk=case.pk)
    assert not seen.tags.all()
    actions.tag_case(case, add=["#Router"], by=alice, now=NOW)
    actions.tag_case(seen, add=["wifi"], by=bob, now=NOW)
    actions.tag_case(seen, take=["ROUTER"], add=["late"], by=bob, now=NOW)
    assert sorted(case.tags.values_list("tag", flat=True)) == ["late", "wifi"]
    assert not actions.tag_case(case, take=["wifi"], only_if=["wifi"], by=alice, now=NOW)
    assert case.tags.count() == 2


def test_the_history_cannot_be_changed(case: Case) -> None:
    row = CaseChange.objects.filter(case=case).first()
    assert row is not None
    row.what = "nothing"
    with pytest.raises(TypeError):
        row.save()


def test_a_second_save_that_has_not_seen_the_first_is_refused(case: Case, alice: User, bob: User) -> None:
    seen = case.version
    actions.set_priority(case, priority="risk", by=alice, now=NOW, version=seen)
    with pytest.raises(Stale) as refused:
        actions.set_priority(case, priority="low", by=bob, now=NOW, version=seen)
    assert refused.value.case.priority == "risk"
    assert [change.what for change in refused.value.changes] == ["priority"]


def test_what_changes_nothing_leaves_no_row(case: Case, alice: User) -> None:
    before = whats(case)
    actions.set_priority(case, priority=case.priority, by=alice, now=NOW)
    assert whats(case) == before


def test_a_state_that_no_way_leads_to_is_refused(case: Case, alice: User) -> None:
    closed = actions.set_state(case, state="closed", by=alice, now=NOW)
    with pytest.raises(Refused, match="can become: Open"):
        actions.set_state(closed, state="waiting", by=alice, now=NOW)


@pytest.mark.usefixtures("agents")
def test_who_gets_a_case_is_told_unless_they_took_it(case: Case, alice: User, bob: User, carol: User) -> None:
    actions.assign_case(case, owner=member(bob, case.workspace), by=alice, now=NOW)
    actions.take_case(case, member=member(carol, case.workspace), now=LATER)
    assert list(Notification.objects.values_list("member__user__email", flat=True)) == [bob.email]


def test_a_member_of_another_workspace_cannot_get_it(case: Case, alice: User, dan: User) -> None:
    with pytest.raises(Refused):
        actions.assign_case(case, owner=Member.objects.get(user=dan), by=alice, now=NOW)


def test_a_snooze_ends_by_itself_and_not_in_the_past(case: Case, alice: User) -> None:
    with pytest.raises(Refused, match="still to come"):
        actions.snooze_case(case, until=NOW, by=alice, now=NOW)
    snoozed = actions.snooze_case(case, until=LATER, by=alice, now=NOW)
    assert snoozed.state == "snoozed"
    assert Timer.objects.get(case=case, kind="snooze").due_at == LATER


def test_a_class_has_its_deadlines_and_another_class_moves_them(case: Case, alice: User) -> None:
    Target.objects.create(workspace=case.workspace, priority="risk", first_answer=15, resolution=60)
    changed = actions.set_priority(case, priority="risk", by=alice, now=NOW)
    assert changed.first_answer_due_at == NOW + timedelta(minutes=15)
    assert changed.due_at == changed.first_answer_due_at
    settled = actions.set_state(changed, state="resolved", by=alice, now=NOW)
    assert settled.due_at is None
    assert set(Timer.objects.filter(case=case).values_list("outcome", flat=True)) == {"dropped"}


def test_many_changes_are_undone_and_what_was_changed_again_is_left(case: Case, alice: User, bob: User) -> None:
    decoy = Case.objects.exclude(pk=case.pk).get()
    for each in (case, decoy):
        actions.set_priority(each, priority="risk", by=alice, now=NOW)
    actions.set_priority(decoy, priority="low", by=bob, now=LATER)
    rows = list(CaseChange.objects.filter(what="priority", by=alice))
    assert actions.undo_changes(rows, by=alice, now=LATER) == (1, 1)
    case.refresh_from_db()
    decoy.refresh_from_db()
    assert (case.priority, decoy.priority) == ("service", "low")


def test_who_is_named_in_a_note_is_told_and_informed_from_then_on(case: Case, alice: User, bob: User) -> None:
    named = member(bob, case.workspace)
    actions.add_note(case, text="@bob, have a look", by=member(alice, case.workspace), mentioned=[named], now=NOW)
    assert Notification.objects.get(member=named).kind == "mentioned"
    assert CaseRole.objects.get(case=case, member=named).role == "informed"


def test_only_who_wrote_a_note_takes_it_away(case: Case, alice: User, bob: User) -> None:
    note = actions.add_note(case, text="hm", by=member(alice, case.workspace), now=NOW)
    with pytest.raises(Refused):
        actions.delete_note(note, by=member(bob, case.workspace), now=NOW)
    actions.delete_note(note, by=member(alice, case.workspace), now=NOW)
    note.refresh_from_db()
    assert (note.text, note.deleted_at) == ("", NOW)


def test_one_decides_and_who_did_before_is_informed(case: Case, alice: User, bob: User, carol: User) -> None:
    first, second = member(bob, case.workspace), member(carol, case.workspace)
    actions.give_role(case, member=first, role="decides", by=alice, now=NOW)
    actions.give_role(case, member=second, role="decides", by=alice, now=NOW)
    held = set(CaseRole.objects.filter(case=case).values_list("member", "role"))
    assert held == {(first.pk, "informed"), (second.pk, "decides")}


def test_a_tie_of_conversations_is_undone_and_stays_in_the_history(
    case: Case, conversation: Conversation, alice: User
) -> None:
    other = Conversation.objects.exclude(pk=conversation.pk).get()
    link = actions.link_conversations(conversation, other, kind="same_matter", by=alice, now=NOW)
    actions.unlink_conversations(link, by=alice, now=LATER)
    link.refresh_from_db()
    assert link.undone_at == LATER
    assert whats(case)[-2:] == ["linked", "unlinked"]


def test_a_conversation_is_not_tied_to_itself(conversation: Conversation, alice: User) -> None:
    with pytest.raises(Refused):
        actions.link_conversations(conversation, conversation, kind="repeats", by=alice, now=NOW)
