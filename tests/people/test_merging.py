"""What a merge shows and what a split gives back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkworthy.people.merging import Circle, Known, held_by, merged, root_of, shown, split_off

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def test_the_root_is_at_the_end_of_the_chain() -> None:
    assert root_of({1: 2, 2: 3, 3: None, 9: None}, 1) == 3


def test_two_that_are_one_already_are_not_merged_again() -> None:
    with pytest.raises(Circle):
        merged({1: 2, 2: None}, 2, 1)


def test_a_split_takes_along_what_was_merged_before() -> None:
    split = split_off({1: 2, 2: 3, 3: None, 4: 3, 9: None}, 2)
    assert (split.goes, split.stays) == ({1, 2}, {3, 4})


def test_what_nothing_holds_cannot_be_split_off() -> None:
    with pytest.raises(ValueError, match="no part"):
        split_off({1: None}, 1)


def test_a_circle_is_named_rather_than_followed_for_ever() -> None:
    with pytest.raises(Circle):
        root_of({1: 2, 2: 1}, 1)


@given(st.lists(st.tuples(st.integers(1, 12), st.integers(1, 12)), max_size=30))
def test_splitting_every_merge_again_gives_back_what_was_there(pairs: list[tuple[int, int]]) -> None:
    before: dict[int, int | None] = dict.fromkeys(range(1, 13))
    after = dict(before)
    for part, whole in pairs:
        try:
            after = merged(after, part, whole)
        except Circle:
            continue
    roots = {number for number, parent in after.items() if parent is None}
    assert sorted(number for root in roots for number in held_by(after, root)) == sorted(before)
    for number in before:
        if after[number] is not None:
            split = split_off(after, number)
            assert split.goes and split.stays and not split.goes & split.stays
            after[number] = None
    assert after == before


def test_a_value_is_shown_once_with_all_who_say_it() -> None:
    rows = [
        Known(1, "email", "Ann@example.org", "crm", NOON),
        Known(2, "email", "ann@example.org", "import", NOON.replace(hour=13)),
        Known(2, "city", "Bonn", "import", NOON),
    ]
    city, email = shown(rows)
    assert (city.name, email.value, email.sources) == ("city", "ann@example.org", ("import", "crm"))


def test_two_birthdays_disagree_and_two_addresses_do_not() -> None:
    rows = [
        Known(1, "birthday", "1980-01-01", "crm", NOON),
        Known(2, "birthday", "1980-01-02", "import", NOON),
        Known(1, "email", "a@example.org", "crm", NOON),
        Known(1, "email", "b@example.org", "crm", NOON),
    ]
    assert [each.is_disputed for each in shown(rows)] == [True, True, False, False]
