"""What one box makes of a name, an address, a handle or a hashtag."""

import pytest

from talkworthy.connectors.registry import connector_named
from talkworthy.listening.following import quoted, understood
from talkworthy.query import check

WORDS = [
    "Acme",
    "Acme Router",
    'The "best" café & co',
    "東京タワー",
    "OR",
    "blog.acme.example",
    "https://acme.example/feed.xml",
    "@acme@social.example",
    "@acme.example",
    "@acme",
    "#acme",
]


@pytest.mark.parametrize("words", WORDS)
def test_whatever_is_followed_is_a_query_without_errors(words):
    found = understood(words)
    assert found is not None and check(found.query, stage="monitor").errors == ()


@pytest.mark.parametrize("words", WORDS)
def test_whatever_is_proposed_can_be_made(words):
    for proposal in understood(words).proposals:
        connector = connector_named(proposal.connector)
        known = {setting.name: setting for setting in connector.settings}
        assert proposal.settings.keys() <= known.keys()
        needed = {name for name, setting in known.items() if setting.required and setting.default is None}
        assert needed <= proposal.settings.keys()
        for name, value in proposal.settings.items():
            assert not known[name].choices or value in dict(known[name].choices)


@pytest.mark.parametrize(
    ("words", "query", "first"),
    [
        ("Acme Router", '"Acme Router" OR AcmeRouter', "hackernews"),
        ("Acme", "Acme", "hackernews"),
        ("@acme@social.example", "mention:acme OR author:acme", "mastodon"),
        ("@acme.example", 'mention:"acme.example" OR author:"acme.example"', "bluesky"),
        ("#acme", "#acme", "mastodon"),
        ("www.acme.example", 'site:"acme.example" OR links:"acme.example" OR "acme.example"', "feed"),
    ],
)
def test_each_kind_is_told_from_the_others(words, query, first):
    found = understood(words)
    assert (found.query, found.proposals[0].connector) == (query, first)


@pytest.mark.parametrize("words", ["", "   ", "!!!", "…"])
def test_what_says_nothing_is_not_followed(words):
    assert understood(words) is None


def test_what_takes_much_is_proposed_but_not_chosen():
    everything = [proposal for proposal in understood("Acme").proposals if proposal.keep == "matched"]
    assert everything and not any(proposal.chosen for proposal in everything)


def test_an_operator_is_a_word_when_it_is_a_name():
    assert (quoted("NOT"), quoted("Not"), quoted('say "hi"')) == ('"NOT"', "Not", '"say  hi"')
