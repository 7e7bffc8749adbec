"""Wildcards: what they match, and that many of them in one word take no more time than few."""

import fnmatch
import time

from hypothesis import given
from hypothesis import strategies as st

from talkworthy.query.tokens import ANY, ONE, glob, wildcard


@given(st.text(alphabet="ab*?", max_size=8), st.text(alphabet="ab", max_size=12))
def test_a_wildcard_matches_what_a_shell_would_match(pattern: str, text: str) -> None:
    term = pattern.replace("*", ANY).replace("?", ONE)
    assert bool(wildcard(term).fullmatch(text)) == fnmatch.fnmatchcase(text, pattern)


def test_signs_of_expressions_stand_for_themselves() -> None:
    assert glob("a.b+(c)*") == r"a\.b\+\(c\).*"
    assert glob("a?b", one=None) == r"a\?b"


def test_many_wildcards_in_one_word_are_answered_soon() -> None:
    started = time.process_time()
    assert not wildcard("ab" + f"{ANY}a" * 40).fullmatch("ab" + "a" * 4000 + "b")
    assert time.process_time() - started < 2
