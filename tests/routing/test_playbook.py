"""Trees as teams write them: what can be followed, what cannot, and how two differ."""

from typing import Any

import pytest

from talkworthy.routing.playbook import BadPlaybook, default_tree, differences
from talkworthy.routing.triage import known


def faults(tree: dict[str, Any]) -> str:
    """What is wrong with a tree."""
    with pytest.raises(BadPlaybook) as refused:
        known(tree)
    return str(refused.value)


def test_the_default_tree_can_be_followed() -> None:
    playbook = known(default_tree())
    assert playbook.start == "Q1"
    assert playbook.outcomes["support"].opens


def test_a_way_to_nowhere_is_refused() -> None:
    tree = default_tree()
    tree["nodes"]["Q1"]["answers"]["no"]["to"] = "Q77"
    assert "Q1.no: leads to Q77, which is not there" in faults(tree)


def test_a_way_that_comes_back_is_refused() -> None:
    tree = default_tree()
    tree["nodes"]["Q8"]["answers"]["no"]["to"] = "Q6"
    assert "would go round for ever" in faults(tree)


def test_a_node_that_nothing_leads_to_is_refused() -> None:
    tree = default_tree()
    tree["nodes"]["Q2"]["answers"]["rival"]["to"] = tree["nodes"]["Q2"]["answers"]["field"]["to"] = "learn_only"
    assert "Q2a: no way leads to it" in faults(tree)


@pytest.mark.parametrize("name", ["delete", "remove_post", "hide-it"])
def test_there_is_no_outcome_that_deletes(name: str) -> None:
    tree = default_tree()
    tree["outcomes"][name] = {"title": "Away with it", "opens": False, "answers": False}
    assert f"{name}: no outcome removes what somebody said" in faults(tree)


def test_an_answer_that_an_asker_may_give_must_be_there() -> None:
    tree = default_tree()
    del tree["nodes"]["Q4"]["answers"]["unknown"]
    tree["nodes"]["Q4"]["otherwise"] = "true"
    assert "Q4: truth may answer unknown, which the node lacks" in faults(tree)


def test_a_query_with_a_fault_is_refused_with_its_place() -> None:
    tree = default_tree()
    tree["nodes"]["Q4"]["answers"]["false"]["when"] = "sells AND ("
    assert "Q4.false:" in faults(tree)


def test_an_asker_that_is_not_there_is_refused_and_the_others_are_named() -> None:
    tree = default_tree()
    tree["nodes"]["Q1"]["ask"] = "oracle"
    assert "asks oracle, which is not there; there are advice" in faults(tree)


def test_otherwise_must_be_an_answer() -> None:
    tree = default_tree()
    tree["nodes"]["Q1"]["otherwise"] = "maybe"
    assert "Q1: otherwise must be one of its answers: yes, no" in faults(tree)


def test_all_faults_are_told_at_once() -> None:
    tree = default_tree()
    tree["start"] = "Q0"
    tree["outcomes"]["answer"]["autonomy"] = "reign"
    told = faults(tree)
    assert "start: must name a node" in told
    assert "answer: autonomy must be one of" in told


@pytest.mark.parametrize("tree", [{}, {"nodes": []}, {"nodes": {"Q1": None}}, {"start": "Q1", "nodes": {"Q1": {}}}])
def test_a_tree_of_another_shape_is_refused_not_failed_on(tree: dict[str, Any]) -> None:
    assert faults(tree)


def test_differences_name_the_place_and_both_words() -> None:
    old, new = default_tree(), default_tree()
    new["nodes"]["Q4"]["otherwise"] = "true"
    del new["outcomes"]["thank"]
    found = differences(old, new)
    assert ("nodes.Q4.otherwise", "unknown", "true") in found
    assert ("outcomes.thank.title", "Thank", None) in found


def test_an_outcome_names_the_skills_that_it_asks_for() -> None:
    tree = default_tree()
    tree["outcomes"]["support"]["skills"] = [" Routers ", "routers", "law"]
    assert known(tree).outcomes["support"].skills == ("routers", "law")


@pytest.mark.parametrize("skills", ["routers", [7], [""], ["x" * 61], ["a", {}], [str(n) for n in range(11)]])
def test_skills_that_cannot_be_read_are_a_fault(skills: object) -> None:
    tree = default_tree()
    tree["outcomes"]["support"]["skills"] = skills
    assert "skills" in faults(tree)
