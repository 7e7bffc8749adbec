"""Filters on streams: what is kept of a line, how soon an answer comes, and files of monitors that deceive."""

import gzip
import io
import json
import os
import threading
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from talkworthy.listening import filtering
from talkworthy.listening.filtering import BadMonitors, analyse_posts, explained, match_posts, monitors_of
from talkworthy.listening.selectors.mentions import compiled_words
from talkworthy.listening.understanding import Monitors
from talkworthy.query import QueryError
from talkworthy.schema import posts_table

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
COFFEE = {"uid": "feed:a:1", "text": "Fresh coffee", "published_at": "2026-01-01T00:00:00Z"}
TEA = {"uid": "feed:a:2", "text": "only tea", "published_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def monitors(tmp_path):
    """A file of monitors with this inside."""

    def put(text="coffee: coffee\ndecoy: cocoa\n"):
        path = tmp_path / "m.yaml"
        path.write_text(text)
        return path

    return put


@pytest.fixture
def match(monitors):
    """What comes out of a stream of these posts or bytes, and the warnings."""

    def ran(posts, text="coffee: coffee\ndecoy: cocoa\n", *, matched=False, dialect="strict"):
        source = posts if isinstance(posts, bytes) else b"".join(json.dumps(post).encode() + b"\n" for post in posts)
        out, warned = io.BytesIO(), []
        match_posts(
            monitors(text), io.BytesIO(source), out, matched=matched, dialect=dialect, now=NOW, warn=warned.append
        )
        return out.getvalue(), warned

    return ran


def names(written):
    return [json.loads(line)["monitors"] for line in written.splitlines()]


def test_names_stand_in_the_order_of_their_file(match):
    written, _ = match([COFFEE, TEA], "zebra: coffee\nape: fresh\ndecoy: cocoa\n")
    assert names(written) == [["zebra", "ape"], []]


def test_every_key_and_sign_of_a_line_stays_as_it_was(match):
    line = b'{"uid":"1", "text":"coffee \\u00e9 \xc3\xa9","published_at":"2026-01-01","n":1.50,"x":{"y":[null]}}  \r\n'
    written, _ = match(line)
    assert written == line.rstrip()[:-1] + b', "monitors": ["coffee"]}\n'


def test_a_key_called_monitors_is_replaced_not_doubled(match):
    written, _ = match([COFFEE | {"monitors": ["old"]}])
    assert written.count(b'"monitors"') == 1 and names(written) == [["coffee"]]


def test_a_word_called_monitors_in_the_text_is_no_key(match):
    written, _ = match([COFFEE | {"text": 'coffee "monitors"'}])
    assert names(written) == [["coffee"]] and json.loads(written)["text"] == 'coffee "monitors"'


def test_hashtags_mentions_and_links_that_are_not_told_are_read_from_the_text(match):
    text = "tag: hashtag:brew\nwho: mention:ann\nwhere: links:example.org\ndecoy: hashtag:other\n"
    written, _ = match([COFFEE | {"text": "#brew with @ann at https://example.org/x"}, TEA], text)
    assert names(written) == [["tag", "who", "where"], []]


def test_what_the_channel_told_of_hashtags_is_believed(match):
    written, _ = match([TEA | {"hashtags": ["brew"]}], "tag: hashtag:brew\n")
    assert names(written) == [["tag"]]


def test_what_is_absent_is_unknown_and_so_is_its_negation(match):
    text = "said: lang:en\nnot-said: tea AND NOT country:de\ndecoy: country:de\n"
    assert names(match([TEA], text)[0]) == [[]]
    assert names(match([TEA | {"place": {"country": "usa"}}], text)[0]) == [["not-said"]]


def test_a_meaning_is_found_alike_in_a_stream_on_arrival_and_by_a_search(match):
    query = 'similar:"the app is slow"~0.5'
    slow, bread = "this app takes forever to load", "we baked bread on Sunday"
    posts = [COFFEE | {"uid": f"feed:a:{n}", "text": text} for n, text in enumerate([slow, bread])]
    assert names(match(posts, f"a: {query}\n")[0]) == [["a"], []]
    table = posts_table(posts)
    (piece,) = table.to_batches()
    assert Monitors(((1, query),), NOW).matching().matched(piece)["monitors"].to_pylist() == [[1], []]
    assert compiled_words(query, now=NOW).match(table).to_pylist() == [True, False]


def test_what_analysis_said_is_looked_at_where_the_line_tells_it(match):
    said = [COFFEE | {"sentiment": "positive", "urgency": 80}, COFFEE | {"sentiment": "negative", "urgency": "?"}]
    text = "glad: coffee AND sentiment:positive\nsoon: coffee AND urgency:>50\n"
    assert names(match([*said, COFFEE], text)[0]) == [["glad", "soon"], [], []]


def test_lines_that_cannot_be_read_are_named_counted_and_left_out(match):
    written, warned = match(b"oops\n" + json.dumps(COFFEE).encode() + b'\n{"uid": "x"}\n')
    assert names(written) == [["coffee"]]
    assert [warning.split(":")[0] for warning in warned[:-1]] == ["line 1", "line 3"]
    assert warned[-1] == "2 of 3 lines could not be read and were left out."


def test_of_very_many_wrong_lines_the_first_are_named_and_all_counted(match):
    _, warned = match(b"oops\n" * 500)
    assert len(warned) == filtering.WARNED + 1
    assert warned[-1].startswith("500 of 500 lines") and "Is it JSON Lines" in warned[-1]


def test_nothing_in_is_nothing_out(match):
    assert match(b"") == (b"", [])


def test_a_packed_stream_is_read(match):
    assert names(match(gzip.compress(json.dumps(COFFEE).encode()))[0]) == [["coffee"]]


def test_a_slow_pipe_is_answered_before_it_ends(monitors):
    incoming, feed = os.pipe()
    answers, outgoing = os.pipe()

    def run():
        with os.fdopen(incoming, "rb") as source, os.fdopen(outgoing, "wb") as target:
            match_posts(monitors(), source, target, matched=False, dialect="strict", now=NOW, warn=print)

    worker = threading.Thread(target=run)
    worker.start()
    with os.fdopen(feed, "wb", buffering=0) as pipe, os.fdopen(answers, "rb") as read:
        pipe.write(json.dumps(COFFEE).encode() + b"\n")
        assert json.loads(read.readline())["monitors"] == ["coffee"]
        pipe.write(json.dumps(TEA).encode() + b"\n")
        assert json.loads(read.readline())["monitors"] == []
        pipe.close()
        assert read.read() == b""
    worker.join(10)
    assert not worker.is_alive()


def test_a_line_that_arrives_in_halves_is_one_line(monitors):
    incoming, feed = os.pipe()
    out = io.BytesIO()
    whole = json.dumps(COFFEE).encode() + b"\n"

    def run():
        with os.fdopen(incoming, "rb") as source:
            match_posts(monitors(), source, out, matched=False, dialect="strict", now=NOW, warn=print)

    worker = threading.Thread(target=run)
    worker.start()
    with os.fdopen(feed, "wb", buffering=0) as pipe:
        for half in (whole[:20], whole[20:]):
            pipe.write(half)
            threading.Event().wait(0.05)
    worker.join(10)
    assert names(out.getvalue()) == [["coffee"]]


@pytest.fixture
def parquet(tmp_path):
    """A Parquet file of the two posts, with a column of its owner's."""
    table = posts_table([COFFEE, TEA]).append_column("own", pa.array([{"a": 1}, {"a": 2}]))
    path = tmp_path / "p.parquet"
    pq.write_table(table, path)
    return path


def test_parquet_in_a_stream_comes_out_as_parquet_with_all_its_columns(match, parquet):
    written, _ = match(parquet.read_bytes())
    table = pq.read_table(io.BytesIO(written))
    assert table["monitors"].to_pylist() == [["coffee"], []] and table["own"].to_pylist() == [{"a": 1}, {"a": 2}]
    assert table.schema.names[:-1] == pq.read_schema(parquet).names


def test_parquet_becomes_lines_where_the_name_says_so(monitors, parquet, tmp_path):
    target = tmp_path / "out.jsonl"
    match_posts(monitors(), parquet, target, matched=True, dialect="strict", now=NOW, warn=print)
    (line,) = target.read_text().splitlines()
    assert json.loads(line) | {"monitors": ["coffee"], "own": {"a": 1}, "uid": "feed:a:1"} == json.loads(line)


def test_lines_become_parquet_where_the_name_says_so(monitors, tmp_path):
    source, target = tmp_path / "p.jsonl", tmp_path / "out.parquet"
    source.write_text(json.dumps(COFFEE | {"own": 1}) + "\n" + json.dumps(TEA) + "\n")
    match_posts(monitors(), source, target, matched=False, dialect="strict", now=NOW, warn=print)
    table = pq.read_table(target)
    assert table.select(["uid", "monitors", "more"]).to_pylist() == [
        {"uid": "feed:a:1", "monitors": ["coffee"], "more": '{"own": 1}'},
        {"uid": "feed:a:2", "monitors": [], "more": None},
    ]


def test_parquet_of_nothing_has_the_columns(monitors, tmp_path):
    (tmp_path / "p.jsonl").write_text("")
    match_posts(
        monitors(), tmp_path / "p.jsonl", tmp_path / "o.parquet", matched=True, dialect="strict", now=NOW, warn=print
    )
    table = pq.read_table(tmp_path / "o.parquet")
    assert table.num_rows == 0 and {"uid", "monitors"} <= set(table.schema.names)


def test_a_file_may_be_written_over_itself(monitors, tmp_path):
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(COFFEE) + "\n")
    path.chmod(0o640)
    match_posts(monitors(), path, path, matched=False, dialect="strict", now=NOW, warn=print)
    assert names(path.read_bytes()) == [["coffee"]] and path.stat().st_mode & 0o777 == 0o640
    assert sorted(each.name for each in tmp_path.iterdir()) == ["m.yaml", "p.jsonl"]


def test_a_csv_file_is_refused_with_what_reads_it(monitors, tmp_path):
    (tmp_path / "p.csv").write_text("id,text\n")
    with pytest.raises(ValueError, match="`talkworthy import` reads CSV"):
        match_posts(monitors(), tmp_path / "p.csv", io.BytesIO(), matched=False, dialect="strict", now=NOW, warn=print)


# files of monitors


def read_monitors(path, warned=None, dialect="strict"):
    return monitors_of(path, dialect=dialect, now=NOW, warn=(warned if warned is not None else []).append)


def test_names_and_queries_are_text_whatever_yaml_thinks(monitors):
    found = read_monitors(monitors("no: yes\n2024: 007\n'~': null\n"))
    assert [(name, query.query.text) for name, query in found.items()] == [
        ("no", "yes"),
        ("2024", "007"),
        ("~", "null"),
    ]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "should hold monitors, one a line, as name: query"),
        ("- coffee\n", "should hold monitors"),
        ("a: coffee\na: tea\n", "line 2: monitor a is there twice"),
        ("a: [coffee, tea]\n", "line 1: the query of monitor a should be text"),
        ('a: "new coffee" AND tea\n', "is not YAML.*\n(.*\n)*name: [|]"),
        ("a: coffee #launch\n", "in monitor a, YAML takes '#launch' for a comment"),
        ("a: #launch\n", "monitor a: E-EMPTY|in monitor a, YAML takes"),
        ("good: coffee\nbad: (tea\n", "monitor bad: E-BRACKET"),
    ],
)
def test_a_file_that_deceives_is_refused(monitors, text, told):
    with pytest.raises(BadMonitors, match=told):
        read_monitors(monitors(text))


def test_a_remark_after_a_query_is_a_remark(monitors):
    assert list(read_monitors(monitors("a: coffee # what we drink\nb: |\n  coffee OR #launch\n"))) == ["a", "b"]


def test_warnings_name_their_monitor_and_stop_nothing(monitors):
    warned = []
    assert list(read_monitors(monitors("a: coffee tea\nb: milk\n"), warned)) == ["a", "b"]
    assert warned[0].startswith("monitor a: W-IMPLICIT-AND") and "^" in warned[0]
    assert len(warned) == 1


def test_a_field_of_the_desk_cannot_be_monitored(monitors):
    with pytest.raises(BadMonitors, match="E-STAGE"):
        read_monitors(monitors("a: assignee:ann\n"))


def test_the_lenient_dialect_takes_what_the_strict_refuses(monitors):
    path = monitors("a: tea OR coffee AND milk\n")
    with pytest.raises(BadMonitors, match="E-MIX"):
        read_monitors(path)
    assert list(read_monitors(path, dialect="lenient")) == ["a"]


# analysis and reasons


def test_analysis_is_added_where_the_channel_told_nothing_and_left_where_it_told(tmp_path):
    posts = [COFFEE | {"text": "I love it #brew"}, COFFEE | {"text": "I love it #brew", "hashtags": ["told"]}]
    out = io.BytesIO()
    analyse_posts(io.BytesIO("\n".join(map(json.dumps, posts)).encode()), out, tier="fast", warn=pytest.fail)
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["hashtags"], second["hashtags"]) == (["brew"], ["told"])
    assert first["sentiment"] == "positive" and "folded" not in first
    assert first["sentiment_score"] == round(first["sentiment_score"], 4)


def test_copies_are_found_across_pieces_of_a_stream(monkeypatch):
    monkeypatch.setattr("talkworthy.schema.formats.jsonl.BLOCK", 200)
    same = {"text": "the new machine makes wonderful coffee every morning"}
    posts = [COFFEE | same, *[TEA | {"text": f"nothing alike number {n}" * 2} for n in range(5)], COFFEE | same]
    out = io.BytesIO()
    analyse_posts(io.BytesIO("\n".join(map(json.dumps, posts)).encode()), out, tier="fast", warn=pytest.fail)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert rows[-1]["near_hash"] == rows[0]["text_hash"]


def test_an_unknown_tier_is_refused():
    with pytest.raises(ValueError, match="no tier named 'slow'"):
        analyse_posts(io.BytesIO(), io.BytesIO(), tier="slow", warn=pytest.fail)


def test_explanations_come_post_by_post_from_parquet_too(parquet):
    lines = list(explained("coffee", parquet, dialect="strict", as_json=False, now=NOW, warn=pytest.fail))
    assert [line for line in lines if line[0] != " "] == ["feed:a:1: matches", "feed:a:2: does not match"]


def test_a_broken_query_is_not_explained():
    with pytest.raises(QueryError):
        list(explained("(coffee", io.BytesIO(), dialect="strict", as_json=False, now=NOW, warn=pytest.fail))
