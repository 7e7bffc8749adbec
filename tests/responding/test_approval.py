"""Which rules hold of a draft, whose word counts, and when it is enough."""

import pytest

from talkworthy.responding.approval import (
    Approver,
    BadCondition,
    DraftFacts,
    Rule,
    Word,
    check_condition,
    may_approve,
    rules_for,
    standing,
)

PUBLIC = DraftFacts(visibility="public", priority="service", channel="mastodon", outcome="support")
FRANK, ERIN, ALICE = Approver(1, False), Approver(2, True, frozenset({5})), Approver(3, True)
ANY = Rule(id=1, name="Every answer")
LEGAL = Rule(id=2, name="Legal", condition={"priority": ["risk"]}, team=5)
WRITERS = frozenset({1})


def test_a_rule_without_a_condition_holds_of_everything():
    assert rules_for([ANY, LEGAL], PUBLIC) == (ANY,)


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"visibility": ["public", "unlisted"]}, True),
        ({"visibility": ["private"]}, False),
        ({"visibility": []}, True),
        ({"channel": ["mastodon"], "priority": ["risk"]}, False),
        ({"machine": True}, False),
        ({"machine": False, "outcome": ["support"]}, True),
    ],
)
def test_every_part_of_a_condition_must_hold(condition, holds):
    assert bool(rules_for([Rule(id=1, name="", condition=condition)], PUBLIC)) == holds


@pytest.mark.parametrize("condition", [{"visbility": ["public"]}, {"channel": "mastodon"}, {"machine": "yes"}])
def test_a_misspelt_condition_is_refused_because_it_would_let_everything_through(condition):
    with pytest.raises(BadCondition):
        check_condition(condition)


def test_without_a_rule_nobody_must_approve():
    assert standing([], [], version=1, writers=WRITERS).enough


def test_one_approval_is_enough_for_a_rule_that_asks_for_one():
    assert standing([ANY], [Word(ERIN, 1, True)], version=1, writers=WRITERS).enough


def test_two_are_needed_where_a_rule_says_so_and_the_same_person_counts_once():
    two = Rule(id=3, name="Two", count=2)
    words = [Word(ERIN, 1, True), Word(ERIN, 1, True)]
    assert standing([two], words, version=1, writers=WRITERS).lacking[0].missing == 1
    assert standing([two], [*words, Word(ALICE, 1, True)], version=1, writers=WRITERS).enough


def test_an_approval_of_an_earlier_version_counts_for_nothing():
    assert not standing([ANY], [Word(ERIN, 1, True)], version=2, writers=WRITERS).enough


def test_nobody_approves_what_they_wrote_where_the_rule_asks_for_another():
    assert not may_approve(ERIN, [ANY], frozenset({2}))
    assert not standing([ANY], [Word(ERIN, 1, True)], version=1, writers=frozenset({2})).enough
    alone = Rule(id=4, name="Oneself", by_another=False)
    assert standing([alone], [Word(ERIN, 1, True)], version=1, writers=frozenset({2})).enough


def test_a_word_of_somebody_who_may_not_approve_does_not_count():
    assert not standing([ANY], [Word(FRANK, 1, True)], version=1, writers=frozenset({9})).enough


def test_a_rule_of_a_team_is_met_by_its_members_alone():
    assert not standing([LEGAL], [Word(ALICE, 1, True)], version=1, writers=WRITERS).enough
    assert standing([LEGAL], [Word(ERIN, 1, True)], version=1, writers=WRITERS).enough


def test_one_approval_serves_several_rules():
    assert standing([ANY, LEGAL], [Word(ERIN, 1, True)], version=1, writers=WRITERS).enough


def test_one_no_keeps_it_back_whatever_the_others_said():
    words = [Word(ALICE, 1, True), Word(ERIN, 1, False)]
    found = standing([ANY], words, version=1, writers=WRITERS)
    assert not found.enough and found.refused_by == (2,)
