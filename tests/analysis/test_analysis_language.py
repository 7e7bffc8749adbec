"""Runs of letters of a whole batch are those of each word by itself, and a text's language is its own."""

import html
import re

import numpy as np
import regex
from hypothesis import given
from hypothesis import strategies as st

from talkworthy.analysis import words
from talkworthy.analysis.language import detector, evidence, sums, tables
from talkworthy.analysis.letter_runs import FAMILIES, LENGTHS, MOST_READ, letter_runs
from talkworthy.query.languages import LANGUAGES

TEXTS = (
    "My order arrived broken, and nobody’s answering!",
    "",
    "12345 :-) https://example.org/an-address @somebody.else #hashtag",
    "今日は東京タワーに行きました",
    "Tom &amp; Jerry's l'été 'quoted' rock'n'roll",
    "a",
    "nul\0inside",
    "İstanbul'da ÇOK güzel",
    "Τι κάνεις Σας",
)
FACTOR, BORDER = 16777619, ord(" ")


def plainly(text: str) -> list[list[int]]:
    """By family the numbers of one text, word after word and letter after letter."""
    cut = re.sub(r"https?://[^\s\0]+|www\.[^\s\0]+|[@#][\w.\-]+", " ", html.unescape(text.replace("\0", " ")))
    found: list[list[int]] = [[] for _ in FAMILIES]
    for word in regex.findall(r"[\p{L}\p{M}]+(?:['’][\p{L}\p{M}]+)*", cut.lower()[:MOST_READ]):
        codes = [BORDER, *(ord(letter) for letter in word.replace("’", "'")), BORDER]
        for family, length in enumerate(LENGTHS):
            for at in range(len(codes) - length + 1):
                run = codes[at : at + length]
                number = run[0]
                for code in run[1:]:
                    number = (number * FACTOR + code) % 2**32
                if run != [BORDER]:
                    found[family].append(number)
        found[-1].append(sum(code * FACTOR**at for at, code in enumerate(codes[1:-1])) % 2**32)
    return found


def of_batch(texts: list[str] | tuple[str, ...]) -> list[list[list[int]]]:
    """The same of a batch, as it is read."""
    runs = letter_runs(texts)
    return [
        [runs.numbers[family][starts[at] : starts[at + 1]].tolist() for family, starts in enumerate(runs.starts)]
        for at in range(len(texts))
    ]


def test_the_runs_of_a_batch_are_those_of_each_word_by_itself():
    assert of_batch(TEXTS) == [plainly(text) for text in TEXTS]


@given(st.lists(st.text(alphabet="aBçß'’ \n&;.@#東ひ1", max_size=14), min_size=1, max_size=4))
def test_the_runs_of_a_batch_are_those_of_each_word_whatever_the_texts(texts: list[str]):
    assert of_batch(texts) == [plainly(text) for text in texts]


def test_what_runs_add_up_to_is_the_sum_of_their_rows():
    held = tables()
    text = "Wo bleibt mein Paket?"
    runs = letter_runs([text])
    family = LENGTHS.index(3)
    numbers = np.array(plainly(text)[family], np.uint32)
    places = words.mixed(numbers + np.uint32(3 * 0x01000193)) & np.uint32(len(held.gains) - 1)
    expected = (held.gains[places].astype(float) / 16 + held.floor).sum(axis=0)
    assert np.allclose(sums(runs, held)[family, 0], expected, rtol=1e-5)


def test_the_language_of_a_text_does_not_depend_on_its_neighbours():
    texts = [*TEXTS, "Ich bin total begeistert", "me encanta", "ok"]
    assert detector().best(texts) == [found for text in texts for found in detector().best([text])]


def test_letters_of_a_script_are_counted_and_signs_are_not():
    runs = letter_runs(["東京 tower 12, ひ"], ("Han", "Hiragana"))
    assert runs.letters.tolist() == [8]
    assert runs.scripts.tolist() == [[2, 1]]


def test_what_stands_far_behind_is_not_read():
    begin = "Der schnelle braune Fuchs springt über den faulen Hund. " * 3
    assert detector().best([begin]) == detector().best([begin + "The quick brown fox jumps over the lazy dog. " * 40])


def test_the_evidence_of_a_word_speaks_for_its_language():
    found = {held.text: held.weight for held in evidence("Wir würden das niemals tun @thefox", "de")}
    assert list(found) == ["Wir", "würden", "das", "niemals", "tun"]
    assert found["würden"] > 0


def test_every_language_that_can_be_found_has_a_name() -> None:
    assert not [code for code in tables().languages if code not in LANGUAGES]
