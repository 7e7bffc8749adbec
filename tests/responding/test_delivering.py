"""Exactly one post a reply, whatever breaks; and everything that keeps one from leaving, refusing."""

from datetime import timedelta

import pytest

from talkworthy.connectors.errors import AskForCredentials, GiveUp, TryLater, Unsure
from talkworthy.notifying.models import Notification
from talkworthy.people import actions as people_actions
from talkworthy.responding import actions, delivering
from talkworthy.responding.models import ApprovalRule, Autonomy, Delivery, Draft, Sender
from talkworthy.routing.models import CaseChange, Conversation, Message, Timer

from .conftest import NOW

pytestmark = pytest.mark.django_db


class Crash(BaseException):
    """The process ends here: nothing after it runs, nothing of it is caught."""


@pytest.fixture
def delivery(draft, people):
    return actions.send_draft(draft, version=1, by=people["frank"], now=NOW)


def fresh(thing):
    thing.refresh_from_db()
    return thing


def test_a_reply_is_posted_once_and_stands_in_its_conversation(delivery, draft, case, channel, pass_time):
    Timer.objects.create(case=case, kind="first_answer", due_at=NOW + timedelta(hours=1))
    pass_time()
    assert channel.texts == ["You are welcome"]
    assert (fresh(delivery).state, delivery.remote_uid, fresh(draft).state) == ("delivered", "letterbox::0", "sent")
    message = Message.objects.get(uid="letterbox::0")
    assert (message.direction, message.parent, message.text) == ("outward", "letterbox::q", "You are welcome")
    assert fresh(case).first_answered_at == delivery.delivered_at and case.state == "waiting"
    assert Timer.objects.get(kind="first_answer").outcome == "met"
    assert CaseChange.objects.get(case=case, what="sent").new["automatic"] is False


def test_it_can_be_recalled_before_it_leaves(delivery, draft, people, channel, pass_time):
    actions.recall_draft(draft, by=people["frank"], now=NOW + timedelta(seconds=5))
    pass_time()
    assert channel.texts == [] and fresh(delivery).state == "stopped" and fresh(draft).state == "approved"


def test_what_is_sent_cannot_be_recalled(delivery, draft, people, pass_time):
    pass_time()
    with pytest.raises(actions.Refused):
        actions.recall_draft(draft, by=people["frank"], now=NOW)


def test_a_message_that_listening_brings_back_first_is_the_same_row(delivery, inward, case, channel, pass_time):
    inward("letterbox::0", "You are welcome", identity=None, at=NOW - timedelta(hours=2))
    pass_time()
    assert Message.objects.get(workspace=case.workspace, uid="letterbox::0").direction == "outward"


SEAMS = ["held", "outgoing_of", "record_sent", "keep_message", "note_answer", "_supersede_others", "note_change"]


@pytest.mark.parametrize("seam", SEAMS)
def test_a_crash_at_any_step_ends_in_exactly_one_post(delivery, draft, channel, pass_time, monkeypatch, seam):
    def crash(*_args, **_named):
        raise Crash

    with monkeypatch.context() as patched:
        patched.setattr(delivering, seam, crash)
        with pytest.raises(Crash):
            pass_time(timedelta(minutes=1))
    pass_time(timedelta(hours=1), start=NOW + timedelta(minutes=2))
    assert channel.texts == ["You are welcome"]
    assert fresh(delivery).state == "delivered" and fresh(draft).state == "sent"
    assert Message.objects.filter(direction="outward").count() == 1
    assert CaseChange.objects.filter(what="sent").count() == 1


@pytest.mark.parametrize("taken", [True, False])
def test_a_crash_within_the_call_is_settled_by_looking(delivery, channel, pass_time, taken):
    channel.script = [("take", Crash()) if taken else Crash()]
    with pytest.raises(Crash):
        pass_time(timedelta(minutes=1))
    assert fresh(delivery).state == "sending" and delivery.began_at is not None
    pass_time(timedelta(hours=1), start=NOW + timedelta(minutes=2))
    assert channel.texts == ["You are welcome"] and fresh(delivery).state == "delivered"


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("error", [Unsure("took too long"), OSError("line broke"), ZeroDivisionError("our fault")])
def test_what_may_have_arrived_is_looked_for_before_it_is_sent_again(delivery, channel, pass_time, taken, error):
    channel.script = [("take", error) if taken else error]
    pass_time()
    assert channel.texts == ["You are welcome"] and fresh(delivery).state == "delivered"
    names = [name for name, _ in channel.calls]
    assert names == (["send", "find"] if taken else ["send", "find", "find", "send"])


def test_the_same_reply_has_the_same_key_at_every_try(delivery, channel, pass_time):
    channel.script = [TryLater("busy", after=5), Unsure("?")]
    pass_time()
    assert {outgoing.key for _, outgoing in channel.calls} == {str(delivery.key)}


def test_nothing_is_sent_while_the_channel_cannot_be_searched(delivery, channel, pass_time):
    channel.script = [("take", Unsure("?")), TryLater("down", after=60), TryLater("down", after=60)]
    pass_time()
    assert channel.texts == ["You are welcome"] and fresh(delivery).state == "delivered"


def test_a_channel_that_cannot_be_searched_asks_a_person(delivery, people, source, channel, pass_time):
    Sender.objects.filter(source=source).update(limits={"searchable": False})
    channel.script = [("take", Unsure("?"))]
    pass_time()
    assert fresh(delivery).state == "unsure" and channel.texts == ["You are welcome"]
    assert Notification.objects.filter(kind="reply unsure", member=people["frank"]).count() == 1
    actions.settle_by_hand(delivery, arrived=True, url="https://box.example/0", by=people["frank"], now=NOW)
    assert fresh(delivery).state == "delivered" and len(channel.calls) == 1


def test_a_person_who_found_nothing_lets_it_be_sent_again(delivery, people, source, channel, pass_time):
    Sender.objects.filter(source=source).update(limits={"searchable": False})
    channel.script = [Unsure("?")]
    pass_time()
    actions.settle_by_hand(delivery, arrived=False, by=people["frank"], now=NOW + timedelta(hours=2))
    pass_time(start=NOW + timedelta(hours=2))
    assert channel.texts == ["You are welcome"] and fresh(delivery).state == "delivered"


def test_the_channel_s_limits_make_it_wait(delivery, channel, pass_time):
    channel.script = [TryLater("limit", after=600)]
    pass_time(timedelta(minutes=9))
    assert channel.texts == [] and fresh(delivery).state == "waiting" and delivery.error == "limit"
    pass_time(timedelta(minutes=5), start=NOW + timedelta(minutes=9))
    assert channel.texts == ["You are welcome"]


@pytest.mark.parametrize("error", [GiveUp("deleted"), AskForCredentials("sign in again")])
def test_a_refusal_of_the_channel_is_told_and_tried_again_by_a_person_only(delivery, people, channel, pass_time, error):
    channel.script = [error]
    pass_time()
    assert fresh(delivery).state == "failed" and delivery.error == str(error) and channel.texts == []
    assert Notification.objects.filter(kind="reply failed", member=people["frank"]).count() == 1
    actions.retry_delivery(delivery, by=people["frank"], now=NOW + timedelta(hours=2))
    pass_time(start=NOW + timedelta(hours=2))
    assert channel.texts == ["You are welcome"]


def test_what_is_never_taken_fails_in_the_end(delivery, channel, pass_time):
    channel.script = [TryLater("busy", after=1)] * 40
    pass_time(timedelta(hours=20), step=timedelta(minutes=5))
    assert fresh(delivery).state == "failed" and channel.texts == []


def test_a_claimed_delivery_is_left_to_who_claimed_it(delivery, channel):
    Delivery.objects.update(claimed_until=NOW + timedelta(minutes=2))
    assert delivering.deliver_due(now=NOW + timedelta(minutes=1)) == 0
    assert delivering.deliver_due(now=NOW + timedelta(minutes=3)) == 1 and channel.texts == ["You are welcome"]


def test_an_edit_after_it_was_scheduled_keeps_it_from_leaving(delivery, draft, people, channel, pass_time):
    actions.save_draft(draft, version=1, text="Other words", by=people["frank"], now=NOW)
    pass_time()
    assert channel.texts == [] and fresh(delivery).state == "stopped" and fresh(draft).state == "writing"


def test_another_version_is_held_back_at_the_moment_of_sending(delivery, draft, channel, pass_time):
    Draft.objects.filter(pk=draft.pk).update(version=2, text="Slipped in")
    pass_time()
    assert channel.texts == [] and fresh(delivery).state == "stopped"


def test_an_approval_that_is_asked_for_meanwhile_holds_it_back(delivery, draft, workspace, channel, pass_time):
    ApprovalRule.objects.create(workspace=workspace, name="All")
    pass_time()
    assert channel.texts == [] and fresh(draft).state == "writing"


def test_the_stop_switch_stops_what_waits_and_refuses_what_comes(
    delivery, draft, people, workspace, channel, pass_time
):
    stop = actions.stop_sending(workspace, why="A train crashed", machines_only=False, by=people["frank"], now=NOW)
    pass_time()
    assert channel.texts == [] and fresh(delivery).state == "stopped" and fresh(draft).state == "approved"
    with pytest.raises(actions.Refused, match="A train crashed"):
        actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    actions.lift_stop(stop, by=people["erin"], now=NOW)
    pass_time()
    assert channel.texts == [], "what was stopped goes out only when its writer sends it anew"
    actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    pass_time()
    assert channel.texts == ["You are welcome"]


def test_a_stop_that_slips_in_between_is_met_at_the_moment_of_sending(delivery, people, workspace, channel, pass_time):
    from talkworthy.responding.models import Stop

    Stop.objects.create(workspace=workspace, why="Now", by=people["frank"].user)
    pass_time()
    assert channel.texts == [] and fresh(delivery).state == "stopped"


def test_a_stop_of_machines_lets_persons_answer(delivery, people, workspace, channel, pass_time):
    actions.stop_sending(workspace, why="Odd answers", machines_only=True, by=people["frank"], now=NOW)
    pass_time()
    assert channel.texts == ["You are welcome"]


def test_a_stop_elsewhere_stops_nothing_here(delivery, people, channel, pass_time):
    from talkworthy.responding.models import Stop
    from talkworthy.workspaces.models import Workspace

    Stop.objects.create(workspace=Workspace.objects.get(slug="decoy"), why="Theirs")
    pass_time()
    assert channel.texts == ["You are welcome"]


def test_an_answer_given_meanwhile_holds_it_back(delivery, draft, outward, people, channel, pass_time):
    outward(at=NOW + timedelta(seconds=3))
    pass_time()
    assert channel.texts == [] and fresh(draft).state == "writing"
    assert "answered meanwhile" in Notification.objects.get(member=people["frank"]).text


def test_a_second_answer_of_a_conversation_waits_for_the_first(delivery, draft, case, people, channel, pass_time):
    channel.script = [Unsure("?")]
    second = actions.start_draft(case, text="And another thing", by=people["gina"], now=NOW)
    Draft.objects.filter(pk=second.pk).update(in_reply_to="letterbox::other")
    actions.send_draft(second, version=1, by=people["gina"], now=NOW)
    pass_time()
    assert channel.texts == ["You are welcome"], "the second was held back: the conversation was answered meanwhile"


def test_a_draft_that_another_answer_made_needless_is_superseded(draft, case, people, channel, pass_time):
    other = actions.start_draft(case, text="Machine's words", made_by="drafter 1", by=None, now=NOW)
    actions.send_draft(draft, version=1, by=people["frank"], now=NOW)
    pass_time()
    assert fresh(other).state == "superseded"
    with pytest.raises(actions.Refused):
        actions.send_draft(other, version=1, by=people["frank"], now=NOW)


@pytest.mark.parametrize("change", ["deleted", "paused", "refused", "off"])
def test_an_account_that_is_not_well_sends_nothing(delivery, draft, source, channel, pass_time, change):
    if change == "off":
        Sender.objects.update(enabled=False)
    elif change == "deleted":
        type(source).objects.update(deleted_at=NOW)
    else:
        type(source).objects.update(state=change)
    pass_time()
    assert channel.texts == [] and fresh(draft).state == "writing"


def test_what_it_answers_was_deleted(delivery, channel, pass_time):
    Message.objects.filter(uid="letterbox::q").update(deleted_at=NOW)
    pass_time()
    assert channel.texts == []


# machines


@pytest.fixture
def machine_draft(case, inward, workspace):
    inward()
    Autonomy.objects.create(workspace=workspace, outcome="thank", level="send", delay_seconds=60, cap_hour=1)
    return actions.start_draft(case, text="Thank you!", made_by="drafter 1", by=None, now=NOW)


def machine_sends(draft):
    return actions.schedule_by_machine(draft, version=1, delay_seconds=60, now=NOW)


def test_a_machine_sends_after_the_delay_where_its_class_allows_it(machine_draft, channel, pass_time):
    machine_sends(machine_draft)
    pass_time(timedelta(seconds=45))
    assert channel.texts == []
    pass_time()
    assert channel.texts == ["Thank you!"] and channel.calls[0][1].automatic


def test_a_person_can_stop_it_within_the_delay(machine_draft, people, channel, pass_time):
    machine_sends(machine_draft)
    actions.recall_draft(machine_draft, by=people["frank"], now=NOW)
    pass_time()
    assert channel.texts == []


@pytest.mark.parametrize("level", ["observe", "suggest", "draft"])
def test_a_machine_does_not_send_below_its_level(machine_draft, channel, pass_time, level):
    machine_sends(machine_draft)
    Autonomy.objects.update(level=level)
    pass_time()
    assert channel.texts == []


NEVER = {
    "negative": lambda case: Message.objects.update(sentiment="negative"),
    "undecided": lambda case: Message.objects.update(sentiment=""),
    "complaint": lambda case: Message.objects.update(intent="complaint"),
    "vulnerable": lambda case: Message.objects.update(text="I want to die"),
    "legal": lambda case: Message.objects.update(text="My lawyer will sue you"),
    "hacked": lambda case: Message.objects.update(text="My account was hacked"),
    "risk": lambda case: type(case).objects.update(priority="risk"),
    "influential": lambda case: type(case).objects.update(influence=0.95),
    "followers": lambda case: type(case.requester).objects.update(followers=50_000),
    "automation": lambda case: type(case.requester).objects.update(is_automated=True),
    "nobody": lambda case: Message.objects.update(identity=None),
    "their message is gone": lambda case: Message.objects.all().delete(),
}


@pytest.mark.parametrize("why", NEVER)
def test_a_machine_never_sends_where_a_rule_forbids_it(machine_draft, case, channel, pass_time, why):
    machine_sends(machine_draft)
    NEVER[why](case)
    pass_time()
    assert channel.texts == [] and Delivery.objects.get().state == "stopped"


def test_a_machine_keeps_out_of_a_conversation_that_a_person_leads(machine_draft, outward, channel, pass_time):
    outward()
    machine_sends(machine_draft)
    pass_time()
    assert channel.texts == []


def test_a_machine_does_not_answer_what_it_has_not_read(machine_draft, inward, channel, pass_time):
    machine_sends(machine_draft)
    inward("letterbox::q2", "Wait, it broke", at=NOW + timedelta(seconds=30))
    pass_time()
    assert channel.texts == []


def test_the_cap_an_hour_makes_it_wait_and_the_cap_a_person_stops_it(machine_draft, workspace, channel, pass_time):
    machine_sends(machine_draft)
    decoy = Draft.objects.create(
        workspace=workspace, case=machine_draft.case, conversation=machine_draft.conversation, in_reply_to="x"
    )
    elsewhere = Conversation.objects.create(workspace=workspace, channel="letterbox", first_at=NOW, last_at=NOW)
    Draft.objects.filter(pk=decoy.pk).update(conversation=elsewhere)
    Delivery.objects.create(
        workspace=workspace,
        draft=decoy,
        draft_version=1,
        automatic=True,
        state="delivered",
        began_at=NOW,
        tried_at=NOW,
    )
    pass_time(timedelta(minutes=50))
    assert channel.texts == [] and Delivery.objects.get(draft=machine_draft).state == "waiting"
    pass_time(timedelta(minutes=30), start=NOW + timedelta(minutes=50))
    assert channel.texts == ["Thank you!"]


def test_a_machine_that_wrote_to_the_person_today_does_not_write_again(
    machine_draft, case, workspace, channel, pass_time
):
    machine_sends(machine_draft)
    Autonomy.objects.update(cap_hour=50)
    elsewhere = Conversation.objects.create(workspace=workspace, channel="letterbox", first_at=NOW, last_at=NOW)
    decoy = Draft.objects.create(workspace=workspace, case=case, conversation=elsewhere, in_reply_to="x")
    Delivery.objects.create(
        workspace=workspace,
        draft=decoy,
        draft_version=1,
        automatic=True,
        state="delivered",
        began_at=NOW - timedelta(hours=3),
        tried_at=NOW - timedelta(hours=3),
        identity=case.requester,
    )
    pass_time()
    assert channel.texts == [] and "1 are allowed" in Delivery.objects.get(draft=machine_draft).error


def test_what_waited_for_a_channel_that_was_down_counts_when_it_leaves(
    machine_draft, case, source, workspace, channel, pass_time
):
    Autonomy.objects.update(cap_person_a_day=50)
    times = {"first_at": NOW, "last_at": NOW}
    other = Conversation.objects.create(workspace=workspace, channel="letterbox", root="letterbox::o", **times)
    values = {"uid": "letterbox::o", "text": "Thanks", "sentiment": "positive", "intent": "praise", "language": "en"}
    Message.objects.create(workspace=workspace, conversation=other, at=NOW, identity=case.requester, **values)
    said = {"text": "Thank you too!", "made_by": "drafter 1", "in_reply_to": "letterbox::o", "known_until": NOW}
    second = Draft.objects.create(workspace=workspace, case=case, conversation=other, source=source, **said)
    for draft in (machine_draft, second):
        machine_sends(draft)
    channel.script = [TryLater("down", after=5400)] * 2
    pass_time(timedelta(minutes=110))
    assert len(channel.texts) == 1, "both were first tried more than an hour ago, and one an hour is allowed"


def test_who_is_the_press_is_that_with_every_account_of_theirs(
    machine_draft, case, workspace, people, channel, pass_time
):
    by = people["alice"].user
    kept = {"basis": "interest", "basis_note": "They wrote.", "retain_until": NOW + timedelta(days=9)}
    part, whole = (
        people_actions.create_person(workspace, name=name, identities=accounts, by=by, now=NOW, **kept)
        for name, accounts in (("Zoe", [case.requester]), ("Zoe Paper", []))
    )
    people_actions.give_role(whole, "press", source="member", by=by, now=NOW)
    people_actions.merge_persons(part, whole, by=by, now=NOW)
    machine_sends(machine_draft)
    pass_time()
    assert channel.texts == []


def test_what_was_sent_otherwise_meanwhile_is_not_tried_again(delivery, draft, people, channel, pass_time):
    channel.script = [GiveUp("not now")]
    pass_time()
    actions.recall_draft(draft, by=people["frank"], now=NOW)
    actions.send_draft(draft, version=1, by=people["frank"], now=NOW + timedelta(hours=2))
    for _click in range(2):
        with pytest.raises(actions.Refused, match="sent otherwise"):
            actions.retry_delivery(delivery, by=people["frank"], now=NOW + timedelta(hours=2))
        pass_time(start=NOW + timedelta(hours=2))
    assert channel.texts == ["You are welcome"]
