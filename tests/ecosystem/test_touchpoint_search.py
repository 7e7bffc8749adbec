"""touchpoint: in searches finds exactly the posts that the touchpoint's monitor found."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from talkworthy.archive import Scan
from talkworthy.ecosystem import actions
from talkworthy.listening.collecting import Listener
from talkworthy.listening.filters import Filter
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.models import Monitor
from talkworthy.listening.periods import read_period
from talkworthy.listening.searching import search
from talkworthy.listening.selectors import mentions
from talkworthy.listening.stores import archive_of
from talkworthy.listening.ties import tied_to
from talkworthy.listening.touchpoints import with_touchpoints
from talkworthy.listening.voices import ties_for
from talkworthy.query import compile_query, parse
from talkworthy.workspaces.models import Member

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def run_all(workspace):
    while job := claim_job(now=NOW):
        run_job(job, Listener(workspace))
        job.refresh_from_db()
        assert job.state == "done", job.error


@pytest.fixture
def tied(filled, alice):
    """Acme's posts with two touchpoints: the app (posts 1 and 7), and buying (posts 5 and 11)."""
    for name, query in (("Check-out", "kaufen"), ("App", "app")):
        actions.create_touchpoint(filled, name=name, kind="sales", query=query, by=alice, now=NOW)
    run_all(filled)
    return filled


@pytest.fixture
def viewer(tied, alice):
    return Member.objects.get(workspace=tied, user=alice)


def numbers(posts):
    return sorted(int(post["uid"].rsplit(":", 1)[1]) for post in posts)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("touchpoint:check-out", [5, 11]),
        ("touchpoint:CHECK-OUT", [5, 11]),
        ("touchpoint:(app OR check-out)", [1, 5, 7, 11]),
        ("touchpoint:app AND crashes", [1, 7]),
        ("site:example.org -touchpoint:check-out", [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]),
        ("acme -touchpoint:check-out", [0, 1, 4, 6, 7, 10]),
        ("touchpoint:nowhere", []),
    ],
)
def test_a_search_finds_the_tied_posts_and_its_negation_the_others(tied, viewer, words, found):
    page = mentions.mentions(Filter(words=words), viewer=viewer, period=None, now=NOW)
    assert numbers(page.posts) == found
    period = read_period("30d", now=NOW + timedelta(hours=1), zone=UTC)
    counted = mentions.count_mentions(Filter(words=words), viewer=viewer, period=period, now=NOW)
    assert counted.posts == len(found)
    query = compile_query(parse(words, stage="search"), now=NOW)
    batches = search(archive_of(tied), query, Scan(), ties=ties_for(query, tied))
    assert numbers(post for batch in batches for post in batch.to_pylist()) == found


@pytest.mark.django_db
def test_posts_that_arrive_are_tied_as_well(tied, viewer):
    page = mentions.arrived(Filter(words="touchpoint:app"), viewer=viewer, period=None, now=NOW, since=0, after=0)
    assert numbers(page.posts) == [1, 7]


@pytest.mark.django_db
def test_a_deleted_touchpoint_is_named_by_no_post(tied, viewer, alice):
    actions.delete_touchpoint(Monitor.objects.get(name="App").touchpoint, by=alice, now=NOW)
    assert mentions.mentions(Filter(words="touchpoint:app"), viewer=viewer, period=None, now=NOW).posts == ()
    posts = with_touchpoints(archive_of(tied).table(Scan(columns=("uid", "monitors"))), tied)
    assert {slug for slugs in posts["touchpoint"].to_pylist() for slug in slugs} == {"check-out"}


def test_rows_without_monitors_have_an_empty_list_wherever_they_stand():
    rows = [[9], None, [1, 2, 3], [], [2], None]
    batch = pa.RecordBatch.from_arrays([pa.array(rows, pa.list_(pa.int64()))], names=["monitors"])
    wanted = [[], [], ["a", "b"], [], ["b"], []]
    assert tied_to(batch, {1: "a", 2: "b"})["touchpoint"].to_pylist() == wanted
    assert tied_to(batch.slice(2, 3), {1: "a", 2: "b"})["touchpoint"].to_pylist() == wanted[2:5]
    assert tied_to(pa.Table.from_batches([batch, batch]), {1: "a", 2: "b"})["touchpoint"].to_pylist() == wanted * 2
    assert tied_to(batch, {})["touchpoint"].to_pylist() == [[]] * 6
