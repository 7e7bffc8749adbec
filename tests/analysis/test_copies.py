"""Copies of posts that came earlier are found by a window that is bounded."""

from collections.abc import Callable, Sequence
from itertools import count

import pyarrow as pa

from talkworthy.analysis.copies import Copies
from talkworthy.analysis.duplicates import BANDS_KEPT, Duplicates, Folded, text_hash
from talkworthy.analysis.pipeline import Pipeline

Posts = Callable[..., pa.RecordBatch]

FIRST = "The new headquarters on Mill Street will open its doors on the first of May"
EDITED = "The new headquarter on Mill Street will open its doors on the first of May!! https://t.example/1"
SECOND = "The new headquarters on Mill Street will open all its doors on the first of May"
OTHER = "Nobody at Mill Street has picked up the phone since Tuesday morning, very odd"
NUMBERS = count()
ORDER = "We are sorry, order {} of your kettle is delayed and will arrive some days later than we said"


def joined(copies: Copies, posts: pa.RecordBatch, uids: Sequence[str] = ()) -> list[int | None]:
    said = Pipeline([Folded(), Duplicates()]).run(posts, keep=(BANDS_KEPT,))
    named = list(uids) or [str(next(NUMBERS)) for _text in range(len(posts))]
    place = said.schema.get_field_index("uid")
    found: list[int | None] = copies.joined(said.set_column(place, "uid", pa.array(named))).to_pylist()
    return found


def test_a_copy_of_an_earlier_piece_has_the_hash_of_the_first(posts: Posts) -> None:
    copies, family = Copies(), text_hash(FIRST)
    assert joined(copies, posts(FIRST, OTHER)) == [None, None]
    assert joined(copies, posts(OTHER + " indeed", EDITED)) == [text_hash(OTHER), family]
    assert joined(copies, posts(SECOND, FIRST)) == [family, family]


def test_a_family_within_a_piece_joins_the_earlier_one_as_a_whole(posts: Posts) -> None:
    copies, family = Copies(), text_hash(FIRST)
    joined(copies, posts(FIRST))
    assert joined(copies, posts(EDITED, OTHER, SECOND, EDITED)) == [family, None, family, family]


def test_a_template_filled_otherwise_is_no_copy(posts: Posts) -> None:
    copies = Copies()
    joined(copies, posts(ORDER.format(1841)))
    assert joined(copies, posts(ORDER.format(2965), OTHER)) == [None, None]


def test_a_post_that_comes_again_or_is_edited_is_no_copy_of_itself(posts: Posts) -> None:
    copies = Copies()
    assert joined(copies, posts(FIRST), ["a"]) == [None]
    assert joined(copies, posts(FIRST), ["a"]) == [None]
    assert joined(copies, posts(EDITED), ["a"]) == [None]
    assert joined(copies, posts(FIRST), ["b"]) == [text_hash(FIRST)]


def test_short_texts_are_families_of_exact_copies_only(posts: Posts) -> None:
    copies = Copies()
    joined(copies, posts("so good!", ""))
    assert joined(copies, posts("so good", "so goods", "")) == [text_hash("so good"), None, None]
    joined(copies, posts("globex is slow again"))
    assert joined(copies, posts("globex is slow again #globex")) == [None]


def test_the_oldest_texts_are_forgotten_by_number_and_by_letters(posts: Posts) -> None:
    words = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot"]
    lines = [f"something quite different, all about {word} and {word * 3}" for word in words]
    for copies in (Copies(size=4), Copies(letters=4 * 60)):
        joined(copies, posts(FIRST))
        for line in lines:
            joined(copies, posts(line))
        assert len(copies) <= 4
        assert joined(copies, posts(EDITED)) == [None]
        assert joined(copies, posts(lines[-1] + "!")) == [text_hash(lines[-1])]
        assert joined(copies, posts(*lines, FIRST))[-1] == text_hash(EDITED)


def test_a_window_that_grows_forgets_nothing(posts: Posts) -> None:
    copies = Copies()
    many = [
        f"number {n * 7919} {chr(97 + n % 26) * 6} tells of {n * n} things at {chr(97 + n % 7) * 9}"
        for n in range(3_000)
    ]
    assert joined(copies, posts(FIRST)) == [None]
    for start in range(0, len(many), 500):
        joined(copies, posts(*many[start : start + 500]))
    assert len(copies) == 3_001
    assert joined(copies, posts(EDITED, many[0] + " !")) == [text_hash(FIRST), text_hash(many[0])]
