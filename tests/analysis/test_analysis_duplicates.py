"""Exact and near copies."""

from collections.abc import Callable

import pyarrow as pa

from talkworthy.analysis import NearDuplicates
from talkworthy.analysis.duplicates import Duplicates, Folded, bare, copied, exchanged, likeness, text_hash
from talkworthy.analysis.pipeline import Pipeline

Posts = Callable[..., pa.RecordBatch]

FIRST = "The new headquarters on Mill Street will open its doors on the first of May"
EDITED = "The new headquarter on Mill Street will open its doors on the first of May!! https://t.example/1"
OTHER = "Nobody at Mill Street has picked up the phone since Tuesday morning, very odd"


def near(batch: pa.RecordBatch, window: NearDuplicates | None = None) -> list[int | None]:
    """The near hashes of a batch."""
    found: list[int | None] = Pipeline([Folded(), Duplicates(window)]).run(batch).column("near_hash").to_pylist()
    return found


def test_links_names_signs_and_case_do_not_make_another_text():
    assert text_hash("Mill Street opens!") == text_hash(
        "RT".lower().replace("rt", "") + "@ann MILL street  opens https://t.example/2"
    )


def test_a_word_more_makes_another_text():
    assert text_hash("Mill Street opens") != text_hash("Mill Street never opens")


def test_nothing_left_of_a_text_has_no_hash():
    assert text_hash("@ann https://t.example") is None


def test_an_edited_copy_has_the_hash_of_the_first(posts: Posts):
    first, edited, other = near(posts(FIRST, EDITED, OTHER))
    assert first == edited == text_hash(FIRST)
    assert other is None


def test_a_copy_in_the_next_batch_is_found_by_a_window_only(posts: Posts):
    window = NearDuplicates()
    assert near(posts(FIRST), window) == [None]
    assert near(posts(OTHER, EDITED), window) == [None, text_hash(FIRST)]
    assert near(posts(EDITED)) == [None]


def test_a_window_forgets_the_oldest():
    window = NearDuplicates(size=2)
    window.near([bare(FIRST)])
    window.near(
        [
            bare(f"something quite different, number {name}")
            for name in ("alpha alpha", "bravo bravo", "charlie tango", "delta echo")
        ]
    )
    assert window.near([bare(EDITED)]) == [None]


def test_short_texts_are_families_only_of_exact_copies():
    assert NearDuplicates().near([bare("so good!"), bare("so good"), bare("so goods")]) == [
        text_hash("so good"),
        text_hash("so good"),
        None,
    ]


def test_likeness_is_one_for_the_same_and_none_for_strangers():
    assert likeness("abcdefgh", "abcdefgh") == 1
    assert likeness("abcdefgh", "ijklmnop") == 0


def test_a_window_that_holds_all_there_is_answers_as_one_that_goes_on():
    texts = [f"the {word} quick fox number {n % 7} jumps over the dog" for n in range(60) for word in ("brown", "very")]
    texts += [f"nothing like it {n * n * 7919} {chr(97 + n % 26) * 5} whatsoever {n}" for n in range(200)]
    cores = [bare(text) for text in [*texts, "short", "short", ""]]
    found = NearDuplicates().near_hashed(cores, [text_hash(core) for core in cores], only=True)
    assert found == NearDuplicates().near(cores)
    assert len(set(found)) > 2 and None in found


def test_one_template_with_another_number_or_name_is_no_copy(posts: Posts):
    order = "We are sorry, order {} of your {} is delayed and will arrive on {}"
    first, *others = (
        order.format(*told)
        for told in (
            ("81", "Kindle", "3 May"),
            ("82", "Kindle", "3 May"),
            ("81", "Pixel", "3 May"),
            ("81", "Kindle", "4 May"),
        )
    )
    assert near(posts(first, *others)) == [None] * 4
    assert all(copied(first, other) < 0.5 for other in others)
    assert exchanged(bare(first), bare(others[1])) == ("kindle", "pixel")


def test_a_slip_of_the_hand_and_what_was_cut_or_added_exchange_nothing():
    for edited in (FIRST.replace("doors", "dors"), FIRST[:60], f"look: {FIRST} #news", FIRST.upper()):
        assert copied(FIRST, edited) > 0.5


def test_a_name_that_is_exchanged_in_one_of_two_places_is_exchanged():
    first = "Anderson saves break points to hold and takes the set, and what a set by Anderson"
    other = first.replace("by Anderson", "by Murray")
    assert exchanged(bare(first), bare(other)) == ("anderson", "murray")
    assert exchanged(bare(first), bare(f"{first}, Anderson!")) is None
