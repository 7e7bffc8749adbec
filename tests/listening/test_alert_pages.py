"""The pages of alerts and their rules."""

import pytest
from django.utils import timezone

from talkworthy.listening.models import Alert, AlertRule, Monitor
from talkworthy.workspaces.models import Member, Workspace

pytestmark = pytest.mark.django_db
FIGURES = {
    "count": 42,
    "expected": 6.4,
    "variance": 9.0,
    "probability": 0.0000412,
    "n": 84,
    "since": "2026-03-04T11:00:00+00:00",
    "until": "2026-03-04T12:00:00+00:00",
}


@pytest.fixture
def rule(workspace, alice):
    return AlertRule.objects.create(
        workspace=workspace, kind="unusual", owner=Member.objects.get(user=alice), threshold=0.001
    )


@pytest.fixture
def monitor(workspace):
    return Monitor.objects.create(workspace=workspace, name="Acme", query="acme")


def alerts(rule, monitor, number=1, **fields):
    return [
        Alert.objects.create(
            workspace=rule.workspace, rule=rule, monitor=monitor, period=str(place), evidence=FIGURES, **fields
        )
        for place in range(number)
    ]


def test_an_alert_stands_with_its_figures_and_the_way_to_its_rows(client_of, carol, rule, monitor):
    alerts(rule, monitor)
    page = client_of(carol).get("/acme/alerts/").content.decode()
    assert "42 mentions, 6.4 are usual" in page and "41 in a million" in page and "84 like hours" in page
    assert f"/acme/listen/?monitor={monitor.pk}&amp;since=2026-03-04T11" in page


def test_an_alert_of_another_workspace_is_not_shown(client_of, alice, rule, monitor):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    theirs = Alert.objects.create(workspace=other, rule=rule, period="x", evidence=FIGURES, monitor=monitor)
    assert client_of(alice).get("/acme/alerts/").context["alerts"] == []
    assert client_of(alice).post(f"/acme/alerts/{theirs.pk}/seen/").status_code == 404


def test_seen_is_noted_with_who_and_the_first_time_counts(client_of, alice, bob, rule, monitor):
    alert = alerts(rule, monitor)[0]
    client_of(bob).post(f"/acme/alerts/{alert.pk}/seen/", {"back": "/acme/alerts/?show=new"})
    client_of(alice).post(f"/acme/alerts/{alert.pk}/seen/")
    alert.refresh_from_db()
    assert alert.seen_by == bob and client_of(bob).get("/acme/alerts/?show=new").context["alerts"] == []


@pytest.mark.parametrize("back", ["https://evil.example/", "//evil.example/", "javascript:alert(1)"])
def test_seeing_leads_to_no_other_site(client_of, bob, rule, monitor, back):
    alert = alerts(rule, monitor)[0]
    answer = client_of(bob).post(f"/acme/alerts/{alert.pk}/seen/", {"back": back})
    assert answer.headers["Location"] == "/acme/alerts/"


def test_a_viewer_neither_marks_alerts_nor_makes_rules(client_of, carol, rule, monitor):
    alert = alerts(rule, monitor)[0]
    client = client_of(carol)
    paths = (f"{alert.pk}/seen/", "seen/", "rules/new/?kind=empty", f"rules/{rule.pk}/", f"rules/{rule.pk}/delete/")
    assert {client.post(f"/acme/alerts/{path}").status_code for path in paths} == {403}
    alert.refresh_from_db()
    assert alert.seen_at is None and AlertRule.objects.count() == 1


def test_the_list_is_paged_and_costs_the_same_for_many(client_of, bob, rule, monitor, django_assert_num_queries):
    made = alerts(rule, monitor, 40)
    client = client_of(bob)
    first = client.get("/acme/alerts/")
    assert first.context["older"] == f"/acme/alerts/?before={made[10].pk}"
    assert len(client.get(first.context["older"]).context["alerts"]) == 10
    with django_assert_num_queries(8):  # session, user, member, alerts, unseen, the rail's two counts, other workspaces
        client.get("/acme/alerts/")


def test_a_rule_is_made_for_one_monitor(client_of, bob, workspace, monitor):
    asked = {"monitor": monitor.pk, "minimum": 8, "threshold": "0.01", "by_mail": "on", "enabled": "on"}
    answer = client_of(bob).post("/acme/alerts/rules/new/?kind=unusual", asked)
    made = AlertRule.objects.get()
    assert answer.status_code == 302 and made.owner.user == bob
    assert (made.monitor, made.minimum, made.threshold, made.by_mail) == (monitor, 8, 0.01, True)


def test_a_rule_watches_nothing_of_another_workspace(client_of, bob, workspace):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    theirs = Monitor.objects.create(workspace=other, name="Theirs", query="x")
    asked = {"monitor": theirs.pk, "minimum": 8, "threshold": "0.01"}
    assert client_of(bob).post("/acme/alerts/rules/new/?kind=unusual", asked).status_code == 422
    assert not AlertRule.objects.exists()


def test_a_threshold_that_is_not_offered_is_kept_by_a_change(client_of, bob, rule):
    AlertRule.objects.filter(pk=rule.pk).update(threshold=0.02)
    client_of(bob).post(f"/acme/alerts/rules/{rule.pk}/", {"minimum": 5, "threshold": "0.02"})
    rule.refresh_from_db()
    assert rule.threshold == 0.02 and not rule.enabled


def test_a_kind_that_does_not_exist_is_not_found(client_of, bob):
    assert client_of(bob).get("/acme/alerts/rules/new/?kind=omen").status_code == 404


def test_no_alerts_teach_what_will_stand_here(client_of, carol):
    assert "Nothing unusual so far" in client_of(carol).get("/acme/alerts/").content.decode()


def test_all_are_seen_at_once(client_of, bob, rule, monitor):
    alerts(rule, monitor, 3)
    client_of(bob).post("/acme/alerts/seen/")
    assert Alert.objects.filter(seen_at__lte=timezone.now(), seen_by=bob).count() == 3
