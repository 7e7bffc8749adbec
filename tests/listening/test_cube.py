"""The kept counts equal those of the archive, whatever happened to the posts."""

from datetime import UTC, datetime, timedelta

import pytest

from talkworthy.archive import Scan
from talkworthy.listening import actions, cube
from talkworthy.listening.actions.annotations import correct_annotation
from talkworthy.listening.collecting import Listener
from talkworthy.listening.models import Batch, DayCube, HourCube, Monitor
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def posts_in_cube(workspace, monitor=0):
    return sum(HourCube.objects.filter(workspace=workspace, monitor=monitor).values_list("posts", flat=True))


def test_counts_equal_the_archive_after_posts_arrived(filled, agree):
    agree(filled)
    assert posts_in_cube(filled) == 12


def test_each_monitor_counts_its_own_and_zero_counts_every_post_once(filled):
    found = {m.name: posts_in_cube(filled, m.pk) for m in Monitor.objects.filter(workspace=filled)}
    assert found == {"Acme": 8, "Rival": 4}


def test_counts_equal_the_archive_after_an_edit_that_changes_its_monitors(filled, agree, arrive, row):
    arrive(filled, [row(3, "Now acme and globex are named", collected_at=NOW + timedelta(hours=1))]).store_pending(
        now=NOW
    )
    agree(filled)
    acme = Monitor.objects.get(workspace=filled, name="Acme")
    assert (posts_in_cube(filled), posts_in_cube(filled, acme.pk)) == (12, 9)


def test_counts_equal_the_archive_after_more_likes_were_seen(filled, agree, arrive, row):
    seen = {"replies": 2, "shares": 1, "likes": 40, "views": None, "taken_at": NOW + timedelta(hours=1)}
    observed = {"uid": "feed:example.org:0", "published_at": NOW, **seen}
    arrive(filled, observations=[observed]).store_pending(now=NOW)
    agree(filled)
    assert sum(HourCube.objects.filter(workspace=filled, monitor=0).values_list("likes", flat=True)) == 40


def test_counts_equal_the_archive_after_a_known_post_came_again_with_more_likes(filled, agree, arrive, row):
    known = row(0, "Acme is wonderful, I love it", engagement={"likes": 9, "taken_at": NOW + timedelta(hours=2)})
    arrive(filled, [known]).store_pending(now=NOW)
    agree(filled)


def test_counts_equal_the_archive_after_a_deletion(filled, agree, arrive):
    gone = {"uid": "feed:example.org:0", "deleted_at": NOW, "reason": "deleted"}
    arrive(filled, tombstones=[gone]).store_pending(now=NOW)
    agree(filled)
    assert posts_in_cube(filled) == 11


def test_counts_equal_the_archive_after_a_correction(filled, agree, alice):
    actions.correct_annotation(filled, uid="feed:example.org:0", task="sentiment", new="negative", by=alice, now=NOW)
    agree(filled)


def test_counts_equal_the_archive_after_a_rebuild_of_spoilt_cubes(filled, agree):
    HourCube.objects.filter(workspace=filled).update(posts=99)
    DayCube.objects.filter(workspace=filled).delete()
    assert cube.rebuild(filled, archive_of(filled)) == 12
    agree(filled)


def test_one_monitor_counted_anew_leaves_the_others_alone(filled, agree):
    rival = Monitor.objects.get(workspace=filled, name="Rival")
    HourCube.objects.filter(workspace=filled, monitor=rival.pk).delete()
    assert cube.recount_monitor(filled, archive_of(filled), rival.pk) == 4
    agree(filled)


def test_a_batch_is_counted_once_by_its_name(filled, agree):
    rows = archive_of(filled).table(Scan(columns=cube.COLUMNS, order=None))
    assert cube.count_changes(filled, "once", added=[rows], removed=[], now=NOW) is True
    assert cube.count_changes(filled, "once", added=[rows], removed=[], now=NOW) is False
    assert posts_in_cube(filled) == 24


def test_what_is_added_and_removed_comes_to_nothing(filled, agree):
    rows = archive_of(filled).table(Scan(columns=cube.COLUMNS, order=None))
    cube.count_changes(filled, "back and forth", added=[rows], removed=[rows], now=NOW)
    agree(filled)


def test_no_empty_cell_is_left(filled):
    rows = archive_of(filled).table(Scan(columns=cube.COLUMNS, order=None))
    cube.count_changes(filled, "all gone", added=[], removed=[rows], now=NOW)
    assert not HourCube.objects.filter(workspace=filled).exists()
    assert not DayCube.objects.filter(workspace=filled).exists()


def test_differences_name_the_month_the_sentiment_and_both_counts(filled):
    assert cube.differences(filled, archive_of(filled)) == {}
    cell = HourCube.objects.filter(workspace=filled, monitor=0, sentiment="positive").first()
    n = archive_of(filled).table(Scan(columns=("id",), sentiments=("positive",))).num_rows
    HourCube.objects.filter(pk=cell.pk).update(sentiment="neutral")
    found = cube.differences(filled, archive_of(filled))
    assert found["2026-03 positive"] == (n - 1, n) and found.keys() == {"2026-03 positive", "2026-03 neutral"}


def test_the_cubes_of_another_workspace_are_not_touched(filled, agree):
    decoy = Workspace.objects.create(name="Decoy", slug="decoy")
    HourCube.objects.create(
        workspace=decoy, monitor=0, hour=NOW, channel="feed", sentiment="neutral", posts=5, replies=0, shares=0, likes=0
    )
    cube.rebuild(filled, archive_of(filled))
    assert posts_in_cube(decoy) == 5


def test_each_batch_that_was_stored_has_its_name(filled, arrive, row):
    before = Batch.objects.filter(workspace=filled).count()
    arrive(filled, [row(50)]).store_pending(now=NOW)
    assert Batch.objects.filter(workspace=filled, applied_at=NOW).count() == before + 1
    assert Listener(filled).store_pending(now=NOW).posts == 0


@pytest.mark.parametrize("times", [1, 2])
def test_corrections_made_while_all_is_counted_anew_are_counted(filled, agree, alice, monkeypatch, times):
    archive = archive_of(filled)
    scan, waiting = archive.scan, ["positive", "negative"][:times]

    def scan_and_correct(*args, **more):
        found = list(scan(*args, **more))
        if waiting and args[0].columns == cube.COLUMNS and not args[0].ids:
            new = waiting.pop()
            correct_annotation(filled, uid="feed:example.org:3", task="sentiment", new=new, by=alice, now=NOW)
        return iter(found)

    monkeypatch.setattr(archive, "scan", scan_and_correct)
    cube.rebuild(filled, archive)
    monkeypatch.undo()
    assert not waiting and archive.get("feed:example.org:3")["sentiment"] == "positive"
    agree(filled)


def test_where_corrections_never_end_the_last_scan_lets_nobody_in(filled, agree, monkeypatch):
    monkeypatch.setattr(cube, "SCANS", 0)
    assert cube.rebuild(filled, archive_of(filled)) == 12
    agree(filled)


def test_a_batch_that_comes_again_after_its_name_was_forgotten_is_not_counted_again(filled, agree, arrive, row):
    arrive(filled, [row(50)], seq=2).store_pending(now=NOW)
    assert cube.prune_batches(filled, now=NOW + cube.REMEMBERED) == 0
    assert cube.prune_batches(filled, now=NOW + 2 * cube.REMEMBERED) == 2
    arrive(filled, [row(50)], seq=2).store_pending(now=NOW)
    agree(filled)
    assert posts_in_cube(filled) == 13


def test_a_batch_that_was_never_counted_is_not_forgotten(filled):
    Batch.objects.create(workspace=filled, name="source-9:1", created_at=NOW - timedelta(days=400))
    cube.prune_batches(filled, now=NOW + timedelta(days=400))
    assert Batch.objects.get(workspace=filled).name == "source-9:1"


def test_counts_beyond_all_reason_are_none_and_stop_no_counting(filled, arrive, row, agree):
    lie = {"likes": 2**63 - 1, "replies": 3, "shares": -(2**63), "taken_at": NOW}
    said = {"uid": "feed:example.org:0", "published_at": NOW, "likes": 2**62, "views": 5, "taken_at": NOW}
    rows = [row(70, engagement=lie), row(69.9, engagement=lie), row(69.8, engagement=None)]
    arrive(filled, rows, observations=[said]).store_pending(now=NOW)
    agree(filled)
    [cell] = HourCube.objects.filter(workspace=filled, monitor=0, replies=6)
    assert (cell.likes, cell.shares) == (0, 0)
    assert archive_of(filled).get("feed:example.org:0")["engagement"]["views"] == 5
    counted = archive_of(filled).count(Scan(), by=("channel",), engagement=True).to_pylist()
    assert [group["engagement"] for group in counted] == [6]
