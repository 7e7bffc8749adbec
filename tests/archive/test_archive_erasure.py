import base64
import json
import quopri
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from talkworthy.archive import Archive, Keeper, Scan

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=5)
SECRET = "Quillfeather/Überraschung"
PERSON = "did:plc:danforth77"


def uid(number: int) -> str:
    return f"test:example.org:{number}"


def every_word(folder: Path) -> Iterator[tuple[Path, str]]:
    """Everything that any file of a folder holds, as it lies there and as it reads when unpacked."""
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        yield path, path.read_bytes().decode("utf-8", "replace")
        if path.suffix == ".parquet":
            yield path, str(pq.read_table(path, partitioning=None).to_pylist())
            yield path, str(pq.read_metadata(path).metadata)
        if path.suffix == ".arrow" and "spool" not in path.parts:
            with pa.OSFile(str(path)) as file:
                yield path, str(pa.ipc.open_file(file).read_all().to_pylist())
        if path.suffix == ".arrow" and "spool" in path.parts:
            with pa.OSFile(str(path)) as file:
                for _ in range(3):
                    yield path, str(pa.ipc.open_stream(file).read_all().to_pylist())


def holders(folder: Path, *words: str) -> list[str]:
    forms = {
        form
        for word in words
        for form in (word, json.dumps(word)[1:-1], word.replace("/", "\\/"), str(word.encode())[2:-1])
    }
    return [str(path.relative_to(folder)) for path, text in every_word(folder) if any(form in text for form in forms)]


def spread(cast: Any, row: Any, payload: Any, table: Any) -> None:
    """Dan's posts everywhere that a post can lie, beside Carol's."""
    archive: Archive = cast.archive
    dan, carol = {"id": PERSON, "name": SECRET}, {"id": "did:plc:carol", "name": "Carol"}
    raw = [json.dumps({"items": [{"by": PERSON, "text": SECRET}]}), "<p>Carol</p>"]
    ref = archive.payloads.keep("feed", [payload(raw[0]), payload(raw[1]), payload(f"torn {SECRET}")], {"n": 1})
    archive.payloads.set_aside(ref, 2, "torn")
    archive.payloads.done(ref)
    mail = b"Content-Transfer-Encoding: base64\n\n" + base64.encodebytes(
        f"long enough {SECRET} {PERSON} to be folded over several lines".encode() * 3
    )
    printable = b"Content-Transfer-Encoding: quoted-printable\n\n" + quopri.encodestring(
        f"{SECRET} {PERSON}".encode() * 4
    )
    for body in (mail, printable, b"\xff\xfe packed", b"Carol wrote"):
        archive.payloads.done(archive.payloads.keep("inbox", [payload(body, "message/rfc822")]))
    archive.spool.write("feed", 9, table(row(9, SECRET, author=dan), row(10, author=carol)).select(row_columns()))
    cast.append(row(1, SECRET, folded=SECRET, author=dan), row(2, "carol's", author=carol))
    cast.append(row(1, f"{SECRET} edited", author=dan, collected_at=LATER), row(3, f"older {SECRET}", author=dan))
    Keeper(archive).run_once(everything=True)
    cast.append(row(4, f"newer {SECRET}", author=dan), row(5, "carol's too", author=carol))
    cast.observe(1, 4, LATER)
    cast.change(uid(4), "sentiment", "negative")
    cast.bury(uid(3), at=LATER)


def row_columns() -> list[str]:
    from talkworthy.schema import POST

    return list(POST.names)


def test_an_erased_person_is_in_no_file_of_any_version(cast: Any, row: Any, payload: Any, table: Any) -> None:
    spread(cast, row, payload, table)
    assert len(holders(cast.archive.path, SECRET, PERSON)) > 8
    asked = cast.archive.erase(author=("test", PERSON))
    assert asked.state == "hidden"
    assert sorted(cast.texts(Scan())) == ["carol's", "carol's too"]
    Keeper(cast.archive).run_once(now=datetime.now(UTC))
    receipt = cast.archive.erasure_status(asked.id)
    assert (receipt.state, receipt.posts) == ("complete", 2)
    assert receipt.completed_at is not None
    assert receipt.completed_at < receipt.due_at
    assert receipt.payloads_emptied == 3 + 1 + 3
    assert receipt.spooled_posts_removed == 1
    assert receipt.files_rewritten == 2
    assert holders(cast.archive.path, SECRET, PERSON, "danforth77", "Quillfeather") == []


def test_what_others_wrote_stays(cast: Any, row: Any, payload: Any, table: Any) -> None:
    spread(cast, row, payload, table)
    cast.archive.erase(author=("test", PERSON))
    Keeper(cast.archive).run_once()
    assert sorted(cast.texts(Scan())) == ["carol's", "carol's too"]
    assert cast.archive.spool.read(cast.archive.spool.pending()[0]).posts["uid"].to_pylist() == [uid(10)]
    bodies = [body.body for path in cast.archive.payloads.every_file() for body in cast.archive.payloads.read(path)]
    assert b"Carol wrote" in bodies
    assert cast.archive.payloads.cursor("feed") == {"n": 1}


def test_an_erased_post_does_not_come_back(cast: Any, row: Any) -> None:
    cast.append(row(1, SECRET, author={"id": PERSON}), row(2, author={"id": PERSON}), row(3))
    cast.archive.erase(uids=[uid(1)])
    Keeper(cast.archive).run_once()
    done = cast.append(
        *[row(number, author={"id": PERSON}, collected_at=datetime.now(UTC) + timedelta(days=9)) for number in (1, 2)]
    )
    assert (done.refused, done.known) == (1, 1)
    assert cast.archive.get(uid(1)) is None


def test_posts_of_an_erased_account_from_before_do_not_arrive_later(cast: Any, row: Any) -> None:
    cast.append(row(1, author={"id": PERSON}))
    cast.archive.erase(author=("test", PERSON))
    Keeper(cast.archive).run_once()
    assert cast.append(row(2, author={"id": PERSON}), row(3, author={"id": "carol"})).refused == 1


def test_an_account_without_an_id_is_erased_by_its_handle(cast: Any, row: Any) -> None:
    told = {"author": {"handle": "eve@example.org"}}
    cast.append(row(1, **told), row(2, author={"id": "eve@example.net"}))
    cast.archive.erase(author=("test", "eve@example.org"))
    Keeper(cast.archive).run_once()
    assert [post["uid"] for post in cast.archive.table(Scan()).to_pylist()] == [uid(2)]
    assert cast.append(row(3, **told)).refused == 1


def test_an_erasure_waits_for_a_payload_that_is_not_parsed_yet(cast: Any, row: Any, payload: Any) -> None:
    cast.append(row(1, SECRET))
    ref = cast.archive.payloads.keep("other", [payload(SECRET)])
    asked = cast.archive.erase(uids=[uid(1)])
    assert Keeper(cast.archive).run_once().erasures_completed == 0
    waiting = cast.archive.erasure_status(asked.id)
    assert (waiting.state, waiting.waiting_for) == ("hidden", f"other/{ref.seq:012d}")
    cast.archive.payloads.done(ref)
    assert Keeper(cast.archive).run_once().erasures_completed == 1
    assert holders(cast.archive.path, SECRET) == []


def test_a_request_cut_short_by_a_crash_is_taken_up(cast: Any, row: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cast.append(row(1, SECRET), row(2))

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(cast.archive, "bury", dies)
        cast.archive.erase(uids=[uid(1)])
    assert Keeper(cast.archive).run_once().erasures_completed == 1
    assert cast.texts(Scan()) == ["words of 2"]
    assert holders(cast.archive.path, SECRET) == []


def test_the_receipt_names_nobody_once_it_is_complete(cast: Any, row: Any) -> None:
    cast.append(row(1, SECRET, author={"id": PERSON}))
    asked = cast.archive.erase(author=("test", PERSON))
    Keeper(cast.archive).run_once()
    kept = (cast.archive.path / "erasures" / f"{asked.id}.json").read_text()
    assert PERSON not in kept
    assert uid(1) not in kept
    assert json.loads(kept)["posts"] == 1


def test_an_erasure_names_somebody_or_something(cast: Any) -> None:
    with pytest.raises(ValueError, match="names"):
        cast.archive.erase()


@pytest.mark.parametrize("id", ["nothing", "../../etc/passwd", "0" * 32])
def test_there_is_no_receipt_of_what_was_not_asked(cast: Any, id: str) -> None:
    with pytest.raises(KeyError, match="no erasure"):
        cast.archive.erasure_status(id)


def test_hiding_is_immediate_for_readers_elsewhere(cast: Any, row: Any) -> None:
    cast.append(row(1, SECRET), row(2))
    reader = Archive(cast.archive.path)
    assert reader.count(Scan())["posts"].to_pylist() == [2]
    began = time.monotonic()
    cast.archive.erase(uids=[uid(1)])
    assert reader.get(uid(1)) is None
    assert reader.count(Scan())["posts"].to_pylist() == [1]
    assert time.monotonic() - began < 5
