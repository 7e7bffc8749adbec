"""The effects of rules, put together."""

import pytest

from talkworthy.query import parse
from talkworthy.routing.rules import (
    BadEffect,
    RoutingPlan,
    Ruling,
    kept_effect,
    plan,
    read_effects,
    sources_named,
)
from talkworthy.routing.telling import bad_effect_words


def ruling(number, *effects, stops=False):
    return Ruling(number, 1, read_effects(effects), stops)


def test_no_rule_opens_nothing():
    assert plan([]) == RoutingPlan()


def test_later_rules_add_tags_and_overrule_the_team():
    found = plan(
        [
            ruling(1, {"do": "open_case"}, {"do": "tag", "tag": " Router "}, {"do": "assign_team", "team": 1}),
            ruling(2, {"do": "tag", "tag": "router"}, {"do": "tag", "tag": "vip"}, {"do": "assign_team", "team": 2}),
        ]
    )
    assert (found.opens, found.tags, found.team) == (True, ("router", "vip"), 2)


def test_a_rule_that_stops_keeps_later_ones_from_being_looked_at():
    found = plan([ruling(1, {"do": "open_case"}, stops=True), ruling(2, {"do": "priority", "priority": "risk"})])
    assert found.priority == ""
    assert [one.rule for one in found.rules] == [1]


def test_a_person_and_the_owner_of_a_touchpoint_overrule_each_other():
    owner, person = {"do": "assign_touchpoint_owner"}, {"do": "assign_member", "member": 4}
    assert plan([ruling(1, owner), ruling(2, person)]).touchpoint_owner is False
    assert plan([ruling(1, person), ruling(2, owner)]).member is None


@pytest.mark.parametrize(
    "row",
    [
        {"do": "delete"},
        {"do": "priority", "priority": "urgent"},
        {"do": "tag"},
        {"do": "open_case", "team": 1},
        {"do": "assign_team", "team": "support"},
        {},
    ],
)
def test_an_effect_that_cannot_be_carried_out_is_refused(row):
    with pytest.raises(BadEffect):
        read_effects([row])


def test_the_sources_that_a_condition_names_are_known():
    found = sources_named(parse("source:source-7 OR (acme AND source:(source-8 OR source-9))", stage="search"))
    assert found == {"source-7", "source-8", "source-9"}
    assert sources_named(parse("acme", stage="search")) == frozenset()


def test_skills_that_rules_ask_for_add_up():
    found = plan(
        [ruling(1, {"do": "need_skill", "skill": " Billing "}), ruling(2, {"do": "need_skill", "skill": "law"})]
    )
    assert found.skills == ("billing", "law")


@pytest.mark.parametrize("skill", ["", "  ", 7, ["billing"], "x" * 61])
def test_a_skill_that_nobody_can_have_is_refused(skill):
    with pytest.raises(BadEffect):
        read_effects([{"do": "need_skill", "skill": skill}])


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ({"do": "fly"}, "“fly” is none of: open_case"),
        ({"do": "triage", "team": 1}, "triage does not take: team."),
        ({"do": "tag"}, "tag needs: tag."),
        ({"do": "assign_team", "team": "x"}, "assign_team takes the number of a team, not “x”."),
        ({"do": "notify", "member": "x"}, "notify takes the number of a member, not “x”."),
        ({"do": "need_skill", "skill": 7}, "need_skill takes one skill of at most 60 characters, not “7”."),
        ({"do": "priority", "priority": "x"}, "“x” is none of: risk"),
    ],
)
def test_what_is_wrong_with_an_effect_is_said_in_words(effect, words):
    with pytest.raises(BadEffect) as said:
        read_effects([effect])
    assert bad_effect_words(said.value).startswith(words)


STEP = {"minutes": 30, "does": "inform", "member": 4}


def test_steps_of_several_rules_add_up_each_once_and_are_kept_with_the_decision():
    other = {"minutes": 60, "does": "reassign", "team": 2, "after": "silent"}
    found = plan(
        [
            ruling(1, {"do": "escalate", "step": STEP}),
            ruling(2, {"do": "escalate", "step": dict(STEP)}, {"do": "escalate", "step": other}),
        ]
    )
    assert [step.as_json() for step in found.steps] == [STEP, other]
    kept = [kept_effect(effect) for row in found.as_json() for effect in row["effects"]]
    assert [effect.value for effect in kept] == [found.steps[0], *found.steps]


@pytest.mark.parametrize(
    "more",
    [
        {"minutes": 0},
        {"minutes": "soon"},
        {"does": "delete"},
        {"does": "raise"},
        {"team": 1},
        {"does": "inform", "member": None, "team": 1},
        {"after": "never"},
        {"member": "bob@example.org"},
        {"note": "x"},
    ],
)
def test_a_step_that_cannot_be_taken_is_refused_in_words(more):
    with pytest.raises(BadEffect) as refused:
        read_effects([{"do": "escalate", "step": {**STEP, **more}}])
    assert bad_effect_words(refused.value)
