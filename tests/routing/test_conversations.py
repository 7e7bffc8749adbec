"""Posts are put together whatever the order in which they come."""

from itertools import permutations

from talkworthy.routing.conversations import Place, assemble

ROOT = Place("root")
FIRST = Place("first", parent="root", root="root")
SECOND = Place("second", parent="first", root="root")
OTHER = Place("other")


def groups(places, **more):
    found = assemble(places, held=more.pop("held", {}), **more)
    return sorted(sorted(group.uids) for group in found)


def test_a_thread_is_one_conversation_in_every_order():
    for places in permutations([ROOT, FIRST, SECOND, OTHER]):
        assert groups(places) == [["first", "root", "second"], ["other"]]


def test_two_answers_to_a_post_that_was_never_collected_belong_together():
    assert groups([Place("a", parent="gone"), Place("b", parent="gone"), OTHER]) == [["a", "b"], ["other"]]


def test_mails_are_tied_by_any_of_their_references():
    assert groups([Place("a"), Place("c", references=("a", "b")), Place("d", references=("b",))]) == [["a", "c", "d"]]


def test_a_late_post_shows_that_two_conversations_are_one_and_the_oldest_goes_on():
    bridge = Place("bridge", parent="one", references=("two",))
    [group] = assemble([bridge], held={"one": [7], "two": [3], "decoy": [1]})
    assert group.conversations == (3, 7)


def test_the_root_moves_up_when_an_earlier_post_arrives():
    [group] = assemble([Place("middle", parent="top")], held={"middle": [5]}, roots={5: "middle"})
    assert group.root == "top"
    [group] = assemble([Place("last", parent="middle")], held={"middle": [5]}, roots={5: "top"})
    assert group.root == "top"


def test_posts_that_answer_each_other_in_a_ring_come_to_an_end():
    assert groups([Place("a", parent="b"), Place("b", parent="a")]) == [["a", "b"]]
