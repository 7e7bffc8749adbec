"""Whom a note names."""

import pytest

from talkworthy.responding.noting import mentioned

MEMBERS = [
    (1, "Frank Example", "frank@example.org"),
    (2, "Gina Rossi", "g.rossi@example.org"),
    (3, "", "ops@acme.example"),
]


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("@frank please look", [1]),
        ("ask @g.rossi, then @frank.", [2, 1]),
        ("@gina.rossi and @gina", [2]),
        ("@FRANK @frank@example.org", [1]),
        ("mail frank@example.org", []),
        ("@nobody", []),
        ("(@ops)", [3]),
    ],
)
def test_a_member_is_named_by_address_or_name(text, numbers):
    assert mentioned(text, MEMBERS) == numbers
