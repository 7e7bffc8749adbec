"""The frame around every page, and the box on top."""

import pytest
from django.utils import timezone

from talkworthy.listening.models import Alert, AlertRule, Monitor, Source
from talkworthy.workspaces.models import Member, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def decoy(alice):
    """Another workspace with things of the same names, which nobody here may see."""
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    Monitor.objects.create(workspace=other, name="Acme in the decoy", query="acme")
    Source.objects.create(workspace=other, name="Acme feed of the decoy", connector="feed", key="decoy")
    return other


def test_the_rail_shows_what_there_is_and_where_one_stands(client_of, carol):
    page = client_of(carol).get("/acme/settings/").content.decode()
    assert [word in page for word in ("Listen", "Inbox", "Trends", "Monitors", "Alerts", "Sources")] == [True] * 6
    assert "Community" not in page
    assert page.count('aria-current="page"') == 3  # the rail's, the one under “More” of a phone, and the tab's


def test_an_alert_that_nobody_saw_is_counted(client_of, alice, workspace, decoy):
    owner = Member.objects.get(user=alice)
    rule = AlertRule.objects.create(workspace=workspace, kind="empty", owner=owner)
    Alert.objects.create(workspace=workspace, rule=rule, period="new")
    Alert.objects.create(workspace=workspace, rule=rule, period="seen", seen_at=timezone.now())
    Alert.objects.create(workspace=decoy, rule=rule, period="of another workspace")
    assert '<span class="count">1<' in client_of(alice).get("/acme/settings/").content.decode()


def test_the_box_finds_pages_monitors_and_sources_of_this_workspace_alone(client_of, carol, workspace, decoy):
    Monitor.objects.create(workspace=workspace, name="Acme brand", query="acme")
    Source.objects.create(workspace=workspace, name="Acme feed", connector="feed", key="own")
    said = client_of(carol).get("/acme/jump/", {"q": "acme"}).content.decode()
    assert "Acme brand" in said and "Acme feed" in said and "decoy" not in said
    assert "Search posts for “acme”" in said


def test_a_deleted_monitor_is_not_offered(client_of, carol, workspace):
    Monitor.objects.create(workspace=workspace, name="Acme gone", query="acme", deleted_at=timezone.now())
    assert "Acme gone" not in client_of(carol).get("/acme/jump/", {"q": "acme"}).content.decode()


def test_an_empty_box_offers_the_pages(client_of, carol):
    said = client_of(carol).get("/acme/jump/").content.decode()
    assert "Trends" in said and "Search posts" not in said


def test_who_may_not_make_a_workspace_is_not_offered_to(client_of, alice, carol):
    assert "/workspaces/new/" in client_of(alice).get("/acme/settings/").content.decode()
    assert "/workspaces/new/" not in client_of(carol).get("/acme/settings/").content.decode()


def test_the_box_leads_to_a_section_of_the_settings_where_one_may(client_of, alice, carol):
    assert "/acme/settings/targets/" in client_of(alice).get("/acme/jump/", {"q": "targ"}).content.decode()
    assert "/acme/settings/targets/" not in client_of(carol).get("/acme/jump/", {"q": "targ"}).content.decode()


def test_what_is_typed_is_never_taken_for_html(client_of, carol):
    assert "<script>" not in client_of(carol).get("/acme/jump/", {"q": "<script>"}).content.decode()


def test_errors_say_what_to_do(client_of, carol):
    said = client_of(carol).get("/acme/no-such-page/").content.decode()
    assert "There is nothing here" in said and "To your workspace" in said


def test_a_refusal_names_the_permission_that_lacks(client_of, carol):
    answer = client_of(carol).get("/acme/settings/tokens/")
    assert answer.status_code == 403 and "manage tokens" in answer.content.decode()


def test_the_sample_says_that_it_is_one(client_of, carol, workspace):
    assert "recorded public posts" not in client_of(carol).get("/acme/settings/").content.decode()
    assert client_of(carol).get("/acme/settings/sample/").status_code == 404
    Workspace.objects.filter(pk=workspace.pk).update(is_sample=True)
    assert "recorded public posts" in client_of(carol).get("/acme/settings/").content.decode()
    assert "PDDL" in client_of(carol).get("/acme/settings/sample/").content.decode()
