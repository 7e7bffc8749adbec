"""Accounts counted from the archive: how far each is heard, found by `influence:`, and forgotten with the person."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from talkworthy.archive import Scan
from talkworthy.hooks.manager import call
from talkworthy.listening import actions
from talkworthy.listening.collecting import Listener
from talkworthy.listening.filters import Filter
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.models import Job, Voice, VoicesCounted
from talkworthy.listening.periods import read_period
from talkworthy.listening.searching import search
from talkworthy.listening.selectors import mentions
from talkworthy.listening.stores import archive_of
from talkworthy.listening.voices import begin_counting, count_voices, influence_of, ties_for
from talkworthy.query import compile_query, parse
from talkworthy.workspaces.models import Member

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def run_all(workspace):
    while job := claim_job(now=NOW):
        run_job(job, Listener(workspace))


def count(workspace):
    return count_voices(workspace, archive_of(workspace), progress=lambda done, total: None, now=NOW)


@pytest.fixture
def viewer(filled, alice):
    return Member.objects.get(workspace=filled, user=alice)


@pytest.fixture
def heard(filled, arrive, row):
    """Acme with three accounts of a feed, a loud one that others answer, and two of which little is known."""
    star = {"id": "star", "handle": "star", "name": "Star", "followers": 90_000, "verified": True}
    quiet = {"id": "quiet", "handle": "quiet", "name": "Quiet"}
    rows = [
        row(20, "Acme has a new router", author=star),
        row(19, "so it has", author={"id": "a0", "handle": "ann0"}, in_reply_to="feed:example.org:20"),
        row(18, "really", author={"id": "a1", "handle": "ann1"}, in_reply_to="feed:example.org:20"),
        row(17, "hello world", author=quiet),
        row(16, "said by nobody", author=None),
        row(15, "hello from afar", author={"id": "star", "handle": "star"}, channel="forum"),
    ]
    arrive(filled, rows).store_pending(now=NOW)
    run_all(filled)
    count(filled)
    return filled


def numbers(posts):
    return sorted(int(post["uid"].rsplit(":", 1)[1]) for post in posts)


def authors_at(workspace, least):
    return {
        (voice.channel, voice.account)
        for voice in Voice.objects.filter(workspace=workspace, influence__isnull=False, influence__gte=least)
    }


def test_every_account_is_kept_with_its_parts_and_what_led_to_them(heard):
    voices = {voice.account: voice for voice in Voice.objects.filter(channel="feed")}
    assert set(voices) == {"a0", "a1", "a2", "star", "quiet"}
    star = voices["star"]
    assert star.influence == max(v.influence for v in voices.values() if v.influence is not None)
    assert (star.name, star.posts, star.people) == ("Star", 1, 2)
    assert star.counts["follower_count"] == 90_000 and "listed_count" not in star.counts
    assert {kind for _post, kind in star.acts} == {1} and len(star.acts) == 2
    assert "verified" in {name for name, _points, _value in star.signs}
    assert all(0 <= part <= 1 for part in (star.reach, star.relevance, star.credibility))
    state = VoicesCounted.objects.get()
    assert state.accounts == 6 and state.middles["feed"]["follower_count"] > 0 and 0 < state.usual < 1


def test_an_account_of_which_too_little_is_known_is_undecided(heard):
    assert Voice.objects.get(channel="feed", account="quiet").influence is None
    assert Voice.objects.get(channel="forum", account="star").influence is None


def test_an_account_that_is_gone_from_the_archive_goes_and_counting_twice_changes_nothing(heard):
    Voice.objects.filter(account="a2").update(account="gone")
    before = {v.account: v.influence for v in Voice.objects.exclude(account="gone")}
    later = NOW + timedelta(days=1)
    count_voices(heard, archive_of(heard), progress=lambda done, total: None, now=later)
    after = {v.account: v.influence for v in Voice.objects.all()}
    assert "gone" not in after and after.items() >= before.items()


@pytest.mark.parametrize("least", [0, 20, 50, 70, 100])
def test_a_search_finds_exactly_the_posts_of_accounts_at_or_above_the_number(heard, alice, least):
    viewer = Member.objects.get(workspace=heard, user=alice)
    wanted = authors_at(heard, least)
    everything = archive_of(heard).table(Scan(columns=("uid", "channel", "author"))).to_pylist()
    expected = numbers(
        post for post in everything if post["author"] and (post["channel"], post["author"]["id"]) in wanted
    )
    words = f"influence:>={least}"
    page = mentions.mentions(Filter(words=words), viewer=viewer, period=None, now=NOW)
    assert numbers(page.posts) == expected
    period = read_period("30d", now=NOW + timedelta(hours=1), zone=UTC)
    assert mentions.count_mentions(Filter(words=words), viewer=viewer, period=period, now=NOW).posts == len(expected)
    query = compile_query(parse(words, stage="search"), now=NOW)
    batches = search(archive_of(heard), query, Scan(), ties=ties_for(query, heard))
    assert numbers(post for batch in batches for post in batch.to_pylist()) == expected


def test_what_arrives_is_matched_as_what_is_stored(heard, alice, arrive, row):
    monitor = actions.create_monitor(
        heard, name="Loud", kind="field", colour="blue", owner=None, query="influence:>=50", by=alice, now=NOW
    )
    run_all(heard)
    stored = numbers(archive_of(heard).table(Scan(columns=("uid",), monitors_any=(monitor.pk,))).to_pylist())
    loud = authors_at(heard, 50)
    everything = archive_of(heard).table(Scan(columns=("uid", "channel", "author"))).to_pylist()
    assert stored and stored == numbers(
        p for p in everything if p["author"] and (p["channel"], p["author"]["id"]) in loud
    )
    new = [
        row(40, "good morning", author={"id": "star", "handle": "star"}),
        row(41, "good evening", author={"id": "quiet", "handle": "quiet"}),
        row(42, "good night", author={"id": "stranger", "handle": "stranger"}),
    ]
    arrive(heard, new, seq=3).store_pending(now=NOW)
    live = archive_of(heard).table(Scan(columns=("uid",), monitors_any=(monitor.pk,))).to_pylist()
    assert numbers(live) == sorted([*stored, 40])


def test_listening_learns_of_a_new_count(heard, alice):
    actions.create_monitor(
        heard, name="Loud", kind="field", colour="blue", owner=None, query="influence:>=50", by=alice, now=NOW
    )
    listener = Listener(heard)
    before = listener.monitors(now=NOW)
    assert before.influence == influence_of(heard) and listener.monitors(now=NOW) is before
    Voice.objects.filter(account="star").update(influence=1)
    VoicesCounted.objects.update(counted_at=NOW + timedelta(hours=1))
    assert listener.monitors(now=NOW).influence != before.influence


def test_where_no_monitor_asks_it_nothing_is_read_of_influence(heard):
    listener = Listener(heard)
    with CaptureQueriesContext(connection) as asked:
        assert listener.monitors(now=NOW).influence is None
    assert asked.captured_queries and not any('FROM "listening_voice"' in query["sql"] for query in asked)


def test_counting_is_begun_when_the_archive_moved_and_once(filled, arrive, row):
    run_all(filled)
    assert begin_counting(now=NOW) == 1 and begin_counting(now=NOW) == 0
    run_all(filled)
    job = Job.objects.get(kind="influence")
    assert job.state == "done", job.error
    assert job.result == {"posts": 12, "accounts": 3, "decided": 3} and job.done == job.total
    tomorrow = NOW + timedelta(days=1)
    assert begin_counting(now=tomorrow) == 0
    arrive(filled, [row(30)]).store_pending(now=tomorrow)
    assert begin_counting(now=tomorrow + timedelta(hours=1)) == 1


def test_a_job_that_is_stopped_keeps_nothing(filled):
    run_all(filled)
    begin_counting(now=NOW)
    job = Job.objects.get(kind="influence")
    actions.stop_job(job, by=None, now=NOW)
    run_all(filled)
    assert not Voice.objects.exists()


def test_an_erased_account_is_forgotten_and_the_others_stay(heard, alice):
    job = actions.start_erasure(heard, channel="feed", author_id="star", uids=[], why="They asked", by=alice, now=NOW)
    run_all(heard)
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert set(Voice.objects.values_list("channel", "account")) == {
        ("feed", "a0"), ("feed", "a1"), ("feed", "a2"), ("feed", "quiet"), ("forum", "star"),
    }  # fmt: skip
    assert job.result["tables"]["voices"] == 1


def test_what_was_read_before_an_erasure_is_not_kept_after_it(heard, alice):
    Job.objects.create(workspace=heard, kind="erasure", state="done", ended_at=NOW, created_at=NOW)
    Voice.objects.all().delete()
    assert count(heard)["put_off"] and not Voice.objects.exists()
    assert VoicesCounted.objects.get().due_at == NOW


def test_what_is_kept_of_an_account_is_handed_out(heard):
    found = {}
    for answer in call("data_exported", workspace=heard, uids=[], authors=[("feed", "star")]):
        found.update(answer)
    assert [(row["account"], row["name"], row["posts"]) for row in found["listening.Voice"]] == [("star", "Star", 1)]


def test_a_query_that_asks_neither_reads_nothing(heard, django_assert_num_queries):
    with django_assert_num_queries(0):
        assert ties_for(compile_query(parse("acme", stage="search"), now=NOW), heard) is None
    with django_assert_num_queries(1):
        ties = ties_for(compile_query(parse("influence:>=50", stage="search"), now=NOW), heard)
    assert ties is not None and ties.touchpoints is None
