"""Who is told of what, once each."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend

from talkworthy.listening import actions
from talkworthy.listening.alerts import detail, headline, mail_alerts, raise_alerts
from talkworthy.listening.models import Alert, AlertRule, DayCube, HourCube, Monitor, Source
from talkworthy.workspaces.models import Member, Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)


@pytest.fixture
def monitors(workspace):
    return [Monitor.objects.create(workspace=workspace, name=name, query="x") for name in ("Acme", "Rival")]


@pytest.fixture
def rule(workspace, alice):
    owner = Member.objects.get(workspace=workspace, user=alice)

    def made(kind, threshold, **more):
        return actions.create_alert_rule(
            workspace, kind=kind, owner=owner, threshold=threshold, by=alice, now=NOW, **more
        )

    return made


def count(monitor, hours_ago, posts):
    hour = (NOW - timedelta(hours=hours_ago)).replace(minute=0)
    counts = {"posts": posts, "replies": 0, "shares": 0, "likes": 0}
    HourCube.objects.create(
        workspace_id=monitor.workspace_id, monitor=monitor.pk, hour=hour, channel="feed", sentiment="neutral", **counts
    )


def usual(monitor, posts=3, days=28, until=2):
    for hour in range(until, days * 24):
        count(monitor, hour, posts)


def test_a_flood_is_told_once_with_its_figures(workspace, monitors, rule):
    rule("unusual", 0.001)
    for monitor in monitors:
        usual(monitor)
        count(monitor, 1, 3)
    count(monitors[0], 0, 60)
    [alert] = raise_alerts(workspace, now=NOW)
    assert alert.monitor == monitors[0] and alert.evidence["count"] == 60
    assert alert.evidence["probability"] < 1e-6 and alert.evidence["n"] >= 14
    assert "Acme" in headline(alert) and "60 mentions" in headline(alert) and "probability" in detail(alert)
    assert raise_alerts(workspace, now=NOW + timedelta(minutes=5)) == []


def test_the_usual_is_not_told(workspace, monitors, rule):
    rule("unusual", 0.001)
    usual(monitors[0], until=0)
    assert raise_alerts(workspace, now=NOW) == []


def test_fewer_than_the_minimum_are_not_told(workspace, monitors, rule):
    rule("unusual", 0.01, minimum=10)
    count(monitors[0], 27 * 24, 1)
    count(monitors[0], 0, 9)
    assert raise_alerts(workspace, now=NOW) == []


def test_with_little_history_nothing_is_unusual(workspace, monitors, rule):
    rule("unusual", 0.001)
    usual(monitors[0], days=3)
    count(monitors[0], 0, 60)
    assert raise_alerts(workspace, now=NOW) == []


def test_a_rule_of_one_monitor_watches_no_other(workspace, monitors, rule):
    rule("unusual", 0.001, monitor=monitors[1])
    usual(monitors[0])
    count(monitors[0], 0, 60)
    assert raise_alerts(workspace, now=NOW) == []


@pytest.mark.parametrize("change", [{"paused_at": NOW}, {"deleted_at": NOW}])
def test_a_monitor_that_does_not_listen_raises_nothing(workspace, monitors, rule, change):
    rule("unusual", 0.001)
    usual(monitors[0])
    count(monitors[0], 0, 60)
    Monitor.objects.filter(pk=monitors[0].pk).update(**change)
    assert raise_alerts(workspace, now=NOW) == []


def test_a_rule_that_is_off_says_nothing(workspace, monitors, rule, alice):
    actions.change_alert_rule(rule("unusual", 0.001), enabled=False, by=alice, now=NOW)
    usual(monitors[0])
    count(monitors[0], 0, 60)
    assert raise_alerts(workspace, now=NOW) == []


def source_with_days(workspace, name, days, last, **more):
    source = Source.objects.create(
        workspace=workspace, connector="feed", name=name, key=name * 20, last_arrival_at=last, **more
    )
    for day in days:
        DayCube.objects.create(
            workspace=workspace,
            monitor=0,
            day=(NOW - timedelta(days=day)).date(),
            dimension="source",
            value=f"source-{source.pk}",
            posts=1,
        )
    return source


def test_a_source_that_fell_silent_is_told_once(workspace, rule):
    rule("silent", 3.0)
    silent = source_with_days(workspace, "s", range(10, 20), NOW - timedelta(days=9), state="healthy")
    source_with_days(workspace, "t", range(10), NOW - timedelta(hours=2), state="healthy")
    source_with_days(workspace, "p", range(10, 20), NOW - timedelta(days=9), state="paused")
    [alert] = raise_alerts(workspace, now=NOW)
    assert alert.source == silent and "s" in headline(alert) and "Nothing since" in detail(alert)
    assert raise_alerts(workspace, now=NOW + timedelta(hours=1)) == []


def test_a_monitor_that_finds_nothing_any_more_is_told_once(workspace, monitors, rule):
    rule("empty", 3.0)
    for hour in range(48, 96):
        count(monitors[0], hour, 1)
    for hour in range(96):
        count(monitors[1], hour, 1)
    [alert] = raise_alerts(workspace, now=NOW)
    assert alert.monitor == monitors[0] and "finds nothing any more" in headline(alert)
    assert raise_alerts(workspace, now=NOW + timedelta(hours=1)) == []


def flooded(workspace, monitors, rule, **more):
    rule("unusual", 0.001, **more)
    usual(monitors[0])
    count(monitors[0], 0, 60)
    return raise_alerts(workspace, now=NOW)


def test_a_mail_goes_to_the_owner_once(workspace, monitors, rule):
    flooded(workspace, monitors, rule, by_mail=True)
    assert (mail_alerts(now=NOW), mail_alerts(now=NOW)) == (1, 0)
    [sent] = mail.outbox
    assert sent.to == ["alice@example.org"] and "60 mentions" in sent.subject and "/acme/alerts/" in sent.body


def test_without_the_wish_no_mail_goes_out(workspace, monitors, rule):
    flooded(workspace, monitors, rule)
    assert mail_alerts(now=NOW) == 0 and mail.outbox == []


def test_a_mail_that_could_not_go_out_is_tried_again(workspace, monitors, rule, monkeypatch):
    flooded(workspace, monitors, rule, by_mail=True)

    def refuse(*_args):
        raise OSError("no route to host")

    with monkeypatch.context() as patched:
        patched.setattr(EmailBackend, "send_messages", refuse)
        assert mail_alerts(now=NOW) == 0
    assert mail_alerts(now=NOW) == 1 and len(mail.outbox) == 1


def test_an_old_alert_is_not_mailed_any_more(workspace, monitors, rule):
    flooded(workspace, monitors, rule, by_mail=True)
    assert mail_alerts(now=NOW + timedelta(days=2)) == 0


def test_seeing_all_of_one_workspace_leaves_those_of_another(workspace, monitors, rule, alice):
    [alert] = flooded(workspace, monitors, rule)
    decoy = Workspace.objects.create(name="Decoy", slug="decoy")
    other = Alert.objects.create(workspace=decoy, rule=alert.rule, period="decoy", at=NOW)
    assert actions.see_all_alerts(workspace, by=alice, now=NOW) == 1
    other.refresh_from_db()
    alert.refresh_from_db()
    assert (alert.seen_by, other.seen_at) == (alice, None)


def test_a_new_workspace_has_four_rules_however_often_they_are_ensured(workspace, alice):
    owner = Member.objects.get(workspace=workspace, user=alice)
    actions.ensure_alert_rules(workspace, owner=owner)
    actions.ensure_alert_rules(workspace, owner=owner)
    assert AlertRule.objects.filter(workspace=workspace).count() == 4
