"""What becomes of a source after each outcome of a fetch, and who may work at all."""

import shutil
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from talkworthy import archive as river
from talkworthy.archive import Scan
from talkworthy.connectors.contract import Page
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, ResumeLost, TryLater
from talkworthy.connectors.payload import Payload
from talkworthy.hooks.manager import joined
from talkworthy.listening import actions, cube
from talkworthy.listening.collecting import source_key
from talkworthy.listening.models import HourCube, Source
from talkworthy.listening.stores import archive_of, payloads_of
from talkworthy.worker import loop
from talkworthy.worker.loop import AlreadyRunning, Worker, first_worker, one_of_the_workers, only_worker
from talkworthy.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def source(workspace, alice, channel):
    return actions.create_source(
        workspace, connector="scripted", name="Scripted", settings={}, by=alice, now=timezone.now()
    )


def page(words, **more):
    return Page(payloads=(Payload(body=words.encode(), fetched_at=timezone.now()),), **more)


def fetched(source):
    Worker().fetch(source)
    source.refresh_from_db()
    return source


def due_in(source):
    return (source.due_at - timezone.now()).total_seconds()


def texts(workspace):
    return sorted(archive_of(workspace).table(Scan(columns=("text",), order=None))["text"].to_pylist())


def test_what_is_due_is_fetched_and_stored(source, channel):
    channel.script = [page("one two", cursor={"at": 2})]
    Worker().run_once()
    source.refresh_from_db()
    assert texts(source.workspace) == ["Acme one", "Acme two"]
    assert (source.state, source.cursor, source.posts, source.failures) == ("healthy", {"at": 2}, 2, 0)
    assert 290 < due_in(source) <= 300


def test_what_is_not_due_is_left_alone(source, channel):
    Source.objects.filter(pk=source.pk).update(due_at=timezone.now() + timedelta(hours=1))
    channel.script = [page("one")]
    Worker().run_once()
    assert len(channel.script) == 1


@pytest.mark.parametrize("change", [{"state": "paused"}, {"deleted_at": timezone.now()}])
def test_a_paused_or_deleted_source_is_left_alone(source, channel, change):
    Source.objects.filter(pk=source.pk).update(**change)
    channel.script = [page("one")]
    Worker().run_once()
    assert len(channel.script) == 1


def test_the_next_fetch_goes_on_from_the_cursor(source, channel):
    channel.script = [page("one", cursor={"at": 1}, more=True), page("two", cursor={"at": 2})]
    fetched(source)
    fetched(source)
    assert channel.cursors == [None, {"at": 1}, {"at": 2}]


@pytest.mark.parametrize(
    ("error", "state", "least", "most"),
    [
        (TryLater("busy", after=120), "retrying", 119, 151),
        (GiveUp("the address is gone"), "gone", 6 * 3600 - 1, 7.5 * 3600),
        (AskForCredentials("sign in again"), "refused", 3599, 4501),
        (Malformed("no JSON"), "retrying", 59, 76),
        (OSError("no route to host"), "retrying", 59, 76),
        (ZeroDivisionError("a fault of the connector"), "retrying", 299, 376),
    ],
)
def test_an_error_says_what_state_the_source_is_in_and_when_it_is_tried_again(
    source, channel, caplog, error, state, least, most
):
    channel.script = [error]
    found = fetched(source)
    assert (found.state, found.last_error, found.failures) == (state, str(error), 1)
    assert least <= due_in(found) <= most


def test_a_lost_cursor_goes_on_from_where_the_channel_says(source, channel):
    channel.script = [page("one", cursor={"at": 1}), ResumeLost("too old", cursor={"at": 90}), page("two")]
    fetched(source)
    found = fetched(source)
    assert (found.state, found.last_error) == ("retrying", "too old")
    assert fetched(source).state == "healthy" and channel.cursors[-1] == {"at": 90}


def test_a_lost_cursor_without_another_begins_anew(source, channel):
    channel.script = [page("one", cursor={"at": 1}), ResumeLost("too old")]
    fetched(source)
    fetched(source)
    fetched(source)
    assert not channel.cursors[-1]


def test_failures_in_a_row_are_tried_further_apart_and_a_success_forgets_them(source, channel):
    channel.script = [TryLater("busy", after=60)] * 3
    waits = [due_in(fetched(source)) for _ in range(3)]
    assert waits[2] > 150 and source.failures == 3
    assert fetched(source).failures == 0 and source.last_error == ""


def test_a_source_that_was_paused_while_it_was_fetched_stays_paused(source, channel, alice):
    channel.script = [TryLater("busy")]
    Source.objects.filter(pk=source.pk).update(state="paused")
    assert fetched(source).state == "paused"


@pytest.mark.parametrize("outcome", [GiveUp("no such address"), Page(cursor={"at": 1})])
def test_a_source_that_was_changed_while_it_was_fetched_is_fetched_again_at_once(source, channel, alice, outcome):
    def changing(cursor):
        actions.change_source(source, secrets={"token": "b"}, by=alice, now=timezone.now())
        return outcome

    Source.objects.filter(pk=source.pk).update(claimed_until=timezone.now() + timedelta(minutes=10))
    channel.script = [changing]
    found = fetched(Source.objects.get(pk=source.pk))
    assert (found.state, found.last_error, found.claimed_until) == ("new", "", None)
    assert due_in(found) <= 0


def test_a_stream_ends_when_its_source_is_changed(source, channel, alice, monkeypatch):
    heard = []

    def stream(_http, _settings, cursor):
        for word in ("one", "two", "three"):
            heard.append(word)
            yield page(word, cursor={"at": word})
            actions.change_source(source, secrets={"token": "b"}, by=alice, now=timezone.now())

    monkeypatch.setattr(type(channel), "stream", staticmethod(stream), raising=False)
    Worker().listen(source)
    assert heard == ["one", "two"]
    assert payloads_of(source.workspace).cursor(source_key(source)) == {"at": "two"}


def test_secrets_of_another_key_ask_for_a_person(source, channel, settings):
    from talkworthy.workspaces.credentials import sealed

    Source.objects.filter(pk=source.pk).update(secrets=sealed({"token": "a"}))
    source.refresh_from_db()
    settings.SECRET_KEY = "another key"
    found = fetched(source)
    assert found.state == "refused" and "another key" in found.last_error


def test_a_source_without_its_connector_says_so(source):
    Source.objects.filter(pk=source.pk).update(connector="not_installed")
    source.refresh_from_db()
    found = fetched(source)
    assert found.state == "gone" and "not_installed" in found.last_error


def test_the_fault_of_one_source_does_not_stop_the_other(source, channel, workspace, alice, caplog):
    other = actions.create_source(
        workspace, connector="scripted", name="Other", settings={}, by=alice, now=timezone.now()
    )
    channel.script = [ZeroDivisionError("fault"), page("one")]
    Worker().run_once()
    assert texts(workspace) == ["Acme one"]
    assert sorted(Source.objects.values_list("state", flat=True)) == ["healthy", "retrying"]
    assert other.workspace == workspace


def test_a_source_that_is_being_fetched_is_not_handed_out_again(source, channel):
    worker = Worker()
    handed = []
    worker._fetchers.shutdown()
    worker._fetchers = type("Counting", (), {"submit": lambda _self, *_work: handed.append(1)})()
    worker.start_due()
    worker.start_due()
    assert handed == [1]
    Source.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    worker.start_due()
    assert handed == [1, 1]


def test_what_needs_the_data_folder_alone_is_refused_beside_workers_and_they_beside_it(settings, tmp_path):
    settings.DATA = tmp_path
    with only_worker(), pytest.raises(AlreadyRunning, match="Another worker"), only_worker():
        pass
    with only_worker(), pytest.raises(AlreadyRunning), one_of_the_workers():
        pass
    with one_of_the_workers(), one_of_the_workers(), pytest.raises(AlreadyRunning), only_worker():
        pass
    with only_worker():
        pass


def test_a_second_worker_waits_and_is_the_first_when_that_one_ends(settings, tmp_path, monkeypatch):
    settings.DATA = tmp_path
    monkeypatch.setattr(loop, "TAKE_OVER_EVERY", 0.01)
    stopping, became = threading.Event(), threading.Event()

    def second():
        with first_worker(stopping) as is_first:
            assert is_first
            became.set()

    waiting = threading.Thread(target=second)
    with first_worker(threading.Event()) as is_first:
        assert is_first
        waiting.start()
        assert not became.wait(0.1)
    assert became.wait(5)
    waiting.join()


def test_a_worker_that_is_asked_to_end_while_it_waits_is_never_the_first(settings, tmp_path, monkeypatch):
    settings.DATA = tmp_path
    stopping = threading.Event()
    stopping.set()
    with first_worker(threading.Event()), first_worker(stopping) as is_first:
        assert not is_first


def test_each_kind_of_due_work_has_a_thread_of_its_own():
    names = [name.rpartition(".")[2] for name, _work in joined("work_due")]
    assert {"arrivals_due", "timers_due", "replies_due", "turns_due", "webhooks_due", "mails_due"} <= set(names)
    assert len(names) == len(set(joined("work_due")))


def test_what_waited_when_the_worker_ended_is_stored_by_the_next(source, channel):
    channel.script = [page("one", cursor={"at": 1})]
    Worker().fetch(source)
    assert payloads_of(source.workspace).pending(source_key(source))
    assert Worker().store() == 1 and Worker().store() == 0
    assert texts(source.workspace) == ["Acme one"]


def test_posts_past_their_time_leave_the_archive_and_the_counts(source, channel, workspace):
    old = Payload(body=b"old", fetched_at=timezone.now() - timedelta(days=40))
    channel.script = [Page(payloads=(old,), more=True), page("new")]
    Worker().run_once()
    type(workspace).objects.filter(pk=workspace.pk).update(retention_days=30)
    Worker().keep()
    assert texts(workspace) == ["Acme new"]
    assert sum(HourCube.objects.filter(workspace=workspace, monitor=0).values_list("posts", flat=True)) == 1


def test_cubes_that_disagree_are_counted_anew(source, channel, caplog):
    channel.script = [page("one two")]
    worker = Worker()
    worker.run_once()
    HourCube.objects.update(posts=9)
    worker.compare_cubes()
    assert cube.differences(source.workspace, archive_of(source.workspace)) == {}


def test_a_source_that_a_clock_put_off_by_years_is_fetched_when_the_clock_is_right_again(source, channel):
    ahead = timezone.now() + timedelta(days=3_650)
    worker, handed = Worker(), []
    worker._fetchers.shutdown()
    worker._fetchers = type("Counting", (), {"submit": lambda _self, *_work: handed.append(1)})()
    Source.objects.update(last_fetch_at=ahead, due_at=ahead, claimed_until=ahead)
    worker.start_due()
    assert handed == [1]
    channel.script = [page("one")]
    assert due_in(fetched(source)) <= 300


@pytest.fixture(params=["its connector is missing", "its key is another"])
def stuck(request, workspace, settings):
    """A source that nobody can work for, before those of the channel."""
    from talkworthy.workspaces.credentials import sealed

    settings.SECRET_KEY = "an earlier key"
    connector = "not_installed" if request.param == "its connector is missing" else "mastodon"
    made = Source.objects.create(
        workspace=workspace, connector=connector, name="Stuck", key="s" * 43, secrets=sealed({"token": "a"}),
        due_at=timezone.now() - timedelta(days=1),
    )  # fmt: skip
    settings.SECRET_KEY = "the key of today"
    return made


def test_a_source_that_nobody_can_work_for_keeps_no_other_from_being_fetched(stuck, source, channel):
    worker = Worker()
    handed = []
    worker._fetchers.shutdown()
    worker._fetchers = type("Noting", (), {"submit": lambda _self, _work, name, _what: handed.append(name)})()
    worker.start_due()
    assert sorted(handed) == [f"source {stuck.pk}", f"source {source.pk}"]


def test_payloads_of_a_source_that_nobody_can_work_for_wait_and_the_others_are_stored(stuck, source, channel):
    channel.script = [page("one")]
    worker = Worker()
    payloads_of(stuck.workspace).keep(source_key(stuck), [river.Payload(b"{}", "a/b", None, timezone.now())] * 3)
    worker.fetch(source)
    assert worker.store() == 1
    assert texts(source.workspace) == ["Acme one"]
    assert len(payloads_of(stuck.workspace).pending(source_key(stuck))) == 1


def test_a_workspace_whose_archive_fails_keeps_no_other_waiting(source, channel, dan, caplog):
    after = Workspace.objects.get(slug="elsewhere")
    other = actions.create_source(after, connector="scripted", name="There", settings={}, by=dan, now=timezone.now())
    channel.script = [page("one"), page("two")]
    worker = Worker()
    worker.fetch(source)
    worker.fetch(other)
    shutil.rmtree(archive_of(source.workspace).spool.folder, ignore_errors=True)
    archive_of(source.workspace).spool.folder.write_text("no folder")
    with pytest.raises(OSError, match="Not a directory"):
        worker.store()
    assert texts(after) == ["Acme two"]
