"""Markdown from outside."""

import time

import pytest

from talkworthy.connectors.markdown import RENDERED_CHARACTERS, rendered
from talkworthy.connectors.markup import plain


def test_tags_are_words_or_tags_as_the_channel_has_it():
    assert rendered("<b>*a*</b>") == "<p>&lt;b&gt;<em>a</em>&lt;/b&gt;</p>\n"
    assert rendered("<b>*a*</b>", html=True) == "<p><b><em>a</em></b></p>\n"


@pytest.mark.parametrize(
    "evil", ["[a](javascript:alert(1))", "<img src=x onerror=alert(1)>", "<script>alert(1)</script>"]
)
def test_nothing_that_runs_is_left(evil: str):
    made = rendered(evil, html=True)
    assert "<script" not in made and "onerror" not in made and 'href="javascript' not in made


def test_a_very_long_text_keeps_all_its_words():
    words = "*a* line\n" * 5_000
    text = plain(rendered(words))
    assert text.count("line") == 5_000
    assert text.startswith("a line") and text.endswith("*a* line")


def test_tables_and_struck_words_are_known():
    assert "<td>1</td>" in rendered("|a|\n|-|\n|1|") and "<s>x</s>" in rendered("~~x~~")


def test_the_empty_string_is_no_paragraph():
    assert rendered("") == ""


@pytest.mark.parametrize("piece", ["[", "![](", "*a ", "`", "> ", "<"])
def test_an_evil_text_takes_no_longer_than_its_beginning(piece: str):
    begun = time.perf_counter()
    rendered(piece * (10 * RENDERED_CHARACTERS // len(piece)))
    assert time.perf_counter() - begun < 10
