from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talkworthy.archive import Keeper, Scan

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LANGUAGES, SENTIMENTS, CHANNELS = ("en", "de", None), ("positive", "negative", None), ("test", "other")


def filled(row: Any, number: int) -> dict[str, Any]:
    channel = CHANNELS[number % 2]
    return {
        **row(number, source=f"s{number % 3}"),
        "uid": f"{channel}:example.org:{number}",
        "text": f"The phone {'is broken' if number % 4 == 0 else 'works'} {number}",
        "folded": f"the phone {'is broken' if number % 4 == 0 else 'works'} {number}",
        "detected_language": LANGUAGES[number % 3],
        "sentiment": SENTIMENTS[number % 3],
        "monitors": sorted({number % 2, number % 5}) if number % 7 else None,
        "hashtags": ["Phone", "phone"] if number % 6 == 0 else [],
        "author": {"id" if number % 5 else "handle": f"a{number % 4}"} if number % 9 else None,
        "site": f"site{number % 2}.example",
        "engagement": {"likes": number, "taken_at": NOON},
    }


@pytest.fixture
def river(cast: Any, row: Any) -> Any:
    """Sixty posts in six files, one of them edited, one corrected, one deleted."""
    for start in range(0, 60, 10):
        cast.append(*[filled(row, number) for number in range(start, start + 10)])
    cast.append({**filled(row, 12), "text": "edited", "folded": "edited", "collected_at": NOON + timedelta(days=9)})
    cast.change("other:example.org:21", "sentiment", "positive")
    cast.change("test:example.org:22", "monitor:9", "true")
    cast.change("test:example.org:24", "monitor:0", "false")
    cast.bury("test:example.org:30")
    return cast


def meets(scan: Scan, post: dict[str, Any]) -> bool:
    """The slow and obvious answer."""
    monitors, tags = set(post["monitors"] or []), {tag.lower() for tag in post["hashtags"] or []}
    folded, writer = post["folded"] or "", post["author"] or {}
    author = writer.get("id") or writer.get("handle")
    return (
        (scan.since is None or post["published_at"] >= scan.since)
        and (scan.until is None or post["published_at"] < scan.until)
        and (not scan.monitors_any or bool(monitors & set(scan.monitors_any)))
        and set(scan.monitors_all) <= monitors
        and (not scan.hashtags or bool(tags & {tag.lower() for tag in scan.hashtags}))
        and all(any(text in folded for text in group) for group in scan.contains)
        and all(
            not asked or value in asked
            for asked, value in (
                (scan.channels, post["channel"]),
                (scan.sources, post["source"]),
                (scan.languages, post["detected_language"]),
                (scan.sentiments, post["sentiment"]),
                (scan.authors, author),
                (scan.sites, post["site"]),
            )
        )
    )


def some(*values: Any) -> Any:
    return st.lists(st.sampled_from(values), max_size=2, unique=True).map(tuple)


TIMES = st.none() | st.integers(-1, 61).map(lambda hours: NOON + timedelta(hours=hours, microseconds=hours))
SCANS = st.builds(
    Scan,
    since=TIMES,
    until=TIMES,
    monitors_any=some(0, 1, 3, 9, 77),
    monitors_all=some(0, 1, 2),
    channels=some("test", "other", "none"),
    sources=some("s0", "s2"),
    languages=some("en", "de"),
    sentiments=some("positive", "negative"),
    authors=some("a1", "a3"),
    sites=some("site1.example"),
    hashtags=some("PHONE", "other"),
    contains=st.lists(some("broken", "works", "edited", "' OR 1=1 --"), max_size=2).map(
        lambda gs: tuple(g for g in gs if g)
    ),
    order=st.sampled_from(["newest", "oldest"]),
    limit=st.none() | st.integers(0, 70),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scan=SCANS)
def test_a_scan_gives_what_the_slow_and_obvious_answer_gives(river: Any, scan: Scan) -> None:
    everything = river.archive.table(Scan(order="oldest")).to_pylist()
    wanted = [post for post in everything if meets(scan, post)]
    wanted = wanted if scan.order == "oldest" else wanted[::-1]
    found = river.archive.table(scan).to_pylist()
    assert [post["uid"] for post in found] == [post["uid"] for post in wanted[: scan.limit]]
    assert river.archive.count(scan)["posts"].to_pylist() == [len(wanted)]


def test_everything_is_there_once(river: Any) -> None:
    assert river.archive.count(Scan())["posts"].to_pylist() == [59]
    assert sum(batch.num_rows for batch in river.archive.scan(Scan(order=None, columns=("uid",)))) == 59


def test_paging_by_the_last_number_meets_each_post_once(river: Any) -> None:
    for asked in (
        Scan(limit=7),
        Scan(limit=7, monitors_any=(0, 1)),
        Scan(limit=7, channels=("test",), monitors_any=(0,)),
    ):
        page, seen = river.archive.table(asked), []
        while page.num_rows:
            seen += page["id"].to_pylist()
            page = river.archive.table(replace(asked, before=seen[-1]))
        assert seen == river.archive.table(replace(asked, limit=None))["id"].to_pylist()
        assert seen == sorted(set(seen), reverse=True)


def test_newer_than_pages_the_other_way(river: Any) -> None:
    middle = river.archive.get("test:example.org:40")["id"]
    page = river.archive.table(Scan(after=middle, order="oldest", limit=2))
    assert page["native_id"].to_pylist() == ["41", "42"]


def test_ids_are_given_back_in_order_and_the_dead_are_left_out(river: Any) -> None:
    rows = river.archive.table(Scan(columns=("id", "native_id"))).to_pylist()
    ids = tuple(row["id"] for row in rows if row["native_id"] in {"3", "50", "17"})
    found = river.archive.table(Scan(ids=(*ids, 12345), limit=9))
    assert found["native_id"].to_pylist() == ["50", "17", "3"]
    assert river.archive.table(Scan(ids=())).num_rows == 0


def test_counts_by_every_group_agree_with_the_rows(river: Any) -> None:
    rows = river.archive.table(Scan()).to_pylist()
    assert river.archive.count(Scan(), by=("hashtag",)).to_pylist() == [
        {"hashtag": "phone", "posts": sum("Phone" in (row["hashtags"] or []) for row in rows)}
    ]
    by_monitor = {row["monitor"]: row["posts"] for row in river.archive.count(Scan(), by=("monitor",)).to_pylist()}
    assert by_monitor == {m: sum(m in (row["monitors"] or []) for row in rows) for m in (0, 1, 2, 3, 4, 9)}
    by_hour = river.archive.count(Scan(), by=("hour", "channel")).to_pylist()
    assert sum(row["posts"] for row in by_hour) == len(rows)
    assert len(by_hour) == 59
    by_day = river.archive.count(Scan(), by=("day",), engagement=True).to_pylist()
    assert sum(row["engagement"] for row in by_day) == sum(row["engagement"]["likes"] for row in rows)
    authors = {row["author"]: row["posts"] for row in river.archive.count(Scan(), by=("author",)).to_pylist()}
    assert authors["a1"] == sum(
        "a1" in ((row["author"] or {}).get("id"), (row["author"] or {}).get("handle")) for row in rows
    )


def test_an_empty_archive_counts_nothing(cast: Any) -> None:
    assert cast.archive.count(Scan()).to_pylist() == [{"posts": 0}]
    assert cast.archive.count(Scan(), by=("day",), engagement=True).to_pylist() == []
    assert cast.archive.table(Scan(limit=5)).num_rows == 0
    assert cast.archive.table(Scan(monitors_any=(1,), limit=5)).num_rows == 0


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"columns": ("uid", "nope")}, "nope"),
        ({"columns": ()}, "none named"),
        ({"limit": -1}, "negative"),
        ({"limit": 5, "order": None}, "order"),
    ],
)
def test_a_scan_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Scan(**wrong)


def test_a_reading_in_order_outlives_the_keeper(river: Any) -> None:
    pieces = river.archive.scan(Scan(order="newest", columns=("native_id",)))
    first = next(pieces)
    Keeper(river.archive).run_once(everything=True)
    Keeper(river.archive).sweep(patience=0, versions=True)
    rest = [name for batch in pieces for name in batch.column("native_id").to_pylist()]
    names = first.column("native_id").to_pylist() + rest
    assert names == [str(number) for number in range(59, -1, -1) if number != 30]


def test_more_ids_than_fit_into_a_sentence_are_found_too(cast: Any, row: Any) -> None:
    cast.append(*[row(number, engagement={"likes": 1, "taken_at": NOON}) for number in range(620)])
    ids = tuple(cast.archive.table(Scan(columns=("id",), order="oldest"))["id"].to_pylist())
    found = cast.archive.table(Scan(ids=ids[10:615], order="oldest"))
    assert found["id"].to_pylist() == list(ids[10:615])
    assert cast.archive.count(Scan(ids=ids[10:615]))["posts"].to_pylist() == [605]
    later = {"likes": 2, "taken_at": NOON + timedelta(days=9)}
    again = [row(number, engagement=later, collected_at=NOON + timedelta(days=9)) for number in range(620)]
    done = cast.append(*again[:610], *[row(number) for number in range(610, 620)])
    assert (done.known, done.recounted.rows.num_rows) == (620, 610)
