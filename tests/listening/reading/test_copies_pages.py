"""The river shows a text once, says how many posts it is, and unfolds them."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

HTMX = {"HX-Request": "true"}
CHAIN = "Acme gives away one thousand routers to whoever shares this post by Friday"


@pytest.fixture
def chained(room):
    """A text of nine posts on two channels, and others around it."""
    author = {"id": "b1", "handle": "ben", "name": "Ben بن 🚀", "followers": 120}
    rows = [room.post(700 + n, f"{CHAIN} {'!' * n}", ago=timedelta(minutes=n + 1), author=author) for n in range(6)]
    rows += [
        {**room.post(710 + n, CHAIN, ago=timedelta(minutes=n + 10)), "uid": f"reddit:x:{n}", "channel": "reddit"}
        for n in range(3)
    ]
    room.add(rows, "2")
    return room


def found(client, **asked):
    return client.get("/acme/listen/", {"q": '"one thousand routers"', **asked}).content.decode()


def words(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", unescape(page)))


def copies_of(page):
    return unescape(re.search(r'<details class="copies"[^>]*hx-get="([^"]+)"', page)[1])


def test_a_text_stands_once_with_its_copies_counted_named_and_summed(chained, client_of):
    page = found(client_of(chained.carol))
    assert len(re.findall(r'<article class="post river-post', page)) == 1
    said = words(page)
    assert "and 8 near copies" in said
    assert "Mastodon 6, Reddit 3" in said
    assert "Ben بن 🚀, Ann" in said
    assert "120 followers (of 1 account that says)" in said
    assert "the newest 9 posts are 1 text" in said


def test_the_count_is_that_of_posts(chained, client_of):
    client = client_of(chained.carol)
    counted = client.get("/acme/listen/count/", {"q": '"one thousand routers"'}, headers=HTMX).content.decode()
    assert "9 posts" in words(counted)


def test_they_unfold_into_cards(chained, client_of):
    client = client_of(chained.carol)
    fragment = client.get(copies_of(found(client)), headers=HTMX).content.decode()
    assert len(re.findall(r'<article class="post river-post', fragment)) == 8
    assert "<html" not in fragment


def test_without_script_they_stand_on_a_page_with_the_first(chained, client_of):
    client = client_of(chained.carol)
    address = copies_of(found(client))
    assert f'href="{address}"' in unescape(found(client))
    page = client.get(address).content.decode()
    assert "9 posts of this text" in page
    assert len(set(re.findall(r'data-post="(\d+)"', page))) == 9


def test_they_can_be_shown_apart_and_the_choice_goes_along(chained, client_of):
    client = client_of(chained.carol)
    page = found(client)
    switched = unescape(re.search(r'href="([^"]*copies=apart[^"]*)"', page)[1])
    apart = client.get(switched).content.decode()
    assert len(re.findall(r'<article class="post river-post', apart)) == 9
    assert 'class="copies"' not in apart
    assert "put them together" in apart
    assert 'name="copies" value="apart"' in apart


def test_a_text_that_fills_a_page_goes_on_below_and_nothing_is_lost(chained, client_of, monkeypatch):
    from talkworthy.listening.selectors import mentions

    monkeypatch.setattr(mentions, "PAGE", 2)
    client = client_of(chained.carol)
    seen, address = [], "/acme/listen/?q=%22one+thousand+routers%22"
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'data-post="(\d+)"', page)
        for part in re.findall(r'<details class="copies"[^>]*hx-get="([^"]+)"', page):
            seen += re.findall(r'data-post="(\d+)"', client.get(unescape(part), headers=HTMX).content.decode())
        older = re.search(r'href="([^"]*before=[^"]*)"', page)
        address = unescape(older[1]) if older else None
    assert len(seen) == len(set(seen)) == 9


def test_copies_cost_no_statement_and_one_scan(chained, client_of):
    client = client_of(chained.carol)
    found(client)
    with CaptureQueriesContext(connection) as apart:
        found(client, copies="apart")
    with CaptureQueriesContext(connection) as together:
        found(client)
    assert len(together) == len(apart)
    scans = _scans(chained, lambda: found(client))
    assert scans == _scans(chained, lambda: found(client, copies="apart")) > 0


def _scans(room, look):
    """How often the archive was scanned meanwhile."""
    from talkworthy.listening.stores import archive_of

    archive = archive_of(room.workspace)
    told, scan = [], archive.scan
    archive.scan = lambda asked: (told.append(asked), scan(asked))[1]
    try:
        look()
    finally:
        del archive.scan
    return len(told)


@pytest.mark.parametrize("posts", ["x", "1,2,x", "1;2"])
def test_what_is_no_list_of_posts_is_not_found(chained, client_of, posts):
    client = client_of(chained.carol)
    number = re.search(r'data-post="(\d+)"', found(client))[1]
    assert client.get(f"/acme/listen/post/{number}/copies/", {"posts": posts}).status_code == 404


def test_posts_of_another_workspace_do_not_unfold(chained, client_of):
    address = copies_of(found(client_of(chained.carol)))
    elsewhere = client_of(chained.dan).get(address.replace("/acme/", "/elsewhere/"), headers=HTMX)
    assert "one thousand routers" not in elsewhere.content.decode()
    assert client_of(chained.dan).get(address).status_code == 404
