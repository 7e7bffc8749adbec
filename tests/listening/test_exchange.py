"""Files in and out: every format, hostile and half files, and the same chunks at every reading."""

import gzip
import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from talkworthy.archive.columns import ROWS as STORED_ROWS
from talkworthy.listening import exchange
from talkworthy.listening.exchange import export_file, format_of, import_batches, pairs_of
from talkworthy.schema import POST, posts_table

ENDINGS = {"jsonl": "jsonl", "parquet": "parquet", "activitystreams": "json", "csv": "csv"}


@pytest.fixture
def read():
    """All that a file holds, and what was left out of it."""

    def all_of(path, format=None, **mapping):
        faults = []
        tables = list(import_batches(path, format or format_of(path.name), mapping=mapping, faults=faults))
        return pa.concat_tables(tables) if tables else POST.empty_table(), faults

    return all_of


@pytest.fixture
def written(tmp_path):
    def put(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return put


def some(count, **more):
    """Posts such as another installation has."""
    return posts_table(
        {
            "uid": f"mastodon:a.example:{number}",
            "text": f'=größer & <b>{number}</b>, "so"\nand on',
            "published_at": datetime(2026, 1, 1, tzinfo=UTC),
            "language": "de",
            "hashtags": ["so"],
            **more,
        }
        for number in range(count)
    )


@pytest.mark.parametrize(
    ("name", "format"),
    [("a.jsonl", "jsonl"), ("A.NDJSON.GZ", "jsonl"), ("a.parquet", "parquet"), ("a.json", "activitystreams"),
     ("a.jsonld", "activitystreams"), ("a.csv.gz", "csv"), ("a.tsv", "csv")],
)  # fmt: skip
def test_a_name_tells_the_format(name, format):
    assert format_of(name) == format


@pytest.mark.parametrize("name", ["posts", "posts.txt", "posts.gz", "jsonl"])
def test_a_name_that_tells_none_is_refused_with_what_to_do(name):
    with pytest.raises(ValueError, match=r"rename the file .* or say --format"):
        format_of(name)


def test_pairs_are_taken_apart_at_the_first_sign():
    assert pairs_of(["text=a=b", " author.handle = user ", "origin==here"]) == {
        "text": "a=b", "author.handle": "user", "origin": "=here",
    }  # fmt: skip


@pytest.mark.parametrize("pair", ["text", "=body", "text=", "nonsense=body"])
def test_a_pair_that_maps_nothing_is_refused(pair):
    with pytest.raises(ValueError, match=r"--map text=body|No post has 'nonsense'"):
        pairs_of([pair])


def test_a_field_given_twice_is_refused():
    with pytest.raises(ValueError, match="given twice"):
        pairs_of(["text=a", "text=b"])


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("format", ENDINGS)
def test_what_is_written_is_read_again_with_the_same_uids_and_words(read, tmp_path, format, packed):
    path, posts, heard = tmp_path / f"out.{ENDINGS[format]}{packed}", some(5), []
    assert export_file(posts.to_batches(max_chunksize=2), path, format, told=heard.append) == 5
    again, faults = read(path)
    same = ("uid", "text", "published_at", "language", "hashtags")
    assert (again.select(same).to_pylist(), faults) == (posts.select(same).to_pylist(), [])
    assert heard == [2, 4, 5]
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == bool(packed)


@pytest.mark.parametrize("format", ENDINGS)
def test_every_format_goes_into_a_stream_that_cannot_go_back(format):
    class Pipe(io.BytesIO):
        def seekable(self):
            return False

        def tell(self):
            raise io.UnsupportedOperation

        seek = tell

    pipe = Pipe()
    assert export_file(some(3).to_batches(), pipe, format, told=lambda _: None) == 3
    assert not pipe.closed and pipe.getvalue()


@pytest.mark.parametrize("format", ENDINGS)
def test_an_export_of_nothing_is_a_file_of_nothing(read, tmp_path, format):
    path = tmp_path / f"out.{ENDINGS[format]}"
    assert export_file([], path, format, told=lambda _: None) == 0
    assert read(path)[0].num_rows == 0


def test_an_export_tells_what_the_analysis_said(tmp_path):
    row = dict.fromkeys(STORED_ROWS.names) | some(1).to_pylist()[0]
    batch = pa.RecordBatch.from_pylist(
        [row | {"sentiment": "negative", "sentiment_score": -0.1234, "folded": "so", "id": 1}], schema=STORED_ROWS
    )
    told = {}
    for kind in ("jsonl", "csv", "parquet"):
        path = tmp_path / kind
        export_file([batch], path, kind, told=lambda _: None)
        told[kind] = path
    line = json.loads(told["jsonl"].read_text())
    assert (line["sentiment"], line["sentiment_score"]) == ("negative", -0.1234)
    assert not {"folded", "id", "monitors"} & set(line)
    assert "negative" in told["csv"].read_text(encoding="utf-8")
    assert pq.read_table(told["parquet"])["sentiment"].to_pylist() == ["negative"]


def test_an_export_that_breaks_leaves_the_file_that_was_there(tmp_path):
    def broken():
        yield from some(3).to_batches()
        raise OSError("the disk went away")

    (tmp_path / "out.jsonl").write_text("before")
    with pytest.raises(OSError, match="went away"):
        export_file(broken(), tmp_path / "out.jsonl", "jsonl", told=lambda _: None)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("out.jsonl", "before")]


def test_an_unknown_format_is_refused_both_ways(tmp_path, written):
    with pytest.raises(ValueError, match="No format is called 'xml'"):
        export_file([], tmp_path / "out", "xml", told=lambda _: None)
    with pytest.raises(ValueError, match="No format is called 'xml'"):
        list(import_batches(written("a", ""), "xml", mapping={}, faults=[]))


def test_chunks_are_the_same_at_every_reading_with_unfit_rows_among_them(written, monkeypatch):
    monkeypatch.setattr(exchange, "ROWS", 10)
    lines = [
        {"uid": f"feed:a:{n}", "text": "x", "published_at": "1700-01-01" if n % 7 == 0 else "2026-01-01"}
        for n in range(35)
    ]
    path = written("a.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    readings = []
    for _ in range(2):
        faults = []
        chunks = [table["uid"].to_pylist() for table in import_batches(path, "jsonl", mapping={}, faults=faults)]
        readings.append((chunks, faults))
    assert readings[0] == readings[1]
    assert [len(chunk) for chunk in readings[0][0]] == [8, 9, 8, 5]
    assert readings[0][1][0].startswith("feed:a:0: a post needs a time of publication")
    assert len(readings[0][1]) == 5


def test_what_cannot_be_read_is_left_out_with_its_line(read, written):
    good = '{"uid": "feed:a:1", "text": "x", "published_at": "2026-01-01"}'
    posts, faults = read(written("a.jsonl", f'{good}\noops\n{{"uid": "feed:a:2", "text": "no time"}}\n'))
    assert posts["uid"].to_pylist() == ["feed:a:1"]
    assert [fault.split(":")[0] for fault in faults] == ["line 2", "line 3"]


def test_faults_beyond_many_are_counted_and_no_longer_described(read, written, monkeypatch):
    monkeypatch.setattr(exchange, "DESCRIBED", 2)
    _, faults = read(written("a.jsonl", "oops\n" * 5))
    assert len(faults) == 5 and len(set(faults[2:])) == 1


def test_html_from_outside_is_made_safe(read, written):
    line = {
        "uid": "feed:a:1",
        "text": "x",
        "published_at": "2026-01-01",
        "html": "<b onclick=x>x</b><script>y</script>",
    }
    posts, _ = read(written("a.jsonl", json.dumps(line)))
    assert posts["html"].to_pylist() == ["<b>x</b>"]


def test_a_foreign_uid_gets_a_channel_and_the_origin_that_was_said(read, written):
    path = written("a.jsonl", '{"uid": "17", "text": "x", "published_at": "2026-01-01", "in_reply_to": "16"}')
    assert read(path)[0].select(["uid", "in_reply_to"]).to_pylist() == [
        {"uid": "files::17", "in_reply_to": "files::16"}
    ]
    assert read(path, origin="=Survey")[0]["uid"].to_pylist() == ["files:survey:17"]


def test_columns_cannot_be_mapped_where_there_are_none(read, written):
    with pytest.raises(ValueError, match="Only the columns of CSV are mapped"):
        read(written("a.jsonl", ""), text="body")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encoding_delimiter_and_order_of_days_are_read_off_the_file(read, written, encoding, delimiter):
    rows = [["ID", "Body", "Date"], ["1", "größer geht’s", "3/4/2025"], ["2", "naïve – so", "13/4/2025"]]
    path = written("a.csv", "\r\n".join(delimiter.join(row) for row in rows).encode(encoding))
    posts, faults = read(path)
    assert faults == []
    assert posts["text"].to_pylist() == ["größer geht’s", "naïve – so"]
    assert posts["uid"].to_pylist() == ["files::1", "files::2"]
    assert [moment.strftime("%m-%d") for moment in posts["published_at"].to_pylist()] == ["04-03", "04-13"]


def test_one_broken_byte_does_not_make_a_utf8_file_another(read, written):
    path = written("a.csv", "id,text,date\n1,größer,2026-01-01\n2,na".encode() + b"\xff" + b",2026-01-01\n")
    assert read(path)[0]["text"].to_pylist() == ["größer", "na\ufffd"]


def test_a_date_that_may_be_two_days_is_left_out_where_no_other_date_tells(read, written):
    posts, faults = read(written("a.csv", "id,text,date\n1,x,3/4/2025\n2,y,2025-04-03\n"))
    assert posts["uid"].to_pylist() == ["files::2"] and "day or month first" in faults[0]


def test_the_order_of_days_is_that_of_the_mapped_column(read, written):
    path = written("a.csv", "id,body,seen,posted\n1,x,12/31/2025,3/4/2025\n2,y,12/30/2025,14/4/2025\n")
    posts, faults = read(path, text="body", published_at="posted", native_id="id")
    assert faults == [] and posts["published_at"][0].as_py().month == 4


def test_a_file_of_rows_without_a_time_is_refused_with_the_two_ways_out(read, written):
    path = written("a.csv", "id,text\n1,hello there\n")
    with pytest.raises(ValueError, match=r"--map published_at=date, or --map published_at==2026-01-31 for all"):
        read(path)
    posts, _ = read(path, published_at="=2026-01-31", channel="=survey", origin="=spring")
    assert posts.select(["uid", "channel"]).to_pylist() == [{"uid": "survey:spring:1", "channel": "survey"}]


def test_a_title_alone_is_enough_said_but_a_number_alone_is_not(read, written):
    posts, _ = read(written("a.csv", "id,title,date\n1,Show HN,2026-01-01\n"))
    assert posts.select(["title", "text"]).to_pylist() == [{"title": "Show HN", "text": ""}]
    with pytest.raises(ValueError, match="Which column holds text"):
        read(written("b.csv", "id,date\n1,2026-01-01\n"))


def test_a_mapped_column_that_is_not_there_is_refused_with_those_that_are(read, written):
    with pytest.raises(ValueError, match="no column 'words'; it has: id, text, date"):
        read(written("a.csv", "id,text,date\n1,x,2026-01-01\n"), text="words", published_at="date")


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet", "a.json"])
def test_a_packed_file_that_is_broken_off_says_so(read, tmp_path, name):
    whole = tmp_path / f"whole-{name}.gz"
    export_file(some(200).to_batches(), whole, format_of(name), told=lambda _: None)
    path = tmp_path / f"{name}.gz"
    path.write_bytes(whole.read_bytes()[:-100])
    with pytest.raises(ValueError, match="broken off or damaged"):
        read(path)


def test_a_file_that_is_something_else_says_so(read, written):
    with pytest.raises(ValueError):
        read(written("a.parquet", "no parquet"))
    with pytest.raises(ValueError, match="not JSON"):
        read(written("a.json", '{"uid": 1}\n{"uid": 2}'))


def test_a_list_of_our_own_posts_is_read_beside_activitystreams(read, written):
    posts, faults = read(
        written("a.json", json.dumps([{"uid": "feed:a:1", "text": "x", "published_at": "2026-01-01"}, {"uid": 3}]))
    )
    assert posts["uid"].to_pylist() == ["feed:a:1"] and len(faults) == 1


def test_objects_without_a_time_and_deletions_are_left_out_and_said(read, written):
    def note(number, **more):
        return {"id": f"https://a.example/{number}", "type": "Note", "content": "<p>x</p>", **more}

    outbox = {
        "type": "OrderedCollection",
        "orderedItems": [
            {"type": "Create", "object": note(1, published="2026-01-01T00:00:00Z")},
            note(2),
            {"type": "Delete", "object": "https://a.example/3"},
            {"type": "Like", "id": "https://a.example/4", "object": "https://a.example/1"},
        ],
    }
    posts, faults = read(written("a.json", json.dumps(outbox)))
    assert posts["url"].to_pylist() == ["https://a.example/1"]
    assert ["no time" in faults[0], "deletion" in faults[1], "Like is no post" in faults[2]] == [True] * 3


def test_a_collection_too_large_to_be_read_at_once_is_read_in_pieces(read, tmp_path, monkeypatch):
    path = tmp_path / "out.json"
    export_file(some(50).to_batches(), path, "activitystreams", told=lambda _: None)
    monkeypatch.setattr(exchange, "WHOLE", 500)
    monkeypatch.setattr(exchange, "PIECE", 300)
    monkeypatch.setattr(exchange, "MAX_ITEM", 2_000)
    posts, faults = read(path)
    assert posts["uid"].to_pylist() == some(50)["uid"].to_pylist() and faults == []
    path.write_bytes(path.read_bytes()[:-4_000])
    with pytest.raises(ValueError, match="not JSON from here on"):
        read(path)


def test_a_file_packed_under_a_plain_name_is_read(read, written):
    line = b'{"uid": "feed:a:1", "text": "x", "published_at": "2026-01-01"}'
    assert read(written("a.jsonl", gzip.compress(line)))[0].num_rows == 1
