"""The pages of sources, for those who may and those who may not."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from talkworthy.archive import Payload
from talkworthy.listening.collecting import source_key
from talkworthy.listening.models import Source
from talkworthy.listening.stores import payloads_of
from talkworthy.workspaces.credentials import opened
from talkworthy.workspaces.models import AuditEntry, Workspace

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
HASHTAG = {
    "setting_server": "social.example",
    "setting_what": "hashtag",
    "setting_hashtags": "acme\n\n acme2 ",
    "setting_token": "s3cret-token",
    "setting_history": "200",
    "name": "Acme on the fediverse",
    "keep": "sample",
    "sample_percent": "2.5",
    "interval": "900",
}


@pytest.fixture
def source(workspace):
    return Source.objects.create(
        workspace=workspace,
        connector="mastodon",
        name="Acme tag",
        key="key-of-acme",
        state="healthy",
        settings={"server": "https://social.example", "what": "hashtag", "hashtags": ["acme"]},
        due_at=timezone.now() + timedelta(hours=1),
        posts=1234,
    )


@pytest.fixture
def decoy(dan):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    return Source.objects.create(workspace=other, connector="feed", name="Decoy feed", key="key-of-decoy")


def aside(source, body=b'{"broken', reason="The JSON ends too early."):
    store = payloads_of(source.workspace)
    ref = store.keep(source_key(source), [Payload(body, "application/json", None, NOON)])
    store.set_aside(ref, 0, reason)
    store.done(ref)
    return ref.seq


def test_the_list_shows_health_of_this_workspace_s_sources_alone(client_of, carol, source, decoy):
    page = client_of(carol).get("/acme/sources/").content.decode()
    assert "Acme tag" in page and "Healthy" in page and "1,234" in page and "Decoy feed" not in page


def test_what_needs_somebody_stands_first(client_of, carol, source, workspace):
    Source.objects.create(workspace=workspace, connector="feed", name="Zed", key="z", state="refused", last_error="401")
    rows = client_of(carol).get("/acme/sources/").context["sources"]
    assert [row.source.name for row in rows] == ["Zed", "Acme tag"]


def test_a_source_that_should_have_been_fetched_says_so(client_of, carol, source):
    Source.objects.filter(pk=source.pk).update(due_at=timezone.now() - timedelta(hours=1))
    assert "overdue" in client_of(carol).get("/acme/sources/").content.decode()
    Source.objects.filter(pk=source.pk).update(state="paused")
    assert "overdue" not in client_of(carol).get("/acme/sources/").content.decode()


def test_lag_is_told_of_what_is_listened_to_and_not_of_a_file_that_was_brought_once(client_of, carol, source):
    old = {"last_post_at": NOON, "last_arrival_at": NOON + timedelta(days=4848)}
    Source.objects.filter(pk=source.pk).update(**old)
    (row,) = client_of(carol).get("/acme/sources/").context["sources"]
    assert row.lag == timedelta(days=4848)
    Source.objects.filter(pk=source.pk).update(state="paused", last_fetch_at=None)
    (row,) = client_of(carol).get("/acme/sources/").context["sources"]
    assert row.lag is None


def test_an_empty_list_says_what_to_do_to_those_who_may(client_of, bob, carol):
    assert "Add a source" in client_of(bob).get("/acme/sources/").content.decode()
    assert "Add a source" not in client_of(carol).get("/acme/sources/").content.decode()


def test_the_list_costs_the_same_for_many(client_of, carol, source, workspace, django_assert_num_queries):
    client = client_of(carol)
    client.get("/acme/sources/")
    for place in range(20):
        Source.objects.create(workspace=workspace, connector="feed", name=f"Feed {place}", key=f"k{place}")
    with django_assert_num_queries(7):  # session, user, member, sources, cases, alerts, other workspaces
        client.get("/acme/sources/")


def test_the_guided_form_makes_a_source(client_of, bob):
    answer = client_of(bob).post("/acme/sources/new/mastodon/", HASHTAG)
    made = Source.objects.get()
    assert answer.headers["Location"] == f"/acme/sources/{made.pk}/"
    assert made.settings["server"] == "https://social.example" and made.settings["hashtags"] == ["acme", "acme2"]
    assert (made.keep, made.sample_percent, made.interval) == ("sample", 2.5, 900)


def test_a_secret_is_kept_encrypted_and_never_shown(client_of, bob):
    client = client_of(bob)
    client.post("/acme/sources/new/mastodon/", HASHTAG)
    made = Source.objects.get()
    assert opened(made.secrets) == {"token": "s3cret-token"} and b"s3cret" not in bytes(made.secrets)
    pages = [client.get(f"/acme/sources/{made.pk}/{path}").content for path in ("", "change/")]
    assert all(b"s3cret-token" not in page for page in pages) and "s3cret" not in str(AuditEntry.objects.get().after)


def test_a_secret_that_is_left_empty_stays(client_of, bob):
    client = client_of(bob)
    client.post("/acme/sources/new/mastodon/", HASHTAG)
    made = Source.objects.get()
    client.post(f"/acme/sources/{made.pk}/change/", {**HASHTAG, "setting_token": "", "name": "Other name"})
    made.refresh_from_db()
    assert made.name == "Other name" and opened(made.secrets) == {"token": "s3cret-token"}


def test_what_is_lacking_is_said_at_its_field(client_of, bob):
    answer = client_of(bob).post("/acme/sources/new/mastodon/", {**HASHTAG, "setting_server": ""})
    assert answer.status_code == 422 and "setting_server" in answer.context["form"].errors
    assert not Source.objects.exists()


def test_a_viewer_makes_and_changes_no_source(client_of, carol, source):
    client = client_of(carol)
    paths = ("fetch", "pause", "delete", "replay", "change", "check")
    answers = [client.post(f"/acme/sources/{source.pk}/{path}/", {"all": "1"}) for path in paths]
    answers.append(client.post("/acme/sources/new/mastodon/", HASHTAG))
    assert {answer.status_code for answer in answers} == {403} and Source.objects.count() == 1


def test_a_source_of_another_workspace_is_out_of_reach(client_of, alice, decoy):
    client = client_of(alice)
    assert client.get(f"/acme/sources/{decoy.pk}/").status_code == 404
    assert client.post(f"/acme/sources/{decoy.pk}/delete/").status_code == 404
    assert Source.objects.get(pk=decoy.pk).deleted_at is None


def test_nothing_is_changed_by_looking(client_of, bob, source):
    for path in ("fetch", "pause", "resume", "delete", "restore", "replay", "check"):
        assert client_of(bob).get(f"/acme/sources/{source.pk}/{path}/").status_code == 405


def test_a_connector_that_is_not_installed_is_not_found(client_of, bob):
    assert client_of(bob).get("/acme/sources/new/telepathy/").status_code == 404


def test_a_source_whose_connector_is_gone_still_has_its_page(client_of, bob, source):
    Source.objects.filter(pk=source.pk).update(connector="telepathy")
    assert "connector is not installed" in client_of(bob).get(f"/acme/sources/{source.pk}/").content.decode()


def test_deleting_can_be_undone_on_the_next_page(client_of, bob, source):
    client = client_of(bob)
    page = client.post(f"/acme/sources/{source.pk}/delete/", follow=True).content.decode()
    assert f'action="/acme/sources/{source.pk}/restore/"' in page and "Acme tag" not in page.partition('id="toasts"')[0]
    client.post(f"/acme/sources/{source.pk}/restore/")
    assert Source.objects.get().deleted_at is None


def test_what_was_set_aside_stands_with_its_reason_and_can_be_replayed(client_of, bob, source):
    seq = aside(source, b"<script>alert(1)</script>")
    page = client_of(bob).get(f"/acme/sources/{source.pk}/").content.decode()
    assert "The JSON ends too early." in page and "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    client_of(bob).post(f"/acme/sources/{source.pk}/replay/", {"seq": seq, "index": 0})
    store = payloads_of(source.workspace)
    assert store.aside(source_key(source)) == [] and len(store.pending(source_key(source))) == 1


def test_a_replay_without_a_number_replays_nothing(client_of, bob, source):
    aside(source)
    client_of(bob).post(f"/acme/sources/{source.pk}/replay/", {"seq": "", "index": "x"})
    assert payloads_of(source.workspace).count_aside(source_key(source)) == 1


def test_the_receiving_address_is_shown_where_the_channel_calls(client_of, bob, source):
    assert "/receive/" not in client_of(bob).get(f"/acme/sources/{source.pk}/").content.decode()
    Source.objects.filter(pk=source.pk).update(connector="webhook")
    assert "/receive/key-of-acme/" in client_of(bob).get(f"/acme/sources/{source.pk}/").content.decode()


def test_a_connection_test_that_cannot_begin_says_what_lacks(client_of, bob):
    answer = client_of(bob).post(
        "/acme/sources/new/mastodon/check/", {**HASHTAG, "setting_server": ""}, headers={"HX-Request": "true"}
    )
    assert "Before it can be tested" in answer.content.decode() and "<html" not in answer.content.decode()


def test_a_connection_test_does_not_reach_into_the_own_network(client_of, bob):
    answer = client_of(bob).post(
        "/acme/sources/new/mastodon/check/", {**HASHTAG, "setting_server": "http://127.0.0.1:1"}
    )
    assert "It does not work yet" in answer.content.decode() and not Source.objects.exists()
