"""A few examples say what belongs: yes, no or undecided, with the nearest of them."""

import pytest

from talkworthy.analysis.belonging import FEWEST, Belonging
from talkworthy.analysis.registry import model

BELONG = (
    "my parcel has still not arrived, where is my delivery",
    "the courier lost my package, delivery is late again",
    "delivery of my order is a week late, the parcel is nowhere",
)
OTHERS = tuple(
    f"{who} {what}"
    for who in ("my neighbour", "the singer", "our teacher", "this newspaper")
    for what in ("paints the kitchen", "scored twice tonight", "cannot log in", "talks about taxes", "bakes bread")
)
LIKE = "still waiting for my package, the delivery never arrived"


def test_what_is_like_the_examples_belongs_and_names_the_nearest():
    head = Belonging(BELONG, (), OTHERS)
    verdict, other = head.read([LIKE, "great concert last night, loved the band"])
    assert verdict.belongs and other.belongs is False
    assert verdict.probability > other.probability
    place, alike = verdict.nearest[0]
    assert place < len(BELONG) and 0 < alike <= 1
    assert "delivery" in head.words(LIKE, place)


def test_an_example_that_does_not_belong_pulls_what_is_like_it_away():
    text = "the package was delivered to the wrong house by the courier"
    plain = Belonging(BELONG, (), OTHERS).read([text])[0]
    taught = Belonging(BELONG, ("the courier delivered a package to the wrong house",), OTHERS).read([text])[0]
    assert taught.probability < plain.probability
    assert taught.belongs is not True


def test_a_post_is_not_judged_by_itself_where_it_stands_among_the_others():
    beside = Belonging(BELONG, (), OTHERS).read([LIKE])[0]
    among = Belonging(BELONG, (), (*OTHERS, LIKE)).read([LIKE])[0]
    assert among.probability == pytest.approx(beside.probability, abs=0.02)


def test_a_verdict_does_not_depend_on_what_else_is_asked():
    head = Belonging(BELONG, (), OTHERS)
    alone, beside = head.read([LIKE])[0], head.read(["bread", LIKE])[1]
    assert alone.nearest == beside.nearest
    assert alone.probability == pytest.approx(beside.probability, abs=1e-4)


def test_texts_without_words_belong_to_nothing():
    assert [verdict.belongs for verdict in Belonging(BELONG, (), OTHERS).read(["", "?!"])] == [False, False]
    assert Belonging(BELONG, (), OTHERS).read([]) == []


def test_fewer_than_three_examples_are_refused():
    with pytest.raises(ValueError, match="2 examples belong; 3 are needed"):
        Belonging(BELONG[: FEWEST - 1])


def test_the_card_states_f1_by_the_number_of_examples():
    stated = {score.data: score.value for score in model("belonging").scores if score.measure == "F1"}
    assert stated["BANKING77, 77 intents, 5 examples each"] >= 50
    assert stated["BANKING77, 77 intents, 20 examples each"] >= 60
