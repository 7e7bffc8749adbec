"""Links, hashtags and mentions in plain text."""

import pytest

from talkworthy.analysis.extraction import hashtags, links, mentions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://a.example/x.", ["https://a.example/x"]),
        ("(https://a.example/wiki/Foo_(bar))", ["https://a.example/wiki/Foo_(bar)"]),
        ("www.example.org, and http://b.example/?q=1&r=2!", ["http://www.example.org", "http://b.example/?q=1&r=2"]),
        ("twice https://a.example twice https://a.example", ["https://a.example"]),
        ("見て https://a.example/日本、すごい", ["https://a.example/日本"]),
        ("mail me at ann@example.org", []),
        ("http:// is no address", []),
    ],
)
def test_links_are_read_without_the_sentence_around_them(text: str, found: list[str]):
    assert links(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#Launch day #launch #2024 #q4_2024", ["Launch", "launch", "q4_2024"]),
        ("C# and https://a.example/#part are none", []),
        ("#東京タワー と #été", ["東京タワー", "été"]),
        ("&#39; is an entity", []),
    ],
)
def test_hashtags_hold_a_letter_and_stand_alone(text: str, found: list[str]):
    assert hashtags(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("hi @ann, @bob@social.example and @ann", ["ann", "bob@social.example"]),
        ("mail ann@example.org", []),
        ("see https://social.example/@ann", []),
        ("thanks @j.doe.", ["j.doe"]),
    ],
)
def test_mentions_are_handles_and_no_addresses(text: str, found: list[str]):
    assert mentions(text) == found
