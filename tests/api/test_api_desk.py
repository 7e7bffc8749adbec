"""Conversations, people and rules, as programs read and change them."""

import pytest
from tests.conftest import NOW

from talkworthy.people import actions as people_actions
from talkworthy.routing import actions
from talkworthy.routing.models import Conversation, Message, Rule, RuleVersion, Wording
from talkworthy.workspaces.models import Member

pytestmark = pytest.mark.django_db
EFFECTS = [{"do": "open_case"}, {"do": "tag", "tag": "router"}]


@pytest.fixture
def case(workspace):
    """A case with one message that was edited."""
    talk = Conversation.objects.create(
        workspace=workspace, channel="mastodon", root="mastodon:x:1", first_at=NOW, last_at=NOW
    )
    said = Message.objects.create(workspace=workspace, conversation=talk, uid=talk.root, text="Broken", at=NOW)
    Wording.objects.create(message=said, text="Wonky", until=NOW)
    return actions.open_case(talk, title="Broken", by=None, now=NOW)[0]


@pytest.fixture
def lead(workspace, bob):
    Member.objects.filter(user=bob).update(role="lead")
    return bob


def test_a_case_leads_to_its_conversations_and_their_messages(program_of, alice, case, stranger):
    program = program_of(alice, "cases:read")
    [listed] = program("GET", f"/cases/{case.number}/conversations").json()["conversations"]
    held = program("GET", f"/conversations/{listed['id']}").json()
    assert (held["messages"][0]["text"], held["messages"][0]["wordings"][0]["text"]) == ("Broken", "Wonky")
    assert held["cases"] == [str(case.number)]
    assert stranger("GET", f"/conversations/{listed['id']}").status_code == 404
    assert program_of(alice, "posts:read")("GET", f"/conversations/{listed['id']}").status_code == 403


def test_people_are_found_and_one_is_told_whole(program_of, alice, carol, workspace, stranger):
    basis = {"basis": "interest", "basis_note": "They wrote to us", "retain_until": NOW.replace(year=2031)}
    account = people_actions.identity_of(workspace, {"id": "z1", "handle": "zoe"}, "mastodon", now=NOW)
    held = people_actions.create_person(workspace, name="Zoe", **basis, identities=[account], by=alice, now=NOW)
    for name in ("Yan", "Xeno"):
        people_actions.create_person(workspace, name=name, **basis, by=alice, now=NOW)
    program = program_of(alice, "people:read")
    first = program("GET", "/people?limit=2").json()
    assert [one["name"] for one in first["people"]] == ["Xeno", "Yan"] and first["after"] == 2
    second = program("GET", "/people?limit=2&after=2").json()
    assert [one["accounts"][0]["handle"] for one in second["people"]] == ["zoe"] and second["after"] is None
    assert program("GET", "/people?q=zo%22").status_code == 422
    assert program("GET", f"/people/{held.pk}").json()["name"] == "Zoe"
    assert stranger("GET", f"/people/{held.pk}").status_code == 404
    Member.objects.filter(user=carol).update(role="viewer")
    assert program_of(carol)("GET", "/people").status_code == 403


def test_rules_are_made_off_changed_by_version_and_switched(program_of, lead, carol, stranger):
    program = program_of(lead, "rules:read", "rules:write")
    made = program("POST", "/rules", {"name": "Router", "condition": "router", "effects": EFFECTS})
    assert made.status_code == 201 and made.json()["on"] is False
    rule = made.json()["id"]
    assert program("PUT", f"/rules/{rule}/on", {"on": True}).json()["on"] is True
    changed = program("PATCH", f"/rules/{rule}", {"version": 1, "condition": "router OR modem"}).json()
    assert (changed["version"], changed["name"], changed["on"]) == (2, "Router", True)
    assert program("PATCH", f"/rules/{rule}", {"version": 1, "name": "Late"}).status_code == 409 or (
        Rule.objects.get().name == "Router"
    )
    assert RuleVersion.objects.count() == 2
    assert [one["fault"] for one in program("GET", "/rules").json()["rules"]] == [""]
    assert program("GET", f"/rules/{rule}").json()["effects"] == EFFECTS
    assert stranger("GET", f"/rules/{rule}").status_code == 404
    assert program_of(carol)("PUT", f"/rules/{rule}/on", {"on": False}).status_code == 403


@pytest.mark.parametrize(
    "wrong", [{"condition": "("}, {"effects": []}, {"effects": [{"do": "fly"}]}, {"name": " "}, {"other": 1}]
)
def test_a_rule_that_is_wrong_is_refused_with_what_to_change(program_of, lead, wrong):
    given = {"name": "Router", "condition": "router", "effects": EFFECTS, **wrong}
    answer = program_of(lead)("POST", "/rules", given)
    assert 400 <= answer.status_code < 500 and not Rule.objects.exists()
