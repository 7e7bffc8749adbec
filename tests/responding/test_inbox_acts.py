"""What members do with cases in the inbox, and take back."""

from datetime import timedelta

import pytest
from django.utils import timezone

from talkworthy.notifying.models import Notification
from talkworthy.routing.models import Case, CaseRole, ConversationLink, Timer
from talkworthy.workspaces.models import Team, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def client(client_of, people, case):
    return client_of(people["frank"])


@pytest.fixture
def fresh(case):
    """The case as it is now."""

    def read():
        return Case.objects.get(pk=case.pk)

    return read


def do(client, verb, number=7, **more):
    return client.post(f"/acme/cases/{number}/act/", {"do": verb, **more})


def undo(client, answer):
    page = client.get(answer.headers["Location"]).content.decode()
    address = page.partition('class="toast success undo"')[2].partition('action="')[2].partition('"')[0]
    assert "/inbox/undo/" in address
    return client.post(address)


@pytest.mark.parametrize(
    ("verb", "more", "field", "value"),
    [
        ("resolve", {}, "state", "resolved"),
        ("wait", {}, "state", "waiting"),
        ("snooze", {"for": "3600"}, "state", "snoozed"),
        ("priority", {"to": "risk"}, "priority", "risk"),
        ("assign", {"to": ""}, "owner", None),
    ],
)
def test_what_is_done_can_be_undone(client, fresh, verb, more, field, value):
    before = getattr(fresh(), field)
    answer = do(client, verb, **more)
    assert getattr(fresh(), field) == value != before
    undo(client, answer)
    assert getattr(fresh(), field) == before


@pytest.mark.parametrize(
    ("verb", "more", "field"),
    [("resolve", {}, "state"), ("priority", {"to": "risk"}, "priority"), ("assign", {"to": ""}, "owner")],
)
def test_the_undo_of_a_double_click_undoes(client, fresh, verb, more, field):
    before, version = getattr(fresh(), field), fresh().version
    do(client, verb, version=version, **more)
    undo(client, do(client, verb, version=version, **more))
    assert getattr(fresh(), field) == before


def test_what_changed_nothing_offers_no_undo_of_something_else(client, fresh):
    do(client, "tag", to="router")
    answer = do(client, "priority", to=fresh().priority)
    page = client.get(answer.headers["Location"]).content.decode()
    assert page.count('class="toast success undo"') == 1  # of the tag


def test_a_tag_that_somebody_else_added_stays(client, client_of, people, fresh):
    undo_first = do(client, "tag", to="router")
    do(client_of(people["gina"]), "tag", to="wifi")
    do(client, "untag", to="#Router")
    assert [one.tag for one in fresh().tags.all()] == ["wifi"]
    undo(client, undo_first)  # the tags are others by now: they are left alone
    assert [one.tag for one in fresh().tags.all()] == ["wifi"]


def test_a_tag_is_added_taken_away_and_brought_back(client, fresh):
    undo_first = do(client, "tag", to="#Router")
    assert [one.tag for one in fresh().tags.all()] == ["router"]
    undo(client, undo_first)
    assert not fresh().tags.exists()
    do(client, "tag", to="router")
    do(client, "untag", to="router")
    assert not fresh().tags.exists()


def test_a_case_is_given_to_a_member_or_a_team(client, people, workspace, fresh):
    do(client, "assign", to=f"member-{people['gina'].pk}")
    assert fresh().owner == people["gina"]
    assert [row.member for row in Notification.objects.filter(kind="assigned")] == [people["gina"]]
    team = Team.objects.create(workspace=workspace, name="Shop", slug="shop")
    do(client, "assign", to=f"team-{team.pk}")
    assert (fresh().owner, fresh().team) == (None, team)
    do(client, "mine")
    assert fresh().owner == people["frank"]


def test_nobody_of_another_workspace_gets_a_case(client, fresh, dan):
    stranger = dan.memberships.get()
    theirs = Team.objects.create(workspace=stranger.workspace, name="T", slug="t")
    assert do(client, "assign", to=f"member-{stranger.pk}").status_code == 404
    do(client, "assign", to=f"team-{theirs.pk}")
    assert fresh().owner is not None and fresh().team is None


def test_who_was_slower_sees_what_changed_and_may_do_it_all_the_same(client_of, client, people, fresh):
    version = fresh().version
    do(client_of(people["gina"]), "priority", to="risk")
    answer = do(client, "resolve", version=version, carried="tab=mine")
    page = answer.content.decode()
    assert answer.status_code == 409 and "Gina" in page and "Priority: Service → Risk" in page
    assert fresh().state == "new"
    again = dict(answer.context["again"]) | {"version": fresh().version}
    assert client.post("/acme/cases/7/act/", again).headers["Location"] == "/acme/cases/7/?tab=mine"
    assert fresh().state == "resolved"


def test_many_are_changed_at_once_and_undone_at_once(client, workspace, people):
    for number in (8, 9):
        Case.objects.create(workspace=workspace, number=number, title="x", state="open")
    told = {"do": "resolve", "number": ["7", "8", "9", "99"], "back": "/acme/inbox/?tab=mine"}
    answer = client.post("/acme/inbox/act/", told)
    mine = Case.objects.filter(workspace=workspace)
    assert set(mine.values_list("state", flat=True)) == {"resolved"}
    assert Case.objects.get(workspace__slug="decoy").state == "new"
    assert answer.headers["Location"] == "/acme/inbox/?tab=mine"
    undo(client, answer)
    assert sorted(mine.values_list("state", flat=True)) == ["new", "open", "open"]


def test_an_undo_leaves_alone_what_somebody_changed_again(client_of, client, people, fresh):
    answer = do(client, "priority", to="risk")
    do(client_of(people["gina"]), "priority", to="low")
    page = client.get(undo(client, answer).headers["Location"]).content.decode()
    assert fresh().priority == "low" and "left as it is" in page


def test_an_undo_is_for_whoever_did_it(client_of, client, people, fresh):
    answer = do(client, "resolve")
    page = client.get(answer.headers["Location"]).content.decode()
    address = page.partition('class="toast success undo"')[2].partition('action="')[2].partition('"')[0]
    assert client_of(people["gina"]).post(address).status_code == 404
    assert client.post("/acme/inbox/undo/forged/").status_code == 404
    assert fresh().state == "resolved"


def test_a_note_tells_who_is_named_and_stays_among_members(client, people, fresh):
    answer = client.post("/acme/cases/7/notes/", {"text": "@gina, @erin@example.org: the carrier has reset the line"})
    (note,) = fresh().notes.all()
    assert answer.headers["Location"].endswith(f"#note-{note.pk}")
    told = {row.member for row in Notification.objects.filter(kind="mentioned")}
    assert told == {people["gina"], people["erin"]} == {role.member for role in fresh().case_roles.all()}
    client.post("/acme/cases/7/notes/", {"text": "  "})
    assert fresh().notes.count() == 1


def test_parts_are_given_and_taken(client, people, fresh):
    do(client, "role", to=people["erin"].pk, role="decides")
    assert [(one.member, one.role) for one in fresh().case_roles.all()] == [(people["erin"], CaseRole.Role.DECIDES)]
    do(client, "unrole", to=people["erin"].pk, role="decides")
    assert not fresh().case_roles.exists()


def test_conversations_are_tied_and_untied(client, workspace, fresh):
    from talkworthy.routing.models import CaseConversation, Conversation

    now = timezone.now()
    other = Case.objects.create(workspace=workspace, number=8, title="The same again")
    talk = Conversation.objects.create(
        workspace=workspace, channel="email", root="e::8", title="Again", first_at=now, last_at=now
    )
    CaseConversation.objects.create(case=other, conversation=talk)
    do(client, "link", to="#8", kind="repeats")
    link = ConversationLink.objects.get()
    assert "Again" in client.get("/acme/cases/7/").content.decode()
    client.post(f"/acme/cases/links/{link.pk}/undo/")
    assert ConversationLink.objects.get().undone_at is not None
    assert do(client, "link", to="999", kind="repeats").status_code == 404


def test_a_snooze_ends_when_it_was_told_to_and_not_before_now(client, fresh):
    do(client, "snooze", until="2020-01-01T10:00")
    assert fresh().state == "new"
    do(client, "snooze", **{"for": "86400"})
    assert timedelta(hours=23) < fresh().snoozed_until - timezone.now() < timedelta(hours=25)
    do(client, "wake")
    assert fresh().state == "open"


@pytest.mark.parametrize(
    "path", ["cases/7/act/", "cases/7/notes/", "inbox/act/", "inbox/undo/x/", "cases/links/1/undo/"]
)
def test_who_only_reads_changes_nothing(client_of, people, case, fresh, path):
    told = {"do": "resolve", "number": "7", "text": "x"}
    assert client_of(people["carol"]).post(f"/acme/{path}", told).status_code == 403
    assert fresh().state == "new" and not fresh().notes.exists()


def test_a_case_of_another_workspace_is_not_touched(client, people):
    other = Workspace.objects.get(slug="decoy")
    Case.objects.create(workspace=other, number=70, title="Secret")
    assert do(client, "resolve", number=70).status_code == 404
    client.post("/acme/inbox/act/", {"do": "resolve", "number": "70"})
    assert Case.objects.get(workspace=other, number=70).state == "new"
    assert do(client, "explode").status_code == 404


def test_the_second_of_two_who_act_on_marked_cases_overwrites_nothing(client, client_of, people, case, fresh):
    other = Case.objects.create(workspace=case.workspace, number=8, title="Lamp")
    marked = {"do": "priority", "to": "low", "number": ["7", "8"], "seen": ["7:1", "8:1"]}
    do(client_of(people["gina"]), "priority", to="risk", version="1")
    answer = client.post("/acme/inbox/act/", marked)
    page = answer.content.decode()
    assert answer.status_code == 409 and "Gina" in page and "Priority: Service → Risk" in page and "Lamp" not in page
    assert fresh().priority == "risk" and Case.objects.get(pk=other.pk).priority == "low"
    again = marked | {"number": ["7"], "seen": [f"7:{fresh().version}"]}
    assert f'value="{again["seen"][0]}"' in page
    assert client.post("/acme/inbox/act/", again).status_code == 302 and fresh().priority == "low"


def test_pressing_twice_is_no_conflict_with_oneself(client, fresh):
    for _press in range(2):
        answer = client.post("/acme/inbox/act/", {"do": "priority", "to": "risk", "number": "7", "seen": "7:1"})
        assert answer.status_code == 302
    assert fresh().priority == "risk" and fresh().changes.filter(what="priority").count() == 1


def test_rows_tell_the_version_that_was_looked_at(client):
    page = client.get("/acme/inbox/").content.decode()
    assert 'data-version="1"' in page and 'name="seen" value="7:1"' in page


def test_a_snooze_that_was_clicked_twice_is_undone_by_one_undo(client, fresh, case):
    do(client, "snooze", **{"for": "3600"})
    undo(client, do(client, "snooze", **{"for": "3600"}))
    assert (fresh().state, fresh().snoozed_until) == ("new", None)
    assert not Timer.objects.filter(case=case, kind="snooze", done_at=None).exists()


def test_the_undo_of_a_second_snooze_gives_back_the_first_with_its_timer(client, fresh, case):
    client.get(do(client, "snooze", until="2030-01-01T10:00").headers["Location"])
    first = fresh().snoozed_until
    undo(client, do(client, "snooze", until="2031-01-01T10:00"))
    assert (fresh().state, fresh().snoozed_until) == ("snoozed", first)
    assert Timer.objects.get(case=case, kind="snooze", done_at=None).due_at == first


def test_nobody_who_may_not_work_on_cases_is_given_one(client, fresh, people):
    page = client.get("/acme/cases/7/").content.decode()
    reader = people["carol"]
    assert f'value="member-{reader.pk}"' not in page and f'value="member-{people["gina"].pk}"' in page
    before = fresh().owner_id
    answer = client.post("/acme/cases/7/act/", {"do": "assign", "to": f"member-{reader.pk}"}, follow=True)
    assert "may not work on cases" in answer.content.decode() and fresh().owner_id == before
