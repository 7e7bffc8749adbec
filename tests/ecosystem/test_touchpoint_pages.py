"""The pages of touchpoints: what they show, who may write, and what the list costs."""

from datetime import UTC, date, datetime

import pytest

from talkworthy.ecosystem import actions
from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.listening.models import Monitor

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
GIVEN = {"name": "Check-out", "kind": "sales", "query": "checkout", "colour": "teal"}
PROMISE = {"words": "In two days", "made_in": "Home page", "valid_from": "2026-01-01"}


@pytest.fixture
def checkout(workspace, alice):
    return actions.create_touchpoint(workspace, **GIVEN, by=alice, now=NOW)


@pytest.fixture
def promise(checkout, alice):
    given = {**PROMISE, "valid_from": date(2026, 1, 1)}
    return actions.add_promise(checkout, **given, address="https://example.org/", by=alice, now=NOW)


def test_an_empty_list_teaches_and_offers_the_first_only_to_who_may_write(client_of, alice, carol):
    assert "Name the first touchpoint" in client_of(alice).get("/acme/touchpoints/").text
    shown = client_of(carol).get("/acme/touchpoints/").text
    assert "Where people meet you" in shown and "/acme/touchpoints/new/" not in shown


def test_the_list_leads_to_the_mentions_and_from_the_monitors(client_of, carol, promise):
    monitor = Monitor.objects.get(touchpoint=promise.touchpoint)
    shown = client_of(carol).get("/acme/touchpoints/").text
    assert f"/acme/listen/?monitor={monitor.pk}&amp;period=30d" in shown and "touchpoint:check-out" in shown
    assert "/acme/touchpoints/" in client_of(carol).get("/acme/monitors/").text


def test_the_page_shows_promises_and_leads_to_the_monitor(client_of, carol, promise):
    shown = client_of(carol).get(f"/acme/touchpoints/{promise.touchpoint_id}/").text
    monitor = Monitor.objects.get(touchpoint=promise.touchpoint)
    assert f"/acme/monitors/{monitor.pk}/" in shown
    assert "In two days" in shown and "Home page" in shown and "https://example.org/" in shown
    assert "/promises/" not in shown and "/edit/" not in shown


def test_a_touchpoint_is_made_changed_deleted_and_brought_back(client_of, alice):
    client = client_of(alice)
    assert client.get("/acme/touchpoints/new/").status_code == 200
    made = client.post("/acme/touchpoints/new/", GIVEN)
    touchpoint = Touchpoint.objects.get()
    address = f"/acme/touchpoints/{touchpoint.pk}/"
    assert made.url == address
    assert "checkout" in client.get(f"{address}edit/").text
    client.post(f"{address}edit/", {**GIVEN, "name": "Pay"})
    assert Monitor.objects.get().name == "Pay"
    assert f"{address}restore/" in client.post(f"{address}delete/", follow=True).text
    assert client.get(address).status_code == 404
    client.post(f"{address}restore/")
    assert client.get(address).status_code == 200


@pytest.mark.parametrize("query", ["(open", "touchpoint:other", ""])
def test_a_query_that_cannot_be_used_is_said_beside_its_box(client_of, alice, query):
    answer = client_of(alice).post("/acme/touchpoints/new/", {**GIVEN, "query": query})
    assert answer.status_code == 422 and "Not saved yet" in answer.text
    assert answer.context["form"].errors["query"] and not Touchpoint.objects.exists()


def test_a_promise_is_added_changed_deleted_and_brought_back(client_of, alice, checkout):
    client = client_of(alice)
    address = f"/acme/touchpoints/{checkout.pk}/promises/new/"
    assert client.get(address).status_code == 200
    late = client.post(address, {**PROMISE, "valid_to": "2025-01-01"})
    assert late.status_code == 422 and "valid_to" in late.context["form"].errors
    client.post(address, PROMISE)
    promise = Promise.objects.get()
    assert promise.by == alice
    one = f"/acme/touchpoints/promises/{promise.pk}/"
    assert "In two days" in client.get(one).text
    client.post(one, {**PROMISE, "words": "In three days"})
    assert Promise.objects.get().words == "In three days"
    assert f"{one}restore/" in client.post(f"{one}delete/", follow=True).text
    assert client.get(one).status_code == 404
    client.post(f"{one}restore/")
    assert client.get(one).status_code == 200


def test_who_may_not_edit_routing_writes_nothing(client_of, bob, carol, promise):
    place = f"/acme/touchpoints/{promise.touchpoint_id}/"
    one = f"/acme/touchpoints/promises/{promise.pk}/"
    writes = ["/acme/touchpoints/new/", one, f"{one}delete/", f"{one}restore/"]
    writes += [f"{place}{verb}/" for verb in ("edit", "delete", "restore", "promises/new")]
    for who in (bob, carol):
        assert [client_of(who).post(address, GIVEN | PROMISE).status_code for address in writes] == [403] * 8
    assert Touchpoint.objects.get().deleted_at is None and Promise.objects.get().deleted_at is None


def test_touchpoints_of_another_workspace_are_not_there(client_of, dan, promise):
    client = client_of(dan)
    assert client.get("/acme/touchpoints/").status_code == 404
    assert client.get(f"/elsewhere/touchpoints/{promise.touchpoint_id}/").status_code == 404
    assert client.post(f"/elsewhere/touchpoints/promises/{promise.pk}/delete/").status_code == 404


def test_an_owner_of_another_workspace_cannot_be_chosen(client_of, alice, dan):
    answer = client_of(alice).post("/acme/touchpoints/new/", {**GIVEN, "owner": dan.memberships.get().pk})
    assert answer.status_code == 422 and not Touchpoint.objects.exists()


def test_the_list_costs_the_same_for_many(client_of, carol, workspace, alice, promise, django_assert_num_queries):
    client = client_of(carol)
    client.get("/acme/touchpoints/")
    for number in range(8):
        actions.create_touchpoint(workspace, **{**GIVEN, "name": f"Place {number}"}, by=alice, now=NOW)
    with django_assert_num_queries(11):  # session, user, member, 4 of what was heard, touchpoints, 3 of the frame
        assert "Place 7" in client.get("/acme/touchpoints/").text
