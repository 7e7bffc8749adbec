"""Why a post matches or not, what to mark in it, and which part of it to show."""

from talkworthy.query import Matcher, compile_query, excerpt, explain, highlights
from talkworthy.query.explain import post_batch


def test_an_explanation_says_which_terms_stand_where() -> None:
    said = explain("refund AND (never OR slow)", {"text": "Never got my refund"})
    assert said.matches
    assert said.failed == ()
    hits = [(hit.field, hit.start, hit.end, hit.text) for branch in said.root.branches for hit in _all_hits(branch)]
    assert hits == [("text", 13, 19, "refund"), ("text", 0, 5, "Never")]


def _all_hits(branch):  # type: ignore[no-untyped-def]
    return [*branch.hits, *(hit for below in branch.branches for hit in _all_hits(below))]


def test_an_explanation_names_the_branch_that_failed() -> None:
    said = explain("acme AND (refund OR money) NOT late", {"text": "acme is late"})
    assert not said.matches
    assert [branch.text for branch in said.failed] == ["refund", "money", "late"]


def test_what_is_unknown_is_told_from_what_is_wrong() -> None:
    said = explain("acme -authorVerified:true", {"text": "acme!"})
    assert not said.matches
    assert [(branch.text, branch.verdict) for branch in said.failed] == [("authorVerified:true", None)]
    assert "unknown" in str(said)


def test_an_explanation_as_json_holds_plain_values() -> None:
    assert explain("acme", {"text": "acme"}).as_json() == {
        "matches": True,
        "failed": [],
        "query": {
            "text": "acme",
            "verdict": True,
            "hits": [{"field": "text", "start": 0, "end": 4, "text": "acme"}],
            "branches": [],
        },
    }


def test_marks_are_offsets_into_the_original_text() -> None:
    text = "Ünïcode ﬁne: O’Reilly’s Café İs 東京タワー 👨‍👩‍👧 #Launch"
    post = {"text": text}
    for query, marked in [
        ("cafe", "Café"),
        ("is", "İs"),
        ("東京", "東京"),
        ("👨‍👩‍👧", "👨‍👩‍👧"),
        ("launch", "#Launch"),
        ("o'reilly's", "O’Reilly’s"),
        ("fine", "ﬁne"),
    ]:
        ((name, start, end),) = highlights(query, post)
        assert (name, text[start:end]) == ("text", marked)


def test_only_what_takes_part_in_a_near_is_marked() -> None:
    text = "staff apart. Complain to the staff, far away from any other staff"
    marks = highlights("complain* NEAR/3 staff", {"text": text})
    assert [text[start:end] for _, start, end in marks] == ["staff", "Complain", "staff"]
    assert [start for _, start, _ in marks] == [0, 13, 29]


def test_what_is_excluded_and_what_does_not_match_is_not_marked() -> None:
    assert highlights("acme NOT late", {"text": "acme is fine"}) == [("text", 0, 4)]
    assert highlights("acme NOT late", {"text": "acme is late"}) == []
    assert highlights("(acme AND refund) OR fine", {"text": "acme is fine"}) == [("text", 8, 12)]


def test_words_of_a_window_and_of_a_sentence_are_marked() -> None:
    text = "Dies so quickly, this battery"
    assert [text[a:b] for _, a, b in highlights('"battery dies"~3', {"text": text})] == ["Dies", "battery"]
    text = "It was late. The refund was late. Bye refund"
    assert [text[a:b] for _, a, b in highlights("SENTENCE(late refund)", {"text": text})] == ["refund", "late"]


def test_titles_are_marked_before_texts() -> None:
    assert highlights("acme", {"title": "acme", "text": "an acme"}) == [("title", 0, 4), ("text", 3, 7)]


def test_an_excerpt_shows_the_heaviest_terms() -> None:
    text = "apple " + "word " * 60 + "juice " + "word " * 60 + "cider"
    shown = excerpt("apple OR juice^5 OR cider", {"text": text}, 60)
    assert "juice" in shown.text
    assert len(shown.text) <= 62
    assert [shown.text[start:end] for start, end in shown.marks] == ["juice"]
    assert shown.text.startswith("…")
    assert shown.text.endswith("…")


def test_an_excerpt_of_a_short_text_is_the_text() -> None:
    shown = excerpt("acme", {"text": "an acme"})
    assert (shown.field, shown.text, shown.marks) == ("text", "an acme", ((3, 7),))


def test_an_excerpt_falls_back_to_the_title_and_to_the_beginning() -> None:
    assert excerpt("acme", {"title": "acme", "text": "nothing"}).field == "title"
    assert excerpt("acme", {"text": "nothing " * 50}, 20).text == "nothing nothing…"


def test_matchers_grow_and_shrink_without_touching_the_old_one() -> None:
    matcher = Matcher({"a": compile_query("acme")})
    grown = matcher.with_query("b", compile_query("late"))
    posts = post_batch({"text": "acme is late"})
    assert matcher.match(posts).names(0) == ["a"]
    assert grown.match(posts).names(0) == ["a", "b"]
    assert grown.without("a").match(posts).names(0) == ["b"]


def test_matches_hold_rows_and_keys_in_order() -> None:
    matches = Matcher({"a": compile_query("acme"), "b": compile_query("late")}).match(post_batch({"text": "late acme"}))
    assert matches.row_indices.tolist() == [0, 0]
    assert matches.key_positions.tolist() == [0, 1]
    assert list(matches.by_row()) == [["a", "b"]]
    assert len(matches) == 2


def test_blank_lines_are_folded_in_an_excerpt_and_marks_stay_on_their_words() -> None:
    post = {"text": "Acme one.\n\n \n\nIt is slow\n\tindeed.  \n\nAcme\r\n\r\nagain"}
    found = excerpt('acme OR "slow indeed acme"', post)
    assert found.text.replace("\r", "") == "Acme one.\nIt is slow\n\tindeed.\nAcme\nagain"
    assert [found.text[start:end] for start, end in found.marks] == ["Acme", "slow\n\tindeed.\nAcme"]
