"""What people say of a promise, while it holds: each figure leads to the posts that it counts."""

from datetime import UTC, date, datetime

import pytest
from django.http import QueryDict
from tests.ecosystem.test_touchpoint_search import numbers, run_all

from talkworthy.ecosystem import actions
from talkworthy.ecosystem.selectors import said_of
from talkworthy.listening.filters import read_filter
from talkworthy.listening.models import Monitor
from talkworthy.listening.periods import read_period
from talkworthy.listening.selectors import mentions
from talkworthy.workspaces.models import Member

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def app(filled, alice):
    """Acme as a touchpoint: posts 0, 1, 4 to 7, 10 and 11, the latter two of the day before."""
    return actions.create_touchpoint(filled, name="App", kind="product", query="acme", by=alice, now=NOW)


@pytest.fixture
def viewer(filled, alice):
    return Member.objects.get(workspace=filled, user=alice)


def promised(app, alice, **more):
    told = {"words": "It never crashes", "made_in": "Store", "valid_from": date(2026, 1, 1), **more}
    made = actions.add_promise(app, **told, by=alice, now=NOW)
    run_all(app.workspace)
    return made


def posts_of(address, viewer):
    """The posts that the river shows under an address."""
    asked = read_filter(QueryDict(address))
    period = read_period("", since=asked.since, until=asked.until, now=NOW, zone=UTC)
    return numbers(mentions.mentions(asked, viewer=viewer, period=period, now=NOW).posts)


def test_a_promise_is_heard_by_its_own_query_and_every_figure_leads_to_its_posts(app, alice, viewer):
    promise = promised(app, alice, query="crashes OR wonderful OR globex")
    said = said_of([promise], viewer=viewer)[promise.pk]
    found = posts_of(said.address, viewer)
    assert said.own and said.mentions == len(found) == sum(part.posts for part in said.parts)
    assert {0, 1, 2, 6, 7, 8} == set(found)
    assert [part.feeling for part in said.parts][:3] == ["negative", "neutral", "positive"]
    for part in said.parts:
        assert len(posts_of(part.address, viewer)) == part.posts
        assert part.low <= part.share <= part.high
    assert len({number for part in said.parts for number in posts_of(part.address, viewer)}) == said.mentions
    assert said.beside is None or len(posts_of(said.beside.address, viewer)) == said.beside.posts


def test_without_a_query_it_is_what_was_said_of_the_touchpoint(app, alice, viewer):
    promise = promised(app, alice)
    said = said_of([promise], viewer=viewer)[promise.pk]
    assert not said.own and posts_of(said.address, viewer) == [0, 1, 4, 5, 6, 7, 10, 11]
    assert said.mentions == 8 and not Monitor.objects.filter(promise=promise).exists()


@pytest.mark.parametrize(
    ("begins", "ends", "found"),
    [
        (date(2026, 3, 4), None, [0, 1, 6, 7]),
        (date(2026, 1, 1), date(2026, 3, 3), None),
        (date(2026, 1, 1), date(2026, 3, 4), [0, 1, 6, 7]),
        (date(2026, 5, 1), None, None),
    ],
)
def test_only_what_was_said_while_it_held_counts(app, alice, viewer, begins, ends, found):
    promise = promised(app, alice, query="crashes OR wonderful", valid_from=begins, valid_to=ends)
    said = said_of([promise], viewer=viewer).get(promise.pk)
    assert (posts_of(said.address, viewer) if said and said.mentions else None) == found


def test_its_monitor_follows_the_promise_and_the_touchpoint(app, alice, bob):
    promise = promised(app, alice, query="crashes")
    monitor = Monitor.objects.get(promise=promise)
    assert (monitor.name, monitor.kind, monitor.query) == ("“It never crashes”", "touchpoint", "crashes")
    actions.change_promise(promise, query="crashes OR slow", words="It is " + "very " * 40, by=bob, now=NOW)
    monitor.refresh_from_db()
    assert monitor.query == "crashes OR slow" and len(monitor.name) == 80 and monitor.name.endswith("…")
    for gone, back, thing in (
        (actions.delete_promise, actions.restore_promise, promise),
        (actions.delete_touchpoint, actions.restore_touchpoint, app),
    ):
        thing.refresh_from_db()
        gone(thing, by=bob, now=NOW)
        assert Monitor.objects.get(promise=promise).deleted_at is not None
        thing.refresh_from_db()
        back(thing, by=bob, now=NOW)
        assert Monitor.objects.get(promise=promise).deleted_at is None
    actions.change_promise(promise, query="", by=bob, now=NOW)
    assert Monitor.objects.get(promise=promise).deleted_at is not None


def test_the_page_shows_what_was_said_with_the_ways_to_it(
    client_of, carol, app, alice, viewer, django_assert_max_num_queries
):
    promise = promised(app, alice, query="crashes OR wonderful")
    promised(app, alice, words="It is free")
    client = client_of(carol)
    said = said_of([promise], viewer=viewer)[promise.pk]
    with django_assert_max_num_queries(26):
        page = client.get(f"/acme/touchpoints/{app.pk}/").text
    assert "What people said while it held" in page and "of the whole touchpoint" in page
    for address in (said.address, *(part.address for part in said.parts)):
        assert f"/acme/listen/?{address.replace('&', '&amp;')}" in page
        assert client.get(f"/acme/listen/?{address}").status_code == 200
