"""What programs change on the desk: people, drafts, snippets, rules, targets, ties; and what they never do."""

from datetime import timedelta

import pytest
from tests.conftest import NOW

from talkworthy.listening.models import Job
from talkworthy.people import actions as people_actions
from talkworthy.people.models import Person, PersonChange
from talkworthy.responding.models import ApprovalRule, Autonomy, Delivery, Draft
from talkworthy.routing import actions
from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.models import Case, Conversation, ConversationLink, EscalationStep, Message, Rule, Target
from talkworthy.workspaces.models import Member, Team

pytestmark = pytest.mark.django_db
PERSON = {"name": "Zoe", "basis": "interest", "basis_note": "Wrote to us", "retain_until": "2031-01-01T00:00:00Z"}


def told(answer, status=200):
    assert answer.status_code == status, answer.content
    return answer.json()


@pytest.fixture
def lead(workspace, bob):
    Member.objects.filter(user=bob).update(role="lead")
    return bob


@pytest.fixture
def program(program_of, lead):
    return program_of(lead)


@pytest.fixture
def case(workspace):
    return _case(workspace, 1)


def _case(workspace, number):
    talk = Conversation.objects.create(
        workspace=workspace, channel="mastodon", root=f"mastodon:x:{number}", first_at=NOW, last_at=NOW
    )
    Message.objects.create(workspace=workspace, conversation=talk, uid=talk.root, text="Broken", at=NOW, language="en")
    return actions.open_case(talk, title="Broken", by=None, now=NOW)[0]


@pytest.fixture
def machines_draft(workspace, case):
    """The class of the case lets a machine draft, and no more."""
    Case.objects.filter(pk=case.pk).update(outcome="support")
    return Autonomy.objects.update_or_create(workspace=workspace, outcome="support", defaults={"level": "draft"})[0]


# People


def test_a_record_is_kept_on_a_basis_and_changed_by_who_saw_the_newest(program, workspace):
    for missing in ("basis", "basis_note", "retain_until"):
        assert told(program("POST", "/people", {**PERSON, missing: ""}), 422)
    account = people_actions.identity_of(workspace, {"id": "z1", "handle": "zoe"}, "mastodon", now=NOW)
    made = told(program("POST", "/people", {**PERSON, "accounts": [str(account.pk)]}), 201)
    assert [one["handle"] for one in made["accounts"]] == ["zoe"]
    path = f"/people/{made['id']}"
    changed = told(program("PATCH", path, {"version": made["version"], "name": "Zoe Z", "why": "Told us"}))
    assert (changed["name"], changed["basis"]) == ("Zoe Z", "interest") and changed["version"] > made["version"]
    late = told(program("PATCH", path, {"version": made["version"], "name": "Late"}), 409)
    assert (late["code"], late["version"]) == ("stale", changed["version"])
    assert told(program("PATCH", path, {"version": changed["version"], "basis_note": " "}), 422)["code"] == "refused"
    assert told(program("PATCH", path, {"version": changed["version"], "retain_until": None}), 422)
    assert Person.objects.get().name == "Zoe Z"
    assert PersonChange.objects.filter(what="change person", why="Told us").count() == 1
    told(program("DELETE", path))
    assert program("GET", path).status_code == 404
    assert told(program("POST", f"{path}/restore"))["name"] == "Zoe Z"


def test_accounts_are_linked_and_records_merged_and_split_whole(program, workspace, stranger):
    account = people_actions.identity_of(workspace, {"id": "z1", "handle": "zoe"}, "mastodon", now=NOW)
    one, other = (told(program("POST", "/people", {**PERSON, "name": name}), 201)["id"] for name in ("Zoe", "Z."))
    assert told(program("PUT", f"/people/{one}/accounts/{account.pk}"))["accounts"][0]["handle"] == "zoe"
    assert told(program("POST", f"/people/{one}/known", {"name": "email", "value": "z@x.org", "source": "mail"}))
    assert told(program("POST", f"/people/{one}/roles", {"role": "customer", "source": "contract"}))["roles"] == [
        "customer"
    ]
    merged = told(program("POST", f"/people/{one}/merge", {"into": other, "why": "Same mail"}))
    assert (merged["id"], merged["parts"], len(merged["known"])) == (other, [one], 1)
    assert told(program("POST", f"/people/{one}/merge", {"into": other}), 422)["code"] == "refused"
    split = told(program("POST", f"/people/{one}/split", {"never_again": True}))
    assert (split["id"], len(split["accounts"]), split["parts"]) == (one, 1, [])
    assert told(program("POST", f"/people/{one}/merge", {"into": other}), 422)["code"] == "refused"
    assert program("DELETE", f"/people/{other}/accounts/{account.pk}").status_code == 404
    assert told(program("DELETE", f"/people/{one}/accounts/{account.pk}"))["accounts"] == []
    assert stranger("PATCH", f"/people/{one}", {"version": 1, "name": "Mine"}).status_code == 404
    assert stranger("POST", f"/people/{one}/split", {}).status_code == 404


# Drafts


def test_a_program_drafts_only_where_a_machine_may(program, case, workspace):
    answer = program("POST", f"/cases/{case.number}/drafts", {"text": "Turn it off and on."})
    assert told(answer, 422)["code"] == "refused" and not Draft.objects.exists()
    Autonomy.objects.update_or_create(workspace=workspace, outcome="", defaults={"level": "suggest"})
    assert program("POST", f"/cases/{case.number}/drafts", {"text": "Turn it off."}).status_code == 422
    assert not Draft.objects.exists()


def test_what_a_program_wrote_is_a_machines_and_is_never_sent_by_it(program, case, machines_draft, lead, workspace):
    made = told(program("POST", f"/cases/{case.number}/drafts", {"text": "Turn it off and on."}), 201)
    assert (made["state"], made["made_by"], made["in_reply_to"]) == ("writing", "program test", "mastodon:x:1")
    path = f"/drafts/{made['id']}"
    changed = told(program("PATCH", path, {"version": 1, "text": "Turn it off and on again."}))
    assert changed["version"] == 2
    assert told(program("PATCH", path, {"version": 1, "text": "Late"}), 409)["version"] == 2
    asked = told(program("POST", f"{path}/ask"))
    assert asked["state"] == "approved" and not Delivery.objects.exists()
    for verb in ("send", "schedule", "approve"):
        assert program("POST", f"{path}/{verb}", {}).status_code == 404
    assert told(program("DELETE", path))["state"] == "dropped"
    assert told(program("POST", f"{path}/restore"))["state"] == "writing"
    assert [one["id"] for one in told(program("GET", f"/cases/{case.number}/drafts"))["drafts"]] == [made["id"]]


def test_rules_of_approval_for_machines_hold_and_the_owner_of_the_token_does_not_approve(
    program, case, machines_draft, lead, workspace, client_of
):
    ApprovalRule.objects.create(workspace=workspace, name="Machines", condition={"machine": True}, count=1)
    made = told(program("POST", f"/cases/{case.number}/drafts", {"text": "Turn it off."}), 201)
    assert told(program("POST", f"/drafts/{made['id']}/ask"))["state"] == "asked"
    client_of(lead).post(f"/acme/replies/drafts/{made['id']}/approve/", {"version": "1"})
    assert Draft.objects.get().state == "asked"


def test_a_level_that_was_taken_back_keeps_a_program_from_changing_a_draft(program, case, machines_draft):
    made = told(program("POST", f"/cases/{case.number}/drafts", {"text": "Turn it off."}), 201)
    Autonomy.objects.filter(pk=machines_draft.pk).update(level="observe")
    assert told(program("PATCH", f"/drafts/{made['id']}", {"version": 1, "text": "No."}), 422)["code"] == "refused"
    assert Draft.objects.get().text == "Turn it off."


def test_no_operation_sends(client):
    paths = client.get("/api/openapi.json").json()["paths"]
    assert not [path for path in paths if "send" in path or "schedule" in path or "deliver" in path]


def test_snippets_are_made_changed_deleted_and_brought_back(program, workspace):
    given = {"name": "Thanks", "shortcut": "thanks", "texts": {"en": "Thank you, {person.name}.", "de": "Danke."}}
    made = told(program("POST", "/snippets", given), 201)
    assert told(program("POST", "/snippets", given), 422)["code"] == "refused"
    assert told(program("POST", "/snippets", {**given, "shortcut": "x", "texts": {"en": "{nobody}"}}), 422)
    changed = told(program("PUT", f"/snippets/{made['id']}", {**given, "texts": {"en": "Thanks."}}))
    assert changed["texts"] == {"en": "Thanks."}
    told(program("DELETE", f"/snippets/{made['id']}"))
    assert told(program("GET", "/snippets"))["snippets"] == []
    assert told(program("POST", f"/snippets/{made['id']}/restore"))["name"] == "Thanks"


# Cases


def test_a_case_gets_tags_a_title_an_outcome_and_ties_as_one_change(program, case, workspace):
    other = _case(workspace, 2)
    actions.tag_case(case, add=["old", "vip"], by=None, now=NOW)
    case.refresh_from_db()
    body = {"version": case.version, "tags": ["#VIP", "router"], "title": "Router broken", "outcome": "support"}
    found = told(program("PATCH", f"/cases/{case.number}", body))
    assert (found["tags"], found["title"], found["outcome"]) == (["router", "vip"], "Router broken", "support")
    assert told(program("PATCH", f"/cases/{case.number}", {"version": case.version, "tags": []}), 409)
    tie = {"to": str(other.number), "kind": "repeats"}
    link = told(program("POST", f"/cases/{case.number}/links", tie), 201)
    assert told(program("POST", f"/cases/{case.number}/links", tie), 201)["id"] == link["id"]
    assert [one["kind"] for one in told(program("GET", f"/cases/{other.number}/links"))["links"]] == ["repeats"]
    told(program("DELETE", f"/cases/{case.number}/links/{link['id']}"))
    assert ConversationLink.objects.get().undone_at is not None
    assert program("DELETE", f"/cases/{case.number}/links/{link['id']}").status_code == 404
    number = other.conversations.get().pk
    assert len(told(program("PUT", f"/cases/{case.number}/conversations/{number}"))["conversations"]) == 2


def test_a_case_is_opened_on_a_post_once(program, filled, lead):
    made = told(program("POST", "/cases", {"post": "feed:example.org:1"}), 201)
    assert made["owner"] == str(Member.objects.get(user=lead).pk)
    assert told(program("POST", "/cases", {"post": "feed:example.org:1"}))["number"] == made["number"]
    assert program("POST", "/cases", {"post": "feed:example.org:99"}).status_code == 404


# Rules and targets


def test_rules_are_placed_deleted_brought_back_and_refused_where_somebody_was_faster(program, workspace):
    names = ["One", "Two", "Three"]
    made = {
        name: told(program("POST", "/rules", {"name": name, "condition": "x", "effects": [{"do": "open_case"}]}), 201)[
            "id"
        ]
        for name in names
    }
    placed = told(program("PUT", f"/rules/{made['Three']}/place", {"place": 1}))["rules"]
    assert [rule["name"] for rule in placed] == ["Three", "One", "Two"]
    placed = told(program("PUT", f"/rules/{made['Three']}/place", {"place": 99}))["rules"]
    assert [rule["name"] for rule in placed] == ["One", "Two", "Three"]
    told(program("PATCH", f"/rules/{made['One']}", {"version": 1, "condition": "y"}))
    late = told(program("PATCH", f"/rules/{made['One']}", {"version": 1, "condition": "z"}), 409)
    assert (late["code"], late["version"]) == ("stale", 2)
    told(program("DELETE", f"/rules/{made['One']}"))
    assert program("GET", f"/rules/{made['One']}").status_code == 404
    assert told(program("POST", f"/rules/{made['One']}/restore"))["on"] is False


def test_a_replay_is_started_and_its_differences_are_read_page_by_page(program, filled, stranger, lead):
    draft = {"name": "All", "condition": "acme", "effects": [{"do": "open_case"}]}
    assert told(program("POST", "/replays", {"draft": {**draft, "condition": "("}}), 422)["code"] == "bad-query"
    job = told(program("POST", "/replays", {"draft": draft, "days": 7}), 202)
    from tests.routing.test_replaying import ended

    ended(filled)
    found = told(program("GET", f"/replays/{job['id']}"))
    assert found["state"] == "done" and found["found"]["different"] > 2
    first = told(program("GET", f"/replays/{job['id']}/differences?limit=2"))
    assert (len(first["differences"]), first["after"]) == (2, 2)
    rest = told(program("GET", f"/replays/{job['id']}/differences?after=2"))
    assert len(rest["differences"]) == found["found"]["different"] - 2 and rest["after"] is None
    assert stranger("GET", f"/replays/{job['id']}").status_code == 404
    assert not Case.objects.exists() and not Rule.objects.exists()
    assert Job.objects.filter(kind="replay").count() == 1


def test_targets_are_set_by_class_with_steps_and_come_back(program, workspace, lead):
    given = {"classes": {"risk": {"first_answer": 30, "around_the_clock": True}, "low": {"first_answer": 480}}}
    [risk, low] = told(program("PUT", "/targets", given))["targets"]
    assert (risk["priority"], risk["around_the_clock"], low["first_answer"]) == ("risk", True, 480)
    assert program("PUT", "/targets", {"classes": {"risk": {"first_answer": 0}}}).status_code == 422
    step = told(program("POST", f"/targets/{risk['id']}/steps", {"minutes": 10, "does": "inform"}), 201)
    assert told(program("POST", f"/targets/{risk['id']}/steps", {"minutes": 10, "does": "inform", "team": "1"}), 404)
    [kept] = told(program("PUT", "/targets", {"classes": {"risk": {}}}))["targets"]
    assert kept["priority"] == "low"
    back = told(program("POST", "/targets/restore", {"ids": [risk["id"]]}))["targets"]
    assert [one["id"] for one in back[0]["steps"]] == [step["id"]]
    told(program("DELETE", f"/targets/steps/{step['id']}"))
    assert EscalationStep.objects.get().deleted_at is not None
    assert told(program("POST", f"/targets/steps/{step['id']}/restore"))["minutes"] == 10
    team = Team.objects.create(workspace=workspace, name="Support", slug="support")
    own = {"team": str(team.pk), "classes": {"low": {"first_answer": 60}}}
    assert told(program("PUT", "/targets", own))["team"] == str(team.pk)
    assert len(told(program("GET", "/targets"))["targets"]) == 2 and Target.objects.count() == 3


# Who may


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/people", "people:write"),
        ("POST", "/cases/1/drafts", "drafts:write"),
        ("POST", "/snippets", "drafts:write"),
        ("DELETE", "/rules/1", "rules:write"),
        ("PUT", "/targets", "rules:write"),
        ("POST", "/replays", "rules:write"),
        ("POST", "/cases", "cases:write"),
    ],
)
def test_a_token_without_the_scope_or_a_member_without_the_right_changes_nothing(
    program_of, lead, carol, workspace, method, path, scope
):
    without = told(program_of(lead, "posts:read")(method, path, {}), 403)
    assert (without["code"], without["scope"]) == ("missing-scope", scope)
    Member.objects.filter(user=carol).update(role="viewer")
    assert told(program_of(carol)(method, path, {}), 403)["code"] == "not-allowed"


def test_what_was_read_is_not_sent_twice(program, case):
    first = program("GET", f"/cases/{case.number}")
    program.headers["If-None-Match"] = first.headers["ETag"]
    again = program("GET", f"/cases/{case.number}")
    assert (again.status_code, again.content) == (304, b"")
    actions.set_priority(case, priority="risk", by=None, now=NOW + timedelta(minutes=1))
    assert program("GET", f"/cases/{case.number}").status_code == 200


def test_a_playbook_of_the_workspace_alone_is_tried(program, workspace):
    playbook_of(workspace, now=NOW)
    assert program("POST", "/replays", {"version": 7}).status_code == 404
    assert told(program("POST", "/replays", {"version": 1}), 202)["kind"] == "replay"
