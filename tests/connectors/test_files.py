"""Files in a watched folder: what is read when, and how reading goes on."""

import gzip
import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from talkworthy.connectors.contract import Page
from talkworthy.connectors.errors import GiveUp, Malformed
from talkworthy.connectors.files import connector
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.schema import posts_table
from talkworthy.schema.formats import write_parquet

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HTTP = Http()


def line(number: int, **more: Any) -> str:
    return json.dumps({"uid": f"a:b:{number}", "text": "hi", "published_at": "2026-01-15T12:00:00Z", **more}) + "\n"


def put(path: Path, content: str | bytes, *, age: float = 60) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    at = NOON.timestamp() - age
    os.utime(path, (at, at))
    return path


def fetched(folder: Path, cursor: Any = None, **settings: Any) -> tuple[list[str], Page]:
    """The uids that one visit brings, and its last page."""
    uids: list[str] = []
    given = {"path": str(folder), **settings}
    while True:
        page = connector.fetch(HTTP, given, cursor, now=NOON)
        cursor = json.loads(json.dumps(page.cursor))
        for payload in page.payloads:
            uids += connector.parse(payload, given).posts.column("uid").to_pylist()
        if not page.more:
            return uids, page


def test_every_format_in_the_folder_and_below_is_read_once(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1) + line(2))
    put(tmp_path / "deep/b.jsonl.gz", gzip.compress(line(3).encode()))
    put(tmp_path / "c.csv", "id;text;date\n4;hello there;2026-01-15\n")
    write_parquet(
        [posts_table([{"uid": "a:b:5", "text": "x", "published_at": NOON}])], put(tmp_path / "d.parquet", b"")
    )
    os.utime(tmp_path / "d.parquet", (NOON.timestamp() - 60,) * 2)
    put(
        tmp_path / "e.json",
        json.dumps({"type": "Note", "id": "https://x.example/6", "content": "x", "published": "2026-01-15T00:00:00Z"}),
    )
    put(tmp_path / "notes.txt", "nothing")
    uids, page = fetched(tmp_path)
    assert sorted(uids) == ["a:b:1", "a:b:2", "a:b:3", "a:b:5", "activitypub:x.example:https://x.example/6", "files::4"]
    assert fetched(tmp_path, page.cursor)[0] == []


def test_a_file_that_grows_is_read_on_by_whole_lines(tmp_path: Path) -> None:
    file = put(tmp_path / "a.jsonl", line(1) + line(2)[:20], age=0)
    first, page = fetched(tmp_path)
    put(file, line(1) + line(2) + line(3), age=0)
    second, page = fetched(tmp_path, page.cursor)
    assert (first, second) == (["a:b:1"], ["a:b:2", "a:b:3"])


def test_a_last_line_without_a_break_is_read_when_the_file_has_settled(tmp_path: Path) -> None:
    file = put(tmp_path / "a.jsonl", line(1).strip(), age=0)
    first, page = fetched(tmp_path)
    put(file, line(1).strip(), age=60)
    assert (first, fetched(tmp_path, page.cursor)[0]) == ([], ["a:b:1"])


def test_a_file_that_begins_otherwise_is_read_anew(tmp_path: Path) -> None:
    file = put(tmp_path / "a.jsonl", line(1) + line(2))
    _, page = fetched(tmp_path)
    put(file, line(7) + line(8) + line(9), age=30)
    assert fetched(tmp_path, page.cursor)[0] == ["a:b:7", "a:b:8", "a:b:9"]


def test_a_file_that_became_shorter_is_read_anew(tmp_path: Path) -> None:
    file = put(tmp_path / "a.jsonl", line(1) + line(2))
    _, page = fetched(tmp_path)
    put(file, line(1), age=30)
    assert fetched(tmp_path, page.cursor)[0] == ["a:b:1"]


@pytest.mark.parametrize("name", [".a.jsonl", "a.jsonl.part", "a.jsonl.tmp", "a.jsonl~", "a.csv.crdownload"])
def test_files_that_are_still_written_are_passed_over(tmp_path: Path, name: str) -> None:
    put(tmp_path / name, line(1))
    put(tmp_path / "b.jsonl", line(2))
    assert fetched(tmp_path)[0] == ["a:b:2"]


def test_whole_documents_wait_until_they_have_settled(tmp_path: Path) -> None:
    file = put(tmp_path / "a.json", '{"type": "Note", "id": "https://x.example/1"', age=0)
    first, page = fetched(tmp_path)
    put(file, '{"type": "Note", "id": "https://x.example/1", "content": "x"}', age=10)
    assert (first, len(fetched(tmp_path, page.cursor)[0])) == ([], 1)


def test_a_packed_file_that_is_cut_off_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl.gz", gzip.compress((line(1) * 1_000).encode())[:-20], age=90)
    put(tmp_path / "b.jsonl", line(2))
    put(tmp_path / "c.parquet", b"PAR1 no parquet")
    uids, page = fetched(tmp_path)
    assert uids == ["a:b:2"]
    assert "a.jsonl.gz cannot be read" in page.note
    assert fetched(tmp_path, page.cursor)[0] == []


def test_a_link_that_leads_out_of_the_folder_is_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "outside/secret.jsonl", line(1))
    put(tmp_path / "inbox/a.jsonl", line(2))
    (tmp_path / "inbox/link.jsonl").symlink_to(tmp_path / "outside/secret.jsonl")
    assert fetched(tmp_path / "inbox")[0] == ["a:b:2"]


def test_large_files_come_in_pieces_and_reading_goes_on_after_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("talkworthy.connectors.files.BLOCK", 1_000)
    monkeypatch.setattr("talkworthy.connectors.files.PAGE_PAYLOADS", 2)
    put(tmp_path / "a.jsonl", "".join(line(number) for number in range(50)))
    put(
        tmp_path / "b.csv",
        "id,text,date\n" + "".join(f'{number},"two\nlines, and ""quotes""",2026-01-15\n' for number in range(50)),
        age=50,
    )
    page = connector.fetch(HTTP, {"path": str(tmp_path)}, None, now=NOON)
    assert (len(page.payloads), page.more) == (2, True)
    uids, _ = fetched(tmp_path)
    assert sorted(uids) == sorted(
        [f"a:b:{number}" for number in range(50)] + [f"files::{number}" for number in range(50)]
    )


def test_columns_said_in_the_settings_count(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", "id,text,other,when\n1,not this,but this one,3/4/2026\n")
    columns = "text = other\nnative_id=id\npublished_at = when"
    settings = {"path": str(tmp_path), "columns": columns, "day_first": "day", "origin": "survey"}
    (payload,) = connector.fetch(HTTP, settings, None, now=NOON).payloads
    (post,) = connector.parse(payload, settings).posts.to_pylist()
    assert (post["uid"], post["text"], post["published_at"].month) == ("files:survey:1", "but this one", 4)


def test_wrong_lines_are_set_aside_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "a.jsonl", line(1) + "no json\n" + line(2))
    (payload,) = connector.fetch(HTTP, {"path": str(tmp_path)}, None, now=NOON).payloads
    parsed = connector.parse(payload, {})
    assert parsed.posts.num_rows == 2
    assert [piece.reason.split(":")[0] for piece in parsed.aside] == ["line 2"]


def test_html_in_a_file_is_made_safe() -> None:
    body = line(1, html="<p>x<script>bad()</script></p>").encode()
    (post,) = connector.parse(Payload(body=body, fetched_at=NOON, meta={"format": "jsonl"}), {}).posts.to_pylist()
    assert post["html"] == "<p>x</p>"


def test_a_bomb_is_refused() -> None:
    with pytest.raises(Malformed):
        connector.parse(Payload(body=gzip.compress(bytes(70_000_000), 9), fetched_at=NOON), {})


def test_a_folder_that_is_not_there_is_given_up(tmp_path: Path) -> None:
    for path in ("", str(tmp_path / "nothing")):
        with pytest.raises(GiveUp):
            connector.fetch(HTTP, {"path": path}, None, now=NOON)
        assert not connector.check(HTTP, {"path": path}, now=NOON).ok


def test_the_connection_test_tells_formats_and_columns(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", "id,text,date\n1,hello,2026-01-15\n")
    checked = connector.check(HTTP, {"path": str(tmp_path)}, now=NOON)
    assert checked.ok
    assert dict(checked.details) == {"csv": "1", "columns": "native_id = id, text = text, published_at = date"}


def test_rows_of_parquet_are_read_on_after_a_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talkworthy.connectors.files.ROWS", 10)
    monkeypatch.setattr("talkworthy.connectors.files.PAGE_PAYLOADS", 1)
    rows = [
        {"uid": f"a:b:{number}", "text": "x", "published_at": NOON + timedelta(seconds=number)} for number in range(25)
    ]
    file = tmp_path / "a.parquet"
    write_parquet([pa.Table.from_batches(posts_table(rows).to_batches())], file)
    os.utime(file, (NOON.timestamp() - 60,) * 2)
    assert fetched(tmp_path)[0] == [f"a:b:{number}" for number in range(25)]


def test_rows_of_a_table_without_times_get_that_of_the_file(tmp_path: Path) -> None:
    put(tmp_path / "a.csv", "id,text\n1,hello there\n", age=3_600)
    (payload,) = connector.fetch(HTTP, {"path": str(tmp_path)}, None, now=NOON).payloads
    (post,) = connector.parse(payload, {}).posts.to_pylist()
    assert post["published_at"] == NOON - timedelta(hours=1)
