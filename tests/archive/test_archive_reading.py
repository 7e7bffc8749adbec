from datetime import timedelta
from typing import Any

from talkworthy.archive import Keeper, Pace


def uid(number: int) -> str:
    return f"test:example.org:{number}"


def numbers(cast: Any, *uids: str) -> list[int]:
    return [cast.archive.get(name)["id"] for name in uids]


def test_posts_are_read_by_name_at_once_and_those_gone_are_left_out(cast: Any, row: Any) -> None:
    cast.append(row(1), row(2), row(3))
    cast.bury(uid(2))
    found = cast.archive.named([uid(3), uid(2), uid(1), uid(9)])
    assert found["uid"].to_pylist() == [uid(1), uid(3)]
    assert cast.archive.named([]).num_rows == 0


def test_what_arrived_since_a_version_is_told_also_of_old_posts(cast: Any, row: Any) -> None:
    cast.append(row(100), row(101))
    seen = cast.archive.stats().version
    assert cast.archive.arrived(seen) == []
    cast.append(row(102))
    cast.append(row(1, "late"))
    assert cast.archive.arrived(seen) == numbers(cast, uid(1), uid(102))
    assert cast.archive.arrived(seen + 1) == numbers(cast, uid(1))


def test_an_edit_is_no_arrival(cast: Any, row: Any) -> None:
    cast.append(row(1), row(2))
    seen = cast.archive.stats().version
    edited = row(1, "other words")
    cast.append({**edited, "collected_at": edited["collected_at"] + timedelta(days=1)}, row(3))
    assert cast.archive.arrived(seen) == numbers(cast, uid(3))


def test_what_arrived_is_told_also_after_the_keeper_settled_it(cast: Any, row: Any) -> None:
    cast.append(row(1))
    seen = cast.archive.stats().version
    cast.append(row(2))
    Keeper(cast.archive).run_once(everything=True)
    assert not cast.archive.stats().new_files
    assert cast.archive.arrived(seen) == numbers(cast, uid(2))


def test_what_arrived_too_long_ago_is_not_told(cast: Any, row: Any) -> None:
    cast.append(row(1))
    seen = cast.archive.stats().version
    cast.append(row(2))
    Keeper(cast.archive, pace=Pace(patience=0)).run_once(everything=True)
    assert cast.archive.arrived(seen) is None
    seen = cast.archive.stats().version
    cast.append(row(3))
    cast.archive.forget_versions()
    assert cast.archive.arrived(seen) is None
