"""The page that follows a name: one box makes a monitor and its sources."""

import pytest

from talkworthy.listening.models import Monitor, Source
from talkworthy.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
ASKED = {"words": "Acme Router", "follow": "1", "name": "Acme Router", "query": '"Acme Router"', "source": ["0", "1"]}


def test_what_was_typed_is_understood_before_anything_is_made(client_of, bob):
    answer = client_of(bob).post("/acme/follow/", {"words": "Acme Router"}, headers={"HX-Request": "true"})
    page = answer.content.decode()
    assert "Understood as a name" in page and "Mastodon: #AcmeRouter" in page and "<html" not in page
    assert not Monitor.objects.exists() and not Source.objects.exists()


def test_following_makes_the_monitor_and_the_chosen_sources(client_of, bob):
    answer = client_of(bob).post("/acme/follow/", ASKED)
    monitor = Monitor.objects.get()
    assert answer.headers["Location"] == f"/acme/listen/?monitor={monitor.pk}"
    assert monitor.query == '"Acme Router"' and monitor.owner.user == bob
    assert sorted(Source.objects.values_list("connector", flat=True)) == ["hackernews", "mastodon"]


def test_following_is_undone_as_a_whole_and_only_here(client_of, bob, dan):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    decoy = Source.objects.create(workspace=other, connector="feed", name="Decoy", key="decoy")
    client = client_of(bob)
    client.post("/acme/follow/", ASKED)
    made = "-".join(str(source.pk) for source in Source.objects.exclude(pk=decoy.pk))
    client.post(f"/acme/follow/undo/{Monitor.objects.get().pk}/{made}-{decoy.pk}/")
    assert Monitor.objects.get().deleted_at is not None
    assert list(Source.objects.filter(deleted_at=None)) == [decoy]


def test_a_source_that_listens_already_is_not_made_twice(client_of, bob):
    client = client_of(bob)
    client.post("/acme/follow/", ASKED)
    client.post("/acme/follow/", {**ASKED, "name": "Acme again"})
    assert Monitor.objects.count() == 2 and Source.objects.count() == 2


def test_where_the_monitor_is_refused_no_source_is_made(client_of, bob):
    client = client_of(bob)
    answer = client.post("/acme/follow/", {**ASKED, "query": "(acme"})
    assert answer.status_code == 422 and "It is not followed yet" in answer.content.decode()
    assert 'value="(acme"' in answer.content.decode() and not Monitor.objects.exists() and not Source.objects.exists()


def test_a_viewer_follows_nobody(client_of, carol):
    client = client_of(carol)
    assert client.get("/acme/follow/").status_code == 403 and client.post("/acme/follow/", ASKED).status_code == 403
    assert client.post("/acme/follow/check/0/", {"words": "Acme"}).status_code == 403
    assert not Monitor.objects.exists()


def test_what_is_not_proposed_is_not_tried(client_of, bob):
    assert client_of(bob).post("/acme/follow/check/9/", {"words": "Acme"}).status_code == 404
    assert client_of(bob).post("/acme/follow/check/0/", {"words": "!!!"}).status_code == 404


def test_the_box_works_without_script(client_of, bob):
    page = client_of(bob).get("/acme/follow/", {"words": "#acme"}).content.decode()
    assert "Understood as a hashtag" in page and "</html>" in page
