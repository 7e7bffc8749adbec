"""Reports: cut into title, opening, body and questions with every word at its place, and read part by part."""

import numpy as np

from talkworthy.analysis import reports
from talkworthy.analysis.reasons import why
from talkworthy.analysis.registry import model
from talkworthy.analysis.tiers import score_one

CRASH = """Crash when the window is closed
<!-- Please describe the bug -->
The app crashes with an error every time.
```
Traceback: index out of range
```
Steps to reproduce: open, close."""
WISH = "Add a dark theme\nIt would be nice to have a dark theme, please add an option for it."
ASKED = "How do I change the font?\nIs there a way to change the font? I could not find it in the documentation."


def test_every_word_of_a_part_stands_where_it_stood():
    title, opening, body, _ = reports.parts(CRASH)
    assert (title.text, title.start) == ("Crash when the window is closed", 0)
    for part in (opening, body):
        place = part.start + part.text.index("crashes")
        assert CRASH[place : place + 7] == "crashes"
    assert opening.text.startswith("The app")
    assert len(body.text) == len(CRASH) - body.start


def test_neither_comments_of_a_template_nor_code_are_read():
    read = " ".join(part.text for part in reports.parts(CRASH))
    assert "describe" not in read
    assert "Traceback" not in read
    assert reports.CODE.strip() in read


def test_a_comment_or_a_block_that_is_not_closed_reaches_to_the_end():
    assert reports.parts("a\nb <!-- c d")[2].text.strip() == "b"
    assert reports.parts("a\nb ```\nc d\n e f g h")[2].text.split() == ["b", "codeblock"]


def test_what_is_asked_is_a_part_and_stands_where_it_stood():
    asked = reports.parts(ASKED)[3]
    assert " ".join(asked.text.split()) == "How do I change the font? Is there a way to change the font?"
    assert asked.text.index("Is there") == ASKED.index("Is there")
    assert not reports.parts(CRASH)[3].text.strip()


def test_a_report_without_a_body_is_its_title():
    assert [part.text for part in reports.parts("It crashes")] == ["It crashes", "", "", " " * 11]
    chances, _ = score_one(reports.NAME, ["", "It crashes"])
    assert np.isfinite(chances).all()


def test_a_bug_a_wish_and_a_question_are_told_apart():
    chances, _ = score_one(reports.NAME, [CRASH, WISH, ASKED])
    assert [model(reports.NAME).labels[place] for place in chances.argmax(axis=1)] == ["bug", "feature", "question"]


def test_what_the_parts_say_is_added_up():
    scorer = reports.report_scorer()
    labels = model(reports.NAME).labels
    said = [
        head.bias + cues @ head.cues
        for head, texts in zip(scorer.heads, reports.CUT.together([WISH]), strict=True)
        for cues in [_cues(texts)]
    ]
    words = [sum(held.weight for held in scorer.weigh(WISH, place)) for place in range(len(labels))]
    grown = np.exp(np.sum(said, axis=0)[0] + words)
    np.testing.assert_allclose(scorer.score([WISH])[reports.NAME][0], grown / grown.sum(), atol=1e-3)


def test_the_reason_of_a_report_points_into_it():
    title, _, body = WISH.partition("\n")
    reason = why({"title": title, "text": body}, reports.NAME)
    assert reason.answer == "feature"
    assert all(WISH[held.start : held.end] == held.what for held in reason.evidence)
    assert {"Add", "add"} & {held.what for held in reason.evidence if held.weight > 0}


def _cues(texts: list[str]) -> np.ndarray:
    from talkworthy.analysis import reading
    from talkworthy.analysis.scoring import rarity

    return reading.design(texts, rarity())[1]
