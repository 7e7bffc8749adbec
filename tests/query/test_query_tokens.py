"""Words, signs, links and folding; the quick paths give what the general one gives."""

import csv
import gzip
import io
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from talkworthy.query import folded, folded_all, tokens

CASES = [
    ("O'Reilly’s", ["o'reilly's"]),
    ("co-op", ["co", "op"]),
    ("Straße", ["strasse"]),
    ("İstanbul", ["istanbul"]),
    ("ｆｕｌｌ ﬁn", ["full", "fin"]),
    ("3.14 1,000 v2.0 a.b", ["3.14", "1,000", "v2.0", "a.b"]),
    ("e.g. U.S.A.", ["e.g", "u.s.a"]),
    ("_ a_b __c", ["a_b", "__c"]),
    ("#Launch ##x a#b", ["#launch", "#x", "a", "b"]),
    ("@acme me@acme.com .@x", ["@acme", "me", "acme.com", "@x"]),
    ("$ACME $5", ["$acme", "$5"]),
    ("東京タワー", ["東", "京", "タ", "ワ", "ー"]),
    ("ภาษา", ["ภ", "า", "ษ", "า"]),
    ("한국어는", ["한국어는"]),
    ("नमस्कार", ["नमस्कार"]),
    ("👨‍👩‍👧👍🏽🇪🇺🇩🇪", ["👨‍👩‍👧", "👍🏽", "🇪🇺", "🇩🇪"]),
    ("❤️ ❤", ["❤", "❤"]),
    ("1️⃣ #️⃣", ["1\u20e3", "#\u20e3"]),
    ("Acme® Acme™ ©2020", ["acme", "acme", "2020"]),
    ("see https://t.co/a-b, www.x.com/é ok", ["see", "ok"]),
    ("HTTPS://X.COM done", ["done"]),
    ("com\u00adpany می\u200cخواهم", ["company", "میخواهم"]),
    ("a\x00b", ["a", "b"]),
    ('ד"ר', ['ד"ר']),
    ("", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_a_text_falls_into_these_tokens(text: str, expected: list[str]) -> None:
    assert tokens.tokenise(text) == expected


def test_a_token_answers_with_and_without_sign_and_accents() -> None:
    assert set(tokens.spellings("#café")) == {"#café", "café", "#cafe", "cafe"}
    assert tokens.spellings("plain") == ("plain",)


def test_marks_that_make_another_letter_are_no_accents() -> None:
    assert tokens.plain("й が नि") == "й が नि"
    assert tokens.plain("ёлка café ï") == "елка cafe i"


alphabet = st.one_of(
    st.characters(exclude_categories=["Cs"]),
    st.sampled_from(list("aA1_'’.,;:#@$- \n\x00é\u0301\u200d️\u20e3がー京ไא\"🎉👍🏽🇪🇺©™ß")),
)
anything = st.text(alphabet=alphabet, max_size=40)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=60))
@example("a'b' 'a a'1 1'a 1,a a,1 1.2.3 a..b a:b :a 1:2 _1 a_'b http://x.y www.a xhttp://a awww.b #_ @a@b")
def test_the_quick_path_for_ascii_gives_what_the_general_one_gives(text: str) -> None:
    lowered = tokens.fold(text)
    assert tokens.clean_tokens(tokens.raw_tokens(lowered)) == tokens.clean_tokens(tokens.general_tokens(lowered))


@settings(max_examples=300, deadline=None)
@given(anything)
def test_the_quick_path_for_the_basic_plane_gives_what_the_general_one_gives(text: str) -> None:
    held = tokens.fold(text)
    assert tokens.raw_tokens(held) == tokens.general_tokens(held)


@settings(max_examples=150, deadline=None)
@given(st.lists(anything, max_size=5))
def test_texts_joined_by_nul_give_the_tokens_of_each(some: list[str]) -> None:
    clean = [text.replace("\x00", " ") for text in some]
    raw = tokens.raw_tokens(tokens.fold_joined("\x00".join(clean)))
    assert tokens.clean_tokens(raw) == [token for text in clean for token in tokens.tokenise(text)]


@settings(max_examples=150, deadline=None)
@given(anything)
def test_tokens_with_places_are_the_same_tokens_in_order(text: str) -> None:
    located = tokens.located(text)
    assert [token.text for token in located] == tokens.tokenise(text)
    assert all(0 <= token.start < token.end <= len(text) for token in located)
    assert [token.start for token in located] == sorted(token.start for token in located)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.none(), anything), anything)
def test_the_folded_column_holds_every_token_in_its_plain_spelling(title: str | None, text: str) -> None:
    held = folded(title, text)
    for part in (title or "", text):
        for token in tokens.tokenise(part):
            assert all(tokens.substring_form(spelling) in held for spelling in tokens.spellings(token))


def test_folding_a_column_is_folding_its_rows() -> None:
    assert folded_all(["É", None], ["x", None]) == [folded("É", "x"), folded(None, None)] == ["e\nx", ""]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One here. Two there! three", [(0, 2), (2, 4), (4, 5)]),
        ("Costs 3.50 approx. twenty", [(0, 4)]),
        ("今日。明日", [(0, 2), (2, 4)]),
        ("line\nbreak", [(0, 1), (1, 2)]),
        ("...", []),
        ('He said "no." Then left', [(0, 3), (3, 5)]),
    ],
)
def test_sentences_end_where_readers_end_them(text: str, sentences: list[tuple[int, int]]) -> None:
    assert tokens.sentence_spans(text, tokens.located(text)) == sentences


def test_links_hashtags_and_mentions_are_read_from_the_text_as_written() -> None:
    text = "Look (https://Example.com/A). #Grüße an @Bob@example.org, a@b.c www.x.org/y!"
    assert tokens.links_in(text) == ["https://Example.com/A", "www.x.org/y"]
    assert tokens.hashtags_in(text) == ["Grüße"]
    assert tokens.mentions_in(text) == ["Bob@example.org"]


def test_real_posts_fall_into_the_same_tokens_on_every_path() -> None:
    shared = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[3] / "shared"))
    file = shared / "data/tweets_covid19_2021/tweets.csv.gz"
    if not file.exists():
        pytest.skip("the shared data folder is absent")
    rows = csv.DictReader(io.TextIOWrapper(io.BytesIO(gzip.decompress(file.read_bytes())), encoding="utf-8"))
    for row in list(rows)[:1500]:
        held = tokens.fold(row["text"])
        assert tokens.raw_tokens(held) == tokens.general_tokens(held)
        assert [token.text for token in tokens.located(row["text"])] == tokens.tokenise(row["text"])
