"""A case opened by hand, and a node of triage answered otherwise."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from tests.conftest import NOW

from talkworthy.listening.stores import archive_of
from talkworthy.routing.actions.opening import open_by_hand, override_node, undo_override
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.actions.rules import create_rule, switch_rule
from talkworthy.routing.arriving import look_at_arrivals
from talkworthy.routing.joining import posts_stored
from talkworthy.routing.models import Case, Decision, Message, Override
from talkworthy.workspaces.models import Member, User, Workspace


@pytest.fixture
def post(filled: Workspace) -> dict[str, Any]:
    """A post of Acme's archive."""
    found = archive_of(filled).get("feed:example.org:1")
    assert found is not None
    return dict(found)


@pytest.fixture
def decision(filled: Workspace, post: dict[str, Any]) -> Decision:
    """What triage said of it: it asks for help."""
    rule = create_rule(filled, name="All", condition="acme", effects=[{"do": "triage"}], by=None, now=NOW)
    switch_rule(rule, on=True, by=None, now=NOW)
    archive = archive_of(filled)
    posts = archive.named([post["uid"]])
    posts_stored(filled, posts, posts.slice(0, 0), [], NOW)
    look_at_arrivals(now=NOW)
    return Decision.objects.select_related("playbook").get(uid=post["uid"])


def test_a_case_opened_by_hand_is_mine_and_once(filled: Workspace, post: dict[str, Any], bob: User) -> None:
    member = Member.objects.get(user=bob)
    first, is_new = open_by_hand(filled, post, by=member, now=NOW)
    second, again = open_by_hand(filled, post, by=member, now=NOW)
    assert (is_new, again, first) == (True, False, second)
    assert (first.owner, Message.objects.get().text) == (member, post["text"])


def test_who_may_not_work_on_cases_opens_none(
    filled: Workspace, post: dict[str, Any], carol: User, client_of: Callable[[User], Client]
) -> None:
    assert client_of(carol).post(f"/acme/routing/open/{post['id']}/").status_code == 403
    assert not Case.objects.exists()


def test_an_answer_that_would_open_no_case_leaves_the_class_of_the_work_that_is_left(
    decision: Decision, alice: User
) -> None:
    assert decision.case is not None
    was = decision.case.priority
    override_node(decision, node="Q2", answer="other", by=alice, now=NOW)
    decision.refresh_from_db()
    case = Case.objects.get(pk=decision.case_id)
    assert (decision.outcome, decision.priority) == ("no_action", "")
    assert (case.outcome, case.priority) == ("no_action", was)


def test_another_answer_changes_the_way_the_case_and_is_kept_as_a_label(decision: Decision, alice: User) -> None:
    assert decision.case is not None
    override_node(decision, node="Q1", answer="yes", why="they bleed", by=alice, now=NOW)
    decision.refresh_from_db()
    case = Case.objects.get(pk=decision.case_id)
    assert (decision.outcome, case.outcome, case.priority) == ("escalate_crisis", "escalate_crisis", "risk")
    assert decision.path[0]["evidence"]["by"] == "person"
    label = Override.objects.get()
    assert (label.node, label.old, label.new, label.by) == ("Q1", "no", "yes", alice)


def test_an_answer_taken_back_lets_the_playbook_answer_again(decision: Decision, alice: User) -> None:
    was = (decision.outcome, decision.priority)
    override = override_node(decision, node="Q1", answer="yes", by=alice, now=NOW)
    undo_override(override, by=alice, now=NOW)
    decision.refresh_from_db()
    assert (decision.outcome, decision.priority) == was
    assert Case.objects.get(pk=decision.case_id).priority == was[1]


@pytest.mark.parametrize(("node", "answer"), [("Q77", "yes"), ("Q1", "perhaps")])
def test_an_answer_that_the_playbook_does_not_know_is_refused(
    decision: Decision, alice: User, node: str, answer: str
) -> None:
    with pytest.raises(Refused):
        override_node(decision, node=node, answer=answer, by=alice, now=NOW)
    assert not Override.objects.exists()


def test_the_page_of_the_case_offers_the_other_answers(
    decision: Decision, alice: User, client_of: Callable[[User], Client]
) -> None:
    assert decision.case is not None
    page = client_of(alice).get(f"/acme/cases/{decision.case.number}/").content.decode()
    assert "Answer otherwise" in page
    client_of(alice).post(f"/acme/routing/decisions/{decision.pk}/override/", {"node": "Q1", "answer": "yes"})
    assert Override.objects.get().new == "yes"
