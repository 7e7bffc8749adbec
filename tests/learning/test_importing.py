"""Labels come from files, beside what people say here; what cannot be taken is set aside with its reason."""

import gzip
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from talkworthy.learning import actions, importing
from talkworthy.learning.models import Label
from talkworthy.learning.retraining import labelled
from talkworthy.listening.actions import Refused, correct_annotation
from talkworthy.listening.models import Job
from talkworthy.listening.stores import archive_of

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ADDRESS = "/acme/settings/models/labels/import/"
MAPPING = {"uid": "uid", "text": "text", "task": "task", "label": "label"}
ROWS = [
    {"uid": "feed:example.org:0", "text": "", "task": "sentiment", "label": "negative"},
    {"uid": "", "text": "That was sick, mate", "task": "sentiment", "label": "POS"},
    {"uid": "feed:example.org:1", "text": "", "task": "language", "label": "en"},
    {"uid": "feed:example.org:999", "text": "", "task": "sentiment", "label": "positive"},
    {"uid": "feed:example.org:2", "text": "", "task": "sentiment", "label": "sideways"},
    {"uid": "feed:example.org:2", "text": "", "task": "colour", "label": "red"},
    {"uid": "", "text": "", "task": "sentiment", "label": "positive"},
]


def started(workspace, alice, tmp_path, content, name="labels.jsonl", mapping=MAPPING, drawn=False):
    path = tmp_path / name
    path.write_bytes(content)
    return actions.start_label_import(
        workspace,
        path=path,
        name=name,
        format=importing.format_of(name),
        mapping=mapping,
        drawn=drawn,
        by=alice,
        now=NOW,
    )


def jsonl(rows):
    return "\n".join(json.dumps(row) for row in rows).encode()


def as_csv(rows):
    return "\n".join(["uid;text;task;label", *(";".join(row.values()) for row in rows)]).encode()


def as_parquet(rows):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.jsonl", jsonl(ROWS)),
        ("labels.csv", as_csv(ROWS)),
        ("labels.csv.gz", gzip.compress(as_csv(ROWS))),
        ("labels.parquet", as_parquet(ROWS)),
    ],
)
def test_every_format_gives_the_same_labels_and_sets_the_same_aside(filled, alice, tmp_path, run, name, content):
    job = run(started(filled, alice, tmp_path, content, name))
    assert job.state == "done", job.error
    assert (job.result["rows"], job.result["labels"], job.result["posts"], job.result["fault_count"]) == (7, 3, 2, 4)
    reasons = " ".join(job.result["faults"])
    assert all(said in reasons for said in ("is not here", "“sideways”", "“colour”", "names no post")), reasons
    known = Label.objects.get(uid="feed:example.org:0")
    assert (known.value, known.answer, known.kind, known.drawn) == ("negative", "positive", "import", False)
    assert known.model == "fast 1.0" and known.channel == "feed" and known.text == ""
    assert ("That was sick, mate", "positive", False) in labelled(filled, "sentiment")
    assert archive_of(filled).get("feed:example.org:0")["sentiment"] == "positive"
    assert not (tmp_path / name).exists()


def test_what_somebody_said_here_stays_and_what_agrees_is_no_second_label(filled, alice, tmp_path, run):
    for uid in ("feed:example.org:0", "feed:example.org:6"):
        correct_annotation(filled, uid=uid, task="sentiment", new="neutral", by=alice, now=NOW)
    rows = [{**ROWS[0]}, {**ROWS[0], "uid": "feed:example.org:6", "label": "neutral"}]
    job = run(started(filled, alice, tmp_path, jsonl(rows)))
    assert (job.result["labels"], job.result["same"]) == (0, 1) and "somebody said “neutral”" in job.result["faults"][0]
    assert Label.objects.get(uid="feed:example.org:0", ended_at=None).kind == "correction"


def test_a_second_process_goes_on_where_the_first_ended_and_takes_nothing_twice(
    filled, alice, tmp_path, run, monkeypatch
):
    monkeypatch.setattr(importing, "AT_ONCE", 1)
    job = started(filled, alice, tmp_path, jsonl(ROWS))
    whole, calls = importing._take, []

    def ending(*args):
        calls.append(1)
        if len(calls) > 2:
            raise KeyboardInterrupt
        whole(*args)

    monkeypatch.setattr(importing, "_take", ending)
    with pytest.raises(KeyboardInterrupt):
        run(job)
    monkeypatch.setattr(importing, "_take", whole)
    Job.objects.filter(pk=job.pk).update(state="waiting")
    job.refresh_from_db()
    assert job.request["rows"] == 2
    assert run(job).result["rows"] == 7 and Label.objects.count() == 3


def test_taking_it_back_ends_its_labels_and_no_others(filled, alice, tmp_path, run):
    correct_annotation(filled, uid="feed:example.org:2", task="sentiment", new="positive", by=alice, now=NOW)
    job = run(started(filled, alice, tmp_path, jsonl(ROWS), drawn=True))
    assert Label.objects.filter(drawn=True).count() == 3
    assert actions.undo_label_import(job, by=alice, now=NOW) == 3
    assert [label.kind for label in Label.objects.filter(ended_at=None)] == ["correction"]
    assert not Label.objects.exclude(text="").exists()


def test_a_file_without_what_is_needed_is_refused(filled, alice, tmp_path):
    with pytest.raises(Refused):
        started(filled, alice, tmp_path, b"", mapping={"task": "task", "label": "label"})


def test_what_is_exported_is_read_back(filled, alice, tmp_path, run, client_of):
    for task, new in (("sentiment", "negative"), ("detected_language", "nl")):
        correct_annotation(filled, uid="feed:example.org:0", task=task, new=new, by=alice, now=NOW)
    content = client_of(alice).get("/acme/settings/models/labels.csv").content
    Label.objects.all().delete()
    names = [name for name, _example in importing.columns_in(_written(tmp_path, content), "csv")]
    guess = importing.guessed(names)
    assert (guess["uid"], guess["task"], guess["label"]) == ("uid", "task", "value")
    assert run(started(filled, alice, tmp_path, content, "back.csv", guess)).result["labels"] == 2


def _written(tmp_path, content):
    path = tmp_path / "seen.csv"
    path.write_bytes(content)
    return path


def test_the_pages_lead_from_the_file_over_its_columns_to_what_came_of_it(filled, alice, client_of, run):
    browser = client_of(alice)
    assert "No file was taken yet" in browser.get(ADDRESS).content.decode()
    assert browser.post(ADDRESS, {"file": SimpleUploadedFile("labels.odt", b"x")}).status_code == 422
    sent = browser.post(ADDRESS, {"file": SimpleUploadedFile("labels.csv", as_csv(ROWS))})
    columns = browser.get(sent.url).content.decode()
    assert "labels.csv" in columns and "feed:example.org:0" in columns
    assert browser.post(sent.url, {"task": "task", "label": "label"}).status_code == 422
    begun = browser.post(sent.url, {**MAPPING, "drawn": "on"})
    assert "It begins as soon as" in browser.get(begun.url).content.decode()
    run(Job.objects.get(kind="labels"))
    page = browser.get(begun.url).content.decode()
    assert "Take 3 labels back" in page and "sideways" in page and "drawn by lot" in page
    assert "That was sick, mate" in browser.get("/acme/settings/models/sentiment/labels/").content.decode()
    browser.post(f"{begun.url}undo/")
    assert not Label.objects.filter(ended_at=None).exists()
    assert "labels.csv" in browser.get(ADDRESS).content.decode()


@pytest.mark.parametrize("address", ["import/", "import/x/", "imported/{}/", "imported/{}/undo/"])
def test_whoever_may_not_train_and_whoever_is_a_stranger_bring_nothing(
    filled, alice, carol, dan, client_of, tmp_path, address
):
    job = started(filled, alice, tmp_path, jsonl(ROWS))
    for who, status in ((carol, 403), (dan, 404)):
        browser = client_of(who)
        ask = browser.post if address.endswith("undo/") else browser.get
        assert ask(f"/acme/settings/models/labels/{address.format(job.pk)}").status_code == status
