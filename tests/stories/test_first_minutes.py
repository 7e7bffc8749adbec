"""Somebody starts it for the first time: posts lie there, every monitor finds something, and the counts are right."""

from datetime import timedelta
from html import unescape

import pytest
from django.utils import timezone

from talkworthy.archive import Scan
from talkworthy.listening import cube
from talkworthy.listening.models import HourCube, Job, Monitor
from talkworthy.listening.recorded import fill_workspace, recorded_posts, recorded_workspace
from talkworthy.listening.stores import archive_of
from talkworthy.routing.arriving import look_at_arrivals
from talkworthy.routing.models import Arrival, Case
from talkworthy.routing.recorded import fill_desk
from talkworthy.workspaces.models import Member

pytestmark = pytest.mark.django_db


def test_the_first_minutes_of_a_new_workspace(workspace, alice, client_of):
    owner = Member.objects.get(workspace=workspace, user=alice)
    posts = fill_workspace(workspace, owner=owner, now=timezone.now())
    archive = archive_of(workspace)
    assert posts == recorded_posts().num_rows == archive.stats().rows
    _every_monitor_finds_something(workspace, archive)
    assert cube.differences(workspace, archive) == {}
    _twice_is_once(workspace, owner, archive, posts)
    _pages_show_them(workspace, archive, client_of(alice))
    _the_inbox_holds_cases(workspace, owner, client_of(alice))


def _every_monitor_finds_something(workspace, archive):
    monitors = list(Monitor.objects.filter(workspace=workspace))
    assert len(monitors) == len(recorded_workspace()["monitors"]) >= 5
    assert not Job.objects.filter(workspace=workspace, state="waiting").exists()
    for monitor in monitors:
        stored = archive.table(Scan(columns=("id",), monitors_any=(monitor.pk,), order=None)).num_rows
        assert 0 < stored == _counted(workspace, monitor.pk), monitor.name


def _counted(workspace, monitor):
    return sum(HourCube.objects.filter(workspace=workspace, monitor=monitor).values_list("posts", flat=True))


def _twice_is_once(workspace, owner, archive, posts):
    fill_workspace(workspace, owner=owner, now=timezone.now())
    assert (archive.stats().rows, _counted(workspace, 0)) == (posts, posts)


def _the_inbox_holds_cases(workspace, owner, client):
    now = timezone.now()
    assert (fill_desk(workspace, owner=owner, now=now), fill_desk(workspace, owner=owner, now=now)) == (12, 0)
    look_at_arrivals(now=now)
    cases = Case.objects.filter(workspace=workspace)
    assert 8 <= cases.count() <= 12 and not Arrival.objects.exists()
    assert all(case.owner is None and case.first_answer_due_at > now and case.decisions.exists() for case in cases)
    page = client.get("/acme/inbox/").content.decode()
    assert cases[0].title[:40] in unescape(page)


def _pages_show_them(workspace, archive, client):
    newest = archive.stats().newest
    since = (newest - timedelta(days=29)).date()
    period = f"since={since}&until={newest.date()}"
    steam = Monitor.objects.get(workspace=workspace, name="Steam")
    rows = archive.table(
        Scan(
            columns=("published_at",),
            monitors_any=(steam.pk,),
            since=newest.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=29),
            order=None,
        )
    ).num_rows
    page = client.get(f"/acme/trends/?monitor={steam.pk}&{period}")
    assert page.status_code == 200
    assert f"{rows:,}" in page.content.decode()
    assert client.get("/acme/listen/").status_code == 200
