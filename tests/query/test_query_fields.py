"""Fields against posts: what they find, what is unknown, and how presence is asked for."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from talkworthy.query import Matcher, compile_query, explain
from talkworthy.query.explain import post_batch

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
FULL: dict[str, Any] = {
    "uid": "mastodon:example.org:42/x",
    "native_id": "42/x",
    "channel": "mastodon",
    "source": "s1",
    "text": "Acme https://t.co/Link",
    "title": "Head line",
    "url": "https://www.reddit.com/r/NBA/comments/1?x=y",
    "site": "old.reddit.com",
    "community": "NBA",
    "author": {
        "id": "7",
        "handle": "jane@example.org",
        "name": "Jane Dóe PhD",
        "bio": "Loves Tea",
        "followers": 50,
        "verified": True,
        "verified_type": "business",
    },
    "language": "en-GB",
    "published_at": datetime(2026, 1, 9, 23, 30, tzinfo=UTC),
    "in_reply_to": "mastodon:example.org:41",
    "root": "mastodon:example.org:40",
    "engagement_type": "REPLY",
    "hashtags": ["Launch"],
    "mentions": ["Bob@b.org"],
    "tags": ["Help wanted"],
    "media": [{"type": "image", "url": "https://x/y.png", "alt": None}],
    "entities": ["Q29"],
    "rating": 4.5,
    "place": {
        "continent": "europe",
        "country": "deu",
        "region": "deu.berlin",
        "city": "deu.berlin.berlin",
        "latitude": 52.5,
        "longitude": 13.4,
    },
    "engagement": {"likes": 3, "shares": 0, "replies": 2, "views": None},
    "sentiment": "negative",
    "intent": "complaint",
    "urgency": 70,
    "touchpoint": "Checkout",
    "state": "open",
    "assignee": "alice",
}
BARE: dict[str, Any] = {"uid": "feed:a:1", "text": "Acme", "published_at": None}

TRUE = """
title:head text:acme author:jane author:"jane doe" author:"Jane Dóe" author:dóe author:{Jane} author:ja*e
author:@jane authorFollowers:[50 TO 60] authorFollowers:>=50 authorVerified:TRUE authorVerifiedType:Business
blogName:nba blogName:jane bio:tea channel:mastodon channel:mast* source:s1 site:reddit.com
site:www.reddit.com/r/nba site:https://reddit.com url:reddit.com/r/nba url:t.co/link links:t.co links:t.co/link
continent:Europe country:deu region:deu region:deu.berlin city:deu.berlin city:"deu.berlin.berlin"
latitude:[52 TO 53] longitude:[13 TO 14] language:en engagementType:reply parentPostId:41
parentPostId:mastodon:example.org:41 rootPostId:40 guid:42/x guid:mastodon:example.org:42/x hashtag:launch
hashtag:#LAUNCH mention:bob mention:@bob@b.org tags:help tags:"help wanted" subreddit:nba subreddit:r/nba
entityId:29 rating:4.5 rating:[4 TO 5] rating:>4 since:2026-01-09 since:7d until:2026-01-09 until:2026-01-10T00:00
minuteOfDay:[1400 TO 1439] likes:>=3 likes:3 shares:<1 replies:[1 TO 2] has:link has:image has:rating
has:authorVerified has:followers has:location has:title has:hashtag is:reply sentiment:negative intent:complaint
urgency:>=70 touchpoint:checkout state:open assignee:alice language:(de OR en) channel:(NOT feed)
"""
FALSE = """
title:acme text:head author:bob author:"doe jane" author:{JANE} author:dòe authorFollowers:[51 TO 60]
authorVerified:false authorVerifiedType:blue blogName:nb bio:coffee channel:feed channel:masto source:s
site:eddit.com site:reddit.com/r/n url:eddit.com url:reddit.com/r/nb links:reddit.com continent:asia country:de
region:deu.ber city:berlin latitude:[53 TO 54] longitude:[-14 TO -13] language:de engagementType:RETWEET
parentPostId:4 rootPostId:41 guid:42 hashtag:lau mention:b.org tags:wanted-help subreddit:nb entityId:2 rating:4
rating:<4.5 since:2026-01-10 until:2026-01-08 until:7d minuteOfDay:[0 TO 1400] likes:>3 has:video is:repost
is:original sentiment:positive intent:praise urgency:<70 touchpoint:check state:closed
"""


def split(block: str) -> list[str]:
    found, depth, word = [], 0, ""
    for character in block.strip().replace("\n", " ") + " ":
        depth += (character in "([") - (character in ")]")
        quoted = word.count('"') % 2 == 1
        if character == " " and depth == 0 and not quoted:
            found += [word] * bool(word)
            word = ""
        else:
            word += character
    return found


def verdict(query: str, post: dict[str, Any]) -> bool | None:
    """True, False, or None where the query is unknown: neither it nor its negation matches."""
    table = pa.concat_tables(
        [
            post_batch(post),
            post_batch({"uid": "feed:decoy:0", "text": "decoy", **dict.fromkeys(post.keys() - {"uid", "text"})}),
        ],
        promote_options="permissive",
    )
    said = compile_query(query, now=NOW).match(table).to_pylist()[0]
    denied = compile_query(f"acme NOT ({query})", now=NOW).match(table).to_pylist()[0]
    assert not (said and denied)
    return True if said else False if denied else None


@pytest.mark.parametrize("query", split(TRUE))
def test_a_field_finds_what_the_post_says(query: str) -> None:
    assert verdict(query, FULL) is True


@pytest.mark.parametrize("query", split(FALSE))
def test_a_field_does_not_find_what_the_post_does_not_say(query: str) -> None:
    assert verdict(query, FULL) is False


KNOWN_TO_BE_ABSENT = (
    "has:",
    "is:",
    "engagementType:",
    "parentPostId:",
    "rootPostId:",
    "guid:",
    "channel:",
    "text:",
    "links:",
    "hashtag:",
    "mention:",
)


@pytest.mark.parametrize("query", [q for q in split(TRUE + FALSE) if not q.startswith(KNOWN_TO_BE_ABSENT)])
def test_what_a_post_lacks_is_unknown_and_so_is_its_opposite(query: str) -> None:
    assert verdict(query, BARE) is None


@pytest.mark.parametrize(
    "name", ["link", "image", "rating", "followers", "authorVerified", "title", "language", "sentiment"]
)
def test_presence_is_always_known(name: str) -> None:
    assert verdict(f"has:{name}", BARE) is False


def test_a_post_without_type_and_parent_is_known_to_be_an_original() -> None:
    assert verdict("is:original", BARE) is True
    assert verdict("engagementType:REPOST", BARE) is False
    assert verdict("parentPostId:41", BARE) is False


def test_kleene_and_or_with_an_unknown() -> None:
    assert verdict("acme AND rating:5", BARE) is None
    assert verdict("missing AND rating:5", BARE) is False
    assert verdict("acme OR rating:5", BARE) is True
    assert verdict("missing OR rating:5", BARE) is None


def test_the_detected_language_counts_where_none_is_declared_unless_it_is_undecided() -> None:
    assert verdict("language:fr", {**BARE, "detected_language": "fr"}) is True
    assert verdict("language:fr", {**BARE, "detected_language": "undecided"}) is None
    assert verdict("language:fr", {**BARE, "language": "de", "detected_language": "fr"}) is False


def test_an_undecided_sentiment_is_unknown_but_can_be_asked_for() -> None:
    undecided = {**BARE, "sentiment": "undecided"}
    assert verdict("sentiment:negative", undecided) is None
    assert verdict("sentiment:undecided", undecided) is True


def test_hashtags_mentions_and_links_are_read_from_the_text_where_the_channel_left_them_out() -> None:
    post = {**BARE, "text": "Acme #Launch @bob https://example.com/x"}
    assert verdict("hashtag:launch AND mention:bob AND links:example.com AND has:link", post) is True


def test_a_relative_time_needs_to_be_told_the_time() -> None:
    with pytest.raises(ValueError, match="pass now"):
        compile_query("acme since:7d")


class Apps:
    """Texts about apps are alike, empty ones cannot be judged; it remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def vectors(self, texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
        self.asked += texts
        kinds = {
            "???": [0, 0],
            "?": [0, 0],
            "this is slow": [0.9, 0.436],
            "acme is slow": [0.9, 0.436],
            "the app": [1, 0],
        }
        return np.array([kinds.get(text, [0, 1]) for text in texts], dtype=np.float32)

    def nearest(self, text: str, other: str) -> list[str]:
        return [word for word in other.split() if word in ("app", "slow")]


def table_of(*texts: str) -> pa.Table:
    return pa.concat_tables([post_batch({**BARE, "text": text}) for text in texts])


def test_meaning_is_asked_of_what_is_given_and_unknown_without_it() -> None:
    table = table_of("this is slow", "sunny weather", "???")
    query = 'similar:"the app"~0.8'
    for text, expected in (
        (query, [True, False, False]),
        ('similar:"the app"~0.95', [False, False, False]),
        ('similar:"the app"', [True, False, False]),
        (f"(sunny OR is OR similar:x) NOT {query}", [False, True, False]),
    ):
        compiled = compile_query(text, similarity=Apps())
        assert compiled.match(table).to_pylist() == expected
        assert [bool(names) for names in Matcher({"a": compiled}).match(table).by_row()] == expected
    assert compile_query(query).match(table).to_pylist() == [False, False, False]
    assert compile_query(f"sunny NOT {query}").match(table).to_pylist() == [False, False, False]


def test_vectors_are_made_for_those_posts_only_that_the_rest_lets_through() -> None:
    table = table_of("acme is slow", "acme is sunny", "decoy is slow", "acme corp")
    for text, looked_at in (
        ('acme similar:"the app" NOT corp', {"acme is slow", "acme is sunny"}),
        ('acme AND (similar:"the app" OR sunny OR corp)', {"acme is slow"}),
        ('channel:elsewhere AND acme AND similar:"the app"', set()),
    ):
        for match in (
            compile_query,
            lambda query, similarity: Matcher({1: compile_query(query, similarity=similarity)}),
        ):
            asked = Apps()
            match(text, similarity=asked).match(table)
            assert set(asked.asked) - {"the app"} == looked_at


def test_the_explanation_shows_how_alike_a_post_is_and_by_which_words() -> None:
    explained = explain('acme similar:"the app"~0.8', {**BARE, "text": "acme is slow"}, similarity=Apps())
    assert explained.matches
    assert "[likeness 0.90; nearest words: slow]" in str(explained)
    assert explained.as_json()["query"]["branches"][1]["likeness"] == 0.9
    assert explain('similar:"the app"', {**BARE, "text": "?"}, similarity=Apps()).root.verdict is None


def test_a_batch_that_lacks_columns_leaves_their_fields_unknown() -> None:
    table = pa.table({"text": ["acme", "corp"]})
    assert compile_query("acme").match(table).to_pylist() == [True, False]
    for query in ("acme language:en", "acme -language:en", "acme -engagementType:REPOST", "acme -author:bob"):
        assert compile_query(query).match(table).to_pylist() == [False, False]


def test_no_posts_give_no_matches() -> None:
    assert compile_query("acme").match(pa.table({"text": pa.array([], pa.string())})).to_pylist() == []
