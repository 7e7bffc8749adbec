"""States and the ways between them."""

import pytest

from talkworthy.states.graph import Graph, NoWay

DOOR = Graph(
    "door", "open", {"open": frozenset({"shut"}), "shut": frozenset({"open", "bricked"}), "bricked": frozenset()}
)


def test_a_step_along_a_way_is_the_new_state() -> None:
    assert DOOR.step("open", "shut") == "shut"


def test_a_step_without_a_way_is_refused_and_says_which_ways_there_are() -> None:
    with pytest.raises(NoWay, match="from open it goes to shut") as refused:
        DOOR.step("open", "bricked")
    assert refused.value.ways == frozenset({"shut"})


def test_a_state_without_a_way_out_is_an_end() -> None:
    assert DOOR.ends == frozenset({"bricked"})


def test_a_way_to_a_state_that_is_not_declared_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="not declared: ajar"):
        Graph("door", "open", {"open": frozenset({"ajar"})})


def test_a_state_that_nothing_leads_to_is_refused_when_it_is_read() -> None:
    with pytest.raises(ValueError, match="no way leads to lost"):
        Graph("door", "open", {"open": frozenset(), "lost": frozenset({"open"})})
