"""Whoever holds the secret of one webhook changes the posts of that webhook, and no other's."""

from datetime import UTC, datetime, timedelta

import pytest

from talkworthy.connectors.contract import Page
from talkworthy.connectors.payload import Payload
from talkworthy.listening import actions
from talkworthy.listening.collecting import Listener, keep_page, parse_pending, source_key
from talkworthy.listening.stores import archive_of, payloads_of

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
OTHERS = "feed:example.org:1"
"""A post that the source of `filled` brought."""


@pytest.fixture
def hook(filled, alice):
    return _hook(filled, alice, "Shop", "shop")


def _hook(workspace, by, name, origin):
    return actions.create_source(
        workspace,
        connector="webhook",
        name=name,
        settings={"origin": origin} if origin else {},
        secrets={"secret": "s" * 32},
        by=by,
        now=NOW,
    )


def sent(source, body, *, minutes=0):
    import json

    at = NOW + timedelta(minutes=minutes)
    keep_page(payloads_of(source.workspace), source, Page(payloads=(_payload(json.dumps(body), at),)), known=None)


def _payload(body, at):
    return Payload(body=body.encode(), fetched_at=at)


def stored(source):
    archive = archive_of(source.workspace)
    parse_pending(source.workspace, archive=archive)
    Listener(source.workspace).store_pending(now=NOW)
    return archive


def refusals(source):
    return [aside.reason for aside in payloads_of(source.workspace).aside(source_key(source))]


def post(uid, text="Acme from the shop", **more):
    return {"uid": uid, "text": text, "published_at": "2026-03-01T10:00:00Z", **more}


def test_a_post_of_another_source_is_not_deleted_and_the_page_says_so(hook, agree, client_of, alice):
    sent(hook, {"deleted": [OTHERS]})
    archive = stored(hook)
    assert archive.get(OTHERS) is not None
    assert refusals(hook) == [f"Not deleted, as another source brought it: {OTHERS}"]
    page = client_of(alice).get(f"/acme/sources/{hook.pk}/").content.decode()
    assert "Not deleted, as another source brought it" in page
    agree(hook.workspace)


def test_a_post_of_another_source_is_not_rewritten(hook, agree):
    before = archive_of(hook.workspace).get(OTHERS)
    sent(hook, [post(OTHERS, "bought for a song", channel="feed"), post("feed:elsewhere.example:9", channel="feed")])
    archive = stored(hook)
    assert archive.get(OTHERS) == before
    assert archive.get("feed:elsewhere.example:9")["source"] == source_key(hook)
    assert refusals(hook) == [f"Not edited, as another source brought it: {OTHERS}"]
    agree(hook.workspace)


def test_the_same_words_again_are_passed_over_without_a_note(hook):
    known = archive_of(hook.workspace).get(OTHERS)
    sent(hook, [post(OTHERS, known["text"], url=known["url"], channel="feed", published_at=f"{known['published_at']}")])
    assert stored(hook).get(OTHERS) == known
    assert refusals(hook) == []


def test_an_account_is_deleted_as_far_as_this_source_brought_its_posts(hook, alice, agree):
    author = {"id": "https://social.example/users/ann"}
    elsewhere = _hook(hook.workspace, alice, "Elsewhere", "elsewhere")
    sent(elsewhere, [post("activitypub:social.example:1", author=author, channel="activitypub")])
    sent(hook, [post("activitypub:social.example:2", author=author, channel="activitypub")])
    stored(hook)
    gone = {"@context": "https://www.w3.org/ns/activitystreams", "type": "Delete"}
    sent(hook, {**gone, "actor": author["id"], "object": author["id"]}, minutes=1)
    archive = stored(hook)
    assert archive.get("activitypub:social.example:2") is None
    assert archive.get("activitypub:social.example:1") is not None
    agree(hook.workspace)


def test_what_it_brought_it_edits_and_deletes(hook, agree):
    sent(hook, [post("webhook:shop:1"), post("mastodon:social.example:7", channel="mastodon")])
    stored(hook)
    sent(
        hook,
        {"posts": [post("webhook:shop:1", "Acme, corrected")], "deleted": ["mastodon:social.example:7"]},
        minutes=1,
    )
    archive = stored(hook)
    assert archive.get("webhook:shop:1")["text"] == "Acme, corrected"
    assert archive.get("mastodon:social.example:7") is None
    assert refusals(hook) == []
    agree(hook.workspace)


def test_two_sources_of_one_origin_speak_for_each_other(hook, alice):
    sent(hook, [post("webhook:shop:1")])
    stored(hook)
    second = _hook(hook.workspace, alice, "Shop again", "shop")
    sent(second, {"deleted": ["1"]}, minutes=1)
    assert stored(second).get("webhook:shop:1") is None


def test_sources_without_an_origin_do_not_speak_for_each_other(filled, alice):
    first, second = _hook(filled, alice, "First", ""), _hook(filled, alice, "Second", "")
    sent(first, [post("webhook::1")])
    stored(first)
    sent(second, {"deleted": ["1"]}, minutes=1)
    assert stored(second).get("webhook::1") is not None
    sent(first, {"deleted": ["1"]}, minutes=2)
    assert stored(first).get("webhook::1") is None


def test_what_is_stored_in_the_same_moment_is_guarded_too(hook, alice):
    first = _hook(hook.workspace, alice, "First", "first")
    sent(hook, [post("webhook:shop:1")])
    sent(first, [post("webhook:shop:1", "taken over", channel="webhook")])
    parse_pending(hook.workspace, archive=archive_of(hook.workspace))
    assert stored(hook).get("webhook:shop:1")["text"] == "Acme from the shop"


def test_refused_twice_is_noted_once(hook):
    sent(hook, {"deleted": [OTHERS]})
    stored(hook)
    source = payloads_of(hook.workspace)
    for aside in source.aside(source_key(hook)):
        source.replay(aside)
    stored(hook)
    assert len(refusals(hook)) == 1
