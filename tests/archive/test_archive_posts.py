import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from talkworthy.archive import Archive, Keeper, Locked, Scan, StaleRead, unfit
from talkworthy.archive.columns import FILED
from talkworthy.archive.duck import MissingFile
from talkworthy.archive.table import Table
from talkworthy.schema import archive_id

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=5)
ALL = Scan(columns=("id", "uid", "text"))


def uid(number: int) -> str:
    return f"test:example.org:{number}"


def test_a_post_comes_back_by_uid_and_by_number(cast: Any, row: Any) -> None:
    cast.append(row(1, "hello", monitors=[3]), row(2, "decoy"))
    post = cast.archive.get(uid(1))
    assert post["text"] == "hello"
    assert post["monitors"] == [3]
    assert post["id"] == archive_id(uid(1), NOON + timedelta(hours=1))
    assert cast.archive.get(post["id"]) == post


def test_what_is_not_here_is_none(cast: Any, row: Any) -> None:
    assert cast.archive.get(uid(1)) is None
    cast.append(row(2, "decoy"))
    assert cast.archive.get(uid(1)) is None
    assert cast.archive.get(1) is None


def test_the_same_append_twice_changes_nothing_and_tells_again(cast: Any, row: Any) -> None:
    first = cast.append(row(1), row(2))
    again = cast.append(row(1), row(2), transactions={"feed": 1})
    assert again.repeated
    assert again.new.equals(first.new)
    assert cast.archive.count(ALL)["posts"].to_pylist() == [2]


def test_an_edit_is_told_again_with_what_stood_before(cast: Any, row: Any) -> None:
    cast.append(row(1, "before"), row(2))
    cast.append(row(1, "after", collected_at=LATER))
    again = Archive(cast.archive.path).append(
        cast.archive.table(Scan(limit=0)).drop_columns(["id", "day"]), transactions={"feed": 2}
    )
    assert (again.edited["text"].to_pylist(), again.previous["text"].to_pylist()) == (["after"], ["before"])


def test_rows_of_a_covered_source_are_passed_over_in_a_mixed_append(cast: Any, row: Any) -> None:
    cast.append(row(1, source="a"), transactions={"a": 7})
    done = cast.append(row(2, source="a"), row(3, source="b"), transactions={"a": 7, "b": 1})
    assert done.new["uid"].to_pylist() == [uid(3)]
    assert cast.archive.appended("a") == 7
    assert cast.archive.appended("b") == 1
    assert cast.archive.appended("stranger") == 0


def test_the_cursor_is_committed_with_the_rows(cast: Any, row: Any) -> None:
    cast.append(row(1), cursors={"feed": {"since": 5}})
    cast.append(row(2), cursors={"decoy": {"since": 9}})
    assert Archive(cast.archive.path).cursor("feed") == {"since": 5}
    assert cast.archive.cursor("stranger") is None


def test_collecting_twice_adds_nothing(cast: Any, row: Any) -> None:
    cast.append(row(1), row(2))
    done = cast.append(row(1, collected_at=LATER), row(3))
    assert (done.new["uid"].to_pylist(), done.known, done.edited.num_rows) == ([uid(3)], 1, 0)
    assert cast.archive.count(ALL)["posts"].to_pylist() == [3]


def test_two_rows_of_one_post_in_a_batch_are_one(cast: Any, row: Any) -> None:
    done = cast.append(row(1, "new", collected_at=LATER), row(1, "old"), row(2))
    assert done.new["text"].to_pylist() == ["new", "words of 2"]


def test_an_edit_replaces_and_tells_what_stood_before(cast: Any, row: Any) -> None:
    cast.append(row(1, "before", sentiment="positive"), row(2))
    done = cast.append(row(1, "after", sentiment="negative", collected_at=LATER))
    assert done.edited.select(["text", "sentiment"]).to_pylist() == [{"text": "after", "sentiment": "negative"}]
    assert done.previous.select(["text", "sentiment"]).to_pylist() == [{"text": "before", "sentiment": "positive"}]
    assert cast.archive.get(uid(1))["text"] == "after"
    assert sorted(cast.texts(Scan())) == ["after", "words of 2"]
    assert cast.archive.table(Scan(contains=(("before",),), limit=9)).num_rows == 0


def test_an_edit_of_an_edit_leaves_one_post(cast: Any, row: Any) -> None:
    for number in range(4):
        cast.append(row(1, f"text {number}", collected_at=NOON + timedelta(days=2 + number)))
    assert cast.texts(Scan()) == ["text 3"]


def test_an_older_copy_does_not_undo_an_edit(cast: Any, row: Any) -> None:
    cast.append(row(1, "after", collected_at=LATER))
    done = cast.append(row(1, "before", collected_at=NOON))
    assert (done.known, done.edited.num_rows) == (1, 0)
    assert cast.texts(Scan()) == ["after"]


def test_an_edit_time_or_a_count_of_followers_alone_is_no_edit(cast: Any, row: Any) -> None:
    cast.append(row(1, author={"id": "a", "followers": 1}))
    done = cast.append(row(1, author={"id": "a", "followers": 2}, edited_at=LATER, collected_at=LATER))
    assert (done.known, done.edited.num_rows) == (1, 0)


def test_a_post_whose_date_moved_is_still_one_post_with_one_number(cast: Any, row: Any) -> None:
    cast.append(row(1, "x"))
    number = cast.archive.get(uid(1))["id"]
    cast.append(row(1, "y", published_at=NOON + timedelta(days=40), collected_at=LATER))
    assert cast.texts(Scan()) == ["y"]
    assert cast.archive.get(uid(1))["id"] == number


def test_later_counts_of_a_known_post_become_an_observation(cast: Any, row: Any) -> None:
    cast.append(row(1, engagement={"likes": 1, "replies": 4, "taken_at": NOON}), row(2))
    done = cast.append(row(1, engagement={"likes": 5, "taken_at": LATER}, collected_at=LATER))
    engagement = cast.archive.get(uid(1))["engagement"]
    assert (engagement["likes"], engagement["replies"]) == (5, 4)
    assert [row["engagement"]["likes"] for row in done.recounted.rows.to_pylist()] == [5]
    assert [row["engagement"]["likes"] for row in done.recounted.previous.to_pylist()] == [1]
    assert cast.archive.count(Scan(), engagement=True).to_pylist() == [{"posts": 2, "engagement": 9}]


def test_the_latest_observation_is_seen_whatever_the_order(cast: Any, row: Any) -> None:
    cast.append(row(1, engagement={"likes": 1, "taken_at": NOON}))
    recounted = cast.observe(1, 30, LATER)
    assert [row["engagement"]["likes"] for row in recounted.rows.to_pylist()] == [30]
    assert [row["engagement"]["likes"] for row in recounted.previous.to_pylist()] == [1]
    assert cast.observe(1, 20, LATER - timedelta(hours=1)).rows.num_rows == 0
    assert cast.observe(2, 99, LATER).rows.num_rows == 0
    assert cast.archive.get(uid(1))["engagement"]["likes"] == 30


def test_a_deleted_post_vanishes_and_is_told(cast: Any, row: Any) -> None:
    cast.append(row(1, "gone", monitors=[1]), row(2, monitors=[1]))
    assert cast.bury(uid(1))["text"].to_pylist() == ["gone"]
    assert cast.archive.get(uid(1)) is None
    assert cast.archive.count(ALL)["posts"].to_pylist() == [1]
    assert cast.archive.table(Scan(monitors_any=(1,), limit=9))["uid"].to_pylist() == [uid(2)]
    assert cast.bury(uid(1)).num_rows == 0


def test_a_deleted_post_comes_back_only_when_collected_again_later(cast: Any, row: Any) -> None:
    cast.append(row(1, "first"))
    cast.bury(uid(1), at=LATER)
    assert cast.append(row(1, "first", collected_at=NOON)).refused == 1
    assert cast.archive.get(uid(1)) is None
    done = cast.append(row(1, "restored", collected_at=LATER + timedelta(days=1)))
    assert done.new["text"].to_pylist() == ["restored"]
    again = cast.append(row(1, "restored", collected_at=LATER + timedelta(days=1)), transactions={"feed": cast.seq})
    assert (again.repeated, again.new["text"].to_pylist(), again.edited.num_rows) == (True, ["restored"], 0)
    assert cast.texts(Scan()) == ["restored"]
    cast.bury(uid(1), at=LATER + timedelta(days=2))
    assert cast.texts(Scan()) == []


def test_a_post_deleted_before_it_arrives_never_shows(cast: Any, row: Any) -> None:
    cast.bury(uid(1), at=LATER)
    assert cast.append(row(1), row(2)).refused == 1
    assert cast.texts(Scan()) == ["words of 2"]


def test_deleting_an_account_takes_its_posts_in_its_channel_only(cast: Any, row: Any) -> None:
    cast.append(
        row(1, author={"id": "dan"}),
        row(2, author={"id": "carol"}),
        {**row(3, author={"id": "dan"}), "uid": "other:example.org:3"},
        row(4),
    )
    gone = cast.bury(author=("test", "dan"))
    assert gone["uid"].to_pylist() == [uid(1)]
    assert cast.archive.count(ALL)["posts"].to_pylist() == [3]
    assert cast.append(row(5, author={"id": "dan"}), row(6, author={"id": "carol"})).refused == 1


def test_a_correction_by_a_person_is_what_readers_see_and_filter_by(cast: Any, row: Any) -> None:
    cast.append(row(1, sentiment="negative", urgency=10), row(2, sentiment="negative"))
    cast.change(uid(1), "sentiment", "neutral")
    cast.change(uid(1), "sentiment", "positive")
    cast.change(uid(1), "urgency", "90")
    assert cast.archive.get(uid(1))["sentiment"] == "positive"
    assert cast.archive.get(uid(1))["urgency"] == 90
    assert cast.archive.table(Scan(sentiments=("negative",), limit=9))["uid"].to_pylist() == [uid(2)]
    counted = cast.archive.count(Scan(), by=("sentiment",)).to_pylist()
    assert sorted(counted, key=str) == [{"sentiment": "negative", "posts": 1}, {"sentiment": "positive", "posts": 1}]


def test_a_monitor_tied_by_a_backfill_is_found_and_one_untied_is_not(cast: Any, row: Any) -> None:
    cast.append(row(1, monitors=[1]), row(2), row(3, monitors=[1]))
    cast.change(uid(2), "monitor:7", "true")
    cast.change(uid(1), "monitor:1", "false")
    assert cast.archive.get(uid(2))["monitors"] == [7]
    river = Archive(cast.archive.path)
    assert river.table(Scan(monitors_any=(7,), limit=9))["uid"].to_pylist() == [uid(2)]
    assert river.table(Scan(monitors_any=(1,), limit=9))["uid"].to_pylist() == [uid(3)]


def test_only_annotations_and_monitors_can_be_changed(cast: Any, row: Any) -> None:
    cast.append(row(1))
    with pytest.raises(ValueError, match="text"):
        cast.change(uid(1), "text", "forged")
    with pytest.raises(ValueError, match="monitor:x"):
        cast.change(uid(1), "monitor:x", "true")


def test_an_unknown_column_is_refused(cast: Any, table: Any, row: Any) -> None:
    posts = table(row(1)).append_column("colour", pa.array(["red"]))
    with pytest.raises(ValueError, match="colour"):
        cast.archive.append(posts, transactions={"feed": 1})


def test_a_batch_over_four_hundred_days_is_one_file(cast: Any, row: Any) -> None:
    cast.append(*[row(24 * day) for day in range(400)])
    assert cast.archive.stats().files == 1
    day = Scan(since=NOON + timedelta(days=100), until=NOON + timedelta(days=101), limit=9)
    assert cast.archive.table(day)["uid"].to_pylist() == [uid(2400)]


def test_a_reader_in_another_archive_object_sees_each_append(cast: Any, row: Any) -> None:
    reader = Archive(cast.archive.path)
    for number in range(3):
        cast.append(row(number, monitors=[1]))
        assert reader.table(Scan(monitors_any=(1,), limit=1))["uid"].to_pylist() == [uid(number)]
        assert reader.get(uid(number)) is not None


def test_a_thread_is_found_from_any_of_its_posts(cast: Any, row: Any) -> None:
    cast.append(
        row(1),
        row(2, in_reply_to=uid(1), root=uid(1)),
        row(3, in_reply_to=uid(2)),
        row(4, in_reply_to=uid(3)),
        row(5, root=uid(1)),
        row(6, in_reply_to=uid(99)),
        row(7),
    )
    for number in range(1, 6):
        assert cast.archive.thread(uid(number))["uid"].to_pylist() == [uid(n) for n in range(1, 6)]
    assert cast.archive.thread(uid(7))["uid"].to_pylist() == [uid(7)]
    assert cast.archive.thread("test:example.org:nothing").num_rows == 0


def test_answers_to_a_post_that_was_never_collected_are_a_thread(cast: Any, row: Any) -> None:
    cast.append(row(1, in_reply_to=uid(99)), row(2, in_reply_to=uid(99)), row(3))
    assert cast.archive.thread(uid(1))["uid"].to_pylist() == [uid(1), uid(2)]


def test_only_one_process_may_be_the_writer(cast: Any) -> None:
    other = Archive(cast.archive.path).writing()
    with cast.archive.writing(), pytest.raises(Locked, match=r"writer\.lock") as told, other:
        pass
    assert told.value.holder.isdigit()
    with cast.archive.writing():
        pass


def test_two_archives_share_nothing(cast: Any, row: Any, tmp_path: Any) -> None:
    cast.append(row(1))
    other = Archive(tmp_path / "other")
    assert other.get(uid(1)) is None
    assert other.count(ALL)["posts"].to_pylist() == [0]


def test_deletion_vectors_are_refused(cast: Any, row: Any) -> None:
    from deltalake import DeltaTable, TableFeatures

    from talkworthy.archive import UnreadableTable

    cast.append(row(1))
    delta = DeltaTable(str(cast.archive.posts.folder))
    delta.alter.add_feature(TableFeatures.DeletionVectors, allow_protocol_versions_increase=True)
    with pytest.raises(UnreadableTable, match="deletion vectors"):
        Archive(cast.archive.path).get(uid(1))


def test_stats_say_how_much_there_is(cast: Any, row: Any) -> None:
    cast.append(row(1), row(5))
    cast.observe(1, 3, LATER)
    stats = cast.archive.stats()
    assert (stats.rows, stats.files, stats.waiting["observations"]) == (2, 1, 1)
    assert (stats.oldest, stats.newest) == (NOON + timedelta(hours=1), NOON + timedelta(hours=5))


def test_the_file_list_holds_every_row_for_other_engines(cast: Any, row: Any) -> None:
    cast.append(row(1), row(2))
    listed = cast.archive.snapshot()
    assert sum(pa.parquet.read_table(path).num_rows for path in listed.paths) == listed.rows == 2


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [({"uid": ""}, "uid"), ({"published_at": datetime(2400, 1, 1, tzinfo=UTC)}, "2106")],
)
def test_a_row_that_cannot_be_numbered_is_named_before_anything_is_added(
    cast: Any, row: Any, table: Any, wrong: dict[str, Any], reason: str
) -> None:
    posts = table(row(1), {**row(2), **wrong})
    assert [(bad.row, reason in bad.reason) for bad in unfit(posts)] == [(1, True)]
    with pytest.raises(ValueError, match=reason):
        cast.archive.append(posts, transactions={"feed": 1})
    assert cast.archive.appended("feed") == 0


def test_posts_from_before_1970_have_their_place(cast: Any, row: Any) -> None:
    cast.append(row(1, published_at=datetime(1955, 5, 5, tzinfo=UTC)), row(2))
    assert cast.archive.table(Scan(until=datetime(1960, 1, 1, tzinfo=UTC), limit=5))["uid"].to_pylist() == [uid(1)]
    assert cast.archive.get(uid(1))["published_at"].year == 1955


def test_files_of_an_older_version_are_read_with_the_new_columns_null(cast: Any, row: Any, table: Any) -> None:
    older = pa.schema([field for field in FILED if field.name not in ("analysed_by", "intent")])
    path = cast.archive.path.parent / "older"
    posts = Table(path / "posts", older)
    posts.create()
    rows = cast.append(row(1, intent="help"), row(2)).new.append_column("revision", pa.array([0, 0], pa.int32()))
    posts.commit([posts.write(rows.select(older.names), "new", level=1)])
    upgraded = Archive(path)
    assert upgraded.get(uid(1))["intent"] is None
    upgraded.append(table(row(3, intent="praise")), transactions={"feed": 1})
    for _ in range(2):
        assert upgraded.table(Scan(order="oldest"))["intent"].to_pylist() == [None, None, "praise"]
        assert upgraded.count(Scan(intents=("praise",)))["posts"].to_pylist() == [1]
        Keeper(upgraded).run_once(everything=True)


@pytest.mark.parametrize("restored", [True, False])
def test_payloads_older_than_the_archive_take_numbers_that_it_does_not_know(
    cast: Any, row: Any, payload: Any, restored: bool
) -> None:
    store = cast.archive.payloads
    store.keep("feed", [payload("old")], {"n": 1})
    cast.append(row(1), transactions={"feed": 40})
    if not restored:
        shutil.rmtree(store.folder)
    ref = Archive(cast.archive.path).payloads.keep("feed", [payload("new")])
    assert ref.seq == 41
    assert not cast.append(row(2), transactions={"feed": ref.seq}).repeated
    assert cast.archive.payloads.cursor("feed") == ({"n": 1} if restored else None)


def test_a_sequence_number_below_one_is_refused(cast: Any, row: Any) -> None:
    with pytest.raises(ValueError, match="begin at 1"):
        cast.append(row(1), transactions={"feed": 0})


@pytest.mark.parametrize(("order", "told"), [(None, StaleRead), ("newest", None)])
def test_a_reading_whose_files_go_says_so_or_goes_on(
    cast: Any, row: Any, monkeypatch: pytest.MonkeyPatch, order: Any, told: Any
) -> None:
    cast.append(*[row(number) for number in range(9)])
    whole, failures = cast.archive.duck.batches, [MissingFile("gone")]

    def broken(*given: Any, **options: Any) -> Any:
        pieces = list(whole(*given, **options, rows=2048))
        yield pieces[0].slice(0, 4)
        if failures:
            raise failures.pop()
        yield pieces[0].slice(4)

    monkeypatch.setattr(cast.archive.duck, "batches", broken)
    pieces = cast.archive.scan(Scan(order=order, columns=("native_id",)))
    if told:
        with pytest.raises(told, match="read again"):
            list(pieces)
    else:
        names = [name for batch in pieces for name in batch.column("native_id").to_pylist()]
        assert names == [str(number) for number in range(8, -1, -1)]
