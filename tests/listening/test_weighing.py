"""Accounts weighed: reach beside the middle of their channel, what is on the topic, what is believed, and places."""

import numpy as np
import pyarrow as pa
import pytest

from talkworthy.analysis import influence
from talkworthy.analysis.voices import POSTS, Gathering
from talkworthy.listening.weighing import judged_beside, weighed
from talkworthy.schema import posts_table


def voices_of(*rows):
    posts = posts_table(
        [
            {
                "uid": f"u{n}",
                "text": f"text {n}",
                "published_at": np.datetime64("2026-03-01T00:00:00").astype(object),
                **{name: value for name, value in row.items() if name != "on_topic"},
            }
            for n, row in enumerate(rows)
        ]
    )
    extra = {
        "id": pa.array(range(len(rows)), pa.int64()),
        "repeats": pa.array([row.get("repeats") for row in rows], pa.string()),
        "text_hash": pa.array(range(len(rows)), pa.int64()),
        "near_hash": pa.array(range(len(rows)), pa.int64()),
        "monitors": pa.array([row.get("on_topic", []) for row in rows], pa.list_(pa.int32())),
    }
    gathering = Gathering()
    gathering.add(
        pa.table({name: extra.get(name, posts[name] if name in posts.schema.names else None) for name in POSTS})
    )
    return gathering.voices()


def author(name, **more):
    return {"id": name, "handle": name, **more}


def test_more_followers_reach_further_and_the_middle_one_a_half():
    found = weighed(voices_of(*({"author": author(f"a{n}", followers=10**n), "channel": "feed"} for n in range(1, 6))))
    assert list(found.reach) == sorted(found.reach) and found.reach[2] == pytest.approx(0.5)
    assert found.influence == [10, 30, 50, 70, 90]
    assert found.middles["feed"]["follower_count"] == 1_000


def test_the_terms_that_are_shown_lead_to_the_reach_that_is_kept():
    voices = voices_of(
        {"author": author("a", followers=5_000, following=3), "channel": "feed"},
        {"author": author("b", followers=7), "channel": "feed", "in_reply_to": "u0"},
        {"author": author("c"), "channel": "feed", "mentions": ["a"]},
    )
    found = weighed(voices)
    for place, reach in enumerate(found.reach):
        judged = judged_beside(found.counts[place], found.middles["feed"])
        assert judged.probability == pytest.approx(reach, abs=1e-3)


def test_without_a_topic_everything_is_relevant():
    rows = [
        {"author": author("a", followers=1), "channel": "feed"},
        {"author": author("b", followers=1), "channel": "feed"},
    ]
    assert weighed(voices_of(*rows)).relevance == [1.0, 1.0] and weighed(voices_of(*rows)).usual is None
    found = weighed(voices_of({**rows[0], "on_topic": [1]}, rows[1]))
    assert found.usual == 0.5 and found.relevance[0] > 0.5 > found.relevance[1]


def test_silence_decides_only_where_people_act_on_each_other():
    plain = [{"author": author("writes"), "channel": "feed"}] * 3
    assert weighed(voices_of(*plain)).influence == [None]
    lively = [
        *plain,
        {"author": author("loud"), "channel": "feed"},
        {"author": author("x"), "channel": "feed", "in_reply_to": "u3"},
    ]
    voices = voices_of(*lively)
    found = dict(zip(voices.accounts, weighed(voices).influence, strict=True))
    assert found["x"] is None and found["loud"] > found["writes"]


def test_no_accounts_are_weighed_without_complaint():
    found = weighed(Gathering().voices())
    assert found.influence == [] and found.middles == {}


def test_a_negative_count_is_one_that_is_not_known():
    voices = voices_of({"author": author("a", followers=-1), "channel": "feed"})
    assert "follower_count" not in weighed(voices).counts[0]
    assert influence.COUNTS[0] == "follower_count"
