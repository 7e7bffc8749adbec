import os
import resource
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from talkworthy.archive import PayloadStore

NOW = datetime.now(UTC)


@pytest.fixture
def store(tmp_path: Path) -> PayloadStore:
    return PayloadStore(tmp_path / "payloads")


def test_a_payload_comes_back_as_it_came(store: PayloadStore, payload: Any) -> None:
    kept = payload(bytes(range(256)), "application/octet-stream")
    store.keep("decoy", [payload("other")], {"n": 9})
    ref = store.keep("feed", [kept, payload("")], {"since": "é"})
    assert store.load(ref) == [kept, payload("")]


def test_the_cursor_is_durable_with_its_payloads(store: PayloadStore, payload: Any) -> None:
    store.keep("decoy", [payload("x")], {"n": 9})
    store.keep("feed", [payload("a")], {"n": 1})
    store.keep("feed", [], {"n": 2})
    assert PayloadStore(store.folder).cursor("feed") == {"n": 2}


def test_a_webhook_leaves_the_cursor_where_it_was(store: PayloadStore, payload: Any) -> None:
    store.keep("feed", [payload("a")], {"n": 1})
    store.keep("feed", [payload("pushed")])
    assert store.cursor("feed") == {"n": 1}


def test_a_source_without_payloads_has_no_cursor(store: PayloadStore) -> None:
    assert store.cursor("feed") is None


def test_numbers_grow_after_everything_was_done_and_retired(store: PayloadStore, payload: Any) -> None:
    first = store.keep("feed", [payload("a")], {"n": 1})
    store.done(first)
    assert store.retire(now=NOW + timedelta(days=30), keep_days=14) == 1
    assert store.keep("feed", [payload("b")]).seq > first.seq
    assert store.cursor("feed") == {"n": 1}


def test_a_cursor_that_was_only_in_its_file_survives_the_file(store: PayloadStore, payload: Any) -> None:
    store.keep("feed", [payload("a")], {"n": 1})
    noted = (store.folder / "feed" / "state.json").read_bytes()
    ref = store.keep("feed", [payload("b")], {"n": 2})
    (store.folder / "feed" / "state.json").write_bytes(noted)  # as if killed between the file and the note
    assert store.cursor("feed") == {"n": 2}
    store.done(ref)
    store.retire(now=NOW + timedelta(days=30), keep_days=14)
    assert store.cursor("feed") == {"n": 2}
    assert store.keep("feed", []).seq == ref.seq + 1


def test_pending_lists_what_is_not_done_oldest_first(store: PayloadStore, payload: Any) -> None:
    refs = [store.keep("feed", [payload(str(n))]) for n in range(3)]
    decoy = store.keep("decoy", [payload("x")])
    store.done(refs[1])
    store.done(refs[1])
    assert store.pending("feed") == [refs[0], refs[2]]
    assert decoy in store.pending()
    assert store.load(refs[1])[0].body == b"1"


def test_what_no_parser_understood_is_listed_and_can_be_replayed(store: PayloadStore, payload: Any) -> None:
    ref = store.keep("feed", [payload("good"), payload("torn {")], {"n": 1})
    store.set_aside(ref, 1, "Expecting property name at column 2")
    store.set_aside(ref, 1, "Expecting property name at column 2")
    store.done(ref)
    [aside] = PayloadStore(store.folder).aside("feed")
    assert (aside.payload.body, aside.reason) == (b"torn {", "Expecting property name at column 2")
    again = store.replay(aside)
    assert again.seq > ref.seq
    assert [item.body for item in store.load(again)] == [b"torn {"]
    assert store.aside("feed") == []
    assert store.cursor("feed") == {"n": 1}


@pytest.mark.parametrize("source", ["../escape", "a/b", ".", "..", "ünï", "x" * 60])
def test_any_source_name_stays_within_the_folder(store: PayloadStore, payload: Any, source: str) -> None:
    ref = store.keep(source, [payload("a")])
    assert store.sources() == [source]
    assert store.load(ref)[0].body == b"a"
    assert sorted(store.folder.parent.iterdir()) == [store.folder]


def test_a_source_must_have_a_name(store: PayloadStore, payload: Any) -> None:
    with pytest.raises(ValueError, match="name"):
        store.keep("", [payload("a")])


def _keep_many(folder: str, name: str) -> None:
    from talkworthy.archive import Payload, PayloadStore

    store = PayloadStore(Path(folder))
    for number in range(25):
        store.keep("feed", [Payload(f"{name}{number}".encode(), "text/plain", None, NOW)], {name: number})


def test_two_processes_keep_payloads_of_one_source_and_none_is_lost(store: PayloadStore) -> None:
    context = get_context("spawn")
    children = [context.Process(target=_keep_many, args=(str(store.folder), name)) for name in "ab"]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
    refs = store.pending("feed")
    assert len({ref.seq for ref in refs}) == 50
    assert {store.load(ref)[0].body.decode() for ref in refs} == {
        f"{name}{number}" for name in "ab" for number in range(25)
    }


_FULL = """
    import resource, sys
    from datetime import UTC, datetime
    from pathlib import Path
    from talkworthy.archive import Payload, PayloadStore
    store = PayloadStore(Path(sys.argv[1]))
    small = Payload(b"small", "text/plain", None, datetime.now(UTC))
    store.keep("feed", [small], {"n": 1})
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    import os
    try:
        store.keep("feed", [Payload(os.urandom(200_000), "text/plain", None, datetime.now(UTC))], {"n": 2})
    except OSError as error:
        print("refused", error.errno)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit of file sizes here")
def test_a_full_disk_refuses_the_payload_and_leaves_nothing_torn(store: PayloadStore) -> None:
    told = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_FULL), str(store.folder)], capture_output=True, text=True, timeout=60
    )
    assert told.stdout.startswith("refused"), told.stderr
    assert store.cursor("feed") == {"n": 1}
    assert [store.load(ref)[0].body for ref in store.pending("feed")] == [b"small"]
    assert not list(store.folder.rglob("*.tmp"))


def test_retention_leaves_what_is_young_pending_or_set_aside(store: PayloadStore, payload: Any) -> None:
    old, young, waiting = (store.keep("feed", [payload(name)]) for name in ("old", "young", "waiting"))
    store.set_aside(young, 0, "unreadable")
    for ref in (old, young):
        store.done(ref)
    past = (NOW - timedelta(days=20)).timestamp()
    os.utime(store.folder / "feed" / "done" / f"{old.seq:012d}.arrow", (past, past))
    os.utime(store.folder / "feed" / "pending" / f"{waiting.seq:012d}.arrow", (past, past))
    assert store.retire(now=NOW, keep_days=14) == 1
    assert store.load(young)
    assert store.pending("feed") == [waiting]
    assert len(store.aside("feed")) == 1
    with pytest.raises(FileNotFoundError):
        store.load(old)
