"""The pages of long work: import, export, erasure, progress."""

import gzip
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_job, claim_this, run_job
from talkworthy.listening.models import PROGRESSED, Job, Source
from talkworthy.listening.stores import archive_of
from talkworthy.listening.uploads import forget_uploads, keep_upload, kept_upload
from talkworthy.workspaces.models import AuditEntry, Workspace

pytestmark = pytest.mark.django_db
ROWS = b"""id,when,who,words
1,2026-03-04 12:00,alice,The router of Acme is splendid
2,2026-03-05 09:30,bob,It broke again
"""


def job(workspace, **fields):
    return Job.objects.create(workspace=workspace, **{"kind": "export", "request": {"format": "jsonl"}, **fields})


def send(client, name, body, **fields):
    return client.post("/acme/settings/data/import/", {"file": SimpleUploadedFile(name, body), **fields})


def test_progress_says_how_much_and_how_long(client_of, carol, workspace):
    begun = timezone.now() - timedelta(seconds=60)
    running = job(workspace, state="running", done=250_000, total=1_000_000, started_at=begun)
    page = client_of(carol).get(f"/acme/jobs/{running.pk}/").content.decode()
    assert "250,000 of 1,000,000 posts" in page and "about 3 min left" in page and "You can leave" in page


def test_a_fragment_asks_again_only_while_work_is_under_way(client_of, carol, workspace):
    htmx = {"HX-Request": "true"}
    waiting, failed = job(workspace), job(workspace, state="failed", error="The disk is full.")
    first = client_of(carol).get(f"/acme/jobs/{waiting.pk}/", headers=htmx).content.decode()
    assert 'hx-trigger="every 1s"' in first and "<html" not in first
    last = client_of(carol).get(f"/acme/jobs/{failed.pk}/", headers=htmx).content.decode()
    assert "hx-trigger" not in last and "The disk is full." in last


def test_a_job_of_another_workspace_is_out_of_reach(client_of, alice, dan):
    theirs = job(Workspace.objects.create(name="Decoy", slug="decoy"))
    client = client_of(alice)
    assert client.get(f"/acme/jobs/{theirs.pk}/").status_code == 404
    assert client.post(f"/acme/jobs/{theirs.pk}/stop/").status_code == 404
    assert client.get("/acme/jobs/").context["jobs"].count() == 0


def test_whoever_may_start_it_may_stop_it(client_of, bob, carol, workspace):
    waiting = job(workspace)
    assert client_of(carol).post(f"/acme/jobs/{waiting.pk}/stop/").status_code == 404
    client_of(bob).post(f"/acme/jobs/{waiting.pk}/stop/")
    waiting.refresh_from_db()
    assert waiting.state == "stopped"


def test_a_job_whose_worker_died_three_times_says_why_and_begins_again_with_one_click(client_of, bob, carol, workspace):
    given_up = job(
        workspace, kind="rematch", state="running", attempts=3, done=7, total=20, unit="slices",
        request={PROGRESSED: 0}, claimed_until=timezone.now() - timedelta(minutes=1),
    )  # fmt: skip
    run_job(claim_job(now=timezone.now()), Listener(workspace))
    given_up.refresh_from_db()
    assert given_up.state == "failed"
    page = client_of(bob).get(f"/acme/jobs/{given_up.pk}/").content.decode()
    assert "The worker ended 3 times while it did this, the last time at 7 of 20 slices." in page
    again = f"/acme/jobs/{given_up.pk}/again/"
    assert again in page and again not in client_of(carol).get(f"/acme/jobs/{given_up.pk}/").content.decode()
    assert client_of(carol).post(again).status_code == 404
    client_of(bob).post(again)
    given_up.refresh_from_db()
    assert (given_up.state, given_up.attempts, given_up.error, given_up.request) == ("waiting", 0, "", {})
    assert AuditEntry.objects.get(verb="restart").before["error"].startswith("The worker ended 3 times")
    assert "there is nothing to begin again" in client_of(bob).post(again, follow=True).content.decode()


def test_an_import_whose_file_is_gone_is_not_begun_again(client_of, bob, workspace, tmp_path):
    path = tmp_path / "gone.jsonl"
    failed = job(workspace, kind="import", state="failed", error="x", request={"path": str(path), "name": "a"})
    again = f"/acme/jobs/{failed.pk}/again/"
    assert "Send it again." in client_of(bob).post(again, follow=True).content.decode()
    failed.refresh_from_db()
    assert failed.state == "failed"
    path.write_text("{}")
    client_of(bob).post(again)
    failed.refresh_from_db()
    assert failed.state == "waiting"


def test_an_import_that_was_stopped_says_where_and_leads_to_its_posts(client_of, carol, workspace):
    stopped = job(
        workspace, kind="import", state="stopped", done=944_000, request={"name": "a.jsonl", "format": "jsonl"}
    )
    source = Source.objects.create(workspace=workspace, connector="files", name="a.jsonl", key=f"import-{stopped.pk}")
    page = client_of(carol).get(f"/acme/jobs/{stopped.pk}/").content.decode()
    assert "It was stopped at 944,000 posts." in page and f"?source=source-{source.pk}" in page
    early = job(workspace, kind="import", state="stopped", request={"name": "b.jsonl", "format": "jsonl"})
    assert "before it had done anything" in client_of(carol).get(f"/acme/jobs/{early.pk}/").content.decode()


def test_a_file_that_nobody_will_read_is_removed_after_a_day(workspace):
    tokens = [
        keep_upload(workspace, SimpleUploadedFile(f"{name}.jsonl", b"{}")) for name in ("left", "waits", "stopped")
    ]
    left, waits, stopped = (kept_upload(workspace, token) for token in tokens)
    job(workspace, kind="import", request={"path": str(waits)})
    job(workspace, kind="import", state="stopped", request={"path": str(stopped)})
    now = timezone.now()
    assert forget_uploads(workspace, now=now) == 0 and left.exists() and stopped.exists()
    assert forget_uploads(workspace, now=now + timedelta(days=2)) == 2
    assert waits.exists() and not left.exists() and not stopped.exists()


def test_an_erasure_is_seen_by_those_alone_who_may_erase(client_of, alice, bob, workspace):
    erased = job(workspace, kind="erasure", request={"why": "asked"})
    assert client_of(bob).get(f"/acme/jobs/{erased.pk}/").status_code == 404
    assert client_of(alice).get(f"/acme/jobs/{erased.pk}/").status_code == 200


def test_a_viewer_neither_imports_nor_exports(client_of, carol):
    client = client_of(carol)
    assert client.get("/acme/settings/data/").status_code == 403
    assert send(client, "posts.jsonl", b"{}").status_code == 403
    assert client.post("/acme/settings/data/export/", {"format": "jsonl"}).status_code == 403
    assert not Job.objects.exists()


def test_a_file_of_lines_is_imported_at_once(client_of, bob, workspace):
    answer = send(client_of(bob), "posts.jsonl", b'{"uid": "a"}\n')
    made = Job.objects.get()
    assert answer.headers["Location"] == f"/acme/jobs/{made.pk}/" and made.request["name"] == "posts.jsonl"
    assert kept_upload(workspace, made.request["path"]).read_bytes() == b'{"uid": "a"}\n'


def test_a_file_of_rows_is_asked_for_its_columns_first(client_of, bob):
    client = client_of(bob)
    answer = send(client, "posts.csv", ROWS)
    page = client.get(answer.headers["Location"])
    guesses = {column.name: field.initial for field, column in page.context["rows"]}
    assert guesses["words"] == "text" and guesses["when"] == "published_at"
    assert "router of Acme" in page.content.decode()
    chosen = {"column_0": "native_id", "column_1": "published_at", "column_2": "author.handle", "column_3": "text"}
    client.post(answer.headers["Location"], chosen)
    expected = {"native_id": "id", "published_at": "when", "author.handle": "who", "text": "words"}
    assert Job.objects.get().request["mapping"] == expected


def test_a_packed_file_of_rows_shows_its_columns(client_of, bob):
    client = client_of(bob)
    page = client.get(send(client, "Posts of May.csv.gz", gzip.compress(ROWS)).headers["Location"])
    assert [column.name for _field, column in page.context["rows"]] == ["id", "when", "who", "words"]
    assert page.context["form"]["origin"].initial == "posts-of-may"


def test_a_packed_file_that_is_broken_is_said_and_not_asked_about(client_of, bob):
    client = client_of(bob)
    for body in (b"\x1f\x8b garbage", gzip.compress(ROWS)[:-20]):
        address = send(client, "posts.csv.gz", body).headers["Location"]
        assert "broken off or damaged" in client.get(address, follow=True).content.decode()


def test_of_very_many_columns_the_first_are_asked_about(client_of, bob):
    client = client_of(bob)
    wide = ",".join(f"c{number}" for number in range(3_000)).encode()
    page = client.get(send(client, "wide.csv", wide + b"\n" + wide).headers["Location"])
    assert len(page.context["rows"]) == 200


def test_ids_that_do_not_say_where_they_come_from_are_asked_about(client_of, bob, workspace):
    client = client_of(bob)
    line = b'{"uid": "17", "text": "Acme broke", "published_at": "2026-03-04T12:00:00Z"}\n'
    address = send(client, "survey.jsonl", line).headers["Location"]
    page = client.get(address).content.decode()
    assert "Where do these posts come from?" in page and 'value="survey"' in page and "<table" not in page
    assert client.post(address, {"origin": "a b:c"}).status_code == 422 and not Job.objects.exists()
    client.post(address, {"origin": "survey-2026"})
    made = Job.objects.get()
    assert (made.request["format"], made.request["mapping"]) == ("jsonl", {"origin": "=survey-2026"})
    run_job(claim_this(made, now=timezone.now()), Listener(workspace))
    assert archive_of(workspace).get("files:survey-2026:17")["text"] == "Acme broke"


def test_ids_that_say_where_they_come_from_are_not_asked_about(client_of, bob):
    line = b'{"uid": "feed:example.org:1", "channel": "feed", "text": "Acme", "published_at": "2026-03-04T12:00:00Z"}'
    send(client_of(bob), "posts.jsonl", line)
    assert Job.objects.get().request["mapping"] == {}


def test_columns_without_text_or_twice_the_same_are_refused(client_of, bob):
    client = client_of(bob)
    address = send(client, "posts.csv", ROWS).headers["Location"]
    lacking = client.post(address, {"column_1": "published_at"})
    twice = client.post(address, {"column_1": "published_at", "column_2": "text", "column_3": "text"})
    assert "Say which column is: text" in lacking.content.decode() and "cannot both be: text" in twice.content.decode()
    assert not Job.objects.exists()


def test_an_upload_is_no_one_else_s(client_of, alice, bob):
    address = send(client_of(bob), "posts.csv", ROWS).headers["Location"]
    assert client_of(alice).get(address).status_code == 404


def test_an_upload_lies_where_its_name_cannot_lead_elsewhere(client_of, bob, workspace):
    send(client_of(bob), "../../../etc/passwd.jsonl", b"{}")
    assert kept_upload(workspace, "../../x").parent == kept_upload(workspace, "x").parent
    assert kept_upload(workspace, Job.objects.get().request["path"]).exists()


def test_a_file_whose_format_nobody_knows_is_refused(client_of, bob):
    answer = send(client_of(bob), "posts.docx", b"PK")
    assert answer.status_code == 422 and "does not tell its format" in answer.content.decode()


def test_an_export_begins_with_a_query_that_holds(client_of, bob):
    client = client_of(bob)
    assert client.post("/acme/settings/data/export/", {"query": "(acme", "format": "csv"}).status_code == 422
    days = {"since": "2026-03-01", "until": "2026-03-31"}
    client.post("/acme/settings/data/export/", {"query": "acme", "format": "csv", **days})
    request = Job.objects.get().request
    assert request["since"] == "2026-03-01T00:00:00+00:00" and request["until"] == "2026-04-01T00:00:00+00:00"


def test_a_file_that_is_gone_is_not_found(client_of, bob, workspace):
    done = job(workspace, state="done", result={"posts": 3, "bytes": 10})
    assert client_of(bob).get(f"/acme/jobs/{done.pk}/file/").status_code == 404
    assert "The file is gone" in client_of(bob).get(f"/acme/jobs/{done.pk}/").content.decode()


def test_whoever_is_erased_does_not_stand_in_the_trail(client_of, alice, workspace):
    job(workspace, kind="import", request={"name": "x"})
    Source.objects.create(workspace=workspace, connector="mastodon", name="Acme", key="k")
    asked = {"channel": "mastodon", "author_id": "u-4711", "why": "asked by letter", "sure": "on"}
    assert client_of(alice).post("/acme/settings/erasure/", asked).status_code == 302
    assert "u-4711" not in str(list(AuditEntry.objects.values())) and "by letter" in str(AuditEntry.objects.get().after)


def test_only_administrators_erase_and_only_when_they_are_sure(client_of, alice, bob, workspace):
    job(workspace, kind="import", request={"name": "x"})
    asked = {"channel": "mastodon", "author_id": "u1", "why": "asked by letter"}
    assert client_of(bob).get("/acme/settings/erasure/").status_code == 403
    assert client_of(bob).post("/acme/settings/erasure/", {**asked, "sure": "on"}).status_code == 403
    assert client_of(alice).post("/acme/settings/erasure/", asked).status_code == 422
    assert not Job.objects.filter(kind="erasure").exists()


def test_an_upload_that_breaks_off_leaves_nothing(workspace):
    class Broken(SimpleUploadedFile):
        def chunks(self, chunk_size=None):
            yield b"{"
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        keep_upload(workspace, Broken("posts.jsonl", b"{}"))
    assert list(kept_upload(workspace, "any").parent.iterdir()) == []
