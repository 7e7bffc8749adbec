"""A mention arrives and becomes a case, or does not: once, whatever happens in between."""

from datetime import timedelta

import pyarrow as pa
import pytest
from django.db import transaction
from tests.conftest import NOW

from talkworthy.listening.collecting import Listener, source_key
from talkworthy.listening.models import Batch, Source
from talkworthy.listening.stores import archive_of
from talkworthy.people.models import Identity
from talkworthy.routing import arriving, joining, keeping
from talkworthy.routing.actions import open_case, resolve_case, retitle_case, set_state
from talkworthy.routing.actions.opening import open_by_hand
from talkworthy.routing.arriving import await_answers, look_at_arrivals, try_again
from talkworthy.routing.models import (
    Arrival,
    Availability,
    Case,
    CaseChange,
    CaseRole,
    Conversation,
    Decision,
    Message,
    Rule,
)
from talkworthy.routing.telling import lacking_words
from talkworthy.schema import OBSERVATION, TOMBSTONE, posts_table
from talkworthy.workspaces.models import Member, Team, TeamMember, User, Workspace

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def frank(workspace):
    user = User.objects.create_user("frank@example.org", name="Frank")
    return Member.objects.create(workspace=workspace, user=user, role="agent")


@pytest.fixture
def team(workspace, frank):
    made = Team.objects.create(workspace=workspace, name="Support", slug="support")
    TeamMember.objects.create(team=made, member=frank)
    return made


@pytest.fixture
def rule(workspace, team):
    """Broken routers go to support; beside it a decoy that is off, and one of another workspace."""
    elsewhere = Workspace.objects.create(name="Elsewhere", slug="elsewhere")
    effects = [{"do": "open_case"}, {"do": "assign_team", "team": team.pk}, {"do": "tag", "tag": "router"}]
    Rule.objects.create(workspace=workspace, name="Off", condition="acme", effects=[{"do": "open_case"}])
    Rule.objects.create(workspace=elsewhere, name="Theirs", condition="acme", effects=effects, enabled=True)
    return Rule.objects.create(workspace=workspace, name="Router", condition="router", effects=effects, enabled=True)


def post(number, text="My Acme router is broken", **more):
    author = more.pop("author", "zoe")
    return {
        "uid": f"forum:example.org:{number}",
        "text": text,
        "published_at": NOW,
        "collected_at": NOW,
        "author": {"id": author, "handle": author, "name": author.title()},
        **more,
    }


SEQ = iter(range(100, 10_000))


def arrive(workspace, *rows, gone=(), now=NOW):
    key = source_key(Source.objects.get(workspace=workspace, name="Posts"))
    listener = Listener(workspace)
    stones = [{"uid": uid, "published_at": NOW, "deleted_at": NOW, "reason": "deleted"} for uid in gone]
    listener.archive.spool.write(
        key,
        next(SEQ),
        posts_table([{**row, "source": key} for row in rows]),
        OBSERVATION.empty_table(),
        pa.Table.from_pylist(stones, schema=TOMBSTONE),
    )
    listener.store_pending(now=now)
    return listener


def look(now=NOW):
    while look_at_arrivals(now=now):
        pass


def counted():
    tables = (Case, Conversation, Message, Decision, Identity, CaseChange, Arrival)
    return {table.__name__: table.objects.count() for table in tables}


def test_a_mention_that_no_rule_speaks_of_makes_no_case_and_no_contact(filled, rule):
    arrive(filled, *(post(number, "Acme #hashtag") for number in range(50)))
    look()
    assert not any(counted().values())


def test_a_rule_opens_a_case_gives_it_to_its_team_and_says_why(filled, rule, frank):
    arrive(filled, post(1), post(2, "Acme is fine"))
    look()
    case = Case.objects.get()
    assert (case.owner, case.team, case.requester.account) == (frank, rule_team(rule), "zoe")
    assert case.reason["rules"] == [{"rule": rule.pk, "version": 1, "name": "Router"}]
    assert list(case.tags.values_list("tag", flat=True)) == ["router"]
    assert Decision.objects.get().case == case
    assert frank.notifications.get().kind == "assigned"


def asking_for(rule, *skills):
    rule.effects = [*rule.effects, *({"do": "need_skill", "skill": skill} for skill in skills)]
    rule.save()


def test_a_case_that_asks_for_a_skill_goes_to_who_has_it_however_it_is_written(filled, rule, frank):
    other = Member.objects.create(workspace=filled, user=User.objects.create_user("g@example.org"), role="agent")
    TeamMember.objects.create(team=rule_team(rule), member=other)
    Availability.objects.create(member=other, skills=["Billing"])
    asking_for(rule, "billing")
    arrive(filled, post(1))
    look()
    assert Case.objects.get().owner == other


def test_a_case_whose_skill_nobody_on_shift_has_stays_with_the_team_and_says_so(filled, rule, frank):
    asking_for(rule, "billing")
    arrive(filled, post(1))
    look()
    case = Case.objects.get()
    assert (case.owner, case.team) == (None, rule_team(rule))
    assert case.reason["assigned"]["lacking"] == ["billing"]
    assert lacking_words(case.reason["assigned"]["lacking"]) == "nobody with the skill “billing” is on shift"


def rule_team(rule):
    return Team.objects.get(workspace=rule.workspace)


def test_looking_twice_and_storing_twice_change_nothing(filled, rule):
    arrive(filled, post(1))
    look()
    before = counted()
    arrive(filled, post(1))
    look()
    assert counted() == before


def test_what_was_brought_in_from_history_opens_no_case(filled, rule):
    arrive(filled, post(1, published_at=NOW - timedelta(days=8)), post(2, published_at=NOW - timedelta(days=6)))
    look()
    assert Message.objects.get().uid == post(2)["uid"]


def test_a_bounce_and_a_program_open_no_case(filled, rule):
    arrive(filled, post(1, tags=["automated", "bounce"]), post(2, author="bot"), post(3))
    Identity.objects.create(workspace=filled, channel="forum", account="bot", is_automated=True)
    look()
    assert Case.objects.get().requester.account == "zoe"


def test_our_own_posts_open_no_case_and_stand_as_ours(filled, rule):
    Identity.objects.create(workspace=filled, channel="forum", account="acme", is_ours=True)
    arrive(filled, post(1), post(2, author="acme"), post(3, "We look at it", author="acme", in_reply_to=post(1)["uid"]))
    look()
    assert Case.objects.count() == 1
    assert Message.objects.get(uid=post(3)["uid"]).direction == "outward"


def test_a_further_message_goes_to_the_case_and_ends_waiting(filled, rule):
    arrive(filled, post(1))
    look()
    case = Case.objects.get()
    set_state(case, state="waiting", by=None, now=NOW)
    arrive(filled, post(2, "any news?", in_reply_to=post(1)["uid"], published_at=LATER), now=LATER)
    look(LATER)
    case.refresh_from_db()
    assert (case.state, case.last_inward_at, Case.objects.count()) == ("open", LATER, 1)
    assert Message.objects.filter(conversation__cases=case).count() == 2


def test_a_stranger_in_the_thread_does_not_end_waiting(filled, rule):
    arrive(filled, post(1))
    look()
    set_state(Case.objects.get(), state="waiting", by=None, now=NOW)
    arrive(filled, post(2, "same here", author="yan", in_reply_to=post(1)["uid"]))
    look()
    assert Case.objects.get().state == "waiting"
    assert Message.objects.get(author_handle="yan").direction == "among"
    assert not Identity.objects.filter(account="yan").exists()


def test_whoever_writes_again_within_two_weeks_opens_the_settled_case_and_its_owner_is_told(filled, rule, frank):
    arrive(filled, post(1))
    look()
    resolve_case(Case.objects.get(), by=None, now=NOW)
    arrive(filled, post(2, "broken again", in_reply_to=post(1)["uid"], published_at=LATER), now=LATER)
    look(LATER)
    assert Case.objects.get().state == "open"
    assert frank.notifications.filter(kind="reopened").exists()


def test_earlier_wordings_are_kept_shown_and_go_with_the_words(filled, rule, client_of, frank):
    arrive(filled, post(1))
    look()
    for number, words in enumerate(["My Acme router is on fire", "My Acme router is on fire", "My Acme router is ash"]):
        edited = LATER + timedelta(minutes=number)
        arrive(filled, post(1, words, edited_at=edited), now=edited)
        look(now=edited)
    message = Message.objects.get()
    assert [held.text for held in message.wordings.all()] == ["My Acme router is broken", "My Acme router is on fire"]
    page = client_of(frank.user).get(f"/acme/cases/{Case.objects.get().number}/").content.decode()
    assert "2 earlier wordings" in page and "My Acme router is broken" in page
    gone = LATER + timedelta(hours=1)
    arrive(filled, gone=[post(1)["uid"]], now=gone)
    look(now=gone)
    assert not message.wordings.exists()


def test_an_edit_changes_the_copy_and_a_deletion_empties_it(filled, rule):
    arrive(filled, post(1))
    look()
    arrive(filled, post(1, "My Acme router is on fire", edited_at=LATER), now=LATER)
    look(LATER)
    assert Message.objects.get().text == "My Acme router is on fire"
    arrive(filled, gone=[post(1)["uid"]], now=LATER)
    look(LATER)
    message = Message.objects.get()
    assert (message.text, message.deleted_at) == ("", LATER)
    assert set(CaseChange.objects.values_list("what", flat=True)) >= {"message edited", "message deleted"}
    assert Case.objects.get().title == "–", "it was the words of the post"


def test_a_title_that_a_member_wrote_outlives_the_post(filled, rule):
    arrive(filled, post(1))
    look()
    retitle_case(Case.objects.get(), title="Router of the third floor", by=None, now=NOW)
    arrive(filled, gone=[post(1)["uid"]], now=LATER)
    look(LATER)
    assert Case.objects.get().title == "Router of the third floor"


def test_the_thread_before_it_comes_along_and_a_late_root_moves_the_conversation_up(filled, rule):
    arrive(filled, post(3, "Acme, look", author="yan", in_reply_to="forum:example.org:2", root="forum:example.org:2"))
    arrive(filled, post(4, in_reply_to="forum:example.org:3", root="forum:example.org:2"))
    look()
    assert list(Message.objects.order_by("uid").values_list("author_handle", flat=True)) == ["yan", "zoe"]
    arrive(filled, post(2, "where it began", author="xi", in_reply_to="forum:example.org:1"))
    look()
    assert Conversation.objects.get().root == "forum:example.org:1"
    assert Message.objects.count() == 3


def test_a_late_message_joins_two_conversations_and_the_rows_of_both_stay(filled, rule):
    arrive(filled, post(1), post(2, author="yan"))
    look()
    arrive(filled, post(3, "both", references=[post(1)["uid"], post(2)["uid"]]))
    look()
    first, second = Conversation.objects.order_by("pk")
    assert second.joined_into == first
    assert second.messages.count() == 1
    assert Case.objects.count() == 2


def test_informed_and_notified_members_are_told(filled, rule, frank, cast):
    alice = Member.objects.get(user=cast["alice"])
    rule.effects += [{"do": "inform", "member": alice.pk}, {"do": "notify", "member": frank.pk}]
    rule.version += 1
    rule.save()
    arrive(filled, post(1))
    look()
    assert CaseRole.objects.get().member == alice
    assert frank.notifications.filter(kind="rule").exists()


def test_the_playbook_decides_where_a_rule_asks_it(filled, rule, playbook):
    rule.effects = [{"do": "triage"}]
    rule.version += 1
    rule.save()
    arrive(filled, post(1, "My Acme router is broken, please help me!"), post(2, "router router"))
    look()
    decisions = {row.uid: row for row in Decision.objects.all()}
    assert decisions[post(1)["uid"]].playbook == playbook.active
    assert decisions[post(1)["uid"]].path[0]["node"] == "Q1"
    assert decisions[post(1)["uid"]].case is not None
    assert post(2)["uid"] not in decisions  # no monitor finds it


def test_a_rule_that_names_a_source_hears_all_of_it(filled, rule):
    source = Source.objects.get(workspace=filled, name="Posts")
    rule.condition = f"source:{source_key(source)} AND printer"
    rule.version += 1
    rule.save()
    arrive(filled, post(1, "the printer is dead"))
    look()
    assert Case.objects.count() == 1


def test_a_mention_that_fails_is_set_aside_after_three_times_and_can_be_looked_at_again(filled, rule, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("broken on purpose")

    arrive(filled, post(1), post(2, "Acme"))
    with monkeypatch.context() as patch:
        patch.setattr(arriving, "open_case", fail)
        for minute in range(5):
            look(NOW + timedelta(minutes=minute))
    aside = Arrival.objects.get()
    assert (aside.attempts, aside.error) == (3, "RuntimeError: broken on purpose")
    assert not Case.objects.exists() and not Message.objects.exists()
    assert try_again(filled, now=LATER) == 1
    look(LATER)
    assert Case.objects.count() == 1 and not Arrival.objects.exists()


class Killed(BaseException):
    """As if the process had ended."""


STEPS = [
    (arriving, "keep_post"),
    (arriving, "identity_of"),
    (arriving, "open_case"),
    (arriving, "tag_case"),
    (arriving, "choose"),
    (keeping, "assemble"),
    (joining, "tied"),
    (Decision.objects, "create"),
]


@pytest.mark.parametrize(("place", "name"), STEPS, ids=[name for _place, name in STEPS])
def test_a_worker_that_dies_at_any_step_leaves_nothing_lost_and_nothing_doubled(filled, rule, monkeypatch, place, name):
    real, calls = getattr(place, name), []

    def dying(*args, **kwargs):
        answer = real(*args, **kwargs)
        calls.append(name)
        if len(calls) == 1:
            raise Killed
        return answer

    arrive(filled, post(9))
    look()
    with monkeypatch.context() as patch:
        patch.setattr(place, name, dying)
        try:
            arrive(filled, post(1), post(2, author="yan"))
            look()
        except Killed:
            pass
    if Batch.objects.filter(applied_at=None).exists():
        Listener(filled).store_pending(now=NOW)
    look(LATER)
    assert calls
    assert Case.objects.count() == 3
    assert not Arrival.objects.exists()
    assert CaseChange.objects.filter(what="opened").count() == 3
    assert Decision.objects.count() == Message.objects.count() == 3


def test_what_another_worker_holds_is_passed_over_until_its_lease_ends(filled, rule):
    look()
    arrive(filled, post(1))
    assert len(arriving._claimed(filled, now=NOW, most=10)) == 1
    look()
    assert not Case.objects.exists()
    look(LATER)
    assert Case.objects.count() == 1


def test_a_row_that_another_worker_finished_is_not_acted_on_again(filled, rule):
    look()
    arrive(filled, post(1))
    [arrival] = arriving._claimed(filled, now=NOW, most=10)
    look(LATER)
    book = arriving.rulebook_of(filled, now=NOW)
    rows = arriving._posts(filled, [arrival])
    arriving.Desk(filled, book, NOW).act(arrival, rows.to_pylist()[0], book.verdicts(rows)[0])
    assert Case.objects.count() == 1


def test_a_rule_that_cannot_be_read_any_more_leaves_the_others_to_work(filled, rule):
    Rule.objects.create(workspace=filled, name="Broken", condition="state:open", effects=[], enabled=True)
    arrive(filled, post(1))
    look()
    assert Case.objects.count() == 1


def test_an_erased_post_leaves_the_desk(filled, rule):
    arrive(filled, post(1), post(2, author="yan"))
    look()
    uid = post(1)["uid"]
    found = joining.data_forgotten(workspace=filled, uids=[uid], authors=[], now=NOW)
    assert found == {"messages": 1, "decisions": 1}
    assert not Message.objects.filter(uid=uid).exists()
    assert Case.objects.filter(title__contains="router").count() == 1


def test_an_erased_post_leaves_none_of_its_words_in_its_case(filled, rule):
    Rule.objects.filter(pk=rule.pk).update(effects=[{"do": "open_case"}, {"do": "triage"}])
    arrive(filled, post(1, "My Acme router is broken, my lawyer will sue you"))
    look()
    retitle_case(Case.objects.get(), title="Zoe and the lawyer", by=None, now=NOW)
    retitle_case(Case.objects.get(), title="A router", by=None, now=NOW)
    assert "lawyer" in kept_of_cases()
    joining.data_forgotten(workspace=filled, uids=[post(1)["uid"]], authors=[], now=NOW)
    assert "lawyer" not in kept_of_cases()
    assert Case.objects.get().reason["rules"][0]["name"] == "Router"


def test_the_title_of_a_case_that_was_opened_on_an_answer_goes_with_it(filled, rule, alice):
    arrive(filled, post(1, "Acme, look", author="yan"))
    answer = post(2, "My lawyer will sue you", in_reply_to=post(1)["uid"])
    arrive(filled, answer)
    look()
    row = archive_of(filled).get(answer["uid"])
    open_by_hand(filled, row, by=Member.objects.get(user=alice), now=NOW)
    joining.data_forgotten(workspace=filled, uids=[answer["uid"]], authors=[], now=NOW)
    assert "lawyer" not in kept_of_cases()


def kept_of_cases():
    return str([*Case.objects.values("title", "reason"), *CaseChange.objects.values("old", "new", "why")])


def test_one_conversation_has_one_live_case(filled, rule):
    arrive(filled, post(1))
    look()
    case, is_new = open_case(Conversation.objects.get(), title="again", by=None, now=NOW)
    assert not is_new and case == Case.objects.get()


def test_who_answered_us_before_our_answer_was_written_down_is_heard(filled, rule):
    arrive(filled, post(1))
    look()
    case = Case.objects.get()
    ours = "feed:example.org:ours"
    arrive(filled, post(7, "Still broken", in_reply_to=ours), post(8, "Others talk", in_reply_to="feed:example.org:x"))
    look()
    assert Message.objects.count() == 1
    set_state(case, state=Case.State.WAITING, by=None, now=NOW)
    with transaction.atomic():  # a worker died between the channel's taking it and this
        Message.objects.create(
            workspace=filled,
            conversation=case.conversations.get(),
            uid=ours,
            parent=post(1)["uid"],
            direction="outward",
            at=NOW,
        )
        await_answers(filled, ours, now=NOW)
    look()
    assert Message.objects.get(uid=post(7)["uid"]).conversation == case.conversations.get()
    case.refresh_from_db()
    assert case.state == "open" and Message.objects.count() == 3 and not Arrival.objects.exists()
    before = counted()
    await_answers(filled, ours, now=NOW)
    look()
    assert counted() == before
