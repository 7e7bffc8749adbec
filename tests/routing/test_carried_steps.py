"""Steps of escalation that rules and outcomes of a playbook give to a case."""

from datetime import timedelta

import pytest
from tests.conftest import NOW
from tests.routing.test_arriving import arrive, frank, look, post, rule, team  # noqa: F401 - fixtures
from tests.routing.test_playbook_pages import fields_of
from tests.routing.test_replaying import replayed

from talkworthy.notifying.models import Notification
from talkworthy.routing import actions
from talkworthy.routing.actions.opening import override_node
from talkworthy.routing.actions.playbooks import activate_version, playbook_of, save_version
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.actions.rules import change_rule, create_rule
from talkworthy.routing.actions.steps import add_step, carry_steps
from talkworthy.routing.escalating import escalate_due
from talkworthy.routing.models import (
    Case,
    CaseChange,
    Decision,
    Escalation,
    EscalationStep,
    Message,
    PlaybookVersion,
    Rule,
    Target,
)
from talkworthy.routing.playbook import BadPlaybook
from talkworthy.routing.steps import Step
from talkworthy.workspaces.models import Member, TeamMember, Workspace

pytestmark = pytest.mark.django_db


def after(minutes):
    return NOW + timedelta(minutes=minutes)


def pending(case):
    """The minutes after the opening at which further steps are due."""
    rows = Escalation.objects.filter(case=case, done_at=None)
    return [(row.due_at - NOW) // timedelta(minutes=1) for row in rows]


@pytest.fixture
def escalating(rule, frank):  # noqa: F811
    """The rule of routers tells Frank after 20 minutes; the class has a step of its own."""
    target = Target.objects.create(workspace=rule.workspace, priority="service", first_answer=480)
    add_step(target, after="unanswered", minutes=60, does="raise", by=None, now=NOW - timedelta(days=1))
    step = {"minutes": 20, "does": "inform", "member": frank.pk}
    return change_rule(rule, effects=[*rule.effects, {"do": "escalate", "step": step}], by=None, now=NOW)


def version_with(workspace, outcome, rows, by=None):
    """A playbook whose outcome escalates so, followed from now on."""
    playbook = playbook_of(workspace, now=NOW)
    tree = {**playbook.active.tree}
    tree["outcomes"] = {**tree["outcomes"], outcome: {**tree["outcomes"][outcome], "escalation": rows}}
    version = save_version(playbook, tree=tree, note="", seen=playbook.active.version, by=by, now=NOW)
    activate_version(version, by=by, now=NOW)
    return version


def test_a_case_carries_the_steps_of_its_rule_besides_those_of_its_class(filled, escalating, frank):  # noqa: F811
    arrive(filled, post(1), post(2, "Acme is fine"))
    look()
    case = Case.objects.get()
    assert pending(case) == [20, 60]
    escalate_due(now=after(21))
    assert Notification.objects.filter(member=frank, kind="missed").count() == 1
    assert EscalationStep.objects.get(case=case).origin == {"rules": ["Router"]}
    assert CaseChange.objects.get(case=case, what="steps").new == "20 min without an answer: Tell Frank"


def test_a_second_mention_of_the_thread_gives_no_step_twice(filled, escalating):
    arrive(filled, post(1), post(3, "still my router", in_reply_to=post(1)["uid"]))
    look()
    assert EscalationStep.objects.filter(case=Case.objects.get()).count() == 1


def test_a_rule_that_holds_later_counts_from_then_on(case, agents):
    step = Step(15, "reassign", team=agents.pk)
    carry_steps(case, [step], origin={"rules": ["Lawyer"]}, by=None, now=after(180))
    assert pending(case) == [195]
    answer = Message.objects.create(
        workspace=case.workspace, conversation=case.conversations.get(), uid="a", direction="outward", at=after(185)
    )
    actions.messages.note_message(case, answer, now=after(185))
    assert pending(case) == []


def test_the_outcome_of_a_playbook_escalates_and_another_outcome_takes_its_steps_away(filled, rule, alice):  # noqa: F811
    Rule.objects.filter(pk=rule.pk).update(effects=[{"do": "triage"}])
    arrive(filled, post(0, "My Acme router is broken, please help"))
    look()
    outcome = Decision.objects.get().outcome
    version_with(
        filled, outcome, [{"minutes": 10, "does": "reassign", "team": "support"}, {"minutes": 30, "does": "raise"}]
    )
    arrive(filled, post(1, "Another Acme router is broken, please help"))
    look()
    decision = Decision.objects.latest("pk")
    assert decision.outcome == outcome and pending(decision.case) == [10, 30]
    escalate_due(now=after(11))
    for step in decision.path:
        answers = decision.playbook.tree["nodes"].get(step["node"], {"answers": {}})["answers"]
        leaf = next((name for name, told in answers.items() if told["to"] not in (outcome, step["to"])), None)
        if leaf:
            override_node(decision, node=step["node"], answer=leaf, by=alice, now=after(12))
            break
    decision.refresh_from_db()
    assert decision.outcome != outcome
    assert pending(decision.case) == []
    assert Escalation.objects.filter(case=decision.case, done_at__isnull=False).count() == 1  # what it did stays


def test_a_step_names_who_is_here_and_may_work_on_cases(workspace, carol, team):  # noqa: F811
    Member.objects.filter(user=carol).update(role="viewer")
    viewer = Member.objects.get(user=carol)
    stranger = Member.objects.create(workspace=Workspace.objects.create(name="E", slug="e"), user=carol, role="agent")
    for step in (
        {"minutes": 5, "does": "reassign", "member": viewer.pk},
        {"minutes": 5, "does": "inform", "member": stranger.pk},
        {"minutes": 5, "does": "reassign", "team": team.pk + 1},
    ):
        with pytest.raises(Refused):
            create_rule(
                workspace, name="R", condition="x", effects=[{"do": "escalate", "step": step}], by=None, now=NOW
            )
    with pytest.raises(BadPlaybook):
        version_with(workspace, "support", [{"minutes": 5, "does": "reassign", "team": "nobody"}])
    with pytest.raises(BadPlaybook):
        version_with(workspace, "support", [{"minutes": 5, "does": "inform", "team": "support"}])
    assert not Rule.objects.filter(name="R").exists()


def test_a_replay_counts_steps_and_shows_what_a_changed_step_would_alter(filled, escalating, frank):  # noqa: F811
    arrive(filled, post(1), post(2, "Acme is fine"))
    look()
    assert replayed(filled, now=after(5))["different"] == 0
    Case.objects.update(first_answered_at=after(30))
    found = replayed(filled, now=after(90))
    assert [(row["mentions"], row["judged"], row["cases"]) for row in found["steps"]] == [(1, 1, 1), (1, 1, 0)]
    draft = Rule.objects.get(pk=escalating.pk)
    draft.effects = [*draft.effects[:-1], {"do": "escalate", "step": {"minutes": 45, "does": "inform"}}]
    found = replayed(filled, draft, now=after(90))
    [row] = found["differences"]
    assert row["was"]["steps"] == [{"minutes": 20, "does": "inform", "member": frank.pk}]
    assert row["would"]["steps"] == [{"minutes": 45, "does": "inform"}]


def test_a_replay_counts_the_steps_of_an_outcome_that_is_tried(filled, rule):  # noqa: F811
    Rule.objects.filter(pk=rule.pk).update(effects=[{"do": "triage"}])
    arrive(filled, post(0, "My Acme router is broken, please help"))
    look()
    version_with(filled, Decision.objects.get().outcome, [{"minutes": 10, "does": "raise"}])
    found = replayed(filled)
    assert (found["different"], [row["mentions"] for row in found["steps"]]) == (1, [1])


@pytest.fixture
def lead(workspace, bob):
    """Bob, who leads agents here."""
    Member.objects.filter(user=bob).update(role="lead")
    return bob


def test_steps_are_written_in_the_editor_of_a_rule_and_said_in_words(client_of, lead, team, workspace):  # noqa: F811
    page = client_of(lead)
    told = {
        "name": "Broken",
        "condition": "broken",
        "do": ["open_case", "escalate_reassign", "escalate_inform", "escalate_raise"],
        "to": ["", f"team:{team.pk}", "lead", ""],
        "tag": ["", "", "", ""],
        "minutes": ["", "60", "30", "90"],
        "after": ["unanswered", "silent", "unanswered", "unanswered"],
    }
    wrong = page.post("/acme/routing/rules/new/", {**told, "minutes": ["", "", "30", "90"]})
    assert wrong.status_code == 422 and "Say after how many minutes." in wrong.content.decode()
    wrong = page.post("/acme/routing/rules/new/", {**told, "do": ["open_case", "escalate_inform", "", ""]})
    assert wrong.status_code == 422 and "Members are told, not teams" in wrong.content.decode()
    assert page.post("/acme/routing/rules/new/", told).status_code == 302
    made = Rule.objects.get(name="Broken")
    assert made.effects[1:] == [
        {"do": "escalate", "step": {"minutes": 60, "does": "reassign", "after": "silent", "team": team.pk}},
        {"do": "escalate", "step": {"minutes": 30, "does": "inform"}},
        {"do": "escalate", "step": {"minutes": 90, "does": "raise"}},
    ]
    words = page.get(f"/acme/routing/rules/{made.pk}/").content.decode()
    assert "escalate: give it to Support after 60 min with an owner who has not begun" in words
    assert "escalate: tell whoever leads the team after 30 min without an answer" in words
    editor = page.get(f"/acme/routing/rules/{made.pk}/edit/").content.decode()
    assert 'value="escalate_reassign" selected' in editor and 'value="60"' in editor


def test_steps_are_written_in_the_editor_of_a_playbook_line_by_line(client_of, lead, playbook, team):  # noqa: F811
    page = client_of(lead)
    data = fields_of(playbook.active.tree)
    place = data["outcome-name"].index("support")
    lines = data.setdefault("outcome-escalation", [""] * len(data["outcome-name"]))
    lines[place] = "30 inform\n15 silent reassign team:support\n90 raise"
    assert page.post("/acme/routing/playbook/1/edit/", data).status_code == 302
    saved = PlaybookVersion.objects.get(version=2)
    assert saved.tree["outcomes"]["support"]["escalation"] == [
        {"minutes": 30, "does": "inform"},
        {"minutes": 15, "does": "reassign", "after": "silent", "team": "support"},
        {"minutes": 90, "does": "raise"},
    ]
    assert "15 silent reassign team:support" in page.get("/acme/routing/playbook/2/edit/").content.decode()
    assert "15 silent reassign team:support" in page.get("/acme/routing/playbook/2/").content.decode()
    lines[place] = "soon inform team:support"
    refused = page.post("/acme/routing/playbook/2/edit/", {**data, "seen": "2"})
    assert refused.status_code == 422 and "soon inform team:support" in refused.content.decode()


def test_the_case_says_what_gave_it_a_step(client_of, bob, agents, case, workspace):
    TeamMember.objects.filter(member__user=bob).update(is_lead=True)
    carry_steps(case, [Step(20, "inform")], origin={"rules": ["Router"]}, by=None, now=NOW)
    words = client_of(bob).get(f"/acme/cases/{case.number}/").content.decode()
    assert "Tell whoever leads the team" in words and "by the rule “Router”" in words
