from talkworthy.listening.cards import excerpted, marked, within


def test_marks_stand_around_words_and_everything_else_is_escaped():
    assert marked("<b>a & b", [(3, 4)]) == "&lt;b&gt;<mark>a</mark> &amp; b".replace("&gt;<mark>a", "&gt;<mark>a")


def test_marks_that_overlap_are_one():
    assert marked("abcd", [(0, 2), (1, 3)]) == "<mark>abc</mark>d"


def test_a_short_text_has_no_excerpt():
    assert excerpted("short", []) == ""


def test_the_excerpt_of_a_long_text_shows_what_was_found_late_in_it():
    text = "word " * 400 + "needle in the hay " + "word " * 100
    at = text.index("needle")
    assert "<mark>needle</mark>" in excerpted(text, [(at, at + 6)])


def test_spans_are_cut_to_the_piece_that_is_shown():
    assert within([(0, 4), (8, 20)], 2, 10) == [(0, 2), (6, 8)]


def test_a_post_of_many_short_lines_is_folded_and_its_blank_lines_too():
    text = "\n\n \n".join(f"line {n}" for n in range(200))
    assert excerpted(text, [(0, 4)]) == "<mark>line</mark> 0" + "".join(f"\nline {n}" for n in range(1, 8)) + " …"


def test_eight_lines_are_no_long_post():
    assert excerpted("\n\n".join("line" for _ in range(8)), []) == ""
