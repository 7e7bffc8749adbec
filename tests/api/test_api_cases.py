"""Cases: listed, read, changed by whoever saw the newest version, noted on."""

import pytest
from tests.conftest import NOW

from talkworthy.routing import actions
from talkworthy.routing.models import Case, CaseChange, Conversation, Decision, Note
from talkworthy.workspaces.models import Member, Team, Workspace

pytestmark = pytest.mark.django_db


def told(answer, status=200):
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture
def agent(workspace, bob):
    """Bob, who works on cases here."""
    Member.objects.filter(user=bob).update(role="agent")
    return bob


@pytest.fixture
def cases(workspace):
    """Five cases of falling rank, and one of another workspace."""
    elsewhere = Workspace.objects.create(name="Third", slug="third")
    return [opened(workspace, number) for number in range(5)] + [opened(elsewhere, 9)]


def opened(workspace, number, **more):
    conversation = Conversation.objects.create(
        workspace=workspace, channel="email", root=f"email:x:{number}", first_at=NOW, last_at=NOW
    )
    more = {"urgency": 50 - number, **more}
    return actions.open_case(conversation, title=f"Case {number}", by=None, now=NOW, **more)[0]


def titles(page):
    return [case["title"] for case in page["cases"]]


def test_pages_go_along_the_queue_to_its_end(program_of, carol, cases):
    program, found, after = program_of(carol), [], ""
    while after is not None:
        page = told(program("GET", f"/cases?limit=2{after and f'&after={after}'}"))
        found += titles(page)
        after = page["after"]
    assert found == [f"Case {number}" for number in range(5)]


def test_a_page_does_not_shift_when_a_case_comes(program_of, carol, cases, workspace):
    program = program_of(carol)
    after = told(program("GET", "/cases?limit=2"))["after"]
    opened(workspace, 7, urgency=90)
    assert titles(told(program("GET", f"/cases?limit=2&after={after}"))) == ["Case 2", "Case 3"]


def test_a_page_takes_few_statements(program_of, carol, cases, django_assert_max_num_queries):
    program = program_of(carol)
    with django_assert_max_num_queries(12):
        told(program("GET", "/cases"))


def test_every_filter_narrows(program_of, agent, cases, workspace):
    member = Member.objects.get(user=agent)
    team = Team.objects.create(workspace=workspace, name="Support", slug="support")
    actions.assign_case(cases[1], owner=member, team=team, by=None, now=NOW)
    actions.tag_case(cases[2], add=["vip"], by=None, now=NOW)
    actions.set_priority(cases[3], priority="risk", by=None, now=NOW)
    actions.set_state(cases[4], state="resolved", by=None, now=NOW)
    program = program_of(agent)
    asked = {
        f"owner={member.pk}": ["Case 1"],
        f"team={team.pk}": ["Case 1"],
        f"owner=none&owner={member.pk}&tag=VIP": ["Case 2"],
        "owner=none&state=new": ["Case 3", "Case 0", "Case 2"],
        "priority=risk": ["Case 3"],
        "state=resolved": ["Case 4"],
        "q=assignee:me": ["Case 1"],
        "channel=mastodon": [],
    }
    assert {ask: titles(told(program("GET", f"/cases?{ask}"))) for ask in asked} == asked


@pytest.mark.parametrize("wrong", ["state=lost", "owner=bob", "after=3", "limit=0", "stat=new"])
def test_a_filter_that_cannot_be_is_refused(program_of, carol, cases, wrong):
    assert told(program_of(carol)("GET", f"/cases?{wrong}"), 422)["code"] == "invalid"


def test_a_query_over_cases_that_cannot_be_used_is_refused(program_of, carol, cases):
    assert told(program_of(carol)("GET", "/cases?q=state:lost"), 422)["code"] == "bad-query"


def test_a_case_is_read_with_history_and_why(program_of, carol, workspace):
    reason = {"assigned": {"skills": ["billing"], "lacking": ["billing"]}}
    case = opened(workspace, 1, reason=reason)
    step = {"node": "Q1", "question": "Alarm?", "answer": "no", "evidence": {"by": "person"}}
    Decision.objects.create(
        workspace=workspace,
        uid="email:x:1",
        case=case,
        path=[step],
        outcome="support",
        rules=[{"rule": 3, "version": 1}],
    )
    found = told(program_of(carol)("GET", "/cases/1"))
    assert (found["number"], found["version"], found["history"][0]["who"]) == ("1", case.version, "")
    assert found["assigned"]["words"] == "nobody with the skill “billing” is on shift"
    assert found["decisions"][0]["steps"][0]["words"] == "A person answered so."
    assert found["decisions"][0]["rules"] == [{"rule": "3", "version": 1}]


def test_a_case_is_changed_as_a_whole_with_its_history(program_of, agent, cases):
    member, case = Member.objects.get(user=agent), cases[0]
    given = {"version": case.version, "state": "open", "owner": str(member.pk), "priority": "risk", "why": "it burns"}
    changed = told(program_of(agent)("PATCH", "/cases/1", given))
    assert (changed["state"], changed["owner"], changed["priority"]) == ("open", str(member.pk), "risk")
    rows = CaseChange.objects.filter(case=case, by=agent, why="it burns")
    assert {row.what for row in rows} == {"state", "owner", "priority"}
    assert changed["version"] == Case.objects.get(pk=case.pk).version == case.version + 3


def test_who_saw_an_older_version_is_told_what_changed_and_changes_nothing(program_of, agent, cases):
    seen = cases[0].version
    actions.set_priority(cases[0], priority="low", by=agent, now=NOW)
    before = Case.objects.values().get(pk=cases[0].pk)
    for change in ({"state": "open"}, {"owner": None}, {"priority": "risk"}):
        stale = told(program_of(agent)("PATCH", "/cases/1", {"version": seen, **change}), 409)
        assert (stale["code"], stale["version"]) == ("stale", seen + 1)
        assert stale["changes"][0]["who"] == str(agent)
    assert Case.objects.values().get(pk=cases[0].pk) == before


def test_a_change_that_cannot_be_done_leaves_nothing_half_done(program_of, agent, cases):
    program, version = program_of(agent), cases[0].version
    actions.set_state(cases[0], state="resolved", by=None, now=NOW)
    actions.set_state(cases[0], state="closed", by=None, now=NOW)
    given = {"version": version + 2, "priority": "risk", "state": "waiting"}
    assert told(program("PATCH", "/cases/1", given), 422)["code"] == "refused"
    assert Case.objects.get(pk=cases[0].pk).priority == "service"


def test_a_snooze_needs_its_end(program_of, agent, cases):
    program, version = program_of(agent), cases[0].version
    for wrong in ({"state": "snoozed"}, {"snoozed_until": "2099-01-01T00:00:00Z"}):
        assert told(program("PATCH", "/cases/1", {"version": version, **wrong}), 422)["code"] == "invalid"
    given = {"version": version, "state": "snoozed", "snoozed_until": "2099-01-01T00:00:00Z"}
    assert told(program("PATCH", "/cases/1", given))["snoozed_until"] == "2099-01-01T00:00:00Z"


def test_a_note_tells_who_is_named_and_stands_on_the_case(program_of, agent, carol, cases):
    program = program_of(agent)
    handle = carol.email.partition("@")[0]
    made = told(program("POST", "/cases/1/notes", {"text": f"@{handle} look at this"}), 201)
    assert told(program("GET", "/cases/1"))["notes"] == [made]
    assert Member.objects.get(user=carol).notifications.get().kind == "mentioned"


def test_who_may_not_work_on_cases_changes_none_whatever_the_scopes(program_of, carol, cases):
    program = program_of(carol)
    for method, path, body in (
        ("PATCH", "/cases/1", {"version": 1, "state": "open"}),
        ("POST", "/cases/1/notes", {"text": "x"}),
    ):
        assert told(program(method, path, body), 403)["code"] == "not-allowed"
    assert not Note.objects.exists() and Case.objects.get(pk=cases[0].pk).state == "new"


def test_a_token_that_may_only_read_changes_nothing(program_of, agent, cases):
    program = program_of(agent, "cases:read")
    assert told(program("PATCH", "/cases/1", {"version": 1, "state": "open"}), 403)["code"] == "missing-scope"


def test_nothing_of_another_workspace_is_there(stranger, program_of, agent, dan, cases):
    assert told(stranger("GET", "/cases")) == {"cases": [], "after": None}
    Member.objects.filter(user=dan).update(role="administrator")
    for method, path, body in (
        ("GET", "/cases/1", None),
        ("PATCH", "/cases/1", {"version": 1, "state": "open"}),
        ("POST", "/cases/1/notes", {"text": "x"}),
    ):
        assert told(stranger(method, path, body), 404)["code"] == "not-found"
    theirs = Team.objects.create(workspace=cases[-1].workspace, name="Theirs", slug="theirs")
    foreign = Member.objects.get(user=dan)
    for named in ({"team": str(theirs.pk)}, {"owner": str(foreign.pk)}):
        given = {"version": cases[0].version, **named}
        assert told(program_of(agent)("PATCH", "/cases/1", given), 404)["code"] == "not-found"
