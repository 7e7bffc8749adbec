"""Replies on every channel that speaks HTTP: taken once, found again, and what each trouble means."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from talkworthy.connectors.contract import Attachment, Outgoing
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.connectors.registry import own_connectors
from talkworthy.schema import POST

from .sending_servers import (
    PARENT,
    BlueskyServer,
    DiscourseServer,
    GitHubServer,
    MastodonServer,
    RedditServer,
    WordPressServer,
)

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
OWN = own_connectors()
KEY = "00000000-0000-4000-8000-000000000001"
CHANNELS = {
    "mastodon": (MastodonServer, {"server": "https://social.example", "token": "t"}, "social.example", "1"),
    "bluesky": (BlueskyServer, {"way": "jetstream", "handle": "us.example", "password": "p"}, None, PARENT),
    "github": (GitHubServer, {"repositories": "acme/router", "token": "t"}, "github.com", "acme/router#12"),
    "discourse": (DiscourseServer, {"url": "https://forum.example", "api_key": "k"}, "forum.example", "8/3"),
    "wordpress": (
        WordPressServer,
        {"url": "https://blog.example/", "username": "us", "password": "a b c"},
        "blog.example",
        "1",
    ),
    "reddit": (
        RedditServer,
        {"client_id": "i", "client_secret": "s", "account": "acme", "refresh_token": "r"},
        "reddit.com",
        "t1_zoe",
    ),
}


class Channel:
    """A connector, its server, and a reply to Zoe."""

    def __init__(self, name):
        made, self.settings, origin, native = CHANNELS[name]
        self.name, self.connector, self.server = name, OWN[name], made()
        self.http = Http(transport=self.server, resolve=lambda host, port: ["93.184.216.34"], sleep=lambda _: None)
        self.post = dict.fromkeys(POST.names) | {
            "uid": f"{name}:{origin or ''}:{native}",
            "channel": name,
            "origin": origin,
            "native_id": native,
            "url": "https://github.com/acme/router/issues/12" if name == "github" else "https://far.example/@zoe/1",
            "author": {"handle": "zoe"},
            "text": "It broke",
        }

    def outgoing(self, text="We're sorry", *, began_at=None, **more):
        return Outgoing(key=KEY, text=text, in_reply_to=self.post, began_at=began_at, **more)

    def send(self, *, now=NOON, **more):
        return self.connector.send(self.http, self.settings, self.outgoing(**more), now=now)

    def find(self, *, now=NOON + timedelta(minutes=2), **more):
        return self.connector.find_sent(self.http, self.settings, self.outgoing(began_at=NOON, **more), now=now)


@pytest.fixture(params=sorted(CHANNELS))
def channel(request):
    return Channel(request.param)


def of(name):
    return pytest.mark.parametrize("channel", [name], indirect=True)


def test_a_reply_is_written_once_and_found_again_under_the_same_uid(channel):
    sent = channel.send()
    assert len(channel.server.kept) == 1 and sent.uid.startswith(f"{channel.name}:") and sent.url
    assert channel.find() == sent or channel.find().uid == sent.uid


def test_a_reply_that_is_not_there_is_not_found(channel):
    assert channel.find() is None


def test_another_reply_to_the_same_post_is_not_taken_for_this_one(channel):
    other = Outgoing(key="00000000-0000-4000-8000-000000000002", text="Another answer", in_reply_to=channel.post)
    channel.connector.send(channel.http, channel.settings, other, now=NOON)
    assert channel.find() is None


def assert_unsure_or_settled(channel, *, taken):
    """Nobody knows; Bluesky alone looks for its own key at once, and says what it finds."""
    if taken and channel.connector.name == "bluesky":
        assert channel.send() == channel.find()
        return
    with pytest.raises(Unsure):
        channel.send()


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout("slow"), httpx.ReadError("reset"), httpx.RemoteProtocolError("eof")]
)
def test_a_call_that_breaks_after_it_left_is_unsure_and_settled_by_looking(channel, taken, error):
    channel.server.breaks = [(None, error) if taken else error]
    assert_unsure_or_settled(channel, taken=taken)
    assert len([one for one in channel.server.asked if one.url.path.endswith(channel.server.writes)]) >= 1
    assert (channel.find() is not None) == taken == bool(channel.server.kept)


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_server_that_fails_may_have_kept_it(channel, status):
    channel.server.breaks = [(None, httpx.Response(status))]
    assert_unsure_or_settled(channel, taken=True)
    assert len(channel.server.kept) == 1 and channel.find() is not None


@pytest.mark.parametrize("error", [httpx.ConnectError("no way"), httpx.ConnectTimeout("nobody")])
def test_where_no_connection_came_about_nothing_was_sent(channel, error):
    channel.server.breaks = [error]
    with pytest.raises(TryLater):
        channel.send()
    assert channel.server.kept == []


def test_a_limit_makes_it_wait_as_long_as_the_channel_says(channel):
    channel.server.breaks = [httpx.Response(429, headers={"retry-after": "77"}, json={})]
    with pytest.raises(TryLater) as caught:
        channel.send()
    assert caught.value.after == 77 and channel.server.kept == []


def test_credentials_that_are_refused_ask_for_others(channel):
    channel.server.breaks = [httpx.Response(401, json={"error": "AuthMissing"})] * 2
    with pytest.raises(AskForCredentials):
        channel.send()
    assert channel.server.kept == []


def test_what_was_deleted_is_not_answered(channel):
    channel.server.gone = True
    with pytest.raises(GiveUp, match=r"deleted|gone"):
        channel.send()
    assert channel.server.kept == []


def test_no_write_is_repeated_by_the_door(channel):
    channel.server.breaks = [httpx.ReadTimeout("slow")] * 3
    with pytest.raises(Unsure):
        channel.send()
    assert len(channel.server.breaks) == 2


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"id": null}'])
def test_an_answer_without_a_name_for_the_post_is_unsure(channel, body):
    channel.server.breaks = [(None, httpx.Response(200, content=body))]
    with pytest.raises((Unsure, ConnectorError)) as caught:
        channel.send()
    assert isinstance(caught.value, Unsure)


# Mastodon


def written(channel):
    return channel.server.kept[0]["asked"]


@of("mastodon")
def test_mastodon_is_given_key_visibility_language_and_whom_it_answers(channel):
    channel.send(visibility="private", language="de")
    assert channel.server.asked[-1].headers["idempotency-key"] == KEY
    assert written(channel) == {
        "status": "@zoe@far.example We're sorry",
        "in_reply_to_id": "1",
        "visibility": "direct",
        "language": "de",
    }


@of("mastodon")
def test_mastodon_names_nobody_twice(channel):
    channel.send(text="Sorry, @zoe")
    assert written(channel)["status"] == "Sorry, @zoe"


@of("mastodon")
def test_mastodon_takes_files_first_with_their_descriptions(channel):
    file = Attachment(name='a".png', content_type="image/png", body=b"\x89PNG", alt="A broken router")
    channel.send(attachments=(file,))
    upload = next(one for one in channel.server.asked if one.url.path == "/api/v2/media")
    assert b'name="description"\r\n\r\nA broken router' in upload.content and b'filename="a_.png"' in upload.content
    assert len(written(channel)["media_ids"]) == 1


@of("mastodon")
def test_mastodon_answers_a_post_of_another_server_by_its_address(channel):
    channel.post["origin"] = "far.example"
    channel.send()
    search = next(one for one in channel.server.asked if one.url.path == "/api/v2/search")
    assert search.url.params["q"] == "https://far.example/@zoe/1" and search.url.params["resolve"] == "true"


@of("mastodon")
def test_mastodon_tells_what_its_server_takes(channel):
    limits = channel.connector.limits(channel.http, channel.settings, now=NOON)
    assert limits == {"characters": 5000, "link_length": 30, "attachments": 6, "idempotent": True}


# Bluesky


@of("bluesky")
def test_bluesky_refers_to_parent_and_root_by_their_hashes(channel):
    channel.send(language="en")
    record = channel.server.kept[0]["record"]
    assert record["reply"]["parent"] == {"uri": PARENT, "cid": "bafyparent"}
    assert record["reply"]["root"]["cid"] == "bafyroot" and record["langs"] == ["en"]


@of("bluesky")
def test_bluesky_s_key_is_a_tid_and_the_same_at_every_try(channel):
    first = channel.send(now=NOON)
    again = channel.send(now=NOON + timedelta(minutes=9), began_at=NOON)
    assert first.uid == again.uid and len(channel.server.kept) == 1
    rkey = first.uid.rpartition("/")[2]
    assert len(rkey) == 13 and set(rkey) <= set("234567abcdefghijklmnopqrstuvwxyz")
    other = Outgoing(key="x", text="b", in_reply_to=channel.post)
    assert channel.connector.send(channel.http, channel.settings, other, now=NOON).uid != first.uid


@of("bluesky")
def test_bluesky_marks_links_handles_and_tags_by_their_bytes(channel):
    channel.send(text="Grüße @zoe.example, @no.example, see https://acme.example/x. #Router")
    found = channel.server.kept[0]["record"]["facets"]
    raw = channel.server.kept[0]["record"]["text"].encode()
    pieces = [raw[one["index"]["byteStart"] : one["index"]["byteEnd"]].decode() for one in found]
    assert pieces == ["@zoe.example", "https://acme.example/x", "#Router"]
    assert found[0]["features"][0]["did"] == "did:plc:zoe"


@of("bluesky")
def test_bluesky_shows_pictures_with_their_descriptions(channel):
    channel.send(attachments=(Attachment(name="a.png", content_type="image/png", body=b"x", alt="A router"),))
    assert channel.server.kept[0]["record"]["embed"]["images"][0]["alt"] == "A router"


# GitHub


@of("github")
def test_github_hides_the_key_and_names_whom_it_answers(channel):
    sent = channel.send()
    assert channel.server.kept[0]["body"] == f"@zoe We're sorry\n\n<!-- talkworthy:{KEY} -->"
    assert sent.uid == "github:github.com:issuecomment-900"


@of("github")
@pytest.mark.parametrize(("native", "under"), [("acme/router#5", None), ("discussioncomment-51", "DC_1")])
def test_github_answers_in_discussions_below_the_comment_that_began_the_branch(channel, native, under):
    channel.post |= {"native_id": native, "url": "https://github.com/acme/router/discussions/5"}
    sent = channel.send()
    assert (channel.server.kept[0]["on"], channel.server.kept[0]["under"]) == ("D_5", under)
    assert sent.uid == "github:github.com:discussioncomment-900" and channel.find().uid == sent.uid


@of("github")
def test_a_second_limit_of_github_is_a_pause_and_no_refusal(channel):
    channel.server.breaks = [httpx.Response(403, json={"message": "You have exceeded a secondary rate limit"})]
    with pytest.raises(TryLater):
        channel.send()


# Discourse, WordPress, Reddit


@of("discourse")
def test_discourse_answers_the_very_post_and_hides_the_key(channel):
    sent = channel.send()
    asked = channel.server.kept[0]["asked"]
    assert (asked["topic_id"], asked["reply_to_post_number"]) == (8, 3) and KEY in asked["raw"]
    assert sent.uid == "discourse:forum.example:8/20"


@of("discourse")
def test_a_post_that_the_forum_s_moderators_look_at_first_is_sent(channel):
    body = {"action": "enqueued", "pending_post": {"id": 5}}
    channel.server.breaks = [httpx.Response(200, json=body)]
    assert channel.send().uid == "discourse:forum.example:pending/5"


@pytest.mark.parametrize("channel", ["discourse", "wordpress", "bluesky"], indirect=True)
def test_a_channel_that_knows_the_reply_already_leads_to_it(channel):
    first = channel.send()
    assert channel.send(began_at=NOON).uid == first.uid and len(channel.server.kept) == 1


@of("wordpress")
def test_wordpress_answers_the_very_comment(channel):
    sent = channel.send()
    assert (channel.server.kept[0]["post"], channel.server.kept[0]["parent"]) == (4, 1)
    assert sent.uid == "wordpress:blog.example:30"


@of("wordpress")
def test_a_flood_of_comments_waits(channel):
    channel.server.breaks = [httpx.Response(400, json={"code": "comment_flood", "message": "slow down"})]
    with pytest.raises(TryLater):
        channel.send()


@of("reddit")
@pytest.mark.parametrize(
    ("errors", "raised"),
    [
        ([["RATELIMIT", "Take a break for 4 minutes", "ratelimit"]], TryLater),
        ([["THREAD_LOCKED", "that thread is locked", "parent"]], GiveUp),
        ([["SUBREDDIT_NOTALLOWED", "you may not", "sr"]], AskForCredentials),
        ([["TOO_LONG", "this is too long", "text"]], GiveUp),
    ],
)
def test_reddit_s_errors_say_that_nothing_was_written(channel, errors, raised):
    channel.server.breaks = [httpx.Response(200, json={"json": {"errors": errors}})]
    with pytest.raises(raised) as caught:
        channel.send()
    assert not isinstance(caught.value, TryLater) or caught.value.after == 245


@of("reddit")
def test_reddit_is_given_the_thing_that_is_answered(channel):
    assert channel.send().uid == "reddit:reddit.com:t1_c0"
    assert channel.server.kept[0]["parent_id"] == "t1_zoe"


def test_bodies_are_what_was_asked_for(channel):
    channel.send()
    request = next(one for one in channel.server.asked if one.url.path.endswith(channel.server.writes))
    assert request.headers["content-type"].startswith("application/")
    if "json" in request.headers["content-type"]:
        assert isinstance(json.loads(request.content), dict)


@of("mastodon")
def test_a_server_with_a_port_is_asked_for_its_own_status_by_number(channel):
    channel.settings = {**channel.settings, "server": "https://social.example:8443"}
    channel.post |= {
        "origin": "social.example_8443",
        "uid": f"mastodon:social.example_8443:{channel.post['native_id']}",
    }
    channel.send()
    asked = [str(request.url) for request in channel.server.asked if request.method == "GET"]
    assert any(f"/api/v1/statuses/{channel.post['native_id']}" in address for address in asked)
    assert not any("/api/v2/search" in address for address in asked)
