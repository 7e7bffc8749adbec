"""The archive's sieve and the query's last word; what is found is compared with plain looking."""

from datetime import UTC, datetime, timedelta

import pytest

from talkworthy.archive import Archive, Scan
from talkworthy.listening.searching import MATCHED, columns_for, found_in, narrowed, search
from talkworthy.query import compile_query, parse

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXTS = ("acme is broken", "I like acme", "decoy: acmeology", "broken, but not theirs", "ACME, once more")


def ready(text):
    return compile_query(parse(text, stage="search"), now=NOON)


@pytest.fixture
def archive(tmp_path):
    from talkworthy.analysis import default_pipeline
    from talkworthy.schema import posts_table

    rows = [
        {
            "uid": f"feed:x:{number}",
            "text": text,
            "published_at": NOON + timedelta(hours=number),
            "channel": "feed" if number % 2 else "mastodon",
            "source": f"source-{number}",
        }
        for number, text in enumerate(TEXTS)
    ]
    said = default_pipeline().run(posts_table(rows).to_batches()[0])
    import pyarrow as pa

    with Archive(tmp_path / "archive", threads=1) as made:
        made.append(pa.Table.from_batches([said]), transactions={"feed": 1})
        yield made


def texts(archive, query, scan):
    return [text for batch in search(archive, query, scan) for text in batch["text"].to_pylist()]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("acme", [0, 1, 4]),
        ("acme AND broken", [0]),
        ("acme NOT broken", [1, 4]),
        ("broken", [0, 3]),
        ("channel:feed", [1, 3]),
        ("acme AND channel:feed", [1]),
        ("channel:feed AND channel:mastodon", []),
        ("nowhere", []),
    ],
)
def test_a_search_finds_what_the_query_finds_in_every_post(archive, words, found):
    query = ready(words)
    everything = archive.table(Scan(order="oldest"))
    assert found_in(everything.combine_chunks().to_batches()[0], query)["text"].to_pylist() == [TEXTS[n] for n in found]
    assert texts(archive, query, Scan(order="oldest")) == [TEXTS[n] for n in found]
    assert texts(archive, query, Scan(order="newest")) == [TEXTS[n] for n in reversed(found)]


def test_without_a_query_everything_is_found_up_to_the_limit(archive):
    assert texts(archive, None, Scan(columns=("text",), order="newest", limit=2)) == [TEXTS[4], TEXTS[3]]


def test_the_limit_counts_what_matches_not_what_was_looked_at(archive):
    assert texts(archive, ready("acme"), Scan(order="newest", limit=2)) == [TEXTS[4], TEXTS[1]]


def test_only_the_columns_that_were_asked_for_come_back(archive):
    batch = next(search(archive, ready("acme AND channel:feed"), Scan(columns=("text",))))
    assert batch.schema.names == ["text"]


def test_a_query_of_words_alone_reads_few_columns():
    assert set(columns_for(ready("acme OR broken"))) < set(MATCHED)
    assert {"id", "uid", "published_at", "channel"} <= set(columns_for(ready("acme AND channel:feed")))


def test_the_sieve_keeps_the_conditions_of_the_scan_and_takes_the_narrower():
    scan = Scan(sentiments=("negative", "neutral"), since=NOON)
    sieved = narrowed(scan, ready("acme AND sentiment:negative"))
    assert sieved is not None
    assert sieved.sentiments == ("negative",)
    assert sieved.since == NOON
    assert sieved.contains


def test_nothing_is_read_where_scan_and_query_exclude_each_other(archive):
    scan, query = Scan(sentiments=("positive",)), ready("acme AND sentiment:negative")
    assert narrowed(scan, query) is None
    assert texts(archive, query, scan) == []


def test_a_query_that_demands_nothing_leaves_the_scan_as_it_is():
    scan = Scan(channels=("feed",))
    assert narrowed(scan, ready("acme OR NOT broken")) == scan
