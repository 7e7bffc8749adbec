"""The pages of rules."""

import pytest
from tests.conftest import NOW

from talkworthy.routing.actions import rules as actions
from talkworthy.routing.models import Arrival, Decision, Rule
from talkworthy.workspaces.models import Member, Team, Workspace

pytestmark = pytest.mark.django_db
PAGE = "/acme/routing/rules/"


@pytest.fixture
def lead(workspace, bob):
    """Bob, who leads agents here."""
    Member.objects.filter(user=bob).update(role="lead")
    return bob


@pytest.fixture
def support(workspace):
    return Team.objects.create(workspace=workspace, name="Support", slug="support")


@pytest.fixture
def rule(workspace, support, lead):
    effects = [{"do": "open_case"}, {"do": "assign_team", "team": support.pk}, {"do": "tag", "tag": "router"}]
    return actions.create_rule(workspace, name="Router", condition="router", effects=effects, by=lead, now=NOW)


def fields(**more):
    return {"name": "Router", "condition": "router", "do": ["open_case"], "to": [""], "tag": [""], **more}


def test_an_empty_page_offers_the_starter_rule_and_makes_it_switched_off(client_of, lead, carol, workspace):
    assert "Begin with this rule" not in client_of(carol).get(PAGE).content.decode()
    assert "Begin with this rule" in client_of(lead).get(PAGE).content.decode()
    client_of(lead).post(f"{PAGE}start/")
    made = Rule.objects.get()
    assert (made.condition, made.enabled) == (actions.STARTER["condition"], False)


def test_the_list_says_in_words_what_each_rule_does_and_did_in_few_statements(
    client_of, rule, carol, workspace, django_assert_max_num_queries
):
    other = Rule.objects.create(
        workspace=workspace, name="Broken", condition="(", effects=[{"do": "triage"}], position=9
    )
    elsewhere = Workspace.objects.create(name="Elsewhere", slug="elsewhere")
    Rule.objects.create(workspace=elsewhere, name="Theirs", condition="x", effects=[])
    for number in range(5):
        held = [{"rule": rule.pk, "version": 1, "effects": []}]
        Decision.objects.create(workspace=workspace, uid=f"u{number}", rules=held)
    client = client_of(carol)
    with django_assert_max_num_queries(14):
        page = client.get(PAGE).content.decode()
    assert all(said in page for said in ("open a case", "give it to the team Support", "tag it “router”", ">5<"))
    assert "It cannot be followed" in page and "Theirs" not in page
    assert page.index("Router") < page.index(other.name)
    assert "Switch on" not in page


@pytest.mark.parametrize("act", ["switch", "move", "delete", "restore", "edit"])
def test_whoever_may_not_edit_routing_is_refused(client_of, rule, carol, act):
    assert client_of(carol).post(f"{PAGE}{rule.pk}/{act}/", {"on": "1", "way": "up"}).status_code == 403
    assert client_of(carol).get(f"{PAGE}{rule.pk}/").status_code == 200


@pytest.mark.parametrize("act", ["new", "start", "again"])
def test_whoever_may_not_edit_routing_adds_nothing(client_of, carol, workspace, act):
    assert client_of(carol).post(f"{PAGE}{act}/", fields()).status_code == 403
    assert not Rule.objects.exists()


def test_a_rule_of_another_workspace_is_not_there(client_of, rule, dan):
    assert client_of(dan).get(f"/elsewhere/routing/rules/{rule.pk}/").status_code == 404


def test_a_rule_is_saved_switched_off_with_its_effects_in_order(client_of, lead, support, workspace):
    member = Member.objects.get(user=lead)
    rows = fields(
        do=["open_case", "", "assign_team", "inform", "priority", "tag", "need_skill"],
        to=["", "", f"team:{support.pk}", f"member:{member.pk}", "priority:risk", "", ""],
        tag=["", "", "", "", "", "Router", "Billing"],
        stops="on",
    )
    client_of(lead).post(f"{PAGE}new/", rows)
    made = Rule.objects.get()
    assert made.effects == [
        {"do": "open_case"},
        {"do": "assign_team", "team": support.pk},
        {"do": "inform", "member": member.pk},
        {"do": "priority", "priority": "risk"},
        {"do": "tag", "tag": "Router"},
        {"do": "need_skill", "skill": "Billing"},
    ]
    assert (made.enabled, made.stops, made.version) == (False, True, 1)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "A rule needs a name."),
        ({"condition": "(router"}, "aria-invalid"),
        ({"condition": ""}, "Say when it holds."),
        ({"do": [""]}, "A rule needs at least one effect."),
        ({"do": ["assign_team"], "to": ["member:1"]}, "Choose a team."),
        ({"do": ["assign_team"], "to": ["team:99999"]}, "Choose a team."),
        ({"do": ["notify"]}, "Choose a member."),
        ({"do": ["priority"], "to": ["priority:best"]}, "Choose a class."),
        ({"do": ["tag"]}, "Write the tag."),
        ({"do": ["need_skill"]}, "Write the skill."),
        ({"do": ["dance"]}, "Choose what is done."),
    ],
)
def test_what_is_wrong_is_said_at_its_place_and_nothing_is_lost(client_of, lead, workspace, wrong, said):
    answer = client_of(lead).post(f"{PAGE}new/", fields(**wrong))
    assert answer.status_code == 422 and said in answer.content.decode()
    assert not Rule.objects.exists()


def test_more_rows_come_without_saving(client_of, lead, workspace):
    page = client_of(lead).post(f"{PAGE}new/", fields(more="1", do=["open_case", "triage"])).content.decode()
    assert page.count('name="do"') == 4 and not Rule.objects.exists()


def test_a_change_is_a_new_version_and_an_old_one_can_be_begun_from(client_of, rule, lead):
    client_of(lead).post(f"{PAGE}{rule.pk}/edit/", fields(condition="modem", seen="1"))
    rule.refresh_from_db()
    assert (rule.version, rule.condition) == (2, "modem")
    page = client_of(lead).get(f"{PAGE}{rule.pk}/edit/?version=1").content.decode()
    assert ">router</textarea>" in page and 'name="seen" value="2"' in page
    assert "modem" in client_of(lead).get(f"{PAGE}{rule.pk}/").content.decode()


def test_a_rule_that_somebody_else_changed_is_not_overwritten(client_of, rule, lead):
    actions.change_rule(rule, condition="modem", by=None, now=NOW)
    answer = client_of(lead).post(f"{PAGE}{rule.pk}/edit/", fields(condition="cable", seen="1"))
    assert answer.status_code == 422 and Rule.objects.get().condition == "modem"


def test_the_condition_is_checked_as_it_is_typed(client_of, carol, filled):
    said = client_of(carol).post(f"{PAGE}check/", {"condition": "crashes"}).content.decode()
    assert "posts found" in said
    assert "posts found" not in client_of(carol).post(f"{PAGE}check/", {"condition": "(crashes"}).content.decode()


def test_a_rule_is_switched_moved_deleted_and_brought_back(client_of, rule, lead, workspace):
    second = actions.create_rule(workspace, name="B", condition="b", effects=[{"do": "triage"}], by=None, now=NOW)
    client = client_of(lead)
    client.post(f"{PAGE}{rule.pk}/switch/", {"on": "1"})
    client.post(f"{PAGE}{second.pk}/move/", {"way": "up"})
    assert [(held.name, held.enabled) for held in Rule.objects.all()] == [("B", False), ("Router", True)]
    page = client.post(f"{PAGE}{rule.pk}/delete/", follow=True).content.decode()
    assert f"{PAGE}{rule.pk}/restore/" in page and client.get(f"{PAGE}{rule.pk}/").status_code == 404
    client.post(f"{PAGE}{rule.pk}/restore/")
    rule.refresh_from_db()
    assert (rule.deleted_at, rule.enabled) == (None, False)


def test_what_was_set_aside_stands_with_its_error_and_is_looked_at_again(client_of, lead, workspace):
    for uid, attempts in (("a", 3), ("b", 3), ("c", 0)):
        Arrival.objects.create(workspace=workspace, uid=uid, post_id=1, attempts=attempts, error="ValueError: odd")
    page = client_of(lead).get(PAGE).content.decode()
    assert "2 mentions were set aside" in page and "ValueError: odd" in page
    client_of(lead).post(f"{PAGE}again/", {"uid": "a"})
    assert Arrival.objects.filter(attempts=3).count() == 1
    client_of(lead).post(f"{PAGE}again/")
    assert not Arrival.objects.filter(attempts=3).exists()
