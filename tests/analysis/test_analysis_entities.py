"""Names in posts: whole, where they stand, of their kind, with what spoke for them; and of a batch as of each post."""

import pytest

from talkworthy.analysis.entities import GROUPS, KINDS, LABELS, entities, look, spans, spelling, tagger, tokens
from talkworthy.analysis.registry import model


@pytest.mark.parametrize(
    ("text", "name", "kind"),
    [
        ("Just saw Barack Obama speaking on the news", "Barack Obama", "person"),
        ("My flight to New York is late again", "New York", "place"),
        ("We moved from Germany in May", "Germany", "place"),
        ("New phone from Samsung arrived today", "Samsung", "organisation"),
    ],
)
def test_a_name_is_read_whole_and_by_its_kind(text: str, name: str, kind: str):
    found = entities([text])[0]
    assert [(entity.text, entity.kind) for entity in found] == [(name, kind)]
    assert text[found[0].start : found[0].end] == name
    assert 0 < found[0].probability <= 1
    assert found[0].because
    assert {what for what, _ in found[0].because} <= set(GROUPS)


@pytest.mark.parametrize(
    "text", ["", "the weather is nice today", "@somebody see https://example.org/London #Berlin?", "12 %"]
)
def test_what_holds_no_name_has_none(text: str):
    assert [entity.text for entity in entities([text])[0] if "Berlin" not in entity.text] == []


def test_the_names_of_a_post_do_not_depend_on_its_neighbours():
    texts = ["I met Angela Merkel in Berlin", "", "nothing here", "Google and Apple, again", "NEW YORK IS LOUD"]
    assert entities(texts) == [entities([text])[0] for text in texts]


def test_a_higher_limit_leaves_out_what_is_less_sure():
    texts = ["I met Angela Merkel in Berlin with someone from Acme"]
    found = entities(texts, sure=0)[0]
    most = max(entity.probability for entity in found)
    assert entities(texts, sure=most)[0] == [entity for entity in found if entity.probability >= most]


def test_account_names_and_links_are_one_word_each():
    cut = [word for word, _, _ in tokens("@some.body's U.S. trip, don't www.example.org/a?b !")]
    assert cut == ["@some.body", "'s", "U.S.", "trip", ",", "don", "'t", "www.example.org/a?b", "!"]


def test_an_inner_part_of_another_kind_begins_a_name():
    labels = [LABELS.index(label) for label in ("B-person", "I-person", "I-place", "O", "I-place")]
    assert spans(labels) == [(0, 2, "person"), (2, 3, "place"), (4, 5, "place")]


def test_spellings_tell_capitals_from_small_letters():
    assert [spelling(form) for form in ("Berlin", "UN", "iPhone", "r2d2", "@a", "3G")] == [
        "Xx+", "X+", "xXx+", "x0x0", "@", "0X",
    ]  # fmt: skip


def test_a_place_of_several_words_is_looked_up_inside_one_text_alone():
    held = tagger().lists
    near = look([["new", "york"]], held).places
    apart = look([["new"], ["york"]], held).places
    assert not all((one == other).all() for one, other in zip(near, apart, strict=True))


def test_the_card_states_f1_on_posts_that_were_not_learned_from():
    stated = {score.data: score for score in model("entities").scores if score.measure == "F1"}
    assert stated["Broad Twitter Corpus, test part (section F)"].value >= 55
    assert stated["WNUT 2017 emerging entities, test part"].value >= 30
    assert model("entities").labels == KINDS
