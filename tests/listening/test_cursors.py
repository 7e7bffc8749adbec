"""A cursor that two have moved holds what each of them changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from talkworthy.listening.cursors import merged

CURSORS = some.recursive(
    some.none() | some.integers(0, 3),
    lambda inner: some.lists(inner) | some.dictionaries(some.sampled_from("abc"), inner),
)


@pytest.mark.parametrize(
    ("before", "ours", "theirs", "expected"),
    [
        ({"since": 1}, {"since": 2}, {"since": 1, "seen": {"a": 1}}, {"since": 2, "seen": {"a": 1}}),
        ({"pending": [["a"]]}, {"pending": []}, {"pending": [["a"], ["b"]]}, {"pending": [["b"]]}),
        ({"pending": [["a", 0]]}, {"pending": [["a", 1]]}, {"pending": [["b"]]}, {"pending": [["a", 1], ["b"]]}),
        (
            {"hub": {"asked": 1}},
            {"hub": {"asked": 2}},
            {"hub": {"asked": 1, "sure": 3}},
            {"hub": {"asked": 2, "sure": 3}},
        ),
        ({"page": 2, "top": 9}, {"since": 9}, {"page": 2, "top": 9, "liked": [7]}, {"since": 9, "liked": [7]}),
        ({"page": 2}, {}, {"page": 3}, {"page": 3}),
        ({"since": 1}, {"since": 2}, {"since": 3}, {"since": 2}),
    ],
)
def test_what_both_changed_is_there(before, ours, theirs, expected):
    assert merged(before, ours, theirs) == expected


@given(CURSORS, CURSORS)
def test_where_nobody_else_moved_it_ours_stands_and_theirs_where_we_did_not(before, moved):
    assert merged(before, moved, before) == moved
    assert merged(before, before, moved) == moved
